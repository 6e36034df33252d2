/* What Python's json writes beyond JSON. Outside of strings only. */
#include "codec/json_python.h"

#include <string.h>

static bool take_infinity(struct al_buf *text, size_t at)
{
  constexpr char infinity[] = "Infinity";
  constexpr char nothing[] = "null    ";
  constexpr size_t length = sizeof infinity - 1;
  static_assert(sizeof nothing == sizeof infinity, "it is written over it");
  if (at + length > text->size || memcmp(text->data + at, infinity, length) != 0)
    return false;
  if (at > 0 && text->data[at - 1] == '-')
    text->data[at - 1] = ' ';
  memcpy(text->data + at, nothing, length);
  return true;
}

static bool without_infinity(struct al_buf *text)
{
  bool found = false;
  bool in_string = false;
  for (size_t i = 0; i < text->size; i++) {
    char c = text->data[i];
    if (c == '\\' && in_string)
      i++;
    else if (c == '"')
      in_string = !in_string;
    else if (!in_string && take_infinity(text, i))
      found = true;
  }
  return found;
}

enum al_code al_json_parse_python(struct al_buf *text, struct al_json_doc **doc, struct al_err *err)
{
  enum al_code code = al_json_parse(al_buf_view(text), doc, err);
  return code == AL_INVALID_REQUEST && without_infinity(text) ? al_json_parse(al_buf_view(text), doc, err) : code;
}
