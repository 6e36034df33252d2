/* Content blocks of Anthropic's messages. */
#include "api/anthropic.h"
#include "api/image_part.h"

#include <stdio.h>

enum al_code al_api_anthropic_block_type(const struct al_json *block, const char *path, struct al_str *type,
                                         struct al_err *err)
{
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  if (al_json_kind(block) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", block);
  AL_TRY(al_json_want_str(block, path, "type", type, nullptr, err));
  return type->data != nullptr ? AL_OK : al_fail_param(err, type_path, "%s is missing", type_path);
}

enum al_code al_api_anthropic_text_block(const struct al_json *block, const char *path, struct al_buf *out,
                                         struct al_err *err)
{
  static const char *const keys[] = { "type", "text", "cache_control", "citations", nullptr };
  AL_TRY(al_api_only_keys(block, path, keys, err));
  struct al_str text = {};
  AL_TRY(al_json_want_str(block, path, "text", &text, nullptr, err));
  if (text.data == nullptr) {
    char text_path[64];
    al_api_path(text_path, sizeof text_path, path, al_str("text"));
    return al_fail_param(err, text_path, "%s is missing", text_path);
  }
  if (out->size > 0)
    al_buf_char(out, '\n');
  al_buf_add(out, text.data, text.size);
  return al_buf_check(out, err);
}

static enum al_code refuse_image(const struct al_json *block, const char *path, struct al_err *err)
{
  char source_path[64], data_path[64], type_path[64];
  al_api_path(source_path, sizeof source_path, path, al_str("source"));
  al_api_path(data_path, sizeof data_path, source_path, al_str("data"));
  al_api_path(type_path, sizeof type_path, source_path, al_str("type"));
  const struct al_json *source = al_json_get(block, "source");
  struct al_str type = {}, text = {}, media = {};
  AL_TRY(al_api_anthropic_block_type(source, source_path, &type, err));
  if (al_str_is(type, "url")) {
    AL_TRY(al_json_want_str(source, source_path, "url", &text, nullptr, err));
    return al_api_refuse_image(text, source_path, err);
  }
  if (!al_str_is(type, "base64"))
    return al_api_unsupported(err, type_path, "%s: only base64 is read here", type_path);
  AL_TRY(al_json_want_str(source, source_path, "data", &text, nullptr, err));
  AL_TRY(al_json_want_str(source, source_path, "media_type", &media, nullptr, err));
  return al_api_refuse_image_data(media, text, data_path, err);
}

enum al_code al_api_anthropic_refuse_block(const struct al_json *block, const char *path, struct al_str type,
                                           struct al_err *err)
{
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  if (al_str_is(type, "image"))
    return refuse_image(block, path, err);
  return al_api_unsupported(err, type_path, "%s: blocks of type '%.*s' cannot be taken in here", type_path,
                            (int)al_min_size(type.size, 64), type.data);
}

enum al_code al_api_anthropic_text(const struct al_json *content, const char *path, struct al_buf *out,
                                   struct al_err *err)
{
  if (al_json_kind(content) == AL_JSON_STRING) {
    struct al_str text = al_json_str(content);
    al_buf_add(out, text.data, text.size);
    return al_buf_check(out, err);
  }
  if (al_json_kind(content) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, path, "a string or an array of blocks", content);
  struct al_json_iter it = al_json_iter(content);
  while (al_json_next(&it)) {
    char block_path[64];
    (void)snprintf(block_path, sizeof block_path, "%s[%zu]", path, it.index);
    struct al_str type = {};
    AL_TRY(al_api_anthropic_block_type(it.value, block_path, &type, err));
    if (!al_str_is(type, "text"))
      return al_api_anthropic_refuse_block(it.value, block_path, type, err);
    AL_TRY(al_api_anthropic_text_block(it.value, block_path, out, err));
  }
  return AL_OK;
}
