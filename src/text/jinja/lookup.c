/* value.name, value[key] and slices. An attribute is looked for among the type's methods first and then as an item; an
 * item the other way round. What is not there is undefined; only an undefined object is an error. */
#include "text/jinja/render.h"

#include "text/jinja/chars.h"

#include <stdckdint.h>

static enum al_code bound_method(struct al_jj_render *r, const struct al_jj_native *native, struct al_jj_value self,
                                 struct al_jj_value *out)
{
  struct al_jj_bound *bound;
  AL_TRY(al_jj_alloc(r, 1, sizeof *bound, &bound));
  *bound = (struct al_jj_bound){ native, self };
  *out = (struct al_jj_value){ .kind = AL_JJ_BOUND, .bound = bound };
  return AL_OK;
}

static enum al_code macro_attr(struct al_jj_render *r, const struct al_jj_macro *macro, struct al_str name,
                               struct al_jj_value *out)
{
  const struct al_jj_function *function = macro->function;
  if (al_str_is(name, "name"))
    *out = function->name != nullptr ? al_jj_str(function->name->name) : al_jj_none();
  else if (al_str_is(name, "caller"))
    *out = al_jj_bool(function->caller != nullptr);
  else if (al_str_is(name, "catch_kwargs"))
    *out = al_jj_bool(function->kwargs != nullptr);
  else if (al_str_is(name, "catch_varargs"))
    *out = al_jj_bool(function->varargs != nullptr);
  if (!al_str_is(name, "arguments"))
    return AL_OK;
  struct al_jj_list *list;
  AL_TRY(al_jj_list_new(r, function->n_params, &list));
  for (size_t i = 0; i < function->n_params; i++)
    AL_TRY(al_jj_list_add(r, list, al_jj_str(function->params[i]->name)));
  *out = al_jj_tuple_value(list);
  return AL_OK;
}

/* What the object's type has under that name; *found tells. */
static enum al_code type_attr(struct al_jj_render *r, struct al_jj_value object, struct al_str name,
                              struct al_jj_value *out, bool *found)
{
  *out = al_jj_undefined();
  *found = false;
  if (object.kind == AL_JJ_LOOP) {
    AL_TRY(al_jj_loop_attr(r, object.loop, name, out));
  } else if (object.kind == AL_JJ_MACRO) {
    AL_TRY(macro_attr(r, object.macro, name, out));
  } else if (object.kind == AL_JJ_NAMESPACE) {
    const struct al_jj_value *value = al_jj_dict_find_str(object.dict, name);
    AL_TRY(al_jj_step(r, object.dict->n / 8));
    if (value != nullptr)
      *out = *value;
  } else {
    bool mutates;
    const struct al_jj_native *native = al_jj_find_method(object.kind, name, &mutates);
    *found = native != nullptr || mutates;
    if (native != nullptr && !mutates)
      return bound_method(r, native, object, out);
    return AL_OK;
  }
  *found = out->kind != AL_JJ_UNDEFINED;
  return AL_OK;
}

/* What Python gives every object; the sandbox shows it as undefined, even on an undefined value. */
static bool is_internal(struct al_str name)
{
  static const char *const names[] = { "__class__", "__doc__", "__init__", "__module__", "__str__", "__repr__" };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    if (al_str_is(name, names[i]))
      return true;
  return false;
}

static enum al_code undefined_object(struct al_jj_render *r, struct al_str name)
{
  return al_jj_fail(r, "an undefined value has no '%.*s'", (int)al_min_size(name.size, 100), name.data);
}

static enum al_code dict_item(struct al_jj_render *r, const struct al_jj_dict *dict, struct al_jj_value key,
                              struct al_jj_value *out, bool *found)
{
  const struct al_jj_value *value = nullptr;
  if (al_jj_hashable(key))
    AL_TRY(al_jj_dict_find(r, dict, key, &value));
  *found = value != nullptr;
  if (*found)
    *out = *value;
  return AL_OK;
}

