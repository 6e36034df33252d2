#include "audio_kit.h"
#include "base/alloc.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* --- transcription ---------------------------------------------------------------------------------------------- */

static void a_file_becomes_text(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "AUDIO 2.5");
  l.hear.options.wants_words = true;
  l.hear.options.language = "de";
  l.hear.options.prompt = "hm";
  kit_hear(inference, &l);
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
  kit_hear(inference, &l);
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
    kit_hear(inference, &l);
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
  kit_wait_inactive(inference);
  al_inference_free(inference);
}

static void a_decoder_that_dies_is_an_error(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener cut, next;
  listener_init(&cut, "CUT 2");
  listener_init(&next, "AUDIO 1");
  kit_hear(inference, &cut);
  kit_hear(inference, &next);
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
  kit_hear(inference, &l);
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
  kit_hear(inference, &l);
  listener_wait(&l);
  assert_true(l.failed);
  assert_int_equal(l.err.code, AL_INTERNAL);
  assert_int_equal(l.n_segments, 1);
  listener_done(&l);
  listener_init(&l, "AUDIO 1");
  l.hear.options.language = "tlh";
  kit_hear(inference, &l);
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
    kit_hear(inference, &l[i]);
  }
  for (int i = 0; i < 3; i++) {
    listener_wait(&l[i]);
    assert_int_equal(l[i].err.code, AL_LOAD_FAILED);
    listener_done(&l[i]);
  }
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
  kit_speak(inference, &l);
  listener_wait(&l);
  assert_false(l.failed);
  assert_int_equal(l.n_pieces, 4); /* as they are made */
  assert_true(l.result.duration_s > 0.149 && l.result.duration_s < 0.151);
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
  kit_speak(inference, &l);
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
  kit_speak(inference, &l);
  listener_wait(&l);
  assert_string_equal(l.err.message, "the encoder crashed (SIGSEGV)");
  assert_int_equal(l.n_pieces, 1);
  listener_done(&l);
  stand_in_media.no_writers = true;
  listener_init(&l, nullptr);
  kit_speak(inference, &l);
  listener_wait(&l);
  assert_int_equal(l.err.code, AL_UNSUPPORTED);
  listener_done(&l);
  al_fake_knobs.fail_letter_at = 2;
  stand_in_media.no_writers = false;
  listener_init(&l, nullptr);
  kit_speak(inference, &l);
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
  kit_speak(inference, &l);
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
  kit_give_up(&l, "speech");
  al_inference_free(inference);
}

/* --- the wrong model -------------------------------------------------------------------------------------------- */

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
  assert_string_equal(err.param, "model");
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

  kit_load_now(inference, "fake");
  kit_load_now(inference, "fake-whisper");
  l.hear.model = "fake";
  kit_hear(inference, &l);
  listener_wait(&l);
  assert_says(&l.err, "is a language model, not one that transcribes speech");
  client_submit(inference, &client);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_says(&client.err, "is a speech recogniser, not one that works on text");
  client_done(&client);
  listener_done(&l);
  al_inference_free(inference);
}

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
    TEST(a_text_becomes_sound),
    TEST(what_cannot_be_said_is_refused),
    TEST(an_encoder_that_fails_is_an_error),
    TEST(voices_are_listed_while_it_speaks),
    TEST(models_of_another_kind_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
