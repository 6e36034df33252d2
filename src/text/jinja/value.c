/* Making values, and what Python's bool(), len() and type names say of them. */
#include "text/jinja/render.h"

#include "text/jinja/chars.h"

#include <stdckdint.h>

enum al_code al_jj_list_new(struct al_jj_render *r, size_t capacity, struct al_jj_list **list)
{
  struct al_jj_list *made;
  AL_TRY(al_jj_alloc(r, 1, sizeof *made, &made));
  if (capacity > 0)
    AL_TRY(al_jj_alloc(r, capacity, sizeof *made->items, &made->items));
  made->capacity = capacity;
  *list = made;
  return AL_OK;
}

enum al_code al_jj_list_add(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value value)
{
  if (list->n == list->capacity) {
    void *items = list->items;
    AL_TRY(al_jj_double(r, &items, &list->capacity, sizeof *list->items));
    list->items = items;
  }
  list->items[list->n++] = value;
  return AL_OK;
}

struct al_jj_value al_jj_list_value(struct al_jj_list *list)
{
  return (struct al_jj_value){ .kind = AL_JJ_LIST, .list = list };
}

struct al_jj_value al_jj_tuple_value(struct al_jj_list *list)
{
  return (struct al_jj_value){ .kind = AL_JJ_TUPLE, .list = list };
}

enum al_code al_jj_pair_tuple(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b,
                              struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(al_jj_list_new(r, 2, &list));
  list->items[0] = a;
  list->items[1] = b;
  list->n = 2;
  *out = al_jj_tuple_value(list);
  return AL_OK;
}

enum al_code al_jj_dict_new(struct al_jj_render *r, size_t capacity, struct al_jj_dict **dict)
{
  struct al_jj_dict *made;
  AL_TRY(al_jj_alloc(r, 1, sizeof *made, &made));
  if (capacity > 0)
    AL_TRY(al_jj_alloc(r, capacity, sizeof *made->pairs, &made->pairs));
  made->capacity = capacity;
  *dict = made;
  return AL_OK;
}

enum al_code al_jj_dict_append(struct al_jj_render *r, struct al_jj_dict *dict, struct al_jj_value key,
                               struct al_jj_value value)
{
  if (dict->n == dict->capacity) {
    void *pairs = dict->pairs;
    AL_TRY(al_jj_double(r, &pairs, &dict->capacity, sizeof *dict->pairs));
    dict->pairs = pairs;
  }
  dict->pairs[dict->n++] = (struct al_jj_pair){ key, value };
  return AL_OK;
}

enum al_code al_jj_dict_find(struct al_jj_render *r, const struct al_jj_dict *dict, struct al_jj_value key,
                             const struct al_jj_value **found)
{
  *found = nullptr;
  if (!al_jj_hashable(key))
    return al_jj_fail(r, "a %s cannot be a key", al_jj_kind_name(key));
  AL_TRY(al_jj_step(r, dict->n / 8));
  if (key.kind == AL_JJ_STR) {
    *found = al_jj_dict_find_str(dict, key.str);
    return AL_OK;
  }
  for (size_t i = 0; i < dict->n; i++) {
    bool equal;
    AL_TRY(al_jj_equal(r, dict->pairs[i].key, key, &equal));
    if (equal) {
      *found = &dict->pairs[i].value;
      return AL_OK;
    }
  }
  return AL_OK;
}

const struct al_jj_value *al_jj_dict_find_str(const struct al_jj_dict *dict, struct al_str key)
{
  for (size_t i = 0; i < dict->n; i++)
    if (dict->pairs[i].key.kind == AL_JJ_STR && al_str_eq(dict->pairs[i].key.str, key))
      return &dict->pairs[i].value;
  return nullptr;
}

enum al_code al_jj_dict_set(struct al_jj_render *r, struct al_jj_dict *dict, struct al_jj_value key,
                            struct al_jj_value value)
{
  const struct al_jj_value *found;
  AL_TRY(al_jj_dict_find(r, dict, key, &found));
  if (found == nullptr)
    return al_jj_dict_append(r, dict, key, value);
  for (size_t i = 0; i < dict->n; i++)
    if (&dict->pairs[i].value == found)
      dict->pairs[i].value = value;
  return AL_OK;
}

