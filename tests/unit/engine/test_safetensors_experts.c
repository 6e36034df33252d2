/* Families with experts, on tensors made by hand: every element of what libllama is given has its place in the files,
 * and files that lack or bend something are refused by name. */
#include "base/alloc.h"
#include "engine/safetensors/vgguf_stream.h"
#include "safetensors_maker.h"

#include <ggml.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

constexpr int64_t VOCAB = 420;
constexpr int64_t EMBD = 64;
constexpr int64_t FF = 32;
constexpr int64_t HEADS = 2;
constexpr int64_t HEAD = 16;
constexpr int64_t EXPERTS = 3;

static const char *data; /* tests/data/safetensors */

static void write_config(const struct kit *kit, const char *more)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_printf(&text,
                "{\"hidden_size\":%lld,\"intermediate_size\":%lld,\"num_attention_heads\":%lld,\"head_dim\":%lld,"
                "\"num_key_value_heads\":1,\"max_position_embeddings\":512,\"rms_norm_eps\":1e-6,\"vocab_size\":%lld,"
                "\"tie_word_embeddings\":false,\"num_experts_per_tok\":2,%s}",
                (long long)EMBD, (long long)FF, (long long)HEADS, (long long)HEAD, (long long)VOCAB, more);
  kit_write(kit, "config.json", al_buf_view(&text));
}

static void make_outer(struct maker *m)
{
  make_weight(m, "model.embed_tokens.weight", VOCAB, EMBD);
  make_weight(m, "model.norm.weight", EMBD, 0);
  make_weight(m, "lm_head.weight", VOCAB, EMBD);
}

struct part {
  const char *name; /* behind "model.layers.N." */
  int64_t rows, cols;
};

static void make_parts(struct maker *m, int layer, const struct part *parts, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    char name[128];
    (void)snprintf(name, sizeof name, "model.layers.%d.%s", layer, parts[i].name);
    make_weight(m, name, parts[i].rows, parts[i].cols);
  }
}

static void make_attention(struct maker *m, int layer)
{
  static const struct part parts[] = {
    { "input_layernorm.weight", EMBD, 0 },
    { "post_attention_layernorm.weight", EMBD, 0 },
    { "self_attn.q_proj.weight", HEADS * HEAD, EMBD },
    { "self_attn.k_proj.weight", HEAD, EMBD },
    { "self_attn.v_proj.weight", HEAD, EMBD },
    { "self_attn.o_proj.weight", EMBD, HEADS * HEAD },
  };
  make_parts(m, layer, parts, AL_COUNT(parts));
}

static void make_experts(struct maker *m, int layer, int64_t n_experts)
{
  for (int e = 0; e < n_experts; e++) {
    char names[3][64];
    static const char *const kinds[] = { "gate", "up", "down" };
    for (size_t i = 0; i < 3; i++)
      (void)snprintf(names[i], sizeof names[i], "mlp.experts.%d.%s_proj.weight", e, kinds[i]);
    const struct part parts[] = { { names[0], FF, EMBD }, { names[1], FF, EMBD }, { names[2], EMBD, FF } };
    make_parts(m, layer, parts, AL_COUNT(parts));
  }
  make_parts(m, layer, &(struct part){ "mlp.gate.weight", n_experts, EMBD }, 1);
}

static void make_qwen3moe_with(struct kit *kit, const char *dtype, int64_t n_experts, struct fault fault)
{
  char config[256];
  (void)snprintf(config, sizeof config,
                 "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":%lld,"
                 "\"moe_intermediate_size\":32,\"norm_topk_prob\":true",
                 (long long)n_experts);
  AL_CLEANUP(maker_done) struct maker m;
  maker_begin(&m, kit, data);
  m.fault = fault;
  m.dtype = dtype;
  write_config(kit, config);
  make_outer(&m);
  for (int layer = 0; layer < 2; layer++) {
    static const struct part norms[] = { { "self_attn.q_norm.weight", HEAD, 0 },
                                         { "self_attn.k_norm.weight", HEAD, 0 } };
    make_attention(&m, layer);
    make_parts(&m, layer, norms, AL_COUNT(norms));
    make_experts(&m, layer, n_experts);
  }
  maker_write(&m, kit);
}

