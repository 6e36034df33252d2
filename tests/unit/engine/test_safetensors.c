/* The SafetensorsEngine on small real models, against what transformers computed with them (tests/data/safetensors). */
#include "base/alloc.h"
#include "codec/json.h"
#include "engine/llama/llama_engine.h"
#include "engine/safetensors/export.h"
#include "engine/safetensors/safetensors_engine.h"
#include "engine/safetensors/vgguf.h"
#include "safetensors_kit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *data; /* tests/data/safetensors */

struct loaded {
  const struct al_engine *engine;
  struct al_engine_model *model;
};

static void unload(struct loaded *loaded)
{
  if (loaded->engine != nullptr)
    loaded->engine->unload(loaded->model);
}

static struct al_load_options options_of(const char *quant)
{
  struct al_load_options options = { .n_ctx = 256, .n_seq_max = 1, .n_threads = 2, .kv_type = AL_KV_F32 };
  (void)snprintf(options.quant, sizeof options.quant, "%s", quant);
  return options;
}

static void load_directory(struct loaded *loaded, char *directory, const char *quant)
{
  const struct al_model_descriptor descriptor = { .directory = directory, .format = AL_FORMAT_SAFETENSORS };
  const struct al_load_options options = options_of(quant);
  struct al_err err = {};
  loaded->engine = &al_engine_safetensors;
  if (loaded->engine->load(&descriptor, &options, nullptr, nullptr, &loaded->model, &err) != AL_OK)
    fail_msg("%s", err.message);
}

static void load_gguf(struct loaded *loaded, char *path)
{
  const struct al_model_descriptor descriptor = { .files = &path, .n_files = 1, .format = AL_FORMAT_GGUF };
  const struct al_load_options options = options_of("");
  struct al_err err = {};
  loaded->engine = &al_engine_llama;
  if (loaded->engine->load(&descriptor, &options, nullptr, nullptr, &loaded->model, &err) != AL_OK)
    fail_msg("%s", err.message);
}

static int32_t step(const struct loaded *l, const int32_t *tokens, int32_t n, int32_t position, float *first_logits)
{
  struct al_text_item items[64];
  struct al_text_info info;
  l->engine->text->info(l->model, &info);
  for (int32_t i = 0; i < n; i++)
    items[i] = (struct al_text_item){ .token = tokens[i], .position = position + i, .wants_logits = i == n - 1 };
  assert_int_equal(l->engine->text->decode(l->model, items, (size_t)n, nullptr, nullptr), AL_OK);
  const float *logits = l->engine->text->logits(l->model, (size_t)n - 1);
  if (first_logits != nullptr)
    memcpy(first_logits, logits, 8 * sizeof *logits);
  int32_t best = 0;
  for (int32_t i = 1; i < info.n_vocab; i++)
    if (logits[i] > logits[best])
      best = i;
  return best;
}

static struct al_json_doc *expected(void)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct kit kit;
  (void)snprintf(kit.directory, sizeof kit.directory, "%s", data);
  kit_read(&kit, "expected.json", &text);
  struct al_json_doc *doc = nullptr;
  assert_int_equal(al_json_parse(al_buf_view(&text), &doc, nullptr), AL_OK);
  return doc;
}

static void check_against_transformers(const struct loaded *l, const char *name)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = expected();
  const struct al_json *want = al_json_get(al_json_root(doc), name);
  int32_t tokens[64];
  int32_t n = 0;
  struct al_json_iter it = al_json_iter(al_json_get(want, "prompt"));
  while (al_json_next(&it))
    tokens[n++] = (int32_t)al_json_int(it.value, -1);
  float logits[8];
  int32_t next = step(l, tokens, n, 0, logits);
  for (size_t i = 0; i < AL_COUNT(logits); i++) {
    double wanted = al_json_real(al_json_at(al_json_get(want, "logits"), i), NAN);
    assert_true(fabs((double)logits[i] - wanted) < 1e-4);
  }
  it = al_json_iter(al_json_get(want, "greedy"));
  while (al_json_next(&it)) {
    assert_int_equal(next, al_json_int(it.value, -1));
    next = step(l, &next, 1, n++, nullptr);
  }
}

static void computes_what_transformers_computes(void **state)
{
  (void)state;
  static const char *const cases[][2] = { { "qwen3-shards", "" },      { "llama", "f32" },
                                          { "mistral-window", "f32" }, { "nemotron-latent", "f32" },
                                          { "gpt-oss-mxfp4", "f32" },  { "fp8", "f32" } };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    AL_CLEANUP(unload) struct loaded loaded = {};
    kit_copy(&kit, data, cases[i][0]);
    load_directory(&loaded, kit.directory, cases[i][1]);
    check_against_transformers(&loaded, cases[i][0]);
  }
}

/* The files may go once the model is loaded. */
static void needs_no_file_after_loading(void **state)
{
  (void)state;
  AL_CLEANUP(unload) struct loaded loaded = {};
  struct kit kit;
  kit_copy(&kit, data, "qwen3-shards");
  load_directory(&loaded, kit.directory, "");
  kit_remove(&kit);
  check_against_transformers(&loaded, "qwen3-shards");
}

