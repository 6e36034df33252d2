/* What the load options leave open about the context, decided from the model and the machine. */
#include "engine/llama/backend.h"
#include "engine/llama/runner.h"
#include "engine/llama/yarn.h"

#include "base/str.h"
#include "os/machine.h"

constexpr int DEFAULT_N_BATCH = 512;
constexpr int MAX_UBATCH = 512;
constexpr int DEFAULT_N_SEQ_MAX = 16;
constexpr int MAX_AUTO_N_CTX = 32768;
constexpr int AUTO_FULL_REQUESTS = 4; /* so that several long ones run at once where the model's context is short */
constexpr int LEAST_AUTO_N_CTX = 512;
constexpr int MAX_EMBEDDING_N_CTX = 8192;
/* libllama reserves room for the logits of so many tokens of a step: for all 512 of a large vocabulary it would be
 * hundreds of megabytes. The runner splits the rare step that wants more. */
constexpr int LEAST_OUTPUTS = 32;
constexpr int CTX_STEP = 256; /* libllama rounds to it */

static enum ggml_type ggml_type_of(enum al_kv_type type)
{
  switch (type) {
  case AL_KV_F32: return GGML_TYPE_F32;
  case AL_KV_Q8_0: return GGML_TYPE_Q8_0;
  case AL_KV_F16: break;
  }
  return GGML_TYPE_F16;
}

static int64_t meta_int(const struct llama_model *model, const char *name, int64_t otherwise)
{
  char architecture[64] = "";
  char key[128];
  char text[32];
  (void)llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture);
  (void)snprintf(key, sizeof key, "%s.%s", architecture, name);
  if (llama_model_meta_val_str(model, key, text, sizeof text) <= 0)
    return otherwise;
  if (al_streq(text, "true") || al_streq(text, "false"))
    return al_streq(text, "true");
  return strtoll(text, nullptr, 10);
}

uint64_t al_llama_kv_bytes_per_token(const struct llama_model *model, enum al_kv_type kv_type)
{
  int n_head = llama_model_n_head(model);
  int n_head_kv = llama_model_n_head_kv(model);
  int n_embd = llama_model_n_embd(model);
  /* Heads may be wider than their share of the embedding (Qwen3: 128 of 1024/16): the metadata says. */
  int64_t width = n_head > 0 ? n_embd / n_head : n_embd;
  int64_t stated = meta_int(model, "attention.key_length", 0);
  width = stated > 0 && stated < 65536 ? stated : width;
  int64_t n_heads = n_head_kv > 0 ? n_head_kv : n_head > 0 ? n_head : 1;
  int64_t n_values = 2 * (int64_t)llama_model_n_layer(model) * n_heads * width;
  enum ggml_type type = ggml_type_of(kv_type);
  return (uint64_t)n_values * ggml_type_size(type) / (uint64_t)ggml_blck_size(type);
}

/* Where the KV cache will lie: on the GPUs when there are any to be used. */
static uint64_t available_bytes(const struct al_load_options *options)
{
  ggml_backend_dev_t gpus[AL_LLAMA_MAX_GPUS];
  size_t n_gpus = options->n_gpu_layers == 0 ? 0 : al_llama_gpus(options->n_gpu_layers > 0, gpus, AL_LLAMA_MAX_GPUS);
  if (n_gpus == 0) {
    struct al_memory memory;
    al_machine_memory(&memory);
    return memory.available_bytes;
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < n_gpus; i++) {
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    ggml_backend_dev_memory(gpus[i], &free_bytes, &total_bytes);
    sum += free_bytes;
  }
  return sum;
}

/* GGUFs of encoders that do not say that their attention looks both ways. */
static bool is_encoder(const struct llama_model *model)
{
  char name[64] = "";
  (void)llama_model_meta_val_str(model, "general.architecture", name, sizeof name);
  return strstr(name, "bert") != nullptr || al_str_ends(al_str(name), al_str("-embedding"));
}

void al_llama_plan_kind(const struct llama_model *model, struct al_llama_context_plan *plan)
{
  int64_t pooling = meta_int(model, "pooling_type", LLAMA_POOLING_TYPE_UNSPECIFIED);
  plan->generates =
      pooling <= LLAMA_POOLING_TYPE_NONE && meta_int(model, "attention.causal", 1) == 1 && !is_encoder(model);
  switch (pooling) {
  case LLAMA_POOLING_TYPE_CLS: plan->pooling = AL_POOLING_CLS; break;
  case LLAMA_POOLING_TYPE_LAST: plan->pooling = AL_POOLING_LAST; break;
  case LLAMA_POOLING_TYPE_RANK: plan->pooling = AL_POOLING_RANK; break;
  default: plan->pooling = AL_POOLING_MEAN; break; /* what sentence-transformers takes where nothing is stated */
  }
}

/* About what a step of so many tokens takes: the widest activations, and the attention's scores or just its mask. */
static uint64_t embedding_bytes(const struct llama_model *model, const struct al_load_options *options, int64_t n)
{
  uint64_t width = (uint64_t)llama_model_n_embd(model) * 4;
  uint64_t maps = options->kv_type == AL_KV_F32 ? 2 * (uint64_t)llama_model_n_head(model) + 1 : 2;
  return ((uint64_t)n * width * 4 + (uint64_t)n * (uint64_t)n * maps) * sizeof(float);
}