static void make_qwen3moe(struct kit *kit, const char *dtype, struct fault fault)
{
  make_qwen3moe_with(kit, dtype, EXPERTS, fault);
}

static const char GPT_OSS[] = "\"architectures\":[\"GptOssForCausalLM\"],\"num_hidden_layers\":2,"
                              "\"num_local_experts\":3,\"sliding_window\":8";

static void make_gpt_oss_experts(struct maker *m, int layer, bool mxfp4)
{
  static const struct {
    const char *name;
    int64_t in, out;
  } matrices[] = { { "gate_up_proj", EMBD, 2 * FF }, { "down_proj", FF, EMBD } };
  for (size_t i = 0; i < AL_COUNT(matrices); i++) {
    int64_t in = matrices[i].in;
    int64_t out = matrices[i].out;
    char name[128];
    int n = snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%s", layer, matrices[i].name);
    if (!mxfp4)
      make_tensor(m, name, m->dtype, (const int64_t[4]){ EXPERTS, in, out });
    (void)snprintf(name + n, sizeof name - (size_t)n, "_blocks");
    if (mxfp4)
      make_tensor(m, name, "U8", (const int64_t[4]){ EXPERTS, out, in / 32, 16 });
    (void)snprintf(name + n, sizeof name - (size_t)n, "_scales");
    if (mxfp4)
      make_tensor(m, name, "U8", (const int64_t[4]){ EXPERTS, out, in / 32 });
    (void)snprintf(name + n, sizeof name - (size_t)n, "_bias");
    make_weight(m, name, EXPERTS, out);
  }
}

static void make_gpt_oss(struct kit *kit, const char *dtype, bool mxfp4, struct fault fault)
{
  AL_CLEANUP(maker_done) struct maker m;
  maker_begin(&m, kit, data);
  m.fault = fault;
  m.dtype = dtype;
  write_config(kit, GPT_OSS);
  make_outer(&m);
  for (int layer = 0; layer < 2; layer++) {
    static const struct part parts[] = {
      { "self_attn.q_proj.bias", HEADS * HEAD, 0 },
      { "self_attn.k_proj.bias", HEAD, 0 },
      { "self_attn.v_proj.bias", HEAD, 0 },
      { "self_attn.o_proj.bias", EMBD, 0 },
      { "self_attn.sinks", HEADS, 0 },
      { "mlp.router.weight", EXPERTS, EMBD },
      { "mlp.router.bias", EXPERTS, 0 },
    };
    make_attention(&m, layer);
    make_parts(&m, layer, parts, AL_COUNT(parts));
    make_gpt_oss_experts(&m, layer, mxfp4);
  }
  maker_write(&m, kit);
}

static struct al_vgguf *open_as(const struct kit *kit, const char *quant, int n_threads)
{
  struct al_vgguf *vgguf = nullptr;
  struct al_err err = {};
  if (al_vgguf_open(kit->directory, quant, n_threads, &vgguf, &err) != AL_OK)
    fail_msg("%s", err.message);
  return vgguf;
}

static void stacks_experts(void **state)
{
  (void)state;
  static const char *const dtypes[] = { "F32", "BF16" };
  for (size_t k = 0; k < AL_COUNT(dtypes); k++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make_qwen3moe(&kit, dtypes[k], (struct fault){});
    AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, "", 2);
    AL_CLEANUP(al_free_p) float *down = read_values(vgguf, "blk.1.ffn_down_exps.weight", EXPERTS * EMBD * FF);
    for (int64_t e = 0; e < EXPERTS; e++) {
      char name[128];
      (void)snprintf(name, sizeof name, "model.layers.1.mlp.experts.%d.down_proj.weight", (int)e);
      for (int64_t i = 0; i < EMBD * FF; i++)
        assert_true(down[e * EMBD * FF + i] == value_at(name, i));
    }
    AL_CLEANUP(al_free_p) float *router = read_values(vgguf, "blk.0.ffn_gate_inp.weight", EXPERTS * EMBD);
    for (int64_t i = 0; i < EXPERTS * EMBD; i++)
      assert_true(router[i] == value_at("model.layers.0.mlp.gate.weight", i));
  }
}

