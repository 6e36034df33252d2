/* The parent's side of the preflight: runs the child, reads its answer or its end, remembers the outcome. */
#include "engine/preflight.h"
#include "engine/preflight_job.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "os/file.h"
#include "os/machine.h"
#include "os/process.h"

#include <inttypes.h>
#include <signal.h>

constexpr int64_t DEADLINE_MS = 30'000;
constexpr size_t MAX_ANSWER_BYTES = 64 << 10;
constexpr size_t N_REMEMBERED = 64;

struct outcome {
  char *key; /* owned; nullptr: unused */
  enum al_code code;
  struct al_memory_estimate estimate;
  struct al_err err;
};

static struct {
  struct al_mutex mutex;
  char program[4096];
  struct outcome outcomes[N_REMEMBERED]; /* a ring: the oldest is overwritten */
  size_t next;
} shared = { .mutex = { PTHREAD_MUTEX_INITIALIZER } };

void al_preflight_set_program(const char *path)
{
  AL_LOCKED(&shared.mutex);
  (void)snprintf(shared.program, sizeof shared.program, "%s", path != nullptr ? path : "");
}

static void get_program(char *out, size_t size)
{
  AL_LOCKED(&shared.mutex);
  (void)snprintf(out, size, "%s", shared.program);
}

/* Everything the outcome depends on. What is chosen to fit depends on the free memory too, by the gibibyte. */
static void write_key(struct al_buf *key, const char *runtime, const struct al_model_descriptor *descriptor,
                      const struct al_load_options *options)
{
  al_buf_printf(key, "%" PRId64 "\n", descriptor->modified_s);
  for (size_t i = 0; i < descriptor->n_files; i++) {
    struct al_file_info info = {};
    (void)al_file_stat(descriptor->files[i], &info, nullptr);
    al_buf_printf(key, "%" PRIu64 " %" PRId64 " %" PRIu64 "\n", info.size_bytes, info.modified_ns, info.inode);
  }
  if (options->n_ctx == 0 || options->n_gpu_layers == AL_AUTO) {
    struct al_memory memory;
    al_machine_memory(&memory);
    al_buf_printf(key, "%" PRIu64 "\n", memory.available_bytes >> 30);
  }
  al_preflight_job_write(key, runtime, descriptor, options);
}

static bool recall(const char *key, struct outcome *out)
{
  AL_LOCKED(&shared.mutex);
  for (size_t i = 0; i < N_REMEMBERED; i++) {
    if (shared.outcomes[i].key != nullptr && al_streq(shared.outcomes[i].key, key)) {
      *out = shared.outcomes[i];
      return true;
    }
  }
  return false;
}

/* Takes the key. Passing trouble is not remembered. */
static void remember(char *key, const struct outcome *outcome)
{
  bool lasting = outcome->code == AL_OK || outcome->code == AL_MODEL_CORRUPT || outcome->code == AL_UNSUPPORTED;
  if (!lasting || key == nullptr) {
    al_free(key);
    return;
  }
  AL_LOCKED(&shared.mutex);
  struct outcome *slot = &shared.outcomes[shared.next++ % N_REMEMBERED];
  al_free(slot->key);
  *slot = *outcome;
  slot->key = key;
}

/* The last line of the child's standard error, without the path of the source file ggml puts before it. */
static const char *last_words(struct al_buf *text)
{
  while (text->size > 0 && (text->data[text->size - 1] == '\n' || text->data[text->size - 1] == ' '))
    text->data[--text->size] = '\0';
  if (text->size == 0)
    return "it said nothing";
  const char *line = strrchr(text->data, '\n');
  line = line != nullptr ? line + 1 : text->data;
  const char *colon = strchr(line, ':');
  if ((line[0] != '/' && line[0] != '.') || colon == nullptr)
    return line;
  const char *name = colon;
  while (name > line && name[-1] != '/')
    name--;
  return name;
}

static const char *model_file(const struct al_model_descriptor *descriptor)
{
  if (descriptor->n_files == 0)
    return descriptor->id != nullptr ? descriptor->id : "the model";
  const char *slash = strrchr(descriptor->files[0], '/');
  return slash != nullptr ? slash + 1 : descriptor->files[0];
}

