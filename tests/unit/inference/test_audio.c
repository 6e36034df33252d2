#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "kit.h"
#include "stand_in_media.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST_SEGMENTS = 64 };

/* One who asked for a transcription or a speech. */
struct listener {
  struct al_mutex mutex;
  struct al_cond changed;
  int fd;
  struct al_cancel *cancel;
  struct al_transcription_request hear;
  struct al_speech_request speak;
  bool started, ended, failed;
  struct al_audio_info info;
  int n_segments, n_words, n_progress, n_pieces;
  double last_progress_s;
  struct al_buf text, bytes;
  char language[8];
  struct al_transcribe_result result;
  bool is_truncated;
  struct al_err err;
  int64_t ended_ns;
  int hold_at; /* the callback of this segment (from 1) waits for listener_release; 0: never */
  bool holding, released;
};

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

static void listener_init(struct listener *l, const char *words)
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

static void listener_done(struct listener *l)
{
  if (l->fd >= 0)
    (void)close(l->fd);
  al_cancel_unref(l->cancel);
  al_buf_done(&l->text);
  al_buf_done(&l->bytes);
  al_cond_done(&l->changed);
  al_mutex_done(&l->mutex);
}

static void wait_until(struct listener *l, bool *what)
{
  AL_LOCKED(&l->mutex);
  while (!*what && !l->ended)
    (void)al_cond_wait(&l->changed, &l->mutex, AL_NO_DEADLINE);
}

static void listener_wait(struct listener *l)
{
  wait_until(l, &l->ended);
}

static void listener_release(struct listener *l)
{
  AL_LOCKED(&l->mutex);
  l->released = true;
  al_cond_broadcast(&l->changed);
}

static void hear(struct al_inference *inference, struct listener *l)
{
  struct al_err err = {};
  enum al_code code = al_inference_transcribe(inference, &l->hear, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
}

static void speak(struct al_inference *inference, struct listener *l)
{
  struct al_err err = {};
  enum al_code code = al_inference_speak(inference, &l->speak, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
}

static void wait_inactive(struct al_inference *inference)
{
  while (al_inference_n_active(inference) > 0) /* the last event has come, its thread is on its way out */
    (void)usleep(200);
}

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  stand_in_media.n_opened = stand_in_media.most_open = 0;
  stand_in_media.fail_write_at = 0;
  stand_in_media.no_writers = false;
  return 0;
}

static int nothing_is_left(void **)
{
  (void)al_alloc_fail_at(0);
  assert_int_equal(stand_in_media.n_open, 0);
  assert_int_equal(stand_in_media.n_writers, 0);
  assert_int_equal(al_fake_counts.n_loads, al_fake_counts.n_unloads);
  return 0;
}

/* --- transcription ---------------------------------------------------------------------------------------------- */

static void a_file_becomes_text(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "AUDIO 2.5");
  l.hear.options.wants_words = true;
  l.hear.options.language = "de";
  l.hear.options.prompt = "hm";
  hear(inference, &l);
  (void)close(l.fd); /* it has its own */
  l.fd = -1;
  listener_wait(&l);
  assert_false(l.failed);
  assert_false(l.is_truncated);
  assert_int_equal(l.n_segments, 3);
  assert_int_equal(l.n_words, 3);
  assert_string_equal(kit_text(&l.text), " one (hm) two three");
  assert_string_equal(l.result.language, "de");
  assert_true(l.result.duration_s == 2.5);
  assert_string_equal(l.info.container, "words");
  assert_true(l.info.duration_s == 2.5);
  assert_true(l.n_progress >= 1 && l.n_progress <= 3);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-whisper", &status, nullptr), AL_OK);
  assert_int_equal(status.state, AL_MODEL_READY);
  assert_int_equal(status.n_running, 0);
  assert_int_equal(status.n_waiting, 0);
  assert_int_equal(status.n_requests, 1);
  assert_int_equal(status.n_completion_tokens, l.result.n_tokens);
  assert_true(status.audio_s == 2.5);
  assert_int_equal(status.memory_bytes, 1 << 20);
  al_model_status_done(&status);
  listener_done(&l);
  al_inference_free(inference);
}

