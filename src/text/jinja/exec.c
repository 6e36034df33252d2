/* Statements. */
#include "text/jinja/render.h"

static size_t cap_of(const struct al_buf *buf)
{
  return buf->cap_bytes > 0 ? buf->cap_bytes : AL_BUF_DEFAULT_CAP;
}

bool al_jj_lacks_memory(const struct al_buf *buf, size_t n_more)
{
  size_t cap = cap_of(buf);
  return n_more > 0 ? buf->size <= cap && n_more <= cap - buf->size : buf->size < cap / 2;
}

enum al_code al_jj_emit(struct al_jj_render *r, struct al_jj_value value)
{
  AL_TRY(al_jj_print(r, r->sink, value));
  bool is_long = r->out->size - r->out_start > r->limits.max_output_bytes;
  if (!is_long && !r->sink->failed)
    return AL_OK;
  r->fatal = true;
  size_t n_more = value.kind == AL_JJ_STR ? value.str.size : 0;
  if (!is_long && al_jj_lacks_memory(r->sink, n_more))
    return al_fail_oom(r->err, r->sink->size + n_more);
  return al_jj_fail(r, "the template writes more than %zu bytes",
                    al_min_size(r->limits.max_output_bytes, cap_of(r->sink)));
}

struct al_jj_mark al_jj_capture_begin(struct al_jj_render *r)
{
  struct al_jj_mark mark = { r->sink, r->scratch.size };
  r->sink = &r->scratch;
  return mark;
}

enum al_code al_jj_capture_end(struct al_jj_render *r, struct al_jj_mark mark, enum al_code code,
                               struct al_jj_value *out)
{
  r->sink = mark.outer;
  size_t size = r->scratch.size - mark.at;
  if (code == AL_OK)
    code = al_jj_str_copy(r, size > 0 ? al_str_n(r->scratch.data + mark.at, size) : al_str(""), out);
  if (r->scratch.data != nullptr) {
    r->scratch.size = mark.at;
    r->scratch.data[mark.at] = '\0';
  }
  return code;
}

static enum al_code capture(struct al_jj_render *r, struct al_jj_scope *scope, struct al_jj_nodes body,
                            enum al_jj_flow *flow, struct al_jj_value *out)
{
  struct al_jj_mark mark = al_jj_capture_begin(r);
  return al_jj_capture_end(r, mark, al_jj_exec(r, scope, body, flow), out);
}

static enum al_code assign_namespace(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *target,
                                     struct al_jj_value value)
{
  struct al_jj_value space = al_jj_scope_get(r, scope, target->nsref.symbol);
  if (space.kind != AL_JJ_NAMESPACE)
    return al_jj_fail(r, "cannot assign an attribute on something that is no namespace");
  return al_jj_dict_set(r, space.dict, al_jj_str(target->nsref.attr), value);
}

static enum al_code assign_tuple(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *target,
                                 struct al_jj_value value)
{
  struct al_jj_list *parts;
  AL_TRY(al_jj_to_list(r, value, &parts));
  if (parts->n != target->list.n)
    return al_jj_fail(r, "%zu values for %zu names", parts->n, target->list.n);
  AL_TRY(al_jj_enter(r));
  enum al_code code = AL_OK;
  for (size_t i = 0; code == AL_OK && i < parts->n; i++)
    code = al_jj_assign(r, scope, target->list.items[i], parts->items[i]);
  al_jj_leave(r);
  return code;
}

enum al_code al_jj_assign(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *target,
                          struct al_jj_value value)
{
  if (target->kind == AL_JJ_N_NAME)
    return al_jj_scope_set(r, scope, target->symbol, value);
  if (target->kind == AL_JJ_N_NSREF)
    return assign_namespace(r, scope, target, value);
  return assign_tuple(r, scope, target, value);
}

static enum al_code exec_print(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                               enum al_jj_flow *)
{
  struct al_jj_value value;
  AL_TRY(al_jj_eval(r, scope, node->left, &value));
  return al_jj_emit(r, value);
}

