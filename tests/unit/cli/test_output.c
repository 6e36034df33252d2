/* Files that a command writes, and files without a name. */
#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/output.h"
#include "cli/temporary.h"
#include "os/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/allm-test-output-XXXXXX";

static int begin(void **state)
{
  (void)state;
  return mkdtemp(directory) != nullptr && chdir(directory) == 0 ? 0 : -1;
}

static int finish(void **state)
{
  (void)state;
  return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1; /* nothing was left behind */
}

static void assert_holds(const char *path, const char *text)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  assert_int_equal(al_file_read(path, 1000, &bytes, nullptr), AL_OK);
  assert_string_equal(bytes.data, text);
}

static void write_file(const char *path, const char *text)
{
  struct al_output output;
  assert_int_equal(al_output_open(path, &output, nullptr), AL_OK);
  assert_int_equal(al_output_write(&output, al_str(text), nullptr), AL_OK);
  assert_int_equal(al_output_finish(&output, nullptr), AL_OK);
  al_output_done(&output);
}

static void whole_or_not_at_all(void **state)
{
  (void)state;
  write_file("a", "first");
  assert_holds("a", "first");
  struct al_output output;
  assert_int_equal(al_output_open("a", &output, nullptr), AL_OK);
  assert_int_equal(al_output_write(&output, al_str("half of"), nullptr), AL_OK);
  assert_holds("a", "first");
  al_output_done(&output);
  assert_holds("a", "first");
  write_file("a", "second");
  assert_holds("a", "second");
  struct stat info;
  mode_t mask = umask(0);
  (void)umask(mask);
  assert_int_equal(stat("a", &info), 0);
  assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
  assert_int_equal(unlink("a"), 0);
}

static void links_are_followed(void **state)
{
  (void)state;
  write_file("a", "first");
  assert_int_equal(symlink("a", "b"), 0);
  write_file("b", "second");
  assert_holds("a", "second");
  struct stat info;
  assert_int_equal(lstat("b", &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(unlink("a"), 0);
  assert_int_equal(unlink("b"), 0);
}

static void devices_stay(void **state)
{
  (void)state;
  struct al_output output;
  struct al_err err = {};
  write_file("/dev/null", "gone");
  assert_int_equal(al_output_open("/dev/full", &output, &err), AL_OK);
  assert_int_equal(al_output_write(&output, al_str("no room"), &err), AL_INVALID_REQUEST);
  assert_string_equal(err.message, "/dev/full cannot be written: No space left on device");
  al_output_done(&output);
  struct stat info;
  assert_int_equal(stat("/dev/null", &info), 0);
  assert_true(S_ISCHR(info.st_mode));
}

static void refusals(void **state)
{
  (void)state;
  struct al_output output;
  struct al_err err = {};
  static const struct {
    const char *path, *message;
  } cases[] = { { "", "the output needs a name" },
                { ".", ". is a directory" },
                { "nosuch/a", "nosuch/a cannot be written: No such file or directory" } };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    assert_int_equal(al_output_open(cases[i].path, &output, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.message, cases[i].message);
    al_output_done(&output);
  }
}

static void temporary_files(void **state)
{
  (void)state;
  assert_int_equal(setenv("TMPDIR", directory, 1), 0);
  int fd = -1, ends[2], cancel[2];
  uint64_t size = 0;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(pipe(cancel), 0);
  assert_int_equal(al_temporary_open(&fd, nullptr), AL_OK);
  assert_int_equal(write(ends[1], "abc", 3), 3);
  close(ends[1]);
  assert_int_equal(al_temporary_fill(fd, ends[0], cancel[0], &size, nullptr), AL_OK);
  assert_int_equal(size, 3);
  char bytes[3];
  assert_int_equal(pread(fd, bytes, 3, 0), 3);
  assert_memory_equal(bytes, "abc", 3);
  assert_int_equal(write(cancel[1], "x", 1), 1);
  assert_int_equal(al_temporary_fill(fd, ends[0], cancel[0], &size, nullptr), AL_CANCELLED);
  struct stat info;
  assert_int_equal(fstat(fd, &info), 0);
  assert_int_equal(info.st_nlink, 0);
  close(fd);
  close(ends[0]);
  close(cancel[0]);
  close(cancel[1]);
  assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
  struct al_err err = {};
  assert_int_equal(al_temporary_open(&fd, &err), AL_INTERNAL);
  assert_non_null(strstr(err.message, "/nonexistent"));
  assert_int_equal(unsetenv("TMPDIR"), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(whole_or_not_at_all), cmocka_unit_test(links_are_followed),
    cmocka_unit_test(devices_stay),        cmocka_unit_test(refusals),
    cmocka_unit_test(temporary_files),
  };
  return cmocka_run_group_tests(tests, begin, finish);
}