static enum al_code sequence_item(struct al_jj_render *r, struct al_jj_value object, int64_t index,
                                  struct al_jj_value *out, bool *found)
{
  size_t n = al_jj_len(object);
  if (object.kind == AL_JJ_STR)
    AL_TRY(al_jj_step_bytes(r, object.str.size));
  if (index < 0)
    index += (int64_t)n;
  *found = index >= 0 && (uint64_t)index < n;
  if (!*found)
    return AL_OK;
  if (object.kind == AL_JJ_RANGE) {
    *out = al_jj_range_at(object.range, index);
  } else if (object.kind == AL_JJ_STR) {
    size_t at = al_jj_char_offset(object.str, (size_t)index);
    *out = al_jj_str(al_str_n(object.str.data + at, al_jj_char_size(al_jj_from(object.str, at))));
    out->markup = object.markup;
  } else {
    *out = object.list->items[index];
  }
  return AL_OK;
}

static bool sliceable(struct al_jj_value object)
{
  return object.kind == AL_JJ_LIST || object.kind == AL_JJ_TUPLE || object.kind == AL_JJ_STR ||
         object.kind == AL_JJ_RANGE;
}

static enum al_code own_item(struct al_jj_render *r, struct al_jj_value object, struct al_jj_value key,
                             struct al_jj_value *out, bool *found)
{
  *found = false;
  if (object.kind == AL_JJ_DICT)
    return dict_item(r, object.dict, key, out, found);
  if (sliceable(object) && al_jj_is_integral(key))
    return sequence_item(r, object, al_jj_as_int(key), out, found);
  return AL_OK;
}

enum al_code al_jj_attr(struct al_jj_render *r, struct al_jj_value object, struct al_str name, struct al_jj_value *out)
{
  bool found;
  struct al_jj_value result = al_jj_undefined();
  if (object.kind == AL_JJ_UNDEFINED && !is_internal(name))
    return undefined_object(r, name);
  AL_TRY(type_attr(r, object, name, &result, &found));
  if (!found)
    AL_TRY(own_item(r, object, al_jj_str(name), &result, &found));
  *out = result;
  return AL_OK;
}

enum al_code al_jj_item(struct al_jj_render *r, struct al_jj_value object, struct al_jj_value key,
                        struct al_jj_value *out)
{
  bool found;
  struct al_jj_value result = al_jj_undefined();
  if (object.kind == AL_JJ_UNDEFINED)
    return undefined_object(r, key.kind == AL_JJ_STR ? key.str : al_str("item"));
  AL_TRY(own_item(r, object, key, &result, &found));
  if (!found && key.kind == AL_JJ_STR)
    AL_TRY(type_attr(r, object, key.str, &result, &found));
  *out = result;
  return AL_OK;
}

/* Where a slice begins, how it steps and how many it takes. */
struct span {
  int64_t start, stop, step, n;
};

static enum al_code slice_bound(struct al_jj_render *r, struct al_jj_value bound, int64_t otherwise, int64_t *out)
{
  *out = otherwise;
  if (bound.kind == AL_JJ_NONE)
    return AL_OK;
  if (!al_jj_is_integral(bound))
    return al_jj_fail(r, "slice indices must be integers or none, not %s", al_jj_kind_name(bound));
  *out = al_jj_as_int(bound);
  return AL_OK;
}

static int64_t clamp_bound(int64_t bound, int64_t n, bool backwards)
{
  if (bound < 0)
    bound = bound < -n ? -1 : bound + n;
  int64_t least = backwards ? -1 : 0, most = backwards ? n - 1 : n;
  return bound < least ? least : bound > most ? most : bound;
}

