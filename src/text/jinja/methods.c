/* The methods of dicts and sequences, and which methods the sandbox hides because they would change their object. */
#include "text/jinja/methods.h"

static enum al_code dict_get(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  const struct al_jj_value *value;
  AL_TRY(al_jj_dict_find(r, call->self.dict, call->slot[0], &value));
  *out = call->slot[1].kind == AL_JJ_MISSING ? al_jj_none() : call->slot[1];
  if (value != nullptr)
    *out = *value;
  return AL_OK;
}

static enum al_code make_view(struct al_jj_render *r, const struct al_jj_call *call, enum al_jj_view_of of,
                              struct al_jj_value *out)
{
  struct al_jj_view *view;
  AL_TRY(al_jj_alloc(r, 1, sizeof *view, &view));
  *view = (struct al_jj_view){ call->self.dict, of };
  *out = (struct al_jj_value){ .kind = AL_JJ_VIEW, .view = view };
  return AL_OK;
}

static enum al_code dict_keys(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return make_view(r, call, AL_JJ_KEYS, out);
}

static enum al_code dict_values(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return make_view(r, call, AL_JJ_VALUES, out);
}

static enum al_code dict_items(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return make_view(r, call, AL_JJ_ITEMS, out);
}

/* Values do not change, so the copy is the thing itself. */
static enum al_code copy_self(struct al_jj_render *, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = call->self;
  return AL_OK;
}

static enum al_code list_count(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  int64_t n = 0;
  for (size_t i = 0; i < call->self.list->n; i++) {
    bool equal;
    AL_TRY(al_jj_equal(r, call->self.list->items[i], call->slot[0], &equal));
    n += equal;
  }
  *out = al_jj_int(n);
  return AL_OK;
}

static int64_t clamp_index(int64_t index, int64_t n)
{
  if (index < 0)
    index = index < -n ? 0 : index + n;
  return index > n ? n : index;
}

static enum al_code list_index(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  int64_t n = (int64_t)call->self.list->n, start, stop;
  AL_TRY(al_jj_int_arg(r, call->slot[1], 0, &start));
  AL_TRY(al_jj_int_arg(r, call->slot[2], n, &stop));
  for (int64_t i = clamp_index(start, n); i < clamp_index(stop, n); i++) {
    bool equal;
    AL_TRY(al_jj_equal(r, call->self.list->items[i], call->slot[0], &equal));
    if (equal) {
      *out = al_jj_int(i);
      return AL_OK;
    }
  }
  return al_jj_fail(r, "the value is not in the list");
}

static enum al_code float_is_integer(struct al_jj_render *, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_bool(call->self.kind != AL_JJ_FLOAT || call->self.real == (double)(int64_t)call->self.real);
  return AL_OK;
}

static const struct al_jj_native dict_methods[] = {
  { "get", "/key /default?", dict_get, nullptr },
  { "items", "", dict_items, nullptr },
  { "keys", "", dict_keys, nullptr },
  { "values", "", dict_values, nullptr },
  { "copy", "", copy_self, nullptr },
  { "fromkeys", "*", nullptr, nullptr },
};
static const struct al_jj_native list_methods[] = {
  { "count", "/value", list_count, nullptr },
  { "index", "/value /start? /stop?", list_index, nullptr },
  { "copy", "", copy_self, nullptr },
};
static const struct al_jj_native tuple_methods[] = {
  { "count", "/value", list_count, nullptr },
  { "index", "/value /start? /stop?", list_index, nullptr },
};
static const struct al_jj_native range_methods[] = {
  { "start", "*", nullptr, nullptr }, { "stop", "*", nullptr, nullptr },  { "step", "*", nullptr, nullptr },
  { "count", "*", nullptr, nullptr }, { "index", "*", nullptr, nullptr },
};
static const struct al_jj_native number_methods[] = {
  { "is_integer", "", float_is_integer, nullptr },
  { "as_integer_ratio", "*", nullptr, nullptr },
  { "conjugate", "*", nullptr, nullptr },
  { "real", "*", nullptr, nullptr },
  { "imag", "*", nullptr, nullptr },
  { "bit_length", "*", nullptr, nullptr },
  { "to_bytes", "*", nullptr, nullptr },
  { "hex", "*", nullptr, nullptr },
};

static const struct {
  enum al_jj_kind kind;
  const struct al_jj_native *methods;
  size_t n;
} types[] = {
  { AL_JJ_DICT, dict_methods, AL_COUNT(dict_methods) },      { AL_JJ_LIST, list_methods, AL_COUNT(list_methods) },
  { AL_JJ_TUPLE, tuple_methods, AL_COUNT(tuple_methods) },   { AL_JJ_RANGE, range_methods, AL_COUNT(range_methods) },
  { AL_JJ_INT, number_methods, AL_COUNT(number_methods) },   { AL_JJ_BOOL, number_methods, AL_COUNT(number_methods) },
  { AL_JJ_FLOAT, number_methods, AL_COUNT(number_methods) },
};

static bool is_one_of(const char *const *names, struct al_str name)
{
  for (; *names != nullptr; names++)
    if (al_str_is(name, *names))
      return true;
  return false;
}

static bool changes_object(enum al_jj_kind kind, struct al_str name)
{
  static const char *const of_dict[] = { "clear", "pop", "popitem", "setdefault", "update", nullptr };
  static const char *const of_list[] = { "append", "clear",  "pop",    "reverse", "insert",
                                         "sort",   "extend", "remove", nullptr };
  return (kind == AL_JJ_DICT && is_one_of(of_dict, name)) || (kind == AL_JJ_LIST && is_one_of(of_list, name));
}

const struct al_jj_native *al_jj_find_method(enum al_jj_kind kind, struct al_str name, bool *mutates)
{
  *mutates = changes_object(kind, name);
  if (kind == AL_JJ_STR) {
    const struct al_jj_native *method = al_jj_find_str_method(name);
    return method != nullptr ? method : al_jj_find_str_search(name);
  }
  for (size_t i = 0; i < AL_COUNT(types); i++)
    if (types[i].kind == kind)
      return al_jj_find_in(types[i].methods, types[i].n, name);
  return nullptr;
}
