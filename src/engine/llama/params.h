/* How a model is put into memory: which devices take how many of its layers, and what that costs. */
#ifndef AL_ENGINE_LLAMA_PARAMS_H
#define AL_ENGINE_LLAMA_PARAMS_H

#include "engine/llama/backend.h"
#include "engine/llama/runner.h"

constexpr int AL_LLAMA_MAX_LAYERS = 512; /* libllama's own limit */

/* The bytes of a model's tensors by where libllama puts them. */
struct al_llama_weights {
  uint64_t input_bytes;  /* token embeddings: always in RAM */
  uint64_t output_bytes; /* final norm and head: on a GPU with the last layer (the embeddings again when tied) */
  uint64_t layer_bytes[AL_LLAMA_MAX_LAYERS];
  int n_layers;
  uint64_t total_bytes; /* each tensor once */
};

/* Adds the tensors of one GGUF (a part of a split, or a virtual one); start from a zeroed object. */
enum al_code al_llama_weigh(const struct gguf_context *gguf, struct al_llama_weights *weights, struct al_err *err);

/* Parameters for llama_model_load_*, and what they point to. Not to be moved while in use. */
struct al_llama_model_params {
  struct llama_model_params params;
  ggml_backend_dev_t devices[AL_LLAMA_MAX_GPUS + 1]; /* ends with nullptr; empty: the CPU alone */
  al_load_progress_fn *progress;
  void *user;
  bool was_stopped; /* progress said no */
};

/* n_gpu_layers is decided by now: no AL_AUTO. `progress` may be nullptr. Load mode and no_alloc are the caller's. */
void al_llama_model_params(struct al_llama_model_params *out, int n_gpu_layers, al_load_progress_fn *progress,
                           void *user);

/* What libllama's log says of its buffers: a watcher for al_llama_log_watch, with a zeroed struct as its user. */
struct al_llama_buffers {
  uint64_t kv_bytes;
  uint64_t compute_ram_bytes;
  uint64_t compute_vram_bytes;
  bool repacks; /* the CPU backend copies weights into its own layout */
};
void al_llama_buffers_read(void *user, const char *line);

/* How many layers, the last ones first and the head as one more, have room with their share of the cache on GPUs with
 * so much free memory. */
int al_llama_layers_that_fit(const struct al_llama_weights *weights, const struct al_llama_buffers *buffers,
                             uint64_t free_bytes);

/* With a model that was opened with no_alloc: plans the context, decides how many layers go to GPUs, makes a context
 * to measure its buffers, and sums up. Only in the preflight child: hostile metadata can make ggml abort here.
 * `reopen` opens the model again for a number of GPU layers (no_alloc; free with llama_model_free). */
typedef struct llama_model *al_llama_reopen_fn(void *user, int n_gpu_layers, struct al_err *err);
enum al_code al_llama_measure(al_llama_reopen_fn *reopen, void *user, const struct al_llama_weights *weights,
                              const struct al_load_options *options, struct al_memory_estimate *estimate,
                              struct al_err *err);

#endif
