#include "image_kit.h"

#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

static void note_progress(struct sitter *s, const struct al_image_event *event)
{
  assert_true(event->image > s->last_image || (event->image == s->last_image && event->step > s->last_step));
  assert_true(event->step >= 1 && event->step <= event->n_steps);
  s->last_image = event->image;
  s->last_step = event->step;
  s->n_steps = event->n_steps;
  s->last_progress_ns = al_now_ns();
  if (s->n_progress++ == 0)
    s->first_progress_ns = s->last_progress_ns;
}

static void note_picture(struct sitter *s, const struct al_image_event *event)
{
  assert_int_equal(event->image, s->n_pictures);
  assert_true(s->n_pictures < MOST_PICTURES);
  al_buf_add(&s->pictures[s->n_pictures], event->file.data, event->file.size);
  s->seeds[s->n_pictures++] = event->seed;
  s->width = event->width;
  s->height = event->height;
}

static void on_event(void *user, const struct al_image_event *event)
{
  struct sitter *s = user;
  AL_LOCKED(&s->mutex);
  assert_false(s->ended);
  assert_true(s->started == (event->kind != AL_IMAGE_STARTED) || event->kind == AL_IMAGE_FAILED);
  switch (event->kind) {
  case AL_IMAGE_STARTED: s->started = true; break;
  case AL_IMAGE_PROGRESS: note_progress(s, event); break;
  case AL_IMAGE_PREVIEW:
    s->n_previews++;
    al_buf_add(&s->previews, event->file.data, event->file.size);
    break;
  case AL_IMAGE_PICTURE: note_picture(s, event); break;
  case AL_IMAGE_DONE: s->ended = true; break;
  case AL_IMAGE_FAILED:
    s->err = *event->err;
    s->failed = s->ended = true;
    break;
  }
  s->ended_ns = al_now_ns();
  s->holding = s->hold_at > 0 && event->kind == AL_IMAGE_PICTURE && s->n_pictures == s->hold_at;
  al_cond_broadcast(&s->changed);
  while (s->holding && !s->released)
    (void)al_cond_wait(&s->changed, &s->mutex, AL_NO_DEADLINE);
  s->holding = false;
}

static struct al_media_source file_of(const char *words)
{
  if (words == nullptr)
    return (struct al_media_source){ .fd = -1 };
  return (struct al_media_source){ .fd = stand_in_file(words), .size_bytes = strlen(words) + (words[0] == '\0') };
}

void sitter_init(struct sitter *s, const char *image, const char *mask)
{
  *s = (struct sitter){ .cancel = al_cancel_new() };
  al_mutex_init(&s->mutex);
  al_cond_init(&s->changed);
  s->ask = (struct al_image_request){
    .model = "fake-paint",
    .draw = {
      .prompt = al_str("a cat"),
      .width = 16,
      .height = 8,
      .n_images = 1,
      .n_steps = 3,
      .guidance = -1,
      .seed = 7,
      .strength = 1,
    },
    .has_seed = true,
    .image = file_of(image),
    .mask = file_of(mask),
    .format = AL_IMAGE_PNG,
    .quality = 90,
    .cancel = s->cancel,
    .on_event = on_event,
    .user = s,
  };
}

void sitter_done(struct sitter *s)
{
  if (s->ask.image.fd >= 0)
    (void)close(s->ask.image.fd);
  if (s->ask.mask.fd >= 0)
    (void)close(s->ask.mask.fd);
  al_cancel_unref(s->cancel);
  al_buf_done(&s->previews);
  for (int i = 0; i < MOST_PICTURES; i++)
    al_buf_done(&s->pictures[i]);
  al_cond_done(&s->changed);
  al_mutex_done(&s->mutex);
}

void sitter_until(struct sitter *s, const bool *what)
{
  AL_LOCKED(&s->mutex);
  while (!*what && !s->ended)
    (void)al_cond_wait(&s->changed, &s->mutex, AL_NO_DEADLINE);
}

void sitter_wait(struct sitter *s)
{
  sitter_until(s, &s->ended);
}

void sitter_release(struct sitter *s)
{
  AL_LOCKED(&s->mutex);
  s->released = true;
  al_cond_broadcast(&s->changed);
}

void kit_draw(struct al_inference *inference, struct sitter *s)
{
  struct al_err err = {};
  enum al_code code = al_inference_draw(inference, &s->ask, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
}

const uint8_t *sitter_pixels(const struct sitter *s, int picture, const char *head)
{
  const struct al_buf *buf = &s->pictures[picture];
  assert_true(picture < s->n_pictures);
  assert_int_equal(buf->size, strlen(head) + (size_t)s->width * (size_t)s->height * 3);
  assert_memory_equal(buf->data, head, strlen(head));
  return (const uint8_t *)buf->data + strlen(head);
}

void kit_turn_away(struct sitter *s, const char *stage)
{
  int64_t before_ns = al_now_ns();
  al_cancel_fire(s->cancel, AL_CANCELLED);
  sitter_wait(s);
  print_message("%s: answered %.2f ms after giving up\n", stage, (double)(s->ended_ns - before_ns) / 1e6);
  assert_true(s->failed);
  assert_int_equal(s->err.code, AL_CANCELLED);
  assert_null(s->err.reason);
  sitter_done(s);
}

int kit_reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  stand_in_media.n_looked = 0;
  stand_in_media.fail_write_at = 0;
  stand_in_media.no_writers = stand_in_media.slow_writers = false;
  return 0;
}

int kit_nothing_is_left(void **)
{
  (void)al_alloc_fail_at(0);
  assert_int_equal(stand_in_media.n_images, 0);
  assert_int_equal(al_fake_counts.n_loads, al_fake_counts.n_unloads);
  return 0;
}
