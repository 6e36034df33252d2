/* What an engine does with pictures: text (and pictures) in, pictures out. Slots of struct al_engine.
 *
 * A model draws one picture at a time, on its worker's thread; info and check are safe from any thread. Pictures are
 * RGB8, row-major, without padding between rows. */
#ifndef AL_ENGINE_DRAW_H
#define AL_ENGINE_DRAW_H

#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_engine_model;

struct al_picture { /* borrowed */
  int width, height;
  const uint8_t *rgb; /* uint8_t[height][width][3] */
};

struct al_draw_info {
  int size_multiple; /* width and height are multiples of it */
  int least_side, most_side;
  int64_t most_pixels;
  int width, height; /* what it draws best */
  int n_steps;       /* sensible numbers for it */
  double guidance;
  uint64_t memory_bytes;       /* what the loaded model holds */
  bool has_negative;           /* false: a model whose guidance is built in, or none (LCM, turbo) */
  const char *sampler;         /* the default; static */
  const char *const *samplers; /* all that fit; nullptr ends them; borrowed until the model is unloaded */
};

struct al_draw_request {
  struct al_str prompt;          /* with weights: (word:1.3) [word] */
  struct al_str negative_prompt; /* "": none */
  int width, height;             /* 0: the model's own */
  int n_images;                  /* 1 .. 64; image k has the seed + k */
  int n_steps;                   /* 0: the model's own */
  double guidance;               /* below 0: the model's own; up to 1: without */
  double guidance_rescale;       /* 0 .. 1 */
  uint64_t seed;
  const char *sampler;            /* "" or nullptr: the model's own */
  const struct al_picture *image; /* nullptr: from the text alone. Otherwise of width x height */
  double strength;                /* 0 < .. 1: how much of the steps change `image` */
  const uint8_t *mask;            /* uint8_t[height][width], with `image`: 128 and more is drawn anew; nullptr: all */
  int preview_every;              /* steps between previews; 0: none */
};

/* On the drawing thread; `false` stops: AL_CANCELLED. */
struct al_draw_sink {
  bool (*progress)(void *user, int image, int step, int n_steps); /* after each step; nullptr: not wanted */
  bool (*preview)(void *user, int image, int step, const struct al_picture *small); /* nullptr: not wanted */
  bool (*picture)(void *user, int image, const struct al_picture *picture);
  void *user;
};

struct al_draw_ops {
  void (*info)(const struct al_engine_model *model, struct al_draw_info *info);
  /* AL_INVALID_REQUEST names the field: before anything is queued. */
  enum al_code (*check)(const struct al_engine_model *model, const struct al_draw_request *request, struct al_err *err);
  /* Looks at `stop` between steps and, on the CPU, inside them: within milliseconds. */
  enum al_code (*draw)(struct al_engine_model *model, const struct al_draw_request *request,
                       const struct al_draw_sink *sink, const struct al_cancel *stop, struct al_err *err);
};

#endif
