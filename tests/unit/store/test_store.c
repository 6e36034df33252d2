#include "store/store.h"

#include "../codec/parakeet_kit.h"
#include "../codec/whisper_kit.h"
#include "model_files.h"

#include "base/alloc.h"
#include "base/thread.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A store on <tmpdir>/<name>. */
static struct al_store *open_store(const char *name)
{
  const char *const directories[] = { tmpdir_path(name) };
  const struct al_store_options options = { .directories = directories, .n_directories = 1 };
  struct al_store *store = nullptr;
  assert_int_equal(al_store_new(&options, &store, nullptr), AL_OK);
  return store;
}

static struct al_model_descriptor *find(struct al_store *store, const char *id)
{
  struct al_model_descriptor *model = nullptr;
  struct al_err err = {};
  if (al_store_find(store, id, &model, &err) != AL_OK)
    fail_msg("%s: %s", id, err.message);
  return model;
}

static size_t count_models(struct al_store *store)
{
  struct al_model_list list = {};
  assert_int_equal(al_store_list(store, &list, nullptr), AL_OK);
  size_t count = list.count;
  al_store_list_free(&list);
  return count;
}

static void assert_problem(struct al_store *store, const char *id, enum al_code code, const char *words)
{
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, id);
  if (model->problem.code != code || strstr(model->problem.message, words) == nullptr)
    fail_msg("%s: %s: %s", id, al_code_name(model->problem.code), model->problem.message);
}

static void assert_healthy(struct al_store *store, const char *id)
{
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, id);
  if (model->problem.code != AL_OK)
    fail_msg("%s: %s", id, model->problem.message);
}

static void describes_gguf_files(void **state)
{
  (void)state;
  put_gguf("g/org/small-Q4.gguf", "qwen3");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("g");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, "org/small-Q4");
  assert_int_equal(model->problem.code, AL_OK);
  assert_string_equal(model->id, "org/small-Q4");
  assert_string_equal(model->runtime, "llama_cpp");
  assert_string_equal(model->architecture, "qwen3");
  assert_string_equal(model->quantisation, "F16");
  assert_string_equal(model->directory, tmpdir_path("g/org"));
  assert_int_equal(model->n_files, 1);
  assert_string_equal(model->files[0], tmpdir_path("g/org/small-Q4.gguf"));
  assert_int_equal(model->type, AL_TYPE_LLM);
  assert_int_equal(model->format, AL_FORMAT_GGUF);
  assert_int_equal(model->capabilities, AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED);
  assert_int_equal(model->n_parameters, 64);
  assert_int_equal(model->n_ctx_train, 4096);
  assert_true(model->size_bytes > 128 && model->modified_s > 1'600'000'000 && !model->builtin);
}

static void tells_embedding_and_projector_ggufs(void **state)
{
  (void)state;
  put_gguf("e/bert.gguf", "bert");
  const struct gguf_spec pooled = { .architecture = "qwen3", .context_length = 1, .pooling = 3 };
  struct al_buf bytes = make_gguf(&pooled);
  put_bytes("e/embedder.gguf", &bytes);
  const struct gguf_spec ranks = { .architecture = "qwen3", .context_length = 1, .pooling = 4 };
  bytes = make_gguf(&ranks);
  put_bytes("e/ranker.gguf", &bytes);
  put_gguf("e/mmproj-x.gguf", "clip");
  put_gguf("e/eye.gguf", "clip");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("e");
  assert_int_equal(count_models(store), 3);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *bert = find(store, "bert");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *ranker = find(store, "ranker");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *embedder = find(store, "embedder");
  assert_true(bert->type == AL_TYPE_EMBEDDING && bert->capabilities == AL_CAN_EMBED);
  assert_true(ranker->type == AL_TYPE_EMBEDDING && ranker->capabilities == (AL_CAN_EMBED | AL_CAN_RERANK));
  assert_true(embedder->type == AL_TYPE_EMBEDDING && embedder->capabilities == AL_CAN_EMBED);
  struct al_model_descriptor *none = nullptr;
  assert_int_equal(al_store_find(store, "eye", &none, nullptr), AL_NOT_FOUND);
}

