/* Equality, order and membership, as Python has them. */
#include "text/jinja/render.h"

#include "text/jinja/chars.h"

static bool numbers_equal(struct al_jj_value a, struct al_jj_value b)
{
  if (al_jj_is_integral(a) && al_jj_is_integral(b))
    return al_jj_as_int(a) == al_jj_as_int(b);
  if (a.kind == AL_JJ_FLOAT && b.kind == AL_JJ_FLOAT)
    return a.real == b.real;
  long double x = a.kind == AL_JJ_FLOAT ? (long double)a.real : (long double)al_jj_as_int(a);
  long double y = b.kind == AL_JJ_FLOAT ? (long double)b.real : (long double)al_jj_as_int(b);
  return x == y;
}

static enum al_code lists_equal(struct al_jj_render *r, const struct al_jj_list *a, const struct al_jj_list *b,
                                bool *equal)
{
  *equal = a->n == b->n;
  for (size_t i = 0; *equal && i < a->n; i++)
    AL_TRY(al_jj_equal(r, a->items[i], b->items[i], equal));
  return AL_OK;
}

static enum al_code dicts_equal(struct al_jj_render *r, const struct al_jj_dict *a, const struct al_jj_dict *b,
                                bool *equal)
{
  *equal = a->n == b->n;
  for (size_t i = 0; *equal && i < a->n; i++) {
    const struct al_jj_value *other;
    AL_TRY(al_jj_dict_find(r, b, a->pairs[i].key, &other));
    *equal = other != nullptr;
    if (*equal)
      AL_TRY(al_jj_equal(r, a->pairs[i].value, *other, equal));
  }
  return AL_OK;
}

static bool ranges_equal(const struct al_jj_range *a, const struct al_jj_range *b)
{
  if (a->n != b->n || a->n == 0)
    return a->n == b->n;
  return a->start == b->start && (a->n == 1 || a->step == b->step);
}

static enum al_code views_equal(struct al_jj_render *r, const struct al_jj_view *a, const struct al_jj_view *b,
                                bool *equal)
{
  *equal = a == b;
  if (a->of != b->of || a->of == AL_JJ_VALUES)
    return AL_OK;
  *equal = a->dict->n == b->dict->n;
  for (size_t i = 0; *equal && i < a->dict->n; i++) {
    const struct al_jj_value *other;
    AL_TRY(al_jj_dict_find(r, b->dict, a->dict->pairs[i].key, &other));
    *equal = other != nullptr;
    if (*equal && a->of == AL_JJ_ITEMS)
      AL_TRY(al_jj_equal(r, a->dict->pairs[i].value, *other, equal));
  }
  return AL_OK;
}

bool al_jj_same(struct al_jj_value a, struct al_jj_value b)
{
  if (a.kind != b.kind)
    return false;
  switch (a.kind) {
  case AL_JJ_MISSING:
  case AL_JJ_NONE: return true;
  case AL_JJ_UNDEFINED: return false;
  case AL_JJ_BOOL: return a.boolean == b.boolean;
  case AL_JJ_INT: return a.integer == b.integer;
  case AL_JJ_FLOAT: return a.real == b.real;
  case AL_JJ_STR: return al_str_eq(a.str, b.str);
  case AL_JJ_LIST:
  case AL_JJ_TUPLE: return a.list == b.list || (a.kind == AL_JJ_TUPLE && a.list->n == 0 && b.list->n == 0);
  case AL_JJ_DICT:
  case AL_JJ_NAMESPACE: return a.dict == b.dict;
  case AL_JJ_VIEW: return a.view == b.view;
  case AL_JJ_RANGE: return a.range == b.range;
  case AL_JJ_ITER: return a.iter == b.iter;
  case AL_JJ_MACRO: return a.macro == b.macro;
  case AL_JJ_BOUND: return a.bound == b.bound;
  case AL_JJ_LOOP: return a.loop == b.loop;
  }
  return false;
}

static enum al_code same_kind_equal(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b, bool *equal)
{
  *equal = true;
  if (a.kind == AL_JJ_UNDEFINED)
    return AL_OK;
  if (a.kind == AL_JJ_STR)
    return *equal = al_str_eq(a.str, b.str), AL_OK;
  if (a.kind == AL_JJ_LIST || a.kind == AL_JJ_TUPLE)
    return a.list == b.list ? AL_OK : lists_equal(r, a.list, b.list, equal);
  if (a.kind == AL_JJ_DICT)
    return a.dict == b.dict ? AL_OK : dicts_equal(r, a.dict, b.dict, equal);
  if (a.kind == AL_JJ_VIEW)
    return views_equal(r, a.view, b.view, equal);
  if (a.kind == AL_JJ_BOUND) {
    *equal = a.bound->native == b.bound->native && al_jj_same(a.bound->self, b.bound->self);
    return AL_OK;
  }
  *equal = a.kind == AL_JJ_RANGE ? ranges_equal(a.range, b.range) : al_jj_same(a, b);
  return AL_OK;
}