enum al_code al_jj_iter_new(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value *out)
{
  struct al_jj_iter *iter;
  AL_TRY(al_jj_alloc(r, 1, sizeof *iter, &iter));
  iter->list = list;
  *out = (struct al_jj_value){ .kind = AL_JJ_ITER, .iter = iter };
  return AL_OK;
}

enum al_code al_jj_str_copy(struct al_jj_render *r, struct al_str text, struct al_jj_value *out)
{
  char *copy;
  AL_TRY(al_jj_step_bytes(r, text.size));
  AL_TRY(al_jj_alloc(r, text.size + 1, 1, &copy));
  if (text.size > 0)
    memcpy(copy, text.data, text.size);
  *out = al_jj_str(al_str_n(copy, text.size));
  return AL_OK;
}

bool al_jj_has_len(struct al_jj_value value)
{
  return value.kind == AL_JJ_UNDEFINED || value.kind == AL_JJ_STR || value.kind == AL_JJ_LIST ||
         value.kind == AL_JJ_TUPLE || value.kind == AL_JJ_DICT || value.kind == AL_JJ_VIEW || value.kind == AL_JJ_RANGE;
}

size_t al_jj_len(struct al_jj_value value)
{
  if (value.kind == AL_JJ_STR)
    return al_jj_char_count(value.str);
  if (value.kind == AL_JJ_LIST || value.kind == AL_JJ_TUPLE)
    return value.list->n;
  if (value.kind == AL_JJ_DICT)
    return value.dict->n;
  if (value.kind == AL_JJ_VIEW)
    return value.view->dict->n;
  return value.kind == AL_JJ_RANGE ? (size_t)value.range->n : 0;
}

bool al_jj_truth(struct al_jj_value value)
{
  switch (value.kind) {
  case AL_JJ_MISSING:
  case AL_JJ_UNDEFINED:
  case AL_JJ_NONE: return false;
  case AL_JJ_BOOL: return value.boolean;
  case AL_JJ_INT: return value.integer != 0;
  case AL_JJ_FLOAT: return value.real != 0;
  case AL_JJ_STR: return value.str.size > 0;
  case AL_JJ_LIST:
  case AL_JJ_TUPLE:
  case AL_JJ_DICT:
  case AL_JJ_VIEW:
  case AL_JJ_RANGE: return al_jj_len(value) > 0;
  case AL_JJ_ITER:
  case AL_JJ_NAMESPACE:
  case AL_JJ_MACRO:
  case AL_JJ_BOUND:
  case AL_JJ_LOOP: return true;
  }
  return false;
}

bool al_jj_hashable(struct al_jj_value value)
{
  if (value.kind == AL_JJ_LIST || value.kind == AL_JJ_DICT || value.kind == AL_JJ_VIEW)
    return false;
  for (size_t i = 0; value.kind == AL_JJ_TUPLE && i < value.list->n; i++) {
    /* Tuples nest only as deep as the template wrote them: a tuple inside is looked into once. */
    struct al_jj_value item = value.list->items[i];
    if (item.kind == AL_JJ_LIST || item.kind == AL_JJ_DICT || item.kind == AL_JJ_VIEW)
      return false;
  }
  return true;
}

const char *al_jj_kind_name(struct al_jj_value value)
{
  static const char *const names[] = {
    [AL_JJ_MISSING] = "nothing",  [AL_JJ_UNDEFINED] = "Undefined",
    [AL_JJ_NONE] = "NoneType",    [AL_JJ_BOOL] = "bool",
    [AL_JJ_INT] = "int",          [AL_JJ_FLOAT] = "float",
    [AL_JJ_STR] = "str",          [AL_JJ_LIST] = "list",
    [AL_JJ_TUPLE] = "tuple",      [AL_JJ_DICT] = "dict",
    [AL_JJ_VIEW] = "dict view",   [AL_JJ_RANGE] = "range",
    [AL_JJ_ITER] = "generator",   [AL_JJ_NAMESPACE] = "Namespace",
    [AL_JJ_MACRO] = "Macro",      [AL_JJ_BOUND] = "function",
    [AL_JJ_LOOP] = "LoopContext",
  };
  return names[value.kind];
}
