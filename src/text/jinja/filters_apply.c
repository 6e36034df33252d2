/* Filters that apply another filter or a test to every element: map, select, reject and their attribute forms. What
 * fails at one element fails only when that element is taken, as with Python's generators. */
#include "text/jinja/filters.h"

#include "text/jinja/chars.h"
#include "text/jinja/methods.h"

static enum al_code follow_part(struct al_jj_render *r, struct al_str part, struct al_jj_value *item)
{
  bool digits = part.size > 0;
  for (size_t i = 0; i < part.size; i++)
    digits = digits && part.data[i] >= '0' && part.data[i] <= '9';
  struct al_jj_value key = al_jj_str(part);
  if (digits && !al_jj_parse_int(part, 10, &key))
    return al_jj_fail(r, "an index beyond 64 bits");
  return al_jj_item(r, *item, key, item);
}

/* `otherwise` other than none replaces what is undefined on the way. */
enum al_code al_jj_follow_path(struct al_jj_render *r, struct al_jj_value item, struct al_jj_value path,
                               struct al_jj_value otherwise, struct al_jj_value *out)
{
  bool replaces = otherwise.kind != AL_JJ_NONE;
  if (path.kind != AL_JJ_STR) {
    AL_TRY(al_jj_item(r, item, path, &item));
    *out = replaces && item.kind == AL_JJ_UNDEFINED ? otherwise : item;
    return AL_OK;
  }
  for (struct al_str rest = path.str; rest.data != nullptr;) {
    size_t dot = al_min_size(al_jj_find_bytes(rest, al_str("."), 0), rest.size);
    AL_TRY(follow_part(r, al_str_n(rest.data, dot), &item));
    if (replaces && item.kind == AL_JJ_UNDEFINED)
      item = otherwise;
    rest = dot < rest.size ? al_jj_from(rest, dot + 1) : (struct al_str){};
  }
  *out = item;
  return AL_OK;
}

enum al_code al_jj_fold_case(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value *out)
{
  *out = value;
  return value.kind == AL_JJ_STR ? al_jj_in_case(r, value, AL_JJ_LOWER, out) : AL_OK;
}

/* What is done to each element. */
struct work {
  struct al_jj_value path;           /* MISSING: the element itself */
  struct al_jj_value otherwise;      /* for what is undefined there */
  const struct al_jj_native *native; /* filter of map, test of select; nullptr: the value, its truth */
  struct al_jj_args args;
  bool selects;
  bool keeps_true;
  enum al_code unknown; /* not AL_OK: the filter or test does not exist */
};

static enum al_code apply(struct al_jj_render *r, const struct work *work, struct al_jj_value item,
                          struct al_jj_list *results)
{
  struct al_jj_value value = item;
  if (work->path.kind != AL_JJ_MISSING)
    AL_TRY(al_jj_follow_path(r, item, work->path, work->otherwise, &value));
  if (work->unknown != AL_OK)
    return al_jj_fail(r, "no such filter or test");
  if (work->native != nullptr)
    AL_TRY(al_jj_call_native(r, work->native, value, &work->args, &value));
  if (!work->selects)
    return al_jj_list_add(r, results, value);
  return al_jj_truth(value) == work->keeps_true ? al_jj_list_add(r, results, item) : AL_OK;
}

static enum al_code apply_all(struct al_jj_render *r, const struct work *work, struct al_jj_value source,
                              struct al_jj_list *results)
{
  struct al_jj_cursor cursor;
  AL_TRY(al_jj_cursor_open(r, source, &cursor));
  for (;;) {
    struct al_jj_value item;
    bool more;
    AL_TRY(al_jj_cursor_next(r, &cursor, &item, &more));
    if (!more)
      return AL_OK;
    AL_TRY(apply(r, work, item, results));
  }
}

/* Keeps a failure for whoever comes to the element; limits fail at once. */
static enum al_code finish(struct al_jj_render *r, enum al_code code, struct al_jj_list *results,
                           struct al_jj_value *out)
{
  if (code != AL_OK && (r->fatal || code == AL_OOM_RAM))
    return code;
  AL_TRY(al_jj_iter_new(r, results, out));
  if (code == AL_OK)
    return AL_OK;
  AL_TRY(al_jj_alloc(r, 1, sizeof *out->iter->failure, &out->iter->failure));
  *out->iter->failure = *r->err;
  return AL_OK;
}

