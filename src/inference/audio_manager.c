#include "inference/audio_manager.h"

#include "base/alloc.h"
#include "inference/task_lanes.h"

#include <stdatomic.h>

constexpr int MOST_PARKED = 4;

struct al_audio_manager {
  struct al_task_lanes lanes;
  atomic_int n_parked;
};

enum al_code al_audio_manager_new(struct al_audio_manager **manager, struct al_err *err)
{
  struct al_audio_manager *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = al_task_lanes_init(&made->lanes, "al-listen", err);
  if (code != AL_OK) {
    al_audio_manager_stop(made);
    al_audio_manager_free(made);
    return code;
  }
  *manager = made;
  return AL_OK;
}

void al_audio_manager_use(struct al_audio_manager *manager, struct al_pool *pool)
{
  al_task_lanes_use(&manager->lanes, pool);
}

void al_audio_manager_stop(struct al_audio_manager *manager)
{
  if (manager != nullptr)
    al_task_lanes_stop(&manager->lanes);
}

void al_audio_manager_free(struct al_audio_manager *manager)
{
  if (manager == nullptr)
    return;
  al_task_lanes_done(&manager->lanes);
  al_free(manager);
}

size_t al_audio_manager_n_active(struct al_audio_manager *manager)
{
  return al_task_lanes_n_active(&manager->lanes);
}

struct al_task_runner *al_audio_manager_listening(struct al_audio_manager *manager)
{
  return manager->lanes.files;
}

struct al_task_runner *al_audio_manager_speaking(struct al_audio_manager *manager)
{
  return manager->lanes.plain;
}

bool al_audio_manager_park(struct al_audio_manager *manager)
{
  if (atomic_fetch_add(&manager->n_parked, 1) < MOST_PARKED)
    return true;
  atomic_fetch_sub(&manager->n_parked, 1);
  return false;
}

void al_audio_manager_unpark(struct al_audio_manager *manager)
{
  atomic_fetch_sub(&manager->n_parked, 1);
}
