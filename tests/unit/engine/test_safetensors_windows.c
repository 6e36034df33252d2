/* Nemotron-H, Gemma, Phi and Mistral, on tensors made by hand: what is added, turned round and taken apart is where
 * libllama looks for it, and settings that it would not keep to are refused by name. */
#include "base/alloc.h"
#include "engine/safetensors/safetensors_engine.h"
#include "safetensors_maker.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

constexpr int64_t VOCAB = 420;
constexpr int64_t EMBD = 64;
constexpr int64_t FF = 96;
constexpr int64_t HEAD = 16;
constexpr int64_t Q = 64; /* 4 heads */
constexpr int64_t KV = 32;
constexpr int64_t INNER = 32; /* Mamba: 4 heads of 8, 2 groups, state of 4 */
constexpr int64_t CONV = 48;
constexpr int64_t KERNEL = 4;
constexpr int64_t SSM_HEADS = 4;

static const char *data; /* tests/data/safetensors */

struct tensor {
  const char *name;
  int64_t rows, cols;
};

struct model {
  const char *settings; /* of config.json, besides sizes */
  const char *root, *embeddings, *norm;
  const struct tensor *layers[3]; /* each ends with a nameless one */
  bool has_head;
};

static void write_config(const struct kit *kit, const char *settings)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_printf(
      &text,
      "{\"hidden_size\":%lld,\"intermediate_size\":%lld,\"num_attention_heads\":4,\"head_dim\":%lld,"
      "\"num_key_value_heads\":2,\"max_position_embeddings\":512,\"rms_norm_eps\":1e-6,\"vocab_size\":%lld,%s}",
      (long long)EMBD, (long long)FF, (long long)HEAD, (long long)VOCAB, settings);
  kit_write(kit, "config.json", al_buf_view(&text));
}

static void make(struct kit *kit, const struct model *model, struct fault fault)
{
  AL_CLEANUP(maker_done) struct maker m;
  char name[128];
  maker_begin(&m, kit, data);
  m.fault = fault;
  write_config(kit, model->settings);
  (void)snprintf(name, sizeof name, "%s.%s", model->root, model->embeddings);
  make_weight(&m, name, VOCAB, EMBD);
  (void)snprintf(name, sizeof name, "%s.%s", model->root, model->norm);
  make_weight(&m, name, EMBD, 0);
  if (model->has_head)
    make_weight(&m, "lm_head.weight", VOCAB, EMBD);
  for (int layer = 0; layer < 3 && model->layers[layer] != nullptr; layer++)
    for (const struct tensor *t = model->layers[layer]; t->name != nullptr; t++) {
      (void)snprintf(name, sizeof name, "%s.layers.%d.%s", model->root, layer, t->name);
      if (al_streq(t->name, "mixer.conv1d.weight"))
        make_tensor(&m, name, m.dtype, (const int64_t[4]){ t->rows, 1, t->cols });
      else
        make_weight(&m, name, t->rows, t->cols);
    }
  maker_write(&m, kit);
}

static struct al_vgguf *open_sound(const struct kit *kit)
{
  struct al_vgguf *vgguf = nullptr;
  struct al_err err = {};
  if (al_vgguf_open(kit->directory, "", 1, &vgguf, &err) != AL_OK)
    fail_msg("%s", err.message);
  return vgguf;
}

static void expect(const struct kit *kit, enum al_code code, const char *words)
{
  struct al_vgguf *vgguf = nullptr;
  struct al_err err = {};
  enum al_code found = al_vgguf_open(kit->directory, "", 1, &vgguf, &err);
  if (found != code || strstr(err.message, words) == nullptr)
    fail_msg("%s \"%s\" instead of %s \"%s\"", al_code_name(found), err.message, al_code_name(code), words);
  assert_null(vgguf);
}

struct change {
  const char *from, *to;
  enum al_code code;
  const char *words;
};

static void check_changes(const struct model *model, const struct change *changes, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make(&kit, model, (struct fault){});
    kit_replace(&kit, "config.json", changes[i].from, changes[i].to);
    expect(&kit, changes[i].code, changes[i].words);
  }
}

