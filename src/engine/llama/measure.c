/* What a load will need, measured on a model that was opened without its weights. libllama tells the sizes of its
 * buffers in its log alone (in C), so the lines are read; where a line is missing, arithmetic stands in. */
#include "engine/llama/params.h"

#include "base/macros.h"

#include <ctype.h>

/* Kept free on a GPU beside what was measured: drivers and ggml's staging take some. */
constexpr uint64_t GPU_MARGIN_BYTES = (uint64_t)256 << 20;

static uint64_t mib_after(const char *line, const char *label)
{
  const char *at = strstr(line, label);
  if (at == nullptr)
    return 0;
  double mib = strtod(at + strlen(label), nullptr);
  return mib > 0 && mib < 1e9 ? (uint64_t)(mib * 1048576.0) : 0;
}

/* "sched_reserve:    Vulkan0 compute buffer size =    72.52 MiB" lies on a device unless its name says otherwise. */
static bool in_host_memory(const char *line)
{
  const char *name = strchr(line, ':');
  if (name == nullptr)
    return true;
  name++;
  while (isspace((unsigned char)*name))
    name++;
  struct al_str word = al_str_n(name, strcspn(name, " "));
  return al_str_starts(word, al_str("CPU")) || al_str_ends(word, al_str("_Host"));
}

void al_llama_buffers_read(void *user, const char *line)
{
  struct al_llama_buffers *buffers = user;
  if (strstr(line, "CPU_REPACK model buffer size") != nullptr)
    buffers->repacks = true;
  bool is_cache = strstr(line, "llama_kv_cache") != nullptr || strstr(line, "llama_memory_recurrent") != nullptr;
  if (is_cache && strstr(line, ": size =") != nullptr)
    buffers->kv_bytes += mib_after(line, ": size =");
  uint64_t compute = mib_after(line, "compute buffer size =") + mib_after(line, "output buffer size =");
  if (in_host_memory(line))
    buffers->compute_ram_bytes += compute;
  else
    buffers->compute_vram_bytes += compute;
}

struct attempt {
  al_llama_reopen_fn *reopen;
  void *user;
  const struct al_load_options *options;
};

/* Opens the model and a context with so many layers on GPUs, and reads what that takes. */
static enum al_code try_layers(const struct attempt *attempt, int n_gpu_layers, struct al_llama_buffers *buffers,
                               int *n_ctx, struct al_err *err)
{
  *buffers = (struct al_llama_buffers){};
  al_llama_log_watch(al_llama_buffers_read, buffers);
  struct llama_model *model = attempt->reopen(attempt->user, n_gpu_layers, err);
  if (model == nullptr) {
    al_llama_log_watch(nullptr, nullptr);
    return err != nullptr ? err->code : AL_LOAD_FAILED;
  }
  struct al_llama_context_plan plan;
  al_llama_plan_context(model, attempt->options, &plan);
  al_llama_log_clear();
  struct llama_context *context = llama_init_from_model(model, al_llama_context_params(&plan));
  al_llama_log_watch(nullptr, nullptr);
  enum al_code code = AL_OK;
  if (context == nullptr)
    code = al_fail(err, plan.kv_type == AL_KV_Q8_0 ? AL_UNSUPPORTED : AL_MODEL_CORRUPT, "no context can be made: %s",
                   al_llama_log_last_error());
  else
    *n_ctx = (int)llama_n_ctx(context);
  if (buffers->kv_bytes == 0 && (context == nullptr || llama_get_memory(context) != nullptr))
    buffers->kv_bytes = al_llama_kv_bytes_per_token(model, plan.kv_type) * (uint64_t)plan.n_ctx;
  llama_free(context);
  llama_model_free(model);
  return code;
}

static uint64_t free_gpu_bytes(const ggml_backend_dev_t *gpus, size_t n_gpus)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < n_gpus; i++) {
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    ggml_backend_dev_memory(gpus[i], &free_bytes, &total_bytes);
    sum += free_bytes > GPU_MARGIN_BYTES ? free_bytes - GPU_MARGIN_BYTES : 0;
  }
  return sum;
}

