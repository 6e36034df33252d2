/* The for statement and its special variable. Elements are taken from the source only when they are needed, so that a
 * filter sees what the body did before; loop.last and the like look ahead. */
#include "text/jinja/render.h"

struct al_jj_loop {
  const struct al_jj_node *node;
  struct al_jj_scope *outer;
  struct al_jj_scope *filter_scope;
  struct al_jj_cursor cursor;
  struct al_jj_list *drained; /* the rest of the source, once somebody asked for the length */
  size_t drained_at;
  struct al_jj_value before, current, after;
  bool has_before, has_after, is_over;
  int64_t index0;
  int64_t length; /* -1: not known yet */
  int64_t depth0;
  struct al_jj_value *changed; /* what loop.changed() saw last, as a tuple */
};

static enum al_code passes_filter(struct al_jj_render *r, struct al_jj_loop *loop, struct al_jj_value item,
                                  bool *passes)
{
  const struct al_jj_for *spec = loop->node->loop;
  *passes = true;
  if (spec->filter == nullptr)
    return AL_OK;
  if (loop->filter_scope == nullptr || loop->filter_scope->captured)
    AL_TRY(al_jj_scope_new(r, loop->outer, &loop->filter_scope));
  loop->filter_scope->n = 0;
  AL_TRY(al_jj_assign(r, loop->filter_scope, spec->target, item));
  struct al_jj_value test;
  AL_TRY(al_jj_eval(r, loop->filter_scope, spec->filter, &test));
  *passes = al_jj_truth(test);
  return AL_OK;
}

/* The next element of the source that passes the filter. */
static enum al_code pull(struct al_jj_render *r, struct al_jj_loop *loop, struct al_jj_value *item, bool *more)
{
  if (loop->drained != nullptr) {
    *more = loop->drained_at < loop->drained->n;
    if (*more)
      *item = loop->drained->items[loop->drained_at++];
    return AL_OK;
  }
  for (bool passes = false; !passes;) {
    AL_TRY(al_jj_cursor_next(r, &loop->cursor, item, more));
    if (!*more)
      return AL_OK;
    AL_TRY(passes_filter(r, loop, *item, &passes));
  }
  if (loop->node->loop->filter == nullptr || loop->node->loop->target->kind != AL_JJ_N_TUPLE)
    return AL_OK;
  struct al_jj_list *parts; /* behind a filter Jinja has the unpacked tuple, not the element */
  AL_TRY(al_jj_to_list(r, *item, &parts));
  *item = al_jj_tuple_value(parts);
  return AL_OK;
}

static enum al_code peek(struct al_jj_render *r, struct al_jj_loop *loop)
{
  if (loop->has_after || loop->is_over)
    return AL_OK;
  bool more;
  AL_TRY(pull(r, loop, &loop->after, &more));
  loop->has_after = more;
  loop->is_over = !more;
  return AL_OK;
}

static enum al_code advance(struct al_jj_render *r, struct al_jj_loop *loop, bool *more)
{
  AL_TRY(peek(r, loop));
  *more = loop->has_after;
  if (!*more)
    return AL_OK;
  loop->has_before = loop->index0 >= 0;
  loop->before = loop->current;
  loop->current = loop->after;
  loop->has_after = false;
  loop->index0++;
  return AL_OK;
}

static enum al_code find_length(struct al_jj_render *r, struct al_jj_loop *loop)
{
  if (loop->length >= 0)
    return AL_OK;
  if (loop->node->loop->filter == nullptr && al_jj_has_len(loop->cursor.source)) {
    loop->length = (int64_t)al_jj_len(loop->cursor.source);
    return AL_OK;
  }
  struct al_jj_list *rest;
  AL_TRY(al_jj_list_new(r, 0, &rest));
  for (;;) {
    struct al_jj_value item;
    bool more;
    AL_TRY(pull(r, loop, &item, &more));
    if (!more)
      break;
    AL_TRY(al_jj_list_add(r, rest, item));
  }
  loop->drained = rest;
  loop->length = (int64_t)rest->n + loop->index0 + 1 + loop->has_after;
  return AL_OK;
}

static enum al_code run_body(struct al_jj_render *r, struct al_jj_loop *loop, bool *completed, enum al_jj_flow *flow)
{
  const struct al_jj_for *spec = loop->node->loop;
  struct al_jj_scope *scope = nullptr;
  for (*flow = AL_JJ_NEXT; *flow != AL_JJ_BREAK;) {
    bool more;
    AL_TRY(advance(r, loop, &more));
    if (!more)
      break;
    if (scope == nullptr || scope->captured)
      AL_TRY(al_jj_scope_new(r, loop->outer, &scope));
    scope->n = 0;
    AL_TRY(al_jj_assign(r, scope, spec->target, loop->current));
    AL_TRY(al_jj_scope_set(r, scope, spec->loop, (struct al_jj_value){ .kind = AL_JJ_LOOP, .loop = loop }));
    AL_TRY(al_jj_exec(r, scope, spec->body, flow));
    *completed |= *flow == AL_JJ_NEXT; /* Jinja runs "else" when no round came to its end */
  }
  *flow = AL_JJ_NEXT;
  return AL_OK;
}

static enum al_code run(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                        struct al_jj_value source, int64_t depth0, enum al_jj_flow *flow)
{
  struct al_jj_loop *loop;
  AL_TRY(al_jj_alloc(r, 1, sizeof *loop, &loop));
  *loop = (struct al_jj_loop){ .node = node, .outer = scope, .index0 = -1, .length = -1, .depth0 = depth0 };
  AL_TRY(al_jj_cursor_open(r, source, &loop->cursor));
  bool completed = false;
  AL_TRY(run_body(r, loop, &completed, flow));
  if (completed || node->loop->otherwise.n == 0)
    return AL_OK;
  struct al_jj_scope *inner;
  AL_TRY(al_jj_scope_new(r, scope, &inner));
  return al_jj_exec(r, inner, node->loop->otherwise, flow);
}

