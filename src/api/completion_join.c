#include "api/completion_join.h"

#include "api/completion.h"
#include "api/errors.h"
#include "base/alloc.h"
#include "base/clock.h"

constexpr size_t ARENA_CAP = (size_t)64 << 20;
constexpr size_t ANSWER_CAP = (size_t)256 << 20;

enum al_code al_api_completion_join_new(struct al_http_exchange *exchange, struct al_api *api,
                                        struct al_api_completion_join **join, struct al_err *err)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(ARENA_CAP);
  struct al_api_completion_join *made = arena != nullptr ? al_arena_alloc(arena, sizeof *made) : nullptr;
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->arena = AL_TAKE(arena);
  made->api = api;
  made->exchange = al_http_ref(exchange);
  made->created_s = al_wall_s();
  al_api_make_id(made->id, sizeof made->id, "cmpl-");
  al_mutex_init(&made->lock);
  atomic_init(&made->n_refs, 1);
  *join = made;
  return AL_OK;
}

enum al_code al_api_completion_join_expect(struct al_api_completion_join *join, size_t n_prompts, struct al_err *err)
{
  join->answers = al_arena_array(join->arena, n_prompts, sizeof *join->answers);
  if (join->answers == nullptr)
    return al_fail_oom(err, n_prompts * sizeof *join->answers);
  for (size_t i = 0; i < n_prompts; i++)
    al_buf_init(&join->answers[i], ANSWER_CAP);
  join->n_prompts = join->n_left = n_prompts;
  return AL_OK;
}

struct al_api_completion_join *al_api_completion_join_ref(struct al_api_completion_join *join)
{
  atomic_fetch_add_explicit(&join->n_refs, 1, memory_order_relaxed);
  return join;
}

void al_api_completion_join_unref(struct al_api_completion_join *join)
{
  if (join == nullptr || atomic_fetch_sub_explicit(&join->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  for (size_t i = 0; i < join->n_prompts; i++)
    al_buf_done(&join->answers[i]);
  al_http_unref(join->exchange);
  al_mutex_done(&join->lock);
  al_arena_free(join->arena);
}

/* --- what is written --------------------------------------------------------------------------------------------- */

void al_api_completion_join_head(struct al_json_writer *w, const struct al_api_completion_join *join)
{
  al_jw_object(w);
  al_jw_kv_str(w, "id", join->id);
  al_jw_kv_str(w, "object", "text_completion");
  al_jw_kv_int(w, "created", join->created_s);
  al_jw_kv_str(w, "model", join->model);
  al_jw_kv_str(w, "system_fingerprint", join->api->fingerprint);
}

static void write_tail(struct al_json_writer *w, const struct al_api_completion_join *join)
{
  al_api_usage_write(w, &join->usage);
  al_jw_key(w, "timings");
  al_jw_object(w);
  al_jw_kv_real(w, "prompt_ms", join->prompt_ms);
  al_jw_kv_real(w, "predicted_ms", join->predicted_ms);
  al_jw_end(w);
}

static void reply_whole(struct al_api_completion_join *join)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_init(&text, 2 * ANSWER_CAP);
  struct al_json_writer w = al_json_writer(&text);
  al_api_completion_join_head(&w, join);
  al_jw_key(&w, "choices");
  al_jw_array(&w);
  for (size_t i = 0; i < join->n_prompts; i++)
    al_jw_raw(&w, al_buf_view(&join->answers[i]));
  al_jw_end(&w);
  write_tail(&w, join);
  al_jw_end(&w);
  struct al_err err;
  if (al_buf_check(&text, &err) != AL_OK)
    al_api_reply_err(join->exchange, &err);
  else
    al_http_reply(join->exchange, 200, "application/json", al_buf_view(&text));
}

/* Without [DONE] when memory has run out: then it must not look complete. */
static void end_stream(struct al_api_completion_join *join)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (join->include_usage) {
    al_buf_str(&text, "data: ");
    struct al_json_writer w = al_json_writer(&text);
    al_api_completion_join_head(&w, join);
    al_jw_key(&w, "choices");
    al_jw_array(&w);
    al_jw_end(&w);
    write_tail(&w, join);
    al_jw_end(&w);
    al_buf_str(&text, "\n\n");
    if (!text.failed)
      (void)al_http_send(join->exchange, al_buf_view(&text));
  }
  if (!text.failed)
    (void)al_http_send(join->exchange, al_str("data: [DONE]\n\n"));
  al_http_end(join->exchange);
}

/* --- ends -------------------------------------------------------------------------------------------------------- */

void al_api_completion_join_fail(struct al_api_completion_join *join, const struct al_err *err)
{
  bool is_first, has_begun;
  {
    AL_LOCKED(&join->lock);
    is_first = !join->has_ended;
    has_begun = join->has_begun;
    join->has_ended = true;
  }
  if (!is_first)
    return;
  if (has_begun) {
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    al_buf_str(&text, "data: ");
    struct al_json_writer w = al_json_writer(&text);
    al_api_write_err(&w, err);
    al_buf_str(&text, "\n\n");
    if (!text.failed)
      (void)al_http_send(join->exchange, al_buf_view(&text));
    al_http_end(join->exchange);
  } else {
    al_api_reply_err(join->exchange, err);
  }
  al_cancel_fire(al_http_cancel(join->exchange), AL_CANCELLED);
}

/* One prompt has been answered; the last one ends the request. */
static void count(struct al_api_completion_join *join, const struct al_api_generation *generation)
{
  bool is_last;
  {
    AL_LOCKED(&join->lock);
    join->usage.n_prompt += generation->usage.n_prompt;
    join->usage.n_cached += generation->usage.n_cached;
    join->usage.n_completion += generation->usage.n_completion;
    join->prompt_ms += generation->prompt_ms;
    join->predicted_ms += generation->predicted_ms;
    is_last = --join->n_left == 0 && !join->has_ended;
    join->has_ended |= is_last;
  }
  if (!is_last)
    return;
  if (generation->is_streaming)
    end_stream(join);
  else
    reply_whole(join);
}

/* --- the outlet of each prompt ----------------------------------------------------------------------------------- */

static void begin(struct al_api_generation *generation)
{
  struct al_api_completion_join *join = generation->outlet_state;
  AL_LOCKED(&join->lock); /* net calls nobody back, so that its lock may be taken under this one */
  if (join->has_begun || join->has_ended)
    return;
  join->has_begun = true;
  al_api_outlet_http.begin(generation);
}

static bool send(struct al_api_generation *generation, struct al_str bytes)
{
  struct al_api_completion_join *join = generation->outlet_state;
  {
    AL_LOCKED(&join->lock);
    if (join->has_ended)
      return false;
  }
  return al_http_send(join->exchange, bytes);
}

static void end(struct al_api_generation *generation)
{
  count(generation->outlet_state, generation);
}

static void reply(struct al_api_generation *generation, struct al_str body)
{
  struct al_api_completion_join *join = generation->outlet_state;
  struct al_buf *answer = &join->answers[((struct al_api_completion *)generation)->index];
  al_buf_add(answer, body.data, body.size);
  struct al_err err;
  if (al_buf_check(answer, &err) != AL_OK)
    al_api_completion_join_fail(join, &err);
  count(join, generation);
}

static void fail(struct al_api_generation *generation, const struct al_err *err)
{
  al_api_completion_join_fail(generation->outlet_state, err);
}

const struct al_api_outlet al_api_completion_outlet = {
  .begin = begin,
  .send = send,
  .end = end,
  .reply = reply,
  .fail = fail,
};