/* Each tensor but the optional ones is asked for by its name. */
static void check_missing(const struct model *model, int layer)
{
  for (const struct tensor *t = model->layers[layer]; t->name != nullptr; t++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    char name[128];
    char words[160];
    (void)snprintf(name, sizeof name, "%s.layers.%d.%s", model->root, layer, t->name);
    (void)snprintf(words, sizeof words, "\"%s\" is missing", name);
    make(&kit, model, (struct fault){ .tensor = name });
    expect(&kit, AL_MODEL_CORRUPT, words);
  }
}

static void same(float a, float b)
{
  if (fabsf(a - b) > 1e-6F * fmaxf(1.0F, fabsf(b)))
    fail_msg("%f instead of %f", (double)a, (double)b);
}

/* --- Nemotron-H --------------------------------------------------------------------------------------------------- */

static const struct tensor mamba[] = {
  { "norm.weight", EMBD, 0 },
  { "mixer.in_proj.weight", 2 * INNER + 2 * 2 * 4 + SSM_HEADS, EMBD },
  { "mixer.conv1d.weight", CONV, KERNEL },
  { "mixer.conv1d.bias", CONV, 0 },
  { "mixer.dt_bias", SSM_HEADS, 0 },
  { "mixer.A_log", SSM_HEADS, 0 },
  { "mixer.D", SSM_HEADS, 0 },
  { "mixer.norm.weight", INNER, 0 },
  { "mixer.out_proj.weight", EMBD, INNER },
  {},
};
static const struct tensor attention[] = {
  { "norm.weight", EMBD, 0 },          { "mixer.q_proj.weight", Q, EMBD }, { "mixer.k_proj.weight", KV, EMBD },
  { "mixer.v_proj.weight", KV, EMBD }, { "mixer.o_proj.weight", EMBD, Q }, {},
};
static const struct tensor dense[] = {
  { "norm.weight", EMBD, 0 },
  { "mixer.up_proj.weight", FF, EMBD },
  { "mixer.down_proj.weight", EMBD, FF },
  {},
};
#define NEMOTRON                                                                                                       \
  "\"architectures\":[\"NemotronHForCausalLM\"],\"layer_norm_epsilon\":1e-5,\"mamba_num_heads\":4,"                    \
  "\"mamba_head_dim\":8,\"n_groups\":2,\"ssm_state_size\":4,\"conv_kernel\":4,\"mlp_hidden_act\":\"relu2\","
static const struct model nemotron = {
  .settings = NEMOTRON "\"layers_block_type\":[\"mamba\",\"attention\",\"mlp\"],"
                       "\"time_step_limit\":[0.0,{\"__float__\":\"Infinity\"}]",
  .root = "backbone",
  .embeddings = "embeddings.weight",
  .norm = "norm_f.weight",
  .layers = { mamba, attention, dense },
  .has_head = true,
};

static void nemotron_has_its_elements_in_their_place(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &nemotron, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_sound(&kit);
  AL_CLEANUP(al_free_p) float *a = read_values(vgguf, "blk.0.ssm_a", SSM_HEADS);
  AL_CLEANUP(al_free_p) float *d = read_values(vgguf, "blk.0.ssm_d", SSM_HEADS);
  for (int64_t i = 0; i < SSM_HEADS; i++) {
    same(a[i], -expf(value_at("backbone.layers.0.mixer.A_log", i)));
    same(d[i], value_at("backbone.layers.0.mixer.D", i));
  }
  AL_CLEANUP(al_free_p) float *conv = read_values(vgguf, "blk.0.ssm_conv1d.weight", CONV * KERNEL);
  for (int64_t i = 0; i < CONV * KERNEL; i++)
    same(conv[i], value_at("backbone.layers.0.mixer.conv1d.weight", i));
  AL_CLEANUP(al_free_p) float *norm = read_values(vgguf, "blk.0.ssm_norm.weight", INNER);
  for (int64_t i = 0; i < INNER; i++)
    same(norm[i], value_at("backbone.layers.0.mixer.norm.weight", i));
}

static void nemotron_tells_the_kind_of_each_layer(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &nemotron, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_sound(&kit);
  const struct gguf_context *gguf = al_vgguf_metadata(vgguf);
  static const struct {
    const char *key;
    int32_t values[3];
  } arrays[] = { { "nemotron_h.attention.head_count_kv", { 0, 2, 0 } },
                 { "nemotron_h.feed_forward_length", { 0, 0, FF } } };
  for (size_t i = 0; i < AL_COUNT(arrays); i++) {
    int64_t id = gguf_find_key(gguf, arrays[i].key);
    assert_true(id >= 0 && gguf_get_arr_n(gguf, id) == 3);
    assert_memory_equal(gguf_get_arr_data(gguf, id), arrays[i].values, sizeof arrays[i].values);
  }
}

