/* The parameters of Anthropic's Messages. */
#include "api/anthropic.h"
#include "api/format.h"
#include "api/tools.h"

#include <stdio.h>

constexpr int64_t LEAST_BUDGET = 1024;

static enum al_code want_object(const struct al_api_param *param, const struct al_json *body,
                                const struct al_json **object, struct al_err *err)
{
  *object = al_json_get(body, param->name);
  return al_json_kind(*object) == AL_JSON_OBJECT ? AL_OK : al_api_wrong_kind(err, param->name, "an object", *object);
}

/* --- thinking ---------------------------------------------------------------------------------------------------- */

static enum al_code read_display(const struct al_json *thinking, struct al_api_anthropic_request *request,
                                 struct al_err *err)
{
  struct al_str display = al_str("summarized");
  AL_TRY(al_json_want_str(thinking, "thinking", "display", &display, nullptr, err));
  request->hides_thinking = al_str_is(display, "omitted");
  if (request->hides_thinking || al_str_is(display, "summarized"))
    return AL_OK;
  return al_fail_param(err, "thinking.display", "thinking.display must be \"summarized\" or \"omitted\"");
}

/* budget_tokens is a wish that no template knows: how long the model thinks is bounded by max_tokens. */
static enum al_code read_enabled(const struct al_json *thinking, struct al_api_anthropic_request *request,
                                 struct al_err *err)
{
  static const char *const keys[] = { "type", "budget_tokens", "display", nullptr };
  AL_TRY(al_api_only_keys(thinking, "thinking", keys, err));
  int64_t budget = 0;
  bool present = false;
  AL_TRY(al_json_want_int(thinking, "thinking", "budget_tokens", LEAST_BUDGET, INT32_MAX, &budget, &present, err));
  if (!present)
    return al_fail_param(err, "thinking.budget_tokens", "thinking.budget_tokens is missing");
  request->text.thinks = true;
  return read_display(thinking, request, err);
}

static enum al_code read_thinking(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  static const char *const keys[] = { "type", "display", nullptr };
  static const char *const type_keys[] = { "type", nullptr };
  struct al_api_anthropic_request *request = target;
  const struct al_json *thinking = nullptr;
  AL_TRY(want_object(param, body, &thinking, err));
  struct al_str type = {};
  AL_TRY(al_json_want_str(thinking, param->name, "type", &type, nullptr, err));
  if (al_str_is(type, "enabled"))
    return read_enabled(thinking, request, err);
  if (al_str_is(type, "disabled"))
    return al_api_only_keys(thinking, param->name, type_keys, err);
  if (!al_str_is(type, "adaptive"))
    return al_fail_param(err, "thinking.type", "thinking.type must be enabled, disabled or adaptive");
  AL_TRY(al_api_only_keys(thinking, param->name, keys, err));
  request->text.thinks = true;
  return read_display(thinking, request, err);
}

/* --- output_config ----------------------------------------------------------------------------------------------- */

static enum al_code read_format(const struct al_json *format, const char *path,
                                struct al_api_anthropic_request *request, struct al_err *err)
{
  static const char *const keys[] = { "type", "schema", nullptr };
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  enum al_json_kind kind = al_json_kind(format);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  if (kind != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", format);
  AL_TRY(al_api_only_keys(format, path, keys, err));
  struct al_str type = {};
  AL_TRY(al_json_want_str(format, path, "type", &type, nullptr, err));
  if (!al_str_is(type, "json_schema"))
    return al_fail_param(err, type_path, "%s must be \"json_schema\"", type_path);
  return al_api_schema_read(format, "schema", path, &request->text, err);
}

static enum al_code read_output_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                       struct al_err *err)
{
  return read_format(al_json_get(body, param->name), param->name, target, err);
}

static enum al_code read_output_config(const struct al_api_param *param, const struct al_json *body, void *target,
                                       struct al_err *err)
{
  static const char *const keys[] = { "effort", "format", nullptr };
  static const char *const words[] = { "low", "medium", "high", "xhigh", "max" };
  struct al_api_anthropic_request *request = target;
  const struct al_json *config = nullptr;
  AL_TRY(want_object(param, body, &config, err));
  AL_TRY(al_api_only_keys(config, param->name, keys, err));
  AL_TRY(read_format(al_json_get(config, "format"), "output_config.format", request, err));
  struct al_str effort = {};
  bool present = false;
  AL_TRY(al_json_want_str(config, param->name, "effort", &effort, &present, err));
  for (size_t i = 0; i < AL_COUNT(words); i++)
    if (al_str_is(effort, words[i])) {
      request->text.reasoning_effort = words[i];
      return AL_OK;
    }
  return present ? al_fail_param(err, "output_config.effort", "output_config.effort must be low to max") : AL_OK;
}

/* --- the others -------------------------------------------------------------------------------------------------- */

static enum al_code check_metadata(const struct al_api_param *param, const struct al_json *body, void *target,
                                   struct al_err *err)
{
  static const char *const keys[] = { "user_id", nullptr };
  (void)target;
  const struct al_json *metadata = nullptr;
  struct al_str user = {};
  AL_TRY(want_object(param, body, &metadata, err));
  AL_TRY(al_api_only_keys(metadata, param->name, keys, err));
  return al_json_want_str(metadata, param->name, keys[0], &user, nullptr, err);
}

