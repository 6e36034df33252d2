#include "api/messages.h"

#include "api/params.h"

#include <stdio.h>

static const struct al_api_part_kind part_kinds[] = { { "text", "text" }, { "refusal", "refusal" } };

struct role {
  const char *name;
  const char *as;          /* what templates call it */
  const char *const *keys; /* what a message of this role may hold */
};

static const char *const plain_keys[] = { "role", "content", "name", nullptr };
static const char *const tool_keys[] = { "role", "content", "name", "tool_call_id", nullptr };
static const char *const assistant_keys[] = { "role",       "content", "name",          "refusal", "reasoning_content",
                                              "tool_calls", "audio",   "function_call", "id",      "annotations",
                                              nullptr };

static const struct role roles[] = {
  { "system", "system", plain_keys },           { "developer", "system", plain_keys }, { "user", "user", plain_keys },
  { "assistant", "assistant", assistant_keys }, { "tool", "tool", tool_keys },
};

static enum al_code role_of(const struct al_json *message, const char *path, const struct role **role,
                            struct al_err *err)
{
  char role_path[64];
  al_api_path(role_path, sizeof role_path, path, al_str("role"));
  struct al_str name = {};
  bool present = false;
  AL_TRY(al_json_want_str(message, path, "role", &name, &present, err));
  if (!present)
    return al_fail_param(err, role_path, "%s is missing", role_path);
  for (size_t i = 0; i < AL_COUNT(roles); i++)
    if (al_str_is(name, roles[i].name)) {
      *role = &roles[i];
      return AL_OK;
    }
  return al_fail_param(err, role_path, "%s must be system, developer, user, assistant or tool", role_path);
}

/* A string field that goes to the template as it is. */
static enum al_code copy_str(const struct al_json *message, const char *path, const char *key, struct al_json_writer *w,
                             struct al_err *err)
{
  struct al_str text = {};
  bool present = false;
  AL_TRY(al_json_want_str(message, path, key, &text, &present, err));
  if (present)
    al_jw_kv_str_n(w, key, text);
  return AL_OK;
}

/* --- tool calls of earlier turns -----------------------------------------------------------------------------------
 */

/* Templates expect the arguments as an object; OpenAI sends them as a string of JSON, which a call that was cut short
 * has left broken: then the template gets what the model wrote. */
static void write_arguments(struct al_json_writer *w, struct al_str arguments)
{
  if (arguments.size == 0)
    arguments = al_str("{}");
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  bool is_object =
      al_json_parse(arguments, &doc, nullptr) == AL_OK && al_json_kind(al_json_root(doc)) == AL_JSON_OBJECT;
  if (is_object)
    al_jw_kv_value(w, "arguments", al_json_root(doc));
  else
    al_jw_kv_str_n(w, "arguments", arguments);
}