static void a_part_of_a_file_is_enough(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "xyzAUDIO 12");
  l.hear.file.offset = 3;
  l.hear.file.size_bytes = 7; /* "AUDIO 1" */
  l.hear.cancel = nullptr;
  hear(inference, &l);
  listener_wait(&l);
  assert_string_equal(kit_text(&l.text), " one");
  listener_done(&l);
  al_inference_free(inference);
}

/* The model is not loaded for it. */
static void what_is_no_audio_is_refused_without_a_model(void **)
{
  static const struct {
    const char *words, *reason;
  } files[] = { { "", "empty_file" }, { "BAD", "unknown_media" } };
  struct al_inference *inference = kit_open(nullptr);
  for (size_t i = 0; i < AL_COUNT(files); i++) {
    struct listener l;
    listener_init(&l, files[i].words);
    hear(inference, &l);
    listener_wait(&l);
    assert_true(l.failed);
    assert_false(l.started);
    assert_int_equal(l.err.code, AL_INVALID_REQUEST);
    assert_string_equal(l.err.reason, files[i].reason);
    assert_string_equal(l.err.param, "file");
    listener_done(&l);
  }
  assert_int_equal(al_fake_counts.n_loads, 0);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-whisper", &status, nullptr), AL_OK);
  assert_int_equal(status.n_waiting, 0);
  al_model_status_done(&status);
  wait_inactive(inference);
  al_inference_free(inference);
}

static void a_decoder_that_dies_is_an_error(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener cut, next;
  listener_init(&cut, "CUT 2");
  listener_init(&next, "AUDIO 1");
  hear(inference, &cut);
  hear(inference, &next);
  listener_wait(&cut);
  listener_wait(&next);
  assert_true(cut.failed);
  assert_string_equal(cut.err.reason, "corrupt_media");
  assert_int_equal(cut.n_segments, 2);
  assert_false(next.failed);
  listener_done(&cut);
  listener_done(&next);
  al_inference_free(inference);
}

static void a_file_that_breaks_off_gives_what_there_is(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "SHORT 2");
  hear(inference, &l);
  listener_wait(&l);
  assert_false(l.failed);
  assert_true(l.is_truncated);
  assert_int_equal(l.n_segments, 2);
  listener_done(&l);
  al_inference_free(inference);
}

static void the_engines_failures_are_told(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  al_fake_knobs.fail_segment_at = 2;
  listener_init(&l, "AUDIO 3");
  hear(inference, &l);
  listener_wait(&l);
  assert_true(l.failed);
  assert_int_equal(l.err.code, AL_INTERNAL);
  assert_int_equal(l.n_segments, 1);
  listener_done(&l);
  listener_init(&l, "AUDIO 1");
  l.hear.options.language = "tlh";
  hear(inference, &l);
  listener_wait(&l);
  assert_true(l.failed);
  assert_int_equal(l.err.code, AL_INVALID_REQUEST);
  assert_string_equal(l.err.param, "language");
  listener_done(&l);
  al_inference_free(inference);
}

static void a_load_that_fails_is_told_to_all(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l[3];
  al_fake_knobs.load_code = AL_LOAD_FAILED;
  al_fake_knobs.load_ns = 5'000'000;
  for (int i = 0; i < 3; i++) {
    listener_init(&l[i], "AUDIO 1");
    hear(inference, &l[i]);
  }
  for (int i = 0; i < 3; i++) {
    listener_wait(&l[i]);
    assert_int_equal(l[i].err.code, AL_LOAD_FAILED);
    listener_done(&l[i]);
  }
  al_inference_free(inference);
}

/* --- the queue -------------------------------------------------------------------------------------------------- */

