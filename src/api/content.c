/* Content of messages: text as a string or in parts. */
#include "api/image_part.h"
#include "api/messages.h"
#include "api/params.h"

#include <stdio.h>

/* Parts that OpenAI's API knows and no text model here can take in. */
static bool is_other_medium(struct al_str type)
{
  static const char *const types[] = { "input_audio", "file", "input_file", "audio", "video_url", "input_video" };
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (al_str_is(type, types[i]))
      return true;
  return false;
}

static enum al_code check_detail(const struct al_json *object, const char *path, struct al_err *err)
{
  struct al_str detail = {};
  return al_json_want_str(object, path, "detail", &detail, nullptr, err);
}

/* {"type": "image_url", "image_url": {"url", "detail"}} of Chat Completions. */
static enum al_code refuse_image_url(const struct al_json *part, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "type", "image_url", nullptr };
  static const char *const url_keys[] = { "url", "detail", nullptr };
  char object_path[64], url_path[64];
  al_api_path(object_path, sizeof object_path, path, al_str("image_url"));
  al_api_path(url_path, sizeof url_path, object_path, al_str("url"));
  AL_TRY(al_api_only_keys(part, path, keys, err));
  const struct al_json *object = al_json_get(part, "image_url");
  if (al_json_kind(object) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, object_path, "an object", object);
  AL_TRY(al_api_only_keys(object, object_path, url_keys, err));
  AL_TRY(check_detail(object, object_path, err));
  struct al_str url = {};
  AL_TRY(al_json_want_str(object, object_path, "url", &url, nullptr, err));
  return al_api_refuse_image(url, url_path, err);
}

/* {"type": "input_image", "image_url": "...", "detail"} of Responses. */
static enum al_code refuse_input_image(const struct al_json *part, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "type", "image_url", "detail", "file_id", nullptr };
  char url_path[64], file_path[64];
  al_api_path(url_path, sizeof url_path, path, al_str("image_url"));
  al_api_path(file_path, sizeof file_path, path, al_str("file_id"));
  AL_TRY(al_api_only_keys(part, path, keys, err));
  AL_TRY(check_detail(part, path, err));
  struct al_str url = {}, file = {};
  AL_TRY(al_json_want_str(part, path, "image_url", &url, nullptr, err));
  AL_TRY(al_json_want_str(part, path, "file_id", &file, nullptr, err));
  if (url.data == nullptr && file.data != nullptr)
    return al_api_unsupported(err, file_path, "%s: files are not stored here; send a data URL", file_path);
  return al_api_refuse_image(url, url_path, err);
}

static enum al_code kind_of(const struct al_json *part, const char *path, const struct al_api_part_kind *kinds,
                            size_t n_kinds, size_t *kind, struct al_err *err)
{
  if (al_json_kind(part) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", part);
  struct al_str type = {};
  char type_path[80];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  AL_TRY(al_json_want_str(part, path, "type", &type, nullptr, err));
  if (type.data == nullptr)
    return al_fail_param(err, type_path, "%s is missing", type_path);
  for (*kind = 0; *kind < n_kinds; (*kind)++)
    if (al_str_is(type, kinds[*kind].type))
      return AL_OK;
  if (al_str_is(type, "image_url"))
    return refuse_image_url(part, path, err);
  if (al_str_is(type, "input_image"))
    return refuse_input_image(part, path, err);
  if (is_other_medium(type))
    return al_api_unsupported(err, type_path, "%s: '%.*s' is not supported: only text can be taken in yet", type_path,
                              (int)type.size, type.data);
  return al_fail_param(err, type_path, "%s: there is no such kind of content part here; use '%s'", type_path,
                       kinds[0].type);
}

static enum al_code read_part(const struct al_json *part, const char *path, const struct al_api_part_kind *kinds,
                              size_t n_kinds, struct al_buf *out, struct al_err *err)
{
  size_t kind = 0;
  AL_TRY(kind_of(part, path, kinds, n_kinds, &kind, err));
  const char *const keys[] = { "type", kinds[kind].key, "annotations", "logprobs", "parsed", nullptr };
  AL_TRY(al_api_only_keys(part, path, keys, err));
  struct al_str text = {};
  bool present = false;
  AL_TRY(al_json_want_str(part, path, kinds[kind].key, &text, &present, err));
  if (!present) {
    char text_path[80];
    al_api_path(text_path, sizeof text_path, path, al_str(kinds[kind].key));
    return al_fail_param(err, text_path, "%s is missing", text_path);
  }
  al_buf_add(out, text.data, text.size);
  return AL_OK;
}

enum al_code al_api_content_read(const struct al_json *content, const char *path, const struct al_api_part_kind *kinds,
                                 size_t n_kinds, struct al_buf *out, struct al_err *err)
{
  if (al_json_kind(content) == AL_JSON_STRING) {
    struct al_str text = al_json_str(content);
    al_buf_add(out, text.data, text.size);
    return al_buf_check(out, err);
  }
  if (al_json_kind(content) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, path, "a string or an array of parts", content);
  struct al_json_iter it = al_json_iter(content);
  while (al_json_next(&it)) {
    char part_path[80];
    (void)snprintf(part_path, sizeof part_path, "%s[%zu]", path, it.index);
    if (it.index > 0)
      al_buf_char(out, '\n');
    AL_TRY(read_part(it.value, part_path, kinds, n_kinds, out, err));
  }
  return al_buf_check(out, err);
}
