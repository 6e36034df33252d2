/* The items of a response's output. */
#include "api/response.h"
#include "api/response_input.h"

static const struct al_api_choice *choice_of(const struct al_api_response *response)
{
  return &response->base.choices[0];
}

static struct al_str part_of(const struct al_buf *buf, size_t begin, size_t end)
{
  return end > begin ? al_str_n(buf->data + begin, end - begin) : al_str("");
}

struct al_str al_api_response_item_text(const struct al_api_response *response, const struct al_api_response_item *item)
{
  const struct al_api_choice *choice = choice_of(response);
  switch (item->kind) {
  case AL_ITEM_REASONING: return part_of(&choice->reasoning, item->begin, item->end);
  case AL_ITEM_MESSAGE: return part_of(&choice->text, item->begin, item->end);
  case AL_ITEM_CALL: break;
  }
  struct al_str arguments = al_buf_view(&choice->calls[item->call].arguments);
  return arguments.size > 0 ? arguments : al_str("");
}

struct al_str al_api_response_item_logprobs(const struct al_api_response *response,
                                            const struct al_api_response_item *item)
{
  size_t begin = item->logprobs_begin + (item->logprobs_begin > 0); /* the comma belongs to nobody */
  return part_of(&choice_of(response)->logprobs, begin, item->logprobs_end);
}

struct al_api_response_item *al_api_response_add_item(struct al_api_response *response, enum al_api_item_kind kind)
{
  static const char *const prefixes[] = { [AL_ITEM_REASONING] = "rs_",
                                          [AL_ITEM_MESSAGE] = "msg_",
                                          [AL_ITEM_CALL] = "fc_" };
  if (response->n_items == response->items_capacity) {
    size_t capacity = response->items_capacity > 0 ? 2 * response->items_capacity : 8;
    struct al_api_response_item *items = al_arena_array(response->base.arena, capacity, sizeof *items);
    if (items == nullptr) {
      response->base.is_broken = true;
      return nullptr;
    }
    if (response->n_items > 0)
      memcpy(items, response->items, response->n_items * sizeof *items);
    response->items = items;
    response->items_capacity = capacity;
  }
  struct al_api_response_item *item = &response->items[response->n_items++];
  *item = (struct al_api_response_item){ .kind = kind, .is_open = true };
  al_api_make_id(item->id, sizeof item->id, prefixes[kind]);
  return item;
}

struct al_api_response_item *al_api_response_open_item(struct al_api_response *response, enum al_api_item_kind kind)
{
  for (size_t i = response->n_items; i > 0; i--) {
    struct al_api_response_item *item = &response->items[i - 1];
    if (item->is_open && item->kind == kind)
      return item;
  }
  return nullptr;
}

void al_api_response_write_part(struct al_json_writer *w, const struct al_api_response_item *item, struct al_str text,
                                struct al_str logprobs)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", item->kind == AL_ITEM_REASONING ? "reasoning_text" : "output_text");
  al_jw_kv_str_n(w, "text", text);
  if (item->kind == AL_ITEM_MESSAGE) {
    al_jw_kv_raw(w, "annotations", al_str("[]"));
    al_jw_key(w, "logprobs");
    al_jw_array(w);
    if (logprobs.size > 0)
      al_jw_raw(w, logprobs);
    al_jw_end(w);
  }
  al_jw_end(w);
}

static void write_content(struct al_json_writer *w, const struct al_api_response *response,
                          const struct al_api_response_item *item)
{
  al_jw_key(w, "content");
  al_jw_array(w);
  if (!item->is_open)
    al_api_response_write_part(w, item, al_api_response_item_text(response, item),
                               al_api_response_item_logprobs(response, item));
  al_jw_end(w);
}

/* Not secret, but what a client needs that keeps no items here and sends them back. */
static void write_encrypted(struct al_json_writer *w, struct al_str text)
{
  AL_CLEANUP(al_buf_done) struct al_buf content = {};
  al_buf_str(&content, AL_API_OPAQUE);
  al_buf_add(&content, text.data, text.size);
  al_jw_kv_str_n(w, "encrypted_content", al_buf_view(&content));
}

static void write_call(struct al_json_writer *w, const struct al_api_response *response,
                       const struct al_api_response_item *item)
{
  const struct al_api_call *call = &choice_of(response)->calls[item->call];
  al_jw_kv_str(w, "call_id", call->id);
  al_jw_kv_str(w, "name", call->name);
  al_jw_kv_str_n(w, "arguments", item->is_open ? al_str("") : al_api_response_item_text(response, item));
}

void al_api_response_write_item(struct al_json_writer *w, const struct al_api_response *response,
                                const struct al_api_response_item *item)
{
  static const char *const types[] = { [AL_ITEM_REASONING] = "reasoning",
                                       [AL_ITEM_MESSAGE] = "message",
                                       [AL_ITEM_CALL] = "function_call" };
  al_jw_object(w);
  al_jw_kv_str(w, "id", item->id);
  al_jw_kv_str(w, "type", types[item->kind]);
  al_jw_kv_str(w, "status", item->is_open ? "in_progress" : item->is_incomplete ? "incomplete" : "completed");
  switch (item->kind) {
  case AL_ITEM_REASONING:
    al_jw_kv_raw(w, "summary", al_str("[]"));
    write_content(w, response, item);
    if (response->shows_encrypted && !item->is_open)
      write_encrypted(w, al_api_response_item_text(response, item));
    break;
  case AL_ITEM_MESSAGE:
    al_jw_kv_str(w, "role", "assistant");
    write_content(w, response, item);
    break;
  case AL_ITEM_CALL: write_call(w, response, item); break;
  }
  al_jw_end(w);
}
