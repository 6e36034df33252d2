/* Damaged Hugging Face directories: each is refused with words that name the file, and before any weight is read. */
#include "base/alloc.h"
#include "engine/safetensors/vgguf.h"
#include "safetensors_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const char *data; /* tests/data/safetensors */

static enum al_code open_copy(const struct kit *kit, struct al_err *err)
{
  struct al_vgguf *vgguf = nullptr;
  enum al_code code = al_vgguf_open(kit->directory, "", 1, &vgguf, err);
  assert_true((code == AL_OK) == (vgguf != nullptr));
  al_vgguf_close(vgguf);
  return code;
}

static void expect(const struct kit *kit, enum al_code code, const char *words)
{
  struct al_err err = {};
  enum al_code found = open_copy(kit, &err);
  if (found != code || strstr(err.message, words) == nullptr)
    fail_msg("%s \"%s\" instead of %s \"%s\"", al_code_name(found), err.message, al_code_name(code), words);
}

static void opens_what_is_sound(void **state)
{
  (void)state;
  const char *const models[] = { "llama", "qwen3-shards" };
  for (size_t i = 0; i < AL_COUNT(models); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    kit_copy(&kit, data, models[i]);
    struct al_err err = {};
    if (open_copy(&kit, &err) != AL_OK)
      fail_msg("%s: %s", models[i], err.message);
  }
}

struct change {
  const char *file, *from, *to;
  enum al_code code;
  const char *words;
};

static void check_changes(const char *model, const struct change *changes, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    kit_copy(&kit, data, model);
    kit_replace(&kit, changes[i].file, changes[i].from, changes[i].to);
    expect(&kit, changes[i].code, changes[i].words);
  }
}

