/* Pictures, with the real child and with bad ones. argv: the program allm-media, a directory (unused). Run as
 * `read-picture ...` or `write-picture ...` this program is a child of its own: KIT_CHILD says how it misbehaves. */
#include "media_kit.h"

#include "base/alloc.h"
#include "media/image.h"
#include "media/protocol.h"
#include "os/file.h"

#include <signal.h>

constexpr int WIDTH = 41;
constexpr int HEIGHT = 23;

static char own_program[4096];
static uint8_t colors[HEIGHT][WIDTH][3], alpha[HEIGHT][WIDTH];

/* --- children that misbehave ------------------------------------------------------------------------------------ */

static void say(enum al_media_kind kind, const void *payload, size_t size)
{
  const struct al_media_header header = { kind, (uint32_t)size };
  if (write(AL_MEDIA_OUT_FD, &header, sizeof header) < 0 || (size > 0 && write(AL_MEDIA_OUT_FD, payload, size) < 0))
    _exit(1);
}

static int misbehave(const char *how)
{
  static const uint8_t pixels[12];
  const struct al_media_shape shape = { 2, 2, 0 };
  const uint32_t zero = 0;
  if (strcmp(how, "mute") == 0)
    return 0;
  say(AL_MEDIA_HELLO, nullptr, 0);
  if (strcmp(how, "end at once") == 0) {
    say(AL_MEDIA_END, &zero, sizeof zero);
    return 0;
  }
  if (strcmp(how, "hang") == 0)
    (void)pause();
  if (strcmp(how, "die") == 0)
    (void)raise(SIGSYS);
  say(AL_MEDIA_SHAPE, &shape, sizeof shape);
  say(AL_MEDIA_PIXELS, pixels, strcmp(how, "say less") == 0 ? 11 : 12);
  if (strcmp(how, "die at the end") == 0)
    (void)raise(SIGXCPU);
  if (strcmp(how, "say more") == 0)
    say(AL_MEDIA_PIXELS, pixels, 1);
  say(AL_MEDIA_END, &zero, sizeof zero);
  return 0;
}

static void use_child(const char *how)
{
  (void)setenv("KIT_CHILD", how, 1);
  al_media_set_program(own_program);
}

static int use_real_child(void **)
{
  al_media_set_program(media_program);
  return 0;
}

/* --- pictures --------------------------------------------------------------------------------------------------- */

static void paint(void)
{
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) {
      alpha[y][x] = (uint8_t)(x * y);
      for (int i = 0; i < 3; i++)
        colors[y][x][i] = (uint8_t)(5 * x + 9 * y + 70 * i);
    }
}

static enum al_code write_any(enum al_image_format format, bool has_alpha, struct al_buf *bytes, struct al_err *err)
{
  const struct al_image_out out = {
    .format = format,
    .quality = 100,
    .width = WIDTH,
    .height = HEIGHT,
    .rgb = colors[0][0],
    .alpha = has_alpha ? alpha[0] : nullptr,
  };
  return al_image_write(&out, nullptr, bytes, err);
}

static enum al_code read_bytes(const void *bytes, size_t size, const struct al_image_want *want, struct al_image *image,
                               struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = memfd_create("picture", MFD_CLOEXEC);
  assert_int_equal(write(fd, "before", 6), 6);
  assert_int_equal(write(fd, bytes, size), (ssize_t)size);
  assert_int_equal(write(fd, "and after", 9), 9);
  const struct al_media_source source = { fd, 6, size };
  return al_image_read(&source, want, nullptr, image, err);
}