static void tells_adapters_and_their_base(void **state)
{
  (void)state;
  put_text("lora/org/lora/adapter_config.json",
           "{\"peft_type\":\"LORA\",\"base_model_name_or_path\":\"Qwen/Qwen3-0.6B\",\"r\":8}");
  put_safetensors("lora/org/lora/adapter_model.safetensors", "base_model.model.lm_head.lora_A.weight");
  put_text("lora/org/lora/config.json", "{}"); /* some trainers leave one */
  put_text("lora/broken/adapter_config.json", "{");
  put_safetensors("lora/broken/adapter_model.safetensors", "x");
  const struct gguf_spec spec = { .architecture = "qwen3", .context_length = 1, .base = "Qwen3 0.6B" };
  struct al_buf bytes = make_gguf(&spec);
  put_bytes("lora/style.gguf", &bytes);
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("lora");
  assert_int_equal(count_models(store), 3);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *lora = find(store, "org/lora");
  assert_int_equal(lora->problem.code, AL_OK);
  assert_int_equal(lora->type, AL_TYPE_ADAPTER);
  assert_int_equal(lora->format, AL_FORMAT_SAFETENSORS);
  assert_int_equal(lora->capabilities, 0);
  assert_string_equal(lora->base, "Qwen/Qwen3-0.6B");
  assert_string_equal(lora->architecture, "LORA");
  assert_string_equal(lora->runtime, "");
  assert_int_equal(lora->n_files, 1);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *style = find(store, "style");
  assert_int_equal(style->type, AL_TYPE_ADAPTER);
  assert_string_equal(style->base, "Qwen3 0.6B");
  assert_string_equal(style->architecture, "qwen3");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *broken = find(store, "broken");
  assert_int_equal(broken->problem.code, AL_MODEL_CORRUPT);
  assert_non_null(strstr(broken->problem.message, "adapter_config.json"));
}

static void names_how_weights_are_packed(void **state)
{
  (void)state;
  static const char config[] = "{\"architectures\":[\"Qwen3ForCausalLM\"],\"model_type\":\"qwen3\","
                               "\"quantization_config\":{\"quant_method\":\"%s\",\"config_groups\":{\"g\":"
                               "{\"weights\":{\"num_bits\":%d,\"type\":\"%s\"}}}}}";
  char text[512];
  (void)snprintf(text, sizeof text, config, "compressed-tensors", 8, "float");
  put_text("packed/fp8/config.json", text);
  put_safetensors("packed/fp8/model.safetensors", "w");
  (void)snprintf(text, sizeof text, config, "compressed-tensors", 4, "int");
  put_text("packed/w4/config.json", text);
  put_safetensors("packed/w4/model.safetensors", "w");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("packed");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *fp8 = find(store, "fp8");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *w4 = find(store, "w4");
  assert_string_equal(fp8->quantisation, "FP8");
  assert_string_equal(w4->quantisation, "COMPRESSED-TENSORS");
}

/* Two to the byte, and a scale for each 32, which is no parameter. */
static void counts_parameters_of_mxfp4(void **state)
{
  (void)state;
  put_text("fp4/m/config.json", "{\"architectures\":[\"GptOssForCausalLM\"],\"model_type\":\"gpt_oss\","
                                "\"quantization_config\":{\"quant_method\":\"mxfp4\"}}");
  struct al_buf header = {};
  struct al_buf file = {};
  al_buf_str(&header, "{\"e_blocks\":{\"dtype\":\"U8\",\"shape\":[2,3,1,16],\"data_offsets\":[0,96]},"
                      "\"e_scales\":{\"dtype\":\"U8\",\"shape\":[2,3,1],\"data_offsets\":[96,102]},"
                      "\"norm\":{\"dtype\":\"BF16\",\"shape\":[5],\"data_offsets\":[102,112]}}");
  while (header.size % 8 != 0)
    al_buf_char(&header, ' ');
  add_u64(&file, header.size);
  al_buf_add(&file, header.data, header.size);
  for (int i = 0; i < 112; i++)
    al_buf_char(&file, '\0');
  al_buf_done(&header);
  put_bytes("fp4/m/model.safetensors", &file);
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("fp4");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, "m");
  assert_int_equal(model->problem.code, AL_OK);
  assert_string_equal(model->quantisation, "MXFP4");
  assert_int_equal(model->n_parameters, 2 * 3 * 32 + 5);
}

static void put_part(const char *name, uint32_t number, uint32_t count)
{
  const struct gguf_spec spec = {
    .architecture = "llama", .context_length = 8, .split_no = number, .split_count = count
  };
  struct al_buf bytes = make_gguf(&spec);
  put_bytes(name, &bytes);
}

static void joins_split_ggufs(void **state)
{
  (void)state;
  put_part("s/whole-00001-of-00002.gguf", 0, 2);
  put_part("s/whole-00002-of-00002.gguf", 1, 2);
  put_part("s/hole-00001-of-00003.gguf", 0, 3);
  put_part("s/hole-00003-of-00003.gguf", 2, 3);
  put_part("s/swapped-00001-of-00002.gguf", 1, 2);
  put_part("s/swapped-00002-of-00002.gguf", 0, 2);
  put_part("s/renamed.gguf", 1, 2);
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("s");
  assert_int_equal(count_models(store), 4);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *whole = find(store, "whole");
  assert_int_equal(whole->problem.code, AL_OK);
  assert_int_equal(whole->n_files, 2);
  assert_int_equal(whole->n_parameters, 128);
  assert_string_equal(al_path_last(whole->files[1]), "whole-00002-of-00002.gguf");
  assert_problem(store, "hole", AL_MODEL_CORRUPT, "hole-00002-of-00003.gguf is missing");
  assert_problem(store, "swapped", AL_MODEL_CORRUPT, "swapped-00001-of-00002.gguf is part 2 of 2");
  assert_problem(store, "renamed", AL_MODEL_CORRUPT, "renamed.gguf is part 2 of 2");
}