static enum al_code write_call(const struct al_json *call, const char *path, struct al_json_writer *w,
                               struct al_err *err)
{
  static const char *const keys[] = { "id", "type", "function", "index", nullptr };
  static const char *const function_keys[] = { "name", "arguments", nullptr };
  if (al_json_kind(call) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", call);
  AL_TRY(al_api_only_keys(call, path, keys, err));
  char function_path[64];
  al_api_path(function_path, sizeof function_path, path, al_str("function"));
  const struct al_json *function = al_json_get(call, "function");
  if (al_json_kind(function) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, function_path, "an object", function);
  AL_TRY(al_api_only_keys(function, function_path, function_keys, err));
  struct al_str name = {}, arguments = {};
  AL_TRY(al_json_want_str(function, function_path, "name", &name, nullptr, err));
  AL_TRY(al_json_want_str(function, function_path, "arguments", &arguments, nullptr, err));
  if (name.size == 0)
    return al_fail_param(err, function_path, "%s.name is missing", function_path);
  al_jw_object(w);
  AL_TRY(copy_str(call, path, "id", w, err));
  al_jw_kv_str(w, "type", "function");
  al_jw_key(w, "function");
  al_jw_object(w);
  al_jw_kv_str_n(w, "name", name);
  write_arguments(w, arguments);
  al_jw_end(w);
  al_jw_end(w);
  return AL_OK;
}

static enum al_code write_calls(const struct al_json *message, const char *path, struct al_json_writer *w,
                                struct al_err *err)
{
  const struct al_json *calls = al_json_get(message, "tool_calls");
  if (calls == nullptr || al_json_kind(calls) == AL_JSON_NULL)
    return AL_OK;
  char calls_path[64];
  al_api_path(calls_path, sizeof calls_path, path, al_str("tool_calls"));
  if (al_json_kind(calls) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, calls_path, "an array", calls);
  if (al_json_count(calls) == 0)
    return AL_OK;
  al_jw_key(w, "tool_calls");
  al_jw_array(w);
  struct al_json_iter it = al_json_iter(calls);
  while (al_json_next(&it)) {
    char call_path[80];
    (void)snprintf(call_path, sizeof call_path, "%s[%zu]", calls_path, it.index);
    AL_TRY(write_call(it.value, call_path, w, err));
  }
  al_jw_end(w);
  return AL_OK;
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static bool is_given(const struct al_json *object, const char *key)
{
  enum al_json_kind kind = al_json_kind(al_json_get(object, key));
  return kind != AL_JSON_ABSENT && kind != AL_JSON_NULL;
}

static enum al_code refuse_given(const struct al_json *message, const char *path, const char *key, struct al_err *err)
{
  if (!is_given(message, key))
    return AL_OK;
  char key_path[64];
  al_api_path(key_path, sizeof key_path, path, al_str(key));
  return al_api_unsupported(err, key_path, "%s is not supported", key_path);
}

static enum al_code write_content(const struct al_json *message, const char *path, bool may_lack,
                                  struct al_json_writer *w, struct al_err *err)
{
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str("content"));
  if (!is_given(message, "content")) {
    if (!may_lack)
      return al_fail_param(err, content_path, "%s is missing", content_path);
    al_jw_kv_str(w, "content", "");
    return AL_OK;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(
      al_api_content_read(al_json_get(message, "content"), content_path, part_kinds, AL_COUNT(part_kinds), &text, err));
  al_jw_kv_str_n(w, "content", al_buf_view(&text));
  return AL_OK;
}

static enum al_code write_assistant(const struct al_json *message, const char *path, struct al_json_writer *w,
                                    struct al_err *err)
{
  AL_TRY(refuse_given(message, path, "audio", err));
  AL_TRY(refuse_given(message, path, "function_call", err));
  AL_TRY(copy_str(message, path, "reasoning_content", w, err));
  struct al_str refusal = {};
  bool refused = false;
  AL_TRY(al_json_want_str(message, path, "refusal", &refusal, &refused, err));
  if (refused && !is_given(message, "content"))
    al_jw_kv_str_n(w, "content", refusal);
  else
    AL_TRY(write_content(message, path, is_given(message, "tool_calls"), w, err));
  return write_calls(message, path, w, err);
}

static enum al_code write_message(const struct al_json *message, const char *path, struct al_json_writer *w,
                                  struct al_err *err)
{
  if (al_json_kind(message) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", message);
  const struct role *role = &roles[0];
  AL_TRY(role_of(message, path, &role, err));
  AL_TRY(al_api_only_keys(message, path, role->keys, err));
  al_jw_object(w);
  al_jw_kv_str(w, "role", role->as);
  if (role->keys == assistant_keys)
    AL_TRY(write_assistant(message, path, w, err));
  else
    AL_TRY(write_content(message, path, false, w, err));
  AL_TRY(copy_str(message, path, "name", w, err));
  if (role->keys == tool_keys)
    AL_TRY(copy_str(message, path, "tool_call_id", w, err));
  al_jw_end(w);
  return AL_OK;
}

enum al_code al_api_messages_write(const struct al_json *messages, struct al_json_writer *w, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(messages);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "messages[%zu]", it.index);
    AL_TRY(write_message(it.value, path, w, err));
  }
  return AL_OK;
}