static void quantises_at_load(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  static const char *const types[] = { "bf16", "q8_0", "q4_0", "q4_k" }; /* rows of 32: Q4_K falls back to Q8_0 */
  float exact[8];
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    AL_CLEANUP(unload) struct loaded loaded = {};
    load_directory(&loaded, kit.directory, types[i]);
    float logits[8];
    const int32_t tokens[] = { 5, 260, 17 };
    (void)step(&loaded, tokens, 3, 0, logits);
    if (i == 0)
      memcpy(exact, logits, sizeof exact);
    for (size_t k = 0; k < AL_COUNT(logits); k++)
      assert_true(fabsf(logits[k] - exact[k]) < 1.0F);
    assert_true(i == 0 || memcmp(exact, logits, sizeof exact) != 0);
  }
}

static void tells_what_the_files_tell(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  AL_CLEANUP(unload) struct loaded loaded = {};
  kit_copy(&kit, data, "llama");
  kit_write(&kit, "generation_config.json",
            al_str("{\"temperature\":0.25,\"top_p\":0.5,\"top_k\":7,\"eos_token_id\":[2,300,301,302,303]}"));
  load_directory(&loaded, kit.directory, "");
  struct al_text_info info;
  loaded.engine->text->info(loaded.model, &info);
  assert_int_equal(info.n_vocab, 420);
  assert_int_equal(info.n_ctx_train, 512);
  assert_true(info.add_bos);
  assert_string_equal(info.bos_text, "<s>");
  assert_string_equal(info.eos_text, "</s>");
  assert_non_null(strstr(info.chat_template, "<|im_start|>"));
  assert_true(info.temperature == 0.25F && info.top_p == 0.5F && info.top_k == 7);
  static const int32_t ends[] = { 2, 300, 301, 302, 303 };
  for (size_t i = 0; i < AL_COUNT(ends); i++)
    assert_true(loaded.engine->text->ends_generation(loaded.model, ends[i]));
  assert_false(loaded.engine->text->ends_generation(loaded.model, 304));
}

/* chat_template.jinja goes first; tokenizer_config.json has one template, or several by name. */
static void finds_the_chat_template(void **state)
{
  (void)state;
  static const struct {
    const char *config, *template;
  } cases[] = {
    { "{\"chat_template\":\"one {{ x }}\"}", "one {{ x }}" },
    { "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"a\"},{\"name\":\"default\",\"template\":\"b\"}]}",
      "b" },
    { "{}", nullptr },
  };
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "qwen3-shards");
  kit_delete(&kit, "chat_template.jinja");
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(unload) struct loaded loaded = {};
    kit_write(&kit, "tokenizer_config.json", al_str(cases[i].config));
    load_directory(&loaded, kit.directory, "");
    struct al_text_info info;
    loaded.engine->text->info(loaded.model, &info);
    assert_true(al_streq(info.chat_template, cases[i].template));
  }
}

static int32_t count_tokens(const struct loaded *l, const char *text, int32_t *tokens)
{
  size_t n = 0;
  assert_int_equal(l->engine->text->tokenize(l->model, al_str(text), AL_TOKENIZE_SPECIAL, tokens, 64, &n, nullptr),
                   AL_OK);
  return (int32_t)n;
}

/* Composed and decomposed letters are the same text to a model that asks for form C. */
static void normalises_text(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  AL_CLEANUP(unload) struct loaded loaded = {};
  kit_copy(&kit, data, "qwen3-shards");
  load_directory(&loaded, kit.directory, "");
  int32_t composed[64];
  int32_t decomposed[64];
  int32_t n = count_tokens(&loaded, "caf\xc3\xa9<|im_end|>", composed);
  assert_int_equal(count_tokens(&loaded, "cafe\xcc\x81<|im_end|>", decomposed), n);
  assert_memory_equal(composed, decomposed, (size_t)n * sizeof composed[0]);
  /* A mark behind a special token does not eat its last sign. */
  (void)count_tokens(&loaded, "<|im_end|>\xcc\xb8", decomposed);
  assert_int_equal(decomposed[0], composed[n - 1]);
  assert_true(count_tokens(&loaded, "\xff\xfe", decomposed) > 0);
}

