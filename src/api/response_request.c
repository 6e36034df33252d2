#include "api/response_request.h"

#include "api/errors.h"
#include "api/format.h"
#include "api/response_input.h"
#include "api/response_store.h"
#include "api/tools.h"

#include <stdio.h>

/* --- members --------------------------------------------------------------------------------------------------------
 */

static bool is_given(const struct al_json *object, const char *key)
{
  enum al_json_kind kind = al_json_kind(al_json_get(object, key));
  return kind != AL_JSON_ABSENT && kind != AL_JSON_NULL;
}

/* A string that is echoed: kept as JSON. */
static enum al_code read_echo(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  struct al_api_response_request *request = target;
  AL_TRY(al_api_check_str(param, body, target, err));
  struct al_str *field = (struct al_str *)((char *)target + param->offset);
  return al_api_json_copy(request->text.arena, al_json_get(body, param->name), field, err);
}

static enum al_code read_instructions(const struct al_api_param *param, const struct al_json *body, void *target,
                                      struct al_err *err)
{
  struct al_api_response_request *request = target;
  AL_TRY(read_echo(param, body, target, err));
  request->instructions = al_json_str(al_json_get(body, param->name));
  return AL_OK;
}

static enum al_code read_previous(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  struct al_api_response_request *request = target;
  AL_TRY(al_json_want_str(body, "", param->name, &request->previous_id, nullptr, err));
  return request->previous_id.size > 0 ? AL_OK : al_fail_param(err, param->name, "%s must not be empty", param->name);
}

static enum al_code read_truncation(const struct al_api_param *param, const struct al_json *body, void *target,
                                    struct al_err *err)
{
  struct al_api_response_request *request = target;
  struct al_str word = {};
  AL_TRY(al_json_want_str(body, "", param->name, &word, nullptr, err));
  request->truncate = al_str_is(word, "auto");
  if (request->truncate || al_str_is(word, "disabled"))
    return AL_OK;
  return al_fail_param(err, param->name, "truncation must be \"auto\" or \"disabled\"");
}

static enum al_code read_text(const struct al_api_param *param, const struct al_json *body, void *target,
                              struct al_err *err)
{
  struct al_api_response_request *request = target;
  static const char *const keys[] = { "format", "verbosity", nullptr };
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  AL_TRY(al_api_only_keys(value, param->name, keys, err));
  struct al_str verbosity = al_str("medium");
  AL_TRY(al_json_want_str(value, param->name, "verbosity", &verbosity, nullptr, err));
  if (!al_str_is(verbosity, "medium"))
    return al_api_unsupported(err, "text.verbosity", "text.verbosity: only \"medium\" is supported");
  if (!is_given(value, "format"))
    return AL_OK;
  request->format = al_json_get(value, "format");
  return al_api_format_read(request->format, "text.format", AL_API_FORMAT_RESPONSES, &request->text, err);
}

static enum al_code read_effort(const struct al_json *reasoning, struct al_api_text_params *params, struct al_err *err)
{
  static const struct al_api_param effort = { .name = "effort" };
  if (!is_given(reasoning, "effort"))
    return AL_OK;
  struct al_err inner;
  if (al_api_read_reasoning_effort(&effort, reasoning, params, &inner) == AL_OK)
    return AL_OK;
  return al_fail_param(err, "reasoning.effort", "reasoning.%s", inner.message);
}

/* A word of `reasoning` that asks for no more than happens anyway. */
static enum al_code check_word(const struct al_json *reasoning, const char *key, const char *word, const char *why,
                               struct al_err *err)
{
  char path[64];
  al_api_path(path, sizeof path, "reasoning", al_str(key));
  struct al_str value = al_str(word);
  AL_TRY(al_json_want_str(reasoning, "reasoning", key, &value, nullptr, err));
  return al_str_is(value, word) ? AL_OK
                                : al_api_unsupported(err, path, "%s: only \"%s\" is supported: %s", path, word, why);
}

static enum al_code read_reasoning(const struct al_api_param *param, const struct al_json *body, void *target,
                                   struct al_err *err)
{
  struct al_api_response_request *request = target;
  static const char *const keys[] = { "effort", "summary", "generate_summary", "context", "mode", nullptr };
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "an object", value);
  AL_TRY(al_api_only_keys(value, param->name, keys, err));
  request->reasoning = value;
  static const char summaries[] = "nothing here writes summaries, the reasoning itself is in the item";
  AL_TRY(check_word(value, "summary", "auto", summaries, err));
  AL_TRY(check_word(value, "generate_summary", "auto", summaries, err));
  AL_TRY(check_word(value, "context", "auto", "the model's template decides", err));
  AL_TRY(check_word(value, "mode", "standard", "there is no other", err));
  return read_effort(value, &request->text, err);
}