static void describes_safetensors_directories(void **state)
{
  (void)state;
  put_text("d/org/one/config.json", qwen_config);
  put_safetensors("d/org/one/model.safetensors", "w");
  put_safetensors("d/org/one/extra.safetensors", "x");
  put_gguf("d/org/one/one-Q8.gguf", "qwen3");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("d");
  assert_int_equal(count_models(store), 2);
  assert_healthy(store, "org/one/one-Q8");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, "org/one");
  assert_int_equal(model->problem.code, AL_OK);
  assert_string_equal(model->runtime, "safetensors_cpp");
  assert_string_equal(model->architecture, "Qwen3ForCausalLM");
  assert_string_equal(model->quantisation, "BF16");
  assert_int_equal(model->format, AL_FORMAT_SAFETENSORS);
  assert_int_equal(model->type, AL_TYPE_LLM);
  assert_int_equal(model->n_parameters, 32);
  assert_int_equal(model->n_ctx_train, 32768);
  assert_int_equal(model->n_files, 1);
  assert_string_equal(model->files[0], tmpdir_path("d/org/one/model.safetensors"));
  struct al_file_info info;
  assert_int_equal(al_file_stat(model->files[0], &info, nullptr), AL_OK);
  assert_int_equal(model->size_bytes, info.size_bytes);
}

static void follows_the_index(void **state)
{
  (void)state;
  static const char index[] = "{\"metadata\":{},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
                              "\"b\":\"model-00002-of-00002.safetensors\"}}";
  static const char *const directories[] = { "i/good", "i/hole", "i/lacks", "i/bad" };
  for (size_t i = 0; i < AL_COUNT(directories); i++) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s/config.json", directories[i]);
    put_text(name, qwen_config);
    (void)snprintf(name, sizeof name, "%s/model.safetensors.index.json", directories[i]);
    put_text(name, i == 3 ? "{\"weight_map\":{\"a\":\"../../x.safetensors\"}}" : index);
    (void)snprintf(name, sizeof name, "%s/model-00001-of-00002.safetensors", directories[i]);
    put_safetensors(name, i == 2 ? "other" : "a");
    (void)snprintf(name, sizeof name, "%s/model-00002-of-00002.safetensors", directories[i]);
    if (i != 1)
      put_safetensors(name, "b");
  }
  put_safetensors("i/good/consolidated.safetensors", "c");
  put_text("i/noindex/config.json", qwen_config);
  put_safetensors("i/noindex/model-00001-of-00003.safetensors", "a");
  put_safetensors("i/noindex/model-00003-of-00003.safetensors", "b");
  put_safetensors("i/noconfig/model.safetensors", "a");
  put_text("i/badconfig/config.json", "{\n\"architectures\": [");
  put_safetensors("i/badconfig/model.safetensors", "a");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("i");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *good = find(store, "good");
  assert_int_equal(good->problem.code, AL_OK);
  assert_int_equal(good->n_files, 2);
  assert_int_equal(good->n_parameters, 64);
  assert_problem(store, "hole", AL_MODEL_CORRUPT, "model-00002-of-00002.safetensors is missing");
  assert_problem(store, "lacks", AL_MODEL_CORRUPT, "model-00001-of-00002.safetensors lacks the tensor a");
  assert_problem(store, "bad", AL_MODEL_CORRUPT, "model.safetensors.index.json: ");
  assert_problem(store, "noindex", AL_MODEL_CORRUPT, "model-00002-of-00003.safetensors is missing");
  assert_problem(store, "noconfig", AL_MODEL_CORRUPT, "config.json is missing");
  assert_problem(store, "badconfig", AL_MODEL_CORRUPT, "config.json: invalid JSON at line 2");
}

struct typed {
  const char *name, *config;
  enum al_model_type type;
  unsigned capabilities;
  const char *runtime;
};

