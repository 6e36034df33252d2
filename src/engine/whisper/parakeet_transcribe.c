/* The slots of al_transcribe_ops. Audio is heard in pieces of as much as the model's window takes (50 s), each one call
 * into libparakeet, so that memory is bounded; what is shorter gives exactly what parakeet-cli gives. Where a piece
 * ends, the word that the cut may have hurt is thrown away, and the next piece begins before it. */
#include "engine/whisper/parakeet_segment.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

constexpr size_t READ_SAMPLES = 1 << 16;
constexpr size_t LEAST_SAMPLES = PARAKEET_SAMPLE_RATE / 10;
constexpr float SILENCE = 1.0F / 32768; /* below the smallest step of a 16-bit sample */
constexpr double S_PER_TICK = 0.01;
constexpr double FRAME_S = 0.08; /* of the encoder */
constexpr double PAUSE_S = 3;    /* after it the last word was not cut */
constexpr double OVERLAP_S = 1;  /* heard again where nothing was heard */

struct run {
  struct al_engine_model *model;
  const struct al_transcribe_options *options;
  const struct al_pcm_source *source;
  const struct al_transcribe_sink *sink;
  float *samples; /* owned */
  size_t n_samples, capacity;
  double offset_s; /* of the piece in the audio */
  bool is_last;    /* the last piece */
  bool has_ended;  /* the source */
  int n_tokens;
  struct al_parakeet_segments segments;
};

static void run_done(struct run *run)
{
  al_free(run->samples);
  al_parakeet_segments_done(&run->segments);
  atomic_store(&run->model->stop.cancel, nullptr);
}

static double seconds(size_t n_samples)
{
  return (double)n_samples / PARAKEET_SAMPLE_RATE;
}

static size_t most_samples(const struct run *run)
{
  return al_parakeet_piece_samples(&run->model->sizes);
}

static size_t piece_samples(const struct run *run)
{
  return al_min_size(run->n_samples, most_samples(run));
}

/* --- hearing ---------------------------------------------------------------------------------------------------- */

