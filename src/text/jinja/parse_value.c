/* The innermost parts of expressions: literals, names, brackets, and what stands behind a value. */
#include "text/jinja/parser.h"

#include "base/alloc.h"
#include "text/jinja/render.h"

static enum al_code parse_constant(struct al_jj_parser *p, struct al_jj_value value, struct al_jj_node **node)
{
  AL_TRY(al_jj_new_node(p, AL_JJ_N_CONST, node));
  (*node)->constant = value;
  return AL_OK;
}

static bool constant_word(struct al_str word, struct al_jj_value *value)
{
  if (al_str_is(word, "true") || al_str_is(word, "True"))
    *value = al_jj_bool(true);
  else if (al_str_is(word, "false") || al_str_is(word, "False"))
    *value = al_jj_bool(false);
  else if (al_str_is(word, "none") || al_str_is(word, "None"))
    *value = al_jj_none();
  else
    return false;
  return true;
}

/* The body of a macro that names one of these gets it. */
static void note_special(struct al_jj_parser *p, const struct al_jj_symbol *symbol)
{
  if (p->function == nullptr)
    return;
  if (al_str_is(symbol->name, "varargs"))
    p->function->varargs = symbol;
  else if (al_str_is(symbol->name, "kwargs"))
    p->function->kwargs = symbol;
  else if (al_str_is(symbol->name, "caller"))
    p->function->caller = symbol;
}

static enum al_code parse_name(struct al_jj_parser *p, bool with_namespace, struct al_jj_node **node)
{
  struct al_str word = al_jj_current(p)->text;
  struct al_jj_value constant;
  p->at++;
  if (constant_word(word, &constant))
    return parse_constant(p, constant, node);
  const struct al_jj_symbol *symbol;
  AL_TRY(al_jj_symbol(p, word, &symbol));
  if (with_namespace && al_jj_skip_token(p, AL_JJ_T_DOT)) {
    AL_TRY(al_jj_new_node(p, AL_JJ_N_NSREF, node));
    (*node)->nsref.symbol = symbol;
    return al_jj_expect_name(p, &(*node)->nsref.attr);
  }
  note_special(p, symbol);
  AL_TRY(al_jj_new_node(p, AL_JJ_N_NAME, node));
  (*node)->symbol = symbol;
  return AL_OK;
}

/* Strings side by side are one. */
static enum al_code parse_string(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_str text = al_jj_current(p)->text;
  p->at++;
  if (al_jj_current(p)->kind == AL_JJ_T_STRING) {
    AL_CLEANUP(al_buf_done) struct al_buf joined = {};
    al_buf_add(&joined, text.data, text.size);
    for (; al_jj_current(p)->kind == AL_JJ_T_STRING; p->at++)
      al_buf_add(&joined, al_jj_current(p)->text.data, al_jj_current(p)->text.size);
    AL_TRY(al_buf_check(&joined, p->err));
    char *copy;
    AL_TRY(al_jj_arena_get(p, joined.size + 1, &copy));
    memcpy(copy, joined.data, joined.size);
    text = al_str_n(copy, joined.size);
  }
  return parse_constant(p, al_jj_str(text), node);
}

