#include "db/db.h"

#include "../os/tmpdir.h"
#include "base/alloc.h"

#include <cmocka.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct al_err err;

static const char *const migrations[] = {
  "CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT UNIQUE)",
  "CREATE TABLE two (one INTEGER NOT NULL REFERENCES one (id) ON DELETE CASCADE); INSERT INTO one (text) VALUES "
  "('made')",
};

static enum al_code open_known(const char *path, size_t n_migrations, struct al_db **db)
{
  err = (struct al_err){};
  return al_db_open(
      &(struct al_db_options){
          .path = path, .migrations = migrations, .n_migrations = n_migrations, .busy_timeout_ms = 1 },
      db, &err);
}

static struct al_db *opened(const char *name)
{
  struct al_db *db = nullptr;
  if (open_known(tmpdir_path(name), AL_COUNT(migrations), &db) != AL_OK)
    fail_msg("%s", err.message);
  return db;
}

static int64_t ask(struct al_db *db, const char *sql)
{
  struct al_db_statement *statement = nullptr;
  bool has_row = false;
  assert_int_equal(al_db_prepare(db, sql, &statement, &err), AL_OK);
  assert_int_equal(al_db_step(statement, &has_row, &err), AL_OK);
  int64_t value = has_row ? al_db_int(statement, 0) : -1;
  al_db_statement_free(statement);
  return value;
}

static void migrates_step_by_step(void **state)
{
  (void)state;
  struct al_db *db = nullptr;
  const char *path = tmpdir_path("steps");
  assert_int_equal(open_known(path, 1, &db), AL_OK);
  assert_int_equal(ask(db, "PRAGMA user_version"), 1);
  assert_int_equal(al_db_run(db, "INSERT INTO one (text) VALUES ('kept')", &err), AL_OK);
  al_db_close(db);
  assert_int_equal(open_known(path, 2, &db), AL_OK);
  assert_int_equal(ask(db, "PRAGMA user_version"), 2);
  assert_int_equal(ask(db, "SELECT count(*) FROM one"), 2);
  al_db_close(db);
  /* Nothing is migrated twice, and an older build keeps its hands off. */
  assert_int_equal(open_known(path, 2, &db), AL_OK);
  assert_int_equal(ask(db, "SELECT count(*) FROM one"), 2);
  al_db_close(db);
  assert_int_equal(open_known(path, 1, &db), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "newer version"));
}

static void a_migration_that_fails_leaves_nothing(void **state)
{
  (void)state;
  static const char *const broken[] = { "CREATE TABLE half (a); CREATE TABLE half (a)" };
  struct al_db *db = nullptr;
  struct al_db_options options = { .path = tmpdir_path("half"), .migrations = broken, .n_migrations = 1 };
  assert_int_equal(al_db_open(&options, &db, &err), AL_INTERNAL);
  assert_null(db);
  assert_int_equal(open_known(options.path, 0, &db), AL_OK);
  assert_int_equal(ask(db, "SELECT count(*) FROM sqlite_schema"), 0);
  al_db_close(db);
}

