#include "api/text_params.h"

#include "api/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

constexpr size_t MAX_MODEL_BYTES = 512;
constexpr size_t MAX_STOP = 16;
constexpr size_t MAX_STOP_BYTES = 1024;
constexpr size_t MAX_LOGIT_BIAS = 4096;
constexpr size_t MAX_METADATA = 16;
constexpr size_t MAX_METADATA_KEY = 64;
constexpr size_t MAX_METADATA_CHARS = 512; /* of a value */

void al_api_text_params_init(struct al_api_text_params *params, struct al_arena *arena)
{
  *params = (struct al_api_text_params){ .arena = arena, .sampling = al_sampling_default() };
  params->parallel_tool_calls = true;
  params->sampling.temperature = NAN; /* the model's own, unless the request says otherwise */
  params->sampling.top_p = NAN;
  params->sampling.top_k = -1;
}

enum al_code al_api_json_copy(struct al_arena *arena, const struct al_json *value, struct al_str *copy,
                              struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_json_print(&text, value);
  AL_TRY(al_buf_check(&text, err));
  char *data = al_arena_strndup(arena, text.data, text.size);
  if (data == nullptr)
    return al_fail_oom(err, text.size);
  *copy = al_str_n(data, text.size);
  return AL_OK;
}

/* --- model ------------------------------------------------------------------------------------------------------ */

static bool is_plain_part(struct al_str part)
{
  return part.size > 0 && !al_str_is(part, ".") && !al_str_is(part, "..");
}

static bool is_model_name(struct al_str name)
{
  if (name.size == 0 || name.size > MAX_MODEL_BYTES)
    return false;
  size_t begin = 0;
  for (size_t i = 0; i <= name.size; i++) {
    if (i < name.size && ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f || name.data[i] == '\\'))
      return false;
    if (i < name.size && name.data[i] != '/')
      continue;
    if (!is_plain_part(al_str_n(name.data + begin, i - begin)))
      return false;
    begin = i + 1;
  }
  return true;
}

enum al_code al_api_model_name(struct al_arena *arena, struct al_str name, const char **copy, struct al_err *err)
{
  if (!is_model_name(name))
    return al_fail_param(err, "model",
                         "model is not a model's name: 1 to %zu bytes, parts separated by '/', none of them empty, "
                         "\".\" or \"..\", no control characters",
                         MAX_MODEL_BYTES);
  char *text = al_arena_strndup(arena, name.data, name.size);
  if (text == nullptr)
    return al_fail_oom(err, name.size);
  *copy = text;
  return AL_OK;
}

enum al_code al_api_read_model(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  struct al_arena *arena = *(struct al_arena **)target;
  struct al_str name = {};
  AL_TRY(al_json_want_str(body, "", param->name, &name, nullptr, err));
  return al_api_model_name(arena, name, (const char **)((char *)target + param->offset), err);
}

/* --- stop ------------------------------------------------------------------------------------------------------- */

static enum al_code add_stop(struct al_api_text_params *params, const struct al_json *value, const char *path,
                             struct al_err *err)
{
  if (al_json_kind(value) != AL_JSON_STRING)
    return al_api_wrong_kind(err, path, "a string", value);
  struct al_str text = al_json_str(value);
  if (text.size == 0 || text.size > MAX_STOP_BYTES || memchr(text.data, '\0', text.size) != nullptr)
    return al_fail_param(err, path, "%s must be 1 to %zu bytes long, without NUL", path, MAX_STOP_BYTES);
  char *copy = al_arena_strndup(params->arena, text.data, text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  params->stop[params->n_stop++] = copy;
  return AL_OK;
}

enum al_code al_api_read_stop(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  struct al_api_text_params *params = target;
  const struct al_json *value = al_json_get(body, param->name);
  bool is_list = al_json_kind(value) == AL_JSON_ARRAY;
  if (!is_list && al_json_kind(value) != AL_JSON_STRING)
    return al_api_wrong_kind(err, param->name, "a string or an array of strings", value);
  if (al_json_count(value) > MAX_STOP && is_list)
    return al_fail_param(err, param->name, "%s may have at most %zu strings, not %zu", param->name, MAX_STOP,
                         al_json_count(value));
  params->stop = al_arena_array(params->arena, MAX_STOP, sizeof *params->stop);
  if (params->stop == nullptr)
    return al_fail_oom(err, MAX_STOP * sizeof *params->stop);
  if (!is_list)
    return add_stop(params, value, param->name, err);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    char path[48];
    (void)snprintf(path, sizeof path, "%s[%zu]", param->name, it.index);
    AL_TRY(add_stop(params, it.value, path, err));
  }
  return AL_OK;
}

