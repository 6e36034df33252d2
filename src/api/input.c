/* The `input` of the Responses API. */
#include "api/messages.h"
#include "api/params.h"

#include <stdio.h>

static const struct al_api_part_kind part_kinds[] = {
  { "input_text", "text" },
  { "output_text", "text" },
  { "refusal", "refusal" },
};

static enum al_code role_of(const struct al_json *item, const char *path, const char **role, struct al_err *err)
{
  static const struct {
    const char *name, *as;
  } roles[] = { { "user", "user" }, { "assistant", "assistant" }, { "system", "system" }, { "developer", "system" } };
  char role_path[64];
  al_api_path(role_path, sizeof role_path, path, al_str("role"));
  struct al_str name = {};
  bool present = false;
  AL_TRY(al_json_want_str(item, path, "role", &name, &present, err));
  if (!present)
    return al_fail_param(err, role_path, "%s is missing", role_path);
  for (size_t i = 0; i < AL_COUNT(roles); i++)
    if (al_str_is(name, roles[i].name)) {
      *role = roles[i].as;
      return AL_OK;
    }
  return al_fail_param(err, role_path, "%s must be user, assistant, system or developer", role_path);
}

static enum al_code check_type(const struct al_json *item, const char *path, struct al_err *err)
{
  struct al_str type = al_str("message"); /* the easy form leaves it out */
  AL_TRY(al_json_want_str(item, path, "type", &type, nullptr, err));
  if (al_str_is(type, "message"))
    return AL_OK;
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  return al_api_unsupported(err, type_path, "%s: items of type '%.*s' are not supported yet; only 'message' is",
                            type_path, (int)al_min_size(type.size, 64), type.data);
}

static enum al_code write_item(const struct al_json *item, const char *path, struct al_json_writer *w,
                               struct al_err *err)
{
  /* id, status and phase are what our own output carried when a client sends it back: they do not reach the model. */
  static const char *const keys[] = { "type", "role", "content", "id", "status", "phase", nullptr };
  if (al_json_kind(item) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", item);
  AL_TRY(check_type(item, path, err));
  AL_TRY(al_api_only_keys(item, path, keys, err));
  const char *role = nullptr;
  AL_TRY(role_of(item, path, &role, err));
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str("content"));
  const struct al_json *content = al_json_get(item, "content");
  if (content == nullptr)
    return al_fail_param(err, content_path, "%s is missing", content_path);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(al_api_content_read(content, content_path, part_kinds, AL_COUNT(part_kinds), &text, err));
  al_jw_object(w);
  al_jw_kv_str(w, "role", role);
  al_jw_kv_str_n(w, "content", al_buf_view(&text));
  al_jw_end(w);
  return AL_OK;
}

enum al_code al_api_input_write(const struct al_json *input, struct al_json_writer *w, struct al_err *err)
{
  if (al_json_kind(input) == AL_JSON_STRING) {
    al_jw_object(w);
    al_jw_kv_str(w, "role", "user");
    al_jw_kv_str_n(w, "content", al_json_str(input));
    al_jw_end(w);
    return AL_OK;
  }
  if (al_json_kind(input) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, "input", "a string or an array of items", input);
  if (al_json_count(input) == 0)
    return al_fail_param(err, "input", "input must not be empty");
  struct al_json_iter it = al_json_iter(input);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "input[%zu]", it.index);
    AL_TRY(write_item(it.value, path, w, err));
  }
  return AL_OK;
}
