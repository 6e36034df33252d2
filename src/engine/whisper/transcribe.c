/* The slots of al_transcribe_ops. Audio is heard in pieces of ten minutes, each one call into libwhisper, so that
 * memory is bounded; what is shorter gives exactly what whisper-cli gives. Where a piece ends, the segment that the cut
 * may have hurt is thrown away, and the next piece begins at its start, with the text before as the prompt. */
#include "engine/whisper/prompt.h"
#include "engine/whisper/segment.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

constexpr size_t READ_SAMPLES = 1 << 16;
constexpr size_t LEAST_SAMPLES = WHISPER_SAMPLE_RATE / 10; /* libwhisper hears nothing in less */
constexpr float SILENCE = 1.0F / 32768;                    /* below the smallest step of a 16-bit sample */
constexpr float LEAST_TEMPERATURE_STEP = 0.01F;
/* A segment is part of a window of 30 s: a last one that begins long before the end was not cut. */
constexpr double WINDOW_S = WHISPER_CHUNK_SIZE;

struct run {
  struct al_engine_model *model;
  const struct al_transcribe_options *options;
  const struct al_pcm_source *source;
  const struct al_transcribe_sink *sink;
  float *samples; /* owned */
  size_t n_samples, capacity;
  double offset_s;       /* of the piece in the audio */
  bool is_last;          /* the last piece */
  bool has_ended;        /* the source */
  bool drops_last;       /* the last segment of this piece is for the next one to hear again */
  int n_sent;            /* segments of this piece */
  int n_attempts;        /* at this window: each is hotter than the one before */
  float temperatures[2]; /* of the window of the newest segment, and of the segment before that */
  char language[8];      /* "": not yet known */
  int n_tokens;
  struct al_whisper_past past;
  struct al_whisper_segments segments;
  struct al_err failure; /* in a callback */
};

static void run_done(struct run *run)
{
  al_free(run->samples);
  al_whisper_past_done(&run->past);
  al_whisper_segments_done(&run->segments);
  atomic_store(&run->model->stop.cancel, nullptr);
}

/* --- hearing ---------------------------------------------------------------------------------------------------- */

/* Reads until one sample more is there than a piece takes, or the source has ended. */
static enum al_code fill(struct run *run, struct al_err *err)
{
  while (!run->has_ended && run->n_samples <= AL_WHISPER_PIECE_SAMPLES) {
    void *samples = run->samples;
    AL_TRY(al_grow(&samples, &run->capacity, run->n_samples + READ_SAMPLES, sizeof *run->samples, err));
    run->samples = samples;
    size_t n = 0;
    AL_TRY(run->source->read(run->source->user, run->samples + run->n_samples, READ_SAMPLES, &n, err));
    for (size_t i = run->n_samples; i < run->n_samples + n; i++)
      if (!isfinite(run->samples[i]))
        run->samples[i] = 0;
    run->n_samples += n;
    run->has_ended = n == 0;
    if (al_whisper_stopped(&run->model->stop))
      return AL_OK;
  }
  run->is_last = run->n_samples <= AL_WHISPER_PIECE_SAMPLES;
  return AL_OK;
}

static size_t piece_samples(const struct run *run)
{
  return al_min_size(run->n_samples, AL_WHISPER_PIECE_SAMPLES);
}

static double seconds(size_t n_samples)
{
  return (double)n_samples / WHISPER_SAMPLE_RATE;
}

static bool is_silent(const struct run *run)
{
  for (size_t i = 0; i < piece_samples(run); i++)
    if (fabsf(run->samples[i]) >= SILENCE)
      return false;
  return true;
}

