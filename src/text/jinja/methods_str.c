/* The methods of str that change or inspect the whole string. */
#include "text/jinja/methods.h"

#include "codec/utf8.h"

#include <wctype.h>

static enum al_code str_upper(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_in_case(r, call->self, AL_JJ_UPPER, out);
}

static enum al_code str_lower(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_in_case(r, call->self, AL_JJ_LOWER, out);
}

static enum al_code str_swapcase(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_in_case(r, call->self, AL_JJ_SWAP, out);
}

static enum al_code str_capitalize(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_capitalize(r, call->self, out);
}

static enum al_code str_title(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct al_str self = call->self.str;
  bool inside = false;
  size_t size;
  AL_TRY(al_jj_step_bytes(r, self.size));
  for (size_t at = 0; at < self.size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(self, at), &c);
    struct al_str letter = al_str_n(self.data + at, size);
    if (inside && c == 0x3a3 && !al_jj_is_letter_at(self, at + size, r->program->ctype))
      al_buf_str(&text, "\xcf\x82"); /* sigma at the end of a word */
    else
      al_jj_change_case(&text, letter, inside ? AL_JJ_LOWER : AL_JJ_UPPER, r->program->ctype);
    inside = iswupper_l((wint_t)c, r->program->ctype) || iswlower_l((wint_t)c, r->program->ctype);
  }
  AL_TRY(al_jj_take_text(r, &text, out));
  out->markup = call->self.markup;
  return AL_OK;
}

static enum al_code str_strip(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_strip(r, call->self, call->slot[0], AL_JJ_STRIP_BOTH, out);
}

static enum al_code str_lstrip(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_strip(r, call->self, call->slot[0], AL_JJ_STRIP_LEFT, out);
}

static enum al_code str_rstrip(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_strip(r, call->self, call->slot[0], AL_JJ_STRIP_RIGHT, out);
}

static enum al_code str_replace(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str part[3] = { call->self.str };
  int64_t count;
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &part[1]));
  AL_TRY(al_jj_str_arg(r, call->slot[1], "", &part[2]));
  if (call->slot[2].kind == AL_JJ_NONE)
    return al_jj_fail(r, "replace: the count must be an integer");
  AL_TRY(al_jj_int_arg(r, call->slot[2], -1, &count));
  AL_TRY(al_jj_replace(r, part, count, out));
  out->markup = call->self.markup;
  return AL_OK;
}

static enum al_code str_removeprefix(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str prefix;
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &prefix));
  *out = call->self;
  if (al_str_starts(call->self.str, prefix))
    out->str = al_jj_from(call->self.str, prefix.size);
  return AL_OK;
}

static enum al_code str_removesuffix(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str suffix;
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &suffix));
  *out = call->self;
  if (al_str_ends(call->self.str, suffix))
    out->str.size -= suffix.size;
  return AL_OK;
}

static enum al_code justify(struct al_jj_render *r, const struct al_jj_call *call, enum al_jj_justify_to to,
                            struct al_jj_value *out)
{
  int64_t width;
  struct al_str fill;
  if (call->slot[0].kind == AL_JJ_NONE)
    return al_jj_fail(r, "the width must be an integer");
  AL_TRY(al_jj_int_arg(r, call->slot[0], 0, &width));
  AL_TRY(al_jj_str_arg(r, call->slot[1], " ", &fill));
  return al_jj_justify(r, call->self, width, fill, to, out);
}

static enum al_code str_center(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return justify(r, call, AL_JJ_JUSTIFY_CENTER, out);
}

static enum al_code str_ljust(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return justify(r, call, AL_JJ_JUSTIFY_LEFT, out);
}

static enum al_code str_rjust(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return justify(r, call, AL_JJ_JUSTIFY_RIGHT, out);
}

static enum al_code str_zfill(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value digits = call->self, sign = al_jj_text("");
  int64_t width;
  AL_TRY(al_jj_int_arg(r, call->slot[0], 0, &width));
  if (digits.str.size > 0 && (digits.str.data[0] == '-' || digits.str.data[0] == '+')) {
    sign = al_jj_str(al_str_n(digits.str.data, 1));
    digits.str = al_jj_from(digits.str, 1);
    width -= width > 0;
  }
  AL_TRY(al_jj_justify(r, digits, width, al_str("0"), AL_JJ_JUSTIFY_RIGHT, out));
  return al_jj_binary(r, AL_JJ_ADD, sign, *out, out);
}

