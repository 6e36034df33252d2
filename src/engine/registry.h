/* EngineRegistry: the in-process list of engines and the choice among them. Built once at start from the static list
 * (the app's: an engine stands above this folder), read-only afterwards, so safe from any thread. */
#ifndef AL_ENGINE_REGISTRY_H
#define AL_ENGINE_REGISTRY_H

#include "engine/engine.h"

struct al_engine_registry {
  const struct al_engine *const *engines; /* borrowed, in order of registration */
  size_t n_engines;
};

/* A recorded benchmark: tokens per second (bigger is better), or a value <= 0 when none is recorded. */
typedef double al_benchmark_fn(void *user, const char *model_id, const char *runtime);

/* The engine for the model: the descriptor's runtime if it names one, then format, capability (all bits of `needed`)
 * and supports(). Where several fit, the better benchmark wins; with none, the first registered.
 * benchmark may be nullptr. AL_UNSUPPORTED names the model and the reason. */
enum al_code al_engine_choose(const struct al_engine_registry *registry, const struct al_model_descriptor *descriptor,
                              unsigned needed, al_benchmark_fn *benchmark, void *user, const struct al_engine **engine,
                              struct al_err *err);

/* nullptr when no engine has that runtime. */
const struct al_engine *al_engine_by_runtime(const struct al_engine_registry *registry, const char *runtime);

#endif
