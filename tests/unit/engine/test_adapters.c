/* LoRA adapters as PEFT directories and GGUF files: what they do, and hostile ones. argv[1]: tests/data/safetensors. */
#include "base/alloc.h"
#include "engine/llama/llama_engine.h"
#include "engine/llama/runner.h"
#include "engine/safetensors/safetensors_engine.h"
#include "os/file.h"
#include "safetensors_kit.h"

#include <ggml.h>
#include <gguf.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *data;
static const struct al_text_ops *const ops = &al_llama_text_ops;
static struct al_engine_model *model; /* llama: hidden 32, 2 heads of 16, 1 for keys, feed-forward 64 */
static int n_vocab;

constexpr char CONFIG[] = "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"bias\":\"none\",\"use_dora\":false}";

struct matrix {
  const char *name;
  int rows, cols;
};
static const struct matrix sound[] = {
  { "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", 2, 32 },
  { "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", 32, 2 },
  { "base_model.model.model.layers.1.mlp.down_proj.lora_A.weight", 2, 64 },
  { "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight", 32, 2 },
};

static void write_weights(const struct kit *kit, const struct matrix *m, size_t n, float first)
{
  AL_CLEANUP(al_buf_done) struct al_buf header = {};
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  size_t offset = 0;
  al_buf_char(&header, '{');
  for (size_t i = 0; i < n; i++) {
    size_t size = (size_t)(m[i].rows * m[i].cols) * sizeof(float);
    al_buf_printf(&header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}",
                  i > 0 ? "," : "", m[i].name, m[i].rows, m[i].cols, offset, offset + size);
    offset += size;
  }
  al_buf_char(&header, '}');
  uint64_t length = header.size;
  al_buf_add(&file, &length, sizeof length);
  al_buf_add(&file, header.data, header.size);
  for (size_t i = 0; i < offset / sizeof(float); i++) {
    float value = i == 0 ? first : 0.2F * sinf((float)i);
    al_buf_add(&file, &value, sizeof value);
  }
  kit_write(kit, "adapter_model.safetensors", al_buf_view(&file));
}

static void make_kit(struct kit *kit, const char *config, const struct matrix *m, size_t n)
{
  (void)snprintf(kit->directory, sizeof kit->directory, "/tmp/allm-test-XXXXXX");
  assert_non_null(mkdtemp(kit->directory));
  kit_write(kit, "adapter_config.json", al_str(config));
  write_weights(kit, m, n, 0.1F);
}

static enum al_code load(struct kit *kit, struct al_engine_adapter **adapter, struct al_err *err)
{
  const struct al_model_descriptor descriptor = { .directory = kit->directory, .format = AL_FORMAT_SAFETENSORS };
  return ops->adapter_load(model, &descriptor, adapter, err);
}

static void expect(struct kit *kit, enum al_code code, const char *words)
{
  struct al_engine_adapter *adapter = nullptr;
  struct al_err err = {};
  enum al_code found = load(kit, &adapter, &err);
  assert_true((found == AL_OK) == (adapter != nullptr));
  if (found != code || strstr(err.message, words) == nullptr)
    fail_msg("%s \"%s\" instead of %s \"%s\"", al_code_name(found), err.message, al_code_name(code), words);
}

static void logits_of(float *out)
{
  struct al_text_item items[6];
  for (int32_t i = 0; i < 6; i++)
    items[i] = (struct al_text_item){ .token = 10 + i, .position = i, .wants_logits = i == 5 };
  assert_true(ops->sequence_remove(model, 0, 0, -1));
  assert_int_equal(ops->decode(model, items, 6, nullptr, nullptr), AL_OK);
  memcpy(out, ops->logits(model, 5), (size_t)n_vocab * sizeof *out);
}

static float difference(const float *a, const float *b)
{
  float most = 0;
  for (int i = 0; i < n_vocab; i++)
    most = fmaxf(most, fabsf(a[i] - b[i]));
  return most;
}

static void use(const struct al_adapter_use *uses, size_t n)
{
  assert_int_equal(ops->adapter_use(model, uses, n, nullptr), AL_OK);
}

