/* The parser of what a child says: order, sizes, texts, samples. */
#include "media/protocol.h"

#include "base/alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct al_media_frames *fresh(enum al_media_job job)
{
  struct al_media_frames *frames = al_calloc(1, sizeof *frames);
  assert_non_null(frames);
  frames->job = job;
  return frames;
}

static void say(struct al_media_frames *frames, enum al_media_kind kind, const void *payload, size_t size)
{
  const struct al_media_header header = { kind, (uint32_t)size };
  size_t room;
  char *bytes = al_media_frames_room(frames, &room);
  assert_true(room >= sizeof header + size);
  memcpy(bytes, &header, sizeof header);
  if (size > 0)
    memcpy(bytes + sizeof header, payload, size);
  al_media_frames_grew(frames, sizeof header + size);
}

static enum al_code next(struct al_media_frames *frames, struct al_media_frame *frame)
{
  bool found = false;
  enum al_code code = al_media_frames_next(frames, frame, &found, nullptr);
  assert_true(code != AL_OK || found);
  return code;
}

static struct al_audio_info good_info(void)
{
  return (struct al_audio_info){ .container = "wav", .codec = "pcm", .sample_rate = 8000, .n_channels = 2 };
}

/* A decoder that has said hello and what the file is. */
static struct al_media_frames *informed(void)
{
  struct al_media_frames *frames = fresh(AL_MEDIA_DECODE);
  const struct al_audio_info info = good_info();
  struct al_media_frame frame;
  say(frames, AL_MEDIA_HELLO, nullptr, 0);
  say(frames, AL_MEDIA_INFO, &info, sizeof info);
  assert_int_equal(next(frames, &frame), AL_OK);
  assert_int_equal(next(frames, &frame), AL_OK);
  assert_int_equal(frame.kind, AL_MEDIA_INFO);
  assert_string_equal(frame.info.codec, "pcm");
  assert_int_equal(frame.info.n_channels, 2);
  return frames;
}

static void frames_come_byte_by_byte(void **)
{
  AL_CLEANUP(al_free_p) struct al_media_frames *frames = informed();
  const float samples[] = { 0.5F, -0.25F };
  const struct al_media_header header = { AL_MEDIA_SAMPLES, sizeof samples };
  char bytes[sizeof header + sizeof samples];
  memcpy(bytes, &header, sizeof header);
  memcpy(bytes + sizeof header, samples, sizeof samples);
  struct al_media_frame frame;
  for (size_t i = 0; i < sizeof bytes; i++) {
    bool found = true;
    assert_int_equal(al_media_frames_next(frames, &frame, &found, nullptr), AL_OK);
    assert_false(found);
    size_t room;
    *al_media_frames_room(frames, &room) = bytes[i];
    al_media_frames_grew(frames, 1);
  }
  assert_int_equal(next(frames, &frame), AL_OK);
  float copied[2];
  al_media_samples_copy(frame.payload, 0, copied, 2);
  assert_memory_equal(copied, samples, sizeof samples);
}

