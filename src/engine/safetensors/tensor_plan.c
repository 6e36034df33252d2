#include "engine/safetensors/tensor_plan.h"

#include "base/alloc.h"
#include "base/map.h"

#include <math.h>
#include <stdckdint.h>
#include <stdio.h>

constexpr int64_t FALLBACK_BLOCK = 32; /* of Q8_0 */

static const struct {
  const char *name;
  enum ggml_type type;
  enum ggml_type head_type; /* of the output matrix: coarse types hurt most there */
} quants[] = {
  { "f32", GGML_TYPE_F32, GGML_TYPE_F32 },    { "f16", GGML_TYPE_F16, GGML_TYPE_F16 },
  { "bf16", GGML_TYPE_BF16, GGML_TYPE_BF16 }, { "q8_0", GGML_TYPE_Q8_0, GGML_TYPE_Q8_0 },
  { "q6_k", GGML_TYPE_Q6_K, GGML_TYPE_Q6_K }, { "q5_k", GGML_TYPE_Q5_K, GGML_TYPE_Q6_K },
  { "q4_k", GGML_TYPE_Q4_K, GGML_TYPE_Q6_K }, { "q3_k", GGML_TYPE_Q3_K, GGML_TYPE_Q6_K },
  { "q5_0", GGML_TYPE_Q5_0, GGML_TYPE_Q8_0 }, { "q4_0", GGML_TYPE_Q4_0, GGML_TYPE_Q8_0 },
};

const char *al_tensor_plan_quants(void)
{
  return "f32, f16, bf16, q8_0, q6_k, q5_k, q4_k, q3_k, q5_0, q4_0";
}

/* What making a plan needs at every step. */
struct maker {
  const struct al_hf_family *family;
  const struct al_hf_config *config;
  const struct al_hf_weights *weights;
  struct al_tensor_plan *plan;
  struct al_map *used; /* names of source tensors */
  bool keep_types;
  enum ggml_type wanted;
  enum ggml_type wanted_head;
};

static enum al_code choose_quant(const char *quant, struct maker *m, struct al_err *err)
{
  m->keep_types = quant[0] == '\0';
  for (size_t i = 0; i < AL_COUNT(quants) && !m->keep_types; i++)
    if (al_streq(quants[i].name, quant)) {
      m->wanted = quants[i].type;
      m->wanted_head = quants[i].head_type;
      return AL_OK;
    }
  return m->keep_types ? AL_OK
                       : al_fail_param(err, "quant", "\"%s\" is no type for weights; known are %s", quant,
                                       al_tensor_plan_quants());
}

static int64_t size_of(const struct al_hf_config *c, enum al_size size)
{
  switch (size) {
  case AL_SIZE_NONE: return 0;
  case AL_SIZE_EMBD: return c->n_embd;
  case AL_SIZE_FF: return c->n_ff;
  case AL_SIZE_VOCAB: return c->n_vocab;
  case AL_SIZE_Q: return c->n_heads * c->head_dim;
  case AL_SIZE_KV: return c->n_kv_heads * c->head_dim;
  case AL_SIZE_HEAD: return c->head_dim;
  }
  return 0;
}

static enum al_code source_type(struct al_hf_source source, const char *file, enum ggml_type *type, struct al_err *err)
{
  enum al_st_dtype dtype = source.tensor->dtype;
  if (dtype == AL_ST_F32)
    *type = GGML_TYPE_F32;
  else if (dtype == AL_ST_F16)
    *type = GGML_TYPE_F16;
  else if (dtype == AL_ST_BF16)
    *type = GGML_TYPE_BF16;
  else
    return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" is of type %s; F32, F16 and BF16 are supported", file,
                   (int)source.tensor->name.size, source.tensor->name.data, al_st_dtype_name(dtype));
  return AL_OK;
}

/* Vectors stay F32: norms and biases, small and sensitive. */
static enum ggml_type target_type(const struct maker *m, const struct al_plan_tensor *tensor, bool is_head)
{
  if (tensor->n_dims == 1)
    return GGML_TYPE_F32;
  if (m->keep_types)
    return tensor->source_type;
  enum ggml_type wanted = is_head ? m->wanted_head : m->wanted;
  if (tensor->ne[0] % ggml_blck_size(wanted) == 0)
    return wanted;
  return tensor->ne[0] % FALLBACK_BLOCK == 0 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
}

