#include "engine/safetensors/tensor_rule.h"

#include "base/alloc.h"
#include "engine/safetensors/fp8.h"

#include <stdio.h>

constexpr size_t MAX_NAME = 256;
constexpr char EXPERT[] = "{e}"; /* stands for the expert's number in a rule's source */
constexpr uint64_t MXFP4_BLOCK = 32;
constexpr uint64_t MXFP4_BLOCK_BYTES = 16; /* of the elements; the scale stands elsewhere */

/* Outermost first. */
struct shape {
  int n_dims;
  uint64_t size[AL_ST_MAX_DIMS];
};

static int64_t size_of(const struct al_hf_config *c, enum al_size size)
{
  switch (size) {
  case AL_SIZE_NONE: return 0;
  case AL_SIZE_EMBD: return c->n_embd;
  case AL_SIZE_FF: return c->n_ff;
  case AL_SIZE_FF_2: return 2 * c->n_ff;
  case AL_SIZE_VOCAB: return c->n_vocab;
  case AL_SIZE_Q: return c->n_heads * c->head_dim;
  case AL_SIZE_KV: return c->n_kv_heads * c->head_dim;
  case AL_SIZE_HEAD: return c->head_dim;
  case AL_SIZE_HEADS: return c->n_heads;
  case AL_SIZE_EXPERTS: return c->n_experts;
  case AL_SIZE_FF_EXP: return c->n_ff_exp;
  case AL_SIZE_FF_EXP_2: return 2 * c->n_ff_exp;
  case AL_SIZE_FF_SHARED: return c->n_ff_shared;
  case AL_SIZE_LATENT: return c->n_latent > 0 ? c->n_latent : c->n_embd;
  case AL_SIZE_ONE: return 1;
  case AL_SIZE_POSITIONS: return c->encoder.n_positions;
  case AL_SIZE_TYPES: return c->encoder.n_types;
  case AL_SIZE_QKV: return (c->n_heads + 2 * c->n_kv_heads) * c->head_dim;
  case AL_SIZE_SSM_HEADS: return c->ssm.heads;
  case AL_SIZE_SSM_INNER: return c->ssm.inner;
  case AL_SIZE_SSM_GROUPS: return c->ssm.groups;
  case AL_SIZE_SSM_GROUP_WIDTH: return c->ssm.inner / c->ssm.groups;
  case AL_SIZE_SSM_CONV: return c->ssm.inner + 2 * c->ssm.groups * c->ssm.state;
  case AL_SIZE_SSM_KERNEL: return c->ssm.kernel;
  case AL_SIZE_SSM_IN: return 2 * c->ssm.inner + 2 * c->ssm.groups * c->ssm.state + c->ssm.heads;
  }
  return 0;
}

static bool has(const struct al_tensor_rule *rule, enum al_rule flag)
{
  return (rule->flags & (unsigned)flag) != 0;
}

static bool is_per_expert(const struct al_tensor_rule *rule)
{
  return strstr(rule->source, EXPERT) != nullptr;
}

static struct shape rule_shape(const struct al_rule_scope *scope, const struct al_tensor_rule *rule)
{
  struct shape shape = {};
  for (size_t i = 0; i < AL_COUNT(rule->shape) && rule->shape[i] != AL_SIZE_NONE; i++)
    shape.size[shape.n_dims++] = (uint64_t)size_of(scope->config, rule->shape[i]);
  return shape;
}

static void write_shape(const struct shape *shape, char *out, size_t capacity)
{
  size_t at = 0;
  out[0] = '\0';
  for (int i = 0; i < shape->n_dims && at < capacity; i++)
    at += (size_t)snprintf(out + at, capacity - at, i == 0 ? "%llu" : ", %llu", (unsigned long long)shape->size[i]);
}

static struct shape without_ones(const struct shape *shape)
{
  struct shape out = {};
  for (int i = 0; i < shape->n_dims; i++)
    if (shape->size[i] != 1)
      out.size[out.n_dims++] = shape->size[i];
  return out;
}

