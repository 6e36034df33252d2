/* POST /v1/embeddings, and Ollama's /api/embed. */
#include "api/body.h"
#include "api/errors.h"
#include "api/ollama.h"
#include "api/text_params.h"
#include "base/clock.h"
#include "codec/base64.h"

#include <math.h>
#include <stdio.h>

constexpr size_t ARENA_CAP = (size_t)64 << 20;
constexpr size_t MOST_INPUTS = 2048; /* as OpenAI's */

struct embeddings {
  struct al_api_job job; /* first */
  bool is_ollama;
  const struct al_json *input;
  int64_t n_dims; /* asked for; 0: all */
  bool as_base64;
  bool truncate;
  struct al_str *texts;
  struct al_token_span *tokens;
  size_t n_inputs;
};

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code read_encoding(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  struct al_str word = {};
  AL_TRY(al_json_want_str(body, "", param->name, &word, nullptr, err));
  struct embeddings *job = target;
  job->as_base64 = al_str_is(word, "base64");
  if (job->as_base64 || al_str_is(word, "float"))
    return AL_OK;
  return al_fail_param(err, param->name, "encoding_format must be \"float\" or \"base64\"");
}

#define FIELD(member) offsetof(struct embeddings, member)

static const struct al_api_param openai_params[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(job.model) },
  { .name = "input", .read = al_api_read_value, .offset = FIELD(input) },
  { .name = "dimensions", .read = al_api_read_int64, .offset = FIELD(n_dims), .least = 1, .most = INT32_MAX },
  { .name = "encoding_format", .read = read_encoding },
  { .name = "user", .read = al_api_check_str },
  { .name = "truncate", .read = al_api_read_bool, .offset = FIELD(truncate) }, /* beyond OpenAI's */
};

static const struct al_api_param ollama_params[] = {
  { .name = "model", .read = al_api_ollama_read_model, .offset = FIELD(job.model) },
  { .name = "input", .read = al_api_read_value, .offset = FIELD(input) },
  { .name = "dimensions", .read = al_api_read_int64, .offset = FIELD(n_dims), .least = 1, .most = INT32_MAX },
  { .name = "truncate", .read = al_api_read_bool, .offset = FIELD(truncate) },
  { .name = "keep_alive", .read = al_api_refuse, .words = "embedding models stay loaded until memory is needed" },
};

static enum al_code add_input(struct embeddings *job, const struct al_json *value, const char *path, struct al_err *err)
{
  size_t at = job->n_inputs++;
  switch (al_json_kind(value)) {
  case AL_JSON_STRING: job->texts[at] = al_json_str(value); break;
  case AL_JSON_ARRAY: AL_TRY(al_api_read_tokens(job->job.arena, value, path, &job->tokens[at], err)); break;
  case AL_JSON_ABSENT:
  case AL_JSON_NULL:
  case AL_JSON_BOOL:
  case AL_JSON_INT:
  case AL_JSON_REAL:
  case AL_JSON_OBJECT: return al_api_wrong_kind(err, path, "a string or an array of token ids", value);
  }
  if (job->texts[at].size == 0 && job->tokens[at].count == 0)
    return al_fail_param(err, path, "%s must not be empty", path);
  return AL_OK;
}

/* A string, a list of token ids, or a list of either. */
static enum al_code read_inputs(struct embeddings *job, struct al_err *err)
{
  const struct al_json *input = job->input;
  enum al_json_kind kind = al_json_kind(input);
  if (kind != AL_JSON_STRING && kind != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, "input", "a string or an array", input);
  bool is_one = kind == AL_JSON_STRING || al_json_kind(al_json_at(input, 0)) == AL_JSON_INT;
  size_t count = is_one ? 1 : al_json_count(input);
  if (count == 0 || count > MOST_INPUTS)
    return al_fail_param(err, "input", "input must have 1 to %zu elements, not %zu", MOST_INPUTS, count);
  job->texts = al_arena_array(job->job.arena, count, sizeof *job->texts);
  job->tokens = al_arena_array(job->job.arena, count, sizeof *job->tokens);
  if (job->texts == nullptr || job->tokens == nullptr)
    return al_fail_oom(err, count * sizeof *job->tokens);
  if (is_one)
    return add_input(job, input, "input", err);
  struct al_json_iter it = al_json_iter(input);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "input[%zu]", it.index);
    AL_TRY(add_input(job, it.value, path, err));
  }
  return AL_OK;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

/* The first n_dims values, scaled to length 1 (a vector of zeros stays). */
static void normalise(const float *row, size_t n_dims, float *out)
{
  double sum = 0;
  for (size_t i = 0; i < n_dims; i++)
    sum += (double)row[i] * (double)row[i];
  double scale = sum > 0 ? 1 / sqrt(sum) : 0;
  for (size_t i = 0; i < n_dims; i++)
    out[i] = (float)((double)row[i] * scale);
}