static enum al_code add_tensor(struct maker *m, const struct al_plan_tensor *tensor, struct al_err *err)
{
  struct al_tensor_plan *plan = m->plan;
  void *array = plan->tensors;
  AL_TRY(al_grow(&array, &plan->capacity, plan->n_tensors + 1, sizeof *plan->tensors, err));
  plan->tensors = array;
  struct al_plan_tensor *added = &plan->tensors[plan->n_tensors];
  *added = *tensor;
  added->row_bytes = ggml_row_size(tensor->type, tensor->ne[0]);
  if (ckd_mul(&added->size_bytes, added->row_bytes, (uint64_t)tensor->ne[1]) ||
      ckd_add(&plan->size_bytes, plan->size_bytes, added->size_bytes))
    return al_fail(err, AL_MODEL_CORRUPT, "the model has more bytes than can be counted");
  plan->n_tensors++;
  return AL_OK;
}

static enum al_code check_shape(const struct maker *m, const struct al_tensor_rule *rule, struct al_hf_source source,
                                struct al_err *err)
{
  const struct al_st_tensor *t = source.tensor;
  int n_dims = rule->shape[1] == AL_SIZE_NONE ? 1 : 2;
  uint64_t want[2] = { (uint64_t)size_of(m->config, rule->shape[0]), (uint64_t)size_of(m->config, rule->shape[1]) };
  if (t->n_dims == n_dims && t->shape[0] == want[0] && (n_dims == 1 || t->shape[1] == want[1]))
    return AL_OK;
  char wanted[64];
  char found[AL_ST_MAX_DIMS * 24] = "";
  (void)snprintf(wanted, sizeof wanted, n_dims == 1 ? "%llu" : "%llu, %llu", (unsigned long long)want[0],
                 (unsigned long long)want[1]);
  for (int i = 0, at = 0; i < t->n_dims; i++)
    at += snprintf(found + at, sizeof found - (size_t)at, i == 0 ? "%llu" : ", %llu", (unsigned long long)t->shape[i]);
  return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%.*s\" has the shape [%s], config.json asks for [%s]",
                 al_hf_weights_file_name(m->weights, source.file), (int)t->name.size, t->name.data, found, wanted);
}

static bool may_be_absent(const struct maker *m, const struct al_tensor_rule *rule)
{
  return (rule->flags & AL_RULE_OPTIONAL) != 0 ||
         ((rule->flags & AL_RULE_HEAD) != 0 && m->config->tied != AL_HF_UNTIED);
}

/* Whether the embeddings serve as output matrix too: then they are typed as that. */
static bool has_tied_head(const struct maker *m)
{
  for (size_t i = 0; i < m->family->n_model_rules; i++) {
    const struct al_tensor_rule *rule = &m->family->model_rules[i];
    if ((rule->flags & AL_RULE_HEAD) != 0)
      return m->config->tied == AL_HF_TIED || al_hf_weights_find(m->weights, rule->source).tensor == nullptr;
  }
  return false;
}

static enum al_code add_from_rule(struct maker *m, const struct al_tensor_rule *rule, const char *target,
                                  const char *source_name, struct al_err *err)
{
  struct al_hf_source source = al_hf_weights_find(m->weights, source_name);
  if (source.tensor == nullptr && may_be_absent(m, rule))
    return AL_OK;
  if (source.tensor == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: tensor \"%s\" is missing", al_hf_weights_file_name(m->weights, 0),
                   source_name);
  AL_TRY(al_map_set(m->used, source.tensor->name, m, err));
  AL_TRY(check_shape(m, rule, source, err));
  bool head = (rule->flags & AL_RULE_HEAD) != 0;
  if (head && m->config->tied == AL_HF_TIED)
    return AL_OK; /* saved beside the embeddings, but they are the same */
  const struct al_st_tensor *t = source.tensor;
  struct al_plan_tensor tensor = {
    .n_dims = t->n_dims,
    .ne = { (int64_t)t->shape[t->n_dims - 1], t->n_dims == 2 ? (int64_t)t->shape[0] : 1 },
    .source = source,
    .transform = (rule->flags & AL_RULE_PAIR_ROWS) != 0 ? AL_TRANSFORM_PAIR_ROWS : AL_TRANSFORM_NONE,
    .head_rows = m->config->head_dim,
  };
  (void)snprintf(tensor.name, sizeof tensor.name, "%s", target);
  AL_TRY(source_type(source, al_hf_weights_file_name(m->weights, source.file), &tensor.source_type, err));
  bool embeddings = al_streq(target, "token_embd.weight");
  tensor.type = target_type(m, &tensor, head || (embeddings && has_tied_head(m)));
  return add_tensor(m, &tensor, err);
}