static void tells_types_from_config(void **state)
{
  (void)state;
  static const struct typed cases[] = {
    { "bert", "{\"architectures\":[\"BertModel\"]}", AL_TYPE_EMBEDDING, AL_CAN_EMBED, "safetensors_cpp" },
    { "rank", "{\"architectures\":[\"XLMRobertaForSequenceClassification\"]}", AL_TYPE_EMBEDDING,
      AL_CAN_EMBED | AL_CAN_RERANK, "safetensors_cpp" },
    { "whisper", "{\"architectures\":[\"WhisperForConditionalGeneration\"]}", AL_TYPE_STT, AL_CAN_TRANSCRIBE,
      "whisper_cpp" },
    { "vits", "{\"architectures\":[\"VitsModel\"]}", AL_TYPE_TTS, AL_CAN_SPEAK, "" },
    { "t5", "{\"architectures\":[\"T5ForConditionalGeneration\"],\"n_positions\":512}", AL_TYPE_LLM,
      AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED, "safetensors_cpp" },
    { "eyes",
      "{\"architectures\":[\"Qwen3VLForConditionalGeneration\"],\"vision_config\":{},"
      "\"text_config\":{\"max_position_embeddings\":99}}",
      AL_TYPE_VISION, AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_SEE, "safetensors_cpp" },
    { "bare", "{\"model_type\":\"qwen3\"}", AL_TYPE_LLM, AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED,
      "safetensors_cpp" },
    { "odd", "{\"architectures\":\"x\",\"model_type\":7,\"max_position_embeddings\":\"y\"}", AL_TYPE_LLM,
      AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED, "safetensors_cpp" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    char name[64];
    (void)snprintf(name, sizeof name, "t/%s/config.json", cases[i].name);
    put_text(name, cases[i].config);
    (void)snprintf(name, sizeof name, "t/%s/model.safetensors", cases[i].name);
    put_safetensors(name, "w");
  }
  put_text("t/sentence/config.json", qwen_config);
  put_text("t/sentence/modules.json", "[]");
  put_safetensors("t/sentence/model.safetensors", "w");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("t");
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, cases[i].name);
    assert_int_equal(model->type, cases[i].type);
    assert_int_equal(model->capabilities, cases[i].capabilities);
    assert_string_equal(model->runtime, cases[i].runtime);
  }
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *eyes = find(store, "eyes");
  assert_int_equal(eyes->n_ctx_train, 99);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *sentence = find(store, "sentence");
  assert_int_equal(sentence->type, AL_TYPE_EMBEDDING);
  assert_problem(store, "odd", AL_MODEL_CORRUPT, "config.json names neither");
}

static void a_models_directory_may_be_a_model(void **state)
{
  (void)state;
  put_text("self/config.json", qwen_config);
  put_safetensors("self/weights.safetensors", "w");
  put_gguf("self/inner.gguf", "llama");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("self");
  assert_int_equal(count_models(store), 2);
  assert_healthy(store, "self");
  assert_healthy(store, "inner");
}

static void takes_a_pipeline_as_one_model(void **state)
{
  (void)state;
  put_text("p/sd/model_index.json", "{\"_class_name\":\"StableDiffusionPipeline\"}");
  put_text("p/sd/unet/config.json", "{}");
  put_safetensors("p/sd/unet/diffusion_pytorch_model.safetensors", "w");
  put_text("p/sd/text_encoder/config.json", qwen_config);
  put_safetensors("p/sd/text_encoder/model.safetensors", "w");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("p");
  assert_int_equal(count_models(store), 1);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, "sd");
  assert_true(model->type == AL_TYPE_IMAGE && model->n_files == 2 && model->n_parameters == 64);
  assert_string_equal(model->architecture, "StableDiffusionPipeline");
}

static void put_whisper(const char *name, size_t cut)
{
  struct al_buf bytes = {};
  whisper_kit_write(&whisper_kit_sizes, &bytes);
  bytes.size -= cut;
  put_bytes(name, &bytes);
}

