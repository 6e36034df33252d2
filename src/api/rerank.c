/* POST /v1/rerank, in the form of Jina's and Cohere's API, which llama-server, vLLM and LocalAI speak as well. */
#include "api/body.h"
#include "api/errors.h"
#include "api/job.h"
#include "api/text_params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

constexpr size_t ARENA_CAP = (size_t)64 << 20;
constexpr size_t MOST_DOCUMENTS = 2048;

struct rerank {
  struct al_api_job job; /* first */
  const struct al_json *query;
  const struct al_json *documents;
  int64_t top_n; /* 0: all */
  bool return_documents;
  bool raw_scores;
  bool truncate;
  struct al_str *texts; /* in the arena: they are echoed */
  size_t n_texts;
};

struct ranked {
  size_t index;
  double score;
};

/* --- the request ------------------------------------------------------------------------------------------------- */

#define FIELD(member) offsetof(struct rerank, member)

static const struct al_api_param params[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(job.model) },
  { .name = "query", .read = al_api_read_value, .offset = FIELD(query) },
  { .name = "documents", .read = al_api_read_array, .offset = FIELD(documents) },
  { .name = "top_n", .read = al_api_read_int64, .offset = FIELD(top_n), .least = 1, .most = INT32_MAX },
  { .name = "return_documents", .read = al_api_read_bool, .offset = FIELD(return_documents) },
  { .name = "raw_scores", .read = al_api_read_bool, .offset = FIELD(raw_scores) },
  { .name = "truncate", .read = al_api_read_bool, .offset = FIELD(truncate) },
  { .name = "user", .read = al_api_check_str },
};

/* A string or {"text": string}. */
static enum al_code add_document(struct rerank *job, const struct al_json *value, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "text", nullptr };
  struct al_str text = al_json_str(value);
  if (al_json_kind(value) == AL_JSON_OBJECT) {
    AL_TRY(al_api_only_keys(value, path, keys, err));
    AL_TRY(al_json_want_str(value, path, "text", &text, nullptr, err));
  } else if (al_json_kind(value) != AL_JSON_STRING) {
    return al_api_wrong_kind(err, path, "a string or an object with a text", value);
  }
  if (text.size == 0)
    return al_fail_param(err, path, "%s must not be empty", path);
  const char *copy = al_arena_strndup(job->job.arena, text.data, text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  job->texts[job->n_texts++] = al_str_n(copy, text.size);
  return AL_OK;
}

static enum al_code read_request(struct rerank *job, struct al_err *err)
{
  if (job->job.model == nullptr)
    return al_api_missing(err, "model");
  if (job->query == nullptr)
    return al_api_missing(err, "query");
  if (job->documents == nullptr)
    return al_api_missing(err, "documents");
  if (al_json_kind(job->query) != AL_JSON_STRING)
    return al_api_wrong_kind(err, "query", "a string", job->query);
  if (al_json_str(job->query).size == 0)
    return al_fail_param(err, "query", "query must not be empty");
  size_t count = al_json_count(job->documents);
  if (count == 0 || count > MOST_DOCUMENTS)
    return al_fail_param(err, "documents", "documents must have 1 to %zu elements, not %zu", MOST_DOCUMENTS, count);
  job->texts = al_arena_array(job->job.arena, count, sizeof *job->texts);
  if (job->texts == nullptr)
    return al_fail_oom(err, count * sizeof *job->texts);
  struct al_json_iter it = al_json_iter(job->documents);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "documents[%zu]", it.index);
    AL_TRY(add_document(job, it.value, path, err));
  }
  return AL_OK;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

/* Best first; NaN last; equals keep their order. */
static int by_score(const void *left, const void *right)
{
  const struct ranked *a = left, *b = right;
  double x = isnan(a->score) ? -INFINITY : a->score, y = isnan(b->score) ? -INFINITY : b->score;
  if (x != y)
    return x < y ? 1 : -1;
  return a->index < b->index ? -1 : 1;
}

static void write_result(struct al_json_writer *w, const struct rerank *job, const struct ranked *ranked)
{
  al_jw_object(w);
  al_jw_kv_int(w, "index", (int64_t)ranked->index);
  al_jw_kv_real(w, "relevance_score", ranked->score);
  if (job->return_documents) {
    al_jw_key(w, "document");
    al_jw_object(w);
    al_jw_kv_str_n(w, "text", job->texts[ranked->index]);
    al_jw_end(w);
  }
  al_jw_end(w);
}

static enum al_code print(const struct rerank *job, const struct al_embed_result *result, struct al_buf *text,
                          struct al_err *err)
{
  struct ranked *order = al_arena_array(job->job.arena, result->n_rows, sizeof *order);
  if (order == nullptr)
    return al_fail_oom(err, result->n_rows * sizeof *order);
  for (size_t i = 0; i < result->n_rows; i++) {
    double logit = (double)result->rows[i * result->n_dims];
    order[i] = (struct ranked){ i, job->raw_scores ? logit : 1 / (1 + exp(-logit)) };
  }
  qsort(order, result->n_rows, sizeof *order, by_score);
  size_t n_shown = job->top_n > 0 && (size_t)job->top_n < result->n_rows ? (size_t)job->top_n : result->n_rows;

  struct al_json_writer w = al_json_writer(text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "object", "list");
  al_jw_kv_str(&w, "model", job->job.model);
  al_jw_key(&w, "results");
  al_jw_array(&w);
  for (size_t i = 0; i < n_shown; i++)
    write_result(&w, job, &order[i]);
  al_jw_end(&w);
  al_jw_key(&w, "usage");
  al_jw_object(&w);
  al_jw_kv_int(&w, "prompt_tokens", result->n_tokens);
  al_jw_kv_int(&w, "total_tokens", result->n_tokens);
  al_jw_end(&w);
  al_jw_end(&w);
  return AL_OK;
}

static void on_done(void *user, const struct al_embed_result *result)
{
  struct rerank *job = user;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err = result->err;
  if (err.code != AL_OK || print(job, result, &text, &err) != AL_OK)
    al_api_reply_err(job->job.exchange, &err);
  else
    al_api_job_reply(&job->job, &text);
  al_api_job_free(&job->job);
}

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_job_new(exchange, sizeof(struct rerank), ARENA_CAP, &made, err));
  struct rerank *job = (struct rerank *)made;
  AL_TRY(al_api_params_read(&(struct al_api_param_table){ params, AL_COUNT(params) }, 1, al_json_root(body), job, err));
  AL_TRY(read_request(job, err));
  struct al_embed_request request = {
    .model = made->model,
    .texts = job->texts,
    .n_texts = job->n_texts,
    .query = al_json_str(job->query),
    .truncate = job->truncate,
    .cancel = al_http_cancel(exchange),
    .done = on_done,
    .user = job,
  };
  AL_TRY(al_inference_embed(api->inference, &request, err));
  (void)AL_TAKE(made);
  return AL_OK;
}

void al_api_rerank(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
