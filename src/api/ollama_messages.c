/* Conversations in Ollama's form. */
#include "api/ollama.h"

#include <stdio.h>

static bool is_role(struct al_str role)
{
  static const char *const roles[] = { "system", "user", "assistant", "tool" };
  for (size_t i = 0; i < AL_COUNT(roles); i++)
    if (al_str_is(role, roles[i]))
      return true;
  return false;
}

/* {"function": {"name": ..., "arguments": {...}}} */
static enum al_code write_call(const struct al_json *call, const char *path, struct al_json_writer *w,
                               struct al_err *err)
{
  static const char *const keys[] = { "id", "type", "function", nullptr };
  static const char *const function_keys[] = { "index", "name", "description", "arguments", nullptr };
  char function_path[96];
  al_api_path(function_path, sizeof function_path, path, al_str("function"));
  AL_TRY(al_api_only_keys(call, path, keys, err));
  const struct al_json *function = al_json_get(call, "function");
  if (al_json_kind(function) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, function_path, "an object", function);
  AL_TRY(al_api_only_keys(function, function_path, function_keys, err));
  struct al_str name = {};
  AL_TRY(al_json_want_str(function, function_path, "name", &name, nullptr, err));
  if (name.size == 0)
    return al_fail_param(err, function_path, "%s.name is missing", function_path);
  const struct al_json *arguments = al_json_get(function, "arguments");
  if (arguments != nullptr && al_json_kind(arguments) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, function_path, "an object with an object of arguments", arguments);
  al_jw_object(w);
  al_jw_kv_str(w, "type", "function");
  al_jw_key(w, "function");
  al_jw_object(w);
  al_jw_kv_str_n(w, "name", name);
  al_jw_key(w, "arguments");
  if (arguments != nullptr)
    al_jw_value(w, arguments);
  else
    al_jw_raw(w, al_str("{}"));
  al_jw_end(w);
  al_jw_end(w);
  return AL_OK;
}

static enum al_code write_calls(const struct al_json *calls, const char *path, struct al_json_writer *w,
                                struct al_err *err)
{
  if (al_json_kind(calls) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, path, "an array", calls);
  if (al_json_count(calls) == 0)
    return AL_OK;
  al_jw_key(w, "tool_calls");
  al_jw_array(w);
  struct al_json_iter it = al_json_iter(calls);
  while (al_json_next(&it)) {
    char call_path[80];
    (void)snprintf(call_path, sizeof call_path, "%s[%zu]", path, it.index);
    if (al_json_kind(it.value) != AL_JSON_OBJECT)
      return al_api_wrong_kind(err, call_path, "an object", it.value);
    AL_TRY(write_call(it.value, call_path, w, err));
  }
  al_jw_end(w);
  return AL_OK;
}

/* A string member under another name. */
static enum al_code copy_str(const struct al_json *message, const char *path, const char *key, const char *as,
                             struct al_json_writer *w, struct al_err *err)
{
  struct al_str text = {};
  bool is_there = false;
  AL_TRY(al_json_want_str(message, path, key, &text, &is_there, err));
  if (is_there)
    al_jw_kv_str_n(w, as, text);
  return AL_OK;
}

static enum al_code write_message(const struct al_json *message, const char *path, struct al_json_writer *w,
                                  struct al_err *err)
{
  static const char *const keys[] = { "role",       "content",   "thinking",     "images",
                                      "tool_calls", "tool_name", "tool_call_id", nullptr };
  if (al_json_kind(message) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", message);
  AL_TRY(al_api_only_keys(message, path, keys, err));
  char images[64], calls[64];
  al_api_path(images, sizeof images, path, al_str("images"));
  al_api_path(calls, sizeof calls, path, al_str("tool_calls"));
  if (al_json_count(al_json_get(message, "images")) > 0)
    return al_api_unsupported(err, images, "%s: this model cannot see", images);
  struct al_str role = {}, content = {};
  AL_TRY(al_json_want_str(message, path, "role", &role, nullptr, err));
  AL_TRY(al_json_want_str(message, path, "content", &content, nullptr, err));
  if (!is_role(role))
    return al_fail_param(err, path, "%s.role must be \"system\", \"user\", \"assistant\" or \"tool\"", path);
  al_jw_object(w);
  al_jw_kv_str_n(w, "role", role);
  al_jw_kv_str_n(w, "content", content.data != nullptr ? content : al_str(""));
  AL_TRY(copy_str(message, path, "thinking", "reasoning_content", w, err));
  AL_TRY(copy_str(message, path, "tool_name", "name", w, err));
  AL_TRY(copy_str(message, path, "tool_call_id", "tool_call_id", w, err));
  const struct al_json *value = al_json_get(message, "tool_calls");
  if (value != nullptr && al_json_kind(value) != AL_JSON_NULL)
    AL_TRY(write_calls(value, calls, w, err));
  al_jw_end(w);
  return AL_OK;
}

enum al_code al_api_ollama_messages_write(const struct al_json *messages, struct al_json_writer *w, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(messages);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "messages[%zu]", it.index);
    AL_TRY(write_message(it.value, path, w, err));
  }
  return AL_OK;
}
