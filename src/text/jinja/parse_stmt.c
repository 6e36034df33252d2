/* Statements: one table from the tag's name to its parser. */
#include "text/jinja/parser.h"

#include "base/alloc.h"
#include "text/jinja/render.h"

/* The state that a construct changes for what stands inside it. */
struct inner {
  bool soft;
  int loop_depth;
  struct al_jj_function *function;
};

static struct inner enter_block(struct al_jj_parser *p)
{
  struct inner saved = { p->soft, p->loop_depth, p->function };
  p->soft = false;
  return saved;
}

static void leave_block(struct al_jj_parser *p, struct inner saved)
{
  p->soft = saved.soft;
  p->loop_depth = saved.loop_depth;
  p->function = saved.function;
}

static enum al_code parse_block_body(struct al_jj_parser *p, const char *end_word, struct al_jj_nodes *body)
{
  size_t ended;
  return al_jj_parse_body(p, (const char *const[]){ end_word, nullptr }, &ended, body);
}

static enum al_code parse_set(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_jj_node *target;
  AL_TRY(al_jj_parse_target(p, true, nullptr, &target));
  bool is_block = !al_jj_skip_token(p, AL_JJ_T_ASSIGN);
  AL_TRY(al_jj_new_node(p, is_block ? AL_JJ_N_SET_BLOCK : AL_JJ_N_SET, node));
  (*node)->set.target = target;
  if (!is_block)
    return al_jj_parse_tuple(p, true, nullptr, &(*node)->set.value);
  AL_TRY(al_jj_parse_filters(p, false, &(*node)->set.value));
  struct inner saved = enter_block(p);
  AL_TRY(parse_block_body(p, "endset", &(*node)->set.body));
  leave_block(p, saved);
  return AL_OK;
}

static enum al_code parse_for_body(struct al_jj_parser *p, struct al_jj_for *loop)
{
  static const char *const ends[] = { "endfor", "else", nullptr };
  struct inner saved = enter_block(p);
  size_t ended;
  p->loop_depth++;
  AL_TRY(al_jj_parse_body(p, ends, &ended, &loop->body));
  p->loop_depth--;
  if (ended == 1)
    AL_TRY(parse_block_body(p, "endfor", &loop->otherwise));
  leave_block(p, saved);
  return AL_OK;
}

static bool assigns_loop(const struct al_jj_node *target)
{
  if (target->kind == AL_JJ_N_NAME)
    return al_str_is(target->symbol->name, "loop");
  for (size_t i = 0; target->kind == AL_JJ_N_TUPLE && i < target->list.n; i++)
    if (assigns_loop(target->list.items[i]))
      return true;
  return false;
}

static enum al_code parse_for(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_jj_for *loop;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_FOR, node));
  AL_TRY(al_jj_arena_get(p, sizeof *loop, &loop));
  (*node)->loop = loop;
  AL_TRY(al_jj_symbol(p, al_str("loop"), &loop->loop));
  AL_TRY(al_jj_parse_target(p, false, "in", &loop->target));
  if (assigns_loop(loop->target))
    return al_jj_parse_fail(p, "the special variable \"loop\" cannot be assigned to");
  if (!al_jj_skip_word(p, "in"))
    return al_jj_parse_fail(p, "expected \"in\"");
  AL_TRY(al_jj_parse_tuple(p, false, "recursive", &loop->iterable));
  if (al_jj_skip_word(p, "if"))
    AL_TRY(al_jj_parse_expression(p, true, &loop->filter));
  loop->recursive = al_jj_skip_word(p, "recursive");
  return parse_for_body(p, loop);
}

constexpr size_t MAX_BRANCHES = 4096;

static enum al_code add_branch(struct al_jj_parser *p, struct al_jj_branch **branches, size_t *n, size_t *capacity)
{
  void *grown = *branches;
  if (*n >= MAX_BRANCHES)
    return al_jj_parse_fail(p, "more than %zu branches", MAX_BRANCHES);
  AL_TRY(al_grow(&grown, capacity, *n + 1, sizeof **branches, p->err));
  *branches = grown;
  (*branches)[(*n)++] = (struct al_jj_branch){};
  return AL_OK;
}