static void the_order_is_held(void **)
{
  const struct al_audio_info info = good_info();
  const uint32_t zero = 0;
  const uint64_t eaten = 5;
  const float sample = 0;
  static const struct {
    enum al_media_job job;
    enum al_media_kind kind;
  } wrong_first[] = { { AL_MEDIA_DECODE, AL_MEDIA_INFO },  { AL_MEDIA_DECODE, AL_MEDIA_SAMPLES },
                      { AL_MEDIA_DECODE, AL_MEDIA_END },   { AL_MEDIA_ENCODE, AL_MEDIA_BYTES },
                      { AL_MEDIA_ENCODE, AL_MEDIA_EATEN }, { AL_MEDIA_ENCODE, AL_MEDIA_END } };
  for (size_t i = 0; i < AL_COUNT(wrong_first); i++) {
    AL_CLEANUP(al_free_p) struct al_media_frames *frames = fresh(wrong_first[i].job);
    enum al_media_kind kind = wrong_first[i].kind;
    size_t size = kind == AL_MEDIA_INFO ? sizeof info : kind == AL_MEDIA_EATEN ? sizeof eaten : sizeof zero;
    say(frames, kind, kind == AL_MEDIA_INFO ? (const void *)&info : &eaten, size);
    struct al_media_frame frame;
    assert_int_equal(next(frames, &frame), AL_INVALID_REQUEST);
  }
  static const enum al_media_kind wrong_later[] = { AL_MEDIA_HELLO, AL_MEDIA_INFO, AL_MEDIA_BYTES, AL_MEDIA_EATEN };
  for (size_t i = 0; i < AL_COUNT(wrong_later); i++) {
    AL_CLEANUP(al_free_p) struct al_media_frames *frames = informed();
    enum al_media_kind kind = wrong_later[i];
    size_t size = kind == AL_MEDIA_INFO ? sizeof info : kind == AL_MEDIA_EATEN ? sizeof eaten : kind == AL_MEDIA_BYTES;
    say(frames, kind, &info, size);
    struct al_media_frame frame;
    assert_int_equal(next(frames, &frame), AL_INVALID_REQUEST);
  }
  AL_CLEANUP(al_free_p) struct al_media_frames *frames = informed();
  struct al_media_frame frame;
  say(frames, AL_MEDIA_END, &zero, sizeof zero);
  say(frames, AL_MEDIA_SAMPLES, &sample, sizeof sample);
  assert_int_equal(next(frames, &frame), AL_OK);
  assert_int_equal(next(frames, &frame), AL_INVALID_REQUEST); /* nothing comes after the end */
}

static enum al_code say_shape(struct al_media_frames *frames, uint32_t width, uint32_t height, uint32_t has_alpha)
{
  const struct al_media_shape shape = { width, height, has_alpha };
  struct al_media_frame frame;
  say(frames, AL_MEDIA_HELLO, nullptr, 0);
  assert_int_equal(next(frames, &frame), AL_OK);
  say(frames, AL_MEDIA_SHAPE, &shape, sizeof shape);
  AL_TRY(next(frames, &frame));
  assert_int_equal(frame.shape.width, width);
  assert_int_equal(frame.shape.height, height);
  return AL_OK;
}

static void a_picture_has_as_many_pixels_as_it_says(void **)
{
  static const uint8_t pixels[4 * 6] = {};
  const uint32_t zero = 0;
  struct al_media_frame frame;
  AL_CLEANUP(al_free_p) struct al_media_frames *whole = fresh(AL_MEDIA_READ_PICTURE);
  assert_int_equal(say_shape(whole, 3, 2, 1), AL_OK);
  say(whole, AL_MEDIA_PIXELS, pixels, 20);
  say(whole, AL_MEDIA_PIXELS, pixels, 4);
  say(whole, AL_MEDIA_END, &zero, sizeof zero);
  for (int i = 0; i < 3; i++)
    assert_int_equal(next(whole, &frame), AL_OK);
  assert_int_equal(frame.kind, AL_MEDIA_END);
  AL_CLEANUP(al_free_p) struct al_media_frames *fewer = fresh(AL_MEDIA_READ_PICTURE);
  assert_int_equal(say_shape(fewer, 3, 2, 0), AL_OK);
  say(fewer, AL_MEDIA_PIXELS, pixels, 17);
  say(fewer, AL_MEDIA_END, &zero, sizeof zero);
  assert_int_equal(next(fewer, &frame), AL_OK);
  assert_int_equal(next(fewer, &frame), AL_INVALID_REQUEST);
  AL_CLEANUP(al_free_p) struct al_media_frames *more = fresh(AL_MEDIA_READ_PICTURE);
  assert_int_equal(say_shape(more, 3, 2, 0), AL_OK);
  say(more, AL_MEDIA_PIXELS, pixels, 19);
  assert_int_equal(next(more, &frame), AL_INVALID_REQUEST);
}

