#include "api/chat_answer.h"

#include "api/errors.h"
#include "api/logprobs.h"

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

/* --- parts of both ----------------------------------------------------------------------------------------------- */

static void write_timings(struct al_json_writer *w, const struct al_api_generation *generation)
{
  al_jw_key(w, "timings"); /* ours, beyond OpenAI's */
  al_jw_object(w);
  al_jw_kv_real(w, "prompt_ms", generation->prompt_ms);
  al_jw_kv_real(w, "predicted_ms", generation->predicted_ms);
  al_jw_end(w);
}

/* What chunks and whole answers have in common. The object stays open. */
static void write_head(struct al_json_writer *w, const struct al_api_generation *generation, const char *object)
{
  al_jw_object(w);
  al_jw_kv_str(w, "id", generation->id);
  al_jw_kv_str(w, "object", object);
  al_jw_kv_int(w, "created", generation->created_s);
  al_jw_kv_str(w, "model", generation->params.model);
  al_jw_kv_str(w, "service_tier", "default");
  al_jw_kv_str(w, "system_fingerprint", generation->api->fingerprint);
}

/* {"content": [elements], "refusal": null}, or null when nobody asked for it. */
static void write_logprobs(struct al_json_writer *w, const struct al_api_generation *generation, struct al_str elements)
{
  al_jw_key(w, "logprobs");
  if (generation->params.logprobs == 0) {
    al_jw_null(w);
    return;
  }
  al_jw_object(w);
  al_jw_key(w, "content");
  al_jw_array(w);
  if (elements.size > 0)
    al_jw_raw(w, elements);
  al_jw_end(w);
  al_jw_kv_null(w, "refusal");
  al_jw_end(w);
}

/* --- the whole answer -------------------------------------------------------------------------------------------- */

static void write_calls(struct al_json_writer *w, const struct al_api_choice *choice)
{
  al_jw_key(w, "tool_calls");
  al_jw_array(w);
  for (size_t i = 0; i < choice->n_calls; i++) {
    al_jw_object(w);
    al_jw_kv_str(w, "id", choice->calls[i].id);
    al_jw_kv_str(w, "type", "function");
    al_jw_key(w, "function");
    al_jw_object(w);
    al_jw_kv_str(w, "name", choice->calls[i].name);
    al_jw_kv_str_n(w, "arguments", al_buf_view(&choice->calls[i].arguments));
    al_jw_end(w);
    al_jw_end(w);
  }
  al_jw_end(w);
}

static void write_message(struct al_json_writer *w, const struct al_api_choice *choice)
{
  al_jw_key(w, "message");
  al_jw_object(w);
  al_jw_kv_str(w, "role", "assistant");
  if (choice->n_calls > 0 && choice->text.size == 0)
    al_jw_kv_null(w, "content");
  else
    al_jw_kv_str_n(w, "content", al_buf_view(&choice->text));
  al_jw_kv_null(w, "refusal");
  al_jw_key(w, "annotations");
  al_jw_array(w);
  al_jw_end(w);
  if (choice->reasoning.size > 0)
    al_jw_kv_str_n(w, "reasoning_content", al_buf_view(&choice->reasoning));
  if (choice->n_calls > 0)
    write_calls(w, choice);
  al_jw_end(w);
}

static void write_choice(struct al_json_writer *w, const struct al_api_generation *generation, size_t index)
{
  const struct al_api_choice *choice = &generation->choices[index];
  al_jw_object(w);
  al_jw_kv_int(w, "index", (int64_t)index);
  write_message(w, choice);
  write_logprobs(w, generation, al_buf_view(&choice->logprobs));
  al_jw_kv_str(w, "finish_reason", finish_name(choice->finish));
  al_jw_end(w);
}

static void print(struct al_api_generation *generation, struct al_buf *out)
{
  struct al_json_writer w = al_json_writer(out);
  write_head(&w, generation, "chat.completion");
  al_jw_key(&w, "choices");
  al_jw_array(&w);
  for (size_t i = 0; i < generation->n_choices; i++)
    write_choice(&w, generation, i);
  al_jw_end(&w);
  al_api_usage_write(&w, &generation->usage);
  if (generation->params.metadata.size > 0)
    al_jw_kv_raw(&w, "metadata", generation->params.metadata);
  write_timings(&w, generation);
  al_jw_end(&w);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

/* "data: {...,": the same bytes for every chunk, made once. */
enum al_code al_api_chat_prepare(struct al_api_generation *generation, struct al_err *err)
{
  if (!generation->params.stream)
    return AL_OK;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "data: ");
  struct al_json_writer w = al_json_writer(&text);
  write_head(&w, generation, "chat.completion.chunk");
  al_buf_str(&text, ",\"choices\":[");
  AL_TRY(al_buf_check(&text, err));
  struct al_str *head = &((struct al_api_chat_answer *)generation)->head;
  *head = al_str_n(al_arena_strndup(generation->arena, text.data, text.size), text.size);
  return head->data != nullptr ? AL_OK : al_fail_oom(err, text.size);
}

/* Opens a chunk with one choice up to its delta, which is the caller's object to write. */
static struct al_json_writer begin_chunk(struct al_api_generation *generation, int choice)
{
  struct al_str head = ((const struct al_api_chat_answer *)generation)->head;
  al_buf_add(&generation->out, head.data, head.size);
  struct al_json_writer w = al_json_writer(&generation->out);
  al_jw_object(&w);
  al_jw_kv_int(&w, "index", choice);
  al_jw_key(&w, "delta");
  al_jw_object(&w);
  return w;
}

