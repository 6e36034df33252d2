#include "api/response_table.h"

#include "base/alloc.h"
#include "codec/json.h"
#include "db/db.h"
#include "os/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

constexpr size_t MAX_ANCESTORS = 2000;
constexpr size_t MAX_CONTEXT_BYTES = (size_t)64 << 20;

static const char *const migrations[] = {
  "CREATE TABLE responses ("
  " id TEXT PRIMARY KEY, previous TEXT, status TEXT NOT NULL, created_s INTEGER NOT NULL, owner INTEGER NOT NULL,"
  " input TEXT NOT NULL, object TEXT NOT NULL, events TEXT, n_bytes INTEGER NOT NULL);"
  "CREATE INDEX responses_by_age ON responses (created_s);"
  "CREATE INDEX responses_unfinished ON responses (owner) WHERE status IN ('queued', 'in_progress');"
  "CREATE TABLE items ("
  " id TEXT NOT NULL, response TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,"
  " PRIMARY KEY (id, response)) WITHOUT ROWID;"
  "CREATE INDEX items_by_response ON items (response);",
};

enum { PUT, ADD_ITEM, GET, FIND_ITEM, DELETE, OWNERS, FAIL, DROP_OLD, OLDEST, DROP, SUM, N_STATEMENTS };

static const char *const sql[N_STATEMENTS] = {
  [PUT] = "INSERT INTO responses (id, previous, status, created_s, owner, input, object, events, n_bytes)"
          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET status = excluded.status,"
          " owner = excluded.owner, object = excluded.object, events = excluded.events, n_bytes = excluded.n_bytes",
  [ADD_ITEM] = "INSERT OR IGNORE INTO items (id, response) VALUES (?1, ?2)",
  [GET] = "SELECT id, previous, status, created_s, input, object, events FROM responses WHERE id = ?1",
  [FIND_ITEM] = "SELECT r.input, r.object FROM items i JOIN responses r ON r.id = i.response WHERE i.id = ?1"
                " ORDER BY r.created_s DESC, r.rowid DESC LIMIT 1",
  [DELETE] = "DELETE FROM responses WHERE id = ?1",
  [OWNERS] = "SELECT DISTINCT owner FROM responses WHERE status IN ('queued', 'in_progress') AND owner > ?1"
             " ORDER BY owner LIMIT 1",
  [FAIL] = "UPDATE responses SET status = 'failed', object = json_set(object, '$.status', 'failed', '$.error',"
           " json('{\"code\":\"server_error\",\"message\":\"The server was restarted before the response was"
           " complete.\"}')) WHERE status IN ('queued', 'in_progress') AND owner = ?1",
  [DROP_OLD] = "DELETE FROM responses WHERE created_s < ?1",
  [OLDEST] = "SELECT rowid, n_bytes FROM responses ORDER BY created_s, rowid LIMIT 1",
  [DROP] = "DELETE FROM responses WHERE rowid = ?1",
  [SUM] = "SELECT coalesce(sum(n_bytes), 0) FROM responses",
};

struct al_response_table {
  struct al_db *db;
  struct al_db_statement *statements[N_STATEMENTS];
  int64_t owner; /* this process */
};

/* --- owners --------------------------------------------------------------------------------------------------------
 */

constexpr int PID_BITS = 22; /* Linux gives no larger ones */

/* When the process started, in ticks since boot: a number that its successor under the same id does not have. 0 where
 * the system does not tell. */
