#include "engine/fake/model.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"

#include <assert.h>
#include <math.h>

constexpr int DEFAULT_N_CTX = 4096;
constexpr int N_CTX_TRAIN = 8192;
constexpr uint64_t DEFAULT_WEIGHTS_BYTES = 1 << 20;

/* Never chosen by accident: its format, "unknown", is every unreadable model's. */
static enum al_code supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  if (al_streq(descriptor->runtime, al_engine_fake.runtime))
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "the format of the model's files is unknown");
}

static int or_default(int value, int otherwise)
{
  return value > 0 ? value : otherwise;
}

static int chosen_n_ctx(const struct al_load_options *options)
{
  return or_default(al_fake_knobs.kv_capacity, or_default(options->n_ctx, DEFAULT_N_CTX));
}

uint64_t fake_weights_bytes(void)
{
  return al_fake_knobs.weights_bytes > 0 ? al_fake_knobs.weights_bytes : DEFAULT_WEIGHTS_BYTES;
}

/* One with speech or pictures alone. */
static bool has_no_text(unsigned capabilities)
{
  constexpr unsigned OTHERS = AL_CAN_TRANSCRIBE | AL_CAN_SPEAK | AL_CAN_DRAW;
  return (capabilities & OTHERS) != 0 && (capabilities & ~OTHERS) == 0;
}

static enum al_code estimate(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                             struct al_memory_estimate *out, struct al_err *)
{
  int n_ctx = chosen_n_ctx(options);
  *out = (struct al_memory_estimate){ .weights_ram_bytes = fake_weights_bytes() };
  if (has_no_text(descriptor->capabilities))
    return AL_OK;
  *out = (struct al_memory_estimate){
    .weights_ram_bytes = fake_weights_bytes(),
    .kv_ram_bytes = (uint64_t)n_ctx * sizeof(struct fake_cell),
    .compute_ram_bytes = (uint64_t)or_default(options->n_batch, 512) * AL_FAKE_N_VOCAB * sizeof(float),
    .n_ctx = n_ctx,
  };
  return AL_OK;
}

/* Stands for work: ends early when `goes_on` says so, which is asked every millisecond. */
static bool work_for(int64_t ns, bool (*goes_on)(void *user, float fraction), void *user)
{
  int64_t start = al_now_ns();
  for (int64_t spent = 0; spent < ns; spent = al_now_ns() - start) {
    if (!goes_on(user, (float)spent / (float)ns))
      return false;
    int64_t slice = ns - spent < AL_NS_PER_MS ? ns - spent : AL_NS_PER_MS;
    struct timespec pause = { .tv_nsec = slice };
    (void)nanosleep(&pause, nullptr);
  }
  return goes_on(user, 1.0F);
}

struct watcher {
  al_load_progress_fn *progress;
  void *user;
};

static bool report_progress(void *user, float fraction)
{
  const struct watcher *watcher = user;
  return watcher->progress == nullptr || watcher->progress(watcher->user, fraction);
}

static void unload(struct al_engine_model *model)
{
  if (model == nullptr)
    return;
  for (int i = 0; model->sequences != nullptr && i < model->n_seq_max; i++)
    al_free(model->sequences[i].cells);
  al_free(model->sequences);
  al_free(model->cells);
  al_free(model->free_cells);
  al_free(model->logits);
  al_free(model->has_logits);
  al_free(model);
  al_fake_counts.n_unloads++;
}
AL_DEFINE_CLEANUP(struct al_engine_model, unload)

static bool allocate(struct al_engine_model *model)
{
  size_t n_ctx = (size_t)model->n_ctx;
  size_t n_batch = (size_t)model->n_batch;
  model->cells = al_calloc(n_ctx, sizeof *model->cells);
  model->free_cells = al_calloc(n_ctx, sizeof *model->free_cells);
  model->sequences = al_calloc((size_t)model->n_seq_max, sizeof *model->sequences);
  model->logits = al_calloc(n_batch, AL_FAKE_N_VOCAB * sizeof *model->logits);
  model->has_logits = al_calloc(n_batch, sizeof *model->has_logits);
  if (model->cells == nullptr || model->free_cells == nullptr || model->sequences == nullptr ||
      model->logits == nullptr || model->has_logits == nullptr)
    return false;
  for (int i = 0; i < model->n_seq_max; i++) {
    model->sequences[i].cells = al_calloc(n_ctx, sizeof(int));
    if (model->sequences[i].cells == nullptr)
      return false;
  }
  for (int i = 0; i < model->n_ctx; i++)
    model->free_cells[model->n_free++] = i;
  return true;
}