static uint32_t meta_u32(const struct al_vgguf *vgguf, const char *key)
{
  int64_t id = gguf_find_key(al_vgguf_metadata(vgguf), key);
  if (id < 0)
    fail_msg("no key %s", key);
  return gguf_get_val_u32(al_vgguf_metadata(vgguf), id);
}

static enum ggml_type type_of(const struct al_vgguf *vgguf, const char *name)
{
  return gguf_get_tensor_type(al_vgguf_metadata(vgguf), gguf_find_tensor(al_vgguf_metadata(vgguf), name));
}

static void says_how_many_experts(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  make_qwen3moe(&kit, "BF16", (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, "q8_0", 2);
  assert_int_equal(meta_u32(vgguf, "qwen3moe.expert_count"), EXPERTS);
  assert_int_equal(meta_u32(vgguf, "qwen3moe.expert_used_count"), 2);
  assert_int_equal(meta_u32(vgguf, "qwen3moe.expert_feed_forward_length"), FF);
  assert_int_equal(type_of(vgguf, "blk.0.ffn_up_exps.weight"), GGML_TYPE_Q8_0);
  assert_int_equal(type_of(vgguf, "blk.0.ffn_gate_inp.weight"), GGML_TYPE_F32);
  assert_int_equal(type_of(vgguf, "blk.0.attn_q_norm.weight"), GGML_TYPE_F32);
}

/* So many experts that several threads have work. */
static void quantises_experts_alike_with_any_number_of_threads(void **state)
{
  (void)state;
  constexpr int64_t n_experts = 512;
  constexpr int64_t n = n_experts * FF * EMBD;
  AL_CLEANUP(kit_remove) struct kit kit;
  make_qwen3moe_with(&kit, "BF16", n_experts, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *one = open_as(&kit, "q8_0", 1);
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *many = open_as(&kit, "q8_0", 5);
  AL_CLEANUP(al_free_p) float *a = read_values(one, "blk.1.ffn_up_exps.weight", n);
  AL_CLEANUP(al_free_p) float *b = read_values(many, "blk.1.ffn_up_exps.weight", n);
  assert_memory_equal(a, b, (size_t)n * sizeof *a);
  for (int64_t i = 0; i < FF * EMBD; i++) /* elements go up to 2, a step is 2 / 127 */
    assert_true(fabsf(a[511 * FF * EMBD + i] - value_at("model.layers.1.mlp.experts.511.up_proj.weight", i)) < 0.009F);
}

/* Transposed, and gate and up in turn. */
static void takes_gpt_oss_apart(void **state)
{
  (void)state;
  static const char *const targets[] = { "blk.1.ffn_gate_exps", "blk.1.ffn_up_exps" };
  static const char source[] = "model.layers.1.mlp.experts.gate_up_proj";
  static const char bias_source[] = "model.layers.1.mlp.experts.gate_up_proj_bias";
  AL_CLEANUP(kit_remove) struct kit kit;
  make_gpt_oss(&kit, "BF16", false, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, "", 2);
  for (int64_t k = 0; k < 2; k++) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s.weight", targets[k]);
    AL_CLEANUP(al_free_p) float *weight = read_values(vgguf, name, EXPERTS * FF * EMBD);
    (void)snprintf(name, sizeof name, "%s.bias", targets[k]);
    AL_CLEANUP(al_free_p) float *bias = read_values(vgguf, name, EXPERTS * FF);
    assert_int_equal(type_of(vgguf, name), GGML_TYPE_F32);
    for (int64_t e = 0; e < EXPERTS; e++)
      for (int64_t r = 0; r < FF; r++) {
        assert_true(bias[e * FF + r] == value_at(bias_source, e * 2 * FF + 2 * r + k));
        for (int64_t c = 0; c < EMBD; c++)
          assert_true(weight[(e * FF + r) * EMBD + c] == value_at(source, (e * EMBD + c) * 2 * FF + 2 * r + k));
      }
  }
  AL_CLEANUP(al_free_p) float *down = read_values(vgguf, "blk.0.ffn_down_exps.weight", EXPERTS * EMBD * FF);
  for (int64_t e = 0; e < EXPERTS; e++)
    for (int64_t r = 0; r < EMBD; r++)
      for (int64_t c = 0; c < FF; c++)
        assert_true(down[(e * EMBD + r) * FF + c] ==
                    value_at("model.layers.0.mlp.experts.down_proj", (e * FF + c) * EMBD + r));
}

static float fp4(unsigned code)
{
  static const float magnitudes[] = { 0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F };
  return (code & 8U) != 0 ? -magnitudes[code & 7U] : magnitudes[code & 7U];
}

/* From the words of the OCP Microscaling specification. */
static float mxfp4_at(const char *blocks, const char *scales, int64_t block, int64_t element)
{
  unsigned byte = byte_at(blocks, block * 16 + element / 2);
  return ldexpf(fp4(element % 2 == 0 ? byte & 15U : byte >> 4), byte_at(scales, block) - 127);
}

static void reads_mxfp4(void **state)
{
  (void)state;
  static const char blocks[] = "model.layers.1.mlp.experts.gate_up_proj_blocks";
  static const char scales[] = "model.layers.1.mlp.experts.gate_up_proj_scales";
  static const struct {
    const char *quant;
    enum ggml_type type;
  } cases[] = {
    { "", GGML_TYPE_MXFP4 },
    { "q4_k", GGML_TYPE_MXFP4 },
    { "f32", GGML_TYPE_F32 },
    { "bf16", GGML_TYPE_BF16 },
  };
  AL_CLEANUP(kit_remove) struct kit kit;
  make_gpt_oss(&kit, "BF16", true, (struct fault){});
  for (size_t k = 0; k < AL_COUNT(cases); k++) {
    AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, cases[k].quant, 2);
    AL_CLEANUP(al_free_p) float *up = read_values(vgguf, "blk.1.ffn_up_exps.weight", EXPERTS * FF * EMBD);
    assert_int_equal(type_of(vgguf, "blk.1.ffn_up_exps.weight"), cases[k].type);
    for (int64_t row = 0; row < EXPERTS * FF; row++)
      for (int64_t c = 0; c < EMBD; c++) {
        int64_t block = (row / FF * 2 * FF + 2 * (row % FF) + 1) * (EMBD / 32) + c / 32;
        assert_true(up[row * EMBD + c] == mxfp4_at(blocks, scales, block, c % 32));
      }
  }
}

