/* A compiled template and how it is rendered. */
#ifndef AL_TEXT_JINJA_PROGRAM_H
#define AL_TEXT_JINJA_PROGRAM_H

#include "base/buf.h"
#include "codec/json.h"
#include "text/jinja/render.h"

struct al_jj_program;

enum al_code al_jj_program_new(struct al_str source, struct al_jj_program **program, struct al_err *err);
void al_jj_program_free(struct al_jj_program *program); /* accepts nullptr */

/* Each object's members become variables; later objects win. Appends to `out`, which is as before after a failure.
 * Thread-safe: the program is only read. */
enum al_code al_jj_program_render(const struct al_jj_program *program, const struct al_json *const *objects,
                                  size_t n_objects, const struct al_jj_limits *limits, struct al_buf *out,
                                  struct al_err *err);

#endif