/* Some may be asked for because no answer here has the item that they would add to. */
static bool take_include(struct al_api_response_request *request, struct al_str name)
{
  static const char *const idle[] = { "file_search_call.results",
                                      "web_search_call.results",
                                      "web_search_call.action.sources",
                                      "code_interpreter_call.outputs",
                                      "computer_call_output.output.image_url",
                                      "message.input_image.image_url" };
  if (al_str_is(name, "message.output_text.logprobs"))
    return request->includes_logprobs = true;
  if (al_str_is(name, "reasoning.encrypted_content"))
    return request->includes_encrypted = true;
  for (size_t i = 0; i < AL_COUNT(idle); i++)
    if (al_str_is(name, idle[i]))
      return true;
  return false;
}

static enum al_code read_include(const struct al_api_param *param, const struct al_json *body, void *target,
                                 struct al_err *err)
{
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array", value);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "include[%zu]", it.index);
    if (al_json_kind(it.value) != AL_JSON_STRING)
      return al_api_wrong_kind(err, path, "a string", it.value);
    if (!take_include(target, al_json_str(it.value)))
      return al_api_unsupported(err, path, "%s: this cannot be included", path);
  }
  return AL_OK;
}

static enum al_code read_store(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  struct al_api_response_request *request = target;
  return al_json_want_bool(body, "", param->name, &request->store, &request->has_store, err);
}

/* --- tables ---------------------------------------------------------------------------------------------------------
 */

#define FIELD(member) offsetof(struct al_api_response_request, member)
#define CONVERSATIONS "conversations are not kept here: chain responses with previous_response_id"

static const struct al_api_param conversation[] = {
  { .name = "input", .read = al_api_read_value, .offset = FIELD(input) },
  { .name = "instructions", .read = read_instructions, .offset = FIELD(instructions_json) },
  { .name = "previous_response_id", .read = read_previous },
  { .name = "conversation", .read = al_api_refuse, .words = CONVERSATIONS },
};

static const struct al_api_param forms[] = {
  { .name = "truncation", .read = read_truncation },
  { .name = "text", .read = read_text },
  { .name = "reasoning", .read = read_reasoning },
  { .name = "tools", .read = al_api_read_array, .offset = FIELD(tools) },
  { .name = "tool_choice", .read = al_api_read_value, .offset = FIELD(tool_choice) },
};

static const struct al_api_param own[] = {
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
  { .name = "include", .read = read_include },
  { .name = "top_logprobs",
    .read = al_api_read_int,
    .offset = FIELD(top_logprobs),
    .least = 0,
    .most = AL_API_MAX_TOP_LOGPROBS },
  { .name = "store", .read = read_store },
  { .name = "background", .read = al_api_read_bool, .offset = FIELD(background) },
  { .name = "prompt", .read = al_api_refuse, .words = "prompt templates are not stored here" },
  { .name = "context_management",
    .read = al_api_refuse,
    .words = "call /v1/responses/compact, or send \"truncation\": \"auto\"" },
  { .name = "service_tier", .read = al_api_check_word, .words = "auto|default" },
  { .name = "user", .read = read_echo, .offset = FIELD(user) },
  { .name = "safety_identifier", .read = read_echo, .offset = FIELD(safety_identifier) },
  { .name = "prompt_cache_key", .read = read_echo, .offset = FIELD(prompt_cache_key) },
};

static const struct al_api_param socket_own[] = {
  { .name = "type", .read = al_api_check_word, .words = "response.create" },
  { .name = "generate", .read = al_api_read_bool, .offset = FIELD(generate) },
  { .name = "stream_id", .read = al_api_refuse, .words = "a connection runs one response at a time" },
};

static const struct al_api_param count_own[] = {
  { .name = "model", .read = al_api_read_model, .offset = offsetof(struct al_api_text_params, model) },
  { .name = "parallel_tool_calls",
    .read = al_api_read_bool,
    .offset = offsetof(struct al_api_text_params, parallel_tool_calls) },
  { .name = "personality", .read = al_api_refuse, .words = "no model here has one" },
};

static const struct al_api_param compact_own[] = {
  { .name = "model", .read = al_api_read_model, .offset = offsetof(struct al_api_text_params, model) },
  { .name = "prompt_cache_key", .read = al_api_check_str },
  { .name = "prompt_cache_options", .read = al_api_refuse, .words = "prefixes are cached without being asked" },
  { .name = "prompt_cache_retention", .read = al_api_check_word, .words = "in_memory|in-memory" },
  { .name = "service_tier", .read = al_api_check_word, .words = "auto|default" },
};

#define TABLE(params_) { (params_), AL_COUNT(params_) }

/* --- what goes together
 * ----------------------------------------------------------------------------------------------- */

static enum al_code check_store(const struct al_api *api, struct al_api_response_request *request, struct al_err *err)
{
  bool asked = request->has_store && request->store;
  if (!request->has_store)
    request->store = api->responses != nullptr;
  if ((asked || request->background) && api->responses == nullptr)
    return al_api_unsupported(err, asked ? "store" : "background", "%s: responses are not stored here: %s",
                              asked ? "store" : "background", api->responses_problem);
  if (request->background && !request->store)
    return al_fail_param(err, "background", "A response in the background is stored: store must not be false");
  struct al_err problem = {};
  if ((asked || request->background) && al_response_store_problem(api->responses, &problem) != AL_OK)
    return al_api_unsupported(err, asked ? "store" : "background", "The response could not be stored: %s",
                              problem.message);
  return AL_OK;
}