static void twenty_at_once_run_one_after_another(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  static struct listener l[20];
  for (int i = 0; i < 20; i++) {
    char words[32];
    (void)snprintf(words, sizeof words, "AUDIO %d", i % 4 + 1);
    listener_init(&l[i], words);
    l[i].hold_at = i == 0 ? 1 : 0;
    hear(inference, &l[i]);
    if (i == 0)
      wait_until(&l[0], &l[0].holding);
  }
  for (int i = 1; i < 20; i++) {
    wait_until(&l[i], &l[i].started);
    assert_int_equal(l[i].n_segments, 0);
  }
  assert_true(stand_in_media.n_open <= 5); /* the one that runs and four that wait */
  listener_release(&l[0]);
  for (int i = 0; i < 20; i++) {
    listener_wait(&l[i]);
    assert_false(l[i].failed);
    assert_int_equal(l[i].n_segments, i % 4 + 1);
    listener_done(&l[i]);
  }
  assert_int_equal(al_fake_counts.n_loads, 1);
  assert_int_equal(al_fake_counts.n_transcriptions, 20);
  assert_true(stand_in_media.most_open <= 1 + 4 + 4);
  al_inference_free(inference);
}

static void too_many_are_refused(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .max_queued = 2 });
  struct listener l[4];
  for (int i = 0; i < 4; i++) {
    listener_init(&l[i], "AUDIO 1");
    l[i].hold_at = i == 0 ? 1 : 0;
    if (i == 3)
      break;
    hear(inference, &l[i]);
    if (i == 0)
      wait_until(&l[0], &l[0].holding);
  }
  struct al_err err = {};
  assert_int_equal(al_inference_transcribe(inference, &l[3].hear, &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "overloaded");
  assert_false(l[3].ended);
  listener_release(&l[0]);
  for (int i = 0; i < 4; i++) {
    if (i < 3)
      listener_wait(&l[i]);
    listener_done(&l[i]);
  }
  al_inference_free(inference);
}

/* --- giving up -------------------------------------------------------------------------------------------------- */

static void give_up(struct listener *l, const char *stage)
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

static void giving_up_while_the_file_is_opened(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "BUSY 1");
  hear(inference, &l);
  while (stand_in_media.n_opening == 0)
    (void)usleep(200);
  give_up(&l, "opening");
  assert_int_equal(al_fake_counts.n_loads, 0);
  al_inference_free(inference);
}

static void giving_up_while_the_model_loads(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  struct al_model_status status = {};
  al_fake_knobs.load_ns = 60'000'000'000;
  listener_init(&l, "AUDIO 1");
  hear(inference, &l);
  while (status.state != AL_MODEL_LOADING) {
    (void)usleep(200);
    assert_int_equal(al_inference_model(inference, "fake-whisper", &status, nullptr), AL_OK);
    al_model_status_done(&status);
  }
  give_up(&l, "loading");
  al_inference_free(inference);
}

static void giving_up_in_the_queue(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener running, waiting;
  listener_init(&running, "AUDIO 1");
  listener_init(&waiting, "AUDIO 1");
  running.hold_at = 1;
  hear(inference, &running);
  wait_until(&running, &running.holding);
  hear(inference, &waiting);
  wait_until(&waiting, &waiting.started);
  give_up(&waiting, "queue");
  assert_false(running.ended);
  listener_release(&running);
  listener_wait(&running);
  assert_false(running.failed);
  listener_done(&running);
  al_inference_free(inference);
}

static void giving_up_in_the_engine(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  al_fake_knobs.hear_ns = 60'000'000'000;
  listener_init(&l, "AUDIO 1");
  hear(inference, &l);
  while (al_fake_counts.n_transcriptions == 0)
    (void)usleep(200);
  give_up(&l, "engine");
  al_fake_knobs.hear_ns = 0;
  al_fake_knobs.speak_ns = 60'000'000'000;
  listener_init(&l, nullptr);
  speak(inference, &l);
  while (al_fake_counts.n_speeches == 0)
    (void)usleep(200);
  give_up(&l, "speech");
  al_inference_free(inference);
}

static void giving_up_between_segments(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "AUDIO 30");
  l.hold_at = 2;
  hear(inference, &l);
  wait_until(&l, &l.holding);
  al_cancel_fire(l.cancel, AL_TIMEOUT);
  listener_release(&l);
  listener_wait(&l);
  assert_int_equal(l.err.code, AL_TIMEOUT);
  assert_int_equal(l.n_segments, 2);
  listener_done(&l);
  al_inference_free(inference);
}