static void finds_files_of_whisper_cpp(void **state)
{
  (void)state;
  static const uint32_t vad[] = { 0x67676d6c, 10, 0x656c6973, 0x312d6f72, 0x00006b36 };
  static const uint32_t parakeet[] = { 0x67676d6c, 8192, 5000, 1024, 8, 24, 128, 1, 512, 8, 256, 9, 640, 2, 5, 10 };
  put_whisper("w/ggml-base.en.bin", 0);
  put_whisper("w/org/ggml-cut.bin", 1);
  put_whisper("w/mine.bin", 0);
  put_text("w/ggml-none.bin", "");
  put_text("w/ggml-page.bin", "<html>not found</html>");
  put_text("w/other.bin", "PK");
  put_text("w/deep/config.json", qwen_config);
  put_text("w/deep/ggml-beside.bin", "PK");
  struct al_buf bytes = {};
  al_buf_add(&bytes, vad, sizeof vad);
  put_bytes("w/ggml-silero-v5.bin", &bytes);
  al_buf_add(&bytes, parakeet, sizeof parakeet);
  put_bytes("w/ggml-parakeet-cut.bin", &bytes);
  parakeet_kit_write(&parakeet_kit_sizes, &bytes);
  put_bytes("w/ggml-parakeet.bin", &bytes);
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("w");
  assert_int_equal(count_models(store), 8);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, "ggml-base.en");
  assert_int_equal(model->problem.code, AL_OK);
  assert_true(model->type == AL_TYPE_STT && model->format == AL_FORMAT_GGML && model->n_files == 1);
  assert_true(model->capabilities == AL_CAN_TRANSCRIBE && model->n_ctx_train == whisper_kit_sizes.n_text_ctx);
  assert_int_equal(model->n_parameters, al_whisper_n_parameters(&whisper_kit_sizes));
  assert_string_equal(model->runtime, "whisper_cpp");
  assert_string_equal(model->architecture, "whisper");
  assert_string_equal(model->quantisation, "F16");
  assert_healthy(store, "mine");
  assert_problem(store, "org/ggml-cut", AL_MODEL_CORRUPT, "ggml-cut.bin");
  assert_problem(store, "ggml-none", AL_MODEL_CORRUPT, "ggml-none.bin");
  assert_problem(store, "ggml-page", AL_MODEL_CORRUPT, "ggml-page.bin");
  assert_problem(store, "deep/ggml-beside", AL_MODEL_CORRUPT, "ggml-beside.bin");
  assert_problem(store, "ggml-parakeet-cut", AL_MODEL_CORRUPT, "ggml-parakeet-cut.bin");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *heard = find(store, "ggml-parakeet");
  assert_int_equal(heard->problem.code, AL_OK);
  assert_true(heard->type == AL_TYPE_STT && heard->capabilities == AL_CAN_TRANSCRIBE);
  assert_string_equal(heard->runtime, "parakeet_cpp");
  assert_string_equal(heard->architecture, "parakeet");
  assert_string_equal(heard->quantisation, "F16");
  assert_int_equal(heard->n_parameters, al_parakeet_n_parameters(&parakeet_kit_sizes));
}

static void registers_a_file_of_whisper_cpp(void **state)
{
  (void)state;
  put_whisper("wr/tiny.bin", 0);
  put_text("wr/other.bin", "PK");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("wr-empty");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = nullptr;
  assert_int_equal(al_store_register_path(store, tmpdir_path("wr/tiny.bin"), &model, nullptr), AL_OK);
  assert_string_equal(model->id, "tiny");
  assert_string_equal(model->runtime, "whisper_cpp");
  struct al_model_descriptor *none = nullptr;
  struct al_err err = {};
  assert_int_equal(al_store_register_path(store, tmpdir_path("wr/other.bin"), &none, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "other.bin"));
}

static void recognises_pytorch_with_advice(void **state)
{
  (void)state;
  put_text("y/old/config.json", qwen_config);
  put_text("y/old/pytorch_model.bin", "PK");
  put_text("y/trained/config.json", qwen_config);
  put_text("y/trained/training_args.bin", "PK");
  put_text("y/both/config.json", qwen_config);
  put_text("y/both/pytorch_model.bin", "PK");
  put_safetensors("y/both/model.safetensors", "w");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("y");
  assert_int_equal(count_models(store), 2);
  assert_healthy(store, "both");
  assert_problem(store, "old", AL_UNSUPPORTED, "pytorch_model.bin holds PyTorch pickle weights");
  assert_problem(store, "old", AL_UNSUPPORTED, "safetensors");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = find(store, "old");
  assert_int_equal(model->format, AL_FORMAT_PYTORCH);
  assert_string_equal(model->runtime, "");
  assert_string_equal(model->architecture, "Qwen3ForCausalLM");
}

static void reads_the_hugging_face_cache(void **state)
{
  (void)state;
  put_safetensors("hub/models--org--name/blobs/abc", "w");
  put_text("hub/models--org--name/refs/main", "rev2\n");
  put_text("hub/models--org--name/snapshots/rev1/config.json", "{");
  put_safetensors("hub/models--org--name/snapshots/rev1/model.safetensors", "old");
  put_text("hub/models--org--name/snapshots/rev2/config.json", qwen_config);
  assert_int_equal(symlink("../../blobs/abc", tmpdir_path("hub/models--org--name/snapshots/rev2/model.safetensors")),
                   0);
  put_gguf("hub/models--gpt2/snapshots/only/gpt2-Q4.gguf", "gpt2");
  put_text("hub/models--org--tokenizer/refs/main", "r");
  put_text("hub/models--org--tokenizer/snapshots/r/tokenizer.json", "{}");
  put_text("hub/models--org--evil/refs/main", "../../../models--org--name/snapshots/rev2");
  put_text("hub/datasets--org--x/snapshots/r/config.json", "{}");
  put_safetensors("hub/datasets--org--x/snapshots/r/model.safetensors", "w");
  const struct al_store_options options = { .hf_cache = tmpdir_path("hub") };
  AL_CLEANUP(al_store_free_p) struct al_store *store = nullptr;
  assert_int_equal(al_store_new(&options, &store, nullptr), AL_OK);
  assert_int_equal(count_models(store), 2);
  assert_healthy(store, "org/name");
  assert_healthy(store, "gpt2/gpt2-Q4");
}

