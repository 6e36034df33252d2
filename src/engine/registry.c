#include "engine/registry.h"

#include "base/macros.h"
#include "base/str.h"

#include <stdio.h>

/* How far the most suitable engine got, so that the refusal names the last obstacle and not the first. */
enum obstacle { NO_RUNTIME, NO_FORMAT, NO_CAPABILITY, NOT_SUPPORTED, FITS };

static const struct {
  enum al_capability bit;
  const char *doing;
} capability_names[] = {
  { AL_CAN_CHAT, "chat" },           { AL_CAN_COMPLETE, "text completion" }, { AL_CAN_EMBED, "embeddings" },
  { AL_CAN_RERANK, "reranking" },    { AL_CAN_TRANSCRIBE, "transcription" }, { AL_CAN_SPEAK, "speech" },
  { AL_CAN_DRAW, "image creation" }, { AL_CAN_SEE, "image input" },
};

static const char *capability_name(unsigned missing)
{
  for (size_t i = 0; i < AL_COUNT(capability_names); i++) {
    if (missing & (unsigned)capability_names[i].bit)
      return capability_names[i].doing;
  }
  return "this use";
}

static const char *or_unknown(const char *text)
{
  return text != nullptr && text[0] != '\0' ? text : "unknown";
}

/* The last part of the primary file's path: paths of the machine stay out of messages. */
static const char *primary_file(const struct al_model_descriptor *descriptor)
{
  if (descriptor->n_files == 0)
    return descriptor->format == AL_FORMAT_NONE ? "built in" : "no weight file";
  const char *slash = strrchr(descriptor->files[0], '/');
  return slash != nullptr ? slash + 1 : descriptor->files[0];
}

static bool names_runtime(const struct al_model_descriptor *descriptor)
{
  return descriptor->runtime != nullptr && descriptor->runtime[0] != '\0';
}

static enum obstacle examine(const struct al_engine *engine, const struct al_model_descriptor *descriptor,
                             unsigned needed, struct al_err *why)
{
  if (names_runtime(descriptor) && !al_streq(engine->runtime, descriptor->runtime))
    return NO_RUNTIME;
  if (!(engine->formats & (1U << descriptor->format)))
    return NO_FORMAT;
  if ((engine->capabilities & needed) != needed)
    return NO_CAPABILITY;
  return engine->supports(descriptor, why) == AL_OK ? FITS : NOT_SUPPORTED;
}

static enum al_code refuse(const struct al_model_descriptor *descriptor, unsigned missing, enum obstacle obstacle,
                           const struct al_err *why, struct al_err *err)
{
  const char *id = or_unknown(descriptor->id);
  switch (obstacle) {
  case NO_RUNTIME:
    if (names_runtime(descriptor))
      return al_fail(err, AL_UNSUPPORTED, "model '%s' (%s) needs the runtime %s, which this build does not have", id,
                     primary_file(descriptor), descriptor->runtime);
    return al_fail(err, AL_UNSUPPORTED, "model '%s' (%s): this build has no engines", id, primary_file(descriptor));
  case NO_FORMAT:
    return al_fail(err, AL_UNSUPPORTED, "model '%s': no engine of this build reads %s (format %s)%s%s", id,
                   primary_file(descriptor), al_model_format_name(descriptor->format),
                   names_runtime(descriptor) ? " with the runtime " : "",
                   names_runtime(descriptor) ? descriptor->runtime : "");
  case NO_CAPABILITY:
    return al_fail(
        err, AL_UNSUPPORTED, "model '%s' (format %s, architecture %s): no engine of this build offers %s for it", id,
        al_model_format_name(descriptor->format), or_unknown(descriptor->architecture), capability_name(missing));
  case NOT_SUPPORTED:
    return al_fail(err, why->code != AL_OK ? why->code : AL_UNSUPPORTED, "model '%s' (%s, architecture %s): %s", id,
                   primary_file(descriptor), or_unknown(descriptor->architecture), why->message);
  case FITS: break;
  }
  return AL_OK;
}

enum al_code al_engine_choose(const struct al_engine_registry *registry, const struct al_model_descriptor *descriptor,
                              unsigned needed, al_benchmark_fn *benchmark, void *user, const struct al_engine **engine,
                              struct al_err *err)
{
  if (descriptor->problem.code != AL_OK)
    return al_fail(err, descriptor->problem.code, "%s", descriptor->problem.message);

  enum obstacle furthest = NO_RUNTIME;
  struct al_err furthest_why = {};
  unsigned missing = needed;
  const struct al_engine *best = nullptr;
  double best_score = 0;
  for (size_t i = 0; i < registry->n_engines; i++) {
    const struct al_engine *candidate = registry->engines[i];
    struct al_err why = {};
    enum obstacle obstacle = examine(candidate, descriptor, needed, &why);
    if (obstacle > furthest) {
      furthest = obstacle;
      furthest_why = why;
      missing = needed & ~candidate->capabilities;
    }
    if (obstacle != FITS)
      continue;
    double score = benchmark != nullptr ? benchmark(user, descriptor->id, candidate->runtime) : 0;
    if (best == nullptr || score > best_score) {
      best = candidate;
      best_score = score > 0 ? score : 0;
    }
  }
  if (best == nullptr)
    return refuse(descriptor, missing, furthest, &furthest_why, err);
  *engine = best;
  return AL_OK;
}

const struct al_engine *al_engine_by_runtime(const struct al_engine_registry *registry, const char *runtime)
{
  for (size_t i = 0; i < registry->n_engines; i++) {
    if (al_streq(registry->engines[i]->runtime, runtime))
      return registry->engines[i];
  }
  return nullptr;
}
