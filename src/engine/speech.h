/* What an engine does with speech: audio to text, text to audio. Slots of struct al_engine.
 *
 * A model is used by one thread at a time, its worker's; `info`, `voice` and the checks are safe from any thread, also
 * while it works. */
#ifndef AL_ENGINE_SPEECH_H
#define AL_ENGINE_SPEECH_H

#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_engine_model;

/* --- speech to text --------------------------------------------------------------------------------------------- */

struct al_transcribe_info {
  int sample_rate;      /* of the samples it wants: 16000 */
  bool is_multilingual; /* false: English alone; `language` must be "en" or "", `translate` false */
  bool can_translate;
  uint64_t memory_bytes; /* what the loaded model holds */
};

struct al_pcm_source { /* mono samples, in order */
  /* Fills up to capacity; *n 0: the end. */
  enum al_code (*read)(void *user, float *samples, size_t capacity, size_t *n, struct al_err *err);
  void *user;
  double duration_s; /* as the file claims, for the progress alone; 0: unknown */
};

struct al_transcribe_options {
  const char *language;    /* ISO 639-1 ("en"); "": found out by listening */
  bool translate;          /* into English */
  const char *prompt;      /* what was said before, spellings; "" none. Longer than the model takes: its end */
  float temperature;       /* 0: greedy or beam, with fallback */
  float temperature_step;  /* fallback: so much hotter each time a window goes wrong, up to 1; 0: no fallback */
  int n_beams;             /* 0 or 1: greedy */
  bool wants_words;        /* words with times in the segments */
  bool without_timestamps; /* plain text: the model writes no timestamps (faster on short audio) */
  int n_threads;           /* 0: the load's */
};

struct al_speech_word { /* times in seconds from the start of the audio */
  struct al_str text;   /* without surrounding space */
  double start_s, end_s;
  float probability;
};

struct al_speech_segment { /* borrowed for the call */
  int id;                  /* from 0 */
  double start_s, end_s;
  struct al_str text; /* as the model writes it: usually with a leading space. Complete UTF-8 */
  const int32_t *tokens;
  size_t n_tokens;
  const struct al_speech_word *words; /* with wants_words */
  size_t n_words;
  float temperature, avg_logprob, compression_ratio, no_speech_prob;
};

struct al_transcribe_result {
  char language[8];  /* what was spoken or asked for */
  double duration_s; /* of the audio heard */
  int n_tokens;      /* written by the model */
};

struct al_transcribe_sink { /* on the calling thread; `false` stops: AL_CANCELLED */
  bool (*segment)(void *user, const struct al_speech_segment *segment); /* as soon as it is there, in order */
  bool (*progress)(void *user, double done_s);                          /* may be nullptr */
  void *user;
};

struct al_transcribe_ops {
  void (*info)(const struct al_engine_model *model, struct al_transcribe_info *info);
  /* AL_OK or nullptr-safe reason: does it know that language? "" always passes. AL_INVALID_REQUEST otherwise. */
  enum al_code (*check_language)(const struct al_engine_model *model, const char *language, struct al_err *err);
  /* Memory is bounded whatever the length: it reads ahead some minutes at most. Looks at `stop` between windows and
   * inside computations: well below a second. */
  enum al_code (*transcribe)(struct al_engine_model *model, const struct al_transcribe_options *options,
                             const struct al_pcm_source *source, const struct al_transcribe_sink *sink,
                             const struct al_cancel *stop, struct al_transcribe_result *result, struct al_err *err);
};

/* --- text to speech --------------------------------------------------------------------------------------------- */

struct al_voice { /* borrowed until the model is unloaded */
  const char *id; /* "en-us", "en-gb+f3" */
  const char *name;
  const char *language; /* BCP 47: "en-us" */
  const char *gender;   /* "male", "female" or "" */
};

struct al_speak_info {
  int sample_rate; /* of the samples it makes */
  size_t n_voices;
  uint64_t memory_bytes;
};

struct al_speak_options {
  const char *voice; /* an id, or one of OpenAI's names (alloy, ...), which each engine maps; "": the default */
  double speed;      /* 0.25 .. 4; 1: normal */
};

/* Samples in -1..1 as they are made; false stops. */
typedef bool al_speak_sink_fn(void *user, const float *samples, size_t n);

struct al_speak_ops {
  void (*info)(const struct al_engine_model *model, struct al_speak_info *info);
  bool (*voice)(const struct al_engine_model *model, size_t index, struct al_voice *voice); /* false: past the end */
  /* AL_INVALID_REQUEST, reason "unknown_voice". */
  enum al_code (*check_voice)(const struct al_engine_model *model, const char *voice, struct al_err *err);
  enum al_code (*speak)(struct al_engine_model *model, struct al_str text, const struct al_speak_options *options,
                        al_speak_sink_fn *sink, void *user, const struct al_cancel *stop, struct al_err *err);
};

#endif
