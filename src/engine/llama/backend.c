#include "engine/llama/backend.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/str.h"
#include "base/thread.h"

#include <llama.h>

constexpr size_t MAX_LINE = 512;

/* libllama writes lines in pieces, and from several threads at once: each thread assembles its own. */
static thread_local struct {
  char line[MAX_LINE];
  size_t length;
  enum ggml_log_level level;
  char last_error[MAX_LINE];
  al_llama_log_fn *watch;
  void *watch_user;
} log_state;

static void end_line(void)
{
  log_state.line[log_state.length] = '\0';
  if (log_state.level == GGML_LOG_LEVEL_ERROR && log_state.length > 0 && log_state.last_error[0] == '\0')
    memcpy(log_state.last_error, log_state.line, log_state.length + 1);
  if (log_state.watch != nullptr)
    log_state.watch(log_state.watch_user, log_state.line);
  if (log_state.length > 0 && al_log_enabled(AL_LOG_DEBUG))
    al_log(AL_LOG_DEBUG, "ggml", AL_S("line", log_state.line));
  log_state.length = 0;
}

void al_llama_log_line(enum ggml_log_level level, const char *text, void *)
{
  if (level != GGML_LOG_LEVEL_CONT)
    log_state.level = level;
  for (; *text != '\0'; text++) {
    if (*text == '\n')
      end_line();
    else if (log_state.length < MAX_LINE - 1)
      log_state.line[log_state.length++] = *text;
  }
}

/* "llama_model_load: error loading model: the cause" */
const char *al_llama_log_last_error(void)
{
  const char *text = log_state.last_error;
  const char *colon = strstr(text, ": ");
  if (colon != nullptr && strcspn(text, " ") == (size_t)(colon + 1 - text))
    text = colon + 2;
  static const char prefix[] = "error loading model: ";
  return al_str_starts(al_str(text), al_str(prefix)) ? text + sizeof prefix - 1 : text;
}

void al_llama_log_clear(void)
{
  log_state.last_error[0] = '\0';
}

void al_llama_log_watch(al_llama_log_fn *line, void *user)
{
  log_state.watch = line;
  log_state.watch_user = user;
}

static void start_once(void)
{
  /* Or ggml starts a debugger on this process when it aborts. */
  setenv("GGML_NO_BACKTRACE", "1", 1);
  ggml_log_set(al_llama_log_line, nullptr);
  llama_log_set(al_llama_log_line, nullptr);
  ggml_backend_load_all();
  llama_backend_init();
}

enum al_code al_llama_backend_start(struct al_err *err)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, start_once);
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr)
    return al_fail(err, AL_INTERNAL,
                   "ggml finds no CPU backend; is the package with ggml's libraries (libggml0) whole?");
  return AL_OK;
}

/* Mesa's and Google's Vulkan on the CPU: slower than ggml's own CPU backend. */
static bool is_software(ggml_backend_dev_t device)
{
  static const char *const renderers[] = { "llvmpipe", "lavapipe", "SwiftShader" };
  const char *description = ggml_backend_dev_description(device);
  for (size_t i = 0; i < AL_COUNT(renderers); i++) {
    if (strstr(description, renderers[i]) != nullptr)
      return true;
  }
  return false;
}

static size_t devices_of_type(enum ggml_backend_dev_type type, bool and_software, ggml_backend_dev_t *devices,
                              size_t capacity)
{
  size_t count = 0;
  for (size_t i = 0; i < ggml_backend_dev_count() && count < capacity; i++) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) == type && (and_software || !is_software(device)))
      devices[count++] = device;
  }
  return count;
}

size_t al_llama_gpus(bool and_software, ggml_backend_dev_t *devices, size_t capacity)
{
  size_t count = devices_of_type(GGML_BACKEND_DEVICE_TYPE_GPU, and_software, devices, capacity);
  /* A GPU inside the CPU shares its memory: worth using only when there is no other. */
  if (count == 0)
    count = devices_of_type(GGML_BACKEND_DEVICE_TYPE_IGPU, and_software, devices, capacity);
  return count;
}
