/* Media without processes: a file says what it is in words.
 *
 * "AUDIO <seconds>": so much of it. "BAD": no known container. "BUSY <seconds>": opening it goes on until somebody
 * gives up. "CUT <seconds>": after so much its decoder dies. "SHORT <seconds>": after so much it breaks off. Empty: an
 * empty file. What is written comes out as it is (floats), under a name that depends on the format ("mp3!").
 *
 * Pictures: "GREY <level>": all of that level. "HALVES": the left half white, the right black. "HOLE": black, the left
 * half transparent. "WHOLE": like HALVES, with an alpha that hides nothing. "BAD", "BUSY", empty: as above. "LATER":
 * black, and BUSY at any height but 64. What is written is "<format> <width>x<height> <quality>\n" and the pixels. */
#ifndef TEST_STAND_IN_MEDIA_H
#define TEST_STAND_IN_MEDIA_H

#include "media/image.h"
#include "media/media.h"

#include <stdatomic.h>

struct stand_in_media {
  _Atomic int n_open, most_open, n_opened; /* readers */
  _Atomic int n_opening;                   /* in the middle of al_audio_reader_open */
  _Atomic int n_writers;
  _Atomic int fail_write_at;           /* the n-th write from now fails with AL_INTERNAL; 0: none */
  _Atomic bool no_writers;             /* there is no such program */
  _Atomic int n_images;                /* not yet done with */
  _Atomic int n_looked, n_looking;     /* al_image_read: calls; in the middle of one */
  _Atomic int last_width, last_height; /* wanted */
  _Atomic bool slow_writers;           /* al_image_write goes on until somebody gives up */
  _Atomic int n_writing;               /* in the middle of al_image_write */
};
extern struct stand_in_media stand_in_media;

int stand_in_file(const char *words); /* a descriptor, to be closed by the caller */

#endif