/* But for ones, the same dimensions, or one that is as long as all. */
static bool same_elements(const struct shape *is, const struct shape *want)
{
  struct shape a = without_ones(is);
  struct shape b = without_ones(want);
  uint64_t n = 1;
  for (int i = 0; i < b.n_dims; i++)
    n *= b.size[i];
  if (a.n_dims == 1 && a.size[0] == n)
    return true;
  return a.n_dims == b.n_dims && memcmp(a.size, b.size, (size_t)a.n_dims * sizeof a.size[0]) == 0;
}

static enum al_code check_shape(const struct al_rule_scope *scope, struct al_hf_source source, const struct shape *want,
                                bool reshaped, struct al_err *err)
{
  const struct al_st_tensor *t = source.tensor;
  struct shape is = { .n_dims = t->n_dims };
  memcpy(is.size, t->shape, (size_t)t->n_dims * sizeof is.size[0]);
  if (reshaped && same_elements(&is, want))
    return AL_OK;
  if (is.n_dims == want->n_dims && memcmp(is.size, want->size, (size_t)is.n_dims * sizeof is.size[0]) == 0)
    return AL_OK;
  char wanted[AL_ST_MAX_DIMS * 24];
  char found[AL_ST_MAX_DIMS * 24];
  write_shape(want, wanted, sizeof wanted);
  write_shape(&is, found, sizeof found);
  return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%.*s\" has the shape [%s], config.json asks for [%s]",
                 al_hf_weights_file_name(scope->weights, source.file), (int)al_min_size(t->name.size, 200),
                 t->name.data, found, wanted);
}

static enum al_code fail_type(const struct al_rule_scope *scope, struct al_hf_source source, const char *allowed,
                              struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" is of type %s; %s",
                 al_hf_weights_file_name(scope->weights, source.file), (int)al_min_size(source.tensor->name.size, 200),
                 source.tensor->name.data, al_st_dtype_name(source.tensor->dtype), allowed);
}

/* Finds a tensor that must be there, of this shape. */
static enum al_code take(const struct al_rule_scope *scope, const char *name, const struct shape *shape, bool reshaped,
                         struct al_hf_source *source, struct al_err *err)
{
  *source = al_hf_weights_find(scope->weights, name);
  if (source->tensor == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%s\" is missing", al_hf_weights_file_name(scope->weights, 0),
                   name);
  AL_TRY(al_map_set(scope->used, source->tensor->name, scope->used, err));
  return check_shape(scope, *source, shape, reshaped, err);
}

/* "...experts.{e}.up_proj.weight" of one expert. */
static void expert_name(const char *pattern, int64_t expert, char name[MAX_NAME])
{
  const char *at = strstr(pattern, EXPERT);
  (void)snprintf(name, MAX_NAME, "%.*s%lld%s", (int)(at - pattern), pattern, (long long)expert, at + strlen(EXPERT));
}

/* A matrix of the file that holds several. */
struct part_of {
  int64_t n_rows; /* of them all; 0: it holds one */
  int64_t first;  /* row of this one */
};

static struct part_of part_of(const struct al_hf_config *c, const struct al_tensor_rule *rule)
{
  int64_t q = size_of(c, AL_SIZE_Q);
  int64_t qkv = size_of(c, AL_SIZE_QKV);
  if (has(rule, AL_RULE_Q_OF_QKV))
    return (struct part_of){ qkv, 0 };
  if (has(rule, AL_RULE_K_OF_QKV))
    return (struct part_of){ qkv, q };
  if (has(rule, AL_RULE_V_OF_QKV))
    return (struct part_of){ qkv, q + size_of(c, AL_SIZE_KV) };
  if (has(rule, AL_RULE_POSITIONS))
    return (struct part_of){ c->encoder.n_unused + c->encoder.n_positions, c->encoder.n_unused };
  if (has(rule, AL_RULE_GATE_OF_BOTH))
    return (struct part_of){ 2 * c->n_ff, 0 };
  if (has(rule, AL_RULE_UP_OF_BOTH))
    return (struct part_of){ 2 * c->n_ff, c->n_ff };
  return (struct part_of){};
}

