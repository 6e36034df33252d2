#include "api/response_store.h"

#include "api/response_table.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/thread.h"
#include "codec/json.h"

constexpr size_t MAX_JOBS = 4096;
constexpr int64_t RETRY_MS = 5000; /* so long after a write that failed, the next is expected to fail */
constexpr int64_t PRUNE_MS = (int64_t)10 * 60 * 1000;

struct job {
  enum { JOB_PUT, JOB_GET, JOB_DELETE, JOB_CONTEXT, JOB_WAIT } kind;
  struct al_response_record record; /* points into `text` */
  struct al_str ids;
  al_response_found_fn *found;
  void *user;
  char text[]; /* what the rest points to */
};

struct al_response_store {
  struct al_response_table *table; /* the thread's */
  struct al_thread thread;
  struct al_queue *queue;
  int64_t max_age_s, max_bytes;
  int64_t n_bytes, pruned_ms; /* the thread's */
  struct al_mutex lock;
  struct al_cond waited; /* a JOB_WAIT is done */
  struct al_err problem; /* of the last write */
  int64_t problem_ns;    /* when that was */
  bool closing;          /* the queue is closed */
};

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void note_write(struct al_response_store *store, enum al_code code, const struct al_err *err)
{
  AL_LOCKED(&store->lock);
  store->problem = code == AL_OK ? (struct al_err){} : *err;
  store->problem_ns = al_now_ns();
}

static void prune(struct al_response_store *store)
{
  struct al_err err;
  int64_t oldest_s = store->max_age_s > 0 ? al_wall_s() - store->max_age_s : INT64_MIN;
  enum al_code code = al_response_table_prune(store->table, oldest_s, store->max_bytes, &store->n_bytes, &err);
  if (code == AL_OK)
    code = al_response_table_fail_orphans(store->table, &err);
  if (code != AL_OK)
    al_log_err(AL_LOG_WARN, "stored_responses_not_pruned", &err);
  store->pruned_ms = al_now_ns() / AL_NS_PER_MS;
}

static void put(struct al_response_store *store, const struct job *job)
{
  struct al_err err;
  enum al_code code = al_response_table_put(store->table, &job->record, &err);
  note_write(store, code, &err);
  if (code != AL_OK)
    al_log_err(AL_LOG_ERROR, "response_not_stored", &err);
  store->n_bytes += (int64_t)(job->record.input.size + job->record.object.size + job->record.events.size);
  if (store->max_bytes > 0 && store->n_bytes > store->max_bytes)
    prune(store);
}

static bool is_unfinished(struct al_str status)
{
  return al_str_is(status, "queued") || al_str_is(status, "in_progress");
}

static void get(struct al_response_store *store, const struct job *job)
{
  struct al_response_found found = {};
  enum al_code code = al_response_table_get(store->table, job->record.id, &found.record, &found.err);
  if (code == AL_OK && is_unfinished(found.record.status)) { /* its worker may have gone meanwhile */
    code = al_response_table_fail_orphans(store->table, &found.err);
    if (code == AL_OK)
      code = al_response_table_get(store->table, job->record.id, &found.record, &found.err);
  }
  found.err.code = code;
  job->found(job->user, &found);
}

static void forget(struct al_response_store *store, const struct job *job)
{
  struct al_response_found found = {};
  found.err.code = al_response_table_delete(store->table, job->record.id, &found.err);
  job->found(job->user, &found);
}

static enum al_code add_references(struct al_response_store *store, struct al_str ids, struct al_buf *items,
                                   struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(ids, &doc, err));
  struct al_json_iter it = al_json_iter(al_json_root(doc));
  while (al_json_next(&it))
    AL_TRY(al_response_table_item(store->table, al_json_str(it.value), items, err));
  return AL_OK;
}

static enum al_code find_context(struct al_response_store *store, const struct job *job, struct al_buf *context,
                                 struct al_buf *references, struct al_err *err)
{
  if (job->record.previous_id.size > 0)
    AL_TRY(al_response_table_context(store->table, job->record.previous_id, context, err));
  if (job->ids.size > 0)
    AL_TRY(add_references(store, job->ids, references, err));
  return AL_OK;
}

static void bracket(struct al_buf *out, const struct al_buf *items)
{
  al_buf_char(out, '[');
  al_buf_add(out, items->data, items->size);
  al_buf_char(out, ']');
}

static void answer_context(struct al_response_store *store, const struct job *job)
{
  AL_CLEANUP(al_buf_done) struct al_buf context = {};
  AL_CLEANUP(al_buf_done) struct al_buf references = {};
  AL_CLEANUP(al_buf_done) struct al_buf all_context = {};
  AL_CLEANUP(al_buf_done) struct al_buf all_references = {};
  struct al_response_found found = {};
  enum al_code code = find_context(store, job, &context, &references, &found.err);
  bracket(&all_context, &context);
  bracket(&all_references, &references);
  if (code == AL_OK)
    code = al_buf_check(&all_context, &found.err);
  if (code == AL_OK)
    code = al_buf_check(&all_references, &found.err);
  found.err.code = code;
  found.context = al_buf_view(&all_context);
  found.references = al_buf_view(&all_references);
  job->found(job->user, &found);
}

static void end_wait(struct al_response_store *store, bool *is_done)
{
  AL_LOCKED(&store->lock);
  *is_done = true;
  al_cond_broadcast(&store->waited);
}

