/* Expressions. */
#include "text/jinja/render.h"

#include "text/jinja/chars.h"

static enum al_code eval_all(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_nodes *nodes,
                             struct al_jj_list **list)
{
  struct al_jj_list *made;
  AL_TRY(al_jj_list_new(r, nodes->n, &made));
  for (size_t i = 0; i < nodes->n; i++) {
    AL_TRY(al_jj_eval(r, scope, nodes->items[i], &made->items[i]));
    made->n = i + 1;
  }
  *list = made;
  return AL_OK;
}

static enum al_code eval_list(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  struct al_jj_list *list;
  AL_TRY(eval_all(r, scope, &node->list, &list));
  *out = node->kind == AL_JJ_N_LIST ? al_jj_list_value(list) : al_jj_tuple_value(list);
  return AL_OK;
}

static enum al_code eval_dict(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  struct al_jj_dict *dict;
  AL_TRY(al_jj_dict_new(r, node->list.n / 2, &dict));
  for (size_t i = 0; i + 1 < node->list.n; i += 2) {
    struct al_jj_value key, value;
    AL_TRY(al_jj_eval(r, scope, node->list.items[i], &key));
    AL_TRY(al_jj_eval(r, scope, node->list.items[i + 1], &value));
    AL_TRY(al_jj_dict_set(r, dict, key, value));
  }
  *out = (struct al_jj_value){ .kind = AL_JJ_DICT, .dict = dict };
  return AL_OK;
}

static enum al_code eval_sign(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  struct al_jj_value value;
  AL_TRY(al_jj_eval(r, scope, node->left, &value));
  if (!al_jj_is_number(value))
    return al_jj_fail(r, "a sign before '%s'", al_jj_kind_name(value));
  if (node->kind == AL_JJ_N_NEG)
    return al_jj_negate(r, value, out);
  *out = value.kind == AL_JJ_BOOL ? al_jj_int(value.boolean) : value;
  return AL_OK;
}

static enum al_code eval_logic(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                               struct al_jj_value *out)
{
  AL_TRY(al_jj_eval(r, scope, node->left, out));
  bool truth = al_jj_truth(*out);
  if (node->kind == AL_JJ_N_NOT)
    *out = al_jj_bool(!truth);
  else if (truth == (node->kind == AL_JJ_N_AND))
    return al_jj_eval(r, scope, node->right, out);
  return AL_OK;
}

static enum al_code eval_binary(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                struct al_jj_value *out)
{
  struct al_jj_value left, right;
  AL_TRY(al_jj_eval(r, scope, node->left, &left));
  AL_TRY(al_jj_eval(r, scope, node->right, &right));
  return al_jj_binary(r, node->op, left, right, out);
}

static enum al_code eval_concat(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  for (size_t i = 0; i < node->list.n; i++) {
    struct al_jj_value part;
    AL_TRY(al_jj_eval(r, scope, node->list.items[i], &part));
    AL_TRY(al_jj_print(r, &text, part));
  }
  return al_jj_take_text(r, &text, out);
}

static enum al_code eval_comparison(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                    struct al_jj_value *out)
{
  const struct al_jj_nodes *operands = &node->compare.operands;
  struct al_jj_value left, right;
  bool holds = true;
  AL_TRY(al_jj_eval(r, scope, operands->items[0], &left));
  for (size_t i = 1; holds && i < operands->n; i++) {
    AL_TRY(al_jj_eval(r, scope, operands->items[i], &right));
    AL_TRY(al_jj_compare_op(r, node->compare.ops[i - 1], left, right, &holds));
    left = right;
  }
  *out = al_jj_bool(holds);
  return AL_OK;
}

static enum al_code eval_condition(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                                   struct al_jj_value *out)
{
  struct al_jj_value test;
  AL_TRY(al_jj_eval(r, scope, node->cond.test, &test));
  if (al_jj_truth(test))
    return al_jj_eval(r, scope, node->cond.yes, out);
  *out = al_jj_undefined();
  return node->cond.no != nullptr ? al_jj_eval(r, scope, node->cond.no, out) : AL_OK;
}

static enum al_code eval_attr(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  struct al_jj_value object;
  AL_TRY(al_jj_eval(r, scope, node->attr.object, &object));
  r->line = node->line;
  return al_jj_attr(r, object, node->attr.name, out);
}

static enum al_code eval_item(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  struct al_jj_value object, key;
  AL_TRY(al_jj_eval(r, scope, node->item.object, &object));
  AL_TRY(al_jj_eval(r, scope, node->item.start, &key));
  r->line = node->line;
  return al_jj_item(r, object, key, out);
}

