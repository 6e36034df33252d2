/* The log: one line an event, on standard error, as text or JSON lines. Thread-safe.
 *
 * A line is an event name and key=value pairs; never prompts, keys or file contents:
 *   al_log(AL_LOG_INFO, "model_loaded", AL_S("model", id), AL_I("ms", elapsed_ms));
 * Lower layers return errors and log at debug only; an error is logged once, where it stops. */
#ifndef AL_BASE_LOG_H
#define AL_BASE_LOG_H

#include "base/err.h"

#include <stdint.h>

enum al_log_level { AL_LOG_DEBUG, AL_LOG_INFO, AL_LOG_WARN, AL_LOG_ERROR };

struct al_field {
  const char *key;
  enum { AL_FIELD_STR, AL_FIELD_INT, AL_FIELD_DOUBLE } kind;
  union {
    const char *text; /* borrowed for the call; nullptr prints as "" */
    int64_t integer;
    double number;
  };
};

#define AL_S(key_, text_)  ((struct al_field){ (key_), AL_FIELD_STR, { .text = (text_) } })
#define AL_I(key_, value_) ((struct al_field){ (key_), AL_FIELD_INT, { .integer = (int64_t)(value_) } })
#define AL_F(key_, value_) ((struct al_field){ (key_), AL_FIELD_DOUBLE, { .number = (value_) } })

#define al_log(level, event, ...)                                                                                      \
  al_log_fields((level), (event), (const struct al_field[]){ __VA_ARGS__ },                                            \
                sizeof((const struct al_field[]){ __VA_ARGS__ }) / sizeof(struct al_field))

void al_log_setup(enum al_log_level least, bool as_json); /* once, before threads start */
bool al_log_enabled(enum al_log_level level);
void al_log_fields(enum al_log_level level, const char *event, const struct al_field *fields, size_t n_fields);
/* An error where it stops: code and message as fields. */
void al_log_err(enum al_log_level level, const char *event, const struct al_err *err);

#endif
