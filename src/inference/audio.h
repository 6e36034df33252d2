/* Speech: the requests, and the events that answer them. Part of inference.h. */
#ifndef AL_INFERENCE_AUDIO_H
#define AL_INFERENCE_AUDIO_H

#include "engine/speech.h"
#include "media/media.h"

struct al_inference;

enum al_audio_event_kind {
  AL_AUDIO_STARTED,  /* the model is there and the file is audio (`info`) / the voice is known; nothing came before */
  AL_AUDIO_SEGMENT,  /* transcription: `segment` */
  AL_AUDIO_PROGRESS, /* transcription: `done_s` of the audio have been heard; at most some ten a second */
  AL_AUDIO_BYTES,    /* speech: `bytes` of the encoded answer */
  AL_AUDIO_DONE,     /* last: `result` (of a speech: the duration alone) */
  AL_AUDIO_FAILED,   /* last: `err` */
};

struct al_audio_event { /* borrowed for the call */
  enum al_audio_event_kind kind;
  const struct al_audio_info *info;
  const struct al_speech_segment *segment;
  double done_s;
  struct al_str bytes;
  const struct al_transcribe_result *result;
  bool is_truncated; /* DONE: the file broke off; the text is of what came before */
  const struct al_err *err;
};

/* One after another for a request, from one internal thread at a time, never on the submitter's stack. DONE or FAILED
 * comes exactly once, last. Must not block. */
typedef void al_audio_event_fn(void *user, const struct al_audio_event *event);

struct al_transcription_request { /* strings are copied */
  const char *model;
  struct al_media_source file; /* the descriptor is duplicated by submit */
  struct al_transcribe_options options;
  struct al_cancel *cancel; /* a reference is taken; may be nullptr */
  al_audio_event_fn *on_event;
  void *user;
};

struct al_speech_request { /* strings are copied */
  const char *model;
  struct al_str text;
  struct al_speak_options options;
  enum al_audio_format format;
  struct al_cancel *cancel;
  al_audio_event_fn *on_event;
  void *user;
};

/* AL_OK: events will come. Otherwise nothing was started: AL_NOT_FOUND "model_not_found", AL_UNSUPPORTED (it does not
 * transcribe, quarantined), AL_OOM_RAM "overloaded" (the queue is full). The model's own refusals (language, voice)
 * and the file's come as AL_AUDIO_FAILED. */
enum al_code al_inference_transcribe(struct al_inference *inference, const struct al_transcription_request *request,
                                     struct al_err *err);
enum al_code al_inference_speak(struct al_inference *inference, const struct al_speech_request *request,
                                struct al_err *err);

/* The voices of a model that speaks: loads it when it is not there. `each` runs on an internal thread, once for every
 * voice, then `done` once (also alone, with an error). */
struct al_voices_request {
  const char *model;
  struct al_cancel *cancel;
  void (*each)(void *user, const struct al_voice *voice);
  void (*done)(void *user, const struct al_err *err);
  void *user;
};
enum al_code al_inference_voices(struct al_inference *inference, const struct al_voices_request *request,
                                 struct al_err *err);

#endif