/* Python's Infinity is no JSON; the pattern may be a string; layers may be counted. */
static void nemotron_may_be_spelt_as_at_first(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &nemotron, (struct fault){});
  write_config(&kit, NEMOTRON "\"hybrid_override_pattern\":\"M*-\",\"num_hidden_layers\":3,"
                              "\"time_step_limit\":[0.0, Infinity],\"note\":\"\\\"Infinity\"");
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_sound(&kit);
  assert_true(gguf_find_tensor(al_vgguf_metadata(vgguf), "blk.2.ffn_up.weight") >= 0);
}

static void nemotron_refuses_what_it_cannot_be(void **)
{
  static const struct change changes[] = {
    { "\"mlp\"]", "\"mpl\"]", AL_MODEL_CORRUPT, "layer 2 is of the kind \"mpl\"" },
    { "\"mlp\"]", "7]", AL_MODEL_CORRUPT, "layer 2" },
    { ",\"mlp\"]", "]", AL_UNSUPPORTED, "backbone.layers.2." },
    { "\"mlp\"]", "\"mlp\",\"mamba\"]", AL_MODEL_CORRUPT, "backbone.layers.3.norm.weight\" is missing" },
    { "\"mlp\"]", "\"mlp\"],\"num_hidden_layers\":4", AL_MODEL_CORRUPT,
      "3 layers are named, but num_hidden_layers is 4" },
    { "\"layers_block_type\"", "\"x\"", AL_MODEL_CORRUPT, "hybrid_override_pattern" },
    { "[\"mamba\",\"attention\",\"mlp\"]", "\"M*-\",\"hybrid_override_pattern\":\"M*x\"", AL_MODEL_CORRUPT, "\"x\"" },
    { "\"mlp\"]", "\"moe\"]", AL_MODEL_CORRUPT, "n_routed_experts" },
    { "[\"mamba\"", "[\"moe\"", AL_UNSUPPORTED, "\"mlp\" and \"moe\"" },
    { "\"n_groups\":2", "\"n_groups\":3", AL_MODEL_CORRUPT, "n_groups 3" },
    { "\"n_groups\":2", "\"n_groups\":0", AL_MODEL_CORRUPT, "n_groups" },
    { "\"n_groups\":2", "\"n_groups\":1", AL_MODEL_CORRUPT, "in_proj" },
    { "\"mamba_head_dim\":8", "\"x\":8", AL_MODEL_CORRUPT, "mamba_head_dim is missing" },
    { "\"conv_kernel\":4", "\"conv_kernel\":5", AL_MODEL_CORRUPT, "conv1d.weight" },
    { "\"relu2\"", "\"silu\"", AL_UNSUPPORTED, "mlp_hidden_act" },
    { "{\"__float__\":\"Infinity\"}", "0.5", AL_UNSUPPORTED, "time_step_limit" },
    { "\"layer_norm_epsilon\":1e-5", "\"layer_norm_epsilon\":{}", AL_MODEL_CORRUPT, "layer_norm_epsilon" },
  };
  check_changes(&nemotron, changes, AL_COUNT(changes));
  for (int layer = 0; layer < 3; layer++)
    check_missing(&nemotron, layer);
}

static void nemotron_needs_its_outer_tensors(void **)
{
  static const struct {
    const char *tensor, *words;
  } cases[] = { { "backbone.embeddings.weight", "\"backbone.embeddings.weight\" is missing" },
                { "backbone.norm_f.weight", "\"backbone.norm_f.weight\" is missing" } };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make(&kit, &nemotron, (struct fault){ .tensor = cases[i].tensor });
    expect(&kit, AL_MODEL_CORRUPT, cases[i].words);
  }
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &nemotron, (struct fault){ .tensor = "backbone.layers.0.mixer.in_proj.weight", .swap = true });
  expect(&kit, AL_MODEL_CORRUPT, "has the shape [64, 84]");
}

/* --- Gemma -------------------------------------------------------------------------------------------------------- */

