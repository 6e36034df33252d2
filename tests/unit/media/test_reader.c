/* Audio in, with the real child and with bad ones. argv: the program allm-media, the directory of sounds. Run as
 * `decode ...` this program is a child of its own: KIT_CHILD says how it misbehaves. */
#include "media_kit.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "media/pcm.h"
#include "media/protocol.h"
#include "os/file.h"

#include <signal.h>
#include <stdatomic.h>

static char own_program[4096];

/* --- children that misbehave ------------------------------------------------------------------------------------ */

static void say(enum al_media_kind kind, const void *payload, size_t size)
{
  const struct al_media_header header = { kind, (uint32_t)size };
  if (write(AL_MEDIA_OUT_FD, &header, sizeof header) < 0 || (size > 0 && write(AL_MEDIA_OUT_FD, payload, size) < 0))
    _exit(1);
}

static int misbehave(const char *how)
{
  const struct al_audio_info info = { .container = "wav", .codec = "pcm", .sample_rate = 16'000, .n_channels = 1 };
  static const float samples[4096] = { 0.25F, NAN, 9 };
  if (strcmp(how, "mute") == 0)
    return 0;
  say(AL_MEDIA_HELLO, nullptr, 0);
  if (strcmp(how, "hang") == 0)
    (void)pause();
  if (strcmp(how, "babble") == 0)
    say(AL_MEDIA_SAMPLES, samples, sizeof samples);
  if (strcmp(how, "die") == 0)
    (void)raise(SIGSYS);
  if (strcmp(how, "be killed") == 0)
    (void)raise(SIGTERM);
  say(AL_MEDIA_INFO, &info, sizeof info);
  say(AL_MEDIA_SAMPLES, samples, sizeof samples);
  if (strcmp(how, "die in the middle") == 0)
    (void)raise(SIGSYS);
  if (strcmp(how, "be killed in the middle") == 0)
    (void)raise(SIGKILL);
  if (strcmp(how, "break in the middle") == 0 || strcmp(how, "overflow in the middle") == 0) {
    const struct al_media_failure failure = { .kind = *how == 'b' ? AL_MEDIA_CORRUPT : AL_MEDIA_TOO_LARGE };
    say(AL_MEDIA_FAILED, &failure, sizeof failure);
    return 0;
  }
  if (strcmp(how, "hang in the middle") == 0)
    (void)pause();
  for (;;) /* flood */
    say(AL_MEDIA_SAMPLES, samples, sizeof samples);
}

static void use_child(const char *how)
{
  (void)setenv("KIT_CHILD", how, 1);
  al_media_set_program(own_program);
}

/* --- sources ---------------------------------------------------------------------------------------------------- */

static int memory_file(const void *bytes, size_t size)
{
  int fd = memfd_create("sound", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, size), (ssize_t)size);
  return fd;
}

/* Mono, 16 bits, a tone; the header says the true length or `claim` bytes. */
static struct al_buf make_wav(size_t n, int rate)
{
  struct al_buf wav = {};
  uint8_t header[AL_WAV_HEADER_BYTES];
  al_wav_header(rate, header);
  al_buf_add(&wav, header, sizeof header);
  for (size_t i = 0; i < n; i++) {
    uint8_t bytes[2];
    const float sample = kit_tone(i, rate);
    al_pcm16_from_float(&sample, 1, bytes);
    al_buf_add(&wav, bytes, 2);
  }
  return wav;
}

static enum al_code open_range(int fd, uint64_t offset, uint64_t size, struct al_audio_reader **reader,
                               struct al_err *err)
{
  const struct al_media_source source = { fd, offset, size };
  const struct al_audio_want want = { .sample_rate = 16'000, .stall_ms = 10'000 };
  return al_audio_reader_open(&source, &want, nullptr, reader, err);
}

static enum al_code open_any(struct al_audio_reader **reader, struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = memory_file("something", 9);
  return open_range(fd, 0, 9, reader, err);
}

/* --- the real child --------------------------------------------------------------------------------------------- */

