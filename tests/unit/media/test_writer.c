/* Audio out, with the real child. argv: the program allm-media, the directory of sounds (not used here). */
#include "media_kit.h"

#include "base/buf.h"

struct sink {
  struct al_buf bytes;
  size_t n_calls, stop_after; /* 0: never */
};

static bool take(void *user, struct al_str bytes)
{
  struct sink *sink = user;
  al_buf_add(&sink->bytes, bytes.data, bytes.size);
  sink->n_calls++;
  return sink->stop_after == 0 || sink->n_calls < sink->stop_after;
}

static void sink_done(struct sink *sink)
{
  al_buf_done(&sink->bytes);
}

static enum al_code start(struct sink *sink, enum al_audio_format format, int rate, int out_rate,
                          struct al_audio_writer **writer, struct al_err *err)
{
  const struct al_audio_out out = { format, rate, out_rate, take, sink };
  return al_audio_writer_open(&out, nullptr, writer, err);
}

static enum al_code write_tone(struct al_audio_writer *writer, size_t n, int rate, struct al_err *err)
{
  static float samples[48'000];
  assert_true(n <= AL_COUNT(samples));
  for (size_t i = 0; i < n; i++)
    samples[i] = kit_tone(i, rate);
  return al_audio_writer_write(writer, samples, n, err);
}

static void plain_formats_need_no_program(void **)
{
  al_media_set_program(nullptr);
  AL_CLEANUP(sink_done) struct sink sink = {};
  AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
  struct al_err err = {};
  assert_int_equal(start(&sink, AL_AUDIO_WAV, 22'050, 0, &writer, &err), AL_OK);
  assert_int_equal(sink.bytes.size, 44); /* at once */
  assert_int_equal(write_tone(writer, 10'000, 22'050, &err), AL_OK);
  assert_int_equal(sink.bytes.size, 44 + 20'000);
  assert_int_equal(al_audio_writer_finish(writer, &err), AL_OK);
  kit_assert_no_child();

  struct al_audio_writer *none = nullptr;
  assert_int_equal(start(&sink, AL_AUDIO_PCM, 22'050, 0, &none, &err), AL_UNSUPPORTED); /* 24000 Hz: resampled */
  assert_int_equal(start(&sink, AL_AUDIO_MP3, 24'000, 0, &none, &err), AL_UNSUPPORTED);
  assert_null(none);
  al_media_set_program(media_program);
}

static void every_format_comes_as_it_is_made(void **)
{
  static const char *const marks[] = { "\xff", "OggS", "\xff", "fLaC", "RIFF", "" };
  for (int i = 0; i < AL_AUDIO_FORMAT_COUNT; i++) {
    AL_CLEANUP(sink_done) struct sink sink = {};
    AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
    struct al_err err = {};
    if (start(&sink, (enum al_audio_format)i, 22'050, 0, &writer, &err) != AL_OK)
      fail_msg("%s", err.message);
    if (write_tone(writer, 11'025, 22'050, &err) != AL_OK)
      fail_msg("%s", err.message);
    size_t first = sink.bytes.size; /* half a second in: most of it is out already */
    assert_true(first > 500);
    assert_memory_equal(sink.bytes.data, marks[i], strlen(marks[i]));
    assert_int_equal(write_tone(writer, 11'025, 22'050, &err), AL_OK);
    assert_true(sink.bytes.size > first);
    assert_int_equal(al_audio_writer_finish(writer, &err), AL_OK);
    assert_true(first * 4 > sink.bytes.size);
  }
  kit_assert_no_child();
}

static void pcm_is_resampled(void **)
{
  AL_CLEANUP(sink_done) struct sink sink = {};
  AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
  struct al_err err = {};
  assert_int_equal(start(&sink, AL_AUDIO_PCM, 16'000, 0, &writer, &err), AL_OK);
  assert_int_equal(write_tone(writer, 16'000, 16'000, &err), AL_OK);
  assert_int_equal(al_audio_writer_finish(writer, &err), AL_OK);
  assert_true(sink.bytes.size >= 2 * 23'998 && sink.bytes.size <= 2 * 24'002);
  for (size_t i = 500; i < 23'000; i++) {
    int16_t sample;
    memcpy(&sample, sink.bytes.data + 2 * i, sizeof sample);
    assert_true(fabsf((float)sample / 32768 - kit_tone(i, 24'000)) < 0.01F);
  }
}

static void whoever_listens_may_leave(void **)
{
  for (int i = 0; i < AL_AUDIO_FORMAT_COUNT; i++) {
    AL_CLEANUP(sink_done) struct sink sink = { .stop_after = 2 };
    AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
    struct al_err err = {};
    assert_int_equal(start(&sink, (enum al_audio_format)i, 24'000, 0, &writer, &err), AL_OK);
    enum al_code code = write_tone(writer, 24'000, 24'000, &err);
    assert_int_equal(code, AL_CANCELLED);
  }
  kit_assert_no_child();
}

static void a_cancelled_writer_stops(void **)
{
  struct al_cancel *cancel = al_cancel_new();
  for (int i = 0; i < AL_AUDIO_FORMAT_COUNT; i++) {
    AL_CLEANUP(sink_done) struct sink sink = {};
    AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
    struct al_err err = {};
    const struct al_audio_out out = { (enum al_audio_format)i, 24'000, 0, take, &sink };
    assert_int_equal(al_audio_writer_open(&out, cancel, &writer, &err), AL_OK);
    al_cancel_fire(cancel, AL_CANCELLED);
    assert_int_equal(write_tone(writer, 24'000, 24'000, &err), AL_CANCELLED);
  }
  al_cancel_unref(cancel);
}

static void bad_wishes_are_refused(void **)
{
  AL_CLEANUP(sink_done) struct sink sink = {};
  struct al_audio_writer *writer = nullptr;
  struct al_err err = {};
  assert_int_equal(start(&sink, AL_AUDIO_FORMAT_COUNT, 24'000, 0, &writer, &err), AL_INVALID_REQUEST);
  assert_int_equal(start(&sink, AL_AUDIO_WAV, 0, 0, &writer, &err), AL_INVALID_REQUEST);
  assert_int_equal(start(&sink, AL_AUDIO_WAV, 24'000, -1, &writer, &err), AL_INVALID_REQUEST);
  assert_int_equal(start(&sink, AL_AUDIO_WAV, 1'000'000, 0, &writer, &err), AL_INVALID_REQUEST);
  assert_null(writer);
  assert_int_equal(start(&sink, AL_AUDIO_OPUS, 24'000, 44'100, &writer, &err), AL_OK);
  assert_int_equal(al_audio_writer_finish(writer, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "44100"));
  al_audio_writer_close(writer);
}

static void a_child_that_does_not_speak_is_an_error(void **)
{
  AL_CLEANUP(sink_done) struct sink sink = {};
  AL_CLEANUP(al_audio_writer_close_p) struct al_audio_writer *writer = nullptr;
  struct al_err err = {};
  al_media_set_program("/bin/true");
  assert_int_equal(start(&sink, AL_AUDIO_MP3, 24'000, 0, &writer, &err), AL_OK);
  assert_int_equal(write_tone(writer, 24'000, 24'000, &err), AL_INTERNAL);
  al_media_set_program(media_program);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_formats_need_no_program),
    cmocka_unit_test(every_format_comes_as_it_is_made),
    cmocka_unit_test(pcm_is_resampled),
    cmocka_unit_test(whoever_listens_may_leave),
    cmocka_unit_test(a_cancelled_writer_stops),
    cmocka_unit_test(bad_wishes_are_refused),
    cmocka_unit_test(a_child_that_does_not_speak_is_an_error),
  };
  if (argc != 3)
    return 2;
  media_program = argv[1];
  media_data = argv[2];
  al_media_set_program(media_program);
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