static void read_capabilities(struct al_engine_model *model, unsigned capabilities)
{
  model->hears = (capabilities & AL_CAN_TRANSCRIBE) != 0;
  model->speaks = (capabilities & AL_CAN_SPEAK) != 0;
  model->draws = (capabilities & AL_CAN_DRAW) != 0;
  model->generates = capabilities == 0 || (capabilities & (AL_CAN_CHAT | AL_CAN_COMPLETE)) != 0;
  if ((capabilities & AL_CAN_RERANK) != 0)
    model->pooling = AL_POOLING_RANK;
  else if ((capabilities & AL_CAN_EMBED) != 0)
    model->pooling = AL_POOLING_MEAN;
}

static enum al_code load(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                         al_load_progress_fn *progress, void *user, struct al_engine_model **out, struct al_err *err)
{
  struct watcher watcher = { progress, user };
  if (!work_for(al_fake_knobs.load_ns, report_progress, &watcher))
    return al_fail(err, AL_CANCELLED, "loading '%s' was cancelled", descriptor->id);
  enum al_code wanted = (enum al_code)al_fake_knobs.load_code;
  if (wanted != AL_OK)
    return al_fail(err, wanted, "the fake engine was told not to load '%s'", descriptor->id);

  AL_CLEANUP(unload_p) struct al_engine_model *model = al_calloc(1, sizeof *model);
  if (model == nullptr)
    return al_fail_oom(err, sizeof *model);
  al_fake_counts.n_loads++;
  model->n_ctx = chosen_n_ctx(options);
  model->n_batch = or_default(options->n_batch, 512);
  model->n_seq_max = or_default(options->n_seq_max, 16);
  model->add_bos = al_fake_knobs.add_bos;
  model->has_fim = !al_fake_knobs.no_fim;
  read_capabilities(model, descriptor->capabilities);
  model->chat_template = al_fake_knobs.chat_template;
  atomic_flag_clear(&model->busy);
  if (has_no_text(descriptor->capabilities)) {
    *out = AL_TAKE(model);
    return AL_OK;
  }
  if (!allocate(model))
    return al_fail_oom(err, (size_t)model->n_ctx * sizeof *model->cells);
  *out = AL_TAKE(model);
  return AL_OK;
}

static void info(const struct al_engine_model *model, struct al_text_info *out)
{
  *out = (struct al_text_info){
    .n_vocab = AL_FAKE_N_VOCAB,
    .n_cells = model->n_ctx,
    .n_ctx = model->n_ctx < N_CTX_TRAIN ? model->n_ctx : N_CTX_TRAIN,
    .n_ctx_train = N_CTX_TRAIN,
    .n_seq_max = model->n_seq_max,
    .n_batch = model->n_batch,
    .add_bos = model->add_bos,
    .generates = model->generates,
    .pooling = model->pooling,
    .n_embd = model->pooling == AL_POOLING_RANK ? 1 : AL_FAKE_N_EMBD,
    .fim_prefix = model->has_fim ? AL_FAKE_FIM_PREFIX : -1,
    .fim_suffix = model->has_fim ? AL_FAKE_FIM_PREFIX + 1 : -1,
    .fim_middle = model->has_fim ? AL_FAKE_FIM_PREFIX + 2 : -1,
    .chat_template = model->chat_template,
    .bos_text = "<|bos|>",
    .eos_text = "<|im_end|>",
    .temperature = NAN,
    .top_p = NAN,
    .top_k = 0,
    .memory_bytes = fake_weights_bytes(),
  };
}

bool fake_its_turn(_Atomic int *countdown)
{
  return *countdown > 0 && atomic_fetch_sub(countdown, 1) == 1;
}

static bool not_stopped(void *user, float)
{
  return !al_cancelled(user);
}

bool fake_work(int64_t ns, const struct al_cancel *stop)
{
  struct al_cancel *token = (struct al_cancel *)(uintptr_t)stop; /* work_for's callback takes void *, only reads it */
  return work_for(ns, not_stopped, token);
}

