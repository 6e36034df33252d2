/* Which variables of the caller a template hides from itself. Jinja decides at compile time where a name comes from: a
 * name that the top level assigns before it is ever read there is the template's own everywhere, and until that
 * assignment runs, loops and macros find it undefined even though the caller gave it a value. This walks the top level
 * as Jinja does: branches of an if are looked at side by side, and what only some of them assign stays the caller's. */
#include "text/jinja/parser.h"

#include "base/alloc.h"

enum origin { CALLER, TEMPLATE };

struct entry {
  const struct al_jj_symbol *symbol;
  enum origin origin;
  bool is_stored;
};

struct names {
  struct entry *items;
  size_t n;
  size_t capacity;
};

struct walk {
  struct al_err *err;
  size_t n_looked_at; /* work: hostile templates are left to the simple rule */
};

constexpr size_t MAX_WORK = 20'000'000;

static void names_done(struct names *names)
{
  al_free(names->items);
}

static struct entry *find(struct walk *w, const struct names *names, const struct al_jj_symbol *symbol)
{
  for (size_t i = 0; i < names->n; i++)
    if (names->items[i].symbol == symbol) {
      w->n_looked_at += i;
      return &names->items[i];
    }
  w->n_looked_at += names->n;
  return nullptr;
}

static enum al_code add(struct walk *w, struct names *names, struct entry entry)
{
  void *items = names->items;
  AL_TRY(al_grow(&items, &names->capacity, names->n + 1, sizeof *names->items, w->err));
  names->items = items;
  names->items[names->n++] = entry;
  return AL_OK;
}

static enum al_code mention(struct walk *w, struct names *names, const struct al_jj_symbol *symbol, bool is_store)
{
  struct entry *known = find(w, names, symbol);
  if (known == nullptr)
    return add(w, names, (struct entry){ symbol, is_store ? TEMPLATE : CALLER, is_store });
  known->is_stored = known->is_stored || is_store;
  return AL_OK;
}

/* --- expressions: all they do is read ---------------------------------------------------------------------------- */

static enum al_code read(struct walk *w, struct names *names, const struct al_jj_node *node);

static enum al_code read_all(struct walk *w, struct names *names, struct al_jj_nodes nodes)
{
  for (size_t i = 0; i < nodes.n; i++)
    AL_TRY(read(w, names, nodes.items[i]));
  return AL_OK;
}

static enum al_code read_args(struct walk *w, struct names *names, const struct al_jj_arguments *args)
{
  AL_TRY(read_all(w, names, args->positional));
  for (size_t i = 0; i < args->n_named; i++)
    AL_TRY(read(w, names, args->named[i].value));
  AL_TRY(read(w, names, args->star));
  return read(w, names, args->star_star);
}

static enum al_code read_item(struct walk *w, struct names *names, const struct al_jj_node *node)
{
  AL_TRY(read(w, names, node->item.object));
  AL_TRY(read(w, names, node->item.start));
  if (node->kind != AL_JJ_N_SLICE)
    return AL_OK;
  AL_TRY(read(w, names, node->item.stop));
  return read(w, names, node->item.step);
}

static enum al_code read_condition(struct walk *w, struct names *names, const struct al_jj_node *node)
{
  AL_TRY(read(w, names, node->cond.test));
  AL_TRY(read(w, names, node->cond.yes));
  return read(w, names, node->cond.no);
}

static enum al_code read(struct walk *w, struct names *names, const struct al_jj_node *node)
{
  if (node == nullptr || w->n_looked_at++ > MAX_WORK)
    return AL_OK;
  switch ((int)node->kind) {
  case AL_JJ_N_NAME: return mention(w, names, node->symbol, false);
  case AL_JJ_N_NSREF: return mention(w, names, node->nsref.symbol, false);
  case AL_JJ_N_LIST:
  case AL_JJ_N_TUPLE:
  case AL_JJ_N_DICT:
  case AL_JJ_N_CONCAT: return read_all(w, names, node->list);
  case AL_JJ_N_NEG:
  case AL_JJ_N_POS:
  case AL_JJ_N_NOT: return read(w, names, node->left);
  case AL_JJ_N_AND:
  case AL_JJ_N_OR:
  case AL_JJ_N_BINARY: AL_TRY(read(w, names, node->left)); return read(w, names, node->right);
  case AL_JJ_N_COMPARE: return read_all(w, names, node->compare.operands);
  case AL_JJ_N_COND: return read_condition(w, names, node);
  case AL_JJ_N_ATTR: return read(w, names, node->attr.object);
  case AL_JJ_N_ITEM:
  case AL_JJ_N_SLICE: return read_item(w, names, node);
  case AL_JJ_N_CALL: AL_TRY(read(w, names, node->call.callee)); return read_args(w, names, &node->call.args);
  case AL_JJ_N_FILTER:
  case AL_JJ_N_TEST: AL_TRY(read(w, names, node->apply.input)); return read_args(w, names, &node->apply.args);
  default: return AL_OK;
  }
}

