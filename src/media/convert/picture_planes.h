/* A decoded picture as planes of bytes: red, green, blue and, perhaps, alpha. Each is scaled on its own, so no colour
 * goes through another space; turning is left to the moment when they are told. All end the process when they fail. */
#ifndef AL_MEDIA_CONVERT_PICTURE_PLANES_H
#define AL_MEDIA_CONVERT_PICTURE_PLANES_H

#include <libavutil/frame.h>
#include <stdint.h>

constexpr int PICTURE_ALPHA = 3;

struct picture_planes {
  int width, height;
  uint8_t *plane[4]; /* uint8_t[height][width]; plane[PICTURE_ALPHA] nullptr: it has none, or all of it is there */
};

/* How the stored picture becomes the upright one: first x and y change places, then each may run backwards. */
struct picture_turn {
  bool swaps, flips_x, flips_y;
};

struct picture_turn picture_turn_of(const AVFrame *frame);
void picture_planes_from(struct picture_planes *planes, const AVFrame *frame);
/* To width x height (of the upright picture): the middle of it is cut out where the shape differs, then scaled. */
void picture_planes_scale(struct picture_planes *planes, const struct picture_turn *turn, int width, int height);
/* Its shape and its pixels, turned, as frames. */
void picture_planes_tell(const struct picture_planes *planes, const struct picture_turn *turn);

#endif