static const struct tensor gemma_layer[] = {
  { "input_layernorm.weight", EMBD, 0 },
  { "self_attn.q_proj.weight", Q, EMBD },
  { "self_attn.k_proj.weight", KV, EMBD },
  { "self_attn.v_proj.weight", KV, EMBD },
  { "self_attn.o_proj.weight", EMBD, Q },
  { "post_attention_layernorm.weight", EMBD, 0 },
  { "pre_feedforward_layernorm.weight", EMBD, 0 },
  { "mlp.gate_proj.weight", FF, EMBD },
  { "mlp.up_proj.weight", FF, EMBD },
  { "mlp.down_proj.weight", EMBD, FF },
  { "post_feedforward_layernorm.weight", EMBD, 0 },
  {},
};
static const struct model gemma2 = {
  .settings = "\"architectures\":[\"Gemma2ForCausalLM\"],\"num_hidden_layers\":2,\"sliding_window\":24,"
              "\"query_pre_attn_scalar\":16,\"hidden_activation\":\"gelu_pytorch_tanh\","
              "\"attn_logit_softcapping\":50.0,\"final_logit_softcapping\":30.0,"
              "\"layer_types\":[\"sliding_attention\",\"full_attention\"]",
  .root = "model",
  .embeddings = "embed_tokens.weight",
  .norm = "norm.weight",
  .layers = { gemma_layer, gemma_layer },
};

static void gemma_norms_have_one_more(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &gemma2, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_sound(&kit);
  static const char *const norms[][2] = {
    { "output_norm.weight", "model.norm.weight" },
    { "blk.1.attn_norm.weight", "model.layers.1.input_layernorm.weight" },
    { "blk.1.post_attention_norm.weight", "model.layers.1.post_attention_layernorm.weight" },
    { "blk.1.ffn_norm.weight", "model.layers.1.pre_feedforward_layernorm.weight" },
    { "blk.1.post_ffw_norm.weight", "model.layers.1.post_feedforward_layernorm.weight" },
  };
  for (size_t i = 0; i < AL_COUNT(norms); i++) {
    AL_CLEANUP(al_free_p) float *values = read_values(vgguf, norms[i][0], EMBD);
    for (int64_t k = 0; k < EMBD; k++)
      same(values[k], value_at(norms[i][1], k) + 1.0F);
  }
  AL_CLEANUP(al_free_p) float *q = read_values(vgguf, "blk.0.attn_q.weight", Q * EMBD);
  same(q[EMBD + 3], value_at("model.layers.0.self_attn.q_proj.weight", EMBD + 3));
  assert_true(gguf_find_key(al_vgguf_metadata(vgguf), "gemma2.attention.sliding_window_pattern") >= 0);
}

static void gemma_refuses_what_it_cannot_be(void **)
{
  static const struct change changes[] = {
    { ",\"full_attention\"]", "]", AL_MODEL_CORRUPT, "layer_types names 1 layers, the model has 2" },
    { "\"full_attention\"]", "\"half_attention\"]", AL_UNSUPPORTED, "half_attention" },
    { "\"full_attention\"]", "null]", AL_UNSUPPORTED, "layer_types" },
    { "[\"sliding_attention\",\"full_attention\"]", "[\"full_attention\",\"sliding_attention\"]", AL_UNSUPPORTED,
      "fixed turn" },
    { "\"query_pre_attn_scalar\":16", "\"query_pre_attn_scalar\":17", AL_UNSUPPORTED, "query_pre_attn_scalar 17" },
    { "\"attn_logit_softcapping\":50.0", "\"attn_logit_softcapping\":null", AL_UNSUPPORTED, "attn_logit_softcapping" },
    { "\"final_logit_softcapping\":30.0", "\"final_logit_softcapping\":-1", AL_UNSUPPORTED, "final_logit_softcapping" },
    { "\"gelu_pytorch_tanh\"", "\"gelu\"", AL_UNSUPPORTED, "hidden_activation \"gelu\"" },
    { "\"sliding_window\":24", "\"sliding_window\":null", AL_UNSUPPORTED, "sliding_window" },
    { "\"sliding_window\":24", "\"sliding_window\":24,\"tie_word_embeddings\":false", AL_UNSUPPORTED,
      "tie_word_embeddings" },
    { "\"sliding_window\":24", "\"sliding_window\":24,\"use_bidirectional_attention\":true", AL_UNSUPPORTED,
      "use_bidirectional_attention" },
  };
  check_changes(&gemma2, changes, AL_COUNT(changes));
  check_missing(&gemma2, 0);
}