static enum al_code add_layer(struct maker *m, int64_t layer, struct al_err *err)
{
  for (size_t i = 0; i < m->family->n_layer_rules; i++) {
    const struct al_tensor_rule *rule = &m->family->layer_rules[i];
    char target[GGML_MAX_NAME];
    char source[256];
    (void)snprintf(target, sizeof target, "blk.%lld.%s", (long long)layer, rule->target);
    (void)snprintf(source, sizeof source, "%s.%lld.%s", m->family->layer_prefix, (long long)layer, rule->source);
    AL_TRY(add_from_rule(m, rule, target, source, err));
  }
  return AL_OK;
}

static bool is_ignored(const struct al_hf_family *family, struct al_str name)
{
  for (const char *const *suffix = family->ignored; suffix != nullptr && *suffix != nullptr; suffix++)
    if (al_str_ends(name, al_str(*suffix)))
      return true;
  return false;
}

/* A tensor that nobody asked for would silently change what the model computes. */
static enum al_code check_all_used(const struct maker *m, struct al_err *err)
{
  for (size_t file = 0; file < al_hf_weights_n_files(m->weights); file++) {
    const struct al_st_header *header = al_hf_weights_header(m->weights, file);
    for (size_t i = 0; i < al_st_header_n_tensors(header); i++) {
      struct al_str name = al_st_header_tensor(header, i)->name;
      if (!al_map_has(m->used, name) && !is_ignored(m->family, name))
        return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" has no place in a %s as config.json describes it",
                       al_hf_weights_file_name(m->weights, file), (int)name.size, name.data, m->config->architecture);
    }
  }
  return AL_OK;
}

/* Llama 3's scaling of the rotation (transformers: modeling_rope_utils.py): what each frequency is divided by. Long
 * waves by the factor, short ones not at all, those between by something between. */
static void llama3_factors(const struct al_hf_rope *rope, int64_t head_dim, float *factors)
{
  double context = (double)rope->original_context;
  for (int64_t i = 0; i < head_dim / 2; i++) {
    double wave = 2.0 * M_PI * pow(rope->theta, 2.0 * (double)i / (double)head_dim);
    double smooth = (context / wave - rope->low_freq_factor) / (rope->high_freq_factor - rope->low_freq_factor);
    smooth = fmin(fmax(smooth, 0.0), 1.0);
    factors[i] = (float)(1.0 / ((1.0 - smooth) / rope->factor + smooth));
  }
}

static enum al_code add_rope_factors(struct maker *m, struct al_err *err)
{
  if (m->config->rope.kind != AL_HF_ROPE_LLAMA3)
    return AL_OK;
  int64_t n = m->config->head_dim / 2;
  float *factors = al_calloc((size_t)n, sizeof *factors);
  if (factors == nullptr)
    return al_fail_oom(err, (size_t)n * sizeof *factors);
  llama3_factors(&m->config->rope, m->config->head_dim, factors);
  struct al_plan_tensor tensor = { .name = "rope_freqs.weight",
                                   .type = GGML_TYPE_F32,
                                   .source_type = GGML_TYPE_F32,
                                   .n_dims = 1,
                                   .ne = { n, 1 },
                                   .transform = AL_TRANSFORM_COMPUTED,
                                   .values = factors };
  enum al_code code = add_tensor(m, &tensor, err);
  if (code != AL_OK)
    al_free(factors);
  return code;
}

static enum al_code make(struct maker *m, struct al_err *err)
{
  for (size_t i = 0; i < m->family->n_model_rules; i++) {
    const struct al_tensor_rule *rule = &m->family->model_rules[i];
    AL_TRY(add_from_rule(m, rule, rule->target, rule->source, err));
  }
  AL_TRY(add_rope_factors(m, err));
  for (int64_t layer = 0; layer < m->config->n_layers; layer++)
    AL_TRY(add_layer(m, layer, err));
  return check_all_used(m, err);
}

enum al_code al_tensor_plan_make(const struct al_hf_family *family, const struct al_hf_config *config,
                                 const struct al_hf_weights *weights, const char *quant, struct al_tensor_plan *plan,
                                 struct al_err *err)
{
  constexpr size_t max_tensors = 1 << 18;
  AL_CLEANUP(al_map_free_p) struct al_map *used = al_map_new(max_tensors);
  if (used == nullptr)
    return al_fail_oom(err, 0);
  struct maker m = { .family = family, .config = config, .weights = weights, .plan = plan, .used = used };
  AL_TRY(choose_quant(quant, &m, err));
  AL_TRY(family->check(config, err));
  return make(&m, err);
}

void al_tensor_plan_done(struct al_tensor_plan *plan)
{
  for (size_t i = 0; i < plan->n_tensors; i++)
    al_free(plan->tensors[i].values);
  al_free(plan->tensors);
  *plan = (struct al_tensor_plan){};
}
