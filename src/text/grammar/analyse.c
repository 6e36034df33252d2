/* Two least fixed points over the rules: which admit the empty text, which admit any text at all. A rule is looked at
 * again when one that it refers to has changed, so that chains of rules cost little in any order. */
#include "text/grammar/gbnf.h"

#include "base/alloc.h"

constexpr size_t MAX_VISITS = 50'000'000;

struct analysis {
  struct al_gr_gbnf *gbnf;
  bool wants_nullable;  /* which of the two is asked for */
  uint32_t *first_user; /* per rule: index into users + 1, or 0 */
  struct user {
    uint32_t rule, next;
  } *users;
  size_t n_users, users_capacity;
  uint32_t *queue;
  bool *is_queued;
  size_t n_visits;
};

static bool holds(struct analysis *a, uint32_t index);

static bool holds_for_all(struct analysis *a, uint32_t child)
{
  for (; child != AL_GR_NONE; child = a->gbnf->nodes[child].sibling)
    if (!holds(a, child))
      return false;
  return true;
}

static bool holds_for_any(struct analysis *a, uint32_t child)
{
  for (; child != AL_GR_NONE; child = a->gbnf->nodes[child].sibling)
    if (holds(a, child))
      return true;
  return false;
}

/* Recursion is bounded: the parser capped the height of the tree. */
static bool holds(struct analysis *a, uint32_t index)
{
  const struct al_gr_node *node = &a->gbnf->nodes[index];
  a->n_visits++;
  switch (node->kind) {
  case AL_GR_EMPTY: return true;
  case AL_GR_LITERAL:
  case AL_GR_CLASS: return !a->wants_nullable;
  case AL_GR_REF:
    return a->wants_nullable ? a->gbnf->rules[node->a].is_nullable : a->gbnf->rules[node->a].is_productive;
  case AL_GR_SEQ: return holds_for_all(a, node->child);
  case AL_GR_ALT: return holds_for_any(a, node->child);
  case AL_GR_LOOP: return node->a == 0 || holds(a, node->child);
  }
  return false;
}

bool al_gr_is_nullable(const struct al_gr_gbnf *gbnf, uint32_t node)
{
  struct al_gr_gbnf view = *gbnf;
  struct analysis a = { .gbnf = &view, .wants_nullable = true };
  return holds(&a, node);
}

static enum al_code add_user(struct analysis *a, uint32_t used, uint32_t rule, struct al_err *err)
{
  void *users = a->users;
  AL_TRY(al_grow(&users, &a->users_capacity, a->n_users + 1, sizeof *a->users, err));
  a->users = users;
  a->users[a->n_users++] = (struct user){ rule, a->first_user[used] };
  a->first_user[used] = (uint32_t)a->n_users;
  return AL_OK;
}

static enum al_code find_users(struct analysis *a, uint32_t rule, uint32_t index, struct al_err *err)
{
  const struct al_gr_node *node = &a->gbnf->nodes[index];
  if (node->kind == AL_GR_REF)
    return add_user(a, node->a, rule, err);
  for (uint32_t child = node->child; child != AL_GR_NONE; child = a->gbnf->nodes[child].sibling)
    AL_TRY(find_users(a, rule, child, err));
  return AL_OK;
}

static bool *flag_of(struct analysis *a, uint32_t rule)
{
  return a->wants_nullable ? &a->gbnf->rules[rule].is_nullable : &a->gbnf->rules[rule].is_productive;
}

static enum al_code solve(struct analysis *a, struct al_err *err)
{
  size_t n = a->gbnf->n_rules, head = 0, count = n;
  for (uint32_t i = 0; i < n; i++) {
    a->queue[i] = i;
    a->is_queued[i] = true;
  }
  while (count > 0) {
    uint32_t rule = a->queue[head];
    head = (head + 1) % n;
    count--;
    a->is_queued[rule] = false;
    bool *flag = flag_of(a, rule);
    if (*flag || !holds(a, a->gbnf->rules[rule].body))
      continue;
    *flag = true;
    for (uint32_t at = a->first_user[rule]; at != 0; at = a->users[at - 1].next) {
      uint32_t user = a->users[at - 1].rule;
      if (a->is_queued[user])
        continue;
      a->is_queued[user] = true;
      a->queue[(head + count++) % n] = user;
    }
    if (a->n_visits > MAX_VISITS)
      return al_fail(err, AL_INVALID_REQUEST, "the grammar's rules are too entangled");
  }
  return AL_OK;
}

static enum al_code analyse(struct analysis *a, struct al_err *err)
{
  size_t n = a->gbnf->n_rules;
  a->first_user = al_calloc(n, sizeof *a->first_user);
  a->queue = al_calloc(n, sizeof *a->queue);
  a->is_queued = al_calloc(n, sizeof *a->is_queued);
  if (a->first_user == nullptr || a->queue == nullptr || a->is_queued == nullptr)
    return al_fail_oom(err, n * sizeof *a->queue);
  for (uint32_t i = 0; i < n; i++)
    AL_TRY(find_users(a, i, a->gbnf->rules[i].body, err));
  AL_TRY(solve(a, err));
  a->wants_nullable = true;
  AL_TRY(solve(a, err));
  for (size_t i = 0; i < n; i++) {
    const struct al_gr_rule *rule = &a->gbnf->rules[i];
    if (!rule->is_productive)
      return al_gr_fail_at(err, a->gbnf->text, rule->at, "the rule '%.*s' can never come to an end",
                           (int)al_min_size(rule->name.size, 80), rule->name.data);
  }
  return AL_OK;
}

enum al_code al_gr_analyse(struct al_gr_gbnf *gbnf, struct al_err *err)
{
  struct analysis a = { .gbnf = gbnf };
  enum al_code code = analyse(&a, err);
  al_free(a.first_user);
  al_free(a.users);
  al_free(a.queue);
  al_free(a.is_queued);
  return code;
}