static enum al_code parse_list(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder items = {};
  while (al_jj_current(p)->kind != AL_JJ_T_RBRACKET) {
    if (items.n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    if (al_jj_current(p)->kind == AL_JJ_T_RBRACKET)
      break;
    struct al_jj_node *item;
    AL_TRY(al_jj_parse_expression(p, true, &item));
    AL_TRY(al_jj_builder_add(p, &items, item));
  }
  AL_TRY(al_jj_expect(p, AL_JJ_T_RBRACKET));
  AL_TRY(al_jj_new_node(p, AL_JJ_N_LIST, node));
  return al_jj_builder_finish(p, &items, &(*node)->list);
}

static enum al_code parse_dict(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder items = {};
  while (al_jj_current(p)->kind != AL_JJ_T_RBRACE) {
    if (items.n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    if (al_jj_current(p)->kind == AL_JJ_T_RBRACE)
      break;
    struct al_jj_node *part;
    AL_TRY(al_jj_parse_expression(p, true, &part));
    AL_TRY(al_jj_builder_add(p, &items, part));
    AL_TRY(al_jj_expect(p, AL_JJ_T_COLON));
    AL_TRY(al_jj_parse_expression(p, true, &part));
    AL_TRY(al_jj_builder_add(p, &items, part));
  }
  AL_TRY(al_jj_expect(p, AL_JJ_T_RBRACE));
  AL_TRY(al_jj_new_node(p, AL_JJ_N_DICT, node));
  return al_jj_builder_finish(p, &items, &(*node)->list);
}

/* How the members of a tuple are parsed, and what ends it. */
struct tuple_style {
  bool simple; /* targets of assignments: primaries alone */
  bool with_namespace;
  bool with_condition;
  bool parenthesised;
  const char *end_word;
};

static bool tuple_ends(const struct al_jj_parser *p, const struct tuple_style *style)
{
  enum al_jj_tok kind = al_jj_current(p)->kind;
  return kind == AL_JJ_T_VARIABLE_END || kind == AL_JJ_T_BLOCK_END || kind == AL_JJ_T_RPAREN ||
         (style->end_word != nullptr && al_jj_at_word(p, style->end_word));
}

static enum al_code parse_members(struct al_jj_parser *p, const struct tuple_style *style, struct al_jj_builder *items,
                                  bool *is_tuple)
{
  for (*is_tuple = false;; *is_tuple = true) {
    if (items->n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    if (tuple_ends(p, style))
      return AL_OK;
    struct al_jj_node *item;
    AL_TRY(style->simple ? al_jj_parse_primary(p, style->with_namespace, &item)
                         : al_jj_parse_expression(p, style->with_condition, &item));
    AL_TRY(al_jj_builder_add(p, items, item));
    if (al_jj_current(p)->kind != AL_JJ_T_COMMA)
      return AL_OK;
  }
}

static enum al_code parse_tuple(struct al_jj_parser *p, const struct tuple_style *style, struct al_jj_node **node)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder items = {};
  bool is_tuple;
  AL_TRY(parse_members(p, style, &items, &is_tuple));
  if (!is_tuple && items.n > 0) {
    *node = items.items[0];
    return AL_OK;
  }
  if (!is_tuple && !style->parenthesised)
    return al_jj_parse_fail(p, "expected an expression, got %s", al_jj_token_name(al_jj_current(p)->kind));
  AL_TRY(al_jj_new_node(p, AL_JJ_N_TUPLE, node));
  return al_jj_builder_finish(p, &items, &(*node)->list);
}

enum al_code al_jj_parse_tuple(struct al_jj_parser *p, bool with_condition, const char *end_word,
                               struct al_jj_node **node)
{
  return parse_tuple(p, &(struct tuple_style){ .with_condition = with_condition, .end_word = end_word }, node);
}

static bool can_assign(const struct al_jj_node *node)
{
  if (node->kind != AL_JJ_N_TUPLE)
    return node->kind == AL_JJ_N_NAME || node->kind == AL_JJ_N_NSREF;
  for (size_t i = 0; i < node->list.n; i++)
    if (!can_assign(node->list.items[i]))
      return false;
  return true;
}

enum al_code al_jj_parse_target(struct al_jj_parser *p, bool with_namespace, const char *end_word,
                                struct al_jj_node **node)
{
  struct tuple_style style = { .simple = true, .with_namespace = with_namespace, .end_word = end_word };
  AL_TRY(parse_tuple(p, &style, node));
  return can_assign(*node) ? AL_OK : al_jj_parse_fail(p, "this cannot be assigned to");
}

enum al_code al_jj_parse_name_target(struct al_jj_parser *p, const struct al_jj_symbol **symbol)
{
  struct al_str word;
  struct al_jj_value constant;
  AL_TRY(al_jj_expect_name(p, &word));
  if (constant_word(word, &constant))
    return al_jj_parse_fail(p, "'%.*s' cannot be assigned to", (int)word.size, word.data);
  return al_jj_symbol(p, word, symbol);
}

enum al_code al_jj_parse_primary(struct al_jj_parser *p, bool with_namespace, struct al_jj_node **node)
{
  const struct al_jj_token *token = al_jj_current(p);
  if (token->kind == AL_JJ_T_NAME)
    return parse_name(p, with_namespace, node);
  if (token->kind == AL_JJ_T_STRING)
    return parse_string(p, node);
  p->at += token->kind != AL_JJ_T_EOF;
  if (token->kind == AL_JJ_T_INT)
    return parse_constant(p, al_jj_int(token->integer), node);
  if (token->kind == AL_JJ_T_FLOAT)
    return parse_constant(p, al_jj_float(token->real), node);
  if (token->kind == AL_JJ_T_LBRACKET)
    return parse_list(p, node);
  if (token->kind == AL_JJ_T_LBRACE)
    return parse_dict(p, node);
  if (token->kind != AL_JJ_T_LPAREN)
    return al_jj_parse_fail(p, "unexpected %s", al_jj_token_name(token->kind));
  struct tuple_style style = { .with_condition = true, .parenthesised = true };
  if (with_namespace) /* targets nest deeper only through parentheses, which parse whole expressions */
    AL_TRY(al_jj_parse_enter(p));
  AL_TRY(parse_tuple(p, &style, node));
  p->depth -= with_namespace;
  return al_jj_expect(p, AL_JJ_T_RPAREN);
}

static bool subscript_ends(const struct al_jj_parser *p)
{
  enum al_jj_tok kind = al_jj_current(p)->kind;
  return kind == AL_JJ_T_RBRACKET || kind == AL_JJ_T_COMMA || kind == AL_JJ_T_COLON;
}

/* start:stop:step, each optional; the colon after start is the current token. */
static enum al_code parse_slice(struct al_jj_parser *p, struct al_jj_node *start, struct al_jj_node **node)
{
  struct al_jj_node *stop = nullptr, *step = nullptr;
  AL_TRY(al_jj_expect(p, AL_JJ_T_COLON));
  if (!subscript_ends(p))
    AL_TRY(al_jj_parse_expression(p, true, &stop));
  if (al_jj_skip_token(p, AL_JJ_T_COLON) && !subscript_ends(p))
    AL_TRY(al_jj_parse_expression(p, true, &step));
  AL_TRY(al_jj_new_node(p, AL_JJ_N_SLICE, node));
  (*node)->item.start = start;
  (*node)->item.stop = stop;
  (*node)->item.step = step;
  return AL_OK;
}

/* One part between the brackets: *node is an expression, or a SLICE that waits for its object. */
static enum al_code parse_subscribed(struct al_jj_parser *p, struct al_jj_node **node)
{
  *node = nullptr;
  if (al_jj_current(p)->kind != AL_JJ_T_COLON)
    AL_TRY(al_jj_parse_expression(p, true, node));
  return al_jj_current(p)->kind == AL_JJ_T_COLON ? parse_slice(p, *node, node) : AL_OK;
}

static enum al_code make_item(struct al_jj_parser *p, struct al_jj_node *key, struct al_jj_node **node)
{
  struct al_jj_node *item = key;
  if (key->kind != AL_JJ_N_SLICE || key->item.object != nullptr) {
    AL_TRY(al_jj_new_node(p, AL_JJ_N_ITEM, &item));
    item->item.start = key;
  }
  item->item.object = *node;
  *node = item;
  return AL_OK;
}

static enum al_code parse_brackets(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder parts = {};
  while (al_jj_current(p)->kind != AL_JJ_T_RBRACKET) {
    if (parts.n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    struct al_jj_node *part;
    AL_TRY(parse_subscribed(p, &part));
    AL_TRY(al_jj_builder_add(p, &parts, part));
  }
  AL_TRY(al_jj_expect(p, AL_JJ_T_RBRACKET));
  if (parts.n == 1)
    return make_item(p, parts.items[0], node);
  for (size_t i = 0; i < parts.n; i++)
    if (parts.items[i]->kind == AL_JJ_N_SLICE && parts.items[i]->item.object == nullptr)
      return al_fail(p->err, AL_UNSUPPORTED, "template line %d: slices in several dimensions", al_jj_current(p)->line);
  struct al_jj_node *tuple;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_TUPLE, &tuple));
  AL_TRY(al_jj_builder_finish(p, &parts, &tuple->list));
  return make_item(p, tuple, node);
}

static enum al_code parse_dot(struct al_jj_parser *p, struct al_jj_node **node)
{
  const struct al_jj_token *token = al_jj_current(p);
  if (token->kind == AL_JJ_T_INT) {
    struct al_jj_node *key;
    p->at++;
    AL_TRY(parse_constant(p, al_jj_int(token->integer), &key));
    return make_item(p, key, node);
  }
  struct al_jj_node *attr;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_ATTR, &attr));
  attr->attr.object = *node;
  *node = attr;
  return al_jj_expect_name(p, &attr->attr.name);
}

