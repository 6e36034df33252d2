#include "store/model_id.h"

#include "codec/utf8.h"

static bool has_control_bytes(struct al_str text)
{
  for (size_t i = 0; i < text.size; i++)
    if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
      return true;
  return false;
}

/* Why the id is none, or nullptr. */
static const char *objection(struct al_str id)
{
  if (id.size == 0)
    return "it is empty";
  if (id.size > AL_MODEL_ID_MAX_BYTES)
    return "it is longer than 1024 bytes";
  if (!al_utf8_valid(id))
    return "it is not valid UTF-8";
  if (has_control_bytes(id))
    return "it contains control characters";
  if (id.data[0] == '/')
    return "it begins with a slash, but models are named by their path below the models directory";
  for (size_t at = 0; at <= id.size;) {
    const char *slash = at < id.size ? memchr(id.data + at, '/', id.size - at) : nullptr;
    size_t size = slash != nullptr ? (size_t)(slash - id.data) - at : id.size - at;
    struct al_str part = al_str_n(id.data + at, size);
    if (size == 0 || al_str_is(part, ".") || al_str_is(part, ".."))
      return "it has an empty, \".\" or \"..\" part";
    at += size + 1;
  }
  return nullptr;
}
static_assert(AL_MODEL_ID_MAX_BYTES == 1024, "the message above names the limit");

enum al_code al_model_id_check(const char *id, struct al_err *err)
{
  const char *why = objection(al_str(id));
  return why == nullptr ? AL_OK : al_fail_param(err, "model", "this cannot be a model's name: %s", why);
}

bool al_model_name_usable(const char *name)
{
  return name[0] != '.' && name[0] != '\0' && al_utf8_valid(al_str(name)) && !has_control_bytes(al_str(name));
}

constexpr size_t N_DIGITS = 5;
constexpr int MAX_PARTS = 4096;

static bool read_digits(const char *text, int *number)
{
  *number = 0;
  for (size_t i = 0; i < N_DIGITS; i++) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    *number = *number * 10 + (text[i] - '0');
  }
  return true;
}

bool al_part_parse(const char *name, const char *suffix, struct al_part *part)
{
  static const char pattern[] = "-00001-of-00003";
  size_t tail = sizeof pattern - 1 + strlen(suffix);
  size_t length = strlen(name);
  if (length <= tail || !al_str_ends(al_str(name), al_str(suffix)))
    return false;
  const char *at = name + length - tail;
  if (at[0] != '-' || strncmp(at + 1 + N_DIGITS, "-of-", 4) != 0)
    return false;
  if (!read_digits(at + 1, &part->number) || !read_digits(at + 1 + N_DIGITS + 4, &part->count))
    return false;
  part->set = al_str_n(name, (size_t)(at - name));
  return part->number >= 1 && part->number <= part->count && part->count <= MAX_PARTS;
}