static enum al_code eval_slice(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                               struct al_jj_value *out)
{
  struct al_jj_value object, bounds[3];
  const struct al_jj_node *parts[3] = { node->item.start, node->item.stop, node->item.step };
  AL_TRY(al_jj_eval(r, scope, node->item.object, &object));
  for (size_t i = 0; i < 3; i++) {
    bounds[i] = al_jj_none();
    if (parts[i] != nullptr)
      AL_TRY(al_jj_eval(r, scope, parts[i], &bounds[i]));
  }
  return al_jj_slice(r, object, bounds, out);
}

static enum al_code eval_call(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  struct al_jj_value callee;
  struct al_jj_args args;
  AL_TRY(al_jj_eval(r, scope, node->call.callee, &callee));
  AL_TRY(al_jj_eval_args(r, scope, &node->call.args, &args));
  r->line = node->line;
  return al_jj_call_value(r, callee, &args, out);
}

static enum al_code apply(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                          struct al_jj_value input, struct al_jj_value *out)
{
  struct al_jj_args args;
  bool is_filter = node->kind == AL_JJ_N_FILTER;
  if (node->apply.native == nullptr)
    return al_jj_fail(r, "no %s named '%.*s'", is_filter ? "filter" : "test",
                      (int)al_min_size(node->apply.name.size, 60), node->apply.name.data);
  AL_TRY(al_jj_eval_args(r, scope, &node->apply.args, &args));
  r->line = node->line;
  if (node->apply.native->call == nullptr && node->apply.native->is == nullptr)
    return al_jj_unsupported(r, is_filter ? "filter" : "test", node->apply.name);
  return al_jj_call_native(r, node->apply.native, input, &args, out);
}

/* A chain of filters without input: the innermost one gets `input`. */
enum al_code al_jj_eval_filter(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *filter,
                               struct al_jj_value input, struct al_jj_value *out)
{
  AL_TRY(al_jj_enter(r));
  enum al_code code = AL_OK;
  if (filter->apply.input != nullptr)
    code = al_jj_eval_filter(r, scope, filter->apply.input, input, &input);
  if (code == AL_OK)
    code = apply(r, scope, filter, input, out);
  al_jj_leave(r);
  return code;
}

static enum al_code eval_apply(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                               struct al_jj_value *out)
{
  struct al_jj_value input;
  AL_TRY(al_jj_eval(r, scope, node->apply.input, &input));
  return apply(r, scope, node, input, out);
}

static enum al_code eval_constant(struct al_jj_render *, struct al_jj_scope *, const struct al_jj_node *node,
                                  struct al_jj_value *out)
{
  *out = node->constant;
  return AL_OK;
}

static enum al_code eval_name(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                              struct al_jj_value *out)
{
  *out = al_jj_scope_get(r, scope, node->symbol);
  return AL_OK;
}

static enum al_code (*const evaluators[])(struct al_jj_render *r, struct al_jj_scope *scope,
                                          const struct al_jj_node *node, struct al_jj_value *out) = {
  [AL_JJ_N_CONST] = eval_constant,     [AL_JJ_N_NAME] = eval_name,      [AL_JJ_N_LIST] = eval_list,
  [AL_JJ_N_TUPLE] = eval_list,         [AL_JJ_N_DICT] = eval_dict,      [AL_JJ_N_NEG] = eval_sign,
  [AL_JJ_N_POS] = eval_sign,           [AL_JJ_N_NOT] = eval_logic,      [AL_JJ_N_AND] = eval_logic,
  [AL_JJ_N_OR] = eval_logic,           [AL_JJ_N_BINARY] = eval_binary,  [AL_JJ_N_CONCAT] = eval_concat,
  [AL_JJ_N_COMPARE] = eval_comparison, [AL_JJ_N_COND] = eval_condition, [AL_JJ_N_ATTR] = eval_attr,
  [AL_JJ_N_ITEM] = eval_item,          [AL_JJ_N_SLICE] = eval_slice,    [AL_JJ_N_CALL] = eval_call,
  [AL_JJ_N_FILTER] = eval_apply,       [AL_JJ_N_TEST] = eval_apply,
};

enum al_code al_jj_eval(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                        struct al_jj_value *out)
{
  AL_TRY(al_jj_enter(r));
  r->line = node->line;
  enum al_code code = (size_t)node->kind < AL_COUNT(evaluators) ? evaluators[node->kind](r, scope, node, out)
                                                                : al_jj_fail(r, "not an expression");
  al_jj_leave(r);
  return code;
}
