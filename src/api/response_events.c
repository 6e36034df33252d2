/* The streaming events of the Responses API, in the order clients rely on. */
#include "api/logprobs.h"
#include "api/response.h"

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

void al_api_response_send_snapshot(struct al_api_response *response, const char *type, struct al_str object)
{
  if (!response->sends_events)
    return;
  struct al_json_writer w = begin(response, type);
  al_jw_kv_raw(&w, "response", object);
  end(response, &w);
}

void al_api_response_send_status(struct al_api_response *response, const char *type, enum al_api_response_status status)
{
  if (!response->sends_events)
    return;
  struct al_json_writer w = begin(response, type);
  al_jw_key(&w, "response");
  al_api_response_write(&w, response, status, nullptr);
  end(response, &w);
}

/* --- about one item ------------------------------------------------------------------------------------------------
 */

static size_t index_of(const struct al_api_response *response, const struct al_api_response_item *item)
{
  return (size_t)(item - response->items);
}

static void send_item(struct al_api_response *response, const char *type, const struct al_api_response_item *item)
{
  struct al_json_writer w = begin(response, type);
  al_jw_kv_int(&w, "output_index", (int64_t)index_of(response, item));
  al_jw_key(&w, "item");
  al_api_response_write_item(&w, response, item);
  end(response, &w);
}

static struct al_json_writer begin_at(struct al_api_response *response, const char *type,
                                      const struct al_api_response_item *item)
{
  struct al_json_writer w = begin(response, type);
  al_jw_kv_str(&w, "item_id", item->id);
  al_jw_kv_int(&w, "output_index", (int64_t)index_of(response, item));
  if (item->kind != AL_ITEM_CALL)
    al_jw_kv_int(&w, "content_index", 0);
  return w;
}

static void send_part(struct al_api_response *response, const char *type, const struct al_api_response_item *item,
                      bool is_whole)
{
  struct al_json_writer w = begin_at(response, type, item);
  al_jw_key(&w, "part");
  if (is_whole)
    al_api_response_write_part(&w, item, al_api_response_item_text(response, item),
                               al_api_response_item_logprobs(response, item));
  else
    al_api_response_write_part(&w, item, al_str(""), (struct al_str){});
  end(response, &w);
}

static void send_delta(struct al_api_response *response, const struct al_api_response_item *item,
                       const struct al_text_event *event)
{
  static const char *const types[] = { [AL_ITEM_REASONING] = "response.reasoning_text.delta",
                                       [AL_ITEM_MESSAGE] = "response.output_text.delta",
                                       [AL_ITEM_CALL] = "response.function_call_arguments.delta" };
  struct al_json_writer w = begin_at(response, types[item->kind], item);
  al_jw_kv_str_n(&w, "delta", event->text.data != nullptr ? event->text : al_str(""));
  if (item->kind == AL_ITEM_MESSAGE) {
    AL_CLEANUP(al_buf_done) struct al_buf logprobs = {};
    al_api_logprobs_append(&logprobs, event->tokens, event->n_tokens);
    al_jw_key(&w, "logprobs");
    al_jw_array(&w);
    if (logprobs.size > 0)
      al_jw_raw(&w, al_buf_view(&logprobs));
    al_jw_end(&w);
    response->base.is_broken |= logprobs.failed;
  }
  end(response, &w);
}

static void send_text_done(struct al_api_response *response, const struct al_api_response_item *item)
{
  bool is_message = item->kind == AL_ITEM_MESSAGE;
  struct al_json_writer w =
      begin_at(response, is_message ? "response.output_text.done" : "response.reasoning_text.done", item);
  al_jw_kv_str_n(&w, "text", al_api_response_item_text(response, item));
  if (is_message) {
    struct al_str logprobs = al_api_response_item_logprobs(response, item);
    al_jw_key(&w, "logprobs");
    al_jw_array(&w);
    if (logprobs.size > 0)
      al_jw_raw(&w, logprobs);
    al_jw_end(&w);
  }
  end(response, &w);
}

static void send_arguments_done(struct al_api_response *response, const struct al_api_response_item *item)
{
  struct al_json_writer w = begin_at(response, "response.function_call_arguments.done", item);
  al_jw_kv_str(&w, "name", response->base.choices[0].calls[item->call].name);
  al_jw_kv_str_n(&w, "arguments", al_api_response_item_text(response, item));
  end(response, &w);
}

/* --- items as they come and go --------------------------------------------------------------------------------------
 */

