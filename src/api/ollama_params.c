/* The members of Ollama's requests that chat and generate share. */
#include "api/ollama.h"

#include <math.h>
#include <stdlib.h>

constexpr int MOST_LOGPROBS = 20;

void al_api_ollama_request_init(struct al_api_ollama_request *request, struct al_arena *arena)
{
  *request = (struct al_api_ollama_request){};
  al_api_text_params_init(&request->text, arena);
  request->text.stream = true;
}

void al_api_ollama_request_done(struct al_api_ollama_request *request)
{
  if (request != nullptr)
    al_json_doc_free(request->kwargs);
}

/* --- options ----------------------------------------------------------------------------------------------------- */

/* -1 and -2 (until the end, until the context is full) are no limit. */
static enum al_code read_num_predict(const struct al_api_param *param, const struct al_json *options, void *target,
                                     struct al_err *err)
{
  struct al_api_text_params *text = target;
  int64_t value = 0;
  AL_TRY(al_json_want_int(options, "options", param->name, -2, INT32_MAX, &value, nullptr, err));
  if (value == 0)
    return al_api_unsupported(err, "options.num_predict", "options.num_predict must be at least 1, or -1 for no limit");
  text->max_tokens = value > 0 ? value : 0;
  return AL_OK;
}

/* The context of a model is settled when it is loaded: what it has anyway may be asked for. */
static enum al_code read_num_ctx(const struct al_api_param *param, const struct al_json *options_value, void *target,
                                 struct al_err *err)
{
  struct al_api_ollama_request *request = target;
  return al_json_want_int(options_value, "options", param->name, 1, INT32_MAX, &request->n_ctx, nullptr, err);
}

#define LOADING       "the server's own settings decide how a model is loaded"
#define FIELD(member) offsetof(struct al_api_text_params, member)
#define REAL(name_, member, least_, most_)                                                                             \
  { .name = (name_), .read = al_api_read_float, .offset = FIELD(sampling.member), .least = (least_), .most = (most_) }
#define INT(name_, member, least_, most_)                                                                              \
  { .name = (name_), .read = al_api_read_int, .offset = FIELD(sampling.member), .least = (least_), .most = (most_) }

static const struct al_api_param options[] = {
  { .name = "num_predict", .read = read_num_predict },
  { .name = "seed", .read = al_api_read_seed },
  { .name = "stop", .read = al_api_read_stop },
  REAL("temperature", temperature, 0, 2),
  REAL("top_p", top_p, 0, 1),
  INT("top_k", top_k, 0, 1'000'000),
  REAL("min_p", min_p, 0, 1),
  REAL("typical_p", typical_p, 0, 1),
  REAL("repeat_penalty", repeat_penalty, 0, 10),
  INT("repeat_last_n", penalty_last_n, -1, 1'000'000),
  REAL("presence_penalty", presence_penalty, -2, 2),
  REAL("frequency_penalty", frequency_penalty, -2, 2),
  INT("mirostat", mirostat, 0, 2),
  REAL("mirostat_tau", mirostat_tau, 0, 100),
  REAL("mirostat_eta", mirostat_eta, 0, 1),
  { .name = "num_ctx", .read = read_num_ctx },
  { .name = "num_batch", .read = al_api_refuse, .words = LOADING },
  { .name = "num_gpu", .read = al_api_refuse, .words = LOADING },
  { .name = "main_gpu", .read = al_api_refuse, .words = LOADING },
  { .name = "num_thread", .read = al_api_refuse, .words = LOADING },
  { .name = "use_mmap", .read = al_api_refuse, .words = LOADING },
  { .name = "num_keep", .read = al_api_refuse, .words = "the context is not shifted" },
};

static enum al_code read_options(const struct al_api_param *param, const struct al_json *body, void *target,
                                 struct al_err *err)
{
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  return al_api_params_read(&(struct al_api_param_table){ options, AL_COUNT(options) }, 1, value, target, err);
}

/* --- format, think, keep_alive ----------------------------------------------------------------------------------- */