static void gives_ids_to_the_first_directory(void **state)
{
  (void)state;
  put_gguf("c/first/same.gguf", "llama");
  put_gguf("c/second/same.gguf", "gemma3");
  put_gguf("c/second/other.gguf", "gemma3");
  put_gguf("c/builtin/same.gguf", "bert");
  put_gguf("c/builtin/tiny.gguf", "qwen3");
  const char *const directories[] = { tmpdir_path("c/absent"), tmpdir_path("c/first"), tmpdir_path("c/second") };
  const struct al_store_options options = { .directories = directories,
                                            .n_directories = 3,
                                            .builtin_directory = tmpdir_path("c/builtin") };
  AL_CLEANUP(al_store_free_p) struct al_store *store = nullptr;
  assert_int_equal(al_store_new(&options, &store, nullptr), AL_OK);
  struct al_model_list list = {};
  assert_int_equal(al_store_list(store, &list, nullptr), AL_OK);
  assert_int_equal(list.count, 4);
  const struct al_model_descriptor *voice = list.items[0]; /* has no file */
  assert_string_equal(voice->id, "espeak");
  assert_string_equal(voice->runtime, "espeak_ng");
  assert_true(voice->builtin && voice->type == AL_TYPE_TTS && voice->format == AL_FORMAT_NONE);
  assert_true(voice->capabilities == AL_CAN_SPEAK && voice->n_files == 0 && voice->problem.code == AL_OK);
  assert_string_equal(list.items[1]->id, "other");
  assert_string_equal(list.items[2]->architecture, "llama");
  assert_true(!list.items[2]->builtin && list.items[3]->builtin);
  al_store_list_free(&list);
}

static void refuses_ids_that_could_escape(void **state)
{
  (void)state;
  put_gguf("x/in/a.gguf", "llama");
  put_gguf("x/secret.gguf", "llama");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("x/in");
  static const char *const bad[] = { "",     "/",  "/a",   "../secret", "a/../a", "a/..", "..",    ".",    "./a",
                                     "a//b", "a/", "a\nb", "a\x7f",     "a\x1b",  "\xff", "a/./b", "a\xc3" };
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    struct al_model_descriptor *model = nullptr;
    struct al_err err = {};
    assert_int_equal(al_store_find(store, bad[i], &model, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.param, "model");
    assert_null(model);
  }
  static char longest[1026];
  memset(longest, 'a', sizeof longest - 1);
  struct al_model_descriptor *model = nullptr;
  struct al_err err = {};
  assert_int_equal(al_store_find(store, longest, &model, &err), AL_INVALID_REQUEST);
  longest[1024] = '\0';
  assert_int_equal(al_store_find(store, longest, &model, &err), AL_NOT_FOUND);
  assert_string_equal(err.reason, "model_not_found");
  assert_int_equal(al_store_find(store, "secret", &model, &err), AL_NOT_FOUND);
  assert_int_equal(al_store_find(store, "..a/...", &model, &err), AL_NOT_FOUND);
  assert_non_null(strstr(err.message, "..a/..."));
  assert_healthy(store, "a");
}

static void survives_loops_and_depth(void **state)
{
  (void)state;
  put_gguf("l/a/m.gguf", "llama");
  assert_int_equal(symlink("..", tmpdir_path("l/a/up")), 0);
  assert_int_equal(symlink("self", tmpdir_path("l/self")), 0);
  assert_int_equal(symlink("nowhere", tmpdir_path("l/dangling.gguf")), 0);
  assert_int_equal(mkfifo(tmpdir_path("l/pipe.gguf"), 0600), 0);
  put_gguf("l/1/2/3/4/5/6/7/8/deep.gguf", "llama");
  put_gguf("l/1/2/3/4/5/6/7/8/9/deeper.gguf", "llama");
  put_gguf("l/.hidden/h.gguf", "llama");
  put_gguf("l/bad\nname.gguf", "llama");
  put_gguf("l/bad\xff.gguf", "llama");
  put_gguf("l/.gguf", "llama");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("l");
  assert_int_equal(count_models(store), 4);
  assert_healthy(store, "a/m");
  assert_healthy(store, "1/2/3/4/5/6/7/8/deep");
  assert_problem(store, "dangling", AL_MODEL_CORRUPT, "dangling.gguf is missing");
  assert_problem(store, "pipe", AL_MODEL_CORRUPT, "pipe.gguf is not a regular file");
}

