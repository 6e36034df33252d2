/* Expressions, from the loosest binding to the tightest: condition, or, and, not, comparison, + -, ~, * / // %, **,
 * sign, and what stands behind a value (attributes, items, calls, filters, tests). */
#include "text/jinja/parser.h"

#include "text/jinja/render.h"

static enum al_code make_pair(struct al_jj_parser *p, enum al_jj_node_kind kind, struct al_jj_node *left,
                              struct al_jj_node *right, struct al_jj_node **out)
{
  struct al_jj_node *node;
  AL_TRY(al_jj_new_node(p, kind, &node));
  node->left = left;
  node->right = right;
  *out = node;
  return AL_OK;
}

static enum al_code parse_unary(struct al_jj_parser *p, bool with_filter, struct al_jj_node **node)
{
  AL_TRY(al_jj_parse_enter(p));
  bool minus = al_jj_current(p)->kind == AL_JJ_T_SUB;
  if (minus || al_jj_current(p)->kind == AL_JJ_T_ADD) {
    p->at++;
    struct al_jj_node *operand;
    AL_TRY(parse_unary(p, false, &operand));
    AL_TRY(make_pair(p, minus ? AL_JJ_N_NEG : AL_JJ_N_POS, operand, nullptr, node));
  } else {
    AL_TRY(al_jj_parse_primary(p, false, node));
  }
  AL_TRY(al_jj_parse_postfix(p, node));
  if (with_filter)
    AL_TRY(al_jj_parse_applications(p, node));
  p->depth--;
  return AL_OK;
}

static enum al_code make_binary(struct al_jj_parser *p, enum al_jj_op op, struct al_jj_node *right,
                                struct al_jj_node **node)
{
  AL_TRY(make_pair(p, AL_JJ_N_BINARY, *node, right, node));
  (*node)->op = op;
  return AL_OK;
}

static enum al_code parse_pow(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_unary(p, true, node));
  while (al_jj_skip_token(p, AL_JJ_T_POW)) {
    struct al_jj_node *right;
    AL_TRY(parse_unary(p, true, &right));
    AL_TRY(make_binary(p, AL_JJ_POW, right, node));
  }
  return AL_OK;
}

static bool take_product_operator(struct al_jj_parser *p, enum al_jj_op *op)
{
  static const enum al_jj_op ops[] = {
    [AL_JJ_T_MUL] = AL_JJ_MUL, [AL_JJ_T_DIV] = AL_JJ_DIV, [AL_JJ_T_FLOORDIV] = AL_JJ_FLOORDIV, [AL_JJ_T_MOD] = AL_JJ_MOD
  };
  enum al_jj_tok kind = al_jj_current(p)->kind;
  if (kind < AL_JJ_T_MUL || kind > AL_JJ_T_MOD)
    return false;
  *op = ops[kind];
  p->at++;
  return true;
}

static enum al_code parse_product(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_pow(p, node));
  enum al_jj_op op;
  while (take_product_operator(p, &op)) {
    struct al_jj_node *right;
    AL_TRY(parse_pow(p, &right));
    AL_TRY(make_binary(p, op, right, node));
  }
  return AL_OK;
}

static enum al_code parse_concat(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_product(p, node));
  if (al_jj_current(p)->kind != AL_JJ_T_TILDE)
    return AL_OK;
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder parts = {};
  AL_TRY(al_jj_builder_add(p, &parts, *node));
  while (al_jj_skip_token(p, AL_JJ_T_TILDE)) {
    struct al_jj_node *part;
    AL_TRY(parse_product(p, &part));
    AL_TRY(al_jj_builder_add(p, &parts, part));
  }
  AL_TRY(al_jj_new_node(p, AL_JJ_N_CONCAT, node));
  return al_jj_builder_finish(p, &parts, &(*node)->list);
}

static enum al_code parse_sum(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_concat(p, node));
  while (al_jj_current(p)->kind == AL_JJ_T_ADD || al_jj_current(p)->kind == AL_JJ_T_SUB) {
    enum al_jj_op op = al_jj_current(p)->kind == AL_JJ_T_ADD ? AL_JJ_ADD : AL_JJ_SUB;
    p->at++;
    struct al_jj_node *right;
    AL_TRY(parse_concat(p, &right));
    AL_TRY(make_binary(p, op, right, node));
  }
  return AL_OK;
}