enum al_code al_jj_run_loop(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                            enum al_jj_flow *flow)
{
  struct al_jj_value source;
  AL_TRY(al_jj_eval(r, scope, node->loop->iterable, &source));
  return run(r, scope, node, source, 0, flow);
}

enum al_code al_jj_loop_recurse(struct al_jj_render *r, struct al_jj_loop *loop, const struct al_jj_args *args,
                                struct al_jj_value *out)
{
  if (!loop->node->loop->recursive)
    return al_jj_fail(r, "the loop is called but was not made with \"recursive\"");
  if (args->n != 1 || args->n_named != 0)
    return al_jj_fail(r, "a recursive loop takes one argument");
  struct al_jj_mark mark = al_jj_capture_begin(r);
  enum al_jj_flow flow = AL_JJ_NEXT;
  enum al_code code = al_jj_enter(r);
  if (code == AL_OK) {
    code = run(r, loop->outer, loop->node, args->items[0], loop->depth0 + 1, &flow);
    al_jj_leave(r);
  }
  return al_jj_capture_end(r, mark, code, out);
}

enum al_code al_jj_print_loop(struct al_jj_render *r, struct al_jj_loop *loop, struct al_buf *out)
{
  AL_TRY(find_length(r, loop));
  al_buf_printf(out, "<LoopContext %lld/%lld>", (long long)loop->index0 + 1, (long long)loop->length);
  return AL_OK;
}

static enum al_code cycle(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  if (call->args->n == 0 || call->args->n_named > 0)
    return al_jj_fail(r, "loop.cycle needs something to choose from");
  *out = call->args->items[(size_t)call->self.loop->index0 % call->args->n];
  return AL_OK;
}

static enum al_code changed(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_loop *loop = call->self.loop;
  struct al_jj_list *list;
  AL_TRY(al_jj_list_new(r, call->args->n, &list));
  for (size_t i = 0; i < call->args->n; i++)
    AL_TRY(al_jj_list_add(r, list, call->args->items[i]));
  struct al_jj_value now = al_jj_tuple_value(list);
  bool equal = false;
  if (loop->changed != nullptr)
    AL_TRY(al_jj_equal(r, *loop->changed, now, &equal));
  else
    AL_TRY(al_jj_alloc(r, 1, sizeof *loop->changed, &loop->changed));
  *loop->changed = now;
  *out = al_jj_bool(!equal);
  return AL_OK;
}

static enum al_code bind_method(struct al_jj_render *r, const struct al_jj_native *native, struct al_jj_loop *loop,
                                struct al_jj_value *out)
{
  struct al_jj_bound *bound;
  AL_TRY(al_jj_alloc(r, 1, sizeof *bound, &bound));
  *bound = (struct al_jj_bound){ native, { .kind = AL_JJ_LOOP, .loop = loop } };
  *out = (struct al_jj_value){ .kind = AL_JJ_BOUND, .bound = bound };
  return AL_OK;
}

static enum al_code last(struct al_jj_render *r, struct al_jj_loop *loop, struct al_jj_value *out)
{
  AL_TRY(peek(r, loop));
  *out = al_jj_bool(!loop->has_after);
  return AL_OK;
}

static enum al_code next_item(struct al_jj_render *r, struct al_jj_loop *loop, struct al_jj_value *out)
{
  AL_TRY(peek(r, loop));
  if (loop->has_after)
    *out = loop->after;
  return AL_OK;
}

static enum al_code count_from_length(struct al_jj_render *r, struct al_jj_loop *loop, int64_t minus,
                                      struct al_jj_value *out)
{
  AL_TRY(find_length(r, loop));
  *out = al_jj_int(loop->length - minus);
  return AL_OK;
}

enum al_code al_jj_loop_attr(struct al_jj_render *r, struct al_jj_loop *loop, struct al_str name,
                             struct al_jj_value *out)
{
  static const struct al_jj_native methods[] = { { "cycle", "*", cycle, nullptr },
                                                 { "changed", "*", changed, nullptr } };
  const struct al_jj_native *method = al_jj_find_in(methods, AL_COUNT(methods), name);
  *out = al_jj_undefined();
  if (method != nullptr)
    return bind_method(r, method, loop, out);
  if (al_str_is(name, "last"))
    return last(r, loop, out);
  if (al_str_is(name, "nextitem"))
    return next_item(r, loop, out);
  if (al_str_is(name, "length"))
    return count_from_length(r, loop, 0, out);
  if (al_str_is(name, "revindex"))
    return count_from_length(r, loop, loop->index0, out);
  if (al_str_is(name, "revindex0"))
    return count_from_length(r, loop, loop->index0 + 1, out);
  if (al_str_is(name, "index"))
    *out = al_jj_int(loop->index0 + 1);
  else if (al_str_is(name, "index0"))
    *out = al_jj_int(loop->index0);
  else if (al_str_is(name, "first"))
    *out = al_jj_bool(loop->index0 == 0);
  else if (al_str_is(name, "previtem") && loop->has_before)
    *out = loop->before;
  else if (al_str_is(name, "depth0"))
    *out = al_jj_int(loop->depth0);
  else if (al_str_is(name, "depth"))
    *out = al_jj_int(loop->depth0 + 1);
  return AL_OK;
}
