#include "engine/llama/runner.h"

#include "engine/llama/backend.h"
#include "engine/llama/model.h"
#include "engine/llama/params.h"

#include "base/alloc.h"
#include "base/macros.h"

#include <malloc.h>
#include <math.h>
#include <stdatomic.h>

/* Asked by the CPU backend at every node of the graph. */
static bool must_abort(void *user)
{
  const struct al_engine_model *model = user;
  return al_cancelled(model->stop);
}

static bool allocate_batch(struct al_engine_model *model)
{
  size_t n = (size_t)model->info.n_batch;
  model->tokens = al_calloc(n, sizeof *model->tokens);
  model->positions = al_calloc(n, sizeof *model->positions);
  model->n_seq_ids = al_calloc(n, sizeof *model->n_seq_ids);
  model->sequences = al_calloc(n, sizeof *model->sequences);
  model->seq_ids = al_calloc(n, sizeof(llama_seq_id *));
  model->wants_logits = al_calloc(n, sizeof *model->wants_logits);
  model->row_of = al_calloc(n, sizeof *model->row_of);
  if (model->tokens == nullptr || model->positions == nullptr || model->n_seq_ids == nullptr ||
      model->sequences == nullptr || model->seq_ids == nullptr || model->wants_logits == nullptr ||
      model->row_of == nullptr)
    return false;
  for (size_t i = 0; i < n; i++) {
    model->n_seq_ids[i] = 1;
    model->seq_ids[i] = &model->sequences[i];
  }
  return true;
}

static float meta_float(const struct llama_model *model, enum llama_model_meta_key key)
{
  char text[64];
  if (llama_model_meta_val_str(model, llama_model_meta_key_str(key), text, sizeof text) <= 0)
    return NAN;
  char *end = text;
  float value = strtof(text, &end);
  return *end == '\0' && isfinite(value) && value >= 0 ? value : NAN;
}

static const char *token_text(const struct llama_vocab *vocab, llama_token token)
{
  const char *text = token == LLAMA_TOKEN_NULL ? nullptr : llama_vocab_get_text(vocab, token);
  return text != nullptr ? text : "";
}

/* A text to embed must fit in one step, a generation in the cache. */
static int most_of_a_request(const struct al_engine_model *model, int n_cells, int n_train)
{
  int most = model->plan.generates ? n_cells : (int)llama_n_batch(model->context);
  return n_train > 0 && n_train < most ? n_train : most;
}

static void fill_info(struct al_engine_model *model, const struct al_llama_buffers *buffers)
{
  const struct llama_model *llama = model->llama;
  float top_k = meta_float(llama, LLAMA_MODEL_META_KEY_SAMPLING_TOP_K);
  int n_cells = (int)llama_n_ctx(model->context);
  int n_train = llama_model_n_ctx_train(llama);
  model->info = (struct al_text_info){
    .n_vocab = llama_vocab_n_tokens(model->vocab),
    .n_cells = n_cells,
    .n_ctx = most_of_a_request(model, n_cells, n_train),
    .n_ctx_train = n_train,
    .n_seq_max = (int)llama_n_seq_max(model->context),
    .n_batch = (int)llama_n_batch(model->context),
    .add_bos = llama_vocab_get_add_bos(model->vocab),
    .generates = model->plan.generates,
    .pooling = model->plan.pooling,
    .n_embd = model->plan.pooling == AL_POOLING_RANK ? 1 : llama_model_n_embd_out(llama),
    .fim_prefix = llama_vocab_fim_pre(model->vocab),
    .fim_suffix = llama_vocab_fim_suf(model->vocab),
    .fim_middle = llama_vocab_fim_mid(model->vocab),
    .chat_template = llama_model_chat_template(llama, nullptr),
    .bos_text = token_text(model->vocab, llama_vocab_bos(model->vocab)),
    .eos_text = token_text(model->vocab, llama_vocab_eos(model->vocab)),
    .temperature = meta_float(llama, LLAMA_MODEL_META_KEY_SAMPLING_TEMP),
    .top_p = meta_float(llama, LLAMA_MODEL_META_KEY_SAMPLING_TOP_P),
    .top_k = isnan(top_k) || top_k > 1e6F ? 0 : (int)top_k,
    .memory_bytes =
        llama_model_size(llama) + buffers->kv_bytes + buffers->compute_ram_bytes + buffers->compute_vram_bytes,
  };
}

static int32_t read_second_segment(const struct al_engine_model *model)
{
  char text[32];
  if (llama_model_meta_val_str(model->llama, "allm.tokenizer.second_segment", text, sizeof text) <= 0)
    return 0;
  long n = strtol(text, nullptr, 10);
  return n > 0 && n <= model->info.n_vocab / 2 ? (int32_t)n : 0;
}

