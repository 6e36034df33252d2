#include "inference/task_lanes.h"

constexpr size_t N_FOR_FILES = 4;
constexpr size_t N_PLAIN = 1;

enum al_code al_task_lanes_init(struct al_task_lanes *lanes, const char *name, struct al_err *err)
{
  AL_TRY(al_task_runner_new(name, N_FOR_FILES, &lanes->files, err));
  return al_task_runner_new("al-prepare", N_PLAIN, &lanes->plain, err);
}

void al_task_lanes_use(const struct al_task_lanes *lanes, struct al_pool *pool)
{
  al_task_runner_use(lanes->files, pool);
  al_task_runner_use(lanes->plain, pool);
}

void al_task_lanes_stop(const struct al_task_lanes *lanes)
{
  al_task_runner_stop(lanes->files);
  al_task_runner_stop(lanes->plain);
}

void al_task_lanes_done(struct al_task_lanes *lanes)
{
  al_task_runner_free(lanes->files);
  al_task_runner_free(lanes->plain);
  *lanes = (struct al_task_lanes){};
}

size_t al_task_lanes_n_active(const struct al_task_lanes *lanes)
{
  return al_task_runner_n_active(lanes->files) + al_task_runner_n_active(lanes->plain);
}