static enum al_code exec_data(struct al_jj_render *r, struct al_jj_scope *, const struct al_jj_node *node,
                              enum al_jj_flow *)
{
  return al_jj_emit(r, node->constant);
}

static enum al_code exec_set(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                             enum al_jj_flow *)
{
  struct al_jj_value value;
  AL_TRY(al_jj_eval(r, scope, node->set.value, &value));
  return al_jj_assign(r, scope, node->set.target, value);
}

static enum al_code exec_set_block(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                   enum al_jj_flow *flow)
{
  struct al_jj_scope *inner;
  struct al_jj_value value;
  AL_TRY(al_jj_scope_new(r, scope, &inner));
  AL_TRY(capture(r, inner, node->set.body, flow, &value));
  if (*flow != AL_JJ_NEXT)
    return AL_OK;
  if (node->set.value != nullptr)
    AL_TRY(al_jj_eval_filter(r, inner, node->set.value, value, &value));
  return al_jj_assign(r, scope, node->set.target, value);
}

static enum al_code exec_if(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                            enum al_jj_flow *flow)
{
  for (size_t i = 0; i < node->branches.n; i++) {
    const struct al_jj_branch *branch = &node->branches.items[i];
    struct al_jj_value test = al_jj_bool(true);
    if (branch->test != nullptr)
      AL_TRY(al_jj_eval(r, scope, branch->test, &test));
    if (al_jj_truth(test))
      return al_jj_exec(r, scope, branch->body, flow);
  }
  return AL_OK;
}

static enum al_code new_macro(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_function *function,
                              struct al_jj_value *out)
{
  struct al_jj_macro *macro;
  AL_TRY(al_jj_alloc(r, 1, sizeof *macro, &macro));
  macro->function = function;
  macro->scope = scope;
  al_jj_scope_capture(scope);
  *out = (struct al_jj_value){ .kind = AL_JJ_MACRO, .macro = macro };
  return AL_OK;
}

static enum al_code exec_macro(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                               enum al_jj_flow *)
{
  struct al_jj_value macro;
  AL_TRY(new_macro(r, scope, node->function, &macro));
  return al_jj_scope_set(r, scope, node->function->name, macro);
}

static enum al_code exec_call_block(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                    enum al_jj_flow *)
{
  struct al_jj_value caller, callee, value;
  const struct al_jj_node *call = node->call_block.call;
  struct al_jj_args args;
  AL_TRY(new_macro(r, scope, node->call_block.body, &caller));
  AL_TRY(al_jj_eval(r, scope, call->call.callee, &callee));
  AL_TRY(al_jj_eval_args(r, scope, &call->call.args, &args));
  struct al_jj_named *named;
  AL_TRY(al_jj_alloc(r, args.n_named + 1, sizeof *named, &named));
  if (args.n_named > 0)
    memcpy(named, args.named, args.n_named * sizeof *named);
  named[args.n_named] = (struct al_jj_named){ al_str("caller"), caller };
  args.named = named;
  args.n_named++;
  AL_TRY(al_jj_call_value(r, callee, &args, &value));
  return al_jj_emit(r, value);
}

/* transformers marks what the assistant said with it; for the text it is a block with variables of its own. */
static enum al_code exec_generation(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                    enum al_jj_flow *flow)
{
  struct al_jj_scope *inner;
  AL_TRY(al_jj_scope_new(r, scope, &inner));
  return al_jj_exec(r, inner, node->function->body, flow);
}

/* A block looks names up while it runs: what is hidden and not assigned yet is the caller's. */
static enum al_code uncover(struct al_jj_render *r, struct al_jj_scope *inner)
{
  const struct al_jj_scope *vars = inner;
  while (vars->parent != nullptr)
    vars = vars->parent;
  for (size_t i = 0; i < r->program->n_hidden; i++) {
    const struct al_jj_symbol *symbol = r->program->hidden[i];
    AL_TRY(al_jj_step(r, 1));
    if (al_jj_scope_get(r, inner, symbol).kind == AL_JJ_UNDEFINED)
      AL_TRY(al_jj_scope_set(r, inner, symbol, al_jj_scope_get(r, vars, symbol)));
  }
  return AL_OK;
}

