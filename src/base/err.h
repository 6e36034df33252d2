/* Error codes and the error object every fallible function fills.
 *
 * A function that can fail returns `enum al_code` and takes `struct al_err *err` last. `err` may be nullptr when the
 * caller wants only the code. Messages are for the person who reads them: they say what is wrong, where, and what to
 * do. Nothing here allocates. */
#ifndef AL_BASE_ERR_H
#define AL_BASE_ERR_H

#include "base/macros.h"

#include <stdarg.h>

enum [[nodiscard]] al_code {
  AL_OK = 0,
  AL_INVALID_REQUEST, /* the caller's input is wrong; `param` names what */
  AL_NOT_FOUND,
  AL_UNSUPPORTED,   /* understood, but this build, model or engine cannot do it */
  AL_MODEL_CORRUPT, /* the model's files contradict themselves or their format */
  AL_LOAD_FAILED,
  AL_OOM_RAM,
  AL_OOM_VRAM,
  AL_TIMEOUT,
  AL_CANCELLED,
  AL_INTERNAL, /* our mistake */
  AL_CODE_COUNT,
};

struct al_err {
  enum al_code code;
  const char *reason; /* static, a finer machine-readable word ("context_length_exceeded"), or nullptr */
  char param[64];     /* the offending request field ("messages[2].role"), or "" */
  char message[512];
};

/* "INVALID_REQUEST" and so on; static. */
const char *al_code_name(enum al_code code);

/* Each sets *err (when not nullptr) and returns code, so that `return al_fail(err, ...)` reads well. */
AL_PRINTF(3, 4) enum al_code al_fail(struct al_err *err, enum al_code code, const char *format, ...);

/* Like al_fail, and names the offending parameter. */
AL_PRINTF(3, 4) enum al_code al_fail_param(struct al_err *err, const char *param, const char *format, ...);

/* Puts "context: " before the message on the way up; returns err->code (AL_INTERNAL when err is nullptr). */
AL_PRINTF(2, 3) enum al_code al_wrap(struct al_err *err, const char *format, ...);

/* Sets the finer word on an error just made; returns code unchanged. `reason` must be static. */
enum al_code al_fail_reason(struct al_err *err, enum al_code code, const char *reason);

/* Out of memory for n_bytes; always AL_OOM_RAM. */
enum al_code al_fail_oom(struct al_err *err, size_t n_bytes);

#define AL_TRY(expression)                                                                                             \
  do {                                                                                                                 \
    enum al_code al_try_code_ = (expression);                                                                          \
    if (al_try_code_ != AL_OK)                                                                                         \
      return al_try_code_;                                                                                             \
  } while (0)

#endif