static void its_gguf_twin_is_the_same(void **state)
{
  (void)state;
  static const char *const models[] = { "qwen3-shards", "llama", "gpt-oss-mxfp4" };
  for (size_t i = 0; i < AL_COUNT(models); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    AL_CLEANUP(unload) struct loaded direct = {};
    AL_CLEANUP(unload) struct loaded twin = {};
    kit_copy(&kit, data, models[i]);
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%.4000s/twin.gguf", kit.directory);
    const struct al_model_descriptor descriptor = { .directory = kit.directory, .format = AL_FORMAT_SAFETENSORS };
    const struct al_load_options options = options_of("");
    assert_int_equal(al_safetensors_export(&descriptor, &options, path, nullptr, nullptr, nullptr), AL_OK);
    load_directory(&direct, kit.directory, "");
    load_gguf(&twin, path);
    const int32_t tokens[] = { 5, 260, 17, 33 };
    float a[8];
    float b[8];
    (void)step(&direct, tokens, 4, 0, a);
    (void)step(&twin, tokens, 4, 0, b);
    assert_memory_equal(a, b, sizeof a);
    int32_t ids[2][64];
    size_t n[2] = {};
    const struct al_str text = al_str("cafe\xcc\x81 <s>two  words\n</think>"); /* needs NFC in one of them */
    const struct loaded *both[2] = { &direct, &twin };
    for (size_t k = 0; k < 2; k++)
      assert_int_equal(both[k]->engine->text->tokenize(both[k]->model, text, AL_TOKENIZE_SPECIAL | AL_TOKENIZE_BOS,
                                                       ids[k], 64, &n[k], nullptr),
                       AL_OK);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(ids[0], ids[1], n[0] * sizeof ids[0][0]);
  }
}

/* Whatever range is read, with whatever number of threads, the bytes are the same. */
static void reads_any_range_alike(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  static const char *const types[] = { "", "f32", "q8_0" };
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
    assert_int_equal(al_vgguf_open(kit.directory, types[i], 3, &vgguf, nullptr), AL_OK);
    size_t size = (size_t)al_vgguf_size_bytes(vgguf);
    AL_CLEANUP(al_free_p) uint8_t *whole = al_alloc(size);
    size_t n_read = 0;
    assert_int_equal(al_vgguf_read(vgguf, 0, whole, size + 1000, &n_read, nullptr), AL_OK);
    assert_int_equal(n_read, size);
    uint32_t random = 1;
    for (int round = 0; round < 500; round++) {
      random = random * 1664525 + 1013904223;
      size_t from = random % size;
      random = random * 1664525 + 1013904223;
      size_t n = al_min_size(random % 5000, size - from);
      AL_CLEANUP(al_free_p) uint8_t *part = al_alloc(n);
      assert_int_equal(al_vgguf_read(vgguf, from, part, n, &n_read, nullptr), AL_OK);
      assert_int_equal(n_read, n);
      assert_memory_equal(part, whole + from, n);
    }
  }
}

static bool refuse(void *user, float fraction)
{
  (void)fraction;
  ++*(int *)user;
  return false;
}

static void stops_when_told(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "qwen3-shards");
  const struct al_model_descriptor descriptor = { .directory = kit.directory, .format = AL_FORMAT_SAFETENSORS };
  const struct al_load_options options = options_of("");
  struct al_engine_model *model = nullptr;
  int asked = 0;
  assert_int_equal(al_engine_safetensors.load(&descriptor, &options, refuse, &asked, &model, nullptr), AL_CANCELLED);
  assert_null(model);
  assert_true(asked > 0);
  char path[PATH_MAX];
  (void)snprintf(path, sizeof path, "%.4000s/out.gguf", kit.directory);
  assert_int_equal(al_safetensors_export(&descriptor, &options, path, refuse, &asked, nullptr), AL_CANCELLED);
  FILE *file = fopen(path, "rbe");
  assert_null(file);
}

static void supports_its_families_alone(void **state)
{
  (void)state;
  char known[] = "Qwen3ForCausalLM";
  char unknown[] = "T5Model";
  struct al_model_descriptor descriptor = { .architecture = known };
  struct al_err err = {};
  assert_int_equal(al_engine_safetensors.supports(&descriptor, &err), AL_OK);
  char read[] = "F8_E4M3";
  char packed[] = "GPTQ";
  char integers[] = "COMPRESSED-TENSORS";
  descriptor.quantisation = read;
  assert_int_equal(al_engine_safetensors.supports(&descriptor, &err), AL_OK);
  descriptor.quantisation = packed;
  assert_int_equal(al_engine_safetensors.supports(&descriptor, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "GPTQ"));
  descriptor.quantisation = integers;
  assert_int_equal(al_engine_safetensors.supports(&descriptor, &err), AL_UNSUPPORTED);
  descriptor.quantisation = nullptr;
  descriptor.architecture = unknown;
  assert_int_equal(al_engine_safetensors.supports(&descriptor, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "T5Model"));
}

int main(int argc, char **argv)
{
  if (argc < 2)
    return 2;
  data = argv[1];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(computes_what_transformers_computes),
    cmocka_unit_test(needs_no_file_after_loading),
    cmocka_unit_test(quantises_at_load),
    cmocka_unit_test(tells_what_the_files_tell),
    cmocka_unit_test(finds_the_chat_template),
    cmocka_unit_test(normalises_text),
    cmocka_unit_test(its_gguf_twin_is_the_same),
    cmocka_unit_test(reads_any_range_alike),
    cmocka_unit_test(stops_when_told),
    cmocka_unit_test(supports_its_families_alone),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