static enum al_code judge(const struct al_model_descriptor *descriptor, const struct al_exit *exited,
                          struct al_buf *output, struct al_buf *error_output, struct al_memory_estimate *estimate,
                          struct al_err *err)
{
  const char *file = model_file(descriptor);
  if (exited->kind == AL_EXIT_CODE && exited->value == 0)
    return al_preflight_answer_read(al_buf_view(output), estimate, err);
  if (exited->kind == AL_EXIT_CODE)
    return al_fail(err, AL_INTERNAL, "the preflight of %s ended with status %d: %s", file, exited->value,
                   last_words(error_output));
  if (exited->value == SIGKILL)
    return al_fail(err, AL_LOAD_FAILED, "the preflight of %s was killed; is the machine out of memory?", file);
  return al_fail(err, AL_MODEL_CORRUPT, "%s is damaged or hostile: opening it ended in %s (%s)", file,
                 al_signal_name(exited->value), last_words(error_output));
}

static enum al_code run_child(const char *program, struct al_buf *job, const struct al_model_descriptor *descriptor,
                              struct al_memory_estimate *estimate, struct al_err *err)
{
  const char *const argv[] = { program, "--preflight", job->data, nullptr };
  const char *const environment[] = { "GGML_NO_BACKTRACE=1", nullptr };
  const struct al_process_options options = {
    .argv = argv, .environment = environment, .stdout_fd = -1, .stderr_fd = -1, .dies_with_parent = true
  };
  AL_CLEANUP(al_buf_done) struct al_buf output = {};
  AL_CLEANUP(al_buf_done) struct al_buf error_output = {};
  struct al_exit exited = {};
  enum al_code code =
      al_process_run(&options, MAX_ANSWER_BYTES, al_deadline_in_ms(DEADLINE_MS), &output, &error_output, &exited, err);
  if (code == AL_TIMEOUT)
    return al_fail(err, AL_TIMEOUT, "the preflight of %s did not end within %d s", model_file(descriptor),
                   (int)(DEADLINE_MS / 1000));
  if (code != AL_OK)
    return al_wrap(err, "the preflight of %s", model_file(descriptor));
  return judge(descriptor, &exited, &output, &error_output, estimate, err);
}

/* Without a child: what the files weigh, all of it mapped. */
static enum al_code guess(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                          struct al_memory_estimate *estimate, struct al_err *err)
{
  struct al_memory_estimate result = { .n_ctx = options->n_ctx,
                                       .n_gpu_layers = options->n_gpu_layers > 0 ? options->n_gpu_layers : 0 };
  for (size_t i = 0; i < descriptor->n_files; i++) {
    struct al_file_info info;
    AL_TRY(al_file_stat(descriptor->files[i], &info, err));
    result.weights_ram_bytes += info.size_bytes;
  }
  result.mapped_bytes = result.weights_ram_bytes;
  *estimate = result;
  return AL_OK;
}

enum al_code al_preflight_run(const struct al_engine *engine, const struct al_model_descriptor *descriptor,
                              const struct al_load_options *options, struct al_memory_estimate *estimate,
                              struct al_err *err)
{
  char program[sizeof shared.program];
  get_program(program, sizeof program);
  if (program[0] == '\0' || engine->preflight == nullptr)
    return guess(descriptor, options, estimate, err);

  AL_CLEANUP(al_buf_done) struct al_buf key = {};
  write_key(&key, engine->runtime, descriptor, options);
  AL_TRY(al_buf_check(&key, err));
  struct outcome outcome = {};
  if (!recall(key.data, &outcome)) {
    AL_CLEANUP(al_buf_done) struct al_buf job = {};
    al_preflight_job_write(&job, engine->runtime, descriptor, options);
    AL_TRY(al_buf_check(&job, err));
    outcome.code = run_child(program, &job, descriptor, &outcome.estimate, &outcome.err);
    remember(al_buf_take(&key, nullptr), &outcome);
  }
  if (outcome.code == AL_OK)
    *estimate = outcome.estimate;
  else if (err != nullptr)
    *err = outcome.err;
  return outcome.code;
}