/* Asks for a prefix to be cached, and every prefix is. */
static enum al_code check_cache_control(const struct al_api_param *param, const struct al_json *body, void *target,
                                        struct al_err *err)
{
  (void)target;
  const struct al_json *control = nullptr;
  return want_object(param, body, &control, err);
}

/* Edits of the conversation: none are made here, so that only those pass which would keep everything. */
static enum al_code check_edit(const struct al_json *edit, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "type", "keep", nullptr };
  char type_path[64], keep_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  al_api_path(keep_path, sizeof keep_path, path, al_str("keep"));
  struct al_str type = {};
  AL_TRY(al_api_anthropic_block_type(edit, path, &type, err));
  if (!al_str_starts(type, al_str("clear_thinking_")))
    return al_api_unsupported(err, type_path, "%s: the conversation is taken as it is", type_path);
  AL_TRY(al_api_only_keys(edit, path, keys, err));
  if (!al_str_is(al_json_str(al_json_get(edit, "keep")), "all"))
    return al_api_unsupported(err, keep_path, "%s: only \"all\" is possible: no thinking is cleared", keep_path);
  return AL_OK;
}

static enum al_code check_context_management(const struct al_api_param *param, const struct al_json *body, void *target,
                                             struct al_err *err)
{
  static const char *const keys[] = { "edits", nullptr };
  (void)target;
  const struct al_json *management = nullptr;
  AL_TRY(want_object(param, body, &management, err));
  AL_TRY(al_api_only_keys(management, param->name, keys, err));
  const struct al_json *edits = al_json_get(management, "edits");
  enum al_json_kind kind = al_json_kind(edits);
  if (kind == AL_JSON_ABSENT || kind == AL_JSON_NULL)
    return AL_OK;
  if (kind != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, "context_management.edits", "an array", edits);
  struct al_json_iter it = al_json_iter(edits);
  while (al_json_next(&it)) {
    char path[48];
    (void)snprintf(path, sizeof path, "context_management.edits[%zu]", it.index);
    AL_TRY(check_edit(it.value, path, err));
  }
  return AL_OK;
}

static enum al_code read_stop_sequences(const struct al_api_param *param, const struct al_json *body, void *target,
                                        struct al_err *err)
{
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, param->name, "an array of strings", value);
  return al_api_read_stop(param, body, target, err);
}

#define FIELD(member) offsetof(struct al_api_anthropic_request, member)
#define OPENAI_S      "it belongs to OpenAI's API"

static const struct al_api_param conversation[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(text.model) },
  { .name = "messages", .read = al_api_read_array, .offset = FIELD(messages) },
  { .name = "system", .read = al_api_read_value, .offset = FIELD(system) },
  { .name = "tools", .read = al_api_read_array, .offset = FIELD(tools) },
  { .name = "tool_choice", .read = al_api_read_value, .offset = FIELD(tool_choice) },
  { .name = "thinking", .read = read_thinking },
  { .name = "output_config", .read = read_output_config },
  { .name = "output_format", .read = read_output_format },
  { .name = "cache_control", .read = check_cache_control },
  { .name = "speed", .read = al_api_check_word, .words = "standard" },
};
const struct al_api_param_table al_api_anthropic_conversation = { conversation, AL_COUNT(conversation) };

static const struct al_api_param sampling[] = {
  { .name = "max_tokens", .read = al_api_read_int64, .offset = FIELD(text.max_tokens), .least = 1, .most = INT32_MAX },
  { .name = "temperature",
    .read = al_api_read_float,
    .offset = FIELD(text.sampling.temperature),
    .least = 0,
    .most = 1 },
  { .name = "stop_sequences", .read = read_stop_sequences },
  { .name = "metadata", .read = check_metadata },
  { .name = "service_tier", .read = al_api_check_word, .words = "auto|standard_only" },
  { .name = "container", .read = al_api_refuse, .words = "there are no containers here" },
  { .name = "mcp_servers", .read = al_api_check_empty, .words = "the client calls its tools itself" },
  { .name = "context_management", .read = check_context_management },
  { .name = "inference_geo", .read = al_api_refuse, .words = "the model runs here" },
  { .name = "stop", .read = al_api_refuse, .words = OPENAI_S },
  { .name = "stream_options", .read = al_api_refuse, .words = OPENAI_S },
  { .name = "parallel_tool_calls", .read = al_api_refuse, .words = OPENAI_S },
};
const struct al_api_param_table al_api_anthropic_sampling = { sampling, AL_COUNT(sampling) };

enum al_code al_api_anthropic_check(struct al_api_anthropic_request *request, struct al_err *err)
{
  if (request->text.model == nullptr)
    return al_api_missing(err, "model");
  if (request->messages == nullptr)
    return al_api_missing(err, "messages");
  if (al_json_count(request->messages) == 0)
    return al_fail_param(err, "messages", "messages must not be empty");
  request->text.sets_thinking = true; /* who does not ask for thinking gets none, where the template can be told */
  return al_api_tools_read(request->tools, request->tool_choice, AL_API_TOOLS_ANTHROPIC, &request->text, err);
}
