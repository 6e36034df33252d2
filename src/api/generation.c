#include "api/generation.h"

#include "api/choices.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <sys/random.h>

constexpr size_t ARENA_CAP = (size_t)64 << 20;
constexpr size_t OUT_CAP = (size_t)256 << 20;

void al_api_make_id(char *out, size_t size, const char *prefix)
{
  unsigned char bytes[12] = {};
  (void)!getrandom(bytes, sizeof bytes, 0); /* never fails for so few bytes once the system is up */
  size_t length = (size_t)snprintf(out, size, "%s", prefix);
  for (size_t i = 0; i < sizeof bytes && length + 2 < size; i++, length += 2)
    (void)snprintf(out + length, size - length, "%02x", bytes[i]);
}

void al_api_usage_write(struct al_json_writer *w, const struct al_usage *usage)
{
  al_jw_key(w, "usage");
  al_jw_object(w);
  al_jw_kv_int(w, "prompt_tokens", usage->n_prompt);
  al_jw_kv_int(w, "completion_tokens", usage->n_completion);
  al_jw_kv_int(w, "total_tokens", (int64_t)usage->n_prompt + usage->n_completion);
  al_jw_key(w, "prompt_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "cached_tokens", usage->n_cached);
  al_jw_end(w);
  al_jw_key(w, "completion_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "reasoning_tokens", usage->n_reasoning);
  al_jw_end(w);
  al_jw_end(w);
}

enum al_code al_api_generation_new(struct al_http_exchange *exchange, struct al_api *api, size_t size,
                                   const struct al_api_generation_ops *ops, struct al_api_generation **generation,
                                   struct al_err *err)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(ARENA_CAP);
  struct al_api_generation *made = arena != nullptr ? al_arena_alloc(arena, size) : nullptr;
  struct al_cancel *cancel = exchange != nullptr ? al_cancel_ref(al_http_cancel(exchange)) : al_cancel_new();
  if (made == nullptr || cancel == nullptr) {
    al_cancel_unref(cancel);
    return al_fail_oom(err, size);
  }
  made->ops = ops;
  made->outlet = &al_api_outlet_http;
  made->api = api;
  made->exchange = exchange != nullptr ? al_http_ref(exchange) : nullptr;
  made->cancel = cancel;
  made->arena = AL_TAKE(arena);
  made->created_s = al_wall_s();
  made->started_ns = exchange != nullptr ? al_http_started_ns(exchange) : al_now_ns();
  al_api_make_id(made->id, sizeof made->id, ops->id_prefix);
  al_buf_init(&made->out, OUT_CAP);
  al_api_text_params_init(&made->params, made->arena);
  *generation = made;
  return AL_OK;
}

void al_api_generation_free(struct al_api_generation *generation)
{
  if (generation == nullptr)
    return;
  if (generation->ops->done != nullptr)
    generation->ops->done(generation);
  al_api_choices_done(generation);
  al_buf_done(&generation->out);
  if (generation->exchange != nullptr)
    al_http_unref(generation->exchange);
  al_cancel_unref(generation->cancel);
  al_arena_free(generation->arena);
}

void al_api_generation_send(struct al_api_generation *generation)
{
  struct al_buf *out = &generation->out;
  generation->is_broken |= out->failed;
  if (!generation->is_gone && !out->failed)
    generation->is_gone = !generation->outlet->send(generation, al_buf_view(out));
  al_buf_clear(out);
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* The model's defaults are not known before the prompt has been accepted; until an engine tells them, what was asked
 * for (or OpenAI's default of 1) stands in. */
static void settle_sampling(struct al_api_generation *generation, const struct al_sampling *effective)
{
  struct al_sampling *sampling = &generation->sampling;
  *sampling = effective != nullptr ? *effective : generation->params.sampling;
  sampling->logit_bias = nullptr;
  sampling->n_logit_bias = 0;
  if (!(sampling->temperature >= 0))
    sampling->temperature = 1;
  if (!(sampling->top_p >= 0))
    sampling->top_p = 1;
}

static void on_started(struct al_api_generation *generation, const struct al_text_event *event)
{
  generation->usage = event->usage;
  settle_sampling(generation, event->sampling);
  if (!generation->params.stream)
    return;
  generation->outlet->begin(generation);
  generation->is_streaming = true;
  generation->ops->started(generation);
}

static void on_answer(struct al_api_generation *generation, const struct al_text_event *event)
{
  if (generation->first_token_ns == 0 && event->kind != AL_TEXT_PROMPT && event->kind != AL_TEXT_CHOICE_DONE)
    generation->first_token_ns = al_now_ns();
  if (generation->is_gone || generation->is_broken)
    return;
  bool gathers = !generation->is_streaming || generation->ops->keeps_answer;
  if (!al_api_choices_take(generation, event, gathers))
    generation->is_broken = true;
  if (generation->is_streaming && !generation->is_broken)
    generation->ops->event(generation, event);
}

static const char *finish_name(enum al_finish finish)
{
  switch (finish) {
  case AL_FINISH_LENGTH: return "length";
  case AL_FINISH_TOOL_CALLS: return "tool_calls";
  case AL_FINISH_STOP:
  case AL_FINISH_CANCELLED:
  case AL_FINISH_ERROR: break;
  }
  return "stop";
}

static void log_end(const struct al_api_generation *generation, const char *outcome)
{
  const struct al_http_exchange *exchange = generation->exchange;
  int64_t started_ns = generation->started_ns;
  int64_t first_ns = generation->first_token_ns > 0 ? generation->first_token_ns - started_ns : 0;
  al_log(AL_LOG_INFO, "answer", AL_S("id", exchange != nullptr ? al_http_request_id(exchange) : generation->id),
         AL_S("model", generation->params.model), AL_S("finish", outcome),
         AL_I("prompt_tokens", generation->usage.n_prompt), AL_I("cached_tokens", generation->usage.n_cached),
         AL_I("completion_tokens", generation->usage.n_completion),
         AL_F("first_token_ms", (double)first_ns / (double)AL_NS_PER_MS),
         AL_F("ms", (double)(al_now_ns() - started_ns) / (double)AL_NS_PER_MS));
}

static void fail(struct al_api_generation *generation, const struct al_err *err)
{
  log_end(generation, al_code_name(err->code));
  if (err->code == AL_INTERNAL)
    al_log_err(AL_LOG_ERROR, "answer_failed", err);
  if (!generation->is_streaming) {
    generation->outlet->fail(generation, err);
    return;
  }
  generation->ops->failed(generation, err);
  generation->outlet->end(generation);
}

static void reply_whole(struct al_api_generation *generation)
{
  generation->ops->print(generation, &generation->out);
  struct al_err err;
  if (al_buf_check(&generation->out, &err) != AL_OK) {
    fail(generation, &err);
    return;
  }
  generation->outlet->reply(generation, al_buf_view(&generation->out));
  log_end(generation, finish_name(generation->finish));
}

/* Most often the client has left and nobody reads this; but the server may also be going down under a client that
 * waits, or a deadline has passed. */
static void fail_cancelled(struct al_api_generation *generation)
{
  struct al_err err;
  if (atomic_load(&generation->api->draining))
    (void)!al_fail_reason(&err, al_fail(&err, AL_CANCELLED, "The server is shutting down"), "shutting_down");
  else if (al_cancel_reason(generation->cancel) == AL_TIMEOUT)
    (void)!al_fail(&err, AL_TIMEOUT, "The request took too long");
  else
    (void)!al_fail(&err, AL_CANCELLED, "The request was cancelled");
  fail(generation, &err);
}

static void on_done(struct al_api_generation *generation, const struct al_text_event *event)
{
  generation->usage = event->usage;
  generation->prompt_ms = event->prompt_ms;
  generation->predicted_ms = event->predicted_ms;
  struct al_err err;
  if (event->finish == AL_FINISH_CANCELLED) {
    fail_cancelled(generation);
  } else if (event->finish == AL_FINISH_ERROR) {
    (void)!al_fail(&err, AL_INTERNAL, "The generation ended with an error");
    fail(generation, &err);
  } else if (generation->is_broken) {
    (void)!al_fail(&err, AL_OOM_RAM, "Out of memory while writing the answer");
    fail(generation, &err);
  } else if (generation->is_streaming) {
    generation->ops->finished(generation);
    generation->outlet->end(generation);
    log_end(generation, finish_name(generation->finish));
  } else {
    reply_whole(generation);
  }
}

static void on_event(void *user, const struct al_text_event *event)
{
  struct al_api_generation *generation = user;
  switch (event->kind) {
  case AL_TEXT_STARTED: on_started(generation, event); break;
  case AL_TEXT_PROMPT:
  case AL_TEXT_DELTA:
  case AL_TEXT_REASONING:
  case AL_TEXT_CALL_BEGIN:
  case AL_TEXT_CALL_DELTA:
  case AL_TEXT_CALL_END:
  case AL_TEXT_CHOICE_DONE: on_answer(generation, event); break;
  case AL_TEXT_DONE:
    on_done(generation, event);
    al_api_generation_free(generation);
    break;
  case AL_TEXT_FAILED:
    if (event->usage.n_completion > 0)
      generation->usage = event->usage;
    fail(generation, event->err);
    al_api_generation_free(generation);
    break;
  }
}

enum al_code al_api_generation_submit(struct al_api_generation *generation, const struct al_json *chat,
                                      bool truncate_prompt, struct al_err *err)
{
  const struct al_api_text_params *params = &generation->params;
  AL_TRY(al_api_choices_new(generation, err));
  struct al_text_request request = {
    .model = params->model,
    .chat = chat,
    .prompt = params->prompt,
    .tokens = params->tokens,
    .suffix = params->suffix,
    .sampling = params->sampling,
    .max_tokens = params->max_tokens,
    .n = params->n,
    .logprobs = params->logprobs,
    .prompt_logprobs = params->prompt_logprobs,
    .stop = params->stop,
    .n_stop = params->n_stop,
    .ignore_eos = params->ignore_eos,
    .truncate_prompt = truncate_prompt,
    .tool_choice = params->tool_choice,
    .tool_function = params->tool_function,
    .parallel_tool_calls = params->parallel_tool_calls,
    .keeps_reasoning = params->keeps_reasoning,
    .format = params->format,
    .schema = params->schema,
    .format_path = params->format_path,
    .grammar = params->grammar,
    .lora = params->lora,
    .n_lora = params->n_lora,
    .cancel = generation->cancel,
    .on_event = on_event,
    .user = generation,
  };
  return al_inference_text(generation->api->inference, &request, err);
}