static enum al_code read_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  struct al_api_text_params *text = target;
  const struct al_json *value = al_json_get(body, param->name);
  struct al_str word = al_json_str(value);
  text->format_path = "format";
  if (al_json_kind(value) == AL_JSON_OBJECT) {
    text->format = AL_FORMAT_JSON_SCHEMA;
    text->schema = value;
    return AL_OK;
  }
  if (al_json_kind(value) != AL_JSON_STRING)
    return al_api_wrong_kind(err, param->name, "\"json\" or a JSON schema", value);
  if (word.size > 0 && !al_str_is(word, "json"))
    return al_fail_param(err, param->name, "format must be \"json\" or a JSON schema");
  text->format = word.size > 0 ? AL_FORMAT_JSON_OBJECT : AL_FORMAT_TEXT;
  return AL_OK;
}

static enum al_code write_kwargs(struct al_api_ollama_request *request, bool thinks, struct al_err *err)
{
  al_json_doc_free(AL_TAKE(request->kwargs));
  AL_TRY(al_json_parse(al_str(thinks ? "{\"enable_thinking\":true}" : "{\"enable_thinking\":false}"), &request->kwargs,
                       err));
  request->text.template_kwargs = al_json_root(request->kwargs);
  return AL_OK;
}

static enum al_code read_think(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  static const char *const efforts[] = { "low", "medium", "high" };
  struct al_api_ollama_request *request = target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) == AL_JSON_BOOL)
    return write_kwargs(request, al_json_bool(value, false), err);
  for (size_t i = 0; i < AL_COUNT(efforts); i++)
    if (al_str_is(al_json_str(value), efforts[i])) {
      request->text.reasoning_effort = efforts[i];
      return write_kwargs(request, true, err);
    }
  return al_fail_param(err, param->name, "think must be true, false, \"low\", \"medium\" or \"high\"");
}

/* "5m", "24h", "-1m" or seconds. Models stay as long as there is memory, so only "go at once" needs an act. */
static enum al_code read_keep_alive(const struct al_api_param *param, const struct al_json *body, void *target,
                                    struct al_err *err)
{
  struct al_api_ollama_request *request = target;
  const struct al_json *value = al_json_get(body, param->name);
  double amount = al_json_real(value, NAN);
  if (al_json_kind(value) == AL_JSON_STRING) {
    char text[32] = "", *end = nullptr;
    struct al_str given = al_json_str(value);
    if (given.size > 0 && given.size < sizeof text)
      memcpy(text, given.data, given.size);
    amount = strtod(text, &end);
    if (end == text || strspn(end, "nuµmsh") != strlen(end))
      amount = NAN;
  }
  if (isnan(amount))
    return al_fail_param(err, param->name, "keep_alive must be a duration such as \"5m\", or a number of seconds");
  request->unload_after = amount == 0;
  return AL_OK;
}

static enum al_code read_top_logprobs(const struct al_api_param *param, const struct al_json *body, void *target,
                                      struct al_err *err)
{
  struct al_api_text_params *text = target;
  int64_t count = 0;
  AL_TRY(al_json_want_int(body, "", param->name, 0, MOST_LOGPROBS, &count, nullptr, err));
  if (!al_json_bool(al_json_get(body, "logprobs"), false))
    return al_fail_param(err, param->name, "top_logprobs needs logprobs to be true");
  text->logprobs = (int)count + 1;
  return AL_OK;
}

static enum al_code read_logprobs(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  struct al_api_text_params *text = target;
  bool wanted = false;
  AL_TRY(al_json_want_bool(body, "", param->name, &wanted, nullptr, err));
  if (wanted && text->logprobs == 0)
    text->logprobs = 1;
  return AL_OK;
}

static const struct al_api_param shared[] = {
  { .name = "model", .read = al_api_ollama_read_model, .offset = FIELD(model) },
  { .name = "stream", .read = al_api_read_bool, .offset = FIELD(stream) },
  { .name = "options", .read = read_options },
  { .name = "format", .read = read_format },
  { .name = "think", .read = read_think },
  { .name = "keep_alive", .read = read_keep_alive },
  { .name = "logprobs", .read = read_logprobs },
  { .name = "top_logprobs", .read = read_top_logprobs },
};

const struct al_api_param_table al_api_ollama_table = { shared, AL_COUNT(shared) };
