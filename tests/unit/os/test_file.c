#include "os/file.h"

#include "base/alloc.h"
#include "tmpdir.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

static void reads_up_to_a_limit(void **state)
{
  (void)state;
  static char bytes[100'000];
  memset(bytes, 'x', sizeof bytes);
  tmpdir_write("big", bytes, sizeof bytes);
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  al_buf_str(&out, "before ");
  assert_int_equal(al_file_read(tmpdir_path("big"), sizeof bytes, &out, nullptr), AL_OK);
  assert_int_equal(out.size, sizeof bytes + 7);
  struct al_err err = {};
  assert_int_equal(al_file_read(tmpdir_path("big"), sizeof bytes - 1, &out, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.message, "big is larger than 99999 bytes");
  al_buf_clear(&out);
  assert_int_equal(al_file_read("/proc/self/stat", 1, &out, &err), AL_INVALID_REQUEST);
  assert_int_equal(al_file_read("/proc/self/stat", 10'000, &out, &err), AL_OK);
  assert_true(out.size > 10);
}

static void names_the_file_and_the_cause(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_err err = {};
  assert_int_equal(al_file_read(tmpdir_path("absent"), 1, &out, &err), AL_NOT_FOUND);
  assert_string_equal(err.message, "absent could not be opened: No such file or directory");
  assert_int_equal(al_file_read(tmpdir, 1, &out, &err), AL_INVALID_REQUEST);
  assert_int_equal(mkfifo(tmpdir_path("fifo"), 0600), 0);
  assert_int_equal(al_file_read(tmpdir_path("fifo"), 1, &out, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.message, "fifo is not a regular file");
  struct al_file_info info = { .size_bytes = 77 };
  assert_int_equal(al_file_stat(tmpdir_path("absent"), &info, &err), AL_NOT_FOUND);
  assert_int_equal(info.size_bytes, 77);
}

static void stats_through_links(void **state)
{
  (void)state;
  tmpdir_write("target", "12345", 5);
  assert_int_equal(symlink("target", tmpdir_path("link")), 0);
  struct al_file_info a, b;
  assert_int_equal(al_file_stat(tmpdir_path("target"), &a, nullptr), AL_OK);
  assert_int_equal(al_file_stat(tmpdir_path("link"), &b, nullptr), AL_OK);
  assert_true(a.inode == b.inode && b.size_bytes == 5 && b.is_regular && !b.is_directory && b.modified_ns > 0);
}

static void writes_atomically(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  assert_int_equal(al_dir_make(tmpdir_path("w/x/y"), nullptr), AL_OK);
  assert_int_equal(al_file_write_atomic(tmpdir_path("w/x/y/f"), al_str("old"), nullptr), AL_OK);
  assert_int_equal(al_file_write_atomic(tmpdir_path("w/x/y/f"), al_str("new text"), nullptr), AL_OK);
  assert_int_equal(al_file_read(tmpdir_path("w/x/y/f"), 100, &out, nullptr), AL_OK);
  assert_string_equal(out.data, "new text");
  struct al_dir_list list = {};
  assert_int_equal(al_dir_list(tmpdir_path("w/x/y"), 10, &list, nullptr), AL_OK);
  assert_int_equal(list.count, 1);
  al_dir_list_free(&list);
  assert_int_equal(al_file_write_atomic(tmpdir_path("nowhere/f"), al_str("x"), nullptr), AL_NOT_FOUND);
  assert_int_equal(mkdir(tmpdir_path("w/dir"), 0700), 0);
  assert_int_not_equal(al_file_write_atomic(tmpdir_path("w/dir"), al_str("x"), nullptr), AL_OK);
  assert_int_equal(al_dir_list(tmpdir_path("w"), 10, &list, nullptr), AL_OK);
  assert_int_equal(list.count, 2);
  al_dir_list_free(&list);
}

static void maps_and_reads_at(void **state)
{
  (void)state;
  tmpdir_write("map", "0123456789", 10);
  tmpdir_write("empty", "", 0);
  struct al_mapping mapping = {};
  assert_int_equal(al_mapping_open(tmpdir_path("map"), &mapping, nullptr), AL_OK);
  assert_int_equal(mapping.size, 10);
  assert_memory_equal(mapping.data, "0123456789", 10);
  al_mapping_close(&mapping);
  al_mapping_close(&mapping);
  assert_int_equal(al_mapping_open(tmpdir_path("empty"), &mapping, nullptr), AL_OK);
  assert_int_equal(mapping.size, 0);
  al_mapping_close(&mapping);
  assert_int_equal(al_mapping_open(tmpdir, &mapping, nullptr), AL_INVALID_REQUEST);

  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t size = 0;
  char bytes[8] = "";
  struct al_err err = {};
  assert_int_equal(al_file_open(tmpdir_path("map"), &fd, &size, &err), AL_OK);
  assert_int_equal(size, 10);
  assert_int_equal(al_file_read_at(fd, 6, bytes, 4, &err), AL_OK);
  assert_memory_equal(bytes, "6789", 4);
  assert_int_equal(al_file_read_at(fd, 7, bytes, 4, &err), AL_MODEL_CORRUPT);
  assert_int_equal(al_file_read_at(fd, UINT64_MAX, bytes, 4, &err), AL_MODEL_CORRUPT);
  assert_int_equal(al_file_read_at(fd, INT64_MAX, bytes, 4, &err), AL_MODEL_CORRUPT);
  assert_int_equal(al_file_read_at(-1, 0, bytes, 4, &err), AL_LOAD_FAILED);
  assert_int_equal(al_file_read_at(fd, UINT64_MAX, bytes, 0, &err), AL_MODEL_CORRUPT);
  assert_int_equal(al_file_read_at(fd, 10, bytes, 0, &err), AL_OK);
}

static void lists_sorted_and_bounded(void **state)
{
  (void)state;
  assert_int_equal(mkdir(tmpdir_path("d"), 0700), 0);
  tmpdir_write("d/b", "", 0);
  tmpdir_write("d/.hidden", "", 0);
  assert_int_equal(mkdir(tmpdir_path("d/a"), 0700), 0);
  assert_int_equal(symlink("a", tmpdir_path("d/to-dir")), 0);
  assert_int_equal(symlink("gone", tmpdir_path("d/broken")), 0);
  struct al_dir_list list = {};
  assert_int_equal(al_dir_list(tmpdir_path("d"), 5, &list, nullptr), AL_OK);
  static const char *const names[] = { ".hidden", "a", "b", "broken", "to-dir" };
  assert_int_equal(list.count, AL_COUNT(names));
  for (size_t i = 0; i < AL_COUNT(names); i++)
    assert_string_equal(list.items[i].name, names[i]);
  assert_true(list.items[1].is_directory && list.items[4].is_directory);
  assert_false(list.items[2].is_directory || list.items[3].is_directory);
  al_dir_list_free(&list);
  assert_int_equal(al_dir_list(tmpdir_path("d"), 4, &list, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(al_dir_list(tmpdir_path("d/b"), 4, &list, nullptr), AL_NOT_FOUND);
  enum al_code code = AL_OOM_RAM;
  for (size_t at = 1; code == AL_OOM_RAM && at < 50; at++) {
    (void)al_alloc_fail_at(at);
    code = al_dir_list(tmpdir_path("d"), 5, &list, nullptr);
    (void)al_alloc_fail_at(0);
  }
  assert_int_equal(code, AL_OK);
  al_dir_list_free(&list);
}

static void makes_directories(void **state)
{
  (void)state;
  struct al_err err = {};
  assert_int_equal(al_dir_make(tmpdir_path("m/n/o/"), &err), AL_OK);
  assert_int_equal(al_dir_make(tmpdir_path("m/n/o"), &err), AL_OK);
  tmpdir_write("m/file", "", 0);
  assert_int_not_equal(al_dir_make(tmpdir_path("m/file"), &err), AL_OK);
  assert_int_not_equal(al_dir_make(tmpdir_path("m/file/x"), &err), AL_OK);
  assert_int_equal(al_dir_make("", &err), AL_NOT_FOUND);
}

static void joins_and_expands_paths(void **state)
{
  (void)state;
  char out[16];
  assert_int_equal(al_path_join(out, sizeof out, "/a/b", "c", nullptr), AL_OK);
  assert_string_equal(out, "/a/b/c");
  assert_int_equal(al_path_join(out, sizeof out, "/", "c", nullptr), AL_OK);
  assert_string_equal(out, "/c");
  assert_int_equal(al_path_join(out, sizeof out, "/a/b", "123456789", nullptr), AL_OK);
  assert_int_equal(al_path_join(out, sizeof out, "/a/b", "12345678901", nullptr), AL_INVALID_REQUEST);
  assert_int_equal(setenv("HOME", "/h", 1), 0);
  assert_int_equal(al_path_expand(out, sizeof out, "~/x", nullptr), AL_OK);
  assert_string_equal(out, "/h/x");
  assert_int_equal(al_path_expand(out, sizeof out, "~user/x", nullptr), AL_OK);
  assert_string_equal(out, "~user/x");
  assert_int_equal(unsetenv("HOME"), 0);
  assert_int_equal(al_path_expand(out, sizeof out, "~/x", nullptr), AL_INVALID_REQUEST);
  char program[4096];
  assert_int_equal(al_path_of_program(program, sizeof program, nullptr), AL_OK);
  assert_true(program[0] == '/' && access(program, X_OK) == 0);
  assert_int_equal(al_path_of_program(program, 2, nullptr), AL_INVALID_REQUEST);
}

static void makes_paths_absolute(void **state)
{
  (void)state;
  char out[4096], expected[4096];
  assert_int_equal(al_dir_make(tmpdir_path("abs/real"), nullptr), AL_OK);
  tmpdir_write("abs/real/file", "", 0);
  assert_int_equal(symlink("real", tmpdir_path("abs/link")), 0);
  assert_int_equal(symlink("real/file", tmpdir_path("abs/alias")), 0);
  static const struct {
    const char *path, *absolute;
  } cases[] = {
    { "abs/./real/../real/file", "abs/real/file" },
    { "abs/link/file", "abs/real/file" },
    { "abs/alias", "abs/alias" }, /* the last part keeps its name */
    { "abs/real///", "abs/real" },
    { "abs/real/..", "abs" },
    { "abs/real/.", "abs/real" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    assert_int_equal(al_path_absolute(out, sizeof out, tmpdir_path(cases[i].path), nullptr), AL_OK);
    assert_string_equal(out, tmpdir_path(cases[i].absolute));
  }
  assert_int_equal(al_path_absolute(out, sizeof out, "/", nullptr), AL_OK);
  assert_string_equal(out, "/");
  assert_non_null(getcwd(expected, sizeof expected));
  assert_int_equal(al_path_absolute(out, sizeof out, ".", nullptr), AL_OK);
  assert_string_equal(out, expected);
  assert_int_equal(al_path_absolute(out, sizeof out, tmpdir_path("abs/none"), nullptr), AL_NOT_FOUND);
  assert_int_equal(al_path_absolute(out, sizeof out, "", nullptr), AL_NOT_FOUND);
  assert_int_equal(al_path_absolute(out, 5, tmpdir_path("abs/real"), nullptr), AL_INVALID_REQUEST);
  static char longest[5000];
  memset(longest, 'a', sizeof longest - 1);
  assert_int_equal(al_path_absolute(out, sizeof out, longest, nullptr), AL_INVALID_REQUEST);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_up_to_a_limit),  cmocka_unit_test(names_the_file_and_the_cause),
    cmocka_unit_test(stats_through_links),  cmocka_unit_test(writes_atomically),
    cmocka_unit_test(maps_and_reads_at),    cmocka_unit_test(lists_sorted_and_bounded),
    cmocka_unit_test(makes_directories),    cmocka_unit_test(joins_and_expands_paths),
    cmocka_unit_test(makes_paths_absolute),
  };
  return cmocka_run_group_tests_name("os/file", tests, tmpdir_make, tmpdir_remove);
}