static enum al_code parse_branches(struct al_jj_parser *p, struct al_jj_branch **branches, size_t *n)
{
  static const char *const ends[] = { "elif", "else", "endif", nullptr };
  size_t ended = 0, capacity = 0;
  while (ended == 0) {
    AL_TRY(add_branch(p, branches, n, &capacity));
    AL_TRY(al_jj_parse_tuple(p, false, nullptr, &(*branches)[*n - 1].test));
    AL_TRY(al_jj_parse_body(p, ends, &ended, &(*branches)[*n - 1].body));
  }
  if (ended == 2)
    return AL_OK;
  AL_TRY(add_branch(p, branches, n, &capacity));
  return parse_block_body(p, "endif", &(*branches)[*n - 1].body);
}

static enum al_code parse_if(struct al_jj_parser *p, struct al_jj_node **node)
{
  bool soft = p->soft;
  p->soft = true;
  AL_CLEANUP(al_free_p) struct al_jj_branch *branches = nullptr;
  size_t n = 0;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_IF, node));
  AL_TRY(parse_branches(p, &branches, &n));
  p->soft = soft;
  AL_TRY(al_jj_arena_get(p, n * sizeof *branches, &(*node)->branches.items));
  memcpy((*node)->branches.items, branches, n * sizeof *branches);
  (*node)->branches.n = n;
  return AL_OK;
}

static enum al_code parse_parameters(struct al_jj_parser *p, struct al_jj_builder *params,
                                     struct al_jj_builder *defaults, struct al_jj_node **holder)
{
  bool has_default = false;
  AL_TRY(al_jj_expect(p, AL_JJ_T_LPAREN));
  while (al_jj_current(p)->kind != AL_JJ_T_RPAREN) {
    if (params->n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    AL_TRY(al_jj_new_node(p, AL_JJ_N_NAME, holder));
    AL_TRY(al_jj_parse_name_target(p, &(*holder)->symbol));
    AL_TRY(al_jj_builder_add(p, params, *holder));
    struct al_jj_node *value = nullptr;
    if (al_jj_skip_token(p, AL_JJ_T_ASSIGN))
      AL_TRY(al_jj_parse_expression(p, true, &value));
    else if (has_default)
      return al_jj_parse_fail(p, "a parameter without default follows one with default");
    has_default = value != nullptr;
    AL_TRY(al_jj_builder_add(p, defaults, value));
  }
  return al_jj_expect(p, AL_JJ_T_RPAREN);
}

static enum al_code check_parameters(struct al_jj_parser *p, const struct al_jj_builder *params)
{
  if (params->n > 255)
    return al_jj_parse_fail(p, "more than 255 parameters");
  for (size_t i = 0; i < params->n; i++)
    for (size_t j = 0; j < i; j++)
      if (params->items[i]->symbol == params->items[j]->symbol)
        return al_jj_parse_fail(p, "a parameter stands twice");
  return AL_OK;
}

static enum al_code parse_signature(struct al_jj_parser *p, struct al_jj_function *function)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder params = {};
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder defaults = {};
  struct al_jj_node *holder;
  AL_TRY(parse_parameters(p, &params, &defaults, &holder));
  AL_TRY(check_parameters(p, &params));
  struct al_jj_nodes kept;
  AL_TRY(al_jj_builder_finish(p, &defaults, &kept));
  function->defaults = kept.items;
  function->n_params = params.n;
  AL_TRY(al_jj_arena_get(p, (params.n + 1) * sizeof(struct al_jj_symbol *), &function->params));
  for (size_t i = 0; i < params.n; i++)
    function->params[i] = params.items[i]->symbol;
  return AL_OK;
}

static bool is_param(const struct al_jj_function *function, const struct al_jj_symbol *symbol)
{
  for (size_t i = 0; i < function->n_params; i++)
    if (function->params[i] == symbol)
      return true;
  return false;
}

