#include "base/alloc.h"
#include "base/buf.h"
#include "codec/json_python.h"
#include "os/file.h"
#include "store/describe.h"
#include "store/family.h"

constexpr size_t MAX_CONFIG_BYTES = 4 << 20;
constexpr size_t MAX_PATH = 4096;

static enum al_code read_json(const char *path, struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(al_file_read(path, MAX_CONFIG_BYTES, &text, err));
  AL_TRY(al_json_parse_python(&text, doc, err));
  if (al_json_kind(al_json_root(*doc)) != AL_JSON_OBJECT)
    return al_fail(err, AL_MODEL_CORRUPT, "it is no JSON object");
  return AL_OK;
}

static bool lies_beside(const struct al_model_descriptor *model, const char *name)
{
  char path[MAX_PATH];
  struct al_file_info info;
  return al_path_join(path, sizeof path, model->directory, name, nullptr) == AL_OK &&
         al_file_stat(path, &info, nullptr) == AL_OK;
}

static enum al_code set_str(char **field, struct al_str text, struct al_err *err)
{
  char *copy = al_strndup(text.data != nullptr ? text.data : "", text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  al_free(*field);
  *field = copy;
  return AL_OK;
}

/* The name under which a family keeps its context length, in the order of preference. */
static int64_t context_length(const struct al_json *config)
{
  static const char *const keys[] = { "max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "n_ctx" };
  const struct al_json *text = al_json_get(config, "text_config");
  for (size_t i = 0; i < AL_COUNT(keys); i++) {
    int64_t value = al_json_int(al_json_get(config, keys[i]), 0);
    if (value <= 0)
      value = al_json_int(al_json_get(text, keys[i]), 0);
    if (value > 0)
      return value;
  }
  return 0;
}

/* compressed-tensors packs in many ways; 8-bit floating point is one that can be read. */
static bool is_fp8(const struct al_json *quantised)
{
  const struct al_json *groups = al_json_get(quantised, "config_groups");
  struct al_json_iter it = al_json_iter(groups);
  while (al_json_next(&it)) {
    const struct al_json *weights = al_json_get(it.value, "weights");
    if (al_json_int(al_json_get(weights, "num_bits"), 0) != 8 ||
        !al_str_is(al_json_str(al_json_get(weights, "type")), "float"))
      return false;
  }
  return al_json_count(groups) > 0;
}

/* "mxfp4", "fp8", "gptq": what the packed tensors' own types do not tell. */
static enum al_code take_quantisation(struct al_model_descriptor *model, const struct al_json *config,
                                      struct al_err *err)
{
  const struct al_json *quantised = al_json_get(config, "quantization_config");
  struct al_str method = al_json_str(al_json_get(quantised, "quant_method"));
  if (method.size == 0)
    return AL_OK;
  if (is_fp8(quantised))
    method = al_str("fp8");
  AL_TRY(set_str(&model->quantisation, method, err));
  for (char *p = model->quantisation; *p != '\0'; p++)
    *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
  return AL_OK;
}

static enum al_code take_config(struct al_model_descriptor *model, const struct al_json *config, struct al_err *err)
{
  const struct al_family_hints hints = {
    .architecture = al_json_str(al_json_at(al_json_get(config, "architectures"), 0)),
    .model_type = al_json_str(al_json_get(config, "model_type")),
    .has_vision = al_json_kind(al_json_get(config, "vision_config")) == AL_JSON_OBJECT,
    .is_sentence_model = lies_beside(model, "modules.json"),
  };
  model->type = al_family_of_config(&hints);
  model->n_ctx_train = context_length(config);
  if (al_family_reranks(hints.architecture))
    model->capabilities |= AL_CAN_RERANK;
  if (hints.architecture.size == 0 && hints.model_type.size == 0)
    al_describe_problem(model, AL_MODEL_CORRUPT, "config.json names neither architectures nor model_type");
  AL_TRY(take_quantisation(model, config, err));
  return set_str(&model->architecture, hints.architecture.size > 0 ? hints.architecture : hints.model_type, err);
}

/* A diffusers pipeline: model_index.json names its class. */
static enum al_code take_pipeline(struct al_model_descriptor *model, const struct al_json *index, struct al_err *err)
{
  model->type = AL_TYPE_IMAGE;
  return set_str(&model->architecture, al_json_str(al_json_get(index, "_class_name")), err);
}

enum al_code al_describe_config(struct al_model_descriptor *model, struct al_err *err)
{
  bool is_pipeline = lies_beside(model, "model_index.json");
  char path[MAX_PATH] = "config.json";
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_err failure = {};
  enum al_code code =
      al_path_join(path, sizeof path, model->directory, is_pipeline ? "model_index.json" : "config.json", &failure);
  if (code == AL_OK)
    code = read_json(path, &doc, &failure);
  if (code != AL_OK)
    return al_describe_failure(model, path, &failure, err);
  const struct al_json *root = al_json_root(doc);
  return is_pipeline ? take_pipeline(model, root, err) : take_config(model, root, err);
}

enum al_code al_describe_adapter(struct al_model_descriptor *model, struct al_err *err)
{
  model->type = AL_TYPE_ADAPTER;
  char path[MAX_PATH] = "";
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_err failure = {};
  enum al_code code = al_path_join(path, sizeof path, model->directory, AL_ADAPTER_CONFIG, &failure);
  if (code == AL_OK)
    code = read_json(path, &doc, &failure);
  if (code != AL_OK)
    return al_describe_failure(model, AL_ADAPTER_CONFIG, &failure, err);
  const struct al_json *root = al_json_root(doc);
  AL_TRY(set_str(&model->architecture, al_json_str(al_json_get(root, "peft_type")), err));
  return set_str(&model->base, al_json_str(al_json_get(root, "base_model_name_or_path")), err);
}