/* --- the model's life ------------------------------------------------------------------------------------------- */

static void an_unload_lets_the_queue_run_out(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l[3];
  struct done done;
  for (int i = 0; i < 3; i++) {
    listener_init(&l[i], "AUDIO 2");
    l[i].hold_at = i == 0 ? 1 : 0;
    hear(inference, &l[i]);
    if (i == 0)
      wait_until(&l[0], &l[0].holding);
    else
      wait_until(&l[i], &l[i].started);
  }
  done_init(&done);
  assert_int_equal(al_inference_unload(inference, "fake-whisper", done_call, &done, nullptr), AL_OK);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-whisper", &status, nullptr), AL_OK);
  assert_int_equal(status.state, AL_MODEL_UNLOADING);
  assert_int_equal(status.n_running, 1);
  assert_int_equal(status.n_waiting, 2);
  al_model_status_done(&status);
  listener_release(&l[0]);
  done_wait(&done);
  for (int i = 0; i < 3; i++) {
    listener_wait(&l[i]);
    assert_false(l[i].failed);
    listener_done(&l[i]);
  }
  assert_int_equal(al_fake_counts.n_unloads, 1);
  al_inference_free(inference);
}

static void who_drains_lets_running_ones_end(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener running, late;
  struct al_err err = {};
  listener_init(&running, "AUDIO 2");
  listener_init(&late, "AUDIO 2");
  running.hold_at = 1;
  hear(inference, &running);
  wait_until(&running, &running.holding);
  al_inference_drain(inference);
  assert_int_equal(al_inference_transcribe(inference, &late.hear, &err), AL_CANCELLED);
  assert_string_equal(err.reason, "shutting_down");
  assert_int_equal(al_inference_n_active(inference), 1);
  listener_release(&running);
  listener_wait(&running);
  assert_false(running.failed);
  listener_done(&running);
  listener_done(&late);
  al_inference_free(inference);
}

/* One runs, one waits, two are being opened, and one waits for another model. */
static void the_end_answers_everybody(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  static const char *const words[] = { "AUDIO 9", "AUDIO 1", "BUSY 1", "BUSY 1" };
  struct listener l[5];
  al_fake_knobs.hear_ns = 60'000'000'000;
  for (int i = 0; i < 4; i++) {
    listener_init(&l[i], words[i]);
    hear(inference, &l[i]);
    if (i < 2)
      wait_until(&l[i], &l[i].started);
  }
  while (stand_in_media.n_opening < 2 || al_fake_counts.n_transcriptions == 0)
    (void)usleep(200);
  al_fake_knobs.load_ns = 60'000'000'000;
  listener_init(&l[4], nullptr);
  speak(inference, &l[4]);
  al_inference_free(inference);
  for (int i = 0; i < 5; i++) {
    assert_true(l[i].failed);
    assert_int_equal(l[i].err.code, AL_CANCELLED);
    assert_true(al_streq(l[i].err.reason, "shutting_down"));
    listener_done(&l[i]);
  }
}

static _Atomic int n_inside, n_entries;

static void in_engine(void *, const char *, bool inside)
{
  n_entries += inside;
  n_inside += inside ? 1 : -1;
}

static void the_engine_is_announced(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .in_engine = in_engine });
  struct listener l;
  listener_init(&l, "AUDIO 1");
  hear(inference, &l);
  listener_wait(&l);
  assert_int_equal(n_entries, 2); /* the load and the work */
  assert_int_equal(n_inside, 0);
  listener_done(&l);
  al_inference_free(inference);
}

/* --- speech ----------------------------------------------------------------------------------------------------- */