/* *expr and **expr */
static enum al_code parse_spread(struct al_jj_parser *p, bool pairs, struct al_jj_arguments *args)
{
  if (args->star_star != nullptr || (!pairs && args->star != nullptr))
    return al_jj_parse_fail(p, "invalid syntax for a call");
  p->at++;
  return al_jj_parse_expression(p, true, pairs ? &args->star_star : &args->star);
}

static enum al_code parse_argument(struct al_jj_parser *p, struct al_jj_arguments *args,
                                   struct al_jj_builder *positional, size_t *capacity)
{
  const struct al_jj_token *token = al_jj_current(p);
  if (token->kind == AL_JJ_T_MUL || token->kind == AL_JJ_T_POW)
    return parse_spread(p, token->kind == AL_JJ_T_POW, args);
  struct al_jj_node *value;
  if (token->kind == AL_JJ_T_NAME && token[1].kind == AL_JJ_T_ASSIGN) {
    p->at += 2;
    AL_TRY(al_jj_parse_expression(p, true, &value));
    void *named = args->named;
    AL_TRY(al_grow(&named, capacity, args->n_named + 1, sizeof *args->named, p->err));
    args->named = named;
    args->named[args->n_named++] = (struct al_jj_named_node){ token->text, value };
    return args->star_star == nullptr ? AL_OK : al_jj_parse_fail(p, "invalid syntax for a call");
  }
  AL_TRY(al_jj_parse_expression(p, true, &value));
  if (args->star != nullptr || args->star_star != nullptr || args->n_named > 0)
    return al_jj_parse_fail(p, "a positional argument after a named one");
  return al_jj_builder_add(p, positional, value);
}