static void reads_any_range_alike(void **state)
{
  (void)state;
  for (int mxfp4 = 0; mxfp4 < 2; mxfp4++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make_gpt_oss(&kit, "BF16", mxfp4 == 1, (struct fault){});
    AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, mxfp4 == 1 ? "" : "f16", 3);
    size_t size = (size_t)al_vgguf_size_bytes(vgguf);
    AL_CLEANUP(al_free_p) uint8_t *whole = al_alloc(size);
    size_t n_read = 0;
    assert_int_equal(al_vgguf_read(vgguf, 0, whole, size, &n_read, nullptr), AL_OK);
    uint32_t random = 1;
    for (int round = 0; round < 300; round++) {
      random = random * 1664525 + 1013904223;
      size_t from = random % size;
      size_t n = al_min_size((random >> 8) % 5000, size - from);
      uint8_t part[5000];
      assert_int_equal(al_vgguf_read(vgguf, from, part, n, &n_read, nullptr), AL_OK);
      assert_memory_equal(part, whole + from, n);
    }
  }
}

/* The stream makes rows ahead; what it gives is the same wherever and however much is read. */
static void streams_what_is_read(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  make_gpt_oss(&kit, "BF16", false, (struct fault){});
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, "", 2);
  size_t size = (size_t)al_vgguf_size_bytes(vgguf);
  AL_CLEANUP(al_free_p) uint8_t *whole = al_alloc(size);
  AL_CLEANUP(al_free_p) uint8_t *part = al_alloc(size);
  size_t n_read = 0;
  assert_int_equal(al_vgguf_read(vgguf, 0, whole, size, &n_read, nullptr), AL_OK);
  AL_CLEANUP(al_vgguf_stream_close) struct al_vgguf_stream stream = {};
  assert_int_equal(al_vgguf_stream_open(vgguf, &stream, nullptr), AL_OK);
  assert_int_equal(fread(part, 1, size, stream.file), size);
  assert_memory_equal(part, whole, size);
  assert_int_equal(fread(part, 1, 1, stream.file), 0);
  uint32_t random = 1;
  for (int round = 0; round < 200; round++) {
    random = random * 1664525 + 1013904223;
    size_t from = random % size;
    size_t n = al_min_size((random >> 4) % 100000, size - from);
    assert_int_equal(fseek(stream.file, (long)from, SEEK_SET), 0);
    assert_int_equal(fread(part, 1, n, stream.file), n);
    assert_memory_equal(part, whole + from, n);
  }
  assert_int_equal(stream.failure.code, AL_OK);
}

