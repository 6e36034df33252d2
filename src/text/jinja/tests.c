/* The tests of "is". */
#include "text/jinja/render.h"

#include "codec/utf8.h"
#include "text/jinja/chars.h"

#include <wctype.h>

bool al_jj_all_in_case(struct al_jj_render *r, struct al_str text, bool upper)
{
  bool any = false;
  size_t size;
  for (size_t at = 0; at < text.size; at += size) {
    uint32_t c;
    size = al_utf8_decode(al_jj_from(text, at), &c);
    bool is_upper = iswupper_l((wint_t)c, r->program->ctype) != 0;
    bool is_lower = iswlower_l((wint_t)c, r->program->ctype) != 0;
    if (upper ? is_lower : is_upper)
      return false;
    any |= is_upper || is_lower;
  }
  return any;
}

static bool is_defined(struct al_jj_value v)
{
  return v.kind != AL_JJ_UNDEFINED;
}
static bool is_undefined(struct al_jj_value v)
{
  return v.kind == AL_JJ_UNDEFINED;
}
static bool is_none(struct al_jj_value v)
{
  return v.kind == AL_JJ_NONE;
}
static bool is_boolean(struct al_jj_value v)
{
  return v.kind == AL_JJ_BOOL;
}
static bool is_true(struct al_jj_value v)
{
  return v.kind == AL_JJ_BOOL && v.boolean;
}
static bool is_false(struct al_jj_value v)
{
  return v.kind == AL_JJ_BOOL && !v.boolean;
}
static bool is_integer(struct al_jj_value v)
{
  return v.kind == AL_JJ_INT;
}
static bool is_float(struct al_jj_value v)
{
  return v.kind == AL_JJ_FLOAT;
}
static bool is_number(struct al_jj_value v)
{
  return al_jj_is_number(v);
}
static bool is_string(struct al_jj_value v)
{
  return v.kind == AL_JJ_STR;
}
static bool is_mapping(struct al_jj_value v)
{
  return v.kind == AL_JJ_DICT;
}
static bool is_escaped(struct al_jj_value v)
{
  return v.kind == AL_JJ_STR && v.markup;
}
static bool is_iterable(struct al_jj_value v)
{
  return al_jj_iterable(v) || v.kind == AL_JJ_LOOP;
}
static bool is_sequence(struct al_jj_value v)
{
  return al_jj_has_len(v) && v.kind != AL_JJ_VIEW;
}
static bool is_callable(struct al_jj_value v)
{
  return v.kind == AL_JJ_MACRO || v.kind == AL_JJ_BOUND || v.kind == AL_JJ_LOOP || v.kind == AL_JJ_UNDEFINED;
}

static enum al_code has_rest(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value divisor, int64_t rest,
                             struct al_jj_value *out)
{
  struct al_jj_value modulo;
  bool equal;
  AL_TRY(al_jj_binary(r, AL_JJ_MOD, value, divisor, &modulo));
  AL_TRY(al_jj_equal(r, modulo, al_jj_int(rest), &equal));
  *out = al_jj_bool(equal);
  return AL_OK;
}

static enum al_code is_known(struct al_jj_render *r, struct al_jj_value name, const struct al_jj_native *found,
                             struct al_jj_value *out)
{
  *out = al_jj_bool(found != nullptr);
  return al_jj_hashable(name) ? AL_OK : al_jj_fail(r, "a '%s' is no name", al_jj_kind_name(name));
}

static enum al_code test_filter(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value name = call->self;
  return is_known(r, name, name.kind == AL_JJ_STR ? al_jj_find_filter(name.str) : nullptr, out);
}

static enum al_code test_test(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_value name = call->self;
  return is_known(r, name, name.kind == AL_JJ_STR ? al_jj_find_test(name.str) : nullptr, out);
}

static enum al_code test_odd(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return has_rest(r, call->self, al_jj_int(2), 1, out);
}

static enum al_code test_even(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return has_rest(r, call->self, al_jj_int(2), 0, out);
}