static void shapes_that_cannot_be_are_refused(void **)
{
  static const struct al_media_shape wrong[] = { { 0, 1, 0 },   { 1, 0, 0 },           { 65'536, 1, 0 },
                                                 { 1, ~0U, 0 }, { 65'535, 65'535, 0 }, { 1, 1, 2 } };
  for (size_t i = 0; i < AL_COUNT(wrong); i++) {
    AL_CLEANUP(al_free_p) struct al_media_frames *frames = fresh(AL_MEDIA_READ_PICTURE);
    assert_int_equal(say_shape(frames, wrong[i].width, wrong[i].height, wrong[i].has_alpha), AL_INVALID_REQUEST);
  }
  static const enum al_media_job others[] = { AL_MEDIA_DECODE, AL_MEDIA_ENCODE, AL_MEDIA_WRITE_PICTURE };
  for (size_t i = 0; i < AL_COUNT(others); i++) { /* only whoever reads pictures says what shape they have */
    AL_CLEANUP(al_free_p) struct al_media_frames *frames = fresh(others[i]);
    assert_int_equal(say_shape(frames, 1, 1, 0), AL_INVALID_REQUEST);
  }
  const uint64_t eaten = 1;
  struct al_media_frame frame;
  AL_CLEANUP(al_free_p) struct al_media_frames *writer = fresh(AL_MEDIA_WRITE_PICTURE);
  say(writer, AL_MEDIA_HELLO, nullptr, 0);
  say(writer, AL_MEDIA_EATEN, &eaten, sizeof eaten);
  assert_int_equal(next(writer, &frame), AL_OK);
  assert_int_equal(next(writer, &frame), AL_INVALID_REQUEST);
}

static void sizes_are_held(void **)
{
  static const struct {
    enum al_media_kind kind;
    uint32_t size_bytes;
  } wrong[] = { { AL_MEDIA_SAMPLES, 0 },
                { AL_MEDIA_SAMPLES, 6 },
                { AL_MEDIA_SAMPLES, AL_MEDIA_MAX_PAYLOAD + 4 },
                { AL_MEDIA_SAMPLES, ~0U - 3 },
                { AL_MEDIA_END, 5 },
                { AL_MEDIA_FAILED, 4 },
                { 0, 0 },
                { 99, 0 } };
  for (size_t i = 0; i < AL_COUNT(wrong); i++) {
    AL_CLEANUP(al_free_p) struct al_media_frames *frames = informed();
    const struct al_media_header header = { wrong[i].kind, wrong[i].size_bytes };
    size_t room;
    memcpy(al_media_frames_room(frames, &room), &header, sizeof header);
    al_media_frames_grew(frames, sizeof header);
    struct al_media_frame frame;
    struct al_err err = {};
    bool found;
    /* Refused by its header, before its payload is waited for. */
    assert_int_equal(al_media_frames_next(frames, &frame, &found, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.reason, "corrupt_media");
  }
}

static void texts_are_made_printable(void **)
{
  AL_CLEANUP(al_free_p) struct al_media_frames *frames = fresh(AL_MEDIA_DECODE);
  struct al_audio_info info = good_info();
  memset(info.container, 'x', sizeof info.container); /* without an end */
  memcpy(info.codec, "a\nb\x1b[1m\xff", 9);
  info.duration_s = NAN;
  say(frames, AL_MEDIA_HELLO, nullptr, 0);
  say(frames, AL_MEDIA_INFO, &info, sizeof info);
  struct al_media_frame frame;
  assert_int_equal(next(frames, &frame), AL_OK);
  assert_int_equal(next(frames, &frame), AL_OK);
  assert_int_equal(strlen(frame.info.container), sizeof info.container - 1);
  assert_string_equal(frame.info.codec, "a?b?[1m?");
  assert_true(frame.info.duration_s == 0);
}

static void figures_that_cannot_be_are_refused(void **)
{
  struct al_media_frame frame;
  struct al_audio_info info = good_info();
  info.n_channels = -1;
  AL_CLEANUP(al_free_p) struct al_media_frames *frames = fresh(AL_MEDIA_DECODE);
  say(frames, AL_MEDIA_HELLO, nullptr, 0);
  say(frames, AL_MEDIA_INFO, &info, sizeof info);
  assert_int_equal(next(frames, &frame), AL_OK);
  assert_int_equal(next(frames, &frame), AL_INVALID_REQUEST);

  AL_CLEANUP(al_free_p) struct al_media_frames *eater = fresh(AL_MEDIA_ENCODE);
  const uint64_t eaten[] = { 7, 6 };
  say(eater, AL_MEDIA_HELLO, nullptr, 0);
  say(eater, AL_MEDIA_EATEN, &eaten[0], sizeof eaten[0]);
  say(eater, AL_MEDIA_EATEN, &eaten[1], sizeof eaten[1]); /* less than before */
  assert_int_equal(next(eater, &frame), AL_OK);
  assert_int_equal(next(eater, &frame), AL_OK);
  assert_int_equal(next(eater, &frame), AL_INVALID_REQUEST);

  AL_CLEANUP(al_free_p) struct al_media_frames *failing = fresh(AL_MEDIA_DECODE);
  const struct al_media_failure failure = { .kind = AL_MEDIA_FAILURE_COUNT };
  say(failing, AL_MEDIA_FAILED, &failure, sizeof failure);
  assert_int_equal(next(failing, &frame), AL_INVALID_REQUEST);
}

static void samples_are_finite_and_within_bounds(void **)
{
  const float in[] = { 0.5F, NAN, -NAN, INFINITY, -INFINITY, 1.5F, -1.0001F, 1.0F, -1.0F };
  const float want[] = { 0.5F, 0, 0, 1, -1, 1, -1, 1, -1 };
  float out[AL_COUNT(in)];
  al_media_samples_copy(al_str_n((const char *)in, sizeof in), 0, out, AL_COUNT(in));
  for (size_t i = 0; i < AL_COUNT(in); i++)
    assert_true(out[i] == want[i]);
  al_media_samples_copy(al_str_n((const char *)in, sizeof in), 5, out, 2);
  assert_true(out[0] == 1 && out[1] == -1);
}

static void every_failure_has_words(void **)
{
  for (uint32_t kind = 1; kind < AL_MEDIA_FAILURE_COUNT; kind++) {
    const struct al_media_failure failure = { .kind = (enum al_media_failure_kind)kind, .detail = "the detail" };
    struct al_err err = {};
    enum al_code code = al_media_failure_tell(&failure, &err);
    assert_int_not_equal(code, AL_OK);
    assert_true(strlen(err.message) > 10);
    bool of_the_file = (kind >= AL_MEDIA_UNKNOWN && kind <= AL_MEDIA_TOO_LARGE) || kind == AL_MEDIA_TOO_MANY_PIXELS;
    assert_int_equal(of_the_file, code == AL_INVALID_REQUEST && err.reason != nullptr);
    struct al_err of_a_picture = {};
    assert_int_equal(al_media_picture_failure_tell(&failure, &of_a_picture), code);
    assert_true(strlen(of_a_picture.message) > 10);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(frames_come_byte_by_byte),
    cmocka_unit_test(the_order_is_held),
    cmocka_unit_test(a_picture_has_as_many_pixels_as_it_says),
    cmocka_unit_test(shapes_that_cannot_be_are_refused),
    cmocka_unit_test(sizes_are_held),
    cmocka_unit_test(texts_are_made_printable),
    cmocka_unit_test(figures_that_cannot_be_are_refused),
    cmocka_unit_test(samples_are_finite_and_within_bounds),
    cmocka_unit_test(every_failure_has_words),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