/* A body that is called: loops around it are out of its reach, and it may ask for special variables. */
static enum al_code parse_function_body(struct al_jj_parser *p, const char *end_word, struct al_jj_function *function)
{
  struct inner saved = enter_block(p);
  p->loop_depth = 0;
  p->function = function;
  AL_TRY(parse_block_body(p, end_word, &function->body));
  leave_block(p, saved);
  struct al_jj_function *outer = saved.function;
  if (outer != nullptr) { /* what an inner function asks for, the outer one is seen to ask for too */
    outer->varargs = outer->varargs != nullptr ? outer->varargs : function->varargs;
    outer->kwargs = outer->kwargs != nullptr ? outer->kwargs : function->kwargs;
    outer->caller = outer->caller != nullptr ? outer->caller : function->caller;
  }
  if (function->varargs != nullptr && is_param(function, function->varargs))
    function->varargs = nullptr;
  if (function->kwargs != nullptr && is_param(function, function->kwargs))
    function->kwargs = nullptr;
  return AL_OK;
}

static enum al_code parse_macro(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_jj_function *function;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_MACRO, node));
  AL_TRY(al_jj_arena_get(p, sizeof *function, &function));
  (*node)->function = function;
  AL_TRY(al_jj_parse_name_target(p, &function->name));
  AL_TRY(parse_signature(p, function));
  return parse_function_body(p, "endmacro", function);
}

static enum al_code parse_call_block(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_jj_function *function;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_CALL_BLOCK, node));
  AL_TRY(al_jj_arena_get(p, sizeof *function, &function));
  (*node)->call_block.body = function;
  if (al_jj_current(p)->kind == AL_JJ_T_LPAREN)
    AL_TRY(parse_signature(p, function));
  AL_TRY(al_jj_parse_expression(p, true, &(*node)->call_block.call));
  if ((*node)->call_block.call->kind != AL_JJ_N_CALL)
    return al_jj_parse_fail(p, "expected a call");
  return parse_function_body(p, "endcall", function);
}

static enum al_code parse_generation(struct al_jj_parser *p, struct al_jj_node **node)
{
  struct al_jj_function *function;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_GENERATION, node));
  AL_TRY(al_jj_arena_get(p, sizeof *function, &function));
  (*node)->function = function;
  return parse_function_body(p, "endgeneration", function);
}

static enum al_code new_block(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(al_jj_new_node(p, AL_JJ_N_BLOCK, node));
  return al_jj_arena_get(p, sizeof *(*node)->block.body, &(*node)->block.body);
}

/* Nothing can extend a chat template: a block stands where it is. Two of one name are refused, as by Jinja. */
static enum al_code parse_block(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(new_block(p, node));
  AL_TRY(al_jj_expect_name(p, &(*node)->block.name));
  for (const struct al_jj_node *other = p->blocks; other != nullptr; other = other->block.before)
    if (al_str_eq(other->block.name, (*node)->block.name))
      return al_jj_parse_fail(p, "two blocks have the same name");
  (*node)->block.before = p->blocks;
  p->blocks = *node;
  (*node)->block.is_scoped = al_jj_skip_word(p, "scoped");
  if (al_jj_at_word(p, "required"))
    return al_fail(p->err, AL_UNSUPPORTED, "template line %d: required blocks are not supported",
                   al_jj_current(p)->line);
  AL_TRY(parse_function_body(p, "endblock", (*node)->block.body));
  bool is_named = al_jj_current(p)->kind == AL_JJ_T_NAME && al_str_eq(al_jj_current(p)->text, (*node)->block.name);
  p->at += is_named ? 1 : 0;
  return AL_OK;
}

/* Chat templates are not escaped, so {% autoescape false %} changes nothing. */
static enum al_code parse_autoescape(struct al_jj_parser *p, struct al_jj_node **node)
{
  if (!al_jj_skip_word(p, "false") && !al_jj_skip_word(p, "False"))
    return al_fail(p->err, AL_UNSUPPORTED, "template line %d: escaping is not supported", al_jj_current(p)->line);
  AL_TRY(new_block(p, node));
  (*node)->block.is_scoped = true;
  struct inner saved = enter_block(p);
  AL_TRY(parse_block_body(p, "endautoescape", &(*node)->block.body->body));
  leave_block(p, saved);
  return AL_OK;
}

static enum al_code parse_filter_block(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(al_jj_new_node(p, AL_JJ_N_FILTER_BLOCK, node));
  AL_TRY(al_jj_parse_filters(p, true, &(*node)->filter_block.filter));
  struct inner saved = enter_block(p);
  AL_TRY(parse_block_body(p, "endfilter", &(*node)->filter_block.body));
  leave_block(p, saved);
  return AL_OK;
}