/* Programmer's mistakes, all of them; checked before anything changes. Returns how many sequences take part. */
static uint64_t check_items(const struct al_engine_model *model, const struct al_text_item *items, size_t n_items)
{
  assert(n_items > 0 && n_items <= (size_t)model->n_batch);
  uint64_t n_sequences = 0;
  for (size_t i = 0; i < n_items; i++) {
    const struct al_text_item *item = &items[i];
    assert(item->token >= 0 && item->token < AL_FAKE_N_VOCAB);
    assert(item->sequence >= 0 && item->sequence < model->n_seq_max);
    int expected = model->sequences[item->sequence].count;
    bool first = true;
    for (size_t j = 0; j < i; j++) {
      expected += items[j].sequence == item->sequence;
      first = first && items[j].sequence != item->sequence;
    }
    assert(item->position == expected);
    n_sequences += first;
  }
  return n_sequences;
}

static enum al_code fail_when_told(struct al_err *err)
{
  if (fake_its_turn(&al_fake_knobs.abort_decode_at))
    abort();
  if (!fake_its_turn(&al_fake_knobs.fail_decode_at))
    return AL_OK;
  enum al_code code = (enum al_code)al_fake_knobs.fail_decode_code;
  code = al_fail(err, code, "the fake engine was told to fail this decode");
  return code == AL_OOM_RAM ? al_fail_reason(err, code, "kv_full") : code;
}

static enum al_code decode_alone(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                                 const struct al_cancel *stop, struct al_err *err)
{
  uint64_t n_sequences = check_items(model, items, n_items);
  al_fake_counts.n_decodes++;
  if (n_sequences > al_fake_counts.most_sequences_in_a_decode)
    al_fake_counts.most_sequences_in_a_decode = n_sequences;
  AL_TRY(fail_when_told(err));
  if (n_items > (size_t)model->n_free) {
    enum al_code code =
        al_fail(err, AL_OOM_RAM, "the KV cache has room for %d more tokens, %zu are needed", model->n_free, n_items);
    return al_fail_reason(err, code, "kv_full");
  }
  if (!fake_work(al_fake_knobs.decode_ns, stop))
    return al_fail(err, AL_CANCELLED, "cancelled in the middle of a decode");
  for (size_t i = 0; i < n_items; i++) {
    fake_append(model, items[i].sequence, items[i].token);
    if (items[i].wants_logits)
      fake_speak(model, items[i].sequence, model->logits + i * AL_FAKE_N_VOCAB);
  }
  for (size_t i = 0; i < (size_t)model->n_batch; i++)
    model->has_logits[i] = i < n_items && items[i].wants_logits;
  al_fake_counts.n_items += n_items;
  return AL_OK;
}

static enum al_code decode(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                           const struct al_cancel *stop, struct al_err *err)
{
  bool was_busy = atomic_flag_test_and_set(&model->busy);
  assert(!was_busy && model->generates);
  enum al_code code = decode_alone(model, items, n_items, stop, err);
  atomic_flag_clear(&model->busy);
  return code;
}

static float *logits(struct al_engine_model *model, size_t item)
{
  assert(item < (size_t)model->n_batch && model->has_logits[item]);
  return model->logits + item * AL_FAKE_N_VOCAB;
}

static bool sequence_remove(struct al_engine_model *model, int32_t sequence, int32_t from, int32_t to)
{
  assert(sequence >= 0 && sequence < model->n_seq_max);
  return fake_remove(model, sequence, from, to);
}

static void sequence_copy(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end)
{
  assert(source >= 0 && source < model->n_seq_max && to >= 0 && to < model->n_seq_max);
  fake_copy(model, source, to, from, end);
}

static const struct al_text_ops text_ops = {
  .info = info,
  .tokenize = fake_tokenize,
  .piece = fake_piece,
  .ends_generation = fake_ends_generation,
  .decode = decode,
  .logits = logits,
  .sequence_remove = sequence_remove,
  .sequence_copy = sequence_copy,
  .embed = fake_embed,
  .tokenize_pair = fake_tokenize_pair,
  .adapter_load = fake_adapter_load,
  .adapter_free = fake_adapter_free,
  .adapter_use = fake_adapter_use,
};

const struct al_engine al_engine_fake = {
  .runtime = "fake",
  .formats = 1U << AL_FORMAT_UNKNOWN,
  .capabilities =
      AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_RERANK | AL_CAN_TRANSCRIBE | AL_CAN_SPEAK | AL_CAN_DRAW,
  .supports = supports,
  .estimate = estimate,
  .load = load,
  .unload = unload,
  .text = &text_ops,
  .transcribe = &fake_transcribe_ops,
  .speak = &fake_speak_ops,
  .draw = &fake_draw_ops,
};
