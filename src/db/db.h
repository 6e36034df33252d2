/* A SQLite database: opened, brought to the schema this build knows, asked by prepared statements.
 *
 * A database belongs to one thread at a time; nothing here is locked. Calls may wait for the disk and for another
 * process that writes, so none is made on a loop's thread. Errors say what the file's last path part is.
 *
 * Codes: AL_LOAD_FAILED (cannot be opened, read-only), AL_UNSUPPORTED (a newer build's schema), AL_TIMEOUT (locked by
 * another process), AL_OOM_RAM, AL_INVALID_REQUEST (a constraint), AL_INTERNAL with the reason "database_corrupt",
 * "disk_full" or none. */
#ifndef AL_DB_DB_H
#define AL_DB_DB_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_db;
struct al_db_statement;

struct al_db_options {
  const char *path;              /* made when absent; its directory must be there */
  const char *const *migrations; /* SQL, borrowed for the call; the n-th brings schema n to n + 1 */
  size_t n_migrations;
  int busy_timeout_ms; /* 0: 5000 */
};

/* Write-ahead log, foreign keys on. Each missing migration runs in a transaction of its own. */
enum al_code al_db_open(const struct al_db_options *options, struct al_db **db, struct al_err *err);
void al_db_close(struct al_db *db); /* accepts nullptr; its statements must be gone */
AL_DEFINE_CLEANUP(struct al_db, al_db_close)

/* Runs statements that give no rows and take no values. */
enum al_code al_db_run(struct al_db *db, const char *sql, struct al_err *err);
int64_t al_db_n_changed(const struct al_db *db); /* rows that the last statement inserted, changed or deleted */

/* Writing begins at once (BEGIN IMMEDIATE), so that a transaction cannot fail half way for another writer. */
enum al_code al_db_begin(struct al_db *db, struct al_err *err);
enum al_code al_db_commit(struct al_db *db, struct al_err *err); /* rolled back when it fails */
void al_db_roll_back(struct al_db *db);                          /* does nothing outside a transaction */

/* --- statements ------------------------------------------------------------------------------------------------- */

enum al_code al_db_prepare(struct al_db *db, const char *sql, struct al_db_statement **statement, struct al_err *err);
void al_db_statement_free(struct al_db_statement *statement); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_db_statement, al_db_statement_free)

/* Values of ?1, ?2, ... Text is copied. What cannot be bound is told by the next step. */
void al_db_bind_int(struct al_db_statement *statement, int at, int64_t value);
void al_db_bind_str(struct al_db_statement *statement, int at, struct al_str text); /* data nullptr: NULL */

/* *has_row false: the end; the statement is then ready to run again, its values forgotten. */
enum al_code al_db_step(struct al_db_statement *statement, bool *has_row, struct al_err *err);
/* A statement that gives no rows, to its end. */
enum al_code al_db_finish(struct al_db_statement *statement, struct al_err *err);
/* Stops before the end; values forgotten. */
void al_db_reset(struct al_db_statement *statement);

/* Of the row that step has found; columns count from 0. Text is borrowed until the next step. NULL: data nullptr. */
int64_t al_db_int(const struct al_db_statement *statement, int column);
struct al_str al_db_str(const struct al_db_statement *statement, int column);

#endif