static void notices_changes(void **state)
{
  (void)state;
  put_gguf("n/a.gguf", "llama");
  put_gguf("n/sub/b.gguf", "llama");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("n");
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *before = find(store, "a");
  assert_int_equal(count_models(store), 2);
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *same = find(store, "a");
  assert_ptr_equal(before, same);

  assert_int_equal(tmpdir_remove_entry(tmpdir_path("n/sub/b.gguf"), nullptr, 0, nullptr), 0);
  assert_int_equal(rmdir(tmpdir_path("n/sub")), 0);
  put_gguf("n/a.gguf", "gemma3");
  put_gguf("n/c.gguf", "llama");
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  struct al_model_descriptor *gone = nullptr;
  assert_int_equal(al_store_find(store, "sub/b", &gone, nullptr), AL_NOT_FOUND);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *after = find(store, "a");
  assert_string_equal(after->architecture, "gemma3");
  assert_string_equal(before->architecture, "llama");
  assert_healthy(store, "c");
}

static void notices_config_changes(void **state)
{
  (void)state;
  put_text("k/m/config.json", qwen_config);
  put_safetensors("k/m/model.safetensors", "w");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("k");
  assert_healthy(store, "m");
  put_text("k/m/config.json", "{}");
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  assert_problem(store, "m", AL_MODEL_CORRUPT, "config.json names neither");
  assert_int_equal(remove(tmpdir_path("k/m/config.json")), 0);
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  assert_problem(store, "m", AL_MODEL_CORRUPT, "config.json is missing");
}

static void outlives_its_directory(void **state)
{
  (void)state;
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("later");
  assert_int_equal(count_models(store), 0);
  put_gguf("later/m.gguf", "llama");
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  assert_healthy(store, "m");
  assert_int_equal(remove(tmpdir_path("later/m.gguf")), 0);
  assert_int_equal(rmdir(tmpdir_path("later")), 0);
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  assert_int_equal(count_models(store), 0);
}