static void values_go_in_and_out(void **state)
{
  (void)state;
  struct al_db *db = opened("values");
  struct al_db_statement *put = nullptr, *get = nullptr;
  assert_int_equal(al_db_prepare(db, "INSERT INTO one (id, text) VALUES (?1, ?2)", &put, &err), AL_OK);
  assert_int_equal(al_db_prepare(db, "SELECT id, text FROM one WHERE id >= ?1 ORDER BY id", &get, &err), AL_OK);
  static const char text[] = "a\0b ü";
  const struct al_str texts[] = { al_str_n(text, sizeof text - 1), { "", 0 }, {} };
  for (int i = 0; i < 3; i++) {
    al_db_bind_int(put, 1, INT64_C(1) << 40 | i);
    al_db_bind_str(put, 2, texts[i]);
    assert_int_equal(al_db_finish(put, &err), AL_OK);
    assert_int_equal(al_db_n_changed(db), 1);
  }
  al_db_bind_int(get, 1, INT64_C(1) << 40);
  for (int i = 0; i < 3; i++) {
    bool has_row = false;
    assert_int_equal(al_db_step(get, &has_row, &err), AL_OK);
    assert_true(has_row);
    assert_int_equal(al_db_int(get, 0), INT64_C(1) << 40 | i);
    assert_true(al_str_eq(al_db_str(get, 1), texts[i]));
    assert_int_equal(al_db_str(get, 1).data == nullptr, i == 2);
  }
  bool has_row = true;
  assert_int_equal(al_db_step(get, &has_row, &err), AL_OK);
  assert_false(has_row);
  /* Ready again, the value forgotten: NULL matches no row. */
  assert_int_equal(al_db_step(get, &has_row, &err), AL_OK);
  assert_false(has_row);
  al_db_bind_int(get, 9, 1); /* there is no ?9: said by the step */
  assert_int_equal(al_db_step(get, &has_row, &err), AL_INTERNAL);
  al_db_statement_free(put);
  al_db_statement_free(get);
  al_db_close(db);
}

static void constraints_and_foreign_keys_hold(void **state)
{
  (void)state;
  struct al_db *db = opened("keys");
  assert_int_equal(al_db_run(db, "INSERT INTO one (text) VALUES ('made')", &err), AL_INVALID_REQUEST);
  assert_int_equal(al_db_run(db, "INSERT INTO two VALUES (77)", &err), AL_INVALID_REQUEST);
  assert_int_equal(al_db_run(db, "INSERT INTO two VALUES (1)", &err), AL_OK);
  assert_int_equal(al_db_run(db, "DELETE FROM one", &err), AL_OK);
  assert_int_equal(ask(db, "SELECT count(*) FROM two"), 0);
  al_db_close(db);
}

static void transactions_are_whole_or_nothing(void **state)
{
  (void)state;
  struct al_db *db = opened("whole");
  assert_int_equal(al_db_begin(db, &err), AL_OK);
  assert_int_equal(al_db_run(db, "INSERT INTO one (text) VALUES ('x')", &err), AL_OK);
  al_db_roll_back(db);
  al_db_roll_back(db);
  assert_int_equal(ask(db, "SELECT count(*) FROM one"), 1);
  assert_int_equal(al_db_begin(db, &err), AL_OK);
  assert_int_equal(al_db_run(db, "INSERT INTO one (text) VALUES ('x')", &err), AL_OK);
  assert_int_equal(al_db_commit(db, &err), AL_OK);
  assert_int_equal(ask(db, "SELECT count(*) FROM one"), 2);
  assert_int_equal(al_db_commit(db, &err), AL_INTERNAL); /* there is none */
  al_db_close(db);
}

static void another_writer_is_told_by_name(void **state)
{
  (void)state;
  struct al_db *db = opened("shared"), *other = opened("shared");
  assert_int_equal(al_db_begin(db, &err), AL_OK);
  assert_int_equal(al_db_begin(other, &err), AL_TIMEOUT);
  assert_string_equal(err.message, "shared is in use by another process");
  assert_int_equal(ask(other, "SELECT count(*) FROM one"), 1); /* readers go on */
  assert_int_equal(al_db_commit(db, &err), AL_OK);
  assert_int_equal(al_db_begin(other, &err), AL_OK);
  al_db_roll_back(other);
  al_db_close(db);
  al_db_close(other);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  assert_int_equal(fchmod(fd, mode), 0);
  (void)close(fd);
}