static void do_job(struct al_response_store *store, struct job *job)
{
  switch (job->kind) {
  case JOB_PUT: put(store, job); break;
  case JOB_GET: get(store, job); break;
  case JOB_DELETE: forget(store, job); break;
  case JOB_CONTEXT: answer_context(store, job); break;
  case JOB_WAIT: end_wait(store, job->user); break;
  }
  al_response_table_rest(store->table);
  al_free(job);
}

static bool is_closing(struct al_response_store *store)
{
  AL_LOCKED(&store->lock);
  return store->closing;
}

static thread_local bool is_store_thread;

static void run(void *argument)
{
  struct al_response_store *store = argument;
  is_store_thread = true;
  prune(store);
  for (;;) {
    struct job *job = al_queue_pop(store->queue, al_deadline_in_ms(PRUNE_MS));
    if (job != nullptr)
      do_job(store, job);
    else if (is_closing(store))
      return;
    if (al_now_ns() / AL_NS_PER_MS - store->pruned_ms >= PRUNE_MS)
      prune(store);
  }
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static struct al_str copy(char **at, struct al_str text)
{
  if (text.size == 0)
    return (struct al_str){ "", 0 };
  char *to = *at;
  memcpy(to, text.data, text.size);
  *at += text.size;
  return al_str_n(to, text.size);
}

static enum al_code give(struct al_response_store *store, const struct job *wanted, struct al_err *err)
{
  const struct al_response_record *from = &wanted->record;
  size_t n_bytes = from->id.size + from->previous_id.size + from->status.size + from->input.size + from->object.size +
                   from->events.size + wanted->ids.size;
  struct job *job = al_alloc(sizeof *job + n_bytes);
  if (job == nullptr)
    return al_fail_oom(err, n_bytes);
  *job = *wanted;
  char *at = job->text;
  job->record.id = copy(&at, from->id);
  job->record.previous_id = copy(&at, from->previous_id);
  job->record.status = copy(&at, from->status);
  job->record.input = copy(&at, from->input);
  job->record.object = copy(&at, from->object);
  job->record.events = copy(&at, from->events);
  job->ids = copy(&at, wanted->ids);
  if (al_queue_push(store->queue, job))
    return AL_OK;
  al_free(job);
  return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "Too many requests wait for the store of responses"),
                        "overloaded");
}

enum al_code al_response_store_put(struct al_response_store *store, const struct al_response_record *record,
                                   struct al_err *err)
{
  return give(store, &(struct job){ .kind = JOB_PUT, .record = *record }, err);
}

enum al_code al_response_store_get(struct al_response_store *store, struct al_str id, al_response_found_fn *found,
                                   void *user, struct al_err *err)
{
  return give(store, &(struct job){ .kind = JOB_GET, .record = { .id = id }, .found = found, .user = user }, err);
}

enum al_code al_response_store_delete(struct al_response_store *store, struct al_str id, al_response_found_fn *found,
                                      void *user, struct al_err *err)
{
  return give(store, &(struct job){ .kind = JOB_DELETE, .record = { .id = id }, .found = found, .user = user }, err);
}

enum al_code al_response_store_context(struct al_response_store *store, struct al_str previous_id, struct al_str ids,
                                       al_response_found_fn *found, void *user, struct al_err *err)
{
  struct job job = {
    .kind = JOB_CONTEXT, .record = { .previous_id = previous_id }, .ids = ids, .found = found, .user = user
  };
  return give(store, &job, err);
}

void al_response_store_wait(struct al_response_store *store)
{
  bool is_done = false;
  if (store == nullptr || is_store_thread)
    return;
  if (give(store, &(struct job){ .kind = JOB_WAIT, .user = &is_done }, nullptr) != AL_OK)
    return;
  AL_LOCKED(&store->lock);
  while (!is_done)
    (void)al_cond_wait(&store->waited, &store->lock, AL_NO_DEADLINE);
}

enum al_code al_response_store_problem(struct al_response_store *store, struct al_err *err)
{
  AL_LOCKED(&store->lock);
  bool is_recent = al_now_ns() - store->problem_ns < RETRY_MS * AL_NS_PER_MS;
  if (store->problem.code == AL_OK || !is_recent)
    return AL_OK;
  *err = store->problem;
  return err->code;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void destroy(struct al_response_store *store)
{
  al_queue_free(store->queue);
  al_response_table_close(store->table);
  al_mutex_done(&store->lock);
  al_cond_done(&store->waited);
  al_free(store);
}

static enum al_code start(struct al_response_store *store, const char *directory, struct al_err *err)
{
  store->queue = al_queue_new(MAX_JOBS);
  if (store->queue == nullptr)
    return al_fail_oom(err, MAX_JOBS);
  AL_TRY(al_response_table_open(directory, &store->table, err));
  AL_TRY(al_response_table_fail_orphans(store->table, err));
  return al_thread_start(&store->thread, "al-store", run, store, err);
}

enum al_code al_response_store_open(const struct al_response_store_options *options, struct al_response_store **store,
                                    struct al_err *err)
{
  struct al_response_store *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  al_mutex_init(&made->lock);
  al_cond_init(&made->waited);
  made->max_age_s = options->max_age_s;
  made->max_bytes = options->max_bytes;
  enum al_code code = start(made, options->directory, err);
  if (code != AL_OK) {
    destroy(made);
    return code;
  }
  *store = made;
  return AL_OK;
}

static void close_queue(struct al_response_store *store)
{
  al_mutex_lock(&store->lock);
  store->closing = true;
  al_mutex_unlock(&store->lock);
  al_queue_close(store->queue);
}

void al_response_store_free(struct al_response_store *store)
{
  if (store == nullptr)
    return;
  close_queue(store);
  al_thread_join(&store->thread);
  destroy(store);
}
