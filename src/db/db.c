#include "db/db.h"

#include "base/alloc.h"

#include <sqlite3.h>
#include <stdio.h>

constexpr int BUSY_TIMEOUT_MS = 5000;
constexpr int MAX_VALUE_BYTES = 256 << 20;

struct al_db {
  sqlite3 *sqlite;
  char name[64]; /* the file's last path part, for errors */
};

struct al_db_statement {
  struct al_db *db; /* borrowed */
  sqlite3_stmt *stmt;
  int failed; /* of a bind: SQLite's code */
};

/* --- errors ----------------------------------------------------------------------------------------------------- */

static enum al_code fail(const struct al_db *db, int result, struct al_err *err)
{
  const char *why = db->sqlite != nullptr ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(result);
  switch (result & 0xff) {
  case SQLITE_NOMEM: return al_fail(err, AL_OOM_RAM, "%s: out of memory", db->name);
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return al_fail(err, AL_TIMEOUT, "%s is in use by another process", db->name);
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
  case SQLITE_AUTH:
  case SQLITE_READONLY: return al_fail(err, AL_LOAD_FAILED, "%s cannot be opened for writing: %s", db->name, why);
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return al_fail_reason(err,
                          al_fail(err, AL_INTERNAL, "%s is damaged (%s): move it away to begin anew", db->name, why),
                          "database_corrupt");
  case SQLITE_FULL:
    return al_fail_reason(err, al_fail(err, AL_INTERNAL, "%s: the disk is full", db->name), "disk_full");
  case SQLITE_CONSTRAINT: return al_fail(err, AL_INVALID_REQUEST, "%s: %s", db->name, why);
  case SQLITE_TOOBIG: return al_fail(err, AL_INVALID_REQUEST, "%s: a value is too large to be stored", db->name);
  default: return al_fail(err, AL_INTERNAL, "%s: %s", db->name, why);
  }
}