/* libllama puts the last layers on the GPUs, and the head as one layer more. */
static uint64_t weights_on_gpu(const struct al_llama_weights *weights, int n_gpu_layers)
{
  uint64_t sum = n_gpu_layers > 0 ? weights->output_bytes : 0;
  for (int i = 1; i < n_gpu_layers && i <= weights->n_layers; i++)
    sum += weights->layer_bytes[weights->n_layers - i];
  return sum;
}

static uint64_t kv_on_gpu(const struct al_llama_weights *weights, uint64_t kv_bytes, int n_gpu_layers)
{
  int n = n_gpu_layers > 1 ? n_gpu_layers - 1 : 0;
  n = n < weights->n_layers ? n : weights->n_layers;
  return weights->n_layers > 0 ? kv_bytes / (uint64_t)weights->n_layers * (uint64_t)n : 0;
}

int al_llama_layers_that_fit(const struct al_llama_weights *weights, const struct al_llama_buffers *buffers,
                             uint64_t free_bytes)
{
  int fit = 0;
  for (int n = 1; n <= weights->n_layers + 1; n++) {
    uint64_t need = weights_on_gpu(weights, n) + kv_on_gpu(weights, buffers->kv_bytes, n) + buffers->compute_vram_bytes;
    if (need > free_bytes)
      break;
    fit = n;
  }
  return fit;
}

static void sum_up(const struct al_llama_weights *weights, const struct al_llama_buffers *buffers, int n_gpu_layers,
                   struct al_memory_estimate *estimate)
{
  uint64_t weights_gpu = weights_on_gpu(weights, n_gpu_layers);
  uint64_t kv_gpu = kv_on_gpu(weights, buffers->kv_bytes, n_gpu_layers);
  /* Tied embeddings count twice here: they lie in RAM and on a GPU, or in RAM once as they are and once repacked. */
  uint64_t all = weights->input_bytes + weights_on_gpu(weights, weights->n_layers + 1);
  uint64_t ram = all - weights_gpu;
  bool shared = n_gpu_layers == 0 && !buffers->repacks;
  estimate->weights_ram_bytes = shared ? weights->total_bytes : ram;
  estimate->mapped_bytes = buffers->repacks ? weights->input_bytes : estimate->weights_ram_bytes;
  estimate->kv_ram_bytes = buffers->kv_bytes - kv_gpu;
  estimate->compute_ram_bytes = buffers->compute_ram_bytes;
  estimate->vram_bytes = n_gpu_layers > 0 ? weights_gpu + kv_gpu + buffers->compute_vram_bytes : 0;
  estimate->n_gpu_layers = n_gpu_layers;
}

enum al_code al_llama_measure(al_llama_reopen_fn *reopen, void *user, const struct al_llama_weights *weights,
                              const struct al_load_options *options, struct al_memory_estimate *estimate,
                              struct al_err *err)
{
  const struct attempt attempt = { reopen, user, options };
  ggml_backend_dev_t gpus[AL_LLAMA_MAX_GPUS];
  size_t n_gpus = options->n_gpu_layers == 0 ? 0 : al_llama_gpus(options->n_gpu_layers > 0, gpus, AL_LLAMA_MAX_GPUS);
  int all = weights->n_layers + 1;
  int wanted = options->n_gpu_layers < 0 || options->n_gpu_layers > all ? all : options->n_gpu_layers;
  wanted = n_gpus > 0 ? wanted : 0;

  struct al_memory_estimate result = {};
  struct al_llama_buffers buffers;
  AL_TRY(try_layers(&attempt, wanted, &buffers, &result.n_ctx, err));
  if (wanted > 0 && options->n_gpu_layers < 0) {
    int fit = al_llama_layers_that_fit(weights, &buffers, free_gpu_bytes(gpus, n_gpus));
    if (fit < wanted)
      AL_TRY(try_layers(&attempt, fit, &buffers, &result.n_ctx, err));
    wanted = fit;
  }
  sum_up(weights, &buffers, wanted, &result);
  *estimate = result;
  return AL_OK;
}
