/* Chat templates: Jinja as Hugging Face renders it (trim_blocks, lstrip_blocks, loop controls, tojson without HTML
 * escapes, raise_exception, strftime_now), in C. A template is compiled once and rendered many times, from any thread.
 *
 * Work is bounded: output bytes, evaluation steps and nesting have caps, so that a hostile template ends with an
 * error and not with the machine. */
#ifndef AL_TEXT_TEMPLATE_H
#define AL_TEXT_TEMPLATE_H

#include "base/buf.h"
#include "codec/json.h"

struct al_template;

struct al_template_limits {
  size_t max_output_bytes; /* 0: 64 MB */
  size_t max_steps;        /* 0: 50 million */
  size_t max_memory_bytes; /* 0: 512 MB of values alive in one rendering */
};

/* AL_INVALID_REQUEST with line number for a syntax error, AL_UNSUPPORTED naming a feature that is not there. */
enum al_code al_template_compile(struct al_str source, struct al_template **compiled, struct al_err *err);
void al_template_free(struct al_template *compiled); /* accepts nullptr */

struct al_template_vars {
  const struct al_json *const *objects; /* each object's members become variables; later ones win */
  size_t n_objects;
};

/* Appends the rendered text to `out`. raise_exception gives AL_INVALID_REQUEST with its message. */
enum al_code al_template_render(const struct al_template *compiled, const struct al_template_vars *vars,
                                const struct al_template_limits *limits, struct al_buf *out, struct al_err *err);

/* The template used when a model has none (ChatML). Static. */
const char *al_template_default(void);

#endif