/* --- logit_bias, seed ------------------------------------------------------------------------------------------- */

static bool token_of(struct al_str key, int32_t *token)
{
  char digits[12];
  if (key.size == 0 || key.size > 10 || key.data[0] < '0' || key.data[0] > '9')
    return false;
  memcpy(digits, key.data, key.size);
  digits[key.size] = '\0';
  char *end = nullptr;
  long long value = strtoll(digits, &end, 10);
  if (*end != '\0' || value > INT32_MAX)
    return false;
  *token = (int32_t)value;
  return true;
}

static enum al_code read_bias(const struct al_json_iter *it, const char *name, struct al_logit_bias *bias,
                              struct al_err *err)
{
  char path[64];
  al_api_path(path, sizeof path, name, it->key);
  if (!token_of(it->key, &bias->token))
    return al_fail_param(err, path, "%s: the keys of logit_bias are token ids", path);
  enum al_json_kind kind = al_json_kind(it->value);
  if (kind != AL_JSON_INT && kind != AL_JSON_REAL)
    return al_api_wrong_kind(err, path, "a number", it->value);
  double value = al_json_real(it->value, 0);
  if (!(value >= -100 && value <= 100))
    return al_fail_param(err, path, "%s must be between -100 and 100", path);
  bias->bias = (float)value;
  return AL_OK;
}

static enum al_code read_logit_bias(const struct al_api_param *param, const struct al_json *body, void *target,
                                    struct al_err *err)
{
  struct al_api_text_params *params = target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  size_t count = al_json_count(value);
  if (count > MAX_LOGIT_BIAS)
    return al_fail_param(err, param->name, "logit_bias may have at most %zu members, not %zu", MAX_LOGIT_BIAS, count);
  if (count == 0)
    return AL_OK;
  struct al_logit_bias *biases = al_arena_array(params->arena, count, sizeof *biases);
  if (biases == nullptr)
    return al_fail_oom(err, count * sizeof *biases);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it))
    AL_TRY(read_bias(&it, param->name, &biases[it.index], err));
  params->sampling.logit_bias = biases;
  params->sampling.n_logit_bias = count;
  return AL_OK;
}

enum al_code al_api_read_seed(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  struct al_api_text_params *params = target;
  int64_t seed = 0;
  AL_TRY(al_json_want_int(body, "", param->name, INT64_MIN, INT64_MAX, &seed, nullptr, err));
  params->sampling.seed = (uint64_t)seed;
  params->sampling.has_seed = true;
  return AL_OK;
}

/* --- metadata, chat_template_kwargs, stream_options ----------------------------------------------------------------
 */

static size_t n_chars(struct al_str utf8)
{
  size_t count = 0;
  for (size_t i = 0; i < utf8.size; i++)
    count += ((unsigned char)utf8.data[i] & 0xc0) != 0x80;
  return count;
}

static enum al_code check_metadata(const struct al_json_iter *it, struct al_err *err)
{
  char path[64];
  al_api_path(path, sizeof path, "metadata", it->key);
  if (it->key.size > MAX_METADATA_KEY)
    return al_fail_param(err, path, "The keys of metadata may have at most %zu bytes", MAX_METADATA_KEY);
  if (al_json_kind(it->value) != AL_JSON_STRING)
    return al_api_wrong_kind(err, path, "a string", it->value);
  if (n_chars(al_json_str(it->value)) > MAX_METADATA_CHARS)
    return al_fail_param(err, path, "%s may have at most %zu characters", path, MAX_METADATA_CHARS);
  return AL_OK;
}