static void what_cannot_be_opened_says_why(void **state)
{
  (void)state;
  struct al_db *db = nullptr;
  assert_int_equal(open_known(tmpdir_path("no/such/dir"), 2, &db), AL_LOAD_FAILED);
  assert_int_equal(open_known(tmpdir, 2, &db), AL_LOAD_FAILED);
  char noise[4096];
  memset(noise, 'x', sizeof noise - 1);
  noise[sizeof noise - 1] = '\0';
  write_file(tmpdir_path("noise"), noise, 0600);
  assert_int_equal(open_known(tmpdir_path("noise"), 2, &db), AL_INTERNAL);
  assert_string_equal(err.reason, "database_corrupt");
  assert_null(strstr(err.message, tmpdir));
  if (geteuid() != 0) { /* root writes anywhere */
    al_db_close(opened("sealed"));
    assert_int_equal(chmod(tmpdir_path("sealed"), 0400), 0);
    assert_int_equal(open_known(tmpdir_path("sealed"), 2, &db), AL_LOAD_FAILED);
  }
  assert_null(db);
}

static void damage_in_the_middle_is_an_error(void **state)
{
  (void)state;
  struct al_db *db = opened("damaged");
  assert_int_equal(al_db_run(db,
                             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                             "INSERT INTO one (text) SELECT printf('%0200d', i) FROM n",
                             &err),
                   AL_OK);
  al_db_close(db); /* the log is folded into the file */
  int fd = open(tmpdir_path("damaged"), O_RDWR | O_CLOEXEC);
  char noise[4096];
  memset(noise, 0xa5, sizeof noise);
  for (off_t at = 8; at < 60; at++)
    assert_int_equal(pwrite(fd, noise, sizeof noise, at * 4096), (ssize_t)sizeof noise);
  (void)close(fd);
  assert_int_equal(open_known(tmpdir_path("damaged"), 2, &db), AL_OK);
  struct al_db_statement *all = nullptr;
  assert_int_equal(al_db_prepare(db, "SELECT text FROM one ORDER BY id", &all, &err), AL_OK);
  assert_int_equal(al_db_finish(all, &err), AL_INTERNAL);
  assert_string_equal(err.reason, "database_corrupt");
  al_db_statement_free(all);
  al_db_close(db);
}

static void a_full_disk_is_an_error_and_nothing_is_lost(void **state)
{
  (void)state;
  struct al_db *db = opened("full");
  assert_int_equal(al_db_run(db, "PRAGMA max_page_count = 20", &err), AL_OK);
  enum al_code code = AL_OK;
  for (int i = 0; i < 100 && code == AL_OK; i++)
    code = al_db_run(db, "INSERT INTO one (text) SELECT hex(randomblob(2000))", &err);
  assert_int_equal(code, AL_INTERNAL);
  assert_string_equal(err.reason, "disk_full");
  assert_true(ask(db, "SELECT count(*) FROM one") > 1);
  assert_int_equal(al_db_run(db, "DELETE FROM one", &err), AL_OK);
  assert_int_equal(al_db_run(db, "INSERT INTO one (text) VALUES ('again')", &err), AL_OK);
  al_db_close(db);
}

static void memory_that_runs_out_is_an_error(void **state)
{
  (void)state;
  struct al_db *db = nullptr;
  struct al_db_statement *statement = nullptr;
  (void)al_alloc_fail_at(1);
  assert_int_equal(open_known(tmpdir_path("memory"), 2, &db), AL_OOM_RAM);
  assert_null(db);
  (void)al_alloc_fail_at(0);
  db = opened("memory");
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_db_prepare(db, "SELECT 1", &statement, &err), AL_OOM_RAM);
  assert_null(statement);
  (void)al_alloc_fail_at(0);
  al_db_close(db);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(migrates_step_by_step),
    cmocka_unit_test(a_migration_that_fails_leaves_nothing),
    cmocka_unit_test(values_go_in_and_out),
    cmocka_unit_test(constraints_and_foreign_keys_hold),
    cmocka_unit_test(transactions_are_whole_or_nothing),
    cmocka_unit_test(another_writer_is_told_by_name),
    cmocka_unit_test(what_cannot_be_opened_says_why),
    cmocka_unit_test(damage_in_the_middle_is_an_error),
    cmocka_unit_test(a_full_disk_is_an_error_and_nothing_is_lost),
    cmocka_unit_test(memory_that_runs_out_is_an_error),
  };
  return cmocka_run_group_tests(tests, tmpdir_make, tmpdir_remove);
}
