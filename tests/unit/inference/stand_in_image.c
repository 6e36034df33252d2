#include "base/alloc.h"
#include "base/clock.h"
#include "stand_in_media.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static enum al_code wait_for_ever(const struct al_cancel *cancel, struct al_err *err)
{
  struct timespec pause = { .tv_nsec = AL_NS_PER_MS };
  while (!al_cancelled(cancel))
    (void)nanosleep(&pause, nullptr);
  return al_fail(err, al_cancel_reason(cancel), "the picture's process was stopped");
}

/* --- in --------------------------------------------------------------------------------------------------------- */

static uint8_t level_at(const char *word, const char *words, bool is_left)
{
  if (strcmp(word, "GREY") == 0)
    return (uint8_t)strtoul(words + 5, nullptr, 10);
  return strcmp(word, "HOLE") != 0 && is_left ? 255 : 0;
}

static void fill(const char *word, const char *words, const struct al_image *image)
{
  for (int y = 0; y < image->height; y++)
    for (int x = 0; x < image->width; x++) {
      size_t at = (size_t)y * (size_t)image->width + (size_t)x;
      bool is_left = x < image->width / 2;
      memset(image->rgb + 3 * at, level_at(word, words, is_left), 3);
      if (image->alpha != nullptr)
        image->alpha[at] = strcmp(word, "HOLE") == 0 && is_left ? 0 : 255;
    }
}

static enum al_code look(const struct al_media_source *source, const struct al_image_want *want,
                         const struct al_cancel *cancel, struct al_image *image, struct al_err *err)
{
  char words[64] = "", word[16] = "";
  if (pread(source->fd, words, al_min_size(sizeof words - 1, source->size_bytes), (off_t)source->offset) <= 0)
    return al_fail_reason(err, al_fail(err, AL_INVALID_REQUEST, "the file is empty"), "empty_file");
  (void)sscanf(words, "%15s", word);
  if (strcmp(word, "BUSY") == 0 || (strcmp(word, "LATER") == 0 && want->height != 64))
    AL_TRY(wait_for_ever(cancel, err));
  bool has_alpha = strcmp(word, "HOLE") == 0 || strcmp(word, "WHOLE") == 0;
  if (!has_alpha && strcmp(word, "GREY") != 0 && strcmp(word, "HALVES") != 0 && strcmp(word, "LATER") != 0)
    return al_fail_reason(err, al_fail(err, AL_INVALID_REQUEST, "this is no picture"), "unknown_media");
  size_t n = (size_t)want->width * (size_t)want->height;
  struct al_image made = { .width = want->width, .height = want->height };
  made.rgb = al_alloc(3 * n);
  made.alpha = has_alpha ? al_alloc(n) : nullptr;
  stand_in_media.n_images++;
  if (made.rgb == nullptr || (has_alpha && made.alpha == nullptr)) {
    al_image_done(&made);
    return al_fail_oom(err, 3 * n);
  }
  fill(word, words, &made);
  *image = made;
  return AL_OK;
}

enum al_code al_image_read(const struct al_media_source *source, const struct al_image_want *want,
                           struct al_cancel *cancel, struct al_image *image, struct al_err *err)
{
  stand_in_media.n_looked++;
  stand_in_media.last_width = want->width;
  stand_in_media.last_height = want->height;
  stand_in_media.n_looking++;
  enum al_code code = look(source, want, cancel, image, err);
  stand_in_media.n_looking--;
  return code;
}

void al_image_done(struct al_image *image)
{
  stand_in_media.n_images -= image->width > 0;
  al_free(image->rgb);
  al_free(image->alpha);
  *image = (struct al_image){};
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static const char *const names[AL_IMAGE_FORMAT_COUNT] = { "png", "jpeg", "webp" };

static enum al_code write_words(const struct al_image_out *out, const struct al_cancel *cancel, struct al_buf *bytes,
                                struct al_err *err)
{
  if (stand_in_media.no_writers)
    return al_fail(err, AL_UNSUPPORTED, "there is no program that writes pictures");
  if (stand_in_media.fail_write_at > 0 && atomic_fetch_sub(&stand_in_media.fail_write_at, 1) == 1)
    return al_fail(err, AL_INTERNAL, "the encoder crashed (SIGSEGV)");
  if (stand_in_media.slow_writers)
    AL_TRY(wait_for_ever(cancel, err));
  al_buf_printf(bytes, "%s %dx%d %d\n", names[out->format], out->width, out->height, out->quality);
  al_buf_add(bytes, out->rgb, (size_t)out->width * (size_t)out->height * 3);
  return al_buf_check(bytes, err);
}

enum al_code al_image_write(const struct al_image_out *out, struct al_cancel *cancel, struct al_buf *bytes,
                            struct al_err *err)
{
  stand_in_media.n_writing++;
  enum al_code code = write_words(out, cancel, bytes, err);
  stand_in_media.n_writing--;
  return code;
}