static enum al_code read_metadata(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  struct al_api_text_params *params = target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  if (al_json_count(value) > MAX_METADATA)
    return al_fail_param(err, param->name, "metadata may have at most %zu members", MAX_METADATA);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it))
    AL_TRY(check_metadata(&it, err));
  return al_api_json_copy(params->arena, value, &params->metadata, err);
}

static enum al_code read_template_kwargs(const struct al_api_param *param, const struct al_json *body, void *target,
                                         struct al_err *err)
{
  /* These come from the request itself or from the model; a second definition would contradict them. */
  static const char *const taken[] = { "messages",  "tools",     "add_generation_prompt",
                                       "bos_token", "eos_token", "continue_final_message" };
  struct al_api_text_params *params = target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  for (size_t i = 0; i < AL_COUNT(taken); i++)
    if (al_json_get(value, taken[i]) != nullptr) {
      char path[64];
      al_api_path(path, sizeof path, param->name, al_str(taken[i]));
      return al_fail_param(err, path, "%s cannot be set: it is the server's", path);
    }
  params->template_kwargs = value;
  return AL_OK;
}

void al_api_chat_begin(struct al_json_writer *w)
{
  al_jw_object(w);
  al_jw_key(w, "messages");
  al_jw_array(w);
}

enum al_code al_api_chat_end(struct al_json_writer *w, const struct al_api_text_params *params,
                             struct al_json_doc **chat, struct al_err *err)
{
  al_jw_end(w);
  if (params->tools.size > 0)
    al_jw_kv_raw(w, "tools", params->tools);
  const struct al_json *kwargs = params->template_kwargs;
  if (params->reasoning_effort != nullptr && al_json_get(kwargs, "reasoning_effort") == nullptr)
    al_jw_kv_str(w, "reasoning_effort", params->reasoning_effort);
  if (params->sets_thinking && al_json_get(kwargs, "enable_thinking") == nullptr)
    al_jw_kv_bool(w, "enable_thinking", params->thinks);
  struct al_json_iter it = al_json_iter(kwargs);
  while (al_json_next(&it)) {
    al_jw_key_n(w, it.key);
    al_jw_value(w, it.value);
  }
  al_jw_end(w);
  AL_TRY(al_buf_check(w->out, err));
  return al_json_parse(al_buf_view(w->out), chat, err);
}

enum al_code al_api_read_reasoning_effort(const struct al_api_param *param, const struct al_json *body, void *target,
                                          struct al_err *err)
{
  static const char *const words[] = { "none", "minimal", "low", "medium", "high", "xhigh", "max" };
  struct al_api_text_params *params = target;
  struct al_str value = {};
  AL_TRY(al_json_want_str(body, "", param->name, &value, nullptr, err));
  for (size_t i = 0; i < AL_COUNT(words); i++)
    if (al_str_is(value, words[i])) {
      params->reasoning_effort = words[i];
      params->sets_thinking = true;
      params->thinks = i > 0;
      return AL_OK;
    }
  return al_fail_param(err, param->name, "%s must be none, minimal, low, medium, high, xhigh or max", param->name);
}

/* llama-server's: where reasoning goes. "deepseek" is what "auto" does. */
static enum al_code read_reasoning_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                          struct al_err *err)
{
  struct al_api_text_params *params = target;
  struct al_str value = {};
  AL_TRY(al_json_want_str(body, "", param->name, &value, nullptr, err));
  params->keeps_reasoning = al_str_is(value, "none");
  if (params->keeps_reasoning || al_str_is(value, "auto") || al_str_is(value, "deepseek"))
    return AL_OK;
  return al_api_unsupported(err, param->name, "reasoning_format: this value is not supported; possible: auto, none");
}