static int embedding_n_ctx(const struct llama_model *model, const struct al_load_options *options)
{
  int n_train = llama_model_n_ctx_train(model);
  int most = n_train > 0 ? n_train : MAX_EMBEDDING_N_CTX;
  if (options->n_ctx > 0)
    return options->n_ctx < most ? options->n_ctx : most;
  most = most < MAX_EMBEDDING_N_CTX ? most : MAX_EMBEDDING_N_CTX;
  uint64_t available = available_bytes(options) / 8;
  while (most > LEAST_AUTO_N_CTX && embedding_bytes(model, options, most) > available)
    most /= 2;
  return most;
}

static int auto_n_ctx(const struct llama_model *model, const struct al_load_options *options)
{
  int n_train = llama_model_n_ctx_train(model);
  int64_t n_ctx = MAX_AUTO_N_CTX;
  if (n_train > 0 && n_train < MAX_AUTO_N_CTX / AUTO_FULL_REQUESTS)
    n_ctx = (int64_t)n_train * AUTO_FULL_REQUESTS;
  uint64_t per_token = al_llama_kv_bytes_per_token(model, options->kv_type);
  uint64_t fits = per_token > 0 ? available_bytes(options) / 4 / per_token : (uint64_t)n_ctx;
  if (fits < (uint64_t)n_ctx) {
    n_ctx = (int64_t)fits / CTX_STEP * CTX_STEP;
    int64_t least = n_train > 0 && n_train < LEAST_AUTO_N_CTX ? n_train : LEAST_AUTO_N_CTX;
    n_ctx = n_ctx < least ? least : n_ctx;
  }
  return (int)n_ctx;
}

void al_llama_plan_context(const struct llama_model *model, const struct al_load_options *options,
                           struct al_llama_context_plan *plan)
{
  int most_sequences = (int)llama_max_parallel_sequences();
  *plan = (struct al_llama_context_plan){
    .n_batch = options->n_batch > 0 ? options->n_batch : DEFAULT_N_BATCH,
    .n_seq_max = options->n_seq_max > 0 ? options->n_seq_max : DEFAULT_N_SEQ_MAX,
    .n_threads = options->n_threads > 0 ? options->n_threads : al_machine_n_cores(),
    .kv_type = options->kv_type,
  };
  (void)al_yarn_betas(model, &plan->yarn_beta_fast, &plan->yarn_beta_slow);
  al_llama_plan_kind(model, plan);
  if (!plan->generates)
    plan->n_ctx = plan->n_batch = embedding_n_ctx(model, options);
  else
    plan->n_ctx = options->n_ctx > 0 ? options->n_ctx : auto_n_ctx(model, options);
  if (plan->n_seq_max > most_sequences)
    plan->n_seq_max = most_sequences;
  if (plan->n_batch < plan->n_seq_max) /* one token of each: less makes libllama abort */
    plan->n_batch = plan->n_seq_max;
}

static enum llama_pooling_type pooling_of(enum al_pooling pooling)
{
  switch (pooling) {
  case AL_POOLING_NONE: return LLAMA_POOLING_TYPE_NONE;
  case AL_POOLING_MEAN: return LLAMA_POOLING_TYPE_MEAN;
  case AL_POOLING_CLS: return LLAMA_POOLING_TYPE_CLS;
  case AL_POOLING_LAST: return LLAMA_POOLING_TYPE_LAST;
  case AL_POOLING_RANK: return LLAMA_POOLING_TYPE_RANK;
  }
  return LLAMA_POOLING_TYPE_NONE;
}

/* Every token's output goes into the pool, and a text must lie in one piece. */
static void make_embedding(const struct al_llama_context_plan *plan, struct llama_context_params *params)
{
  params->embeddings = true;
  params->pooling_type = pooling_of(plan->pooling);
  params->n_ubatch = params->n_batch;
  params->n_outputs_max = params->n_batch;
}

struct llama_context_params al_llama_context_params(const struct al_llama_context_plan *plan)
{
  struct llama_context_params params = llama_context_default_params();
  params.n_ctx = (uint32_t)plan->n_ctx;
  params.n_batch = (uint32_t)plan->n_batch;
  params.n_ubatch = (uint32_t)(plan->n_batch < MAX_UBATCH ? plan->n_batch : MAX_UBATCH);
  params.n_seq_max = (uint32_t)plan->n_seq_max;
  params.n_outputs_max = (uint32_t)(plan->n_seq_max > LEAST_OUTPUTS ? plan->n_seq_max : LEAST_OUTPUTS);
  params.n_threads = plan->n_threads;
  params.n_threads_batch = plan->n_threads;
  params.type_k = ggml_type_of(plan->kv_type);
  params.type_v = params.type_k;
  if (plan->yarn_beta_fast > 0) {
    params.yarn_beta_fast = plan->yarn_beta_fast;
    params.yarn_beta_slow = plan->yarn_beta_slow;
  }
  /* ggml's CPU flash attention rounds to F16 (logits move by 1e-2): who asks for an F32 cache wants it exact. */
  params.flash_attn_type = plan->kv_type == AL_KV_F32 ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
  params.offload_kqv = true;
  params.op_offload = true;
  params.no_perf = true;
  /* One pool of cells for all sequences: a copied prefix is a reference, and one long request may use it all. */
  params.kv_unified = true;
  /* Sliding-window layers keep every position. A cache of just the window is smaller, but a sequence could then not be
   * cut back or share a prefix beyond it, which every second turn of a conversation needs. */
  params.swa_full = true;
  if (!plan->generates)
    make_embedding(plan, &params);
  return params;
}
