/* ggml's process-wide state: its backends are loaded at the first use (an idle server stays small), its log goes to
 * ours at debug level. Thread-safe. Shared by the engines that run on libllama. */
#ifndef AL_ENGINE_LLAMA_BACKEND_H
#define AL_ENGINE_LLAMA_BACKEND_H

#include "base/err.h"

#include <ggml-backend.h>

/* Loads the backends, once; call before anything of libllama or ggml. AL_INTERNAL when not even a CPU is there. */
enum al_code al_llama_backend_start(struct al_err *err);

/* Where the log goes: for the other libraries on ggml, which take such a function too. */
void al_llama_log_line(enum ggml_log_level level, const char *text, void *unused);

/* Why libllama failed last on this thread: the first line at error level since al_llama_log_clear (what follows only
 * says who gave up because of it), without the name of the function; "" when nothing. Borrowed until the next call into
 * libllama. */
const char *al_llama_log_last_error(void);
void al_llama_log_clear(void);

/* Every whole log line of this thread goes to `line` too, while it is set; nullptr ends it. The preflight measures with
 * it: libllama tells the sizes of its buffers nowhere else in C. */
typedef void al_llama_log_fn(void *user, const char *line);
void al_llama_log_watch(al_llama_log_fn *line, void *user);

/* GPUs that libllama would offload to, at most `capacity`; returns how many. Software renderers (a CPU in disguise)
 * count only when `and_software`. */
size_t al_llama_gpus(bool and_software, ggml_backend_dev_t *devices, size_t capacity);
constexpr size_t AL_LLAMA_MAX_GPUS = 16;

#endif