enum al_code al_db_run(struct al_db *db, const char *sql, struct al_err *err)
{
  int result = sqlite3_exec(db->sqlite, sql, nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? AL_OK : fail(db, result, err);
}

int64_t al_db_n_changed(const struct al_db *db)
{
  return sqlite3_changes64(db->sqlite);
}

/* --- transactions ------------------------------------------------------------------------------------------------ */

enum al_code al_db_begin(struct al_db *db, struct al_err *err)
{
  return al_db_run(db, "BEGIN IMMEDIATE", err);
}

enum al_code al_db_commit(struct al_db *db, struct al_err *err)
{
  enum al_code code = al_db_run(db, "COMMIT", err);
  if (code != AL_OK)
    al_db_roll_back(db);
  return code;
}

void al_db_roll_back(struct al_db *db)
{
  if (sqlite3_get_autocommit(db->sqlite) == 0)
    (void)sqlite3_exec(db->sqlite, "ROLLBACK", nullptr, nullptr, nullptr);
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static enum al_code read_version(struct al_db *db, int64_t *version, struct al_err *err)
{
  sqlite3_stmt *stmt = nullptr;
  int result = sqlite3_prepare_v2(db->sqlite, "PRAGMA user_version", -1, &stmt, nullptr);
  if (result == SQLITE_OK)
    result = sqlite3_step(stmt);
  *version = result == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
  (void)sqlite3_finalize(stmt);
  return result == SQLITE_ROW || result == SQLITE_DONE ? AL_OK : fail(db, result, err);
}

static enum al_code run_migration(struct al_db *db, const char *sql, int64_t version, struct al_err *err)
{
  char set_version[64];
  (void)snprintf(set_version, sizeof set_version, "PRAGMA user_version = %lld", (long long)version + 1);
  AL_TRY(al_db_run(db, sql, err));
  return al_db_run(db, set_version, err);
}

/* One step, unless another process has made it meanwhile. */
static enum al_code migrate_once(struct al_db *db, const struct al_db_options *options, int64_t *version,
                                 struct al_err *err)
{
  AL_TRY(al_db_begin(db, err));
  enum al_code code = read_version(db, version, err);
  if (code == AL_OK && *version < (int64_t)options->n_migrations)
    code = run_migration(db, options->migrations[*version], *version, err);
  if (code == AL_OK)
    code = al_db_commit(db, err);
  else
    al_db_roll_back(db);
  return code;
}

static enum al_code migrate(struct al_db *db, const struct al_db_options *options, struct al_err *err)
{
  int64_t version = 0, n_known = (int64_t)options->n_migrations;
  AL_TRY(read_version(db, &version, err));
  if (version < 0 || version > n_known)
    return al_fail(err, AL_UNSUPPORTED, "%s is of a newer version (schema %lld, known here: %lld)", db->name,
                   (long long)version, (long long)n_known);
  for (int64_t at = version; at < n_known; at++)
    AL_TRY(migrate_once(db, options, &version, err));
  return AL_OK;
}

static enum al_code open_file(struct al_db *db, const struct al_db_options *options, struct al_err *err)
{
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int result = sqlite3_open_v2(options->path, &db->sqlite, flags, nullptr);
  if (result != SQLITE_OK)
    return fail(db, result, err);
  (void)sqlite3_busy_timeout(db->sqlite, options->busy_timeout_ms > 0 ? options->busy_timeout_ms : BUSY_TIMEOUT_MS);
  (void)sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
  if (sqlite3_db_readonly(db->sqlite, "main") == 1)
    return al_fail(err, AL_LOAD_FAILED, "%s cannot be opened for writing", db->name);
  /* auto_vacuum counts only before the first table is made. */
  return al_db_run(db,
                   "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF",
                   err);
}

enum al_code al_db_open(const struct al_db_options *options, struct al_db **db, struct al_err *err)
{
  AL_CLEANUP(al_db_close_p) struct al_db *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  const char *slash = strrchr(options->path, '/');
  (void)snprintf(made->name, sizeof made->name, "%s", slash != nullptr ? slash + 1 : options->path);
  AL_TRY(open_file(made, options, err));
  AL_TRY(migrate(made, options, err));
  *db = AL_TAKE(made);
  return AL_OK;
}

void al_db_close(struct al_db *db)
{
  if (db == nullptr)
    return;
  (void)sqlite3_close_v2(db->sqlite);
  al_free(db);
}

/* --- statements -------------------------------------------------------------------------------------------------- */

enum al_code al_db_prepare(struct al_db *db, const char *sql, struct al_db_statement **statement, struct al_err *err)
{
  AL_CLEANUP(al_db_statement_free_p) struct al_db_statement *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->db = db;
  int result = sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &made->stmt, nullptr);
  if (result != SQLITE_OK)
    return fail(db, result, err);
  *statement = AL_TAKE(made);
  return AL_OK;
}

void al_db_statement_free(struct al_db_statement *statement)
{
  if (statement == nullptr)
    return;
  (void)sqlite3_finalize(statement->stmt);
  al_free(statement);
}

static void note(struct al_db_statement *statement, int result)
{
  if (result != SQLITE_OK && statement->failed == SQLITE_OK)
    statement->failed = result;
}

void al_db_bind_int(struct al_db_statement *statement, int at, int64_t value)
{
  note(statement, sqlite3_bind_int64(statement->stmt, at, value));
}

void al_db_bind_str(struct al_db_statement *statement, int at, struct al_str text)
{
  if (text.data == nullptr)
    note(statement, sqlite3_bind_null(statement->stmt, at));
  else
    note(statement, sqlite3_bind_text64(statement->stmt, at, text.data, text.size, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void al_db_reset(struct al_db_statement *statement)
{
  (void)sqlite3_reset(statement->stmt);
  (void)sqlite3_clear_bindings(statement->stmt);
  statement->failed = SQLITE_OK;
}

enum al_code al_db_step(struct al_db_statement *statement, bool *has_row, struct al_err *err)
{
  int result = statement->failed != SQLITE_OK ? statement->failed : sqlite3_step(statement->stmt);
  *has_row = result == SQLITE_ROW;
  if (*has_row)
    return AL_OK;
  enum al_code code = result == SQLITE_DONE ? AL_OK : fail(statement->db, result, err);
  al_db_reset(statement);
  return code;
}

enum al_code al_db_finish(struct al_db_statement *statement, struct al_err *err)
{
  bool has_row = true;
  while (has_row)
    AL_TRY(al_db_step(statement, &has_row, err));
  return AL_OK;
}

int64_t al_db_int(const struct al_db_statement *statement, int column)
{
  return sqlite3_column_int64(statement->stmt, column);
}

struct al_str al_db_str(const struct al_db_statement *statement, int column)
{
  const unsigned char *text = sqlite3_column_text(statement->stmt, column);
  return al_str_n((const char *)text, text != nullptr ? (size_t)sqlite3_column_bytes(statement->stmt, column) : 0);
}
