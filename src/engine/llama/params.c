#include "engine/llama/params.h"

#include "base/str.h"

#include <stdckdint.h>

/* The N of "blk.N.", or -1. */
static int layer_of(const char *name)
{
  if (!al_str_starts(al_str(name), al_str("blk.")))
    return -1;
  char *end = nullptr;
  long n = strtol(name + 4, &end, 10);
  return end != name + 4 && *end == '.' && n >= 0 && n < AL_LLAMA_MAX_LAYERS ? (int)n : -1;
}

enum al_code al_llama_weigh(const struct gguf_context *gguf, struct al_llama_weights *weights, struct al_err *err)
{
  bool has_output = false;
  uint64_t embeddings = 0;
  int64_t n_tensors = gguf_get_n_tensors(gguf);
  for (int64_t i = 0; i < n_tensors; i++) {
    const char *name = gguf_get_tensor_name(gguf, i);
    uint64_t size = gguf_get_tensor_size(gguf, i);
    if (ckd_add(&weights->total_bytes, weights->total_bytes, size))
      return al_fail(err, AL_MODEL_CORRUPT, "the sizes of the tensors overflow at %s", name);
    int layer = layer_of(name);
    if (layer >= 0) {
      weights->layer_bytes[layer] += size;
      weights->n_layers = layer >= weights->n_layers ? layer + 1 : weights->n_layers;
    } else if (al_str_starts(al_str(name), al_str("output"))) {
      weights->output_bytes += size;
      has_output = has_output || al_streq(name, "output.weight");
    } else {
      weights->input_bytes += size;
      embeddings += al_streq(name, "token_embd.weight") ? size : 0;
    }
  }
  if (!has_output)
    weights->output_bytes += embeddings;
  return AL_OK;
}

static bool on_progress(float fraction, void *user)
{
  struct al_llama_model_params *p = user;
  if (p->progress != nullptr && !p->progress(p->user, fraction))
    p->was_stopped = true;
  return !p->was_stopped;
}

void al_llama_model_params(struct al_llama_model_params *out, int n_gpu_layers, al_load_progress_fn *progress,
                           void *user)
{
  *out = (struct al_llama_model_params){ .params = llama_model_default_params(), .progress = progress, .user = user };
  if (n_gpu_layers > 0)
    (void)al_llama_gpus(true, out->devices, AL_LLAMA_MAX_GPUS);
  out->params.devices = out->devices;
  out->params.n_gpu_layers = n_gpu_layers;
  out->params.progress_callback = on_progress;
  out->params.progress_callback_user_data = out;
}
