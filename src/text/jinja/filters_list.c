/* Filters on sequences and mappings. */
#include "text/jinja/filters.h"

#include "text/jinja/chars.h"

static enum al_code filter_length(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  if (!al_jj_has_len(call->self))
    return al_jj_fail(r, "'%s' has no length", al_jj_kind_name(call->self));
  if (call->self.kind == AL_JJ_STR)
    AL_TRY(al_jj_step_bytes(r, call->self.str.size));
  *out = al_jj_int((int64_t)al_jj_len(call->self));
  return AL_OK;
}

static enum al_code filter_list(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(al_jj_to_list(r, call->self, &list));
  *out = al_jj_list_value(list);
  return AL_OK;
}

static enum al_code filter_first(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_cursor cursor;
  struct al_jj_value item;
  bool more;
  AL_TRY(al_jj_cursor_open(r, call->self, &cursor));
  AL_TRY(al_jj_cursor_next(r, &cursor, &item, &more));
  *out = more ? item : al_jj_undefined();
  return AL_OK;
}

static bool is_reversible(struct al_jj_value value)
{
  return al_jj_has_len(value);
}

static enum al_code filter_last(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list;
  if (!is_reversible(call->self))
    return al_jj_fail(r, "'%s' has no last element", al_jj_kind_name(call->self));
  AL_TRY(al_jj_to_list(r, call->self, &list));
  *out = list->n > 0 ? list->items[list->n - 1] : al_jj_undefined();
  return AL_OK;
}

static void reverse_in_place(struct al_jj_list *list)
{
  for (size_t i = 0; i < list->n / 2; i++) {
    struct al_jj_value other = list->items[i];
    list->items[i] = list->items[list->n - 1 - i];
    list->items[list->n - 1 - i] = other;
  }
}

static enum al_code filter_reverse(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  if (call->self.kind == AL_JJ_STR) {
    struct al_jj_value bounds[3] = { al_jj_none(), al_jj_none(), al_jj_int(-1) };
    return al_jj_slice(r, call->self, bounds, out);
  }
  struct al_jj_list *list;
  AL_TRY(al_jj_to_list(r, call->self, &list));
  reverse_in_place(list);
  if (is_reversible(call->self))
    return al_jj_iter_new(r, list, out);
  *out = al_jj_list_value(list);
  return AL_OK;
}

static enum al_code filter_join(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct al_str separator = al_str("");
  struct al_jj_value path = call->slot[1];
  struct al_jj_cursor cursor;
  if (call->slot[0].kind != AL_JJ_MISSING)
    AL_TRY(al_jj_to_str(r, call->slot[0], &separator));
  AL_TRY(al_jj_cursor_open(r, call->self, &cursor));
  for (bool first = true;; first = false) {
    struct al_jj_value item;
    bool more;
    AL_TRY(al_jj_cursor_next(r, &cursor, &item, &more));
    if (!more)
      return al_jj_take_text(r, &text, out);
    if (path.kind != AL_JJ_MISSING && path.kind != AL_JJ_NONE)
      AL_TRY(al_jj_follow_path(r, item, path, al_jj_none(), &item));
    if (!first)
      AL_TRY(al_jj_print(r, &text, al_jj_str(separator)));
    AL_TRY(al_jj_print(r, &text, item));
  }
}

static enum al_code filter_items(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(al_jj_list_new(r, 0, &list));
  AL_TRY(al_jj_iter_new(r, list, out));
  if (call->self.kind == AL_JJ_UNDEFINED)
    return AL_OK;
  if (call->self.kind != AL_JJ_DICT) { /* it fails when somebody looks */
    AL_TRY(al_jj_alloc(r, 1, sizeof *out->iter->failure, &out->iter->failure));
    (void)al_fail(out->iter->failure, AL_INVALID_REQUEST, "template line %d: items of '%s', which is no mapping",
                  r->line, al_jj_kind_name(call->self));
    return AL_OK;
  }
  struct al_jj_view view = { call->self.dict, AL_JJ_ITEMS };
  return al_jj_to_list(r, (struct al_jj_value){ .kind = AL_JJ_VIEW, .view = &view }, &out->iter->list);
}