/* Every character passes, and there is one. */
static bool all_chars(struct al_jj_render *r, struct al_str text, bool (*passes)(uint32_t c, locale_t ctype))
{
  size_t size;
  for (size_t at = 0; at < text.size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(text, at), &c);
    if (!passes(c, r->program->ctype))
      return false;
  }
  return text.size > 0;
}

static bool is_alpha(uint32_t c, locale_t ctype)
{
  return iswalpha_l((wint_t)c, ctype) && !iswdigit_l((wint_t)c, ctype);
}
static bool is_alnum(uint32_t c, locale_t ctype)
{
  return iswalnum_l((wint_t)c, ctype) != 0;
}
static bool is_digit(uint32_t c, locale_t)
{
  return c >= '0' && c <= '9';
}
static bool is_space(uint32_t c, locale_t)
{
  return al_jj_is_space(c);
}
static bool is_ascii(uint32_t c, locale_t)
{
  return c < 0x80;
}

static enum al_code str_isalpha(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(all_chars(r, call->self.str, is_alpha));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_isalnum(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(all_chars(r, call->self.str, is_alnum));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_isdigit(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(all_chars(r, call->self.str, is_digit));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_isspace(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(all_chars(r, call->self.str, is_space));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_isascii(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(call->self.str.size == 0 || all_chars(r, call->self.str, is_ascii));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_isupper(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(al_jj_all_in_case(r, call->self.str, true));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_islower(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(al_jj_all_in_case(r, call->self.str, false));
  return al_jj_step_bytes(r, call->self.str.size);
}

static enum al_code str_format(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return al_jj_format_braces(r, call->self.str, call->args, out);
}

static const struct al_jj_native methods[] = {
  { "upper", "", str_upper, nullptr },
  { "lower", "", str_lower, nullptr },
  { "casefold", "", str_lower, nullptr },
  { "swapcase", "", str_swapcase, nullptr },
  { "capitalize", "", str_capitalize, nullptr },
  { "title", "", str_title, nullptr },
  { "strip", "/chars?", str_strip, nullptr },
  { "lstrip", "/chars?", str_lstrip, nullptr },
  { "rstrip", "/chars?", str_rstrip, nullptr },
  { "replace", "/old /new count?", str_replace, nullptr },
  { "removeprefix", "/prefix", str_removeprefix, nullptr },
  { "removesuffix", "/suffix", str_removesuffix, nullptr },
  { "center", "/width /fillchar?", str_center, nullptr },
  { "ljust", "/width /fillchar?", str_ljust, nullptr },
  { "rjust", "/width /fillchar?", str_rjust, nullptr },
  { "zfill", "/width", str_zfill, nullptr },
  { "isalpha", "", str_isalpha, nullptr },
  { "isalnum", "", str_isalnum, nullptr },
  { "isdigit", "", str_isdigit, nullptr },
  { "isdecimal", "", str_isdigit, nullptr },
  { "isnumeric", "", str_isdigit, nullptr },
  { "isspace", "", str_isspace, nullptr },
  { "isascii", "", str_isascii, nullptr },
  { "isupper", "", str_isupper, nullptr },
  { "islower", "", str_islower, nullptr },
  { "format", "*", str_format, nullptr },
  { "format_map", "*", nullptr, nullptr },
  { "encode", "*", nullptr, nullptr },
  { "expandtabs", "*", nullptr, nullptr },
  { "isidentifier", "*", nullptr, nullptr },
  { "isprintable", "*", nullptr, nullptr },
  { "istitle", "*", nullptr, nullptr },
  { "maketrans", "*", nullptr, nullptr },
  { "translate", "*", nullptr, nullptr },
};

const struct al_jj_native *al_jj_find_str_method(struct al_str name)
{
  return al_jj_find_in(methods, AL_COUNT(methods), name);
}