static void drop_samples(struct run *run, size_t n)
{
  memmove(run->samples, run->samples + n, (run->n_samples - n) * sizeof *run->samples);
  run->n_samples -= n;
  run->offset_s += seconds(n);
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static void fail_in_callback(struct run *run)
{
  atomic_store(&run->model->stop.refused, true);
}

static float temperature_of(const struct run *run)
{
  float t = run->options->temperature;
  for (int i = 1; i < run->n_attempts; i++)
    t += run->options->temperature_step;
  return t;
}

/* libwhisper takes models with two decoder layers for the first distilled ones, which know no timestamps. */
static bool is_untimed(const struct run *run)
{
  const struct al_whisper_sizes *s = &run->model->sizes;
  return run->options->without_timestamps || (s->n_text_layer == 2 && s->n_vocab != AL_WHISPER_LARGEST_VOCAB);
}

static void send_one(struct run *run, const struct al_whisper_where *where)
{
  struct al_speech_segment segment;
  if (al_whisper_segment_make(&run->segments, where, &segment, &run->failure) != AL_OK) {
    fail_in_callback(run);
    return;
  }
  run->n_sent++;
  run->n_tokens += (int)segment.n_tokens;
  al_whisper_past_add(&run->past, segment.tokens, segment.n_tokens);
  if (!run->sink->segment(run->sink->user, &segment))
    fail_in_callback(run);
}

/* Sends what is there. While more may come, the last stays back if it may be dropped, or waits for the rest of a
 * character. */
static void send_segments(struct run *run, bool is_over)
{
  struct whisper_state *state = run->model->state;
  int n = whisper_full_n_segments_from_state(state);
  int most = run->drops_last ? n - 1 : n;
  while (run->n_sent < most && !al_whisper_stopped(&run->model->stop)) {
    const struct al_whisper_where where = {
      .context = run->model->context,
      .state = state,
      .index = run->n_sent,
      .offset_s = run->offset_s,
      .temperature = run->temperatures[run->n_sent == n - 1 ? 0 : 1],
      .is_untimed = is_untimed(run),
      .is_last = is_over && run->n_sent == most - 1,
    };
    if (!is_over && run->n_sent == n - 1 && al_whisper_segment_is_cut(&where))
      return;
    send_one(run, &where);
  }
}

/* --- libwhisper's callbacks, on the thread that called it ----------------------------------------------------------
 */

static void learn_language(struct run *run)
{
  if (run->language[0] != '\0')
    return;
  const char *language = whisper_lang_str(whisper_full_lang_id_from_state(run->model->state));
  (void)snprintf(run->language, sizeof run->language, "%s", language != nullptr ? language : "");
  run->segments.words_have_spaces = al_whisper_writes_spaces(run->language);
}

static void on_segment(struct whisper_context *, struct whisper_state *, int, void *user)
{
  struct run *run = user;
  run->temperatures[1] = run->temperatures[0];
  run->temperatures[0] = temperature_of(run);
  learn_language(run);
  send_segments(run, false);
}

static void on_progress(struct whisper_context *, struct whisper_state *, int percent, void *user)
{
  struct run *run = user;
  double done_s = run->offset_s + seconds(piece_samples(run)) * (percent < 100 ? percent : 100) / 100.0;
  if (run->sink->progress != nullptr && !run->sink->progress(run->sink->user, done_s))
    fail_in_callback(run);
}

static bool on_window(struct whisper_context *, struct whisper_state *, void *user)
{
  struct run *run = user;
  run->n_attempts = 0;
  return !al_whisper_stopped(&run->model->stop);
}

/* Called for every token of every decoder; without one yet, an attempt begins. */
static void on_logits(struct whisper_context *, struct whisper_state *, const whisper_token_data *, int n_tokens,
                      float *, void *user)
{
  struct run *run = user;
  if (n_tokens > 0)
    return;
  run->n_attempts++;
  run->model->is_state_used |= run->n_attempts > 1;
}

static bool on_abort(void *user)
{
  return al_whisper_stopped(&((struct run *)user)->model->stop);
}

/* --- a piece --------------------------------------------------------------------------------------------------------
 */

static struct whisper_full_params full_params(struct run *run)
{
  const struct al_transcribe_options *o = run->options;
  bool beams = o->n_beams > 1;
  struct whisper_full_params p =
      whisper_full_default_params(beams ? WHISPER_SAMPLING_BEAM_SEARCH : WHISPER_SAMPLING_GREEDY);
  p.n_threads = o->n_threads > 0 ? o->n_threads : run->model->n_threads;
  p.translate = o->translate;
  p.language = run->language[0] != '\0' ? run->language : "auto";
  p.no_context = true; /* of other requests: the prompt carries our own */
  p.prompt_tokens = run->past.tokens;
  p.prompt_n_tokens = (int)run->past.count;
  p.no_timestamps = o->without_timestamps;
  p.token_timestamps = o->wants_words;
  p.suppress_blank = run->model->suppresses_blank;
  p.temperature = o->temperature;
  p.temperature_inc = o->temperature_step;
  p.greedy.best_of = AL_WHISPER_BEST_OF;
  p.beam_search.beam_size = beams ? o->n_beams : 1;
  p.print_progress = p.print_realtime = p.print_timestamps = p.print_special = false;
  p.new_segment_callback = on_segment;
  p.progress_callback = on_progress;
  p.encoder_begin_callback = on_window;
  p.logits_filter_callback = on_logits;
  p.abort_callback = on_abort;
  p.new_segment_callback_user_data = p.progress_callback_user_data = p.encoder_begin_callback_user_data =
      p.logits_filter_callback_user_data = p.abort_callback_user_data = run;
  return p;
}

/* Greedy decoding alone leaves a state as it was made, as far as the next request can tell. */
static enum al_code take_state(struct al_engine_model *model, struct al_err *err)
{
  if (model->state != nullptr && !model->is_state_used)
    return AL_OK;
  if (model->state != nullptr)
    whisper_free_state(model->state);
  model->state = al_whisper_state_new(model->context, &model->stop);
  model->is_state_used = false;
  return model->state != nullptr ? AL_OK : al_fail(err, AL_OOM_RAM, "there is no room for the buffers to run it");
}

static enum al_code why_stopped(const struct run *run, struct al_err *err)
{
  if (run->failure.code != AL_OK) {
    if (err != nullptr)
      *err = run->failure;
    return run->failure.code;
  }
  enum al_code reason = al_cancel_reason(atomic_load(&run->model->stop.cancel));
  return al_fail(err, reason != AL_OK ? reason : AL_CANCELLED, "the transcription was stopped");
}

static enum al_code explain(struct run *run, int status, struct al_err *err)
{
  constexpr int no_cache = -7; /* libwhisper has freed the state */
  if (status == no_cache) {
    run->model->state = nullptr;
    return al_fail(err, AL_OOM_RAM, "there is no room for the decoders' cache");
  }
  return al_fail(err, AL_INTERNAL, "libwhisper gave up (%d)", status);
}

static enum al_code hear(struct run *run, struct al_err *err)
{
  run->n_sent = 0;
  run->n_attempts = 0;
  run->drops_last = !run->is_last && !is_untimed(run);
  run->model->is_state_used |= run->options->n_beams > 1 || run->options->temperature > 0;
  int status = whisper_full_with_state(run->model->context, run->model->state, full_params(run), run->samples,
                                       (int)piece_samples(run));
  if (al_whisper_stopped(&run->model->stop))
    return why_stopped(run, err);
  if (status != 0)
    return explain(run, status, err);
  learn_language(run);
  return AL_OK;
}

/* Where the next piece begins: at the segment that the end may have cut, or where nothing more was heard. */
static size_t next_piece(struct run *run)
{
  constexpr double end_s = (double)AL_WHISPER_PIECE_SAMPLES / WHISPER_SAMPLE_RATE;
  struct whisper_state *state = run->model->state;
  int n = whisper_full_n_segments_from_state(state);
  if (!run->drops_last)
    return AL_WHISPER_PIECE_SAMPLES;
  double cut_s = end_s - WINDOW_S;
  if (n > 0) {
    double start_s = (double)whisper_full_get_segment_t0_from_state(state, n - 1) * 0.01;
    double stop_s = (double)whisper_full_get_segment_t1_from_state(state, n - 1) * 0.01;
    run->drops_last = start_s >= end_s - 2 * WINDOW_S && stop_s > cut_s;
    cut_s = run->drops_last ? start_s : fmax(stop_s, cut_s);
  }
  return (size_t)(fmin(cut_s, end_s) * WHISPER_SAMPLE_RATE);
}

static enum al_code transcribe_piece(struct run *run, struct al_err *err)
{
  size_t next = piece_samples(run);
  if (next >= LEAST_SAMPLES && !is_silent(run)) {
    AL_TRY(take_state(run->model, err));
    AL_TRY(hear(run, err));
    next = run->is_last ? next : next_piece(run);
    send_segments(run, true);
    if (al_whisper_stopped(&run->model->stop))
      return why_stopped(run, err);
  }
  drop_samples(run, next);
  return AL_OK;
}

/* --- the slots
 * -------------------------------------------------------------------------------------------------------- */

static void info(const struct al_engine_model *model, struct al_transcribe_info *out)
{
  bool multilingual = al_whisper_is_multilingual(&model->sizes);
  *out = (struct al_transcribe_info){ .sample_rate = WHISPER_SAMPLE_RATE,
                                      .is_multilingual = multilingual,
                                      .can_translate = multilingual,
                                      .memory_bytes = model->memory_bytes };
}

/* The codes have their tokens in the order of libwhisper's numbers; an older model ends before the hundredth. */
static bool knows(const struct al_engine_model *model, const char *language)
{
  int id = strlen(language) <= 3 ? whisper_lang_id(language) : -1;
  int n_languages = model->sizes.n_vocab - AL_WHISPER_ENGLISH_VOCAB + 98;
  return id >= 0 && id < n_languages && al_streq(whisper_lang_str(id), language);
}

static enum al_code check_language(const struct al_engine_model *model, const char *language, struct al_err *err)
{
  if (language[0] == '\0')
    return AL_OK;
  if (!al_whisper_is_multilingual(&model->sizes))
    return al_streq(language, "en") ? AL_OK : al_fail_param(err, "language", "this model knows English alone");
  if (!knows(model, language))
    return al_fail_param(err, "language", "this model does not know the language \"%.20s\"", language);
  return AL_OK;
}

static enum al_code check_options(const struct al_engine_model *model, const struct al_transcribe_options *o,
                                  struct al_err *err)
{
  AL_TRY(check_language(model, o->language, err));
  if (o->translate && !al_whisper_is_multilingual(&model->sizes))
    return al_fail_param(err, "translate", "this model knows English alone");
  if (!(o->temperature >= 0 && o->temperature <= 1))
    return al_fail_param(err, "temperature", "the temperature must be from 0 to 1");
  if (!(o->temperature_step >= 0) || (o->temperature_step > 0 && o->temperature_step < LEAST_TEMPERATURE_STEP))
    return al_fail_param(err, "temperature_step", "the step must be 0 or at least %.2f",
                         (double)LEAST_TEMPERATURE_STEP);
  if (o->n_beams < 0 || o->n_beams > AL_WHISPER_MAX_BEAMS)
    return al_fail_param(err, "n_beams", "there can be up to %d beams", AL_WHISPER_MAX_BEAMS);
  return AL_OK;
}

static enum al_code start(struct run *run, struct al_err *err)
{
  AL_TRY(al_whisper_past_init(&run->past, run->model->context, err));
  al_whisper_past_add_text(&run->past, run->model->context, run->options->prompt);
  bool english = !al_whisper_is_multilingual(&run->model->sizes);
  (void)snprintf(run->language, sizeof run->language, "%s", english ? "en" : run->options->language);
  run->segments.wants_words = run->options->wants_words;
  run->segments.words_have_spaces = al_whisper_writes_spaces(run->language);
  return AL_OK;
}

static enum al_code transcribe(struct al_engine_model *model, const struct al_transcribe_options *options,
                               const struct al_pcm_source *source, const struct al_transcribe_sink *sink,
                               const struct al_cancel *stop, struct al_transcribe_result *result, struct al_err *err)
{
  AL_TRY(check_options(model, options, err));
  AL_CLEANUP(run_done) struct run run = { .model = model, .options = options, .source = source, .sink = sink };
  atomic_store(&model->stop.refused, false);
  atomic_store(&model->stop.cancel, stop);
  AL_TRY(start(&run, err));
  double duration_s = 0;
  do {
    AL_TRY(fill(&run, err));
    if (al_whisper_stopped(&model->stop))
      return why_stopped(&run, err);
    duration_s = run.offset_s + seconds(run.n_samples);
    AL_TRY(transcribe_piece(&run, err));
  } while (!run.is_last);
  *result = (struct al_transcribe_result){ .duration_s = duration_s, .n_tokens = run.n_tokens };
  memcpy(result->language, run.language, sizeof result->language);
  return AL_OK;
}

const struct al_transcribe_ops al_whisper_transcribe_ops = {
  .info = info,
  .check_language = check_language,
  .transcribe = transcribe,
};