/* --- Phi ---------------------------------------------------------------------------------------------------------- */

static const struct tensor phi_layer[] = {
  { "input_layernorm.weight", EMBD, 0 },
  { "self_attn.qkv_proj.weight", Q + 2 * KV, EMBD },
  { "self_attn.o_proj.weight", EMBD, Q },
  { "post_attention_layernorm.weight", EMBD, 0 },
  { "mlp.gate_up_proj.weight", 2 * FF, EMBD },
  { "mlp.down_proj.weight", EMBD, FF },
  {},
};
#define FACTORS "[1.0,1.1,1.2,1.3,1.4,1.5,1.6,1.7]"
static const struct model phi3 = {
  .settings =
      "\"architectures\":[\"Phi3ForCausalLM\"],\"num_hidden_layers\":1,\"sliding_window\":24,"
      "\"original_max_position_embeddings\":128,\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":" FACTORS
      ",\"long_factor\":[2,2,3,3,4,4,5,5]}",
  .root = "model",
  .embeddings = "embed_tokens.weight",
  .norm = "norm.weight",
  .layers = { phi_layer },
  .has_head = true,
};

/* Row `row` of a matrix whose rows are put in pairs: 2j+p of a head is p*half+j of the file's. */
static int64_t unpaired(int64_t row)
{
  int64_t within = row % HEAD;
  return row - within + within % 2 * (HEAD / 2) + within / 2;
}

static void check_rows(const struct al_vgguf *vgguf, const char *name, const char *source, int64_t n_rows,
                       int64_t first, bool paired)
{
  AL_CLEANUP(al_free_p) float *values = read_values(vgguf, name, n_rows * EMBD);
  for (int64_t row = 0; row < n_rows; row++)
    for (int64_t i = 0; i < EMBD; i++)
      same(values[row * EMBD + i], value_at(source, (first + (paired ? unpaired(row) : row)) * EMBD + i));
}

static void a_windowed_phi_is_taken_apart(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &phi3, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_sound(&kit);
  const char *qkv = "model.layers.0.self_attn.qkv_proj.weight";
  check_rows(vgguf, "blk.0.attn_q.weight", qkv, Q, 0, true);
  check_rows(vgguf, "blk.0.attn_k.weight", qkv, KV, Q, true);
  check_rows(vgguf, "blk.0.attn_v.weight", qkv, KV, Q + KV, false);
  check_rows(vgguf, "blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_up_proj.weight", FF, 0, false);
  check_rows(vgguf, "blk.0.ffn_up.weight", "model.layers.0.mlp.gate_up_proj.weight", FF, FF, false);
  AL_CLEANUP(al_free_p) float *sinks = read_values(vgguf, "blk.0.attn_sinks.weight", 4);
  for (int i = 0; i < 4; i++)
    assert_true(expf(sinks[i]) == 0.0F);
  AL_CLEANUP(al_free_p) float *factors = read_values(vgguf, "rope_factors_long.weight", HEAD / 2);
  assert_true(factors[0] == 2.0F && factors[7] == 5.0F);
}

static void a_phi_whose_window_is_all_stays_whole(void **)
{
  AL_CLEANUP(kit_remove) struct kit kit;
  make(&kit, &phi3, (struct fault){});
  kit_replace(&kit, "config.json", "\"sliding_window\":24", "\"sliding_window\":512");
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_sound(&kit);
  check_rows(vgguf, "blk.0.attn_qkv.weight", "model.layers.0.self_attn.qkv_proj.weight", Q + 2 * KV, 0, false);
  check_rows(vgguf, "blk.0.ffn_up.weight", "model.layers.0.mlp.gate_up_proj.weight", 2 * FF, 0, false);
}