static enum al_code read_stream_options(const struct al_api_param *param, const struct al_json *body, void *target,
                                        struct al_err *err)
{
  static const char *const keys[] = { "include_usage", "include_obfuscation", nullptr };
  struct al_api_text_params *params = target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  AL_TRY(al_api_only_keys(value, param->name, keys, err));
  AL_TRY(al_json_want_bool(value, param->name, keys[0], &params->include_usage, nullptr, err));
  bool obfuscate = false;
  AL_TRY(al_json_want_bool(value, param->name, keys[1], &obfuscate, nullptr, err));
  return obfuscate ? al_api_unsupported(err, "stream_options.include_obfuscation",
                                        "stream_options.include_obfuscation is not supported")
                   : AL_OK;
}

/* ---------------------------------------------------------------------------------------------------------------- */

#define FIELD(member) offsetof(struct al_api_text_params, member)
#define REAL(name_, member, least_, most_)                                                                             \
  { .name = (name_), .read = al_api_read_float, .offset = FIELD(sampling.member), .least = (least_), .most = (most_) }
#define INT(name_, member, least_, most_)                                                                              \
  { .name = (name_), .read = al_api_read_int, .offset = FIELD(sampling.member), .least = (least_), .most = (most_) }

static const struct al_api_param shared[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(model) },
  { .name = "stream", .read = al_api_read_bool, .offset = FIELD(stream) },
  { .name = "stream_options", .read = read_stream_options },
  REAL("temperature", temperature, 0, 2),
  REAL("top_p", top_p, 0, 1),
  REAL("presence_penalty", presence_penalty, -2, 2),
  REAL("frequency_penalty", frequency_penalty, -2, 2),
  { .name = "seed", .read = al_api_read_seed },
  { .name = "stop", .read = al_api_read_stop },
  { .name = "logit_bias", .read = read_logit_bias },
  { .name = "metadata", .read = read_metadata },
  /* Beyond OpenAI's API: docs/api.md */
  INT("top_k", top_k, 0, 1'000'000),
  REAL("min_p", min_p, 0, 1),
  REAL("typical_p", typical_p, 0, 1),
  REAL("repeat_penalty", repeat_penalty, 0, 10),
  INT("repeat_last_n", penalty_last_n, -1, 1'000'000),
  REAL("dry_multiplier", dry_multiplier, 0, 100),
  REAL("dry_base", dry_base, 0, 100),
  INT("dry_allowed_length", dry_allowed_length, 0, 1'000'000),
  INT("dry_penalty_last_n", dry_last_n, -1, 1'000'000),
  REAL("xtc_probability", xtc_probability, 0, 1),
  REAL("xtc_threshold", xtc_threshold, 0, 1),
  INT("mirostat", mirostat, 0, 2),
  REAL("mirostat_tau", mirostat_tau, 0, 100),
  REAL("mirostat_eta", mirostat_eta, 0, 1),
  { .name = "ignore_eos", .read = al_api_read_bool, .offset = FIELD(ignore_eos) },
  { .name = "chat_template_kwargs", .read = read_template_kwargs },
  { .name = "parallel_tool_calls", .read = al_api_read_bool, .offset = FIELD(parallel_tool_calls) },
  { .name = "reasoning_format", .read = read_reasoning_format },
  { .name = "grammar", .read = al_api_read_grammar },
  { .name = "lora", .read = al_api_read_lora },
  /* Named so that whoever sends them knows: nothing here would honour them. */
  { .name = "moderation", .read = al_api_refuse, .words = "there is no moderation model here" },
  { .name = "prompt_cache_options", .read = al_api_refuse, .words = "prefixes are cached without being asked" },
  { .name = "prompt_cache_retention", .read = al_api_check_word, .words = "in_memory|in-memory" },
};

const struct al_api_param_table al_api_text_table = { shared, AL_COUNT(shared) };

enum al_code al_api_text_params_check(const struct al_api_text_params *params, const struct al_json *body,
                                      struct al_err *err)
{
  if (params->model == nullptr)
    return al_api_missing(err, "model");
  enum al_json_kind options = al_json_kind(al_json_get(body, "stream_options"));
  if (options == AL_JSON_OBJECT && !params->stream)
    return al_fail_param(err, "stream_options", "stream_options is only allowed when stream is true");
  return AL_OK;
}
