#include "inference/audio_manager.h"

#include "base/alloc.h"
#include "inference/task.h"

#include <stdatomic.h>

constexpr size_t N_LISTENING = 4; /* a hostile file may keep one busy until its decoder is ended */
constexpr size_t N_SPEAKING = 1;
constexpr int MOST_PARKED = 4;

struct al_audio_manager {
  struct al_task_runner *listening, *speaking;
  atomic_int n_parked;
};

enum al_code al_audio_manager_new(struct al_audio_manager **manager, struct al_err *err)
{
  struct al_audio_manager *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = al_task_runner_new("al-listen", N_LISTENING, &made->listening, err);
  if (code == AL_OK)
    code = al_task_runner_new("al-prepare", N_SPEAKING, &made->speaking, err);
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
  al_task_runner_use(manager->listening, pool);
  al_task_runner_use(manager->speaking, pool);
}

void al_audio_manager_stop(struct al_audio_manager *manager)
{
  if (manager == nullptr)
    return;
  al_task_runner_stop(manager->listening);
  al_task_runner_stop(manager->speaking);
}

void al_audio_manager_free(struct al_audio_manager *manager)
{
  if (manager == nullptr)
    return;
  al_task_runner_free(manager->listening);
  al_task_runner_free(manager->speaking);
  al_free(manager);
}

size_t al_audio_manager_n_active(struct al_audio_manager *manager)
{
  return al_task_runner_n_active(manager->listening) + al_task_runner_n_active(manager->speaking);
}

struct al_task_runner *al_audio_manager_listening(struct al_audio_manager *manager)
{
  return manager->listening;
}

struct al_task_runner *al_audio_manager_speaking(struct al_audio_manager *manager)
{
  return manager->speaking;
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
