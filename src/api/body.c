#include "api/body.h"

#include <strings.h>

static bool is_json_type(struct al_str type)
{
  static const char prefix[] = "application/";
  constexpr size_t length = sizeof prefix - 1;
  if (type.size <= length || strncasecmp(type.data, prefix, length) != 0)
    return false;
  struct al_str subtype = al_str_n(type.data + length, type.size - length);
  return subtype.size >= 4 && strncasecmp(subtype.data + subtype.size - 4, "json", 4) == 0 &&
         (subtype.size == 4 || subtype.data[subtype.size - 5] == '+');
}

enum al_code al_api_body_type(struct al_str content_type, struct al_err *err)
{
  if (content_type.size == 0)
    return AL_OK;
  struct al_str type = content_type;
  const char *semicolon = memchr(type.data, ';', type.size);
  if (semicolon != nullptr)
    type.size = (size_t)(semicolon - type.data);
  while (type.size > 0 && (type.data[type.size - 1] == ' ' || type.data[type.size - 1] == '\t'))
    type.size--;
  if (is_json_type(type))
    return AL_OK;
  return al_fail_reason(
      err,
      al_fail(err, AL_INVALID_REQUEST, "The body must be JSON: send the header \"Content-Type: application/json\""),
      "unsupported_media_type");
}

enum al_code al_api_body(const struct al_http_exchange *exchange, struct al_json_doc **doc, struct al_err *err)
{
  AL_TRY(al_api_body_type(al_http_header(exchange, "content-type"), err));
  struct al_str body = al_http_body(exchange);
  if (body.size == 0)
    return al_fail(err, AL_INVALID_REQUEST, "The request has no body; a JSON object is expected");
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *parsed = nullptr;
  if (al_json_parse(body, &parsed, err) != AL_OK)
    return al_wrap(err, "The body is not valid JSON");
  const struct al_json *root = al_json_root(parsed);
  if (al_json_kind(root) != AL_JSON_OBJECT)
    return al_fail(err, AL_INVALID_REQUEST, "The body must be a JSON object, but it is of type %s",
                   al_json_kind_name(al_json_kind(root)));
  *doc = AL_TAKE(parsed);
  return AL_OK;
}