static void close_item(struct al_api_response *response, struct al_api_response_item *item)
{
  if (response->sends_events && item->kind == AL_ITEM_CALL) {
    send_arguments_done(response, item);
  } else if (response->sends_events) {
    send_text_done(response, item);
    send_part(response, "response.content_part.done", item, true);
  }
  item->is_open = false;
  if (response->sends_events)
    send_item(response, "response.output_item.done", item);
}

void al_api_response_close_items(struct al_api_response *response)
{
  for (size_t i = 0; i < response->n_items; i++)
    if (response->items[i].is_open)
      close_item(response, &response->items[i]);
}

/* A text of this kind goes on, or begins after what stood before has been closed. */
static struct al_api_response_item *text_item(struct al_api_response *response, enum al_api_item_kind kind)
{
  struct al_api_response_item *item = al_api_response_open_item(response, kind);
  if (item != nullptr)
    return item;
  al_api_response_close_items(response);
  item = al_api_response_add_item(response, kind);
  if (item == nullptr)
    return nullptr;
  const struct al_api_choice *choice = &response->base.choices[0];
  item->begin = item->end = kind == AL_ITEM_MESSAGE ? choice->text.size : choice->reasoning.size;
  item->logprobs_begin = item->logprobs_end = response->logprobs_seen;
  if (response->sends_events) {
    send_item(response, "response.output_item.added", item);
    send_part(response, "response.content_part.added", item, false);
  }
  return item;
}

/* The choice has taken the event's text and tokens in already. */
static void on_text(struct al_api_response *response, const struct al_text_event *event, enum al_api_item_kind kind)
{
  const struct al_api_choice *choice = &response->base.choices[0];
  size_t n_items = response->n_items;
  if (event->text.size == 0 && al_api_response_open_item(response, kind) == nullptr)
    return; /* tokens without text begin nothing */
  struct al_api_response_item *item = text_item(response, kind);
  if (item == nullptr)
    return;
  size_t end = kind == AL_ITEM_MESSAGE ? choice->text.size : choice->reasoning.size;
  if (response->n_items > n_items)
    item->begin = end - event->text.size;
  item->end = end;
  item->logprobs_end = response->logprobs_seen = choice->logprobs.size;
  if (response->sends_events)
    send_delta(response, item, event);
}

static void on_call_begin(struct al_api_response *response, const struct al_text_event *event)
{
  al_api_response_close_items(response);
  struct al_api_response_item *item = al_api_response_add_item(response, AL_ITEM_CALL);
  if (item == nullptr)
    return;
  item->call = (size_t)event->call;
  item->is_incomplete = true; /* until its end says otherwise */
  if (response->sends_events)
    send_item(response, "response.output_item.added", item);
}

static struct al_api_response_item *call_item(struct al_api_response *response, int call)
{
  struct al_api_response_item *item = al_api_response_open_item(response, AL_ITEM_CALL);
  return item != nullptr && item->call == (size_t)call ? item : nullptr;
}

static void on_call_delta(struct al_api_response *response, const struct al_text_event *event)
{
  struct al_api_response_item *item = call_item(response, event->call);
  if (item != nullptr && event->text.size > 0 && response->sends_events)
    send_delta(response, item, event);
}

static void on_call_end(struct al_api_response *response, const struct al_text_event *event)
{
  struct al_api_response_item *item = call_item(response, event->call);
  if (item == nullptr)
    return;
  item->is_incomplete = !event->is_complete;
  close_item(response, item);
}

/* A limit cuts the text that was being written; and an answer without anything is an empty message. */
static void on_choice_done(struct al_api_response *response, const struct al_text_event *event)
{
  if (response->n_items == 0)
    (void)text_item(response, AL_ITEM_MESSAGE);
  for (size_t i = 0; i < response->n_items; i++)
    if (response->items[i].is_open)
      response->items[i].is_incomplete |= event->finish == AL_FINISH_LENGTH;
  al_api_response_close_items(response);
}

void al_api_response_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  struct al_api_response *response = response_of(generation);
  switch (event->kind) {
  case AL_TEXT_DELTA: on_text(response, event, AL_ITEM_MESSAGE); break;
  case AL_TEXT_REASONING: on_text(response, event, AL_ITEM_REASONING); break;
  case AL_TEXT_CALL_BEGIN: on_call_begin(response, event); break;
  case AL_TEXT_CALL_DELTA: on_call_delta(response, event); break;
  case AL_TEXT_CALL_END: on_call_end(response, event); break;
  case AL_TEXT_CHOICE_DONE: on_choice_done(response, event); break;
  case AL_TEXT_STARTED:
  case AL_TEXT_PROMPT:
  case AL_TEXT_DONE:
  case AL_TEXT_FAILED: break;
  }
}
