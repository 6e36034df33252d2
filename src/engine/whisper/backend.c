#include "engine/whisper/backend.h"

#include "engine/llama/backend.h"

#include "base/thread.h"
#include <string.h>

static void start_once(void)
{
  whisper_log_set(al_llama_log_line, nullptr);
}

enum al_code al_whisper_backend_start(struct al_err *err)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  AL_TRY(al_llama_backend_start(err));
  (void)pthread_once(&once, start_once);
  return AL_OK;
}

/* libwhisper counts the GPUs of all kinds, software renderers too. */
static int number_of(ggml_backend_dev_t wanted)
{
  int number = 0;
  for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
    if (device == wanted)
      return number;
    number += type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
  }
  return 0;
}

struct whisper_context_params al_whisper_context_params(int n_gpu_layers)
{
  ggml_backend_dev_t gpu = nullptr;
  struct whisper_context_params params = whisper_context_default_params();
  params.use_gpu = n_gpu_layers != 0 && al_llama_gpus(n_gpu_layers > 0, &gpu, 1) > 0;
  if (params.use_gpu)
    params.gpu_device = number_of(gpu);
  return params;
}

bool al_whisper_stopped(const struct al_whisper_stop *stop)
{
  return atomic_load(&stop->refused) || al_cancelled(atomic_load(&stop->cancel));
}

/* libwhisper asks whether to stop only between two computations, and one run of a large model's encoder takes many
 * seconds on a CPU. The CPU backend itself can stop anywhere, but libwhisper keeps it to itself. It makes it by this
 * function of ggml's, which is defined here once more, as ggml defines it, and so goes before ggml's own: the backends
 * made while a state is being made are told how to stop. */
static thread_local struct al_whisper_stop *stop_of_new_backends;

static bool on_abort(void *user)
{
  return al_whisper_stopped(user);
}

static void make_stoppable(ggml_backend_dev_t device, ggml_backend_t backend)
{
  ggml_backend_set_abort_callback_t set = nullptr;
  void *address =
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_set_abort_callback");
  memcpy(&set, &address, sizeof set);
  if (set != nullptr)
    set(backend, on_abort, stop_of_new_backends);
}

[[gnu::visibility("default")]] ggml_backend_t ggml_backend_init_by_type(enum ggml_backend_dev_type type,
                                                                        const char *params)
{
  ggml_backend_dev_t device = ggml_backend_dev_by_type(type);
  ggml_backend_t backend = device != nullptr ? ggml_backend_dev_init(device, params) : nullptr;
  if (backend != nullptr && stop_of_new_backends != nullptr)
    make_stoppable(device, backend);
  return backend;
}

void al_whisper_stop_new_backends(struct al_whisper_stop *stop)
{
  stop_of_new_backends = stop;
}

struct whisper_state *al_whisper_state_new(struct whisper_context *context, struct al_whisper_stop *stop)
{
  al_whisper_stop_new_backends(stop);
  struct whisper_state *state = whisper_init_state(context);
  al_whisper_stop_new_backends(nullptr);
  return state;
}