static void phi_refuses_what_it_cannot_be(void **)
{
  static const struct change changes[] = {
    { "[2,2,3,3,4,4,5,5]", "[2,2,3,3,4,4,5]", AL_MODEL_CORRUPT, "8 short and long factors" },
    { "[2,2,3,3,4,4,5,5]", "[2,2,3,3,4,4,5,0]", AL_MODEL_CORRUPT, "above 0" },
    { "[2,2,3,3,4,4,5,5]", "7", AL_MODEL_CORRUPT, "factors" },
    { FACTORS, "null", AL_MODEL_CORRUPT, "factors" },
    { "\"longrope\"", "\"dynamic\"", AL_UNSUPPORTED, "dynamic" },
    { "\"sliding_window\":24", "\"sliding_window\":24,\"partial_rotary_factor\":0.5", AL_UNSUPPORTED,
      "partial_rotary_factor with a sliding_window" },
    { "\"sliding_window\":24", "\"partial_rotary_factor\":1.5", AL_MODEL_CORRUPT, "partial_rotary_factor" },
    { "\"sliding_window\":24", "\"sliding_window\":24,\"hidden_act\":\"gelu\"", AL_UNSUPPORTED, "gelu" },
    { "\"head_dim\":16", "\"head_dim\":32", AL_UNSUPPORTED, "head_dim 32" },
    { "\"intermediate_size\":96", "\"intermediate_size\":97", AL_MODEL_CORRUPT, "[194, 64]" },
  };
  check_changes(&phi3, changes, AL_COUNT(changes));
  check_missing(&phi3, 0);
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

static size_t tokenize(const struct al_engine_model *model, const char *text, int32_t tokens[32])
{
  size_t n = 0;
  assert_int_equal(
      al_engine_safetensors.text->tokenize(model, al_str(text), AL_TOKENIZE_SPECIAL, tokens, 32, &n, nullptr), AL_OK);
  assert_true(n <= 32);
  return n;
}

/* Phi's special tokens do: what stands beside them in the text is not there. */
static void special_tokens_may_take_white_space_with_them(void **)
{
  static const char *const pairs[][2] = {
    { "a[INST] \n\t\u3000b", "a[INST]b" },          { "a[INST]", "a[INST]" },
    { "a[INST] [INST] ", "a[INST][INST]" },         { "[INST] \xff", "[INST]\xff" },
    { "a [INST]\u2003[/INST]", "a [INST][/INST]" },
  };
  AL_CLEANUP(kit_remove) struct kit kit;
  kit_copy(&kit, data, "llama");
  kit_replace(
      &kit, "tokenizer.json",
      "\"content\": \"[INST]\",\n      \"single_word\": false,\n      \"lstrip\": false,\n      \"rstrip\": false",
      "\"content\": \"[INST]\",\n      \"single_word\": false,\n      \"lstrip\": false,\n      \"rstrip\": true");
  struct al_model_descriptor descriptor = { .directory = kit.directory, .format = AL_FORMAT_SAFETENSORS };
  struct al_load_options options = { .n_ctx = 64, .n_seq_max = 1, .n_threads = 1 };
  struct al_engine_model *model = nullptr;
  assert_int_equal(al_engine_safetensors.load(&descriptor, &options, nullptr, nullptr, &model, nullptr), AL_OK);
  int32_t is[32];
  int32_t want[32];
  for (size_t i = 0; i < AL_COUNT(pairs); i++) {
    size_t n = tokenize(model, pairs[i][0], is);
    assert_int_equal(n, tokenize(model, pairs[i][1], want));
    assert_memory_equal(is, want, n * sizeof is[0]);
  }
  assert_true(tokenize(model, "a[/INST] b", is) != tokenize(model, "a[/INST]b", want) ||
              memcmp(is, want, sizeof is[0] * 3) != 0); /* the other one does not */
  al_engine_safetensors.unload(model);
}

int main(int argc, char **argv)
{
  if (argc < 2)
    return 2;
  data = argv[1];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(nemotron_has_its_elements_in_their_place),
    cmocka_unit_test(nemotron_tells_the_kind_of_each_layer),
    cmocka_unit_test(nemotron_may_be_spelt_as_at_first),
    cmocka_unit_test(nemotron_refuses_what_it_cannot_be),
    cmocka_unit_test(nemotron_needs_its_outer_tensors),
    cmocka_unit_test(gemma_norms_have_one_more),
    cmocka_unit_test(gemma_refuses_what_it_cannot_be),
    cmocka_unit_test(a_windowed_phi_is_taken_apart),
    cmocka_unit_test(a_phi_whose_window_is_all_stays_whole),
    cmocka_unit_test(phi_refuses_what_it_cannot_be),
    cmocka_unit_test(special_tokens_may_take_white_space_with_them),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