/* The keys by which elements are compared: the value at `path`, strings in lower case unless case_sensitive. */
static enum al_code one_key(struct al_jj_render *r, struct al_jj_value item, struct al_jj_value path,
                            bool case_sensitive, struct al_jj_value *key)
{
  *key = item;
  if (path.kind != AL_JJ_MISSING && path.kind != AL_JJ_NONE)
    AL_TRY(al_jj_follow_path(r, item, path, al_jj_none(), key));
  return case_sensitive ? AL_OK : al_jj_fold_case(r, *key, key);
}

/* sort() compares lists of keys, even of one: attribute="a,b" gives several, and equal keys need no order. */
static enum al_code multi_key(struct al_jj_render *r, struct al_jj_value item, struct al_jj_value path,
                              bool case_sensitive, struct al_jj_value *key)
{
  struct al_jj_list *keys;
  struct al_jj_value part;
  AL_TRY(al_jj_list_new(r, 1, &keys));
  *key = al_jj_list_value(keys);
  if (path.kind != AL_JJ_STR) {
    AL_TRY(one_key(r, item, path, case_sensitive, &part));
    return al_jj_list_add(r, keys, part);
  }
  for (struct al_str rest = path.str; rest.data != nullptr;) {
    size_t comma = al_min_size(al_jj_find_bytes(rest, al_str(","), 0), rest.size);
    AL_TRY(one_key(r, item, al_jj_str(al_str_n(rest.data, comma)), case_sensitive, &part));
    AL_TRY(al_jj_list_add(r, keys, part));
    rest = comma < rest.size ? al_jj_from(rest, comma + 1) : (struct al_str){};
  }
  return AL_OK;
}

static bool flag(struct al_jj_value value)
{
  return value.kind != AL_JJ_MISSING && al_jj_truth(value);
}

static enum al_code filter_sort(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list;
  struct al_jj_value *keys;
  AL_TRY(al_jj_to_list(r, call->self, &list));
  AL_TRY(al_jj_alloc(r, list->n, sizeof *keys, &keys));
  for (size_t i = 0; i < list->n; i++)
    AL_TRY(multi_key(r, list->items[i], call->slot[2], flag(call->slot[1]), &keys[i]));
  *out = al_jj_list_value(list);
  return al_jj_sort(r, list, keys, flag(call->slot[0]));
}

static enum al_code filter_dictsort(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str by;
  AL_TRY(al_jj_str_arg(r, call->slot[1], "key", &by));
  if (!al_str_is(by, "key") && !al_str_is(by, "value"))
    return al_jj_fail(r, "dictsort sorts by \"key\" or by \"value\"");
  if (call->self.kind != AL_JJ_DICT)
    return al_jj_fail(r, "dictsort of '%s'", al_jj_kind_name(call->self));
  struct al_jj_view view = { call->self.dict, AL_JJ_ITEMS };
  struct al_jj_list *list;
  struct al_jj_value *keys;
  AL_TRY(al_jj_to_list(r, (struct al_jj_value){ .kind = AL_JJ_VIEW, .view = &view }, &list));
  AL_TRY(al_jj_alloc(r, list->n, sizeof *keys, &keys));
  for (size_t i = 0; i < list->n; i++)
    AL_TRY(one_key(r, list->items[i], al_jj_int(al_str_is(by, "value")), flag(call->slot[0]), &keys[i]));
  *out = al_jj_list_value(list);
  return al_jj_sort(r, list, keys, flag(call->slot[2]));
}