static int64_t start_of(pid_t pid)
{
  char path[32], text[1024];
  (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  if (file == nullptr)
    return 0;
  size_t size = fread(text, 1, sizeof text - 1, file);
  (void)fclose(file);
  text[size] = '\0';
  const char *at = strrchr(text, ')'); /* the name may hold anything; 20 fields after it is the start */
  for (int field = 2; at != nullptr && field < 22; field++)
    at = strchr(at + 1, ' ');
  return at != nullptr ? strtoll(at, nullptr, 10) & (INT64_MAX >> PID_BITS) : 0;
}

static int64_t owner_of(pid_t pid)
{
  return start_of(pid) << PID_BITS | pid;
}

static bool is_alive(int64_t owner)
{
  pid_t pid = (pid_t)(owner & ((1 << PID_BITS) - 1));
  return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM) && owner_of(pid) == owner;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void al_response_table_close(struct al_response_table *table)
{
  if (table == nullptr)
    return;
  for (size_t i = 0; i < N_STATEMENTS; i++)
    al_db_statement_free(table->statements[i]);
  al_db_close(table->db);
  al_free(table);
}
AL_DEFINE_CLEANUP(struct al_response_table, al_response_table_close)

enum al_code al_response_table_open(const char *directory, struct al_response_table **table, struct al_err *err)
{
  char path[4096];
  AL_TRY(al_dir_make(directory, err));
  AL_TRY(al_path_join(path, sizeof path, directory, "responses.db", err));
  AL_CLEANUP(al_response_table_close_p) struct al_response_table *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  struct al_db_options options = { .path = path, .migrations = migrations, .n_migrations = AL_COUNT(migrations) };
  AL_TRY(al_db_open(&options, &made->db, err));
  for (size_t i = 0; i < N_STATEMENTS; i++)
    AL_TRY(al_db_prepare(made->db, sql[i], &made->statements[i], err));
  made->owner = owner_of(getpid());
  *table = AL_TAKE(made);
  return AL_OK;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static enum al_code add_items(struct al_response_table *table, const struct al_json *items, struct al_str response,
                              struct al_err *err)
{
  struct al_db_statement *add = table->statements[ADD_ITEM];
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it)) {
    struct al_str id = al_json_str(al_json_get(it.value, "id"));
    if (id.size == 0)
      continue;
    al_db_bind_str(add, 1, id);
    al_db_bind_str(add, 2, response);
    AL_TRY(al_db_finish(add, err));
  }
  return AL_OK;
}

static enum al_code put_row(struct al_response_table *table, const struct al_response_record *record,
                            struct al_err *err)
{
  struct al_db_statement *put = table->statements[PUT];
  bool has_events = record->events.size > 0, has_previous = record->previous_id.size > 0;
  al_db_bind_str(put, 1, record->id);
  al_db_bind_str(put, 2, has_previous ? record->previous_id : (struct al_str){});
  al_db_bind_str(put, 3, record->status);
  al_db_bind_int(put, 4, record->created_s);
  al_db_bind_int(put, 5, table->owner);
  al_db_bind_str(put, 6, record->input);
  al_db_bind_str(put, 7, record->object);
  al_db_bind_str(put, 8, has_events ? record->events : (struct al_str){});
  al_db_bind_int(put, 9, (int64_t)(record->input.size + record->object.size + record->events.size));
  return al_db_finish(put, err);
}

static enum al_code put_all(struct al_response_table *table, const struct al_response_record *record,
                            struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *input = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *object = nullptr;
  AL_TRY(al_json_parse(record->input, &input, err));
  AL_TRY(al_json_parse(record->object, &object, err));
  AL_TRY(put_row(table, record, err));
  AL_TRY(add_items(table, al_json_root(input), record->id, err));
  return add_items(table, al_json_get(al_json_root(object), "output"), record->id, err);
}

enum al_code al_response_table_put(struct al_response_table *table, const struct al_response_record *record,
                                   struct al_err *err)
{
  AL_TRY(al_db_begin(table->db, err));
  enum al_code code = put_all(table, record, err);
  if (code == AL_OK)
    return al_db_commit(table->db, err);
  al_db_roll_back(table->db);
  return code;
}

