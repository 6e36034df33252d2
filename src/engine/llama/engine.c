#include "engine/llama/llama_engine.h"
#include "engine/llama/metadata.h"
#include "engine/llama/params.h"
#include "engine/preflight.h"

#include "base/macros.h"
#include "os/file.h"

/* Message parts only: paths of the machine stay out of them. */
static const char *file_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  /* Which architectures libllama knows, it says itself when it opens the file (preflight): no list here to go stale. */
  if (descriptor->n_files == 0)
    return al_fail(err, AL_UNSUPPORTED, "there is no GGUF file");
  return AL_OK;
}

/* What libllama says when it gives a model up, in our terms. */
static enum al_code explain(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  const char *why = al_llama_log_last_error();
  enum al_code code = AL_LOAD_FAILED;
  if (strstr(why, "unknown model architecture") != nullptr || strstr(why, "unsupported") != nullptr ||
      strstr(why, "unknown pre-tokenizer") != nullptr)
    code = AL_UNSUPPORTED;
  else if (strstr(why, "alloc") != nullptr)
    code = strstr(why, "CPU") != nullptr ? AL_OOM_RAM : AL_OOM_VRAM;
  else if (why[0] != '\0')
    code = AL_MODEL_CORRUPT;
  return al_fail(err, code, "%s: %s", file_name(descriptor->files[0]),
                 why[0] != '\0' ? why : "libllama cannot load it");
}

static enum al_code check_files(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  AL_TRY(supports(descriptor, err));
  for (size_t i = 0; i < descriptor->n_files; i++) {
    struct al_file_info info;
    AL_TRY(al_file_stat(descriptor->files[i], &info, err));
    if (!info.is_regular)
      return al_fail(err, AL_MODEL_CORRUPT, "%s is no regular file", file_name(descriptor->files[i]));
  }
  return AL_OK;
}

static enum al_code open_model(const struct al_model_descriptor *descriptor, struct al_llama_model_params *params,
                               struct llama_model **model, struct al_err *err)
{
  al_llama_log_clear();
  *model = nullptr;
  if (descriptor->n_files == 1) {
    *model = llama_model_load_from_file(descriptor->files[0], params->params);
  } else {
    /* libllama takes char **, and only reads. */
    const char **paths = (const char **)(uintptr_t)descriptor->files;
    *model = llama_model_load_from_splits(paths, descriptor->n_files, params->params);
  }
  if (*model != nullptr)
    return AL_OK;
  if (params->was_stopped)
    return al_fail(err, AL_CANCELLED, "loading %s was cancelled", file_name(descriptor->files[0]));
  return explain(descriptor, err);
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(check_files(descriptor, err));
  return al_preflight_run(&al_engine_llama, descriptor, options, out, err);
}

static void close_gguf(struct gguf_context **gguf)
{
  gguf_free(*gguf);
}

static enum al_code give_vocabulary(const struct al_model_descriptor *descriptor, struct al_engine_model *model,
                                    struct al_err *err)
{
  if (!al_llama_runner_wants_vocabulary(model))
    return AL_OK;
  al_llama_log_clear();
  struct gguf_init_params init = { .no_alloc = true };
  AL_CLEANUP(close_gguf) struct gguf_context *gguf = gguf_init_from_file(descriptor->files[0], init);
  return gguf != nullptr ? al_llama_runner_take_vocabulary(model, gguf, err) : explain(descriptor, err);
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **out, struct al_err *err)
{
  /* Known already when the caller asked before; otherwise this is the check that the files are sound. */
  struct al_memory_estimate decided;
  AL_TRY(estimate(descriptor, options, &decided, err));
  AL_TRY(al_llama_backend_start(err));
  struct al_llama_model_params params;
  al_llama_model_params(&params, decided.n_gpu_layers, progress, user);
  struct llama_model *model = nullptr;
  AL_TRY(open_model(descriptor, &params, &model, err));
  struct al_load_options resolved = *options;
  if (resolved.n_ctx <= 0)
    resolved.n_ctx = decided.n_ctx;
  AL_CLEANUP(al_llama_runner_free_p) struct al_engine_model *made = nullptr;
  if (al_llama_runner_new(model, &resolved, &made, err) != AL_OK)
    return al_wrap(err, "%s", file_name(descriptor->files[0]));
  AL_TRY(give_vocabulary(descriptor, made, err));
  *out = AL_TAKE(made);
  return AL_OK;
}

static struct llama_model *reopen(void *user, int n_gpu_layers, struct al_err *err)
{
  struct al_llama_model_params params;
  al_llama_model_params(&params, n_gpu_layers, nullptr, nullptr);
  params.params.no_alloc = true;
  params.params.load_mode = LLAMA_LOAD_MODE_NONE;
  struct llama_model *model = nullptr;
  return open_model(user, &params, &model, err) == AL_OK ? model : nullptr;
}

static enum al_code weigh_files(const struct al_model_descriptor *descriptor, struct al_llama_weights *weights,
                                struct al_err *err)
{
  for (size_t i = 0; i < descriptor->n_files; i++) {
    al_llama_log_clear();
    struct gguf_init_params init = { .no_alloc = true };
    struct gguf_context *gguf = gguf_init_from_file(descriptor->files[i], init);
    if (gguf == nullptr)
      return explain(descriptor, err);
    enum al_code code = al_llama_check_metadata(gguf, err);
    if (code == AL_OK)
      code = al_llama_weigh(gguf, weights, err);
    gguf_free(gguf);
    if (code != AL_OK)
      return al_wrap(err, "%s", file_name(descriptor->files[i]));
  }
  return AL_OK;
}

static enum al_code preflight(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                              struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(al_llama_backend_start(err));
  struct al_llama_weights weights = {};
  AL_TRY(weigh_files(descriptor, &weights, err));
  /* `reopen` takes the descriptor back as const. */
  void *user = (void *)(uintptr_t)descriptor;
  return al_llama_measure(reopen, user, &weights, options, out, err);
}

const struct al_engine al_engine_llama = {
  .runtime = "llama_cpp",
  .formats = 1U << AL_FORMAT_GGUF,
  .capabilities = AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_RERANK,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = al_llama_runner_free,
  .text = &al_llama_text_ops,
  .preflight = preflight,
};