/* Closes the delta and sends the chunk. */
static void send_chunk(struct al_api_generation *generation, struct al_json_writer *w,
                       const struct al_text_event *tokens_of, const char *finish)
{
  al_jw_end(w);
  if (tokens_of != nullptr && tokens_of->n_tokens > 0) {
    AL_CLEANUP(al_buf_done) struct al_buf elements = {};
    al_api_logprobs_append(&elements, tokens_of->tokens, tokens_of->n_tokens);
    generation->is_broken |= elements.failed;
    write_logprobs(w, generation, al_buf_view(&elements));
  } else {
    al_jw_kv_null(w, "logprobs");
  }
  al_jw_kv_str(w, "finish_reason", finish);
  al_jw_end(w);
  al_buf_str(&generation->out, generation->params.include_usage ? "],\"usage\":null}\n\n" : "]}\n\n");
  al_api_generation_send(generation);
}

static void stream_started(struct al_api_generation *generation)
{
  for (size_t i = 0; i < generation->n_choices; i++) {
    struct al_json_writer w = begin_chunk(generation, (int)i);
    al_jw_kv_str(&w, "role", "assistant");
    al_jw_kv_str(&w, "content", "");
    al_jw_kv_null(&w, "refusal");
    send_chunk(generation, &w, nullptr, nullptr);
  }
}

static void send_text(struct al_api_generation *generation, const struct al_text_event *event, const char *key)
{
  struct al_json_writer w = begin_chunk(generation, event->choice);
  al_jw_kv_str_n(&w, key, event->text);
  send_chunk(generation, &w, event->kind == AL_TEXT_DELTA ? event : nullptr, nullptr);
}

/* A piece of a call: the first has the id and the name, the others arguments alone. */
static void send_call(struct al_api_generation *generation, const struct al_text_event *event)
{
  const struct al_api_call *call = &generation->choices[event->choice].calls[event->call];
  bool is_first = event->kind == AL_TEXT_CALL_BEGIN;
  struct al_json_writer w = begin_chunk(generation, event->choice);
  al_jw_key(&w, "tool_calls");
  al_jw_array(&w);
  al_jw_object(&w);
  al_jw_kv_int(&w, "index", event->call);
  if (is_first) {
    al_jw_kv_str(&w, "id", call->id);
    al_jw_kv_str(&w, "type", "function");
  }
  al_jw_key(&w, "function");
  al_jw_object(&w);
  if (is_first)
    al_jw_kv_str(&w, "name", call->name);
  al_jw_kv_str_n(&w, "arguments", is_first ? al_str("") : event->text);
  al_jw_end(&w);
  al_jw_end(&w);
  al_jw_end(&w);
  send_chunk(generation, &w, nullptr, nullptr);
}

static void stream_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  struct al_json_writer w;
  switch (event->kind) {
  case AL_TEXT_DELTA:
    if (event->text.size > 0 || event->n_tokens > 0)
      send_text(generation, event, "content");
    break;
  case AL_TEXT_REASONING:
    if (event->text.size > 0)
      send_text(generation, event, "reasoning_content");
    break;
  case AL_TEXT_CALL_BEGIN:
  case AL_TEXT_CALL_DELTA: send_call(generation, event); break;
  case AL_TEXT_CHOICE_DONE:
    w = begin_chunk(generation, event->choice);
    send_chunk(generation, &w, nullptr, finish_name(event->finish));
    break;
  case AL_TEXT_CALL_END:
  case AL_TEXT_STARTED:
  case AL_TEXT_PROMPT:
  case AL_TEXT_DONE:
  case AL_TEXT_FAILED: break;
  }
}

/* The last chunk of stream_options.include_usage: no choice, the tokens of the whole request. */
static void send_usage(struct al_api_generation *generation)
{
  al_buf_str(&generation->out, "data: ");
  struct al_json_writer w = al_json_writer(&generation->out);
  write_head(&w, generation, "chat.completion.chunk");
  al_jw_key(&w, "choices");
  al_jw_array(&w);
  al_jw_end(&w);
  al_api_usage_write(&w, &generation->usage);
  write_timings(&w, generation);
  al_jw_end(&w);
  al_buf_str(&generation->out, "\n\n");
  al_api_generation_send(generation);
}

static void stream_finished(struct al_api_generation *generation)
{
  if (generation->params.include_usage)
    send_usage(generation);
  al_buf_str(&generation->out, "data: [DONE]\n\n");
  al_api_generation_send(generation);
}

/* The form OpenAI's clients raise as an error; no [DONE] follows, so that nobody takes the text for complete. */
static void stream_failed(struct al_api_generation *generation, const struct al_err *err)
{
  struct al_buf *out = &generation->out;
  al_buf_str(out, "data: ");
  struct al_json_writer w = al_json_writer(out);
  al_api_write_err(&w, err);
  al_buf_str(out, "\n\n");
  al_api_generation_send(generation);
}

const struct al_api_generation_ops al_api_chat_ops = {
  .id_prefix = "chatcmpl-",
  .started = stream_started,
  .event = stream_event,
  .finished = stream_finished,
  .failed = stream_failed,
  .print = print,
};