static enum al_code filter_unique(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list, *kept;
  struct al_jj_dict *seen;
  AL_TRY(al_jj_to_list(r, call->self, &list));
  AL_TRY(al_jj_list_new(r, 0, &kept));
  AL_TRY(al_jj_dict_new(r, 0, &seen));
  for (size_t i = 0; i < list->n; i++) {
    struct al_jj_value key;
    const struct al_jj_value *known;
    AL_TRY(one_key(r, list->items[i], call->slot[1], flag(call->slot[0]), &key));
    AL_TRY(al_jj_dict_find(r, seen, key, &known));
    if (known != nullptr)
      continue;
    AL_TRY(al_jj_dict_append(r, seen, key, al_jj_none()));
    AL_TRY(al_jj_list_add(r, kept, list->items[i]));
  }
  return al_jj_iter_new(r, kept, out);
}

static enum al_code extreme(struct al_jj_render *r, const struct al_jj_call *call, bool most, struct al_jj_value *out)
{
  struct al_jj_list *list;
  struct al_jj_value best = al_jj_undefined();
  *out = al_jj_undefined();
  AL_TRY(al_jj_to_list(r, call->self, &list));
  for (size_t i = 0; i < list->n; i++) {
    struct al_jj_value key;
    int order = 0;
    bool unordered = false;
    AL_TRY(one_key(r, list->items[i], call->slot[1], flag(call->slot[0]), &key));
    if (i > 0)
      AL_TRY(al_jj_compare(r, key, best, &order, &unordered));
    if (i > 0 && (unordered || (most ? order <= 0 : order >= 0)))
      continue;
    best = key;
    *out = list->items[i];
  }
  return AL_OK;
}

static enum al_code filter_min(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return extreme(r, call, false, out);
}

static enum al_code filter_max(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return extreme(r, call, true, out);
}

static enum al_code filter_sum(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list;
  struct al_jj_value total = call->slot[1].kind == AL_JJ_MISSING ? al_jj_int(0) : call->slot[1], path = call->slot[0];
  AL_TRY(al_jj_to_list(r, call->self, &list));
  if (total.kind == AL_JJ_STR)
    return al_jj_fail(r, "sum cannot add strings");
  for (size_t i = 0; i < list->n; i++) {
    struct al_jj_value item = list->items[i];
    if (path.kind != AL_JJ_MISSING && path.kind != AL_JJ_NONE)
      AL_TRY(al_jj_follow_path(r, item, path, al_jj_none(), &item));
    AL_TRY(al_jj_binary(r, AL_JJ_ADD, total, item, &total));
  }
  *out = total;
  return AL_OK;
}

static enum al_code filter_batch(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list, *batches, *batch = nullptr;
  struct al_jj_value fill = call->slot[1];
  int64_t size;
  AL_TRY(al_jj_int_arg(r, call->slot[0], 0, &size));
  AL_TRY(al_jj_to_list(r, call->self, &list));
  AL_TRY(al_jj_list_new(r, 0, &batches));
  for (size_t i = 0; i < list->n; i++) {
    if (batch == nullptr || (int64_t)batch->n == size) {
      AL_TRY(al_jj_list_new(r, 0, &batch));
      AL_TRY(al_jj_list_add(r, batches, al_jj_list_value(batch)));
    }
    AL_TRY(al_jj_list_add(r, batch, list->items[i]));
  }
  while (batch != nullptr && fill.kind != AL_JJ_MISSING && fill.kind != AL_JJ_NONE && (int64_t)batch->n < size) {
    AL_TRY(al_jj_step(r, 1));
    AL_TRY(al_jj_list_add(r, batch, fill));
  }
  return al_jj_iter_new(r, batches, out);
}

