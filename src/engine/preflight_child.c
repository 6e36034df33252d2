/* The child's side: reads the job, opens the model, answers. It may die at any point: that is its purpose. */
#include "engine/preflight.h"
#include "engine/preflight_job.h"

#include "os/machine.h"

#include <sys/resource.h>
#include <unistd.h>

constexpr uint64_t LEAST_DATA_BYTES = (uint64_t)512 << 20;
constexpr uint64_t MOST_DATA_BYTES = (uint64_t)4 << 30;

/* Private writable memory mapped now: what RLIMIT_DATA counts. */
static uint64_t data_bytes_now(void)
{
  FILE *file = fopen("/proc/self/statm", "re");
  if (file == nullptr)
    return 0;
  unsigned long pages = 0;
  int n = fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages);
  (void)fclose(file);
  return n == 1 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* A model opened without its weights needs its vocabulary and little else; hostile metadata may ask for more. The
 * address space stays free: GPU drivers reserve a great deal of it without using it. */
static void limit_resources(void)
{
  struct al_memory memory;
  al_machine_memory(&memory);
  uint64_t most = memory.available_bytes / 2;
  most = most > MOST_DATA_BYTES ? MOST_DATA_BYTES : most;
  most = most < LEAST_DATA_BYTES ? LEAST_DATA_BYTES : most;
  most += data_bytes_now();
  (void)setrlimit(RLIMIT_DATA, &(struct rlimit){ most, most });
  (void)setrlimit(RLIMIT_CORE, &(struct rlimit){});
}

static enum al_code examine(const struct al_engine_registry *registry, const char *text, struct al_arena *arena,
                            struct al_memory_estimate *estimate, struct al_err *err)
{
  struct al_preflight_job job;
  AL_TRY(al_preflight_job_read(al_str(text), arena, &job, err));
  const struct al_engine *engine = al_engine_by_runtime(registry, job.runtime);
  if (engine == nullptr || engine->preflight == nullptr)
    return al_fail(err, AL_INTERNAL, "no engine %s has a preflight", job.runtime);
  return engine->preflight(&job.descriptor, &job.options, estimate, err);
}

int al_preflight_main(const struct al_engine_registry *registry, int argc, char **argv)
{
  if (argc != 3)
    return 2;
  limit_resources();
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new((size_t)1 << 20);
  if (arena == nullptr)
    return 1;
  struct al_memory_estimate estimate = {};
  struct al_err err = {};
  enum al_code code = examine(registry, argv[2], arena, &estimate, &err);
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  al_preflight_answer_write(&answer, code, &estimate, &err);
  if (al_buf_check(&answer, nullptr) != AL_OK)
    return 1;
  bool written = fwrite(answer.data, 1, answer.size, stdout) == answer.size && fflush(stdout) == 0;
  /* Not exit: what GPU drivers do on the way out can crash, hang, and is of no use here. */
  _exit(written ? 0 : 1);
}