static enum al_code find_span(struct al_jj_render *r, const struct al_jj_value bounds[3], int64_t n, struct span *span)
{
  AL_TRY(slice_bound(r, bounds[2], 1, &span->step));
  if (span->step == 0)
    return al_jj_fail(r, "slice step cannot be zero");
  if (span->step < -INT64_MAX)
    span->step = -INT64_MAX;
  bool backwards = span->step < 0;
  AL_TRY(slice_bound(r, bounds[0], 0, &span->start));
  AL_TRY(slice_bound(r, bounds[1], 0, &span->stop));
  span->start = bounds[0].kind == AL_JJ_NONE ? (backwards ? n - 1 : 0) : clamp_bound(span->start, n, backwards);
  span->stop = bounds[1].kind == AL_JJ_NONE ? (backwards ? -1 : n) : clamp_bound(span->stop, n, backwards);
  int64_t distance = backwards ? span->start - span->stop : span->stop - span->start;
  int64_t stride = backwards ? -span->step : span->step;
  span->n = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  return AL_OK;
}

static enum al_code slice_list(struct al_jj_render *r, struct al_jj_value object, const struct span *span,
                               struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(al_jj_step(r, (size_t)span->n / 4));
  AL_TRY(al_jj_list_new(r, (size_t)span->n, &list));
  for (int64_t i = 0; i < span->n; i++)
    list->items[i] = object.list->items[span->start + i * span->step];
  list->n = (size_t)span->n;
  *out = (struct al_jj_value){ .kind = object.kind, .list = list };
  return AL_OK;
}

static enum al_code slice_str(struct al_jj_render *r, struct al_jj_value object, const struct span *span,
                              struct al_jj_value *out)
{
  AL_TRY(al_jj_step_bytes(r, object.str.size));
  if (span->step == 1 || span->n == 0) {
    size_t from = span->n > 0 ? al_jj_char_offset(object.str, (size_t)span->start) : 0;
    struct al_str rest = al_jj_from(object.str, from);
    *out = al_jj_str(al_str_n(rest.data, al_jj_char_offset(rest, (size_t)span->n)));
    return AL_OK;
  }
  size_t *offsets; /* of every character: steps may go either way */
  size_t n = al_jj_char_count(object.str);
  AL_TRY(al_jj_alloc(r, n + 1, sizeof *offsets, &offsets));
  for (size_t i = 0; i < n; i++)
    offsets[i + 1] = offsets[i] + al_jj_char_size(al_jj_from(object.str, offsets[i]));
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  for (int64_t i = 0; i < span->n; i++) {
    size_t at = (size_t)(span->start + i * span->step);
    al_buf_add(&text, object.str.data + offsets[at], offsets[at + 1] - offsets[at]);
  }
  AL_TRY(al_jj_step(r, n / 8));
  return al_jj_take_text(r, &text, out);
}

static enum al_code slice_range(struct al_jj_render *r, struct al_jj_value object, const struct span *span,
                                struct al_jj_value *out)
{
  const struct al_jj_range *from = object.range;
  struct al_jj_range *range;
  AL_TRY(al_jj_alloc(r, 1, sizeof *range, &range));
  range->start = from->start + span->start * from->step;
  range->n = span->n;
  range->stop = from->start + span->stop * from->step;
  if (ckd_mul(&range->step, from->step, span->step))
    range->step = INT64_MAX; /* past its second element nobody looks */
  *out = (struct al_jj_value){ .kind = AL_JJ_RANGE, .range = range };
  return AL_OK;
}

enum al_code al_jj_slice(struct al_jj_render *r, struct al_jj_value object, const struct al_jj_value bounds[3],
                         struct al_jj_value *out)
{
  struct span span = {};
  if (!sliceable(object))
    return al_jj_fail(r, "'%s' cannot be sliced", al_jj_kind_name(object));
  AL_TRY(find_span(r, bounds, (int64_t)al_jj_len(object), &span));
  if (object.kind == AL_JJ_RANGE)
    return slice_range(r, object, &span, out);
  if (object.kind != AL_JJ_STR)
    return slice_list(r, object, &span, out);
  AL_TRY(slice_str(r, object, &span, out));
  out->markup = object.markup;
  return AL_OK;
}
