/* Pictures: the request, and the events that answer it. Part of inference.h. */
#ifndef AL_INFERENCE_IMAGE_H
#define AL_INFERENCE_IMAGE_H

#include "engine/draw.h"
#include "media/image.h"

struct al_inference;

enum al_image_event_kind {
  AL_IMAGE_STARTED,  /* the model is there, the request fits it and its pictures could be read; nothing came before */
  AL_IMAGE_PROGRESS, /* `image`, `step` of `n_steps`; at most some ten a second */
  AL_IMAGE_PREVIEW,  /* `file`: a small picture of image `image` after `step` */
  AL_IMAGE_PICTURE,  /* `file`: image `image` is finished */
  AL_IMAGE_DONE,     /* last */
  AL_IMAGE_FAILED,   /* last: `err` */
};

struct al_image_event { /* borrowed for the call */
  enum al_image_event_kind kind;
  int image, step, n_steps;
  struct al_str file; /* encoded as the request's output_format */
  int width, height;  /* of `file` */
  uint64_t seed;      /* with PICTURE: what draws it again */
  const struct al_err *err;
};

/* One after another for a request, from one internal thread at a time, never on the submitter's stack. DONE or FAILED
 * comes exactly once, last. Must not block. */
typedef void al_image_event_fn(void *user, const struct al_image_event *event);

struct al_image_request { /* strings are copied */
  const char *model;
  /* prompt ... preview_every as the engine takes them; `image` and `mask` in it are ignored: they come as files. */
  struct al_draw_request draw;
  bool has_seed;                /* false: one is drawn by lot */
  struct al_media_source image; /* size_bytes 0: none; scaled to the size that is drawn. Duplicated by submit */
  struct al_media_source mask;  /* size_bytes 0: none. Transparent pixels are drawn anew (OpenAI's meaning); in a file
                                   that has none the white ones */
  enum al_image_format format;
  int quality;
  struct al_cancel *cancel; /* a reference is taken; may be nullptr */
  al_image_event_fn *on_event;
  void *user;
};

/* AL_OK: events will come. Otherwise nothing was started: AL_NOT_FOUND "model_not_found", AL_UNSUPPORTED (it does not
 * draw, quarantined), AL_OOM_RAM "overloaded" (the queue is full). The model's own refusals (size, steps, sampler) and
 * the files' come as AL_IMAGE_FAILED. */
enum al_code al_inference_draw(struct al_inference *inference, const struct al_image_request *request,
                               struct al_err *err);

#endif
