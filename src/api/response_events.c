/* The streaming events of the Responses API, in the order clients rely on. */
#include "api/response.h"
#include "base/clock.h"

static struct al_api_response *response_of(struct al_api_generation *generation)
{
  return (struct al_api_response *)generation;
}

/* "event: TYPE\ndata: {"type":TYPE,"sequence_number":N" with the object left open. */
static struct al_json_writer begin(struct al_api_response *response, const char *type)
{
  struct al_buf *out = &response->base.out;
  al_buf_str(out, "event: ");
  al_buf_str(out, type);
  al_buf_str(out, "\ndata: ");
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "type", type);
  al_jw_kv_int(&w, "sequence_number", response->n_events++);
  return w;
}

static void end(struct al_api_response *response, struct al_json_writer *w)
{
  al_jw_end(w);
  al_buf_str(&response->base.out, "\n\n");
  al_api_generation_send(&response->base);
}

static void send_snapshot(struct al_api_response *response, const char *type, enum al_api_response_status status,
                          const struct al_err *err)
{
  struct al_json_writer w = begin(response, type);
  al_jw_key(&w, "response");
  al_api_response_write(&w, response, status, err);
  end(response, &w);
}

static void send_item(struct al_api_response *response, const char *type, enum al_api_response_status status)
{
  struct al_json_writer w = begin(response, type);
  al_jw_kv_int(&w, "output_index", 0);
  al_jw_key(&w, "item");
  al_api_response_write_item(&w, response, status);
  end(response, &w);
}

/* Which part of the output an event is about. */
static void write_place(struct al_json_writer *w, const struct al_api_response *response)
{
  al_jw_kv_str(w, "item_id", response->item_id);
  al_jw_kv_int(w, "output_index", 0);
  al_jw_kv_int(w, "content_index", 0);
}

static void send_part(struct al_api_response *response, const char *type, struct al_str text)
{
  struct al_json_writer w = begin(response, type);
  write_place(&w, response);
  al_jw_key(&w, "part");
  al_api_response_write_part(&w, text);
  end(response, &w);
}

static void send_text(struct al_api_response *response, const char *type, const char *key, struct al_str text)
{
  struct al_json_writer w = begin(response, type);
  write_place(&w, response);
  al_jw_kv_str_n(&w, key, text);
  al_jw_key(&w, "logprobs");
  al_jw_array(&w);
  al_jw_end(&w);
  end(response, &w);
}

static void open_item(struct al_api_response *response)
{
  if (response->has_item)
    return;
  response->has_item = true;
  send_item(response, "response.output_item.added", AL_RESPONSE_IN_PROGRESS);
  send_part(response, "response.content_part.added", (struct al_str){ "", 0 });
}

void al_api_response_started(struct al_api_generation *generation)
{
  struct al_api_response *response = response_of(generation);
  send_snapshot(response, "response.created", AL_RESPONSE_IN_PROGRESS, nullptr);
  send_snapshot(response, "response.in_progress", AL_RESPONSE_IN_PROGRESS, nullptr);
}

void al_api_response_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  if (event->kind != AL_TEXT_DELTA)
    return;
  struct al_api_response *response = response_of(generation);
  open_item(response);
  send_text(response, "response.output_text.delta", "delta", event->text);
}

void al_api_response_finished(struct al_api_generation *generation)
{
  struct al_api_response *response = response_of(generation);
  enum al_api_response_status status = al_api_response_outcome(response);
  struct al_str text = al_buf_view(&generation->choices[0].text);
  response->completed_s = al_wall_s();
  open_item(response);
  send_text(response, "response.output_text.done", "text", text);
  send_part(response, "response.content_part.done", text);
  send_item(response, "response.output_item.done", status);
  send_snapshot(response, status == AL_RESPONSE_COMPLETED ? "response.completed" : "response.incomplete", status,
                nullptr);
}

void al_api_response_failed(struct al_api_generation *generation, const struct al_err *err)
{
  send_snapshot(response_of(generation), "response.failed", AL_RESPONSE_FAILED, err);
}