/* What this runner cannot run although libllama loads it. */
static enum al_code check_kind(const struct llama_model *model, struct al_err *err)
{
  if (llama_vocab_type(llama_model_get_vocab(model)) == LLAMA_VOCAB_TYPE_NONE)
    return al_fail(err, AL_UNSUPPORTED, "the model has no tokenizer");
  const struct llama_vocab *vocab = llama_model_get_vocab(model);
  if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_WPM &&
      (llama_vocab_bos(vocab) == LLAMA_TOKEN_NULL || llama_vocab_sep(vocab) == LLAMA_TOKEN_NULL))
    return al_fail(err, AL_MODEL_CORRUPT, "the tokenizer has no tokens to put before and behind a text");
  if (llama_model_has_encoder(model) || !llama_model_has_decoder(model))
    return al_fail(err, AL_UNSUPPORTED, "models of an encoder and a decoder cannot run here");
  if (llama_model_is_diffusion(model))
    return al_fail(err, AL_UNSUPPORTED, "diffusion language models cannot generate text here");
  return AL_OK;
}

struct llama_context *al_llama_context_new(struct al_engine_model *model, const struct al_llama_context_plan *plan,
                                           struct al_llama_buffers *buffers)
{
  struct llama_context_params params = al_llama_context_params(plan);
  /* An aborted step leaves a recurrent state half changed and beyond repair: such a model ends its step. */
  if (!llama_model_is_recurrent(model->llama) && !llama_model_is_hybrid(model->llama)) {
    params.abort_callback = must_abort;
    params.abort_callback_data = model;
  }
  al_llama_log_clear();
  al_llama_log_watch(al_llama_buffers_read, buffers);
  struct llama_context *context = llama_init_from_model(model->llama, params);
  al_llama_log_watch(nullptr, nullptr);
  return context;
}

static enum al_code make_context(struct al_engine_model *model, struct al_llama_buffers *buffers, struct al_err *err)
{
  model->context = al_llama_context_new(model, &model->plan, buffers);
  model->max_outputs = (int)al_llama_context_params(&model->plan).n_outputs_max;
  if (model->context != nullptr)
    return AL_OK;
  const char *why = al_llama_log_last_error();
  bool memory = strstr(why, "alloc") != nullptr;
  return al_fail(err, memory ? AL_OOM_RAM : AL_LOAD_FAILED, "no context of %d tokens: %s", model->plan.n_ctx,
                 why[0] != '\0' ? why : "libllama does not say why");
}

void al_llama_runner_free(struct al_engine_model *model)
{
  if (model == nullptr)
    return;
  llama_free(model->embedder);
  llama_free(model->context);
  llama_model_free(model->llama);
  al_free(model->tokens);
  al_free(model->positions);
  al_free(model->n_seq_ids);
  al_free(model->sequences);
  al_free(model->seq_ids);
  al_free(model->wants_logits);
  al_free(model->rows);
  al_free(model->row_of);
  al_llama_text_rules_free(model->rules);
  al_llama_tokenizer_free(model->tokenizer);
  al_wordpiece_free(model->wordpiece);
  al_free(model);
  /* A model is many small objects (vocabulary, merges): without this the C library keeps their pages. */
  (void)malloc_trim(0);
}

enum al_code al_llama_runner_new(struct llama_model *llama, const struct al_load_options *options,
                                 struct al_engine_model **out, struct al_err *err)
{
  AL_CLEANUP(al_llama_runner_free_p) struct al_engine_model *model = al_calloc(1, sizeof *model);
  if (model == nullptr) {
    llama_model_free(llama);
    return al_fail_oom(err, sizeof *model);
  }
  model->llama = llama;
  AL_TRY(check_kind(llama, err));
  AL_TRY(al_llama_text_rules_new(llama, &model->rules, err));
  AL_TRY(al_wordpiece_new(llama, &model->wordpiece, err));
  al_llama_plan_context(llama, options, &model->plan);
  struct al_llama_buffers buffers = {};
  AL_TRY(make_context(model, &buffers, err));
  model->memory = llama_get_memory(model->context);
  model->vocab = llama_model_get_vocab(llama);
  fill_info(model, &buffers);
  model->second_segment = read_second_segment(model);
  if (!allocate_batch(model))
    return al_fail_oom(err, (size_t)model->info.n_batch * sizeof(llama_token));
  *out = AL_TAKE(model);
  return AL_OK;
}

bool al_llama_runner_wants_vocabulary(const struct al_engine_model *model)
{
  return al_llama_tokenizer_wanted(model->llama);
}

enum al_code al_llama_runner_take_vocabulary(struct al_engine_model *model, const struct gguf_context *gguf,
                                             struct al_err *err)
{
  return al_llama_tokenizer_new(model->llama, gguf, &model->tokenizer, err);
}

void al_llama_runner_read_adapters(struct al_engine_model *model, al_llama_adapter_reader *reader, const void *names)
{
  model->adapter_names = names;
  model->read_adapter = reader;
}

static void info(const struct al_engine_model *model, struct al_text_info *out)
{
  *out = model->info;
  out->memory_bytes += atomic_load(&model->embedder_bytes);
}

/* What stands before a text. */
static void add_start(const struct al_engine_model *model, struct al_token_sink *sink)
{
  if (!llama_vocab_get_add_bos(model->vocab))
    return;
  al_token_sink_add(sink, llama_vocab_bos(model->vocab));
  int32_t behind = al_llama_text_rules_behind_bos(model->rules);
  if (behind >= 0)
    al_token_sink_add(sink, behind);
}