static enum al_code check_way(const struct al_api_response_request *request, const struct al_json *body,
                              enum al_api_response_way way, struct al_err *err)
{
  if (request->text.include_usage)
    return al_api_unsupported(err, "stream_options.include_usage",
                              "stream_options.include_usage belongs to chat completions: usage always comes here");
  if (way == AL_RESPONSE_HTTP)
    return AL_OK;
  if (request->background)
    return al_api_unsupported(err, "background", "background: a socket runs its responses in the foreground");
  if (is_given(body, "stream") && !request->text.stream)
    return al_api_unsupported(err, "stream", "stream: a socket always streams");
  return AL_OK;
}

static enum al_code check_input(const struct al_api_response_request *request, struct al_err *err)
{
  bool is_empty = al_json_kind(request->input) == AL_JSON_ARRAY && al_json_count(request->input) == 0;
  if (request->input == nullptr && request->previous_id.size == 0)
    return al_api_missing(err, "input");
  if (is_empty && request->previous_id.size == 0)
    return al_fail_param(err, "input", "input must not be empty");
  return AL_OK;
}

enum al_code al_api_response_request_read(const struct al_api *api, const struct al_json *body,
                                          enum al_api_response_way way, struct al_api_response_request *request,
                                          struct al_err *err)
{
  const struct al_api_param_table tables[] = { TABLE(conversation), TABLE(forms), TABLE(own), al_api_text_table,
                                               TABLE(socket_own) };
  size_t n_tables = AL_COUNT(tables) - (way == AL_RESPONSE_HTTP);
  request->generate = true;
  AL_TRY(al_api_params_read(tables, n_tables, body, request, err));
  AL_TRY(check_way(request, body, way, err));
  if (way == AL_RESPONSE_SOCKET)
    request->text.stream = true;
  AL_TRY(al_api_text_params_check(&request->text, body, err));
  AL_TRY(check_input(request, err));
  AL_TRY(check_store(api, request, err));
  request->text.max_tokens = request->max_output_tokens;
  if (request->includes_logprobs || request->top_logprobs > 0)
    request->text.logprobs = request->top_logprobs + 1;
  return al_api_tools_read(request->tools, request->tool_choice, AL_API_TOOLS_RESPONSES, &request->text, err);
}

enum al_code al_api_response_count_read(const struct al_json *body, struct al_api_response_request *request,
                                        struct al_err *err)
{
  const struct al_api_param_table tables[] = { TABLE(conversation), TABLE(forms), TABLE(count_own) };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), body, request, err));
  if (request->text.model == nullptr)
    return al_api_missing(err, "model");
  AL_TRY(check_input(request, err));
  return al_api_tools_read(request->tools, request->tool_choice, AL_API_TOOLS_RESPONSES, &request->text, err);
}

enum al_code al_api_response_compact_read(const struct al_json *body, struct al_api_response_request *request,
                                          struct al_err *err)
{
  const struct al_api_param_table tables[] = { TABLE(conversation), TABLE(compact_own) };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), body, request, err));
  if (request->text.model == nullptr)
    return al_api_missing(err, "model");
  return check_input(request, err);
}

/* --- into the response
 * ------------------------------------------------------------------------------------------------ */

static enum al_code echo(struct al_arena *arena, const struct al_json *value, struct al_str *copy, struct al_err *err)
{
  return value != nullptr ? al_api_json_copy(arena, value, copy, err) : AL_OK;
}

enum al_code al_api_response_take(struct al_api_response *response, const struct al_api_response_request *request,
                                  struct al_err *err)
{
  struct al_arena *arena = response->base.arena;
  response->base.params = request->text;
  response->instructions = request->instructions_json;
  response->user = request->user;
  response->safety_identifier = request->safety_identifier;
  response->prompt_cache_key = request->prompt_cache_key;
  response->max_output_tokens = request->max_output_tokens;
  response->max_tool_calls = request->max_tool_calls;
  response->top_logprobs = request->top_logprobs;
  response->truncate = request->truncate;
  response->is_stored = request->store;
  response->is_background = request->background;
  response->shows_encrypted = request->includes_encrypted;
  AL_TRY(echo(arena, request->tools, &response->tools, err));
  AL_TRY(echo(arena, request->tool_choice, &response->tool_choice, err));
  AL_TRY(echo(arena, request->format, &response->format, err));
  AL_TRY(echo(arena, request->reasoning, &response->reasoning, err));
  char *previous = al_arena_strndup(arena, request->previous_id.data, request->previous_id.size);
  if (previous == nullptr)
    return al_fail_oom(err, request->previous_id.size);
  response->previous_id = al_str_n(previous, request->previous_id.size);
  return AL_OK;
}

enum al_code al_api_response_chat(const struct al_api_response_request *request, const struct al_json *items,
                                  struct al_json_doc **chat, struct al_err *err)
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
  AL_TRY(al_api_items_to_messages(items, &w, err));
  return al_api_chat_end(&w, &request->text, chat, err);
}