/* Reads until one sample more is there than a piece takes, or the source has ended. */
static enum al_code fill(struct run *run, struct al_err *err)
{
  while (!run->has_ended && run->n_samples <= most_samples(run)) {
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
  run->is_last = run->n_samples <= most_samples(run);
  return AL_OK;
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

static void on_token(struct parakeet_context *, struct parakeet_state *, const parakeet_token_data *token, void *user)
{
  struct run *run = user;
  double done_s = run->offset_s + fmin((double)token->t0 * S_PER_TICK, seconds(piece_samples(run)));
  if (run->sink->progress != nullptr && !run->sink->progress(run->sink->user, done_s))
    atomic_store(&run->model->stop.refused, true);
}

static bool on_window(struct parakeet_context *, struct parakeet_state *, void *user)
{
  return !al_whisper_stopped(&((const struct run *)user)->model->stop);
}

static bool on_abort(void *user)
{
  return al_whisper_stopped(&((const struct run *)user)->model->stop);
}

static enum al_code why_stopped(const struct run *run, struct al_err *err)
{
  enum al_code reason = al_cancel_reason(atomic_load(&run->model->stop.cancel));
  return al_fail(err, reason != AL_OK ? reason : AL_CANCELLED, "the transcription was stopped");
}

static enum al_code hear(struct run *run, struct al_err *err)
{
  struct parakeet_full_params p = parakeet_full_default_params(PARAKEET_SAMPLING_GREEDY);
  p.n_threads = run->options->n_threads > 0 ? run->options->n_threads : run->model->n_threads;
  p.new_token_callback = on_token;
  p.encoder_begin_callback = on_window;
  p.abort_callback = on_abort;
  p.new_token_callback_user_data = p.encoder_begin_callback_user_data = p.abort_callback_user_data = run;
  int status =
      parakeet_full_with_state(run->model->context, run->model->state, p, run->samples, (int)piece_samples(run));
  if (al_whisper_stopped(&run->model->stop))
    return why_stopped(run, err);
  if (status != 0)
    return al_fail(err, AL_INTERNAL, "libparakeet gave up (%d)", status);
  return AL_OK;
}

/* --- pieces ----------------------------------------------------------------------------------------------------- */

static double start_of(const struct al_parakeet_where *where, int index)
{
  return (double)al_parakeet_token(where, index).t0 * S_PER_TICK;
}

static double end_of(const struct al_parakeet_where *where, int index)
{
  return (double)al_parakeet_token(where, index).t1 * S_PER_TICK;
}

/* The last word that begins in the second half of the piece; 0: none. */
static int last_word(const struct al_parakeet_where *where, double piece_s)
{
  for (int i = where->n_tokens - 1; i > 0 && start_of(where, i) >= piece_s / 2; i--)
    if (al_parakeet_token(where, i).is_word_start)
      return i;
  return 0;
}

/* Where the next piece begins, in seconds of this one, in its second half: where->n_tokens are those that stay. */
static double cut(struct al_parakeet_where *where, double piece_s)
{
  double heard_s = where->n_tokens > 0 ? end_of(where, where->n_tokens - 1) : 0;
  if (heard_s < piece_s / 2)
    return piece_s - OVERLAP_S;
  int word = last_word(where, piece_s);
  if (word == 0 || heard_s < piece_s - PAUSE_S)
    return fmin(heard_s, piece_s);
  where->n_tokens = word;
  double before_s = end_of(where, word - 1);
  double start_s = start_of(where, word);
  double next_s = fmin((before_s + start_s) / 2, start_s - FRAME_S);
  return fmin(fmax(next_s, piece_s / 2), piece_s);
}

static enum al_code send(struct run *run, const struct al_parakeet_where *where, struct al_err *err)
{
  for (int first = 0; first < where->n_tokens;) {
    struct al_speech_segment segment;
    int end = al_parakeet_sentence_end(where, first);
    AL_TRY(al_parakeet_segment_make(&run->segments, where, first, end, &segment, err));
    run->n_tokens += end - first;
    first = end;
    if (segment.text.size > 0 && !run->sink->segment(run->sink->user, &segment))
      atomic_store(&run->model->stop.refused, true);
    if (al_whisper_stopped(&run->model->stop))
      return why_stopped(run, err);
  }
  return AL_OK;
}

static enum al_code transcribe_piece(struct run *run, struct al_err *err)
{
  size_t size = piece_samples(run);
  if (size < LEAST_SAMPLES || is_silent(run)) {
    drop_samples(run, size);
    return AL_OK;
  }
  AL_TRY(hear(run, err));
  struct parakeet_state *state = run->model->state;
  bool has_text = parakeet_full_n_segments_from_state(state) > 0;
  struct al_parakeet_where where = { .context = run->model->context,
                                     .state = state,
                                     .n_tokens = has_text ? parakeet_full_n_tokens_from_state(state, 0) : 0,
                                     .offset_s = run->offset_s,
                                     .end_s = run->offset_s + seconds(size) };
  size_t next = run->is_last ? size : (size_t)(cut(&where, seconds(size)) * PARAKEET_SAMPLE_RATE);
  AL_TRY(send(run, &where, err));
  drop_samples(run, next);
  return AL_OK;
}

/* --- the slots -------------------------------------------------------------------------------------------------- */

static bool is_multilingual(const struct al_engine_model *model)
{
  return model->sizes.n_vocab > AL_PARAKEET_ENGLISH_VOCAB;
}

static void info(const struct al_engine_model *model, struct al_transcribe_info *out)
{
  *out = (struct al_transcribe_info){ .sample_rate = PARAKEET_SAMPLE_RATE,
                                      .is_multilingual = is_multilingual(model),
                                      .memory_bytes = model->memory_bytes };
}

/* The languages of parakeet-tdt-0.6b-v3. It hears by itself which of them is spoken and cannot be told. */
static bool knows(const char *language)
{
  static const char *const known[] = { "bg", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "hu", "it",
                                       "lv", "lt", "mt", "pl", "pt", "ro", "sk", "sl", "es", "sv", "ru", "uk" };
  for (size_t i = 0; i < AL_COUNT(known); i++)
    if (al_streq(language, known[i]))
      return true;
  return false;
}

static enum al_code check_language(const struct al_engine_model *model, const char *language, struct al_err *err)
{
  if (language[0] == '\0' || al_streq(language, "en"))
    return AL_OK;
  if (!is_multilingual(model))
    return al_fail_param(err, "language", "this model knows English alone");
  if (!knows(language))
    return al_fail_param(err, "language", "this model does not know the language \"%.20s\"", language);
  return AL_OK;
}

static enum al_code refuse(const char *param, const char *what, struct al_err *err)
{
  (void)al_fail_param(err, param, "libparakeet has no %s", what);
  if (err != nullptr)
    err->code = AL_UNSUPPORTED;
  return AL_UNSUPPORTED;
}

static enum al_code check_options(const struct al_engine_model *model, const struct al_transcribe_options *o,
                                  struct al_err *err)
{
  AL_TRY(check_language(model, o->language, err));
  if (o->translate)
    return refuse("translate", "translation", err);
  if (o->prompt[0] != '\0')
    return refuse("prompt", "prompt", err);
  if (!(o->temperature == 0))
    return refuse("temperature", "temperature but 0", err);
  if (o->n_beams < 0 || o->n_beams > 1)
    return refuse("n_beams", "beams", err);
  return AL_OK;
}

static const char *language_of(const struct run *run)
{
  bool is_told = run->options->language[0] != '\0';
  return is_told ? run->options->language : is_multilingual(run->model) ? "" : "en";
}

static enum al_code transcribe(struct al_engine_model *model, const struct al_transcribe_options *options,
                               const struct al_pcm_source *source, const struct al_transcribe_sink *sink,
                               const struct al_cancel *stop, struct al_transcribe_result *result, struct al_err *err)
{
  AL_TRY(check_options(model, options, err));
  AL_CLEANUP(run_done) struct run run = { .model = model, .options = options, .source = source, .sink = sink };
  atomic_store(&model->stop.refused, false);
  atomic_store(&model->stop.cancel, stop);
  run.segments.wants_words = options->wants_words;
  double duration_s = 0;
  do {
    AL_TRY(fill(&run, err));
    if (al_whisper_stopped(&model->stop))
      return why_stopped(&run, err);
    duration_s = run.offset_s + seconds(run.n_samples);
    AL_TRY(transcribe_piece(&run, err));
  } while (!run.is_last);
  *result = (struct al_transcribe_result){ .duration_s = duration_s, .n_tokens = run.n_tokens };
  (void)snprintf(result->language, sizeof result->language, "%s", language_of(&run));
  return AL_OK;
}

const struct al_transcribe_ops al_parakeet_transcribe_ops = {
  .info = info,
  .check_language = check_language,
  .transcribe = transcribe,
};
