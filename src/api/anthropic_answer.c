/* The answers of Anthropic's Messages: the whole message, and the events of a stream. */
#include "api/anthropic.h"
#include "api/anthropic_errors.h"
#include "api/errors.h"

static struct al_api_anthropic_answer *answer_of(struct al_api_generation *generation)
{
  return (struct al_api_anthropic_answer *)generation;
}

/* --- parts of both ----------------------------------------------------------------------------------------------- */

/* An answer that ended for its length before max_tokens has filled the context. */
static const char *stop_reason(const struct al_api_generation *generation)
{
  const struct al_api_choice *choice = &generation->choices[0];
  switch (choice->finish) {
  case AL_FINISH_LENGTH:
    return generation->usage.n_completion < generation->params.max_tokens ? "model_context_window_exceeded"
                                                                          : "max_tokens";
  case AL_FINISH_TOOL_CALLS: return "tool_use";
  case AL_FINISH_STOP:
  case AL_FINISH_CANCELLED:
  case AL_FINISH_ERROR: break;
  }
  return choice->stop != nullptr ? "stop_sequence" : "end_turn";
}

static void write_stop(struct al_json_writer *w, const struct al_api_generation *generation)
{
  al_jw_kv_str(w, "stop_reason", stop_reason(generation));
  al_jw_kv_str(w, "stop_sequence", generation->choices[0].stop);
  al_jw_kv_null(w, "stop_details");
}

/* input_tokens are those that were computed: the cached ones stand beside them. */
static void write_usage(struct al_json_writer *w, const struct al_usage *usage, bool is_whole)
{
  al_jw_key(w, "usage");
  al_jw_object(w);
  al_jw_kv_int(w, "input_tokens", usage->n_prompt - usage->n_cached);
  al_jw_kv_int(w, "cache_creation_input_tokens", 0);
  al_jw_kv_int(w, "cache_read_input_tokens", usage->n_cached);
  al_jw_kv_int(w, "output_tokens", usage->n_completion);
  al_jw_key(w, "output_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "thinking_tokens", usage->n_reasoning);
  al_jw_end(w);
  al_jw_kv_null(w, "server_tool_use");
  if (is_whole) {
    al_jw_kv_null(w, "cache_creation");
    al_jw_kv_str(w, "service_tier", "standard");
    al_jw_kv_null(w, "inference_geo");
  }
  al_jw_end(w);
}

/* The object stays open before "content". */
static void write_head(struct al_json_writer *w, const struct al_api_generation *generation)
{
  al_jw_object(w);
  al_jw_kv_str(w, "id", generation->id);
  al_jw_kv_str(w, "type", "message");
  al_jw_kv_str(w, "role", "assistant");
  al_jw_kv_str(w, "model", generation->params.model);
  al_jw_kv_null(w, "container");
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static void write_text_block(struct al_json_writer *w, struct al_str text)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", "text");
  al_jw_kv_str_n(w, "text", text);
  al_jw_kv_null(w, "citations");
  al_jw_end(w);
}

static void write_thinking_block(struct al_json_writer *w, struct al_str thinking, const char *signature)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", "thinking");
  al_jw_kv_str_n(w, "thinking", thinking);
  al_jw_kv_str(w, "signature", signature);
  al_jw_end(w);
}

/* `input`: JSON. */
static void write_tool_block(struct al_json_writer *w, const struct al_api_call *call, struct al_str input)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", "tool_use");
  al_jw_kv_str(w, "id", call->id);
  al_jw_kv_str(w, "name", call->name);
  al_jw_kv_raw(w, "input", input);
  al_jw_end(w);
}

/* Of a call that was cut short there is no object: stop_reason says why. */
static void write_call(struct al_json_writer *w, const struct al_api_call *call)
{
  write_tool_block(w, call, call->is_complete ? al_buf_view(&call->arguments) : al_str("{}"));
}

/* --- the whole message ------------------------------------------------------------------------------------------- */

static void print(struct al_api_generation *generation, struct al_buf *out)
{
  const struct al_api_choice *choice = &generation->choices[0];
  bool hides = answer_of(generation)->hides_thinking;
  struct al_json_writer w = al_json_writer(out);
  write_head(&w, generation);
  al_jw_key(&w, "content");
  al_jw_array(&w);
  if (choice->reasoning.size > 0)
    write_thinking_block(&w, hides ? al_str("") : al_buf_view(&choice->reasoning), generation->id);
  if (choice->text.size > 0)
    write_text_block(&w, al_buf_view(&choice->text));
  for (size_t i = 0; i < choice->n_calls; i++)
    write_call(&w, &choice->calls[i]);
  al_jw_end(&w);
  write_stop(&w, generation);
  write_usage(&w, &generation->usage, true);
  al_jw_end(&w);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

/* "event: TYPE\ndata: {"type":TYPE" with the object left open. */
static struct al_json_writer begin(struct al_api_generation *generation, const char *type)
{
  struct al_buf *out = &generation->out;
  al_buf_printf(out, "event: %s\ndata: ", type);
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "type", type);
  return w;
}

