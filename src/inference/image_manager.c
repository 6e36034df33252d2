#include "inference/image_manager.h"

#include "base/alloc.h"
#include "inference/task_lanes.h"

#include <stdatomic.h>

constexpr size_t MOST_HELD_BYTES = (size_t)1 << 30;

struct al_image_manager {
  struct al_task_lanes lanes;
  atomic_size_t held_bytes;
};

enum al_code al_image_manager_new(struct al_image_manager **manager, struct al_err *err)
{
  struct al_image_manager *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = al_task_lanes_init(&made->lanes, "al-look", err);
  if (code != AL_OK) {
    al_image_manager_stop(made);
    al_image_manager_free(made);
    return code;
  }
  *manager = made;
  return AL_OK;
}

void al_image_manager_use(struct al_image_manager *manager, struct al_pool *pool)
{
  al_task_lanes_use(&manager->lanes, pool);
}

void al_image_manager_stop(struct al_image_manager *manager)
{
  if (manager != nullptr)
    al_task_lanes_stop(&manager->lanes);
}

void al_image_manager_free(struct al_image_manager *manager)
{
  if (manager == nullptr)
    return;
  al_task_lanes_done(&manager->lanes);
  al_free(manager);
}

size_t al_image_manager_n_active(struct al_image_manager *manager)
{
  return al_task_lanes_n_active(&manager->lanes);
}

struct al_task_runner *al_image_manager_looking(struct al_image_manager *manager)
{
  return manager->lanes.files;
}

struct al_task_runner *al_image_manager_plain(struct al_image_manager *manager)
{
  return manager->lanes.plain;
}

enum al_code al_image_manager_hold(struct al_image_manager *manager, size_t n_bytes, struct al_err *err)
{
  if (atomic_fetch_add(&manager->held_bytes, n_bytes) + n_bytes <= MOST_HELD_BYTES)
    return AL_OK;
  atomic_fetch_sub(&manager->held_bytes, n_bytes);
  return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "too many pictures wait to be worked on; try again later"),
                        "overloaded");
}

void al_image_manager_let_go(struct al_image_manager *manager, size_t n_bytes)
{
  atomic_fetch_sub(&manager->held_bytes, n_bytes);
}