static enum al_code test_divisibleby(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return has_rest(r, call->self, call->slot[0], 0, out);
}

static enum al_code in_case(struct al_jj_render *r, struct al_jj_value value, bool upper, struct al_jj_value *out)
{
  struct al_str text;
  AL_TRY(al_jj_to_str(r, value, &text));
  AL_TRY(al_jj_step_bytes(r, text.size));
  *out = al_jj_bool(al_jj_all_in_case(r, text, upper));
  return AL_OK;
}

static enum al_code test_lower(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return in_case(r, call->self, false, out);
}

static enum al_code test_upper(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return in_case(r, call->self, true, out);
}

static enum al_code test_sameas(struct al_jj_render *, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(al_jj_same(call->self, call->slot[0]));
  return AL_OK;
}

static enum al_code compare(struct al_jj_render *r, enum al_jj_op op, const struct al_jj_call *call,
                            struct al_jj_value *out)
{
  bool holds;
  AL_TRY(al_jj_compare_op(r, op, call->self, call->slot[0], &holds));
  *out = al_jj_bool(holds);
  return AL_OK;
}

static enum al_code test_in(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_IN, call, out);
}

static enum al_code test_eq(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_EQ, call, out);
}

static enum al_code test_ne(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_NE, call, out);
}

static enum al_code test_lt(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_LT, call, out);
}

static enum al_code test_le(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_LE, call, out);
}

static enum al_code test_gt(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_GT, call, out);
}

static enum al_code test_ge(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return compare(r, AL_JJ_GE, call, out);
}

static const struct al_jj_native tests[] = {
  { "defined", "", nullptr, is_defined },
  { "undefined", "", nullptr, is_undefined },
  { "none", "", nullptr, is_none },
  { "boolean", "", nullptr, is_boolean },
  { "true", "", nullptr, is_true },
  { "false", "", nullptr, is_false },
  { "integer", "", nullptr, is_integer },
  { "float", "", nullptr, is_float },
  { "number", "", nullptr, is_number },
  { "string", "", nullptr, is_string },
  { "mapping", "", nullptr, is_mapping },
  { "sequence", "", nullptr, is_sequence },
  { "iterable", "", nullptr, is_iterable },
  { "callable", "", nullptr, is_callable },
  { "escaped", "", nullptr, is_escaped },
  { "filter", "", test_filter, nullptr },
  { "test", "", test_test, nullptr },
  { "odd", "", test_odd, nullptr },
  { "even", "", test_even, nullptr },
  { "divisibleby", "num", test_divisibleby, nullptr },
  { "lower", "", test_lower, nullptr },
  { "upper", "", test_upper, nullptr },
  { "sameas", "other", test_sameas, nullptr },
  { "in", "seq", test_in, nullptr },
  { "eq", "/other", test_eq, nullptr },
  { "equalto", "/other", test_eq, nullptr },
  { "==", "/other", test_eq, nullptr },
  { "ne", "/other", test_ne, nullptr },
  { "!=", "/other", test_ne, nullptr },
  { "lt", "/other", test_lt, nullptr },
  { "lessthan", "/other", test_lt, nullptr },
  { "<", "/other", test_lt, nullptr },
  { "le", "/other", test_le, nullptr },
  { "<=", "/other", test_le, nullptr },
  { "gt", "/other", test_gt, nullptr },
  { "greaterthan", "/other", test_gt, nullptr },
  { ">", "/other", test_gt, nullptr },
  { "ge", "/other", test_ge, nullptr },
  { ">=", "/other", test_ge, nullptr },
};

const struct al_jj_native *al_jj_find_in(const struct al_jj_native *table, size_t n, struct al_str name)
{
  for (size_t i = 0; i < n; i++)
    if (al_str_is(name, table[i].name))
      return &table[i];
  return nullptr;
}

const struct al_jj_native *al_jj_find_test(struct al_str name)
{
  return al_jj_find_in(tests, AL_COUNT(tests), name);
}