static void registers_paths(void **state)
{
  (void)state;
  put_gguf("r/models/mine.gguf", "gemma3");
  put_gguf("r/out/mine.gguf", "llama");
  put_part("r/out/big-00001-of-00002.gguf", 0, 2);
  put_part("r/out/big-00002-of-00002.gguf", 1, 2);
  put_text("r/dir/config.json", qwen_config);
  put_safetensors("r/dir/model.safetensors", "w");
  put_gguf("r/lonely/x.gguf", "llama");
  put_text("r/out/notes.txt", "x");
  put_gguf("r/out/mmproj-x.gguf", "clip");
  put_gguf("r/out/eye.gguf", "clip");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("r/models");
  static const struct {
    const char *path, *id, *architecture;
  } good[] = {
    { "r/out/mine.gguf", "mine", "llama" },
    { "r/out/big-00002-of-00002.gguf", "big", "llama" },
    { "r/dir", "dir", "Qwen3ForCausalLM" },
    { "r/dir/", "dir", "Qwen3ForCausalLM" },
    { "r/out/../dir/model.safetensors", "dir", "Qwen3ForCausalLM" },
    { "r/lonely", "lonely", "llama" },
  };
  for (size_t i = 0; i < AL_COUNT(good); i++) {
    AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = nullptr;
    struct al_err err = {};
    if (al_store_register_path(store, tmpdir_path(good[i].path), &model, &err) != AL_OK)
      fail_msg("%s: %s", good[i].path, err.message);
    assert_string_equal(model->id, good[i].id);
    assert_string_equal(model->architecture, good[i].architecture);
    assert_int_equal(model->problem.code, AL_OK);
    AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *again = find(store, good[i].id);
    assert_ptr_equal(again, model);
  }
  assert_int_equal(count_models(store), 4);
  struct al_model_descriptor *model = nullptr;
  struct al_err err = {};
  assert_int_equal(al_store_register_path(store, tmpdir_path("r/out/notes.txt"), &model, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "notes.txt"));
  assert_int_equal(al_store_register_path(store, tmpdir_path("r/out"), &model, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_store_register_path(store, tmpdir_path("r"), &model, &err), AL_UNSUPPORTED);
  assert_int_equal(al_store_register_path(store, tmpdir_path("r/none.gguf"), &model, &err), AL_NOT_FOUND);
  assert_int_equal(al_store_register_path(store, tmpdir_path("r/out/mmproj-x.gguf"), &model, &err), AL_UNSUPPORTED);
  assert_int_equal(al_store_register_path(store, tmpdir_path("r/out/eye.gguf"), &model, &err), AL_UNSUPPORTED);
  assert_int_equal(al_store_register_path(store, "", &model, &err), AL_NOT_FOUND);
  assert_null(model);

  assert_int_equal(remove(tmpdir_path("r/out/mine.gguf")), 0);
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *other = find(store, "mine");
  assert_string_equal(other->architecture, "gemma3");
}

static void holds_ten_thousand_files(void **state)
{
  (void)state;
  assert_int_equal(al_dir_make(tmpdir_path("many"), nullptr), AL_OK);
  for (int i = 0; i < 10'000; i++) {
    char name[64];
    (void)snprintf(name, sizeof name, "many/m%05d.gguf", i);
    put_text(name, "GGUF");
  }
  put_gguf("many/z.gguf", "llama");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("many");
  assert_int_equal(count_models(store), 10'001);
  assert_healthy(store, "z");
  assert_problem(store, "m07777", AL_MODEL_CORRUPT, "m07777.gguf");
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  put_gguf("o/a.gguf", "llama");
  put_text("o/m/config.json", qwen_config);
  put_safetensors("o/m/model.safetensors", "w");
  enum al_code code = AL_OOM_RAM;
  size_t at = 1;
  for (; code == AL_OOM_RAM && at < 500; at++) {
    const char *const directories[] = { tmpdir_path("o") };
    const struct al_store_options options = { .directories = directories, .n_directories = 1 };
    AL_CLEANUP(al_store_free_p) struct al_store *store = nullptr;
    AL_CLEANUP(al_descriptor_unref_p) struct al_model_descriptor *model = nullptr;
    (void)al_alloc_fail_at(at);
    code = al_store_new(&options, &store, nullptr);
    if (code == AL_OK)
      code = al_store_find(store, "m", &model, nullptr);
    size_t made = al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM || made < at);
    if (code == AL_OK && made >= at)
      code = AL_OOM_RAM; /* something smaller failed and was passed over: go on */
  }
  assert_int_equal(code, AL_OK);
  assert_true(at > 20);
}

static atomic_int n_running;

static void look_up_and_refresh(void *argument)
{
  struct al_store *store = argument;
  for (int i = 0; i < 50; i++) {
    struct al_model_descriptor *model = nullptr;
    struct al_model_list list = {};
    if (i % 5 == 0 && al_store_refresh(store, nullptr) != AL_OK)
      break;
    if (al_store_find(store, "a", &model, nullptr) != AL_OK || al_store_list(store, &list, nullptr) != AL_OK)
      break;
    al_descriptor_unref(model);
    al_store_list_free(&list);
    if (i == 49)
      (void)atomic_fetch_add(&n_running, 1);
  }
}

static void serves_many_threads(void **state)
{
  (void)state;
  put_gguf("th/a.gguf", "llama");
  AL_CLEANUP(al_store_free_p) struct al_store *store = open_store("th");
  struct al_thread threads[8] = {};
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    assert_int_equal(al_thread_start(&threads[i], "lookup", look_up_and_refresh, store, nullptr), AL_OK);
  for (int i = 0; i < 20; i++)
    put_gguf("th/changing.gguf", i % 2 == 0 ? "llama" : "gemma3");
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    al_thread_join(&threads[i]);
  assert_int_equal(atomic_load(&n_running), AL_COUNT(threads));
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(describes_gguf_files),
    cmocka_unit_test(tells_embedding_and_projector_ggufs),
    cmocka_unit_test(tells_adapters_and_their_base),
    cmocka_unit_test(names_how_weights_are_packed),
    cmocka_unit_test(counts_parameters_of_mxfp4),
    cmocka_unit_test(joins_split_ggufs),
    cmocka_unit_test(describes_safetensors_directories),
    cmocka_unit_test(follows_the_index),
    cmocka_unit_test(tells_types_from_config),
    cmocka_unit_test(a_models_directory_may_be_a_model),
    cmocka_unit_test(takes_a_pipeline_as_one_model),
    cmocka_unit_test(finds_files_of_whisper_cpp),
    cmocka_unit_test(registers_a_file_of_whisper_cpp),
    cmocka_unit_test(recognises_pytorch_with_advice),
    cmocka_unit_test(reads_the_hugging_face_cache),
    cmocka_unit_test(gives_ids_to_the_first_directory),
    cmocka_unit_test(refuses_ids_that_could_escape),
    cmocka_unit_test(survives_loops_and_depth),
    cmocka_unit_test(notices_changes),
    cmocka_unit_test(notices_config_changes),
    cmocka_unit_test(outlives_its_directory),
    cmocka_unit_test(registers_paths),
    cmocka_unit_test(holds_ten_thousand_files),
    cmocka_unit_test(survives_failing_allocations),
    cmocka_unit_test(serves_many_threads),
  };
  return cmocka_run_group_tests_name("store/store", tests, tmpdir_make, tmpdir_remove);
}