static enum al_code parse_with(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder targets = {};
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder values = {};
  while (al_jj_current(p)->kind != AL_JJ_T_BLOCK_END) {
    struct al_jj_node *part;
    if (targets.n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    AL_TRY(al_jj_parse_target(p, false, nullptr, &part));
    AL_TRY(al_jj_builder_add(p, &targets, part));
    AL_TRY(al_jj_expect(p, AL_JJ_T_ASSIGN));
    AL_TRY(al_jj_parse_expression(p, true, &part));
    AL_TRY(al_jj_builder_add(p, &values, part));
  }
  AL_TRY(al_jj_new_node(p, AL_JJ_N_WITH, node));
  AL_TRY(al_jj_builder_finish(p, &targets, &(*node)->with.targets));
  AL_TRY(al_jj_builder_finish(p, &values, &(*node)->with.values));
  struct inner saved = enter_block(p);
  AL_TRY(parse_block_body(p, "endwith", &(*node)->with.body));
  leave_block(p, saved);
  return AL_OK;
}

static enum al_code parse_print(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder parts = {};
  while (al_jj_current(p)->kind != AL_JJ_T_BLOCK_END) {
    struct al_jj_node *part;
    if (parts.n > 0)
      AL_TRY(al_jj_expect(p, AL_JJ_T_COMMA));
    AL_TRY(al_jj_parse_expression(p, true, &part));
    AL_TRY(al_jj_builder_add(p, &parts, part));
  }
  struct al_jj_node *all;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_CONCAT, &all));
  AL_TRY(al_jj_builder_finish(p, &parts, &all->list));
  AL_TRY(al_jj_new_node(p, AL_JJ_N_PRINT, node));
  (*node)->left = all;
  return AL_OK;
}

static enum al_code parse_jump(struct al_jj_parser *p, enum al_jj_node_kind kind, struct al_jj_node **node)
{
  if (p->loop_depth == 0)
    return al_jj_parse_fail(p, "break or continue outside a loop");
  return al_jj_new_node(p, kind, node);
}

static enum al_code parse_break(struct al_jj_parser *p, struct al_jj_node **node)
{
  return parse_jump(p, AL_JJ_N_BREAK, node);
}

static enum al_code parse_continue(struct al_jj_parser *p, struct al_jj_node **node)
{
  return parse_jump(p, AL_JJ_N_CONTINUE, node);
}

static enum al_code parse_unsupported(struct al_jj_parser *p, struct al_jj_node **node)
{
  *node = nullptr;
  struct al_str name = al_jj_current(p)[-1].text;
  return al_fail(p->err, AL_UNSUPPORTED, "template line %d: the tag '%.*s' is not supported", al_jj_current(p)->line,
                 (int)name.size, name.data);
}

static const struct {
  const char *name;
  enum al_code (*parse)(struct al_jj_parser *p, struct al_jj_node **node);
} statements[] = {
  { "for", parse_for },
  { "if", parse_if },
  { "set", parse_set },
  { "macro", parse_macro },
  { "break", parse_break },
  { "continue", parse_continue },
  { "generation", parse_generation },
  { "call", parse_call_block },
  { "filter", parse_filter_block },
  { "with", parse_with },
  { "print", parse_print },
  { "block", parse_block },
  { "extends", parse_unsupported },
  { "include", parse_unsupported },
  { "import", parse_unsupported },
  { "from", parse_unsupported },
  { "autoescape", parse_autoescape },
};

enum al_code al_jj_parse_statement(struct al_jj_parser *p, struct al_jj_node **node)
{
  int line = al_jj_current(p)->line;
  for (size_t i = 0; i < AL_COUNT(statements); i++) {
    if (!al_jj_skip_word(p, statements[i].name))
      continue;
    AL_TRY(statements[i].parse(p, node));
    (*node)->line = line;
    return AL_OK;
  }
  struct al_str name = al_jj_current(p)->text;
  return al_jj_parse_fail(p, "unknown tag '%.*s'", (int)al_min_size(name.size, 60), name.data);
}
