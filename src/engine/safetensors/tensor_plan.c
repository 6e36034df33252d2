#include "engine/safetensors/tensor_plan.h"

#include "base/alloc.h"
#include "engine/safetensors/tensor_rule.h"

#include <math.h>
#include <stdckdint.h>
#include <stdio.h>

constexpr size_t MAX_NAME = 256;
constexpr char USUAL_ROOT[] = "model."; /* with which families write their sources */

static enum al_code add_tensor(struct al_tensor_plan *plan, struct al_plan_tensor *tensor, struct al_err *err)
{
  void *array = plan->tensors;
  AL_TRY(al_grow(&array, &plan->capacity, plan->n_tensors + 1, sizeof *plan->tensors, err));
  plan->tensors = array;
  tensor->row_bytes = ggml_row_size(tensor->type, tensor->n_cols);
  if (ckd_mul(&tensor->size_bytes, tensor->row_bytes, (uint64_t)tensor->n_rows) ||
      ckd_mul(&tensor->size_bytes, tensor->size_bytes, (uint64_t)tensor->n_slabs) ||
      ckd_add(&plan->size_bytes, plan->size_bytes, tensor->size_bytes))
    return al_fail(err, AL_MODEL_CORRUPT, "the model has more bytes than can be counted");
  plan->tensors[plan->n_tensors++] = *tensor;
  *tensor = (struct al_plan_tensor){};
  return AL_OK;
}

/* Whether the embeddings serve as output matrix too: then they are typed as that. */
static bool has_tied_head(const struct al_rule_scope *scope)
{
  for (size_t i = 0; i < scope->family->n_model_rules; i++) {
    const struct al_tensor_rule *rule = &scope->family->model_rules[i];
    if ((rule->flags & AL_RULE_HEAD) != 0)
      return scope->config->tied == AL_HF_TIED || al_hf_weights_find(scope->weights, rule->source).tensor == nullptr;
  }
  return false;
}

/* "model." at the start of a source stands for the root that the files have. */
static void with_root(const struct al_rule_scope *scope, const char *source, char out[MAX_NAME])
{
  bool below = scope->root != nullptr && al_str_starts(al_str(source), al_str(USUAL_ROOT));
  (void)snprintf(out, MAX_NAME, "%s%s", below ? scope->root : "", below ? source + strlen(USUAL_ROOT) : source);
}

/* The first of the family's roots that a tensor's name begins with; nullptr: the usual one. */
static const char *find_root(const struct al_hf_family *family, const struct al_hf_weights *weights)
{
  for (const char *const *root = family->roots; root != nullptr && *root != nullptr; root++)
    for (size_t file = 0; file < al_hf_weights_n_files(weights); file++) {
      const struct al_st_header *header = al_hf_weights_header(weights, file);
      for (size_t i = 0; i < al_st_header_n_tensors(header); i++)
        if (al_str_starts(al_st_header_tensor(header, i)->name, al_str(*root)))
          return *root;
    }
  return nullptr;
}

static enum al_code apply(const struct al_rule_scope *scope, const struct al_tensor_rule *rule, const char *target,
                          const char *source, struct al_tensor_plan *plan, struct al_err *err)
{
  AL_CLEANUP(al_plan_tensor_done) struct al_plan_tensor tensor = {};
  char rooted[MAX_NAME];
  with_root(scope, source, rooted);
  AL_TRY(al_tensor_from_rule(scope, rule, rooted, &tensor, err));
  if (tensor.n_dims == 0)
    return AL_OK;
  (void)snprintf(tensor.name, sizeof tensor.name, "%s", target);
  return add_tensor(plan, &tensor, err);
}