static enum al_code take_plain(const struct al_rule_scope *scope, const struct al_tensor_rule *rule, const char *name,
                               struct al_plan_part *part, struct al_err *err)
{
  struct shape shape = rule_shape(scope, rule);
  if (has(rule, AL_RULE_TRANSPOSED)) {
    uint64_t last = shape.size[shape.n_dims - 1];
    shape.size[shape.n_dims - 1] = shape.size[shape.n_dims - 2];
    shape.size[shape.n_dims - 2] = last;
  }
  struct part_of whole = part_of(scope->config, rule);
  if (whole.n_rows > 0)
    shape.size[0] = (uint64_t)whole.n_rows;
  return take(scope, name, &shape, has(rule, AL_RULE_RESHAPED), &part->data, err);
}

static enum al_code take_fp8_scales(const struct al_rule_scope *scope, const struct al_tensor_rule *rule,
                                    struct al_plan_tensor *tensor, struct al_err *err)
{
  if (has(rule, AL_RULE_TRANSPOSED))
    return fail_type(scope, tensor->parts[0].data, "with columns for rows that is not supported", err);
  for (size_t i = 0; i < tensor->n_parts; i++)
    AL_TRY(al_fp8_take_scales(scope, &tensor->parts[i], err));
  return AL_OK;
}

static enum al_code take_parts(const struct al_rule_scope *scope, const struct al_tensor_rule *rule, const char *source,
                               struct al_plan_tensor *tensor, struct al_err *err)
{
  tensor->n_parts = is_per_expert(rule) ? (size_t)scope->config->n_experts : 1;
  tensor->parts = al_calloc(tensor->n_parts, sizeof *tensor->parts);
  if (tensor->parts == nullptr)
    return al_fail_oom(err, tensor->n_parts * sizeof *tensor->parts);
  if (!is_per_expert(rule))
    AL_TRY(take_plain(scope, rule, source, &tensor->parts[0], err));
  for (size_t i = 0; i < tensor->n_parts && is_per_expert(rule); i++) {
    char name[MAX_NAME];
    expert_name(source, (int64_t)i, name);
    AL_TRY(take_plain(scope, rule, name, &tensor->parts[i], err));
  }
  struct al_hf_source first = tensor->parts[0].data;
  if (!al_weight_type_of(first.tensor->dtype, &tensor->source_type))
    return fail_type(scope, first, "F32, F16, BF16 and FP8 are supported", err);
  for (size_t i = 1; i < tensor->n_parts; i++)
    if (tensor->parts[i].data.tensor->dtype != first.tensor->dtype)
      return fail_type(scope, tensor->parts[i].data, "the experts before it are of another", err);
  return tensor->source_type == GGML_TYPE_I8 ? take_fp8_scales(scope, rule, tensor, err) : AL_OK;
}

/* Blocks are [.., rows, blocks of a row, bytes of a block], scales [.., rows, blocks of a row]. */
static enum al_code take_mxfp4(const struct al_rule_scope *scope, const struct al_tensor_rule *rule, const char *source,
                               struct al_plan_tensor *tensor, struct al_err *err)
{
  char blocks[MAX_NAME];
  char scales[MAX_NAME];
  (void)snprintf(blocks, sizeof blocks, "%s_blocks", source);
  (void)snprintf(scales, sizeof scales, "%s_scales", source);
  struct shape shape = rule_shape(scope, rule);
  uint64_t n_cols = shape.size[shape.n_dims - 1];
  if (n_cols % MXFP4_BLOCK != 0)
    return al_fail(err, AL_UNSUPPORTED, "%s: rows of %llu are no multiple of MXFP4's %llu", blocks,
                   (unsigned long long)n_cols, (unsigned long long)MXFP4_BLOCK);
  tensor->n_parts = 1;
  tensor->parts = al_calloc(1, sizeof *tensor->parts);
  if (tensor->parts == nullptr)
    return al_fail_oom(err, sizeof *tensor->parts);
  struct al_plan_part *part = &tensor->parts[0];
  shape.size[shape.n_dims - 1] = n_cols / MXFP4_BLOCK;
  AL_TRY(take(scope, scales, &shape, false, &part->scales, err));
  shape.size[shape.n_dims++] = MXFP4_BLOCK_BYTES;
  AL_TRY(take(scope, blocks, &shape, false, &part->data, err));
  if (part->data.tensor->dtype != AL_ST_U8)
    return fail_type(scope, part->data, "blocks of MXFP4 are U8", err);
  if (part->scales.tensor->dtype != AL_ST_U8)
    return fail_type(scope, part->scales, "scales of MXFP4 are U8", err);
  tensor->source_type = GGML_TYPE_MXFP4;
  return AL_OK;
}