enum al_code al_jj_equal(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b, bool *equal)
{
  *equal = false;
  if (al_jj_is_number(a) && al_jj_is_number(b)) {
    *equal = numbers_equal(a, b);
    return al_jj_step(r, 1);
  }
  if (a.kind != b.kind)
    return al_jj_step(r, 1);
  AL_TRY(al_jj_enter(r));
  enum al_code code = same_kind_equal(r, a, b, equal);
  al_jj_leave(r);
  return code;
}

static int sign_of(int64_t a, int64_t b)
{
  return (a > b) - (a < b);
}

static int strings_order(struct al_str a, struct al_str b)
{
  size_t shared = al_min_size(a.size, b.size);
  int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0; /* UTF-8 keeps the order of code points */
  return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static void numbers_order(struct al_jj_value a, struct al_jj_value b, int *order, bool *unordered)
{
  if (al_jj_is_integral(a) && al_jj_is_integral(b)) {
    *order = sign_of(al_jj_as_int(a), al_jj_as_int(b));
    return;
  }
  long double x = a.kind == AL_JJ_FLOAT ? (long double)a.real : (long double)al_jj_as_int(a);
  long double y = b.kind == AL_JJ_FLOAT ? (long double)b.real : (long double)al_jj_as_int(b);
  *order = (x > y) - (x < y);
  *unordered = x != x || y != y;
}

static enum al_code lists_order(struct al_jj_render *r, const struct al_jj_list *a, const struct al_jj_list *b,
                                int *order, bool *unordered)
{
  for (size_t i = 0; i < a->n && i < b->n; i++) {
    bool equal;
    AL_TRY(al_jj_equal(r, a->items[i], b->items[i], &equal));
    if (!equal)
      return al_jj_compare(r, a->items[i], b->items[i], order, unordered);
  }
  *order = (a->n > b->n) - (a->n < b->n);
  return AL_OK;
}

enum al_code al_jj_compare(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b, int *order,
                           bool *unordered)
{
  *unordered = false;
  AL_TRY(al_jj_step(r, 1));
  if (al_jj_is_number(a) && al_jj_is_number(b))
    return numbers_order(a, b, order, unordered), AL_OK;
  if (a.kind == AL_JJ_STR && b.kind == AL_JJ_STR)
    return *order = strings_order(a.str, b.str), AL_OK;
  if (a.kind != b.kind || (a.kind != AL_JJ_LIST && a.kind != AL_JJ_TUPLE))
    return al_jj_fail(r, "'%s' and '%s' have no order", al_jj_kind_name(a), al_jj_kind_name(b));
  AL_TRY(al_jj_enter(r));
  enum al_code code = lists_order(r, a.list, b.list, order, unordered);
  al_jj_leave(r);
  return code;
}

static enum al_code in_elements(struct al_jj_render *r, struct al_jj_value container, struct al_jj_value item,
                                bool *found)
{
  struct al_jj_cursor cursor;
  AL_TRY(al_jj_cursor_open(r, container, &cursor));
  for (*found = false; !*found;) {
    struct al_jj_value element;
    bool more;
    AL_TRY(al_jj_cursor_next(r, &cursor, &element, &more));
    if (!more)
      break;
    AL_TRY(al_jj_equal(r, element, item, found));
  }
  return AL_OK;
}

enum al_code al_jj_contains(struct al_jj_render *r, struct al_jj_value container, struct al_jj_value item, bool *found)
{
  *found = false;
  if (container.kind == AL_JJ_STR) {
    if (item.kind != AL_JJ_STR)
      return al_jj_fail(r, "'in <string>' needs a string, not %s", al_jj_kind_name(item));
    AL_TRY(al_jj_step_bytes(r, container.str.size));
    *found = al_jj_find_bytes(container.str, item.str, 0) != SIZE_MAX;
    return AL_OK;
  }
  const struct al_jj_dict *keys = container.kind == AL_JJ_DICT ? container.dict : nullptr;
  if (container.kind == AL_JJ_VIEW && container.view->of == AL_JJ_KEYS)
    keys = container.view->dict;
  if (keys != nullptr) {
    const struct al_jj_value *value;
    AL_TRY(al_jj_dict_find(r, keys, item, &value));
    *found = value != nullptr;
    return AL_OK;
  }
  return in_elements(r, container, item, found);
}
