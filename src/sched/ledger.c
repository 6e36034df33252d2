#include "os/machine.h"
#include "sched/pool_impl.h"

#include <inttypes.h>

constexpr uint64_t MOST_MARGIN = (uint64_t)256 << 20; /* left to the rest of the machine, or a 32nd */

static uint64_t available_bytes(const struct al_pool *pool)
{
  if (pool->options.available_bytes != nullptr)
    return pool->options.available_bytes(pool->options.available_user);
  struct al_memory memory;
  al_machine_memory(&memory);
  uint64_t margin = memory.available_bytes / 32;
  return memory.available_bytes - (margin < MOST_MARGIN ? margin : MOST_MARGIN);
}

/* What is promised: mapped weights count as available to the kernel, but their models need them. */
static uint64_t committed_bytes(const struct al_pool *pool, const struct al_pool_model *except)
{
  uint64_t total = 0;
  size_t at = 0;
  struct al_str key;
  void *value;
  while (al_map_next(pool->models, &at, &key, &value)) {
    const struct al_pool_model *model = value;
    if (model == except)
      continue;
    total += model->reserved_bytes + model->mapped_bytes;
  }
  return total;
}

static struct al_pool_model *claim_victim(struct al_pool *pool)
{
  struct al_pool_model *victim = nullptr;
  size_t at = 0;
  struct al_str key;
  void *value;
  while (al_map_next(pool->models, &at, &key, &value)) {
    struct al_pool_model *model = value;
    if (model->state != AL_MODEL_READY || model->n_leases > 0)
      continue;
    if (victim == nullptr || model->last_used_ns < victim->last_used_ns)
      victim = model;
  }
  if (victim != nullptr && !al_pool_claim_idle(victim))
    return nullptr;
  return victim;
}

/* true: promised. Otherwise *victim is one to unload first, or nullptr when nothing can help. */
static bool try_reserve(struct al_pool_model *model, uint64_t need, uint64_t available, uint64_t *free_bytes,
                        struct al_pool_model **victim)
{
  struct al_pool *pool = model->pool;
  AL_LOCKED(&pool->mutex);
  uint64_t committed = committed_bytes(pool, model);
  *free_bytes = available > committed ? available - committed : 0;
  *victim = nullptr;
  if (need <= *free_bytes) {
    model->reserved_bytes = need;
    return true;
  }
  *victim = claim_victim(pool);
  return false;
}

enum al_code al_pool_reserve(struct al_pool_model *model, const struct al_memory_estimate *estimate, struct al_err *err)
{
  uint64_t need = estimate->weights_ram_bytes + estimate->kv_ram_bytes + estimate->compute_ram_bytes;
  uint64_t free_bytes;
  struct al_pool_model *victim;
  while (!try_reserve(model, need, available_bytes(model->pool), &free_bytes, &victim)) {
    if (victim == nullptr)
      return al_fail(err, AL_OOM_RAM,
                     "'%s' needs %" PRIu64 " bytes of memory (%" PRIu64 " weights, %" PRIu64 " context, %" PRIu64
                     " compute), %" PRIu64 " bytes are free; take a smaller context or quantisation, or unload a model",
                     model->id, need, estimate->weights_ram_bytes, estimate->kv_ram_bytes, estimate->compute_ram_bytes,
                     free_bytes);
    al_pool_dispose(victim);
  }
  return AL_OK;
}