static enum al_code add_layer(const struct al_rule_scope *scope, int64_t layer, struct al_tensor_plan *plan,
                              struct al_err *err)
{
  const struct al_hf_family *family = scope->family;
  unsigned kinds = family->layer_kinds != nullptr ? family->layer_kinds(scope->config, layer) : AL_RULE_DENSE_LAYERS;
  for (size_t i = 0; i < family->n_layer_rules; i++) {
    const struct al_tensor_rule *rule = &family->layer_rules[i];
    unsigned only = rule->flags & AL_RULE_ANY_LAYERS;
    if (only != 0 && (only & kinds) == 0)
      continue;
    char target[GGML_MAX_NAME];
    char source[MAX_NAME];
    (void)snprintf(target, sizeof target, "blk.%lld.%s", (long long)layer, rule->target);
    (void)snprintf(source, sizeof source, "%s.%lld.%s", family->layer_prefix, (long long)layer, rule->source);
    AL_TRY(apply(scope, rule, target, source, plan, err));
  }
  return AL_OK;
}

/* Of a layer behind the last one that generates. */
static bool is_of_extra_layer(const struct al_rule_scope *scope, struct al_str name)
{
  size_t prefix = strlen(scope->family->layer_prefix);
  if (!al_str_starts(name, al_str(scope->family->layer_prefix)) || name.size <= prefix || name.data[prefix] != '.')
    return false;
  int64_t layer = 0;
  size_t at = prefix + 1;
  for (; at < name.size && name.data[at] >= '0' && name.data[at] <= '9' && layer < INT32_MAX; at++)
    layer = 10 * layer + (name.data[at] - '0');
  return at > prefix + 1 && at < name.size && name.data[at] == '.' && layer >= scope->config->n_layers &&
         layer < scope->config->n_layers + scope->config->n_extra_layers;
}

/* Scales of activations and of a cache in FP8: neither is kept in FP8 here. */
static bool is_other_scale(const struct al_hf_config *config, struct al_str name)
{
  static const char *const endings[] = { ".input_scale", ".activation_scale", ".k_scale", ".v_scale" };
  for (size_t i = 0; i < AL_COUNT(endings); i++)
    if (config->quantisation.fp8 && al_str_ends(name, al_str(endings[i])))
      return true;
  return false;
}

static bool is_ignored(const struct al_hf_family *family, struct al_str name)
{
  for (const char *const *suffix = family->ignored; suffix != nullptr && *suffix != nullptr; suffix++)
    if (al_str_ends(name, al_str(*suffix)))
      return true;
  for (const char *const *part = family->ignored_parts; part != nullptr && *part != nullptr; part++)
    if (al_str_starts(name, al_str(*part)))
      return true;
  return false;
}

