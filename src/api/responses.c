/* POST /v1/responses. */
#include "api/body.h"
#include "api/errors.h"
#include "api/messages.h"
#include "api/response.h"
#include "base/clock.h"

#include <stdio.h>

struct responses_request { /* what the tables read into; the shared parameters first */
  struct al_api_text_params text;
  const struct al_json *input;
  struct al_str instructions; /* the text */
  struct al_str instructions_json;
  struct al_str user, safety_identifier, prompt_cache_key; /* as JSON */
  int64_t max_output_tokens;
  int64_t max_tool_calls;
  bool truncate;
  bool parallel_tool_calls;
};

/* --- the request ------------------------------------------------------------------------------------------------- */

/* A string that is echoed: kept as JSON. */
static enum al_code read_echo(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  struct responses_request *request = target;
  AL_TRY(al_api_check_str(param, body, target, err));
  struct al_str *field = (struct al_str *)((char *)target + param->offset);
  return al_api_json_copy(request->text.arena, al_json_get(body, param->name), field, err);
}

static enum al_code read_instructions(const struct al_api_param *param, const struct al_json *body, void *target,
                                      struct al_err *err)
{
  struct responses_request *request = target;
  AL_TRY(read_echo(param, body, target, err));
  request->instructions = al_json_str(al_json_get(body, param->name));
  return AL_OK;
}

static enum al_code read_truncation(const struct al_api_param *param, const struct al_json *body, void *target,
                                    struct al_err *err)
{
  struct responses_request *request = target;
  struct al_str word = {};
  AL_TRY(al_json_want_str(body, "", param->name, &word, nullptr, err));
  request->truncate = al_str_is(word, "auto");
  if (request->truncate || al_str_is(word, "disabled"))
    return AL_OK;
  return al_fail_param(err, param->name, "truncation must be \"auto\" or \"disabled\"");
}

static enum al_code check_text(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  (void)target;
  static const char *const keys[] = { "format", "verbosity", nullptr };
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  AL_TRY(al_api_only_keys(value, param->name, keys, err));
  struct al_str verbosity = al_str("medium");
  AL_TRY(al_json_want_str(value, param->name, "verbosity", &verbosity, nullptr, err));
  if (!al_str_is(verbosity, "medium"))
    return al_api_unsupported(err, "text.verbosity", "text.verbosity: only \"medium\" is supported");
  const struct al_json *format = al_json_get(value, "format");
  enum al_json_kind kind = al_json_kind(format);
  return kind == AL_JSON_ABSENT || kind == AL_JSON_NULL ? AL_OK : al_api_check_text_format(format, "text.format", err);
}

static enum al_code check_reasoning(const struct al_api_param *param, const struct al_json *body, void *target,
                                    struct al_err *err)
{
  (void)target;
  static const char *const keys[] = { "effort", "summary", "generate_summary", nullptr };
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  AL_TRY(al_api_only_keys(value, param->name, keys, err));
  struct al_str effort = al_str("none");
  AL_TRY(al_json_want_str(value, param->name, "effort", &effort, nullptr, err));
  if (!al_str_is(effort, "none"))
    return al_api_unsupported(err, "reasoning.effort", "reasoning.effort: only \"none\" is supported yet");
  for (size_t i = 1; i < 3; i++) {
    enum al_json_kind kind = al_json_kind(al_json_get(value, keys[i]));
    if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
      continue;
    char path[64];
    al_api_path(path, sizeof path, param->name, al_str(keys[i]));
    return al_api_unsupported(err, path, "%s is not supported yet", path);
  }
  return AL_OK;
}

/* What may be asked for because no answer here has the item that it would add to: there are neither reasoning items
 * nor tools. */
static bool is_idle_include(struct al_str name)
{
  static const char *const names[] = { "reasoning.encrypted_content", "file_search_call.results",
                                       "web_search_call.results", "web_search_call.action.sources",
                                       "code_interpreter_call.outputs" };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    if (al_str_is(name, names[i]))
      return true;
  return false;
}

static enum al_code check_include(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  (void)target;
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array", value);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "include[%zu]", it.index);
    if (al_json_kind(it.value) != AL_JSON_STRING)
      return al_api_wrong_kind(err, path, "a string", it.value);
    if (!is_idle_include(al_json_str(it.value)))
      return al_api_unsupported(err, path, "%s: this cannot be included yet", path);
  }
  return AL_OK;
}

static enum al_code check_tool_choice(const struct al_api_param *param, const struct al_json *body, void *target,
                                      struct al_err *err)
{
  (void)target;
  const struct al_json *value = al_json_get(body, param->name);
  struct al_str word = al_json_str(value);
  if (al_str_is(word, "auto"))
    return AL_OK;
  if (al_json_kind(value) != AL_JSON_STRING && al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "a string or an object", value);
  return al_api_unsupported(err, param->name, "tool_choice: only \"auto\" is supported, since there are no tools yet");
}

