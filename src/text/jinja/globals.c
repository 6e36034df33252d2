/* The functions that every template has. */
#include "text/jinja/render.h"

#include "base/clock.h"

#include <time.h>

constexpr int64_t MAX_RANGE = 100'000; /* as Jinja's sandbox */

static enum al_code global_range(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  int64_t bound[3] = { 0, 0, 1 };
  size_t n = call->args->n;
  if (n < 1 || n > 3 || call->args->n_named > 0)
    return al_jj_fail(r, "range takes one to three integers");
  for (size_t i = 0; i < n; i++) {
    if (!al_jj_is_integral(call->args->items[i]))
      return al_jj_fail(r, "range takes integers, not '%s'", al_jj_kind_name(call->args->items[i]));
    bound[n == 1 ? 1 : i] = al_jj_as_int(call->args->items[i]);
  }
  if (bound[2] == 0)
    return al_jj_fail(r, "the step of a range must not be zero");
  bool up = bound[2] > 0;
  uint64_t from = (uint64_t)bound[up ? 0 : 1], to = (uint64_t)bound[up ? 1 : 0];
  uint64_t stride = up ? (uint64_t)bound[2] : 0 - (uint64_t)bound[2];
  bool empty = up ? bound[0] >= bound[1] : bound[1] >= bound[0];
  uint64_t count = empty ? 0 : (to - from - 1) / stride + 1;
  if (count > (uint64_t)MAX_RANGE)
    return al_jj_fail(r, "a range of more than %lld elements", (long long)MAX_RANGE);
  struct al_jj_range *range;
  AL_TRY(al_jj_alloc(r, 1, sizeof *range, &range));
  *range = (struct al_jj_range){ bound[0], bound[1], bound[2], (int64_t)count };
  *out = (struct al_jj_value){ .kind = AL_JJ_RANGE, .range = range };
  return AL_OK;
}

/* One element of dict()'s argument: a pair of anything that has two elements. */
static enum al_code add_pair(struct al_jj_render *r, struct al_jj_dict *dict, struct al_jj_value element)
{
  struct al_jj_list *pair;
  AL_TRY(al_jj_to_list(r, element, &pair));
  if (pair->n != 2)
    return al_jj_fail(r, "dict() takes pairs; one has %zu elements", pair->n);
  return al_jj_dict_set(r, dict, pair->items[0], pair->items[1]);
}

static enum al_code add_all(struct al_jj_render *r, struct al_jj_dict *dict, struct al_jj_value source)
{
  struct al_jj_cursor cursor;
  AL_TRY(al_jj_cursor_open(r, source, &cursor));
  for (;;) {
    struct al_jj_value element;
    bool more;
    AL_TRY(al_jj_cursor_next(r, &cursor, &element, &more));
    if (!more)
      return AL_OK;
    if (source.kind == AL_JJ_DICT)
      AL_TRY(al_jj_dict_append(r, dict, element, source.dict->pairs[cursor.at - 1].value));
    else
      AL_TRY(add_pair(r, dict, element));
  }
}

static enum al_code make_dict(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_dict **out)
{
  struct al_jj_dict *dict;
  if (call->args->n > 1)
    return al_jj_fail(r, "at most one positional argument is possible here");
  AL_TRY(al_jj_dict_new(r, call->args->n_named, &dict));
  if (call->args->n == 1)
    AL_TRY(add_all(r, dict, call->args->items[0]));
  for (size_t i = 0; i < call->args->n_named; i++)
    AL_TRY(al_jj_dict_set(r, dict, al_jj_str(call->args->named[i].name), call->args->named[i].value));
  *out = dict;
  return AL_OK;
}

static enum al_code global_dict(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = (struct al_jj_value){ .kind = AL_JJ_DICT };
  return make_dict(r, call, &out->dict);
}

static enum al_code global_namespace(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = (struct al_jj_value){ .kind = AL_JJ_NAMESPACE };
  return make_dict(r, call, &out->dict);
}

static enum al_code global_raise_exception(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *)
{
  struct al_str message;
  AL_TRY(al_jj_to_str(r, call->slot[0], &message));
  return al_fail(r->err, AL_INVALID_REQUEST, "%.*s", (int)al_min_size(message.size, sizeof r->err->message),
                 message.data);
}

static enum al_code global_strftime_now(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf format = { .cap_bytes = 4096 };
  struct al_str wanted;
  struct tm local;
  time_t now = (time_t)al_wall_s();
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &wanted));
  al_buf_add(&format, wanted.data, wanted.size);
  al_buf_char(&format, ' '); /* so that an empty result differs from one that did not fit */
  if (format.failed || localtime_r(&now, &local) == nullptr)
    return al_jj_fail(r, "strftime_now cannot use this format");
  char text[1024];
  size_t (*const write_time)(char *, size_t, const char *, const struct tm *) = strftime; /* the format is data */
  size_t size = write_time(text, sizeof text, format.data, &local);
  return size == 0 ? al_jj_fail(r, "strftime_now cannot use this format")
                   : al_jj_str_copy(r, al_str_n(text, size - 1), out);
}