enum al_code al_response_table_delete(struct al_response_table *table, struct al_str id, struct al_err *err)
{
  al_db_bind_str(table->statements[DELETE], 1, id);
  AL_TRY(al_db_finish(table->statements[DELETE], err));
  if (al_db_n_changed(table->db) > 0)
    return AL_OK;
  return al_fail(err, AL_NOT_FOUND, "Response with id '%.*s' not found.", (int)al_min_size(id.size, 80), id.data);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

enum al_code al_response_table_get(struct al_response_table *table, struct al_str id, struct al_response_record *record,
                                   struct al_err *err)
{
  struct al_db_statement *get = table->statements[GET];
  bool has_row = false;
  al_db_reset(get);
  al_db_bind_str(get, 1, id);
  AL_TRY(al_db_step(get, &has_row, err));
  if (!has_row)
    return al_fail(err, AL_NOT_FOUND, "Response with id '%.*s' not found.", (int)al_min_size(id.size, 80), id.data);
  *record = (struct al_response_record){ .id = al_db_str(get, 0),
                                         .previous_id = al_db_str(get, 1),
                                         .status = al_db_str(get, 2),
                                         .created_s = al_db_int(get, 3),
                                         .input = al_db_str(get, 4),
                                         .object = al_db_str(get, 5),
                                         .events = al_db_str(get, 6) };
  return AL_OK;
}

void al_response_table_rest(struct al_response_table *table)
{
  al_db_reset(table->statements[GET]);
}

static void add_element(struct al_buf *items, const struct al_json *item)
{
  if (items->size > 0)
    al_buf_char(items, ',');
  al_json_print(items, item);
}

static void add_elements(struct al_buf *items, const struct al_json *array)
{
  struct al_json_iter it = al_json_iter(array);
  while (al_json_next(&it))
    add_element(items, it.value);
}

struct ancestors { /* ids, the newest first; owned */
  char **ids;
  size_t count, capacity;
};

static void ancestors_done(struct ancestors *ancestors)
{
  for (size_t i = 0; i < ancestors->count; i++)
    al_free(ancestors->ids[i]);
  al_free(ancestors->ids);
}

static enum al_code add_ancestor(struct ancestors *ancestors, struct al_str id, struct al_err *err)
{
  void *ids = ancestors->ids;
  if (ancestors->count == MAX_ANCESTORS)
    return al_fail_param(err, "previous_response_id", "The conversation has more than %zu responses", MAX_ANCESTORS);
  AL_TRY(al_grow(&ids, &ancestors->capacity, ancestors->count + 1, sizeof *ancestors->ids, err));
  ancestors->ids = ids;
  char *copy = al_strndup(id.data, id.size);
  if (copy == nullptr)
    return al_fail_oom(err, id.size);
  ancestors->ids[ancestors->count++] = copy;
  return AL_OK;
}

static enum al_code not_found(struct al_str id, struct al_err *err)
{
  (void)!al_fail_param(err, "previous_response_id", "Previous response with id '%.*s' not found.",
                       (int)al_min_size(id.size, 80), id.data);
  if (err != nullptr)
    err->code = AL_NOT_FOUND;
  return al_fail_reason(err, AL_NOT_FOUND, "previous_response_not_found");
}

static enum al_code get_ancestor(struct al_response_table *table, struct al_str id, struct al_response_record *record,
                                 struct al_err *err)
{
  enum al_code code = al_response_table_get(table, id, record, err);
  if (code == AL_NOT_FOUND)
    return not_found(id, err);
  AL_TRY(code);
  if (al_str_is(record->status, "queued") || al_str_is(record->status, "in_progress"))
    return al_fail_param(err, "previous_response_id", "Response '%.*s' is not complete yet",
                         (int)al_min_size(id.size, 80), id.data);
  return AL_OK;
}

static enum al_code find_ancestors(struct al_response_table *table, struct al_str id, struct ancestors *ancestors,
                                   struct al_err *err)
{
  AL_TRY(add_ancestor(ancestors, id, err));
  for (size_t i = 0; i < ancestors->count; i++) {
    struct al_response_record record;
    AL_TRY(get_ancestor(table, al_str(ancestors->ids[i]), &record, err));
    if (record.previous_id.size > 0)
      AL_TRY(add_ancestor(ancestors, record.previous_id, err));
  }
  return AL_OK;
}

static enum al_code add_turn(struct al_response_table *table, struct al_str id, struct al_buf *items,
                             struct al_err *err)
{
  struct al_response_record record;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *input = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *object = nullptr;
  AL_TRY(get_ancestor(table, id, &record, err));
  AL_TRY(al_json_parse(record.input, &input, err));
  AL_TRY(al_json_parse(record.object, &object, err));
  add_elements(items, al_json_root(input));
  add_elements(items, al_json_get(al_json_root(object), "output"));
  if (items->size > MAX_CONTEXT_BYTES)
    return al_fail_param(err, "previous_response_id", "The conversation is larger than %zu MB",
                         MAX_CONTEXT_BYTES >> 20);
  return al_buf_check(items, err);
}

enum al_code al_response_table_context(struct al_response_table *table, struct al_str last_id, struct al_buf *items,
                                       struct al_err *err)
{
  AL_CLEANUP(ancestors_done) struct ancestors ancestors = {};
  AL_TRY(find_ancestors(table, last_id, &ancestors, err));
  for (size_t i = ancestors.count; i > 0; i--)
    AL_TRY(add_turn(table, al_str(ancestors.ids[i - 1]), items, err));
  return AL_OK;
}

static bool add_if_there(struct al_buf *items, const struct al_json *array, struct al_str id)
{
  struct al_json_iter it = al_json_iter(array);
  while (al_json_next(&it))
    if (al_str_eq(al_json_str(al_json_get(it.value, "id")), id)) {
      add_element(items, it.value);
      return true;
    }
  return false;
}

enum al_code al_response_table_item(struct al_response_table *table, struct al_str id, struct al_buf *items,
                                    struct al_err *err)
{
  struct al_db_statement *find = table->statements[FIND_ITEM];
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *input = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *object = nullptr;
  bool has_row = false;
  al_db_bind_str(find, 1, id);
  AL_TRY(al_db_step(find, &has_row, err));
  bool found = false;
  if (has_row) {
    enum al_code code = al_json_parse(al_db_str(find, 0), &input, err);
    if (code == AL_OK)
      code = al_json_parse(al_db_str(find, 1), &object, err);
    al_db_reset(find);
    AL_TRY(code);
    found = add_if_there(items, al_json_get(al_json_root(object), "output"), id) ||
            add_if_there(items, al_json_root(input), id);
  }
  if (!found)
    return al_fail(err, AL_NOT_FOUND, "Item with id '%.*s' not found.", (int)al_min_size(id.size, 80), id.data);
  return al_buf_check(items, err);
}

/* --- housekeeping ------------------------------------------------------------------------------------------------- */

static enum al_code fail_owner(struct al_response_table *table, int64_t owner, struct al_err *err)
{
  al_db_bind_int(table->statements[FAIL], 1, owner);
  return al_db_finish(table->statements[FAIL], err);
}

/* A worker that drains after a restart goes on with its own: only those whose process has gone are given up. */
enum al_code al_response_table_fail_orphans(struct al_response_table *table, struct al_err *err)
{
  struct al_db_statement *next = table->statements[OWNERS];
  int64_t owner = INT64_MIN;
  for (bool has_row = true; has_row;) {
    al_db_bind_int(next, 1, owner);
    AL_TRY(al_db_step(next, &has_row, err));
    if (!has_row)
      break;
    owner = al_db_int(next, 0);
    al_db_reset(next);
    if (!is_alive(owner))
      AL_TRY(fail_owner(table, owner, err));
  }
  return AL_OK;
}

static enum al_code sum(struct al_response_table *table, int64_t *n_bytes, struct al_err *err)
{
  struct al_db_statement *statement = table->statements[SUM];
  bool has_row = false;
  AL_TRY(al_db_step(statement, &has_row, err));
  *n_bytes = has_row ? al_db_int(statement, 0) : 0;
  al_db_reset(statement);
  return AL_OK;
}

/* Drops the oldest; *n_bytes is what it had. */
static enum al_code drop_one(struct al_response_table *table, int64_t *n_bytes, struct al_err *err)
{
  struct al_db_statement *oldest = table->statements[OLDEST], *drop = table->statements[DROP];
  bool has_row = false;
  AL_TRY(al_db_step(oldest, &has_row, err));
  if (!has_row)
    return al_fail(err, AL_INTERNAL, "There is no response left to drop");
  int64_t row = al_db_int(oldest, 0);
  *n_bytes = al_db_int(oldest, 1);
  al_db_reset(oldest);
  al_db_bind_int(drop, 1, row);
  return al_db_finish(drop, err);
}

static enum al_code drop_to(struct al_response_table *table, int64_t least_bytes, int64_t *n_bytes, struct al_err *err)
{
  while (*n_bytes > least_bytes) {
    int64_t dropped = 0;
    AL_TRY(drop_one(table, &dropped, err));
    *n_bytes -= dropped;
  }
  return AL_OK;
}

static enum al_code prune(struct al_response_table *table, int64_t oldest_s, int64_t max_bytes, int64_t *n_bytes,
                          struct al_err *err)
{
  al_db_bind_int(table->statements[DROP_OLD], 1, oldest_s);
  AL_TRY(al_db_finish(table->statements[DROP_OLD], err));
  AL_TRY(sum(table, n_bytes, err));
  bool too_many = max_bytes > 0 && *n_bytes > max_bytes;
  return too_many ? drop_to(table, max_bytes - max_bytes / 10, n_bytes, err) : AL_OK;
}

enum al_code al_response_table_prune(struct al_response_table *table, int64_t oldest_s, int64_t max_bytes,
                                     int64_t *n_bytes, struct al_err *err)
{
  AL_TRY(al_db_begin(table->db, err));
  enum al_code code = prune(table, oldest_s, max_bytes, n_bytes, err);
  if (code == AL_OK)
    code = al_db_commit(table->db, err);
  else
    al_db_roll_back(table->db);
  AL_TRY(code);
  return al_db_run(table->db, "PRAGMA incremental_vacuum", err);
}
