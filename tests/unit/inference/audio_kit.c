#include "audio_kit.h"

#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static void note_segment(struct listener *l, const struct al_speech_segment *segment)
{
  assert_int_equal(segment->id, l->n_segments);
  l->n_segments++;
  l->n_words += (int)segment->n_words;
  al_buf_add(&l->text, segment->text.data, segment->text.size);
}

static void on_event(void *user, const struct al_audio_event *event)
{
  struct listener *l = user;
  AL_LOCKED(&l->mutex);
  assert_false(l->ended);
  assert_true(l->started == (event->kind != AL_AUDIO_STARTED) || event->kind == AL_AUDIO_FAILED);
  switch (event->kind) {
  case AL_AUDIO_STARTED:
    l->started = true;
    if (event->info != nullptr)
      l->info = *event->info;
    break;
  case AL_AUDIO_SEGMENT: note_segment(l, event->segment); break;
  case AL_AUDIO_PROGRESS:
    assert_true(event->done_s > l->last_progress_s);
    l->last_progress_s = event->done_s;
    l->n_progress++;
    break;
  case AL_AUDIO_BYTES:
    l->n_pieces++;
    al_buf_add(&l->bytes, event->bytes.data, event->bytes.size);
    break;
  case AL_AUDIO_DONE:
    l->result = event->result != nullptr ? *event->result : (struct al_transcribe_result){};
    l->is_truncated = event->is_truncated;
    l->ended = true;
    break;
  case AL_AUDIO_FAILED:
    l->err = *event->err;
    l->failed = l->ended = true;
    break;
  }
  l->ended_ns = al_now_ns();
  l->holding = l->hold_at > 0 && event->kind == AL_AUDIO_SEGMENT && l->n_segments == l->hold_at;
  al_cond_broadcast(&l->changed);
  while (l->holding && !l->released)
    (void)al_cond_wait(&l->changed, &l->mutex, AL_NO_DEADLINE);
  l->holding = false;
}

void listener_init(struct listener *l, const char *words)
{
  *l = (struct listener){ .fd = words != nullptr ? stand_in_file(words) : -1, .cancel = al_cancel_new() };
  al_mutex_init(&l->mutex);
  al_cond_init(&l->changed);
  l->hear = (struct al_transcription_request){
    .model = "fake-whisper",
    .file = { .fd = l->fd, .size_bytes = words != nullptr ? strlen(words) : 0 },
    .options = { .language = "", .prompt = "" },
    .cancel = l->cancel,
    .on_event = on_event,
    .user = l,
  };
  l->speak = (struct al_speech_request){
    .model = "fake-voice",
    .text = al_str("abc"),
    .options = { .voice = "", .speed = 1 },
    .format = AL_AUDIO_WAV,
    .cancel = l->cancel,
    .on_event = on_event,
    .user = l,
  };
}

void listener_done(struct listener *l)
{
  if (l->fd >= 0)
    (void)close(l->fd);
  al_cancel_unref(l->cancel);
  al_buf_done(&l->text);
  al_buf_done(&l->bytes);
  al_cond_done(&l->changed);
  al_mutex_done(&l->mutex);
}

void listener_until(struct listener *l, const bool *what)
{
  AL_LOCKED(&l->mutex);
  while (!*what && !l->ended)
    (void)al_cond_wait(&l->changed, &l->mutex, AL_NO_DEADLINE);
}

void listener_wait(struct listener *l)
{
  listener_until(l, &l->ended);
}

void listener_release(struct listener *l)
{
  AL_LOCKED(&l->mutex);
  l->released = true;
  al_cond_broadcast(&l->changed);
}

void kit_hear(struct al_inference *inference, struct listener *l)
{
  struct al_err err = {};
  enum al_code code = al_inference_transcribe(inference, &l->hear, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
}

void kit_speak(struct al_inference *inference, struct listener *l)
{
  struct al_err err = {};
  enum al_code code = al_inference_speak(inference, &l->speak, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
}

int kit_reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  stand_in_media.n_opened = stand_in_media.most_open = 0;
  stand_in_media.fail_write_at = 0;
  stand_in_media.no_writers = false;
  return 0;
}

int kit_nothing_is_left(void **)
{
  (void)al_alloc_fail_at(0);
  assert_int_equal(stand_in_media.n_open, 0);
  assert_int_equal(stand_in_media.n_writers, 0);
  assert_int_equal(al_fake_counts.n_loads, al_fake_counts.n_unloads);
  return 0;
}

void kit_give_up(struct listener *l, const char *stage)
{
  int64_t before_ns = al_now_ns();
  al_cancel_fire(l->cancel, AL_CANCELLED);
  listener_wait(l);
  print_message("%s: answered %.2f ms after giving up\n", stage, (double)(l->ended_ns - before_ns) / 1e6);
  assert_true(l->failed);
  assert_int_equal(l->err.code, AL_CANCELLED);
  assert_null(l->err.reason);
  listener_done(l);
}