/* The name of a filter or test and its arguments, from args[at] on. */
static enum al_code choose(struct al_jj_render *r, const struct al_jj_args *args, size_t at, struct work *work)
{
  if (at >= args->n)
    return work->selects && args->n_named == 0 ? AL_OK : (work->selects ? AL_OK : al_jj_fail(r, "map needs a filter"));
  struct al_jj_value name = args->items[at];
  work->args = *args;
  work->args.items = args->items + at + 1;
  work->args.n = args->n - at - 1;
  if (name.kind == AL_JJ_STR)
    work->native = work->selects ? al_jj_find_test(name.str) : al_jj_find_filter(name.str);
  if (work->native == nullptr)
    work->unknown = AL_INVALID_REQUEST;
  return AL_OK;
}

static enum al_code prepare_map(struct al_jj_render *r, const struct al_jj_args *args, struct work *work)
{
  for (size_t i = 0; args->n == 0 && i < args->n_named; i++) {
    if (al_str_is(args->named[i].name, "attribute"))
      work->path = args->named[i].value;
    else if (al_str_is(args->named[i].name, "default"))
      work->otherwise = args->named[i].value;
    else
      return al_jj_fail(r, "map: an unexpected argument");
  }
  return args->n == 0 && work->path.kind != AL_JJ_MISSING ? AL_OK : choose(r, args, 0, work);
}

static enum al_code filter_map(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct work work = { .otherwise = al_jj_none() };
  struct al_jj_list *results;
  AL_TRY(al_jj_list_new(r, 0, &results));
  if (!al_jj_truth(call->self))
    return al_jj_iter_new(r, results, out);
  enum al_code code = prepare_map(r, call->args, &work);
  if (code == AL_OK)
    code = apply_all(r, &work, call->self, results);
  return finish(r, code, results, out);
}

static enum al_code choose_items(struct al_jj_render *r, const struct al_jj_call *call, bool keeps_true,
                                 bool by_attribute, struct al_jj_value *out)
{
  struct work work = { .otherwise = al_jj_none(), .selects = true, .keeps_true = keeps_true };
  struct al_jj_list *results;
  AL_TRY(al_jj_list_new(r, 0, &results));
  if (!al_jj_truth(call->self))
    return al_jj_iter_new(r, results, out);
  enum al_code code = AL_OK;
  if (by_attribute && call->args->n == 0)
    code = al_jj_fail(r, "the name of the attribute is missing");
  else if (by_attribute)
    work.path = call->args->items[0];
  if (code == AL_OK)
    code = choose(r, call->args, by_attribute, &work);
  if (code == AL_OK)
    code = apply_all(r, &work, call->self, results);
  return finish(r, code, results, out);
}

static enum al_code filter_select(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return choose_items(r, call, true, false, out);
}

static enum al_code filter_reject(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return choose_items(r, call, false, false, out);
}

static enum al_code filter_selectattr(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return choose_items(r, call, true, true, out);
}

static enum al_code filter_rejectattr(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return choose_items(r, call, false, true, out);
}

static const struct al_jj_native filters[] = {
  { "map", "*", filter_map, nullptr },
  { "select", "*", filter_select, nullptr },
  { "reject", "*", filter_reject, nullptr },
  { "selectattr", "*", filter_selectattr, nullptr },
  { "rejectattr", "*", filter_rejectattr, nullptr },
};

const struct al_jj_native *al_jj_find_apply_filter(struct al_str name)
{
  return al_jj_find_in(filters, AL_COUNT(filters), name);
}

const struct al_jj_native *al_jj_find_filter(struct al_str name)
{
  const struct al_jj_native *found = al_jj_find_text_filter(name);
  if (found == nullptr)
    found = al_jj_find_list_filter(name);
  if (found == nullptr)
    found = al_jj_find_web_filter(name);
  return found != nullptr ? found : al_jj_find_apply_filter(name);
}
