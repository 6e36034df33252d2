/* One who asks for a drawing, and what is the same in the tests of it. */
#ifndef TEST_IMAGE_KIT_H
#define TEST_IMAGE_KIT_H

#include "kit.h"
#include "stand_in_media.h"

enum { MOST_PICTURES = 8 };
struct sitter { /* one who asked for a drawing */
  struct al_mutex mutex;
  struct al_cond changed;
  struct al_cancel *cancel;
  struct al_image_request ask;
  bool started, ended, failed;
  int n_progress, n_previews, n_pictures;
  int last_image, last_step, n_steps;
  struct al_buf previews;
  struct al_buf pictures[MOST_PICTURES];
  uint64_t seeds[MOST_PICTURES];
  int width, height;
  struct al_err err;
  int64_t first_progress_ns, last_progress_ns, ended_ns;
  int hold_at; /* the callback of this picture (from 1) waits for sitter_release; 0: never */
  bool holding, released;
};

/* image, mask: what the files say (stand_in_media.h); nullptr: no file. The caller changes the request before it is
 * made. A 16 x 8 picture by the seed 7. */
void sitter_init(struct sitter *s, const char *image, const char *mask);
void sitter_done(struct sitter *s);
void sitter_until(struct sitter *s, const bool *what); /* or the end */
void sitter_wait(struct sitter *s);
void sitter_release(struct sitter *s);
void kit_draw(struct al_inference *inference, struct sitter *s); /* asserts that it is taken */
/* The pixels of a picture; asserts what stands before them. */
const uint8_t *sitter_pixels(const struct sitter *s, int picture, const char *head);
/* Fires its token, waits for the answer and ends the sitter. */
void kit_turn_away(struct sitter *s, const char *stage);

int kit_reset(void **);
int kit_nothing_is_left(void **);
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_reset, kit_nothing_is_left)

#endif