static bool in_files(const struct al_rule_scope *scope, const char *source, const char *ending)
{
  char name[MAX_NAME];
  (void)snprintf(name, sizeof name, "%s%s", source, ending);
  return al_hf_weights_find(scope->weights, name).tensor != nullptr;
}

/* In rows and columns; the target's dimensions are the rule's, of which interleaved rows leave half. */
static void lay_out(const struct al_rule_scope *scope, const struct al_tensor_rule *rule, struct al_plan_tensor *t)
{
  struct shape shape = rule_shape(scope, rule);
  bool stacked = rule->shape[0] == AL_SIZE_EXPERTS && shape.n_dims > 1;
  int row_dim = shape.n_dims - (int)stacked > 1 ? shape.n_dims - 2 : shape.n_dims - 1;
  bool vector = row_dim == shape.n_dims - 1;
  bool moves = has(rule, AL_RULE_EVEN_ROWS) || has(rule, AL_RULE_ODD_ROWS) || has(rule, AL_RULE_PAIR_ROWS);
  t->row_step = has(rule, AL_RULE_EVEN_ROWS) || has(rule, AL_RULE_ODD_ROWS) ? 2 : 1;
  t->row_first = has(rule, AL_RULE_ODD_ROWS) ? 1 : part_of(scope->config, rule).first;
  t->pair_rows = has(rule, AL_RULE_PAIR_ROWS) ? scope->config->head_dim : 0;
  shape.size[row_dim] /= (uint64_t)t->row_step;
  t->n_dims = shape.n_dims;
  for (int i = 0; i < AL_PLAN_MAX_DIMS; i++)
    t->ne[i] = i < shape.n_dims ? (int64_t)shape.size[shape.n_dims - 1 - i] : 1;
  t->n_cols = vector && moves ? 1 : t->ne[0];
  t->n_rows = vector ? t->ne[0] / t->n_cols : t->ne[1];
  t->n_slabs = stacked ? (int64_t)shape.size[0] : 1;
  if (!is_per_expert(rule))
    return;
  t->n_slabs = scope->config->n_experts;
  t->ne[t->n_dims++] = t->n_slabs;
}

static enum ggml_type type_for(const struct al_rule_scope *scope, const struct al_tensor_rule *rule,
                               const struct al_plan_tensor *t)
{
  bool matrix = t->n_rows > 1 && t->n_cols > 1;
  if (has(rule, AL_RULE_F32) || !matrix)
    return GGML_TYPE_F32;
  bool embeddings = al_streq(rule->target, "token_embd.weight");
  return al_weight_choose(&scope->wish, t->source_type, t->n_cols,
                          has(rule, AL_RULE_HEAD) || (embeddings && scope->tied));
}

static bool may_be_absent(const struct al_rule_scope *scope, const struct al_tensor_rule *rule)
{
  return has(rule, AL_RULE_OPTIONAL) || (has(rule, AL_RULE_HEAD) && scope->config->tied != AL_HF_UNTIED);
}

static bool is_absent(const struct al_rule_scope *scope, const struct al_tensor_rule *rule, const char *source)
{
  char name[MAX_NAME];
  if (!is_per_expert(rule))
    return !in_files(scope, source, "");
  expert_name(source, 0, name);
  return !in_files(scope, name, "");
}