static void refuses_wrong_configs(void **state)
{
  (void)state;
  static const struct change changes[] = {
    { "config.json", "\"Qwen3ForCausalLM\"", "\"NoSuchForCausalLM\"", AL_UNSUPPORTED, "NoSuchForCausalLM" },
    { "config.json", "\"architectures\"", "\"x\"", AL_MODEL_CORRUPT, "architectures" },
    { "config.json", "\"hidden_size\": 32", "\"hidden_size\": 48", AL_MODEL_CORRUPT, "model.embed_tokens.weight" },
    { "config.json", "\"hidden_size\": 32", "\"hidden_size\": -1", AL_MODEL_CORRUPT, "hidden_size" },
    { "config.json", "\"hidden_size\": 32", "\"hidden_size\": 1e300", AL_MODEL_CORRUPT, "hidden_size" },
    { "config.json", "\"hidden_size\": 32", "\"x\": 32", AL_MODEL_CORRUPT, "hidden_size is missing" },
    { "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", AL_MODEL_CORRUPT,
      "model.layers.2.input_layernorm.weight\" is missing" },
    { "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", AL_UNSUPPORTED, "has no place" },
    { "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4294967297", AL_MODEL_CORRUPT,
      "num_hidden_layers" },
    { "config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 0", AL_MODEL_CORRUPT,
      "num_attention_heads" },
    { "config.json", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3", AL_MODEL_CORRUPT, "no multiple" },
    { "config.json", "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 2", AL_MODEL_CORRUPT, "k_proj" },
    { "config.json", "\"head_dim\": 16", "\"head_dim\": 15", AL_MODEL_CORRUPT, "odd" },
    { "config.json", "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": 0", AL_MODEL_CORRUPT, "rms_norm_eps" },
    { "config.json", "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": \"x\"", AL_MODEL_CORRUPT, "rms_norm_eps" },
    { "config.json", "\"silu\"", "\"gelu\"", AL_UNSUPPORTED, "gelu" },
    { "config.json", "\"rope_theta\": 10000.0", "\"rope_theta\": -3", AL_MODEL_CORRUPT, "rope_theta" },
    { "config.json", "\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"", AL_UNSUPPORTED, "longrope" },
    { "config.json", "\"rope_type\": \"default\"", "\"rope_type\": \"llama3\"", AL_MODEL_CORRUPT, "factor" },
    { "config.json", "\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"awq\"}", AL_UNSUPPORTED,
      "\"awq\"" },
    { "config.json", "\"vocab_size\": 288", "\"vocab_size\": 280", AL_MODEL_CORRUPT, "model.embed_tokens.weight" },
    { "config.json", "\"vocab_size\": 288", "\"vocab_size\": 99999999999", AL_MODEL_CORRUPT, "vocab_size" },
  };
  check_changes("qwen3-shards", changes, AL_COUNT(changes));
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "qwen3-shards");
  kit_write(&kit, "config.json", al_str("[[["));
  expect(&kit, AL_MODEL_CORRUPT, "config.json");
  kit_delete(&kit, "config.json");
  expect(&kit, AL_MODEL_CORRUPT, "config.json is missing");
}

static void refuses_wrong_scales(void **state)
{
  (void)state;
  static const struct change changes[] = {
    { "config.json", "\"fp8\"", "\"gptq\"", AL_UNSUPPORTED, "\"gptq\"" },
    { "config.json", "\"fp8\"", "\"compressed-tensors\"", AL_UNSUPPORTED, "only those in FP8" },
    { "config.json", "\"weight_block_size\"", "\"x\"", AL_MODEL_CORRUPT, "weight_scale_inv" },
    { "config.json", "[24, 20]", "[48, 20]", AL_MODEL_CORRUPT, "blocks of 48 x 20" },
    { "config.json", "[24, 20]", "[0, 20]", AL_MODEL_CORRUPT, "block size" },
    { "config.json", "[24, 20]", "[24, 7, 20]", AL_MODEL_CORRUPT, "block size" },
  };
  check_changes("fp8", changes, AL_COUNT(changes));
}

static void refuses_fp8_without_scales(void **state)
{
  (void)state;
  static const struct {
    const char *from, *to;
    enum al_code code;
    const char *words;
  } changes[] = {
    { "mlp.up_proj.weight_scale_inv", "mlp.up_proj.weight_scale_inw", AL_MODEL_CORRUPT, "are missing" },
    { "model.layers.0.mlp.up_proj.weight\":{\"dtype\":\"F8_E4M3\"",
      "model.layers.0.mlp.up_proj.weight\":{\"dtype\":\"I8\"     ", AL_UNSUPPORTED, "I8" },
  };
  for (size_t i = 0; i < AL_COUNT(changes); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    kit_copy(&kit, data, "fp8");
    kit_read(&kit, "model.safetensors", &file);
    char *at = memmem(file.data, file.size, changes[i].from, strlen(changes[i].from));
    assert_non_null(at);
    memcpy(at, changes[i].to, strlen(changes[i].to));
    kit_write(&kit, "model.safetensors", al_buf_view(&file));
    expect(&kit, changes[i].code, changes[i].words);
  }
}

/* Found when the weights are read. */
static void reads_no_scale_that_is_no_number(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  kit_copy(&kit, data, "fp8");
  kit_read(&kit, "model.safetensors", &file);
  memset(file.data + file.size - 4096, 0xff, 4096);
  kit_write(&kit, "model.safetensors", al_buf_view(&file));
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
  assert_int_equal(al_vgguf_open(kit.directory, "f32", 1, &vgguf, nullptr), AL_OK);
  size_t size = (size_t)al_vgguf_size_bytes(vgguf);
  size_t n_read = 0;
  AL_CLEANUP(al_free_p) uint8_t *bytes = al_alloc(size);
  struct al_err err = {};
  assert_int_equal(al_vgguf_read(vgguf, 0, bytes, size, &n_read, &err), AL_MODEL_CORRUPT);
  assert_non_null(strstr(err.message, "no number"));
}

static void refuses_wrong_encoders(void **state)
{
  (void)state;
  static const struct change changes[] = {
    { "config.json", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"", AL_UNSUPPORTED, "relu" },
    { "config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 5", AL_MODEL_CORRUPT, "even heads" },
    { "config.json", "\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": 2", AL_MODEL_CORRUPT, "layer_norm_eps" },
    { "config.json", "\"type_vocab_size\": 2", "\"type_vocab_size\": 3", AL_MODEL_CORRUPT, "token_type_embeddings" },
    { "config.json", "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 65", AL_MODEL_CORRUPT,
      "position_embeddings" },
    { "config.json", "\"0\": \"LABEL_0\"", "\"0\": \"LABEL_0\", \"1\": \"x\"", AL_UNSUPPORTED, "2 labels" },
    { "tokenizer.json", "\"BertNormalizer\"", "\"Lowercase\"", AL_UNSUPPORTED, "Lowercase" },
    { "tokenizer.json", "\"BertPreTokenizer\"", "\"Whitespace\"", AL_UNSUPPORTED, "Whitespace" },
    { "tokenizer.json", "\"strip_accents\": null", "\"strip_accents\": false", AL_UNSUPPORTED, "strip_accents" },
    { "tokenizer.json", "\"continuing_subword_prefix\": \"##\"", "\"continuing_subword_prefix\": \"@\"", AL_UNSUPPORTED,
      "@" },
    { "tokenizer.json", "\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 9", AL_UNSUPPORTED,
      "max_input_chars" },
    { "tokenizer.json", "\"TemplateProcessing\"", "\"BertProcessing\"", AL_UNSUPPORTED, "before and one behind" },
  };
  check_changes("bert-rank", changes, AL_COUNT(changes));
}

static void refuses_wrong_tokenizers(void **state)
{
  (void)state;
  static const struct change changes[] = {
    { "tokenizer.json", "\"ignore_merges\": false", "\"ignore_merges\": true", AL_UNSUPPORTED, "ignore_merges" },
    { "tokenizer.json", "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?i:'x)", AL_UNSUPPORTED, "(?i:'x)" },
    { "tokenizer.json", "\"type\": \"NFC\"", "\"type\": \"NFKD\"", AL_UNSUPPORTED, "NFKD" },
    { "tokenizer.json", "\"type\": \"BPE\"", "\"type\": \"Unigram\"", AL_UNSUPPORTED, "Unigram" },
    { "tokenizer.json", "\"merges\"", "\"x\"", AL_MODEL_CORRUPT, "merges" },
    { "tokenizer.json", "\"vocab\"", "\"x\"", AL_MODEL_CORRUPT, "vocab" },
    { "tokenizer.json", "\"!\": 0,", "\"!\": 288,", AL_MODEL_CORRUPT, "\"!\" has the id 288" },
    { "tokenizer.json", "\"!\": 0,", "\"!\": 5,", AL_MODEL_CORRUPT, "twice" },
    { "tokenizer.json", "\"!\": 0,", "\"\": 0,", AL_MODEL_CORRUPT, "empty" },
    { "tokenizer.json", "\"merges\": [", "\"merges\": [[\"!\", \"\\\"\"],", AL_MODEL_CORRUPT, "merge 0" },
    { "tokenizer.json", "\"merges\": [", "\"merges\": [\"!\",", AL_MODEL_CORRUPT, "merge 0" },
    { "tokenizer.json", "\"merges\": [", "\"merges\": [[],", AL_MODEL_CORRUPT, "merge 0" },
    { "tokenizer.json", "\"merges\": [", "\"merges\": [7,", AL_MODEL_CORRUPT, "merge 0" },
  };
  check_changes("qwen3-shards", changes, AL_COUNT(changes));
  static const struct change spm[] = {
    { "tokenizer.json", "\"<0xE9>\": ", "\"<0xZZ>\": ", AL_MODEL_CORRUPT, "<0xE9>" },
    { "tokenizer.json", "\"prepend\": \"\xe2\x96\x81\"", "\"prepend\": \"x\"", AL_UNSUPPORTED, "Prepend" },
  };
  check_changes("llama", spm, AL_COUNT(spm));
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  kit_delete(&kit, "tokenizer.json");
  expect(&kit, AL_MODEL_CORRUPT, "tokenizer.json is missing");
}

static void refuses_wrong_shards(void **state)
{
  (void)state;
  static const struct change changes[] = {
    { "model.safetensors.index.json", "\"lm_head.weight\": \"", "\"lm_head.weight\": \"../", AL_MODEL_CORRUPT,
      "\"lm_head.weight\" into" },
    { "model.safetensors.index.json", "\"weight_map\"", "\"x\"", AL_MODEL_CORRUPT, "weight_map" },
    { "model.safetensors.index.json", "\"lm_head.weight\"", "\"lm_tail.weight\"", AL_MODEL_CORRUPT,
      "\"lm_tail.weight\" is missing" },
  };
  check_changes("qwen3-shards", changes, AL_COUNT(changes));
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "qwen3-shards");
  kit_delete(&kit, "model-00003-of-00005.safetensors");
  expect(&kit, AL_MODEL_CORRUPT, "model-00003-of-00005.safetensors is missing");
  kit_delete(&kit, "model.safetensors.index.json");
  expect(&kit, AL_MODEL_CORRUPT, "is one of 5 files, but the model has 4");
}

/* A tensor's name, type and shape in the header, changed without changing the header's length. */
static void refuses_wrong_headers(void **state)
{
  (void)state;
  static const struct {
    const char *from, *to;
    enum al_code code;
    const char *words;
  } changes[] = {
    { "model.norm.weight", "model.norn.weight", AL_MODEL_CORRUPT, "model.norm.weight\" is missing" },
    { "\"model.norm.weight\":{\"dtype\":\"BF16\"", "\"model.norm.weight\":{\"dtype\":\"I16\" ", AL_UNSUPPORTED, "I16" },
    { "\"model.norm.weight\":{\"dtype\":\"BF16\"", "\"model.norm.weight\":{\"dtype\":\"F32\" ", AL_MODEL_CORRUPT,
      "model.norm.weight" },
    { "[420,32]", "[32,420]", AL_MODEL_CORRUPT, "[32, 420]" },
  };
  for (size_t i = 0; i < AL_COUNT(changes); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    kit_copy(&kit, data, "llama");
    kit_read(&kit, "model.safetensors", &file);
    char *at = memmem(file.data, file.size, changes[i].from, strlen(changes[i].from));
    assert_non_null(at);
    memcpy(at, changes[i].to, strlen(changes[i].to));
    kit_write(&kit, "model.safetensors", al_buf_view(&file));
    expect(&kit, changes[i].code, changes[i].words);
  }
}

static size_t header_bytes(const struct al_buf *file)
{
  return 8 + ((size_t)(uint8_t)file->data[0] | (size_t)(uint8_t)file->data[1] << 8);
}

static void survives_every_flipped_header_byte(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  kit_copy(&kit, data, "llama");
  kit_read(&kit, "model.safetensors", &file);
  size_t refused = 0;
  size_t n = header_bytes(&file);
  for (size_t i = 0; i < n; i++) {
    file.data[i] = (char)~file.data[i];
    kit_write(&kit, "model.safetensors", al_buf_view(&file));
    struct al_err err = {};
    enum al_code code = open_copy(&kit, &err);
    assert_true(code == AL_OK || code == AL_MODEL_CORRUPT || code == AL_UNSUPPORTED);
    if (code != AL_OK && strstr(err.message, "model.safetensors") == nullptr)
      fail_msg("byte %zu: \"%s\" does not name the file", i, err.message);
    refused += code != AL_OK;
    file.data[i] = (char)~file.data[i];
  }
  assert_true(refused > n * 9 / 10);
}

static void refuses_every_truncation(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  kit_copy(&kit, data, "llama");
  kit_read(&kit, "model.safetensors", &file);
  for (size_t size = (file.size - 1) / 64 * 64;; size -= 64) {
    kit_truncate(&kit, "model.safetensors", size);
    expect(&kit, AL_MODEL_CORRUPT, "model.safetensors");
    if (size == 0)
      break;
  }
}

/* It was whole when it was opened. */
static void notices_a_file_that_shrinks(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
  assert_int_equal(al_vgguf_open(kit.directory, "q8_0", 2, &vgguf, nullptr), AL_OK);
  kit_truncate(&kit, "model.safetensors", 20000);
  size_t size = (size_t)al_vgguf_size_bytes(vgguf);
  AL_CLEANUP(al_free_p) uint8_t *bytes = al_alloc(size);
  size_t n_read = 0;
  struct al_err err = {};
  assert_int_equal(al_vgguf_read(vgguf, 0, bytes, size, &n_read, &err), AL_MODEL_CORRUPT);
  assert_non_null(strstr(err.message, "model.safetensors, tensor"));
}

static void refuses_an_unknown_quantisation(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  struct al_vgguf *vgguf = nullptr;
  struct al_err err = {};
  assert_int_equal(al_vgguf_open(kit.directory, "q9_9", 1, &vgguf, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "quant");
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  enum al_code code = AL_OOM_RAM;
  size_t n = 0;
  for (size_t step = 1; code != AL_OK; n += step) {
    step = n < 100 ? 1 : 37;
    (void)al_alloc_fail_at(n + 1);
    struct al_err err = {};
    code = open_copy(&kit, n % 2 == 0 ? &err : nullptr);
    (void)al_alloc_fail_at(0);
    if (code != AL_OK && code != AL_OOM_RAM)
      fail_msg("allocation %zu: %s %s", n + 1, al_code_name(code), err.message);
  }
  assert_true(n > 100);
}

int main(int argc, char **argv)
{
  if (argc < 2)
    return 2;
  data = argv[1];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(opens_what_is_sound),
    cmocka_unit_test(refuses_wrong_configs),
    cmocka_unit_test(refuses_wrong_scales),
    cmocka_unit_test(refuses_fp8_without_scales),
    cmocka_unit_test(reads_no_scale_that_is_no_number),
    cmocka_unit_test(refuses_wrong_encoders),
    cmocka_unit_test(refuses_wrong_tokenizers),
    cmocka_unit_test(refuses_wrong_shards),
    cmocka_unit_test(refuses_wrong_headers),
    cmocka_unit_test(survives_every_flipped_header_byte),
    cmocka_unit_test(refuses_every_truncation),
    cmocka_unit_test(notices_a_file_that_shrinks),
    cmocka_unit_test(refuses_an_unknown_quantisation),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