/* --- joiner and cycler: their state is a namespace that the template cannot reach ----------------------------------
 */

static enum al_code bind_state(struct al_jj_render *r, const struct al_jj_native *native, struct al_jj_dict *state,
                               struct al_jj_value *out)
{
  struct al_jj_bound *bound;
  AL_TRY(al_jj_alloc(r, 1, sizeof *bound, &bound));
  *bound = (struct al_jj_bound){ native, { .kind = AL_JJ_NAMESPACE, .dict = state } };
  *out = (struct al_jj_value){ .kind = AL_JJ_BOUND, .bound = bound };
  return AL_OK;
}

static enum al_code joiner_call(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_dict *state = call->self.dict;
  bool is_used = al_jj_dict_find_str(state, al_str("used")) != nullptr;
  *out = is_used ? *al_jj_dict_find_str(state, al_str("sep")) : al_jj_text("");
  return is_used ? AL_OK : al_jj_dict_set(r, state, al_jj_text("used"), al_jj_bool(true));
}

static enum al_code global_joiner(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  static const struct al_jj_native native = { "joiner", "", joiner_call, nullptr };
  struct al_jj_dict *state;
  AL_TRY(al_jj_dict_new(r, 2, &state));
  AL_TRY(al_jj_dict_set(r, state, al_jj_text("sep"),
                        call->slot[0].kind == AL_JJ_MISSING ? al_jj_text(", ") : call->slot[0]));
  return bind_state(r, &native, state, out);
}

/* Moves the cycler: state holds the items, the place, and what the template sees. */
static enum al_code cycler_move(struct al_jj_render *r, struct al_jj_dict *state, bool back)
{
  struct al_jj_list *items = al_jj_dict_find_str(state, al_str("items"))->list;
  int64_t at = back ? 0 : (al_jj_dict_find_str(state, al_str("at"))->integer + 1) % (int64_t)items->n;
  AL_TRY(al_jj_dict_set(r, state, al_jj_text("at"), al_jj_int(at)));
  struct al_jj_dict *seen = al_jj_dict_find_str(state, al_str("seen"))->dict;
  return al_jj_dict_set(r, seen, al_jj_text("current"), items->items[at]);
}

static enum al_code cycler_next(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_dict *seen = al_jj_dict_find_str(call->self.dict, al_str("seen"))->dict;
  *out = *al_jj_dict_find_str(seen, al_str("current"));
  return cycler_move(r, call->self.dict, false);
}

static enum al_code cycler_reset(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  *out = al_jj_none();
  return cycler_move(r, call->self.dict, true);
}

static enum al_code global_cycler(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  static const struct al_jj_native next = { "next", "", cycler_next, nullptr };
  static const struct al_jj_native reset = { "reset", "", cycler_reset, nullptr };
  struct al_jj_dict *state, *seen;
  struct al_jj_list *items;
  struct al_jj_value method;
  if (call->args->n == 0 || call->args->n_named > 0)
    return al_jj_fail(r, "cycler takes one value at least");
  AL_TRY(al_jj_list_new(r, call->args->n, &items));
  for (size_t i = 0; i < call->args->n; i++)
    AL_TRY(al_jj_list_add(r, items, call->args->items[i]));
  AL_TRY(al_jj_dict_new(r, 3, &state));
  AL_TRY(al_jj_dict_new(r, 3, &seen));
  AL_TRY(al_jj_dict_set(r, state, al_jj_text("items"), al_jj_tuple_value(items)));
  *out = (struct al_jj_value){ .kind = AL_JJ_NAMESPACE, .dict = seen };
  AL_TRY(al_jj_dict_set(r, state, al_jj_text("seen"), *out));
  AL_TRY(cycler_move(r, state, true));
  AL_TRY(bind_state(r, &next, state, &method));
  AL_TRY(al_jj_dict_set(r, seen, al_jj_text("next"), method));
  AL_TRY(bind_state(r, &reset, state, &method));
  return al_jj_dict_set(r, seen, al_jj_text("reset"), method);
}

static const struct al_jj_native globals[] = {
  { "range", "*", global_range, nullptr },
  { "dict", "*", global_dict, nullptr },
  { "namespace", "*", global_namespace, nullptr },
  { "raise_exception", "message", global_raise_exception, nullptr },
  { "strftime_now", "format", global_strftime_now, nullptr },
  { "lipsum", "*", nullptr, nullptr },
  { "cycler", "*", global_cycler, nullptr },
  { "joiner", "sep?", global_joiner, nullptr },
};

const struct al_jj_native *al_jj_find_global(struct al_str name)
{
  return al_jj_find_in(globals, AL_COUNT(globals), name);
}