static void a_part_of_a_file_is_read(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf wav = make_wav(16'000, 16'000);
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  al_buf_str(&body, "--boundary\r\n\r\n");
  size_t offset = body.size;
  al_buf_add(&body, wav.data, wav.size);
  al_buf_str(&body, "\r\n--boundary--\r\n and whatever else follows");
  AL_CLEANUP(al_fd_close) int fd = memory_file(body.data, body.size);
  AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
  struct al_err err = {};
  if (open_range(fd, offset, wav.size, &reader, &err) != AL_OK)
    fail_msg("%s", err.message);
  assert_string_equal(al_audio_reader_info(reader)->container, "wav");
  assert_string_equal(al_audio_reader_info(reader)->codec, "pcm_s16le");
  assert_int_equal(al_audio_reader_info(reader)->sample_rate, 16'000);
  size_t n_all = 0, n;
  do { /* blocks that fit nothing */
    float samples[997];
    assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, &err), AL_OK);
    for (size_t i = 0; i < n; i++)
      assert_true(fabsf(samples[i] - kit_tone(n_all + i, 16'000)) <= 1.0F / 32768);
    n_all += n;
  } while (n > 0);
  assert_int_equal(n_all, 16'000); /* and not one sample of what follows */
  assert_false(al_audio_reader_truncated(reader));
}

static void sounds_of_all_kinds_are_read(void **)
{
  static const char *const names[] = { "tone.mp3",       "tone.flac", "tone.ogg",  "tone.opus", "tone-end.m4a",
                                       "tone-front.m4a", "tone.webm", "video.mp4", "video.avi" };
  static float samples[40'000];
  for (size_t i = 0; i < AL_COUNT(names); i++) {
    char path[4096];
    uint64_t size;
    AL_CLEANUP(al_fd_close) int fd = -1;
    assert_int_equal(al_path_join(path, sizeof path, media_data, names[i], nullptr), AL_OK);
    assert_int_equal(al_file_open(path, &fd, &size, nullptr), AL_OK);
    AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
    struct al_err err = {};
    if (open_range(fd, 0, size, &reader, &err) != AL_OK)
      fail_msg("%s: %s", names[i], err.message);
    size_t n;
    assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, &err), AL_OK);
    assert_true(n > 23'500 && n < 26'500); /* a second and a half */
    float peak = 0;
    for (size_t k = 0; k < n; k++)
      peak = fmaxf(peak, fabsf(samples[k]));
    assert_true(peak > 0.4F);
  }
}

static void bad_files_are_told_apart(void **)
{
  static const struct {
    const char *bytes;
    size_t size;
    const char *reason;
  } bad[] = { { "", 0, "empty_file" },
              { "x", 1, "unknown_media" },
              { "#EXTM3U\nfile:///etc/passwd\n", 27, "unknown_media" } };
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    AL_CLEANUP(al_fd_close) int fd = memory_file(bad[i].bytes, bad[i].size);
    struct al_audio_reader *reader = nullptr;
    struct al_err err = {};
    assert_int_equal(open_range(fd, 0, bad[i].size, &reader, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.reason, bad[i].reason);
    assert_null(reader);
  }
  AL_CLEANUP(al_fd_close) int fd = memory_file("RIFF", 4);
  struct al_audio_reader *reader = nullptr;
  assert_int_equal(open_range(fd, UINT64_MAX, 2, &reader, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(open_range(fd, 100, 1000, &reader, nullptr), AL_INVALID_REQUEST); /* beyond its end */
  AL_CLEANUP(al_buf_done) struct al_buf wav = make_wav(0, 16'000);
  AL_CLEANUP(al_fd_close) int silent = memory_file(wav.data, wav.size);
  struct al_err err = {};
  assert_int_equal(open_range(silent, 0, wav.size, &reader, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.reason, "empty_file");
}

static void length_has_a_limit(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf wav = make_wav(16'000, 16'000);
  AL_CLEANUP(al_fd_close) int fd = memory_file(wav.data, wav.size);
  const struct al_media_source source = { fd, 0, wav.size };
  static float samples[20'000];
  for (int tenths = 9; tenths <= 11; tenths++) {
    const struct al_audio_want want = { .sample_rate = 16'000, .max_duration_s = tenths / 10.0 };
    AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
    struct al_err err = {};
    size_t n;
    enum al_code code = al_audio_reader_open(&source, &want, nullptr, &reader, &err);
    if (code == AL_OK)
      code = al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, &err);
    assert_int_equal(code, tenths < 10 ? AL_INVALID_REQUEST : AL_OK);
    if (tenths < 10)
      assert_string_equal(err.reason, "audio_too_long");
  }
}

static void nothing_is_left_behind(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf wav = make_wav(400'000, 16'000);
  AL_CLEANUP(al_fd_close) int fd = memory_file(wav.data, wav.size);
  size_t n_before = kit_open_descriptors();
  for (int i = 0; i < 3; i++) { /* closed at once, in the middle, at the end */
    struct al_audio_reader *reader = nullptr;
    struct al_err err = {};
    assert_int_equal(open_range(fd, 0, wav.size, &reader, &err), AL_OK);
    static float samples[500'000];
    size_t n = 0;
    if (i > 0)
      assert_int_equal(al_audio_reader_read(reader, samples, i == 1 ? 100 : AL_COUNT(samples), &n, &err), AL_OK);
    assert_int_equal(n, i == 0 ? 0 : i == 1 ? 100 : 400'000);
    al_audio_reader_close(reader);
    kit_assert_no_child();
    assert_int_equal(kit_open_descriptors(), n_before);
  }
  al_audio_reader_close(nullptr);
}

static void memory_may_run_out(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf wav = make_wav(1000, 16'000);
  AL_CLEANUP(al_fd_close) int fd = memory_file(wav.data, wav.size);
  size_t n_failed = 0;
  enum al_code code = AL_OOM_RAM;
  for (size_t nth = 1; code != AL_OK; nth++) {
    AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
    (void)al_alloc_fail_at(nth);
    code = open_range(fd, 0, wav.size, &reader, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    n_failed += code != AL_OK;
  }
  assert_true(n_failed >= 2); /* the reader, the child's environment */
  kit_assert_no_child();
}

/* --- at the same time ------------------------------------------------------------------------------------------- */

static struct al_buf shared_wav;
static int shared_fd;
static atomic_int n_good;

static void read_shared(void *)
{
  float samples[4096];
  size_t n, n_all = 0;
  AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
  if (open_range(shared_fd, 0, shared_wav.size, &reader, nullptr) != AL_OK)
    return;
  while (al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, nullptr) == AL_OK && n > 0)
    for (size_t i = 0; i < n; i++, n_all++)
      if (fabsf(samples[i] - kit_tone(n_all, 16'000)) > 0.001F)
        return;
  atomic_fetch_add(&n_good, n_all == 200'000);
}

/* One descriptor for all: each has an offset of its own. */
static void many_read_at_once(void **)
{
  shared_wav = make_wav(200'000, 16'000);
  shared_fd = memory_file(shared_wav.data, shared_wav.size);
  struct al_thread threads[6] = {};
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    assert_int_equal(al_thread_start(&threads[i], "test", read_shared, nullptr, nullptr), AL_OK);
  for (size_t i = 0; i < AL_COUNT(threads); i++)
    al_thread_join(&threads[i]);
  assert_int_equal(atomic_load(&n_good), AL_COUNT(threads));
  kit_assert_no_child();
  al_buf_done(&shared_wav);
  al_fd_close(&shared_fd);
}

/* --- bad children ----------------------------------------------------------------------------------------------- */

static void without_a_program_nothing_is_read(void **)
{
  struct al_audio_reader *reader = nullptr;
  al_media_set_program(nullptr);
  assert_int_equal(open_any(&reader, nullptr), AL_UNSUPPORTED);
  al_media_set_program("/nowhere/allm-media");
  assert_int_equal(open_any(&reader, nullptr), AL_UNSUPPORTED);
  use_child("mute");
  assert_int_equal(open_any(&reader, nullptr), AL_INTERNAL); /* it never began: not the file's fault */
}

static void a_child_that_dies_is_the_files_fault(void **)
{
  struct al_audio_reader *reader = nullptr;
  struct al_err err = {};
  static const char *const ways[] = { "die", "babble" };
  for (size_t i = 0; i < AL_COUNT(ways); i++) {
    use_child(ways[i]);
    assert_int_equal(open_any(&reader, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.reason, "corrupt_media");
  }
  use_child("be killed");
  assert_int_equal(open_any(&reader, &err), AL_INTERNAL); /* it was not */
  kit_assert_no_child();
}

static void what_came_before_the_end_is_good(void **)
{
  use_child("break in the middle");
  AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
  static float samples[10'000];
  size_t n;
  assert_int_equal(open_any(&reader, nullptr), AL_OK);
  assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, nullptr), AL_OK);
  assert_int_equal(n, 4096);
  assert_true(samples[0] == 0.25F && samples[1] == 0 && samples[2] == 1); /* not a number, too loud */
  assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, nullptr), AL_OK);
  assert_int_equal(n, 0);
  assert_true(al_audio_reader_truncated(reader));
}

static void a_part_is_not_taken_for_the_whole(void **)
{
  static const struct {
    const char *how;
    enum al_code code;
  } ways[] = { { "die in the middle", AL_INVALID_REQUEST },
               { "overflow in the middle", AL_INVALID_REQUEST },
               { "be killed in the middle", AL_INTERNAL } };
  static float samples[10'000];
  for (size_t i = 0; i < AL_COUNT(ways); i++) {
    use_child(ways[i].how);
    AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
    struct al_err err = {};
    size_t n = 7;
    assert_int_equal(open_any(&reader, nullptr), AL_OK);
    assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, &err), ways[i].code);
    assert_int_equal(n, 7);
    assert_false(al_audio_reader_truncated(reader));
    assert_true((err.reason != nullptr) == (ways[i].code == AL_INVALID_REQUEST));
  }
}

static void a_flood_is_too_long(void **)
{
  use_child("flood");
  AL_CLEANUP(al_fd_close) int fd = memory_file("x", 1);
  const struct al_media_source source = { fd, 0, 1 };
  const struct al_audio_want want = { .sample_rate = 16'000, .max_duration_s = 10 };
  AL_CLEANUP(al_audio_reader_close_p) struct al_audio_reader *reader = nullptr;
  struct al_err err = {};
  static float samples[200'000];
  size_t n;
  assert_int_equal(al_audio_reader_open(&source, &want, nullptr, &reader, &err), AL_OK);
  assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.reason, "audio_too_long");
}

static void a_child_that_stands_still_is_a_timeout(void **)
{
  AL_CLEANUP(al_fd_close) int fd = memory_file("x", 1);
  const struct al_media_source source = { fd, 0, 1 };
  const struct al_audio_want want = { .sample_rate = 16'000, .stall_ms = 120 };
  struct al_audio_reader *reader = nullptr;
  use_child("hang");
  assert_int_equal(al_audio_reader_open(&source, &want, nullptr, &reader, nullptr), AL_TIMEOUT);
  use_child("hang in the middle");
  const struct al_audio_want patient = { .sample_rate = 16'000, .stall_ms = 3000 };
  assert_int_equal(al_audio_reader_open(&source, &patient, nullptr, &reader, nullptr), AL_OK);
  static float samples[10'000];
  size_t n;
  assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, nullptr), AL_TIMEOUT);
  al_audio_reader_close(reader);
  kit_assert_no_child();
}

static void fire(void *cancel)
{
  al_cancel_fire(cancel, AL_CANCELLED);
}

static void a_cancelled_reader_stops_at_once(void **)
{
  use_child("hang in the middle");
  struct al_cancel *cancel = al_cancel_new();
  AL_CLEANUP(al_fd_close) int fd = memory_file("x", 1);
  const struct al_media_source source = { fd, 0, 1 };
  const struct al_audio_want want = { .sample_rate = 16'000 }; /* would stand still for 30 s */
  struct al_audio_reader *reader = nullptr;
  assert_int_equal(al_audio_reader_open(&source, &want, cancel, &reader, nullptr), AL_OK);
  struct al_thread thread = {};
  assert_int_equal(al_thread_start(&thread, "fire", fire, cancel, nullptr), AL_OK);
  static float samples[10'000];
  size_t n;
  assert_int_equal(al_audio_reader_read(reader, samples, AL_COUNT(samples), &n, nullptr), AL_CANCELLED);
  al_thread_join(&thread);
  al_audio_reader_close(reader);
  assert_int_equal(al_audio_reader_open(&source, &want, cancel, &reader, nullptr), AL_CANCELLED);
  al_cancel_unref(cancel);
  kit_assert_no_child();
}

static int use_real_child(void **)
{
  al_media_set_program(media_program);
  return 0;
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_part_of_a_file_is_read),
    cmocka_unit_test(sounds_of_all_kinds_are_read),
    cmocka_unit_test(bad_files_are_told_apart),
    cmocka_unit_test(length_has_a_limit),
    cmocka_unit_test(nothing_is_left_behind),
    cmocka_unit_test(memory_may_run_out),
    cmocka_unit_test(many_read_at_once),
    cmocka_unit_test_teardown(without_a_program_nothing_is_read, use_real_child),
    cmocka_unit_test_teardown(a_child_that_dies_is_the_files_fault, use_real_child),
    cmocka_unit_test_teardown(what_came_before_the_end_is_good, use_real_child),
    cmocka_unit_test_teardown(a_part_is_not_taken_for_the_whole, use_real_child),
    cmocka_unit_test_teardown(a_flood_is_too_long, use_real_child),
    cmocka_unit_test_teardown(a_child_that_stands_still_is_a_timeout, use_real_child),
    cmocka_unit_test_teardown(a_cancelled_reader_stops_at_once, use_real_child),
  };
  if (argc > 1 && strcmp(argv[1], "decode") == 0)
    return misbehave(getenv("KIT_CHILD"));
  if (argc != 3 || readlink("/proc/self/exe", own_program, sizeof own_program - 1) <= 0)
    return 2;
  media_program = argv[1];
  media_data = argv[2];
  al_media_set_program(media_program);
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