/* The template's own variables lie below the caller's, which are the outermost. */
static enum al_code exec_block(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                               enum al_jj_flow *flow)
{
  struct al_jj_scope *inner;
  while (!node->block.is_scoped && scope->parent != nullptr && scope->parent->parent != nullptr)
    scope = scope->parent;
  AL_TRY(al_jj_scope_new(r, scope, &inner));
  AL_TRY(uncover(r, inner));
  return al_jj_exec(r, inner, node->block.body->body, flow);
}

static enum al_code exec_filter_block(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                      enum al_jj_flow *flow)
{
  struct al_jj_scope *inner;
  struct al_jj_value value;
  AL_TRY(al_jj_scope_new(r, scope, &inner));
  AL_TRY(capture(r, inner, node->filter_block.body, flow, &value));
  if (*flow != AL_JJ_NEXT)
    return AL_OK;
  AL_TRY(al_jj_eval_filter(r, inner, node->filter_block.filter, value, &value));
  return al_jj_emit(r, value);
}

static enum al_code exec_with(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              enum al_jj_flow *flow)
{
  struct al_jj_scope *inner;
  AL_TRY(al_jj_scope_new(r, scope, &inner));
  for (size_t i = 0; i < node->with.targets.n; i++) {
    struct al_jj_value value;
    AL_TRY(al_jj_eval(r, scope, node->with.values.items[i], &value));
    AL_TRY(al_jj_assign(r, inner, node->with.targets.items[i], value));
  }
  return al_jj_exec(r, inner, node->with.body, flow);
}

static enum al_code exec_break(struct al_jj_render *, struct al_jj_scope *, const struct al_jj_node *,
                               enum al_jj_flow *flow)
{
  *flow = AL_JJ_BREAK;
  return AL_OK;
}

static enum al_code exec_continue(struct al_jj_render *, struct al_jj_scope *, const struct al_jj_node *,
                                  enum al_jj_flow *flow)
{
  *flow = AL_JJ_CONTINUE;
  return AL_OK;
}

static enum al_code (*const executors[])(struct al_jj_render *r, struct al_jj_scope *scope,
                                         const struct al_jj_node *node, enum al_jj_flow *flow) = {
  [AL_JJ_N_DATA] = exec_data,
  [AL_JJ_N_PRINT] = exec_print,
  [AL_JJ_N_SET] = exec_set,
  [AL_JJ_N_SET_BLOCK] = exec_set_block,
  [AL_JJ_N_FOR] = al_jj_run_loop,
  [AL_JJ_N_IF] = exec_if,
  [AL_JJ_N_MACRO] = exec_macro,
  [AL_JJ_N_CALL_BLOCK] = exec_call_block,
  [AL_JJ_N_FILTER_BLOCK] = exec_filter_block,
  [AL_JJ_N_WITH] = exec_with,
  [AL_JJ_N_BREAK] = exec_break,
  [AL_JJ_N_CONTINUE] = exec_continue,
  [AL_JJ_N_GENERATION] = exec_generation,
  [AL_JJ_N_BLOCK] = exec_block,
};

static enum al_code exec_items(struct al_jj_render *r, struct al_jj_scope *scope, struct al_jj_nodes body,
                               enum al_jj_flow *flow)
{
  for (size_t i = 0; *flow == AL_JJ_NEXT && i < body.n; i++) {
    const struct al_jj_node *node = body.items[i];
    AL_TRY(al_jj_step(r, 1));
    r->line = node->line;
    AL_TRY(executors[node->kind](r, scope, node, flow));
  }
  return AL_OK;
}

enum al_code al_jj_exec(struct al_jj_render *r, struct al_jj_scope *scope, struct al_jj_nodes body,
                        enum al_jj_flow *flow)
{
  *flow = AL_JJ_NEXT;
  AL_TRY(al_jj_enter(r));
  enum al_code code = exec_items(r, scope, body, flow);
  al_jj_leave(r);
  return code;
}
