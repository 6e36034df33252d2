#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const char *const code_names[AL_CODE_COUNT] = {
  [AL_OK] = "OK",
  [AL_INVALID_REQUEST] = "INVALID_REQUEST",
  [AL_NOT_FOUND] = "NOT_FOUND",
  [AL_UNSUPPORTED] = "UNSUPPORTED",
  [AL_MODEL_CORRUPT] = "MODEL_CORRUPT",
  [AL_LOAD_FAILED] = "LOAD_FAILED",
  [AL_OOM_RAM] = "OOM_RAM",
  [AL_OOM_VRAM] = "OOM_VRAM",
  [AL_TIMEOUT] = "TIMEOUT",
  [AL_CANCELLED] = "CANCELLED",
  [AL_INTERNAL] = "INTERNAL",
};

const char *al_code_name(enum al_code code)
{
  return (unsigned)code < AL_CODE_COUNT ? code_names[code] : "UNKNOWN";
}

/* The arguments may point into *err itself, so the text is made elsewhere first. */
AL_PRINTF(3, 0) static void set(struct al_err *err, enum al_code code, const char *format, va_list args)
{
  char message[sizeof err->message];
  (void)vsnprintf(message, sizeof message, format, args);
  err->code = code;
  err->reason = nullptr;
  err->param[0] = '\0';
  memcpy(err->message, message, sizeof message);
}

enum al_code al_fail(struct al_err *err, enum al_code code, const char *format, ...)
{
  if (err == nullptr)
    return code;
  va_list args;
  va_start(args, format);
  set(err, code, format, args);
  va_end(args);
  return code;
}

enum al_code al_fail_param(struct al_err *err, const char *param, const char *format, ...)
{
  if (err == nullptr)
    return AL_INVALID_REQUEST;
  char name[sizeof err->param];
  (void)snprintf(name, sizeof name, "%s", param);
  va_list args;
  va_start(args, format);
  set(err, AL_INVALID_REQUEST, format, args);
  va_end(args);
  memcpy(err->param, name, sizeof name);
  return AL_INVALID_REQUEST;
}

enum al_code al_wrap(struct al_err *err, const char *format, ...)
{
  if (err == nullptr)
    return AL_INTERNAL;
  char outer[sizeof err->message], inner[sizeof err->message];
  memcpy(inner, err->message, sizeof inner);
  va_list args;
  va_start(args, format);
  (void)vsnprintf(outer, sizeof outer, format, args);
  va_end(args);
  size_t length = strlen(outer);
  memcpy(err->message, outer, length + 1);
  if (length + 2 < sizeof err->message)
    (void)snprintf(err->message + length, sizeof err->message - length, ": %s", inner);
  return err->code;
}

enum al_code al_fail_reason(struct al_err *err, enum al_code code, const char *reason)
{
  if (err != nullptr)
    err->reason = reason;
  return code;
}

enum al_code al_fail_oom(struct al_err *err, size_t n_bytes)
{
  return al_fail(err, AL_OOM_RAM, "out of memory: %zu bytes could not be allocated", n_bytes);
}