static void assert_refused(const void *bytes, size_t size, const struct al_image_want *want, const char *reason)
{
  struct al_image image = {};
  struct al_err err = {};
  assert_int_equal(read_bytes(bytes, size, want, &image, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.reason, reason);
  assert_true(strlen(err.message) > 10);
  assert_null(image.rgb);
  kit_assert_no_child();
}

static void what_is_written_is_read(void **)
{
  static const enum al_image_format exact[] = { AL_IMAGE_PNG, AL_IMAGE_WEBP };
  const struct al_image_want want = {};
  for (size_t i = 0; i < 4; i++) {
    bool has_alpha = i >= 2 && exact[i % 2] == AL_IMAGE_PNG; /* WebP forgets colours that nobody can see */
    AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
    AL_CLEANUP(al_image_done) struct al_image image = {};
    struct al_err err = {};
    if (write_any(exact[i % 2], has_alpha, &bytes, &err) != AL_OK ||
        read_bytes(bytes.data, bytes.size, &want, &image, &err) != AL_OK)
      fail_msg("%s", err.message);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    assert_memory_equal(image.rgb, colors, sizeof colors);
    assert_int_equal(image.alpha != nullptr, has_alpha);
    if (has_alpha)
      assert_memory_equal(image.alpha, alpha, sizeof alpha);
  }
  kit_assert_no_child();
}

static void a_size_that_is_wanted_comes(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  assert_int_equal(write_any(AL_IMAGE_JPEG, true, &bytes, nullptr), AL_OK);
  AL_CLEANUP(al_image_done) struct al_image image = {};
  const struct al_image_want want = { .width = 64, .height = 16 };
  assert_int_equal(read_bytes(bytes.data, bytes.size, &want, &image, nullptr), AL_OK);
  assert_int_equal(image.width, 64);
  assert_int_equal(image.height, 16);
  assert_null(image.alpha);
  const struct al_image_want absurd = { .width = 65'535, .height = 65'535 };
  AL_CLEANUP(al_image_done) struct al_image none = {};
  assert_int_equal(read_bytes(bytes.data, bytes.size, &absurd, &none, nullptr), AL_INVALID_REQUEST);
}

static void bad_files_are_told_apart(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  assert_int_equal(write_any(AL_IMAGE_PNG, false, &bytes, nullptr), AL_OK);
  const struct al_image_want any = {}, few = { .max_pixels = WIDTH * HEIGHT - 1 };
  assert_refused("", 0, &any, "empty_file");
  assert_refused("no picture", 10, &any, "unknown_media");
  assert_refused(bytes.data, bytes.size / 2, &any, "corrupt_media");
  assert_refused(bytes.data, bytes.size, &few, "image_too_large");
}

static void bad_orders_are_refused(void **)
{
  static const struct al_image_out wrong[] = {
    { .format = AL_IMAGE_FORMAT_COUNT, .quality = 50, .width = 1, .height = 1 },
    { .format = AL_IMAGE_PNG, .quality = 101, .width = 1, .height = 1 },
    { .format = AL_IMAGE_PNG, .quality = -1, .width = 1, .height = 1 },
    { .format = AL_IMAGE_PNG, .quality = 50, .width = 0, .height = 1 },
    { .format = AL_IMAGE_PNG, .quality = 50, .width = 1, .height = -1 },
    { .format = AL_IMAGE_PNG, .quality = 50, .width = 65'535, .height = 65'535 },
    { .format = AL_IMAGE_WEBP, .quality = 50, .width = 16'384, .height = 1 },
  };
  for (size_t i = 0; i < AL_COUNT(wrong); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
    assert_int_equal(al_image_write(&wrong[i], nullptr, &bytes, nullptr), AL_INVALID_REQUEST);
  }
  AL_CLEANUP(al_buf_done) struct al_buf small = {};
  al_buf_init(&small, 100);
  assert_int_equal(write_any(AL_IMAGE_PNG, true, &small, nullptr), AL_OOM_RAM);
  kit_assert_no_child();
}

static void formats_have_names(void **)
{
  for (int i = 0; i < AL_IMAGE_FORMAT_COUNT; i++)
    assert_int_equal(al_image_format_parse(al_str(al_image_format_name((enum al_image_format)i))), i);
  assert_int_equal(al_image_format_parse(al_str("gif")), AL_IMAGE_FORMAT_COUNT);
  assert_int_equal(al_image_format_parse(al_str("")), AL_IMAGE_FORMAT_COUNT);
  assert_string_equal(al_image_format_content_type(AL_IMAGE_JPEG), "image/jpeg");
}

static void nothing_is_left_behind(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  assert_int_equal(write_any(AL_IMAGE_PNG, true, &bytes, nullptr), AL_OK);
  size_t n_before = kit_open_descriptors();
  const struct al_image_want want = {};
  for (size_t n = 1;; n++) { /* memory runs out at every place in turn */
    struct al_image image = {};
    AL_CLEANUP(al_fd_close) int fd = memfd_create("picture", MFD_CLOEXEC);
    assert_int_equal(write(fd, bytes.data, bytes.size), (ssize_t)bytes.size);
    const struct al_media_source source = { fd, 0, bytes.size };
    (void)al_alloc_fail_at(n);
    enum al_code code = al_image_read(&source, &want, nullptr, &image, nullptr);
    size_t n_made = al_alloc_fail_at(0);
    kit_assert_no_child();
    al_image_done(&image);
    if (code == AL_OK && n_made < n)
      break;
    assert_int_equal(code, AL_OOM_RAM);
  }
  assert_int_equal(kit_open_descriptors(), n_before);
}

static void a_child_is_not_believed(void **)
{
  static const struct {
    const char *how;
    enum al_code code;
  } bad[] = {
    { "mute", AL_INTERNAL },
    { "end at once", AL_INVALID_REQUEST },
    { "die", AL_INVALID_REQUEST },
    { "say less", AL_INVALID_REQUEST },
    { "say more", AL_INVALID_REQUEST },
    { "die at the end", AL_INVALID_REQUEST },
  };
  const struct al_image_want any = {}, another = { .width = 3, .height = 2 }, fewer = { .max_pixels = 3 };
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    use_child(bad[i].how);
    struct al_image image = {};
    assert_int_equal(read_bytes("x", 1, &any, &image, nullptr), bad[i].code);
    assert_null(image.rgb);
    kit_assert_no_child();
  }
  use_child("behave");
  AL_CLEANUP(al_image_done) struct al_image image = {};
  assert_int_equal(read_bytes("x", 1, &any, &image, nullptr), AL_OK);
  assert_int_equal(image.width, 2);
  assert_refused("x", 1, &another, "corrupt_media"); /* another size than was asked for */
  assert_refused("x", 1, &fewer, "corrupt_media");   /* more than it may */
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  use_child("mute");
  assert_int_equal(write_any(AL_IMAGE_PNG, false, &bytes, nullptr), AL_INTERNAL);
}

static void a_cancelled_picture_stops(void **)
{
  use_child("hang");
  struct al_cancel *cancel = al_cancel_new();
  al_cancel_fire(cancel, AL_CANCELLED);
  AL_CLEANUP(al_fd_close) int fd = memfd_create("picture", MFD_CLOEXEC);
  const struct al_media_source source = { fd, 0, 1 };
  const struct al_image_want want = {};
  struct al_image image = {};
  assert_int_equal(al_image_read(&source, &want, cancel, &image, nullptr), AL_CANCELLED);
  al_cancel_unref(cancel);
  kit_assert_no_child();
}

static void without_a_program_nothing_is_done(void **)
{
  al_media_set_program(nullptr);
  struct al_image image = {};
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  const struct al_image_want want = {};
  assert_int_equal(read_bytes("x", 1, &want, &image, nullptr), AL_UNSUPPORTED);
  assert_int_equal(write_any(AL_IMAGE_PNG, false, &bytes, nullptr), AL_UNSUPPORTED);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_written_is_read),
    cmocka_unit_test(a_size_that_is_wanted_comes),
    cmocka_unit_test(bad_files_are_told_apart),
    cmocka_unit_test(bad_orders_are_refused),
    cmocka_unit_test(formats_have_names),
    cmocka_unit_test(nothing_is_left_behind),
    cmocka_unit_test_teardown(a_child_is_not_believed, use_real_child),
    cmocka_unit_test_teardown(a_cancelled_picture_stops, use_real_child),
    cmocka_unit_test_teardown(without_a_program_nothing_is_done, use_real_child),
  };
  if (argc > 1 && strstr(argv[1], "-picture") != nullptr && argv[1][0] != '/')
    return misbehave(getenv("KIT_CHILD"));
  if (argc < 2 || readlink("/proc/self/exe", own_program, sizeof own_program - 1) <= 0)
    return 2;
  media_program = argv[1];
  media_data = argc > 2 ? argv[2] : "";
  al_media_set_program(media_program);
  paint();
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
