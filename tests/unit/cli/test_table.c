#include "cli/table.h"

#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* What al_table_print writes to standard output; then the table is freed. */
static void assert_prints(struct al_table *table, const char *expected)
{
  char text[1024] = "";
  int file = memfd_create("printed", MFD_CLOEXEC);
  assert_true(file >= 0);
  (void)fflush(stdout);
  int saved = dup(STDOUT_FILENO);
  assert_true(saved >= 0 && dup2(file, STDOUT_FILENO) >= 0);
  al_table_print(table);
  (void)fflush(stdout);
  (void)dup2(saved, STDOUT_FILENO);
  (void)close(saved);
  assert_true(pread(file, text, sizeof text - 1, 0) >= 0);
  (void)close(file);
  assert_string_equal(text, expected);
  al_table_done(table);
}

static void columns_align_by_characters(void **state)
{
  (void)state;
  struct al_table table;
  al_table_init(&table, (const char *const[]){ "NAME", "SIZE" }, 2);
  al_table_cell(&table, al_str("zoë-模型"));
  al_table_cellf(&table, "%d", 12);
  al_table_cell(&table, al_str(""));
  al_table_cell(&table, al_str("3"));
  al_table_cell(&table, al_str("longest one"));
  al_table_cell(&table, (struct al_str){});
  assert_prints(&table, "NAME         SIZE\n"
                        "zoë-模型       12\n"
                        "             3\n"
                        "longest one  \n");
}

static void control_bytes_do_not_reach_the_terminal(void **state)
{
  (void)state;
  struct al_table table;
  al_table_init(&table, (const char *const[]){ "NAME" }, 1);
  al_table_cell(&table, al_str_n("a\x1b[31m\r\nb\x7f\0c", 12));
  assert_prints(&table, "NAME\na?[31m??b??c\n");
}

static void bytes_and_counts_have_units(void **state)
{
  (void)state;
  static const double figures[] = { 0, 999, 1000, 9'900, 12'345, 999'900, 1.2e9, 135e9, 4.4e15 };
  static const char expected[] = "A        B\n"
                                 "-        -\n"
                                 "999 B    999\n"
                                 "1.0 kB   1.0K\n"
                                 "9.9 kB   9.9K\n"
                                 "12 kB    12.3K\n"
                                 "1.0 MB   1.0M\n"
                                 "1.2 GB   1.2B\n"
                                 "135 GB   135B\n"
                                 "4400 TB  4400T\n";
  struct al_table table;
  al_table_init(&table, (const char *const[]){ "A", "B" }, 2);
  for (size_t i = 0; i < AL_COUNT(figures); i++) {
    al_table_bytes(&table, figures[i]);
    al_table_count(&table, figures[i]);
  }
  assert_prints(&table, expected);
}

static void without_memory_it_prints_nothing(void **state)
{
  (void)state;
  struct al_table table;
  (void)al_alloc_fail_at(1);
  al_table_init(&table, (const char *const[]){ "NAME" }, 1);
  (void)al_alloc_fail_at(0);
  al_table_cell(&table, al_str("x"));
  assert_prints(&table, "");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(columns_align_by_characters),
    cmocka_unit_test(control_bytes_do_not_reach_the_terminal),
    cmocka_unit_test(bytes_and_counts_have_units),
    cmocka_unit_test(without_memory_it_prints_nothing),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