/* --- statements -------------------------------------------------------------------------------------------------- */

static enum al_code store(struct walk *w, struct names *names, const struct al_jj_node *target)
{
  if (target->kind == AL_JJ_N_NAME)
    return mention(w, names, target->symbol, true);
  if (target->kind != AL_JJ_N_TUPLE)
    return read(w, names, target);
  for (size_t i = 0; i < target->list.n; i++)
    AL_TRY(store(w, names, target->list.items[i]));
  return AL_OK;
}

static enum al_code walk_body(struct walk *w, struct names *names, struct al_jj_nodes body);

/* One branch, seen from where the if began. What it newly stores is counted in `stores`; what it knows goes to `seen`,
 * where a later branch has the last word. */
static enum al_code walk_branch(struct walk *w, const struct names *before, const struct al_jj_branch *branch,
                                struct names *seen, struct names *stored)
{
  AL_CLEANUP(names_done) struct names own = {};
  for (size_t i = 0; i < before->n; i++)
    AL_TRY(add(w, &own, before->items[i]));
  w->n_looked_at += before->n;
  AL_TRY(read(w, &own, branch->test));
  AL_TRY(walk_body(w, &own, branch->body));
  for (size_t i = 0; i < own.n; i++) {
    const struct entry *old = i < before->n ? &before->items[i] : nullptr;
    if (own.items[i].is_stored && (old == nullptr || !old->is_stored))
      AL_TRY(add(w, stored, own.items[i]));
    struct entry *known = find(w, seen, own.items[i].symbol);
    if (known == nullptr)
      AL_TRY(add(w, seen, own.items[i]));
    else if (old == nullptr)
      known->origin = own.items[i].origin;
  }
  return AL_OK;
}

/* Whatever a branch newly assigns stays the caller's until then: another branch may be taken. */
static enum al_code join(struct walk *w, struct names *names, const struct names *seen, const struct names *stored)
{
  for (size_t i = 0; i < seen->n; i++) {
    struct entry entry = seen->items[i];
    struct entry *known = find(w, names, entry.symbol);
    entry.is_stored = find(w, stored, entry.symbol) != nullptr;
    if (entry.is_stored)
      entry.origin = CALLER;
    if (known == nullptr)
      AL_TRY(add(w, names, entry));
    else if (entry.is_stored)
      *known = entry;
  }
  return AL_OK;
}

static enum al_code walk_if(struct walk *w, struct names *names, const struct al_jj_node *node)
{
  AL_CLEANUP(names_done) struct names seen = {};
  AL_CLEANUP(names_done) struct names stored = {};
  for (size_t i = 0; i < node->branches.n; i++)
    AL_TRY(walk_branch(w, names, &node->branches.items[i], &seen, &stored));
  return join(w, names, &seen, &stored);
}

static enum al_code walk_statement(struct walk *w, struct names *names, const struct al_jj_node *node)
{
  switch ((int)node->kind) {
  case AL_JJ_N_PRINT: return read(w, names, node->left);
  case AL_JJ_N_SET: AL_TRY(read(w, names, node->set.value)); return store(w, names, node->set.target);
  case AL_JJ_N_SET_BLOCK: return store(w, names, node->set.target);
  case AL_JJ_N_FOR: return read(w, names, node->loop->iterable);
  case AL_JJ_N_IF: return walk_if(w, names, node);
  case AL_JJ_N_MACRO: return mention(w, names, node->function->name, true);
  case AL_JJ_N_CALL_BLOCK: return read(w, names, node->call_block.call);
  case AL_JJ_N_FILTER_BLOCK: return read(w, names, node->filter_block.filter);
  case AL_JJ_N_WITH: return read_all(w, names, node->with.values);
  default: return AL_OK;
  }
}

static enum al_code walk_body(struct walk *w, struct names *names, struct al_jj_nodes body)
{
  for (size_t i = 0; i < body.n && w->n_looked_at <= MAX_WORK; i++)
    AL_TRY(walk_statement(w, names, body.items[i]));
  return AL_OK;
}

enum al_code al_jj_find_hidden(struct al_jj_program *program, struct al_err *err)
{
  struct walk w = { .err = err };
  AL_CLEANUP(names_done) struct names names = {};
  AL_TRY(walk_body(&w, &names, program->body));
  if (w.n_looked_at > MAX_WORK || names.n == 0)
    return AL_OK;
  const struct al_jj_symbol **hidden = al_arena_array(program->arena, names.n, sizeof(struct al_jj_symbol *));
  if (hidden == nullptr)
    return al_fail_oom(err, names.n * sizeof(struct al_jj_symbol *));
  for (size_t i = 0; i < names.n; i++)
    if (names.items[i].origin == TEMPLATE)
      hidden[program->n_hidden++] = names.items[i].symbol;
  program->hidden = hidden;
  return AL_OK;
}