static enum al_code tokenize_by_own(const struct al_engine_model *model, struct al_str text, unsigned flags,
                                    struct al_token_sink *sink, struct al_err *err)
{
  bool around = (flags & AL_TOKENIZE_BOS) != 0;
  if (around)
    add_start(model, sink);
  AL_TRY(al_llama_tokenizer_run(model->tokenizer, model->rules, text, flags & AL_TOKENIZE_SPECIAL, sink, err));
  if (around && llama_vocab_get_add_eos(model->vocab))
    al_token_sink_add(sink, llama_vocab_eos(model->vocab));
  return AL_OK;
}

static enum al_code tokenize_by_pieces(const struct al_engine_model *model, struct al_str text, unsigned flags,
                                       struct al_token_sink *sink, struct al_err *err)
{
  bool around = (flags & AL_TOKENIZE_BOS) != 0;
  if (around)
    al_token_sink_add(sink, llama_vocab_bos(model->vocab));
  AL_TRY(al_wordpiece_run(model->wordpiece, text, flags & AL_TOKENIZE_SPECIAL, sink, err));
  if (around)
    al_token_sink_add(sink, llama_vocab_sep(model->vocab));
  return AL_OK;
}

static enum al_code tokenize_by_libllama(const struct al_engine_model *model, struct al_str text, unsigned flags,
                                         struct al_token_sink *sink, struct al_err *err)
{
  bool around = (flags & AL_TOKENIZE_BOS) != 0;
  bool two_before = around && al_llama_text_rules_behind_bos(model->rules) >= 0;
  if (two_before)
    add_start(model, sink);
  size_t used = al_min_size(sink->count, sink->capacity);
  size_t left = sink->capacity - used;
  int32_t room = left < INT32_MAX ? (int32_t)left : INT32_MAX;
  int32_t n = llama_tokenize(model->vocab, text.size > 0 ? text.data : "", (int32_t)text.size,
                             room > 0 ? sink->tokens + used : nullptr, room, around && !two_before,
                             flags & AL_TOKENIZE_SPECIAL);
  if (n == INT32_MIN)
    return al_fail(err, AL_INVALID_REQUEST, "a text of %zu bytes has too many tokens", text.size);
  sink->count += (size_t)(n < 0 ? -n : n);
  if (two_before && llama_vocab_get_add_eos(model->vocab))
    al_token_sink_add(sink, llama_vocab_eos(model->vocab));
  return AL_OK;
}

enum al_code al_llama_tokenize(const struct al_engine_model *model, struct al_str text, unsigned flags, int32_t *tokens,
                               size_t capacity, size_t *count, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf prepared = {};
  AL_TRY(al_llama_text_rules_apply(model->rules, text, flags & AL_TOKENIZE_SPECIAL, &prepared, &text, err));
  if (text.size > INT32_MAX)
    return al_fail(err, AL_INVALID_REQUEST, "a text of %zu bytes is too long to tokenise", text.size);
  if (model->wordpiece != nullptr) {
    struct al_token_sink sink = { .tokens = tokens, .capacity = capacity };
    AL_TRY(tokenize_by_pieces(model, text, flags, &sink, err));
    *count = sink.count;
    return AL_OK;
  }
  if (model->tokenizer != nullptr) {
    struct al_token_sink sink = { .tokens = tokens, .capacity = capacity };
    AL_TRY(tokenize_by_own(model, text, flags, &sink, err));
    *count = sink.count;
    return AL_OK;
  }
  struct al_token_sink sink = { .tokens = tokens, .capacity = capacity };
  AL_TRY(tokenize_by_libllama(model, text, flags, &sink, err));
  *count = sink.count;
  return AL_OK;
}

static void piece(const struct al_engine_model *model, int32_t token, bool special, char *bytes, size_t capacity,
                  size_t *size)
{
  *size = 0;
  if (token < 0 || token >= model->info.n_vocab)
    return;
  int32_t room = capacity < INT32_MAX ? (int32_t)capacity : INT32_MAX;
  int32_t n = llama_token_to_piece(model->vocab, token, bytes, room, 0, special);
  *size = (size_t)(n < 0 ? -n : n);
}

static bool ends_generation(const struct al_engine_model *model, int32_t token)
{
  return token >= 0 && token < model->info.n_vocab &&
         (llama_vocab_is_eog(model->vocab, token) || al_llama_text_rules_end(model->rules, token));
}

const struct al_text_ops al_llama_text_ops = {
  .info = info,
  .tokenize = al_llama_tokenize,
  .piece = piece,
  .ends_generation = ends_generation,
  .decode = al_llama_decode,
  .logits = al_llama_logits,
  .sequence_remove = al_llama_sequence_remove,
  .sequence_holds = al_llama_sequence_holds,
  .sequence_copy = al_llama_sequence_copy,
  .embed = al_llama_embed,
  .tokenize_pair = al_llama_tokenize_pair,
  .adapter_load = al_llama_adapter_load,
  .adapter_free = al_llama_adapter_free,
  .adapter_use = al_llama_adapter_use,
};