/* Floats in the byte order of the machine; OpenAI's clients read little-endian. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

static void write_vector(struct al_json_writer *w, const float *values, size_t n_dims, bool as_base64)
{
  if (as_base64) {
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    al_base64_encode(&text, al_str_n((const char *)values, n_dims * sizeof *values));
    w->out->failed |= text.failed;
    al_jw_str_n(w, al_buf_view(&text));
    return;
  }
  al_jw_array(w);
  for (size_t i = 0; i < n_dims; i++)
    al_jw_float(w, values[i]);
  al_jw_end(w);
}

/* n_dims of each row, normalised. */
static void write_rows(struct al_json_writer *w, const struct embeddings *job, const struct al_embed_result *result,
                       float *values, size_t n_dims)
{
  al_jw_array(w);
  for (size_t i = 0; i < result->n_rows; i++) {
    normalise(result->rows + i * result->n_dims, n_dims, values);
    if (job->is_ollama) {
      write_vector(w, values, n_dims, false);
      continue;
    }
    al_jw_object(w);
    al_jw_kv_str(w, "object", "embedding");
    al_jw_kv_int(w, "index", (int64_t)i);
    al_jw_key(w, "embedding");
    write_vector(w, values, n_dims, job->as_base64);
    al_jw_end(w);
  }
  al_jw_end(w);
}

static void write_rest(struct al_json_writer *w, const struct embeddings *job, const struct al_embed_result *result)
{
  al_jw_kv_str(w, "model", job->job.model);
  if (job->is_ollama) {
    al_jw_kv_int(w, "total_duration", al_now_ns() - al_http_started_ns(job->job.exchange));
    al_jw_kv_int(w, "prompt_eval_count", result->n_tokens);
    return;
  }
  al_jw_key(w, "usage");
  al_jw_object(w);
  al_jw_kv_int(w, "prompt_tokens", result->n_tokens);
  al_jw_kv_int(w, "total_tokens", result->n_tokens);
  al_jw_end(w);
}

static enum al_code print(const struct embeddings *job, const struct al_embed_result *result, struct al_buf *text,
                          struct al_err *err)
{
  size_t n_dims = job->n_dims > 0 ? (size_t)job->n_dims : result->n_dims;
  if (n_dims > result->n_dims)
    return al_fail_param(err, "dimensions", "dimensions is %zu, but the embeddings of '%s' have %zu", n_dims,
                         job->job.model, result->n_dims);
  float *values = al_arena_array(job->job.arena, n_dims, sizeof *values);
  if (values == nullptr)
    return al_fail_oom(err, n_dims * sizeof *values);
  struct al_json_writer w = al_json_writer(text);
  al_jw_object(&w);
  if (!job->is_ollama)
    al_jw_kv_str(&w, "object", "list");
  al_jw_key(&w, job->is_ollama ? "embeddings" : "data");
  write_rows(&w, job, result, values, n_dims);
  write_rest(&w, job, result);
  al_jw_end(&w);
  return AL_OK;
}

static void reply_err(struct al_http_exchange *exchange, bool is_ollama, const struct al_err *err)
{
  if (is_ollama)
    al_api_ollama_reply_err(exchange, err);
  else
    al_api_reply_err(exchange, err);
}

static void on_done(void *user, const struct al_embed_result *result)
{
  struct embeddings *job = user;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err = result->err;
  if (err.code != AL_OK || print(job, result, &text, &err) != AL_OK)
    reply_err(job->job.exchange, job->is_ollama, &err);
  else
    al_api_job_reply(&job->job, &text);
  al_api_job_free(&job->job);
}

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, bool is_ollama, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_job_new(exchange, sizeof(struct embeddings), ARENA_CAP, &made, err));
  struct embeddings *job = (struct embeddings *)made;
  job->is_ollama = is_ollama;
  job->truncate = is_ollama;
  const struct al_api_param_table table = is_ollama
                                              ? (struct al_api_param_table){ ollama_params, AL_COUNT(ollama_params) }
                                              : (struct al_api_param_table){ openai_params, AL_COUNT(openai_params) };
  AL_TRY(al_api_params_read(&table, 1, al_json_root(body), job, err));
  if (made->model == nullptr)
    return al_api_missing(err, "model");
  if (job->input == nullptr)
    return al_api_missing(err, "input");
  AL_TRY(read_inputs(job, err));
  struct al_embed_request request = {
    .model = made->model,
    .texts = job->texts,
    .tokens = job->tokens,
    .n_texts = job->n_inputs,
    .truncate = job->truncate,
    .cancel = al_http_cancel(exchange),
    .done = on_done,
    .user = job,
  };
  AL_TRY(al_inference_embed(api->inference, &request, err));
  (void)AL_TAKE(made);
  return AL_OK;
}

static void answer(struct al_http_exchange *exchange, const struct al_api *api, bool is_ollama)
{
  struct al_err err;
  if (run(exchange, api, is_ollama, &err) != AL_OK)
    reply_err(exchange, is_ollama, &err);
}

void al_api_embeddings(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, false);
}

void al_api_ollama_embed(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, true);
}