static void expect_fault(const struct kit *kit, enum al_code code, const char *words)
{
  struct al_vgguf *vgguf = nullptr;
  struct al_err err = {};
  enum al_code found = al_vgguf_open(kit->directory, "", 1, &vgguf, &err);
  al_vgguf_close(vgguf);
  if (found != code || strstr(err.message, words) == nullptr)
    fail_msg("%s \"%s\" instead of %s \"%s\"", al_code_name(found), err.message, al_code_name(code), words);
}

static void refuses_experts_that_do_not_fit(void **state)
{
  (void)state;
  static const struct {
    struct fault fault;
    enum al_code code;
    const char *words;
  } cases[] = {
    { { .tensor = "model.layers.1.mlp.experts.2.up_proj.weight" },
      AL_MODEL_CORRUPT,
      "experts.2.up_proj.weight\" is missing" },
    { { .tensor = "model.layers.0.mlp.experts.1.down_proj.weight", .swap = true },
      AL_MODEL_CORRUPT,
      "experts.1.down_proj.weight\" has the shape [32, 64], config.json asks for [64, 32]" },
    { { .tensor = "model.layers.0.mlp.experts.1.gate_proj.weight", .dtype = "F32" },
      AL_UNSUPPORTED,
      "experts.1.gate_proj.weight\" is of type F32" },
    { { .tensor = "model.layers.0.mlp.experts.0.gate_proj.weight", .dtype = "U8" }, AL_UNSUPPORTED, "is of type U8" },
    { { .tensor = "model.layers.0.mlp.gate.weight" }, AL_MODEL_CORRUPT, "mlp.gate.weight\" is missing" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make_qwen3moe(&kit, "BF16", cases[i].fault);
    expect_fault(&kit, cases[i].code, cases[i].words);
  }
}

static void refuses_mxfp4_that_is_not_whole(void **state)
{
  (void)state;
  static const struct {
    struct fault fault;
    enum al_code code;
    const char *words;
  } cases[] = {
    { { .tensor = "model.layers.1.mlp.experts.down_proj_scales" }, AL_MODEL_CORRUPT, "down_proj_scales\" is missing" },
    { { .tensor = "model.layers.0.mlp.experts.gate_up_proj_blocks" },
      AL_MODEL_CORRUPT,
      "gate_up_proj_blocks\" is missing" },
    { { .tensor = "model.layers.0.mlp.experts.gate_up_proj_blocks", .swap = true },
      AL_MODEL_CORRUPT,
      "[3, 64, 16, 2], config.json asks for [3, 64, 2, 16]" },
    { { .tensor = "model.layers.0.mlp.experts.gate_up_proj_scales", .dtype = "BF16" },
      AL_UNSUPPORTED,
      "scales of MXFP4" },
    { { .tensor = "model.layers.0.mlp.experts.down_proj_blocks", .dtype = "F32" }, AL_UNSUPPORTED, "blocks of MXFP4" },
    { { .tensor = "model.layers.0.self_attn.sinks" }, AL_MODEL_CORRUPT, "sinks\" is missing" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(kit_remove) struct kit kit;
    make_gpt_oss(&kit, "BF16", true, cases[i].fault);
    expect_fault(&kit, cases[i].code, cases[i].words);
  }
}

static void refuses_absurd_configs(void **state)
{
  (void)state;
  static const struct {
    const char *config;
    enum al_code code;
    const char *words;
  } cases[] = {
    { "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":4,"
      "\"moe_intermediate_size\":32,\"norm_topk_prob\":true",
      AL_MODEL_CORRUPT, "mlp.gate.weight\" has the shape [3, 64], config.json asks for [4, 64]" },
    { "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":4294967296,"
      "\"moe_intermediate_size\":32,\"norm_topk_prob\":true",
      AL_MODEL_CORRUPT, "num_experts" },
    { "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":1,"
      "\"moe_intermediate_size\":32,\"norm_topk_prob\":true",
      AL_MODEL_CORRUPT, "num_experts_per_tok" },
    { "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":3,"
      "\"moe_intermediate_size\":99999999999,\"norm_topk_prob\":true",
      AL_MODEL_CORRUPT, "moe_intermediate_size" },
    { "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":3,"
      "\"moe_intermediate_size\":32",
      AL_UNSUPPORTED, "norm_topk_prob" },
    { "\"architectures\":[\"Qwen3MoeForCausalLM\"],\"num_hidden_layers\":2,\"num_experts\":3,"
      "\"moe_intermediate_size\":32,\"norm_topk_prob\":true,\"mlp_only_layers\":[0]",
      AL_UNSUPPORTED, "layers without experts" },
    { "\"architectures\":[\"Glm4MoeForCausalLM\"],\"num_hidden_layers\":2,\"n_routed_experts\":3,"
      "\"moe_intermediate_size\":32,\"first_k_dense_replace\":3,\"n_shared_experts\":1",
      AL_MODEL_CORRUPT, "first_k_dense_replace" },
    { "\"architectures\":[\"Glm4MoeForCausalLM\"],\"num_hidden_layers\":2,\"n_routed_experts\":3,"
      "\"moe_intermediate_size\":32,\"first_k_dense_replace\":0,\"n_shared_experts\":1,\"n_group\":2",
      AL_MODEL_CORRUPT, "n_group" },
    { "\"architectures\":[\"Glm4MoeForCausalLM\"],\"num_hidden_layers\":2,\"n_routed_experts\":4,"
      "\"moe_intermediate_size\":32,\"first_k_dense_replace\":0,\"n_shared_experts\":1,\"n_group\":2,\"topk_group\":3",
      AL_MODEL_CORRUPT, "topk_group" },
    { "\"architectures\":[\"Glm4ForCausalLM\"],\"num_hidden_layers\":2,\"partial_rotary_factor\":0.2", AL_UNSUPPORTED,
      "partial_rotary_factor" },
    { "\"architectures\":[\"Glm4ForCausalLM\"],\"num_hidden_layers\":2,\"partial_rotary_factor\":-1", AL_MODEL_CORRUPT,
      "partial_rotary_factor" },
    { "\"architectures\":[\"GptOssForCausalLM\"],\"num_hidden_layers\":2,\"num_local_experts\":3", AL_MODEL_CORRUPT,
      "sliding_window" },
    { "\"architectures\":[\"GptOssForCausalLM\"],\"num_hidden_layers\":2,\"num_local_experts\":3,\"sliding_window\":8,"
      "\"layer_types\":[\"full_attention\",\"sliding_attention\"]",
      AL_UNSUPPORTED, "layer_types" },
  };
  AL_CLEANUP(kit_remove) struct kit kit;
  make_qwen3moe(&kit, "BF16", (struct fault){});
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    write_config(&kit, cases[i].config);
    expect_fault(&kit, cases[i].code, cases[i].words);
  }
}

static const char GLM4MOE[] = "\"architectures\":[\"Glm4MoeForCausalLM\"],\"num_hidden_layers\":2,"
                              "\"n_routed_experts\":3,\"moe_intermediate_size\":32,\"first_k_dense_replace\":1,"
                              "\"n_shared_experts\":2,\"routed_scaling_factor\":2.5,\"num_nextn_predict_layers\":1";

/* The first layer is dense; the third, for guessing further ahead, is not used. */
static void knows_the_kinds_of_layers(void **state)
{
  (void)state;
  static const struct part dense[] = { { "mlp.gate_proj.weight", FF, EMBD },
                                       { "mlp.up_proj.weight", FF, EMBD },
                                       { "mlp.down_proj.weight", EMBD, FF } };
  static const struct part shared[] = { { "mlp.gate.e_score_correction_bias", EXPERTS, 0 },
                                        { "mlp.shared_experts.gate_proj.weight", 2 * FF, EMBD },
                                        { "mlp.shared_experts.up_proj.weight", 2 * FF, EMBD },
                                        { "mlp.shared_experts.down_proj.weight", EMBD, 2 * FF } };
  AL_CLEANUP(kit_remove) struct kit kit;
  AL_CLEANUP(maker_done) struct maker m;
  maker_begin(&m, &kit, data);
  write_config(&kit, GLM4MOE);
  make_outer(&m);
  make_attention(&m, 0);
  make_parts(&m, 0, dense, AL_COUNT(dense));
  make_attention(&m, 1);
  make_experts(&m, 1, EXPERTS);
  make_parts(&m, 1, shared, AL_COUNT(shared));
  make_attention(&m, 2);
  maker_write(&m, &kit);
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = open_as(&kit, "", 1);
  assert_int_equal(meta_u32(vgguf, "glm4moe.leading_dense_block_count"), 1);
  assert_int_equal(meta_u32(vgguf, "glm4moe.expert_shared_count"), 2);
  assert_int_equal(meta_u32(vgguf, "glm4moe.rope.dimension_count"), HEAD / 2);
  const struct gguf_context *gguf = al_vgguf_metadata(vgguf);
  assert_true(gguf_find_tensor(gguf, "blk.0.ffn_gate.weight") >= 0);
  assert_true(gguf_find_tensor(gguf, "blk.0.ffn_gate_exps.weight") < 0);
  assert_true(gguf_find_tensor(gguf, "blk.1.ffn_gate.weight") < 0);
  assert_true(gguf_find_tensor(gguf, "blk.2.attn_norm.weight") < 0);
  AL_CLEANUP(al_free_p) float *bias = read_values(vgguf, "blk.1.exp_probs_b.bias", EXPERTS);
  assert_true(bias[2] == value_at("model.layers.1.mlp.gate.e_score_correction_bias", 2));
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  AL_CLEANUP(kit_remove) struct kit kit;
  make_gpt_oss(&kit, "BF16", true, (struct fault){});
  enum al_code code = AL_OOM_RAM;
  size_t n = 0;
  for (; code != AL_OK; n += n < 200 ? 1 : 53) {
    struct al_vgguf *vgguf = nullptr;
    (void)al_alloc_fail_at(n + 1);
    code = al_vgguf_open(kit.directory, "", 1, &vgguf, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    assert_true((code == AL_OK) == (vgguf != nullptr));
    al_vgguf_close(vgguf);
  }
  assert_true(n > 200);
}

int main(int argc, char **argv)
{
  if (argc < 2)
    return 2;
  data = argv[1];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(stacks_experts),
    cmocka_unit_test(says_how_many_experts),
    cmocka_unit_test(quantises_experts_alike_with_any_number_of_threads),
    cmocka_unit_test(takes_gpt_oss_apart),
    cmocka_unit_test(reads_mxfp4),
    cmocka_unit_test(reads_any_range_alike),
    cmocka_unit_test(streams_what_is_read),
    cmocka_unit_test(refuses_experts_that_do_not_fit),
    cmocka_unit_test(refuses_mxfp4_that_is_not_whole),
    cmocka_unit_test(refuses_absurd_configs),
    cmocka_unit_test(knows_the_kinds_of_layers),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