#define FIELD(member) offsetof(struct responses_request, member)
#define LATER         "not implemented yet"
#define NOT_STORED    "responses are not stored yet: send the conversation as input"

static const struct al_api_param own[] = {
  { .name = "input", .read = al_api_read_value, .offset = FIELD(input) },
  { .name = "instructions", .read = read_instructions, .offset = FIELD(instructions_json) },
  { .name = "max_output_tokens",
    .read = al_api_read_int64,
    .offset = FIELD(max_output_tokens),
    .least = 1,
    .most = INT32_MAX },
  { .name = "max_tool_calls",
    .read = al_api_read_int64,
    .offset = FIELD(max_tool_calls),
    .least = 1,
    .most = INT32_MAX },
  { .name = "truncation", .read = read_truncation },
  { .name = "text", .read = check_text },
  { .name = "reasoning", .read = check_reasoning },
  { .name = "include", .read = check_include },
  { .name = "tools", .read = al_api_check_empty, .words = LATER },
  { .name = "tool_choice", .read = check_tool_choice },
  { .name = "parallel_tool_calls", .read = al_api_read_bool, .offset = FIELD(parallel_tool_calls) },
  { .name = "top_logprobs", .read = al_api_check_zero, .words = LATER },
  { .name = "store", .read = al_api_check_false, .words = NOT_STORED },
  { .name = "background", .read = al_api_check_false, .words = NOT_STORED },
  { .name = "previous_response_id", .read = al_api_refuse, .words = NOT_STORED },
  { .name = "conversation", .read = al_api_refuse, .words = NOT_STORED },
  { .name = "prompt", .read = al_api_refuse, .words = "prompt templates are not stored here" },
  { .name = "context_management", .read = al_api_refuse, .words = LATER },
  { .name = "service_tier", .read = al_api_check_word, .words = "auto|default" },
  { .name = "user", .read = read_echo, .offset = FIELD(user) },
  { .name = "safety_identifier", .read = read_echo, .offset = FIELD(safety_identifier) },
  { .name = "prompt_cache_key", .read = read_echo, .offset = FIELD(prompt_cache_key) },
};

static enum al_code read_request(const struct al_json *body, struct responses_request *request, struct al_err *err)
{
  const struct al_api_param_table tables[] = { { own, AL_COUNT(own) }, al_api_text_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), body, request, err));
  AL_TRY(al_api_text_params_check(&request->text, body, err));
  if (request->text.include_usage)
    return al_api_unsupported(err, "stream_options.include_usage",
                              "stream_options.include_usage belongs to chat completions: usage always comes here");
  if (request->input == nullptr)
    return al_fail_reason(err, al_fail_param(err, "input", "Missing required parameter: 'input'"),
                          "missing_required_parameter");
  request->text.max_tokens = request->max_output_tokens;
  return AL_OK;
}

static enum al_code make_chat(const struct responses_request *request, struct al_json_doc **chat, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_api_chat_begin(&w);
  if (request->instructions.size > 0) {
    al_jw_object(&w);
    al_jw_kv_str(&w, "role", "system");
    al_jw_kv_str_n(&w, "content", request->instructions);
    al_jw_end(&w);
  }
  AL_TRY(al_api_input_write(request->input, &w, err));
  return al_api_chat_end(&w, &request->text, chat, err);
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static void print(struct al_api_generation *generation, struct al_buf *out)
{
  struct al_api_response *response = (struct al_api_response *)generation;
  response->completed_s = al_wall_s();
  struct al_json_writer w = al_json_writer(out);
  al_api_response_write(&w, response, al_api_response_outcome(response), nullptr);
}

static const struct al_api_generation_ops ops = {
  .id_prefix = "resp_",
  .keeps_answer = true,
  .started = al_api_response_started,
  .event = al_api_response_event,
  .finished = al_api_response_finished,
  .failed = al_api_response_failed,
  .print = print,
};

static void take(struct al_api_response *response, const struct responses_request *request)
{
  response->base.params = request->text;
  response->instructions = request->instructions_json;
  response->user = request->user;
  response->safety_identifier = request->safety_identifier;
  response->prompt_cache_key = request->prompt_cache_key;
  response->max_output_tokens = request->max_output_tokens;
  response->max_tool_calls = request->max_tool_calls;
  response->truncate = request->truncate;
  response->parallel_tool_calls = request->parallel_tool_calls;
  al_api_make_id(response->item_id, sizeof response->item_id, "msg_");
}

static enum al_code run(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_generation_new(exchange, api, sizeof(struct al_api_response), &ops, &generation, err));

  struct responses_request request = { .text = generation->params, .parallel_tool_calls = true };
  AL_TRY(read_request(al_json_root(body), &request, err));
  AL_TRY(make_chat(&request, &chat, err));
  take((struct al_api_response *)generation, &request);
  AL_TRY(al_api_generation_submit(generation, al_json_root(chat), request.truncate, err));
  (void)AL_TAKE(generation);
  return AL_OK;
}

void al_api_responses(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