static enum al_code make_sinks(const struct al_rule_scope *scope, const struct al_tensor_rule *rule,
                               struct al_plan_tensor *tensor, struct al_err *err)
{
  constexpr float nothing = -1e30F; /* its exponential is 0 */
  struct al_plan_tensor made = { .type = GGML_TYPE_F32, .source_type = GGML_TYPE_F32 };
  lay_out(scope, rule, &made);
  made.values = al_calloc((size_t)made.n_cols, sizeof *made.values);
  if (made.values == nullptr)
    return al_fail_oom(err, (size_t)made.n_cols * sizeof *made.values);
  for (int64_t i = 0; i < made.n_cols; i++)
    made.values[i] = nothing;
  *tensor = made;
  return AL_OK;
}

/* The same rows twice: the second slab is changed when it is read. */
static enum al_code double_rows(const struct al_rule_scope *scope, const char *source, struct al_plan_tensor *t,
                                struct al_err *err)
{
  char name[MAX_NAME];
  const char *end = strstr(source, "word_embeddings");
  (void)snprintf(name, sizeof name, "%.*stoken_type_embeddings.weight", (int)(end - source), source);
  struct shape shape = { 2, { (uint64_t)scope->config->encoder.n_types, (uint64_t)t->n_cols } };
  AL_TRY(take(scope, name, &shape, false, &t->types, err));
  enum ggml_type type;
  if (!al_weight_type_of(t->types.tensor->dtype, &type) || type == GGML_TYPE_I8)
    return fail_type(scope, t->types, "F32, F16 and BF16 are supported", err);
  void *parts = al_realloc(t->parts, 2 * sizeof *t->parts);
  if (parts == nullptr)
    return al_fail_oom(err, 2 * sizeof *t->parts);
  t->parts = parts;
  t->parts[1] = t->parts[0];
  t->n_parts = 2;
  t->n_slabs = 2;
  t->ne[1] *= 2;
  t->change = AL_PLAN_SECOND_TYPE;
  return AL_OK;
}

enum al_code al_tensor_from_rule(const struct al_rule_scope *scope, const struct al_tensor_rule *rule,
                                 const char *source, struct al_plan_tensor *tensor, struct al_err *err)
{
  AL_CLEANUP(al_plan_tensor_done) struct al_plan_tensor made = {};
  if (has(rule, AL_RULE_NO_SINKS))
    return make_sinks(scope, rule, tensor, err);
  bool mxfp4 = has(rule, AL_RULE_MXFP4) && (in_files(scope, source, "_blocks") || in_files(scope, source, "_scales"));
  if (!mxfp4 && may_be_absent(scope, rule) && is_absent(scope, rule, source))
    return AL_OK;
  AL_TRY((mxfp4 ? take_mxfp4 : take_parts)(scope, rule, source, &made, err));
  if (has(rule, AL_RULE_HEAD) && scope->config->tied == AL_HF_TIED)
    return AL_OK; /* saved beside the embeddings, but they are the same */
  lay_out(scope, rule, &made);
  made.transposed = has(rule, AL_RULE_TRANSPOSED) && !mxfp4;
  made.change = has(rule, AL_RULE_ADD_ONE)   ? AL_PLAN_ADD_ONE
                : has(rule, AL_RULE_NEG_EXP) ? AL_PLAN_NEG_EXP
                                             : AL_PLAN_AS_IT_IS;
  made.type = type_for(scope, rule, &made);
  if (has(rule, AL_RULE_BOTH_TYPES) && scope->config->encoder.both_types)
    AL_TRY(double_rows(scope, source, &made, err));
  *tensor = made;
  made = (struct al_plan_tensor){};
  return AL_OK;
}

void al_plan_tensor_done(struct al_plan_tensor *tensor)
{
  al_free(tensor->parts);
  al_free(tensor->values);
  *tensor = (struct al_plan_tensor){};
}