static void end(struct al_api_generation *generation, struct al_json_writer *w)
{
  al_jw_end(w);
  al_buf_str(&generation->out, "\n\n");
  al_api_generation_send(generation);
}

static void stream_started(struct al_api_generation *generation)
{
  answer_of(generation)->open = AL_TEXT_DONE;
  struct al_json_writer w = begin(generation, "message_start");
  al_jw_key(&w, "message");
  write_head(&w, generation);
  al_jw_key(&w, "content");
  al_jw_array(&w);
  al_jw_end(&w);
  al_jw_kv_null(&w, "stop_reason");
  al_jw_kv_null(&w, "stop_sequence");
  al_jw_kv_null(&w, "stop_details");
  write_usage(&w, &generation->usage, true);
  al_jw_end(&w);
  end(generation, &w);
}

/* One delta of the open block: {"type": type, key: text}. */
static void send_delta(struct al_api_generation *generation, const char *type, const char *key, struct al_str text)
{
  struct al_json_writer w = begin(generation, "content_block_delta");
  al_jw_kv_int(&w, "index", answer_of(generation)->n_blocks - 1);
  al_jw_key(&w, "delta");
  al_jw_object(&w);
  al_jw_kv_str(&w, "type", type);
  al_jw_kv_str_n(&w, key, text);
  al_jw_end(&w);
  end(generation, &w);
}

static void close_block(struct al_api_generation *generation)
{
  struct al_api_anthropic_answer *answer = answer_of(generation);
  if (answer->open == AL_TEXT_DONE)
    return;
  if (answer->open == AL_TEXT_REASONING)
    send_delta(generation, "signature_delta", "signature", al_str(generation->id));
  answer->open = AL_TEXT_DONE;
  struct al_json_writer w = begin(generation, "content_block_stop");
  al_jw_kv_int(&w, "index", answer->n_blocks - 1);
  end(generation, &w);
}

static void open_block(struct al_api_generation *generation, const struct al_text_event *event)
{
  struct al_api_anthropic_answer *answer = answer_of(generation);
  if (answer->open == event->kind && event->kind != AL_TEXT_CALL_BEGIN)
    return;
  close_block(generation);
  answer->open = event->kind;
  struct al_json_writer w = begin(generation, "content_block_start");
  al_jw_kv_int(&w, "index", answer->n_blocks++);
  al_jw_key(&w, "content_block");
  if (event->kind == AL_TEXT_CALL_BEGIN)
    write_tool_block(&w, &generation->choices[0].calls[event->call], al_str("{}"));
  else if (event->kind == AL_TEXT_REASONING)
    write_thinking_block(&w, al_str(""), "");
  else
    write_text_block(&w, al_str(""));
  end(generation, &w);
}

static void stream_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  switch (event->kind) {
  case AL_TEXT_DELTA:
    if (event->text.size == 0)
      break;
    open_block(generation, event);
    send_delta(generation, "text_delta", "text", event->text);
    break;
  case AL_TEXT_REASONING:
    if (event->text.size == 0)
      break;
    open_block(generation, event);
    if (!answer_of(generation)->hides_thinking)
      send_delta(generation, "thinking_delta", "thinking", event->text);
    break;
  case AL_TEXT_CALL_BEGIN: open_block(generation, event); break;
  case AL_TEXT_CALL_DELTA: send_delta(generation, "input_json_delta", "partial_json", event->text); break;
  case AL_TEXT_CALL_END:
  case AL_TEXT_CHOICE_DONE: close_block(generation); break;
  case AL_TEXT_STARTED:
  case AL_TEXT_PROMPT:
  case AL_TEXT_DONE:
  case AL_TEXT_FAILED: break;
  }
}

static void stream_finished(struct al_api_generation *generation)
{
  struct al_json_writer w = begin(generation, "message_delta");
  al_jw_key(&w, "delta");
  al_jw_object(&w);
  write_stop(&w, generation);
  al_jw_kv_null(&w, "container");
  al_jw_end(&w);
  write_usage(&w, &generation->usage, false);
  end(generation, &w);
  w = begin(generation, "message_stop");
  end(generation, &w);
}

static void stream_failed(struct al_api_generation *generation, const struct al_err *err)
{
  al_buf_str(&generation->out, "event: error\ndata: ");
  struct al_json_writer w = al_json_writer(&generation->out);
  al_api_anthropic_write_err(&w, generation->exchange, err);
  al_buf_str(&generation->out, "\n\n");
  al_api_generation_send(generation);
}

const struct al_api_generation_ops al_api_anthropic_ops = {
  .id_prefix = "msg_",
  .call_prefix = "toolu_",
  .reply_err = al_api_anthropic_reply_err,
  .started = stream_started,
  .event = stream_event,
  .finished = stream_finished,
  .failed = stream_failed,
  .print = print,
};