static void acts_while_it_is_used(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make_kit(&kit, CONFIG, sound, AL_COUNT(sound));
  struct al_engine_adapter *one = nullptr;
  struct al_engine_adapter *two = nullptr;
  assert_int_equal(load(&kit, &one, nullptr), AL_OK);
  assert_int_equal(load(&kit, &two, nullptr), AL_OK);
  AL_CLEANUP(al_free_p) float *bare = al_calloc((size_t)n_vocab * 4, sizeof *bare);
  float *once = bare + n_vocab;
  float *twice = once + n_vocab;
  float *other = twice + n_vocab;
  logits_of(bare);
  use(&(struct al_adapter_use){ one, 2.0F }, 1);
  logits_of(once);
  use((struct al_adapter_use[]){ { one, 0.5F }, { two, 1.5F } }, 2);
  logits_of(twice);
  assert_true(difference(bare, once) > 0.05F);
  assert_true(difference(once, twice) < 1e-4F);
  ops->adapter_free(model, two); /* the other stays in effect */
  logits_of(twice);
  use(&(struct al_adapter_use){ one, 0.5F }, 1);
  logits_of(other);
  assert_true(difference(twice, other) == 0.0F);
  use(nullptr, 0);
  logits_of(other);
  assert_true(difference(bare, other) == 0.0F);
  use(&(struct al_adapter_use){ one, 1.0F }, 1);
  ops->adapter_free(model, one);
  logits_of(other);
  assert_true(difference(bare, other) == 0.0F);
}

