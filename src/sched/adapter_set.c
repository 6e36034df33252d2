#include "sched/adapter_set.h"

#include "base/alloc.h"

static struct al_adapter_set *new_set(const struct al_adapter_use *uses, size_t n_uses)
{
  struct al_adapter_set *set = al_calloc(1, sizeof *set + n_uses * sizeof *uses);
  if (set == nullptr)
    return nullptr;
  set->n_refs = 1;
  set->n_uses = n_uses;
  if (n_uses > 0)
    memcpy(set->uses, uses, n_uses * sizeof *uses);
  return set;
}

enum al_code al_adapter_sets_init(struct al_adapter_sets *sets, struct al_err *err)
{
  struct al_adapter_set *bare = new_set(nullptr, 0);
  if (bare == nullptr)
    return al_fail_oom(err, sizeof *bare);
  *sets = (struct al_adapter_sets){ .bare = bare };
  return AL_OK;
}

void al_adapter_sets_done(struct al_adapter_sets *sets)
{
  al_free(sets->bare);
  *sets = (struct al_adapter_sets){};
}

static bool equals(const struct al_adapter_set *set, const struct al_adapter_use *uses, size_t n_uses)
{
  if (set->n_uses != n_uses)
    return false;
  for (size_t i = 0; i < n_uses; i++)
    if (set->uses[i].adapter != uses[i].adapter || set->uses[i].scale != uses[i].scale)
      return false;
  return true;
}

enum al_code al_adapter_sets_find(struct al_adapter_sets *sets, const struct al_adapter_use *uses, size_t n_uses,
                                  uint64_t now, struct al_adapter_set **set, struct al_err *err)
{
  struct al_adapter_set *found = n_uses == 0 ? sets->bare : sets->first;
  while (found != nullptr && !equals(found, uses, n_uses))
    found = found->next;
  if (found != nullptr) {
    *set = al_adapter_set_ref(found);
    return AL_OK;
  }
  struct al_adapter_set *made = new_set(uses, n_uses);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made + n_uses * sizeof *uses);
  made->last_turn = now;
  made->next = sets->first;
  sets->first = *set = made;
  return AL_OK;
}

struct al_adapter_set *al_adapter_set_ref(struct al_adapter_set *set)
{
  set->n_refs++;
  return set;
}

void al_adapter_set_unref(struct al_adapter_sets *sets, struct al_adapter_set *set)
{
  if (set == nullptr || --set->n_refs > 0)
    return;
  struct al_adapter_set **at = &sets->first;
  while (*at != set)
    at = &(*at)->next;
  *at = set->next;
  al_free(set);
}