/* A tensor that nobody asked for would silently change what the model computes. */
static enum al_code check_all_used(const struct al_rule_scope *scope, struct al_err *err)
{
  for (size_t file = 0; file < al_hf_weights_n_files(scope->weights); file++) {
    const struct al_st_header *header = al_hf_weights_header(scope->weights, file);
    for (size_t i = 0; i < al_st_header_n_tensors(header); i++) {
      struct al_str name = al_st_header_tensor(header, i)->name;
      if (!al_map_has(scope->used, name) && !is_ignored(scope->family, name) && !is_of_extra_layer(scope, name) &&
          !is_other_scale(scope->config, name))
        return al_fail(err, AL_UNSUPPORTED, "%s: tensor \"%.*s\" has no place in a %s as config.json describes it",
                       al_hf_weights_file_name(scope->weights, file), (int)name.size, name.data,
                       scope->config->architecture);
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

static enum al_code read_factors(const struct al_json *array, float *factors, int64_t n, struct al_err *err)
{
  if (al_json_kind(array) != AL_JSON_ARRAY || al_json_count(array) != (size_t)n)
    return al_fail(err, AL_MODEL_CORRUPT, "config.json: the rope scaling needs %lld short and long factors",
                   (long long)n);
  for (int64_t i = 0; i < n; i++) {
    double factor = al_json_real(al_json_at(array, (size_t)i), NAN);
    if (!(factor > 0.0) || !isfinite(factor))
      return al_fail(err, AL_MODEL_CORRUPT, "config.json: a factor of the rope scaling is no number above 0");
    factors[i] = (float)factor;
  }
  return AL_OK;
}

/* array: where the factors stand; nullptr: Llama 3's are computed. */
static enum al_code add_factors(const struct al_hf_config *config, const char *name, const struct al_json *array,
                                struct al_tensor_plan *plan, struct al_err *err)
{
  int64_t n = (int64_t)((double)config->head_dim * config->rope.partial_factor) / 2;
  AL_CLEANUP(al_plan_tensor_done) struct al_plan_tensor tensor = { .type = GGML_TYPE_F32,
                                                                   .source_type = GGML_TYPE_F32,
                                                                   .n_dims = 1,
                                                                   .ne = { n, 1, 1 },
                                                                   .n_cols = n,
                                                                   .n_rows = 1,
                                                                   .n_slabs = 1,
                                                                   .values = al_calloc((size_t)n, sizeof(float)) };
  if (tensor.values == nullptr)
    return al_fail_oom(err, (size_t)n * sizeof(float));
  (void)snprintf(tensor.name, sizeof tensor.name, "%s", name);
  if (config->rope.kind == AL_HF_ROPE_LLAMA3)
    llama3_factors(&config->rope, config->head_dim, tensor.values);
  else
    AL_TRY(read_factors(array, tensor.values, n, err));
  return add_tensor(plan, &tensor, err);
}

static enum al_code add_rope_factors(const struct al_hf_config *config, struct al_tensor_plan *plan, struct al_err *err)
{
  const struct al_hf_rope *rope = &config->rope;
  if (rope->kind == AL_HF_ROPE_LLAMA3)
    return add_factors(config, "rope_freqs.weight", nullptr, plan, err);
  if (rope->kind != AL_HF_ROPE_LONGROPE)
    return AL_OK;
  AL_TRY(add_factors(config, "rope_factors_long.weight", rope->long_factors, plan, err));
  return add_factors(config, "rope_factors_short.weight", rope->short_factors, plan, err);
}

static bool is_planned(const struct al_tensor_plan *plan, const char *target)
{
  for (size_t i = 0; i < plan->n_tensors; i++)
    if (al_streq(plan->tensors[i].name, target))
      return true;
  return false;
}

static enum al_code make(const struct al_rule_scope *scope, struct al_tensor_plan *plan, struct al_err *err)
{
  for (size_t i = 0; i < scope->family->n_model_rules; i++) {
    const struct al_tensor_rule *rule = &scope->family->model_rules[i];
    if (!is_planned(plan, rule->target))
      AL_TRY(apply(scope, rule, rule->target, rule->source, plan, err));
  }
  AL_TRY(add_rope_factors(scope->config, plan, err));
  for (int64_t layer = 0; layer < scope->config->n_layers; layer++)
    AL_TRY(add_layer(scope, layer, plan, err));
  return check_all_used(scope, err);
}

enum al_code al_tensor_plan_make(const struct al_hf_family *family, const struct al_hf_config *config,
                                 const struct al_hf_weights *weights, const char *quant, struct al_tensor_plan *plan,
                                 struct al_err *err)
{
  constexpr size_t max_tensors = 1 << 18;
  AL_CLEANUP(al_map_free_p) struct al_map *used = al_map_new(max_tensors);
  if (used == nullptr)
    return al_fail_oom(err, 0);
  struct al_rule_scope scope = { .family = family, .config = config, .weights = weights, .used = used };
  AL_TRY(al_weight_wish(quant, &scope.wish, err));
  scope.root = find_root(family, weights);
  scope.tied = has_tied_head(&scope);
  return make(&scope, plan, err);
}

void al_tensor_plan_done(struct al_tensor_plan *plan)
{
  for (size_t i = 0; i < plan->n_tensors; i++)
    al_plan_tensor_done(&plan->tensors[i]);
  al_free(plan->tensors);
  *plan = (struct al_tensor_plan){};
}