static enum al_code parse_arguments(struct al_jj_parser *p, struct al_jj_arguments *args,
                                    struct al_jj_builder *positional)
{
  size_t capacity = 0;
  bool comma = false;
  AL_TRY(al_jj_expect(p, AL_JJ_T_LPAREN));
  for (; al_jj_current(p)->kind != AL_JJ_T_RPAREN; comma = true) {
    if (comma)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    if (comma && al_jj_current(p)->kind == AL_JJ_T_RPAREN)
      break;
    AL_TRY(parse_argument(p, args, positional, &capacity));
  }
  return al_jj_expect(p, AL_JJ_T_RPAREN);
}

/* Named arguments grow on the heap and end in the arena. */
static enum al_code keep_named(struct al_jj_parser *p, struct al_jj_arguments *args)
{
  if (args->n_named == 0)
    return AL_OK;
  struct al_jj_named_node *kept;
  AL_TRY(al_jj_arena_get(p, args->n_named * sizeof *kept, &kept));
  memcpy(kept, args->named, args->n_named * sizeof *kept);
  al_free(args->named);
  args->named = kept;
  return AL_OK;
}

static enum al_code check_named(struct al_jj_parser *p, const struct al_jj_arguments *args)
{
  for (size_t i = 0; i < args->n_named; i++)
    for (size_t j = 0; j < i; j++)
      if (al_str_eq(args->named[i].name, args->named[j].name))
        return al_jj_parse_fail(p, "argument '%.*s' is given twice", (int)al_min_size(args->named[i].name.size, 60),
                                args->named[i].name.data);
  return AL_OK;
}

enum al_code al_jj_parse_call_args(struct al_jj_parser *p, struct al_jj_arguments *args)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder positional = {};
  struct al_jj_arguments parsed = {};
  enum al_code code = parse_arguments(p, &parsed, &positional);
  if (code == AL_OK && parsed.n_named > 255)
    code = al_jj_parse_fail(p, "more than 255 named arguments");
  if (code == AL_OK)
    code = check_named(p, &parsed);
  if (code == AL_OK)
    code = keep_named(p, &parsed);
  if (code != AL_OK) {
    al_free(parsed.named);
    return code;
  }
  *args = parsed;
  return al_jj_builder_finish(p, &positional, &args->positional);
}

static enum al_code parse_call(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_jj_node *call;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_CALL, &call));
  call->call.callee = *node;
  *node = call;
  return al_jj_parse_call_args(p, &call->call.args);
}