/* Takes a comparison operator, which may be two words. */
static bool take_comparison(struct al_jj_parser *p, enum al_jj_op *op)
{
  static const struct {
    enum al_jj_tok token;
    enum al_jj_op op;
  } table[] = { { AL_JJ_T_EQ, AL_JJ_EQ }, { AL_JJ_T_NE, AL_JJ_NE }, { AL_JJ_T_LT, AL_JJ_LT },
                { AL_JJ_T_LE, AL_JJ_LE }, { AL_JJ_T_GT, AL_JJ_GT }, { AL_JJ_T_GE, AL_JJ_GE } };
  for (size_t i = 0; i < AL_COUNT(table); i++)
    if (al_jj_skip_token(p, table[i].token)) {
      *op = table[i].op;
      return true;
    }
  const struct al_jj_token *next = al_jj_current(p)->kind == AL_JJ_T_EOF ? al_jj_current(p) : al_jj_current(p) + 1;
  if (al_jj_at_word(p, "not") && next->kind == AL_JJ_T_NAME && al_str_is(next->text, "in")) {
    p->at += 2;
    *op = AL_JJ_NOT_IN;
    return true;
  }
  *op = AL_JJ_IN;
  return al_jj_skip_word(p, "in");
}

static enum al_code finish_comparison(struct al_jj_parser *p, const struct al_jj_builder *operands,
                                      const struct al_buf *ops, struct al_jj_node **node)
{
  AL_TRY(al_buf_check(ops, p->err));
  AL_TRY(al_jj_new_node(p, AL_JJ_N_COMPARE, node));
  AL_TRY(al_jj_builder_finish(p, operands, &(*node)->compare.operands));
  AL_TRY(al_jj_arena_get(p, ops->size, &(*node)->compare.ops));
  memcpy((*node)->compare.ops, ops->data, ops->size);
  return AL_OK;
}

static enum al_code parse_comparison(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_sum(p, node));
  enum al_jj_op op;
  if (!take_comparison(p, &op))
    return AL_OK;
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder operands = {};
  AL_CLEANUP(al_buf_done) struct al_buf ops = {};
  AL_TRY(al_jj_builder_add(p, &operands, *node));
  do {
    struct al_jj_node *operand;
    al_buf_add(&ops, &op, sizeof op);
    AL_TRY(parse_sum(p, &operand));
    AL_TRY(al_jj_builder_add(p, &operands, operand));
  } while (take_comparison(p, &op));
  return finish_comparison(p, &operands, &ops, node);
}

static enum al_code parse_not(struct al_jj_parser *p, struct al_jj_node **node)
{
  if (!al_jj_skip_word(p, "not"))
    return parse_comparison(p, node);
  struct al_jj_node *operand;
  AL_TRY(al_jj_parse_enter(p));
  AL_TRY(parse_not(p, &operand));
  p->depth--;
  return make_pair(p, AL_JJ_N_NOT, operand, nullptr, node);
}

static enum al_code parse_and(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_not(p, node));
  while (al_jj_skip_word(p, "and")) {
    struct al_jj_node *right;
    AL_TRY(parse_not(p, &right));
    AL_TRY(make_pair(p, AL_JJ_N_AND, *node, right, node));
  }
  return AL_OK;
}

static enum al_code parse_or(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(parse_and(p, node));
  while (al_jj_skip_word(p, "or")) {
    struct al_jj_node *right;
    AL_TRY(parse_and(p, &right));
    AL_TRY(make_pair(p, AL_JJ_N_OR, *node, right, node));
  }
  return AL_OK;
}

static enum al_code parse_condition(struct al_jj_parser *p, struct al_jj_node **node)
{
  bool soft = p->soft;
  p->soft = true;
  struct al_jj_node *test, *otherwise = nullptr;
  AL_TRY(parse_or(p, &test));
  if (al_jj_skip_word(p, "else")) {
    AL_TRY(al_jj_parse_enter(p));
    AL_TRY(al_jj_parse_expression(p, true, &otherwise));
    p->depth--;
  }
  p->soft = soft;
  struct al_jj_node *made;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_COND, &made));
  made->cond.test = test;
  made->cond.yes = *node;
  made->cond.no = otherwise;
  *node = made;
  return AL_OK;
}

enum al_code al_jj_parse_expression(struct al_jj_parser *p, bool with_condition, struct al_jj_node **node)
{
  AL_TRY(al_jj_parse_enter(p));
  struct al_jj_unknown before = p->unknown;
  AL_TRY(parse_or(p, node));
  while (with_condition && al_jj_skip_word(p, "if")) {
    p->unknown = before; /* it stands under the condition, which is known only now */
    AL_TRY(parse_condition(p, node));
  }
  p->depth--;
  return AL_OK;
}