static enum al_code filter_slice(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list, *slices;
  struct al_jj_value fill = call->slot[1];
  int64_t n;
  AL_TRY(al_jj_int_arg(r, call->slot[0], 0, &n));
  AL_TRY(al_jj_to_list(r, call->self, &list));
  if (n == 0)
    return al_jj_fail(r, "slice: division by zero");
  AL_TRY(al_jj_list_new(r, 0, &slices));
  size_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    struct al_jj_list *part;
    size_t extra = i < (int64_t)(list->n % (size_t)n), size = list->n / (size_t)n + extra;
    AL_TRY(al_jj_step(r, 1));
    AL_TRY(al_jj_list_new(r, size + 1, &part));
    for (size_t j = 0; j < size; j++)
      AL_TRY(al_jj_list_add(r, part, list->items[at++]));
    if (fill.kind != AL_JJ_MISSING && fill.kind != AL_JJ_NONE && !extra)
      AL_TRY(al_jj_list_add(r, part, fill));
    AL_TRY(al_jj_list_add(r, slices, al_jj_list_value(part)));
  }
  return al_jj_iter_new(r, slices, out);
}

/* Groups are tuples here: (grouper, list). Their attributes of those names are not there; unpacking is. */
static enum al_code filter_groupby(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list, *groups, *members = nullptr;
  struct al_jj_value *keys, last = al_jj_undefined(), otherwise = call->slot[1];
  if (otherwise.kind == AL_JJ_MISSING)
    otherwise = al_jj_none();
  AL_TRY(al_jj_to_list(r, call->self, &list));
  AL_TRY(al_jj_alloc(r, list->n, sizeof *keys, &keys));
  for (size_t i = 0; i < list->n; i++) {
    AL_TRY(al_jj_follow_path(r, list->items[i], call->slot[0], otherwise, &keys[i]));
    if (!flag(call->slot[2]))
      AL_TRY(al_jj_fold_case(r, keys[i], &keys[i]));
  }
  AL_TRY(al_jj_sort(r, list, keys, false));
  AL_TRY(al_jj_list_new(r, 0, &groups));
  for (size_t i = 0; i < list->n; i++) {
    struct al_jj_value real, key, group;
    bool same = false;
    AL_TRY(al_jj_follow_path(r, list->items[i], call->slot[0], otherwise, &real));
    key = real;
    if (!flag(call->slot[2]))
      AL_TRY(al_jj_fold_case(r, real, &key));
    if (members != nullptr)
      AL_TRY(al_jj_equal(r, key, last, &same));
    if (!same) {
      AL_TRY(al_jj_list_new(r, 0, &members));
      AL_TRY(al_jj_pair_tuple(r, real, al_jj_list_value(members), &group));
      AL_TRY(al_jj_list_add(r, groups, group));
    }
    last = key;
    AL_TRY(al_jj_list_add(r, members, list->items[i]));
  }
  *out = al_jj_list_value(groups);
  return AL_OK;
}

static const struct al_jj_native filters[] = {
  { "length", "", filter_length, nullptr },
  { "count", "", filter_length, nullptr },
  { "list", "", filter_list, nullptr },
  { "first", "", filter_first, nullptr },
  { "last", "", filter_last, nullptr },
  { "reverse", "", filter_reverse, nullptr },
  { "join", "d? attribute?", filter_join, nullptr },
  { "items", "", filter_items, nullptr },
  { "sort", "reverse? case_sensitive? attribute?", filter_sort, nullptr },
  { "dictsort", "case_sensitive? by? reverse?", filter_dictsort, nullptr },
  { "unique", "case_sensitive? attribute?", filter_unique, nullptr },
  { "min", "case_sensitive? attribute?", filter_min, nullptr },
  { "max", "case_sensitive? attribute?", filter_max, nullptr },
  { "sum", "attribute? start?", filter_sum, nullptr },
  { "batch", "linecount fill_with?", filter_batch, nullptr },
  { "slice", "slices fill_with?", filter_slice, nullptr },
  { "groupby", "attribute default? case_sensitive?", filter_groupby, nullptr },
};

const struct al_jj_native *al_jj_find_list_filter(struct al_str name)
{
  return al_jj_find_in(filters, AL_COUNT(filters), name);
}
