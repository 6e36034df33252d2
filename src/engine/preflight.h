/* Preflight: before a model is loaded, a short-lived child process opens it without allocating its weights. It meets
 * the metadata that would make ggml abort, in our place, and measures what the load will need.
 *
 * The child is the worker program itself, run as `<worker> --preflight <job>`: the job is JSON with the descriptor and
 * the options, the answer is JSON on standard output. Results are kept in memory until the files change.
 * al_preflight_run is thread-safe. */
#ifndef AL_ENGINE_PREFLIGHT_H
#define AL_ENGINE_PREFLIGHT_H

#include "engine/registry.h"

/* Once at start, before threads: the path of the worker program (copied; nullptr or "": none). With none there is no
 * preflight, and estimates are guesses from the sizes of the files. */
void al_preflight_set_program(const char *path);

/* What engine->estimate calls. AL_MODEL_CORRUPT with the last words of the child when it died of a signal, the engine's
 * own error when that refused, AL_TIMEOUT after 30 s. */
enum al_code al_preflight_run(const struct al_engine *engine, const struct al_model_descriptor *descriptor,
                              const struct al_load_options *options, struct al_memory_estimate *estimate,
                              struct al_err *err);

/* The child's main: argv is {program, "--preflight", job}. Ends the process; returns an exit status only
 * when it could not begin. */
int al_preflight_main(const struct al_engine_registry *registry, int argc, char **argv);

#endif