static void a_text_becomes_sound(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  constexpr size_t LETTER = 1102 * sizeof(float); /* 0.05 s */
  listener_init(&l, nullptr);
  l.speak.format = AL_AUDIO_MP3;
  speak(inference, &l);
  listener_wait(&l);
  assert_false(l.failed);
  assert_int_equal(l.n_pieces, 4); /* as they are made */
  assert_int_equal(l.bytes.size, 3 * LETTER + 4);
  assert_memory_equal(l.bytes.data + 3 * LETTER, "mp3!", 4);
  listener_done(&l);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-voice", &status, nullptr), AL_OK);
  assert_true(status.audio_s > 0.149 && status.audio_s < 0.151);
  al_model_status_done(&status);
  al_inference_free(inference);
}

static void what_cannot_be_said_is_refused(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  struct al_err err = {};
  listener_init(&l, nullptr);
  l.speak.options.speed = 5;
  assert_int_equal(al_inference_speak(inference, &l.speak, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "speed");
  l.speak.options.speed = 1;
  l.speak.text = al_str("");
  assert_int_equal(al_inference_speak(inference, &l.speak, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "input");
  l.speak.text = al_str("a");
  l.speak.options.voice = "nobody";
  speak(inference, &l);
  listener_wait(&l);
  assert_true(l.failed);
  assert_false(l.started);
  assert_string_equal(l.err.reason, "unknown_voice");
  listener_done(&l);
  al_inference_free(inference);
}

static void an_encoder_that_fails_is_an_error(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  stand_in_media.fail_write_at = 2;
  listener_init(&l, nullptr);
  speak(inference, &l);
  listener_wait(&l);
  assert_string_equal(l.err.message, "the encoder crashed (SIGSEGV)");
  assert_int_equal(l.n_pieces, 1);
  listener_done(&l);
  stand_in_media.no_writers = true;
  listener_init(&l, nullptr);
  speak(inference, &l);
  listener_wait(&l);
  assert_int_equal(l.err.code, AL_UNSUPPORTED);
  listener_done(&l);
  al_fake_knobs.fail_letter_at = 2;
  stand_in_media.no_writers = false;
  listener_init(&l, nullptr);
  speak(inference, &l);
  listener_wait(&l);
  assert_int_equal(l.err.code, AL_INTERNAL);
  listener_done(&l);
  al_inference_free(inference);
}

struct voices {
  struct done done;
  int n;
  char first[16];
};

static void on_voice(void *user, const struct al_voice *voice)
{
  struct voices *voices = user;
  if (voices->n++ == 0)
    (void)snprintf(voices->first, sizeof voices->first, "%s", voice->id);
}

static void on_voices(void *user, const struct al_err *err)
{
  struct voices *voices = user;
  done_call(&voices->done, err);
}

static void voices_are_listed_while_it_speaks(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct voices voices = {};
  struct listener l;
  struct al_err err = {};
  struct al_voices_request request = { .model = "fake-voice", .each = on_voice, .done = on_voices, .user = &voices };
  al_fake_knobs.speak_ns = 60'000'000'000;
  listener_init(&l, nullptr);
  speak(inference, &l);
  while (al_fake_counts.n_speeches == 0)
    (void)usleep(200);
  done_init(&voices.done);
  assert_int_equal(al_inference_voices(inference, &request, &err), AL_OK);
  done_wait(&voices.done);
  assert_int_equal(voices.done.err.code, AL_OK);
  assert_int_equal(voices.n, 3);
  assert_string_equal(voices.first, "low");
  request.model = "fake-whisper";
  assert_int_equal(al_inference_voices(inference, &request, &err), AL_UNSUPPORTED);
  give_up(&l, "speech");
  al_inference_free(inference);
}

/* --- the wrong model -------------------------------------------------------------------------------------------- */

static void load_now(struct al_inference *inference, const char *model)
{
  struct done done;
  done_init(&done);
  assert_int_equal(al_inference_load(inference, model, done_call, &done, nullptr), AL_OK);
  done_wait(&done);
  assert_int_equal(done.err.code, AL_OK);
}

static void assert_says(const struct al_err *err, const char *words)
{
  assert_int_equal(err->code, AL_UNSUPPORTED);
  if (strstr(err->message, words) == nullptr)
    fail_msg("'%s' does not say '%s'", err->message, words);
}

/* Whether it is in memory or not. */
static void models_of_another_kind_are_refused(void **)
{
  static const char *const quarantined[] = { "fake-whisper-bad" };
  struct al_inference *inference =
      kit_open(&(struct al_inference_options){ .quarantined = quarantined, .n_quarantined = 1 });
  struct listener l;
  struct client client;
  struct al_err err = {};
  listener_init(&l, "AUDIO 1");
  l.hear.model = "fake";
  assert_int_equal(al_inference_transcribe(inference, &l.hear, &err), AL_UNSUPPORTED);
  assert_says(&err, "'fake' is a language model, not one that transcribes speech");
  l.speak.model = "fake-whisper";
  assert_int_equal(al_inference_speak(inference, &l.speak, &err), AL_UNSUPPORTED);
  assert_says(&err, "a speech recogniser, not one that speaks");
  l.hear.model = "fake-whisper-bad";
  assert_int_equal(al_inference_transcribe(inference, &l.hear, &err), AL_UNSUPPORTED);
  assert_string_equal(err.reason, "model_quarantined");
  l.hear.model = "nothing";
  assert_int_equal(al_inference_transcribe(inference, &l.hear, &err), AL_NOT_FOUND);
  client_init(&client, "hi");
  client.request.model = "fake-whisper";
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_UNSUPPORTED);
  assert_says(&err, "not one that chats");

  load_now(inference, "fake");
  load_now(inference, "fake-whisper");
  l.hear.model = "fake";
  hear(inference, &l);
  listener_wait(&l);
  assert_says(&l.err, "is no model that transcribes speech");
  client_submit(inference, &client);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_says(&client.err, "is no text model");
  client_done(&client);
  listener_done(&l);
  al_inference_free(inference);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Every allocation fails once: an error or an answer, nothing is left, and the next one is served. */
static void each_failed_allocation_is_an_answer(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  load_now(inference, "fake-whisper");
  load_now(inference, "fake-voice");
  int n_failed = 0, n_fine = 0;
  for (size_t n = 1; n <= 24; n++) {
    struct listener l;
    struct al_err err = {};
    listener_init(&l, n % 2 == 0 ? "AUDIO 2" : nullptr);
    (void)al_alloc_fail_at((n + 1) / 2);
    enum al_code code =
        n % 2 == 0 ? al_inference_transcribe(inference, &l.hear, &err) : al_inference_speak(inference, &l.speak, &err);
    if (code == AL_OK)
      listener_wait(&l);
    (void)al_alloc_fail_at(0);
    bool failed = code != AL_OK || l.failed;
    assert_true(!failed || (code != AL_OK ? code : l.err.code) == AL_OOM_RAM);
    n_failed += failed;
    n_fine += !failed;
    listener_done(&l);
  }
  assert_true(n_failed >= 6);
  assert_true(n_fine >= 2);
  wait_inactive(inference);
  al_inference_free(inference);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, nothing_is_left)

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(a_file_becomes_text),
    TEST(a_part_of_a_file_is_enough),
    TEST(what_is_no_audio_is_refused_without_a_model),
    TEST(a_decoder_that_dies_is_an_error),
    TEST(a_file_that_breaks_off_gives_what_there_is),
    TEST(the_engines_failures_are_told),
    TEST(a_load_that_fails_is_told_to_all),
    TEST(twenty_at_once_run_one_after_another),
    TEST(too_many_are_refused),
    TEST(giving_up_while_the_file_is_opened),
    TEST(giving_up_while_the_model_loads),
    TEST(giving_up_in_the_queue),
    TEST(giving_up_in_the_engine),
    TEST(giving_up_between_segments),
    TEST(an_unload_lets_the_queue_run_out),
    TEST(who_drains_lets_running_ones_end),
    TEST(the_end_answers_everybody),
    TEST(the_engine_is_announced),
    TEST(a_text_becomes_sound),
    TEST(what_cannot_be_said_is_refused),
    TEST(an_encoder_that_fails_is_an_error),
    TEST(voices_are_listed_while_it_speaks),
    TEST(models_of_another_kind_are_refused),
    TEST(each_failed_allocation_is_an_answer),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