enum al_code al_jj_parse_postfix(struct al_jj_parser *p, struct al_jj_node **node)
{
  for (;;) {
    if (al_jj_skip_token(p, AL_JJ_T_DOT))
      AL_TRY(parse_dot(p, node));
    else if (al_jj_skip_token(p, AL_JJ_T_LBRACKET))
      AL_TRY(parse_brackets(p, node));
    else if (al_jj_current(p)->kind == AL_JJ_T_LPAREN)
      AL_TRY(parse_call(p, node));
    else
      return AL_OK;
  }
}

/* The name of a filter or test, which may have dots. No built-in has; such a one is unknown. */
static enum al_code parse_dotted(struct al_jj_parser *p, struct al_str *name)
{
  AL_TRY(al_jj_expect_name(p, name));
  while (al_jj_skip_token(p, AL_JJ_T_DOT))
    AL_TRY(al_jj_expect_name(p, name));
  return AL_OK;
}

static void note_unknown(struct al_jj_parser *p, const char *what, const struct al_jj_node *node)
{
  if (node->apply.native == nullptr && !p->soft && p->unknown.what == nullptr)
    p->unknown = (struct al_jj_unknown){ what, node->apply.name, node->line };
}

enum al_code al_jj_parse_filters(struct al_jj_parser *p, bool inline_start, struct al_jj_node **node)
{
  while (inline_start || al_jj_skip_token(p, AL_JJ_T_PIPE)) {
    struct al_jj_node *filter;
    AL_TRY(al_jj_new_node(p, AL_JJ_N_FILTER, &filter));
    AL_TRY(parse_dotted(p, &filter->apply.name));
    filter->apply.native = al_jj_find_filter(filter->apply.name);
    note_unknown(p, "filter", filter);
    if (al_jj_current(p)->kind == AL_JJ_T_LPAREN)
      AL_TRY(al_jj_parse_call_args(p, &filter->apply.args));
    filter->apply.input = *node;
    *node = filter;
    inline_start = false;
  }
  return AL_OK;
}

static bool takes_argument(const struct al_jj_parser *p)
{
  enum al_jj_tok kind = al_jj_current(p)->kind;
  if (kind == AL_JJ_T_NAME)
    return !al_jj_at_word(p, "else") && !al_jj_at_word(p, "or") && !al_jj_at_word(p, "and");
  return kind == AL_JJ_T_STRING || kind == AL_JJ_T_INT || kind == AL_JJ_T_FLOAT || kind == AL_JJ_T_LPAREN ||
         kind == AL_JJ_T_LBRACKET || kind == AL_JJ_T_LBRACE;
}

static enum al_code parse_test_args(struct al_jj_parser *p, struct al_jj_arguments *args)
{
  if (al_jj_current(p)->kind == AL_JJ_T_LPAREN)
    return al_jj_parse_call_args(p, args);
  if (!takes_argument(p))
    return AL_OK;
  if (al_jj_at_word(p, "is"))
    return al_jj_parse_fail(p, "tests with \"is\" cannot be chained");
  struct al_jj_node *argument;
  AL_TRY(al_jj_parse_enter(p));
  AL_TRY(al_jj_parse_primary(p, false, &argument));
  AL_TRY(al_jj_parse_postfix(p, &argument));
  p->depth--;
  AL_TRY(al_jj_arena_get(p, sizeof(struct al_jj_node *), &args->positional.items));
  args->positional.items[0] = argument;
  args->positional.n = 1;
  return AL_OK;
}

static enum al_code parse_test(struct al_jj_parser *p, struct al_jj_node **node)
{
  bool negated = al_jj_skip_word(p, "not");
  struct al_jj_node *test;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_TEST, &test));
  AL_TRY(parse_dotted(p, &test->apply.name));
  test->apply.native = al_jj_find_test(test->apply.name);
  note_unknown(p, "test", test);
  test->apply.input = *node;
  AL_TRY(parse_test_args(p, &test->apply.args));
  *node = test;
  if (!negated)
    return AL_OK;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_NOT, node));
  (*node)->left = test;
  return AL_OK;
}

enum al_code al_jj_parse_applications(struct al_jj_parser *p, struct al_jj_node **node)
{
  for (;;) {
    if (al_jj_current(p)->kind == AL_JJ_T_PIPE)
      AL_TRY(al_jj_parse_filters(p, false, node));
    else if (al_jj_skip_word(p, "is"))
      AL_TRY(parse_test(p, node));
    else if (al_jj_current(p)->kind == AL_JJ_T_LPAREN)
      AL_TRY(parse_call(p, node));
    else
      return AL_OK;
  }
}
