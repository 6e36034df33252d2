#include "engine/llama/params.h"
#include "engine/preflight.h"
#include "engine/safetensors/family.h"
#include "engine/safetensors/peft.h"
#include "engine/safetensors/safetensors_engine.h"
#include "engine/safetensors/vgguf_stream.h"

#include "codec/safetensors_header.h"
#include "os/machine.h"

/* The descriptor names the type of most weights, or the method that has packed them. */
static enum al_code check_quantisation(const char *name, struct al_err *err)
{
  for (int type = 0; type < AL_ST_DTYPE_COUNT; type++)
    if (al_streq(name, al_st_dtype_name((enum al_st_dtype)type)))
      return AL_OK;
  if (name == nullptr || name[0] == '\0')
    return AL_OK;
  if (al_streq(name, "COMPRESSED-TENSORS")) /* the store calls those that can be read FP8 */
    return al_fail(err, AL_UNSUPPORTED,
                   "config.json: of the weights quantised by \"compressed-tensors\" only those in FP8 can be read");
  return al_hf_quantisation_check(al_str(name), err);
}

static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  const struct al_hf_family *family;
  AL_TRY(check_quantisation(descriptor->quantisation, err));
  if (descriptor->architecture == nullptr || descriptor->architecture[0] == '\0')
    return AL_OK; /* config.json tells when it is opened */
  return al_hf_family_find(descriptor->architecture, &family, err);
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(supports(descriptor, err));
  return al_preflight_run(&al_engine_safetensors, descriptor, options, out, err);
}

static enum al_code explain(const struct al_vgguf_stream *stream, struct al_err *err)
{
  if (stream->failure.code != AL_OK) {
    if (err != nullptr)
      *err = stream->failure;
    return stream->failure.code;
  }
  const char *why = al_llama_log_last_error();
  enum al_code code = strstr(why, "alloc") != nullptr ? AL_OOM_RAM : AL_LOAD_FAILED;
  return al_fail(err, code, "%s", why[0] != '\0' ? why : "libllama cannot load it");
}

static enum al_code load_stream(struct al_vgguf *vgguf, struct al_llama_model_params *params,
                                struct llama_model **model, struct al_err *err)
{
  AL_CLEANUP(al_vgguf_stream_close) struct al_vgguf_stream stream = {};
  AL_TRY(al_vgguf_stream_open(vgguf, &stream, err));
  al_llama_log_clear();
  params->params.load_mode = LLAMA_LOAD_MODE_NONE;
  *model = llama_model_load_from_file_ptr(stream.file, params->params);
  if (*model != nullptr)
    return AL_OK;
  if (params->was_stopped)
    return al_fail(err, AL_CANCELLED, "the load was cancelled");
  return explain(&stream, err);
}

static int threads_of(const struct al_load_options *options)
{
  return options->n_threads > 0 ? options->n_threads : al_machine_n_cores();
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **out, struct al_err *err)
{
  struct al_memory_estimate decided;
  AL_TRY(estimate(descriptor, options, &decided, err));
  AL_TRY(al_llama_backend_start(err));
  struct al_llama_model_params params;
  al_llama_model_params(&params, decided.n_gpu_layers, progress, user);
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
  AL_TRY(al_vgguf_open(descriptor->directory, options->quant, threads_of(options), &vgguf, err));
  struct llama_model *model = nullptr;
  AL_TRY(load_stream(vgguf, &params, &model, err));
  struct al_load_options resolved = *options;
  if (resolved.n_ctx <= 0)
    resolved.n_ctx = decided.n_ctx;
  AL_CLEANUP(al_llama_runner_free_p) struct al_engine_model *made = nullptr;
  AL_TRY(al_llama_runner_new(model, &resolved, &made, err));
  AL_TRY(al_llama_runner_take_vocabulary(made, al_vgguf_metadata(vgguf), err));
  al_llama_runner_read_adapters(made, al_peft_open, al_vgguf_family(vgguf));
  *out = AL_TAKE(made);
  return AL_OK;
}

static struct llama_model *reopen(void *user, int n_gpu_layers, struct al_err *err)
{
  struct al_llama_model_params params;
  al_llama_model_params(&params, n_gpu_layers, nullptr, nullptr);
  params.params.no_alloc = true;
  struct llama_model *model = nullptr;
  return load_stream(user, &params, &model, err) == AL_OK ? model : nullptr;
}

/* In the preflight child. */
static enum al_code preflight(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                              struct al_memory_estimate *out, struct al_err *err)
{
  AL_TRY(al_llama_backend_start(err));
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *vgguf = nullptr;
  AL_TRY(al_vgguf_open(descriptor->directory, options->quant, threads_of(options), &vgguf, err));
  struct al_llama_weights weights = {};
  AL_TRY(al_llama_weigh(al_vgguf_metadata(vgguf), &weights, err));
  AL_TRY(al_llama_measure(reopen, vgguf, &weights, options, out, err));
  out->mapped_bytes = 0;
  return AL_OK;
}

const struct al_engine al_engine_safetensors = {
  .runtime = "safetensors_cpp",
  .formats = 1U << AL_FORMAT_SAFETENSORS,
  .capabilities = AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_RERANK,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = al_llama_runner_free,
  .text = &al_llama_text_ops,
  .preflight = preflight,
};