static void senseless_uses_are_refused(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make_kit(&kit, CONFIG, sound, AL_COUNT(sound));
  struct al_engine_adapter *one = nullptr;
  assert_int_equal(load(&kit, &one, nullptr), AL_OK);
  struct al_adapter_use uses[17];
  for (size_t i = 0; i < AL_COUNT(uses); i++)
    uses[i] = (struct al_adapter_use){ one, 1.0F };
  assert_int_equal(ops->adapter_use(model, uses, 2, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(ops->adapter_use(model, uses, AL_COUNT(uses), nullptr), AL_INVALID_REQUEST);
  uses[0].scale = NAN;
  assert_int_equal(ops->adapter_use(model, uses, 1, nullptr), AL_INVALID_REQUEST);
  ops->adapter_free(model, one);
}

static void configs_that_ask_for_more_are_refused(void **)
{
  static const struct {
    const char *config;
    enum al_code code;
    const char *words;
  } cases[] = {
    { "{", AL_MODEL_CORRUPT, "adapter_config.json" },
    { "{\"peft_type\":\"IA3\"}", AL_UNSUPPORTED, "IA3" },
    { "{\"peft_type\":\"LORA\"}", AL_MODEL_CORRUPT, "lora_alpha" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1e300}", AL_MODEL_CORRUPT, "lora_alpha" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1,\"use_dora\":true}", AL_UNSUPPORTED, "DoRA" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1,\"modules_to_save\":[\"lm_head\"]}", AL_UNSUPPORTED,
      "modules_to_save" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1,\"bias\":\"all\"}", AL_UNSUPPORTED, "bias" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1,\"init_lora_weights\":\"pissa_niter_4\"}", AL_UNSUPPORTED, "pissa" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1,\"alpha_pattern\":{\"^a.*\":3}}", AL_UNSUPPORTED, "^a.*" },
    { "{\"peft_type\":\"LORA\",\"lora_alpha\":1,\"alpha_pattern\":{\"q_proj\":\"x\"}}", AL_MODEL_CORRUPT, "q_proj" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make_kit(&kit, cases[i].config, sound, AL_COUNT(sound));
    expect(&kit, cases[i].code, cases[i].words);
  }
}

static void weights_that_do_not_fit_are_refused(void **)
{
  static const struct {
    struct matrix a, b;
    enum al_code code;
    const char *words;
  } cases[] = {
    { { "model.layers.0.self_attn.q_proj.lora_A.weight", 2, 32 },
      { "model.layers.0.self_attn.q_proj.lora_C.weight", 32, 2 },
      AL_MODEL_CORRUPT,
      "lora_B.weight\" is missing" },
    { { "model.layers.0.self_attn.q_proj.lora_A.weight", 2, 32 },
      { "model.layers.0.self_attn.q_proj.lora_B.weight", 32, 3 },
      AL_MODEL_CORRUPT,
      "rank 3" },
    { { "model.layers.0.self_attn.q_proj.lora_A.weight", 2, 48 },
      { "model.layers.0.self_attn.q_proj.lora_B.weight", 32, 2 },
      AL_INVALID_REQUEST,
      "attn_q.weight" },
    { { "model.layers.0.self_attn.q_proj.lora_A.weight", 2, 32 },
      { "model.layers.0.self_attn.q_proj.lora_B.weight", 40, 2 },
      AL_INVALID_REQUEST,
      "heads have 16" },
    { { "model.layers.0.self_attn.v_proj.lora_A.weight", 2, 32 },
      { "model.layers.0.self_attn.v_proj.lora_B.weight", 32, 2 },
      AL_INVALID_REQUEST,
      "attn_v.weight" },
    { { "model.layers.7.self_attn.q_proj.lora_A.weight", 2, 32 },
      { "model.layers.7.self_attn.q_proj.lora_B.weight", 32, 2 },
      AL_INVALID_REQUEST,
      "blk.7.attn_q.weight" },
    { { "model.layers.0.self_attn.z_proj.lora_A.weight", 2, 32 },
      { "model.layers.0.self_attn.z_proj.lora_B.weight", 32, 2 },
      AL_INVALID_REQUEST,
      "z_proj" },
    { { "model.embed_tokens.lora_A.weight", 2, 420 },
      { "model.embed_tokens.lora_B.weight", 32, 2 },
      AL_UNSUPPORTED,
      "embed_tokens" },
    { { "model.layers.0.self_attn.q_proj.lora_A.weight", 2, 32 },
      { "model.layers.0.self_attn.q_proj.lora_magnitude_vector", 32, 1 },
      AL_MODEL_CORRUPT,
      "is missing" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make_kit(&kit, CONFIG, &cases[i].a, 2);
    expect(&kit, cases[i].code, cases[i].words);
  }
}

static void damaged_files_are_refused(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make_kit(&kit, CONFIG, sound, AL_COUNT(sound));
  write_weights(&kit, sound, AL_COUNT(sound), NAN);
  expect(&kit, AL_MODEL_CORRUPT, "no number");
  write_weights(&kit, sound, AL_COUNT(sound), 0.1F);
  kit_truncate(&kit, "adapter_model.safetensors", 900);
  expect(&kit, AL_MODEL_CORRUPT, "adapter_model.safetensors");
  write_weights(&kit, sound + 1, 1, 0.1F);
  expect(&kit, AL_MODEL_CORRUPT, "no tensors");
  kit_delete(&kit, "adapter_model.safetensors");
  expect(&kit, AL_MODEL_CORRUPT, "missing");
}

static void failing_allocations_are_errors(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make_kit(&kit, CONFIG, sound, AL_COUNT(sound));
  bool done = false;
  for (size_t n = 1; !done; n++) {
    struct al_engine_adapter *adapter = nullptr;
    (void)al_alloc_fail_at(n);
    struct al_err err = {};
    enum al_code code = load(&kit, &adapter, &err);
    done = al_alloc_fail_at(0) < n;
    if (code == AL_OK)
      ops->adapter_free(model, adapter);
    else if (done || code != AL_OOM_RAM)
      fail_msg("allocation %zu: %s \"%s\"", n, al_code_name(code), err.message);
  }
}

struct gguf_spec {
  const char *type, *kind, *architecture;
  float alpha;
  enum ggml_type element;
  const char *a, *b;
  int64_t in, rank, out;
};
static const struct gguf_spec sound_gguf = { .type = "adapter",
                                             .kind = "lora",
                                             .architecture = "llama",
                                             .alpha = 4.0F,
                                             .element = GGML_TYPE_F32,
                                             .a = "blk.0.ffn_down.weight.lora_a",
                                             .b = "blk.0.ffn_down.weight.lora_b",
                                             .in = 64,
                                             .rank = 2,
                                             .out = 32 };

static void write_gguf(const char *path, const struct gguf_spec *spec)
{
  struct ggml_init_params params = { .mem_size = 1 << 20 };
  struct ggml_context *context = ggml_init(params);
  struct gguf_context *gguf = gguf_init_empty();
  gguf_set_val_str(gguf, "general.architecture", spec->architecture);
  gguf_set_val_str(gguf, "general.type", spec->type);
  gguf_set_val_str(gguf, "adapter.type", spec->kind);
  if (spec->alpha != 0.0F)
    gguf_set_val_f32(gguf, "adapter.lora.alpha", spec->alpha);
  struct ggml_tensor *a = ggml_new_tensor_2d(context, spec->element, spec->in, spec->rank);
  struct ggml_tensor *b = ggml_new_tensor_2d(context, spec->element, spec->rank, spec->out);
  memset(a->data, 0, ggml_nbytes(a));
  memset(b->data, 0, ggml_nbytes(b));
  (void)ggml_set_name(a, spec->a);
  (void)ggml_set_name(b, spec->b);
  gguf_add_tensor(gguf, a);
  gguf_add_tensor(gguf, b);
  assert_true(gguf_write_to_file(gguf, path, false));
  gguf_free(gguf);
  ggml_free(context);
}

static enum al_code load_gguf(char *path, struct al_err *err)
{
  const struct al_model_descriptor descriptor = { .files = &path, .n_files = 1, .format = AL_FORMAT_GGUF };
  struct al_engine_adapter *adapter = nullptr;
  enum al_code code = ops->adapter_load(model, &descriptor, &adapter, err);
  assert_true((code == AL_OK) == (adapter != nullptr));
  ops->adapter_free(model, adapter);
  return code;
}

static void ggufs_are_checked(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make_kit(&kit, CONFIG, sound, AL_COUNT(sound));
  char path[PATH_MAX];
  assert_int_equal(al_path_join(path, sizeof path, kit.directory, "a.gguf", nullptr), AL_OK);
  write_gguf(path, &sound_gguf);
  struct al_err err = {};
  if (load_gguf(path, &err) != AL_OK)
    fail_msg("%s", err.message);
  struct {
    struct gguf_spec spec;
    enum al_code code;
    const char *words;
  } cases[] = { { sound_gguf, AL_INVALID_REQUEST, "no adapter" },
                { sound_gguf, AL_UNSUPPORTED, "control_vector" },
                { sound_gguf, AL_INVALID_REQUEST, "for another model" },
                { sound_gguf, AL_MODEL_CORRUPT, "alpha" },
                { sound_gguf, AL_UNSUPPORTED, "type I32" },
                { sound_gguf, AL_UNSUPPORTED, "low-rank" },
                { sound_gguf, AL_INVALID_REQUEST, "ffn_down" },
                { sound_gguf, AL_MODEL_CORRUPT, "alpha" },
                { sound_gguf, AL_INVALID_REQUEST, "blk.9.ffn_down.weight" } };
  cases[0].spec.type = "model";
  cases[1].spec.kind = "control_vector";
  cases[2].spec.architecture = "qwen3";
  cases[3].spec.alpha = 0.0F;
  cases[4].spec.element = GGML_TYPE_I32;
  cases[5].spec.b = "blk.0.ffn_down.weight.lora_c";
  cases[6].spec.in = 96;
  cases[7].spec.alpha = NAN;
  cases[8].spec.a = "blk.9.ffn_down.weight.lora_a";
  cases[8].spec.b = "blk.9.ffn_down.weight.lora_b";
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    write_gguf(path, &cases[i].spec);
    enum al_code code = load_gguf(path, &err);
    if (code != cases[i].code || strstr(err.message, cases[i].words) == nullptr)
      fail_msg("case %zu: %s \"%s\"", i, al_code_name(code), err.message);
  }
  write_gguf(path, &sound_gguf);
  struct al_file_info info;
  assert_int_equal(al_file_stat(path, &info, nullptr), AL_OK);
  for (size_t size = 0; size < info.size_bytes; size += 13) {
    write_gguf(path, &sound_gguf);
    kit_truncate(&kit, "a.gguf", size);
    assert_int_not_equal(load_gguf(path, nullptr), AL_OK);
  }
}

static int load_model(void **)
{
  static char path[PATH_MAX];
  assert_int_equal(al_path_join(path, sizeof path, data, "llama", nullptr), AL_OK);
  const struct al_model_descriptor descriptor = { .directory = path, .format = AL_FORMAT_SAFETENSORS };
  const struct al_load_options options = {
    .n_ctx = 64, .n_seq_max = 1, .n_threads = 1, .kv_type = AL_KV_F32, .quant = "f32"
  };
  struct al_err err = {};
  if (al_engine_safetensors.load(&descriptor, &options, nullptr, nullptr, &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  struct al_text_info info;
  ops->info(model, &info);
  n_vocab = info.n_vocab;
  return 0;
}

static int unload_model(void **)
{
  al_engine_safetensors.unload(model);
  return 0;
}

int main(int argc, char **argv)
{
  assert_true(argc == 2);
  data = argv[1];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(acts_while_it_is_used),
    cmocka_unit_test(senseless_uses_are_refused),
    cmocka_unit_test(configs_that_ask_for_more_are_refused),
    cmocka_unit_test(weights_that_do_not_fit_are_refused),
    cmocka_unit_test(damaged_files_are_refused),
    cmocka_unit_test(failing_allocations_are_errors),
    cmocka_unit_test(ggufs_are_checked),
  };
  return cmocka_run_group_tests_name("engine/adapters", tests, load_model, unload_model);
}
