/* From items to the messages of chat templates. */
#include "api/params.h"
#include "api/response_input.h"

#include <stdio.h>

struct turn { /* the assistant's message that is being put together */
  struct al_buf content, reasoning;
  struct al_buf calls; /* elements of tool_calls */
  bool has_content;
};

static void turn_done(struct turn *turn)
{
  al_buf_done(&turn->content);
  al_buf_done(&turn->reasoning);
  al_buf_done(&turn->calls);
}

struct conversion {
  struct al_json_writer *w;
  struct turn turn;
  const struct al_json *calls_in; /* the items in which calls are looked for by their outputs */
};

/* Texts of parts, or a string; joined by newlines as everywhere. */
static void add_text(struct al_buf *out, const struct al_json *content)
{
  struct al_str whole = al_json_str(content);
  al_buf_add(out, whole.data, whole.size);
  if (al_json_kind(content) != AL_JSON_ARRAY)
    return;
  struct al_json_iter it = al_json_iter(content);
  while (al_json_next(&it)) {
    struct al_str text = al_json_str(al_json_get(it.value, "text"));
    if (text.data == nullptr)
      text = al_json_str(al_json_get(it.value, "refusal"));
    if (it.index > 0)
      al_buf_char(out, '\n');
    al_buf_add(out, text.data, text.size);
  }
}

/* --- the assistant ------------------------------------------------------------------------------------------------ */

static enum al_code end_turn(struct conversion *conversion, struct al_err *err)
{
  struct turn *turn = &conversion->turn;
  if (!turn->has_content && turn->reasoning.size == 0 && turn->calls.size == 0)
    return AL_OK;
  AL_TRY(al_buf_check(&turn->content, err));
  AL_TRY(al_buf_check(&turn->reasoning, err));
  AL_TRY(al_buf_check(&turn->calls, err));
  struct al_json_writer *w = conversion->w;
  al_jw_object(w);
  al_jw_kv_str(w, "role", "assistant");
  al_jw_kv_str_n(w, "content", turn->content.size > 0 ? al_buf_view(&turn->content) : al_str(""));
  if (turn->reasoning.size > 0)
    al_jw_kv_str_n(w, "reasoning_content", al_buf_view(&turn->reasoning));
  if (turn->calls.size > 0) {
    al_buf_char(&turn->calls, ']');
    AL_TRY(al_buf_check(&turn->calls, err));
    al_jw_kv_raw(w, "tool_calls", al_buf_view(&turn->calls));
  }
  al_jw_end(w);
  turn_done(turn);
  turn->has_content = false;
  return AL_OK;
}

/* Templates expect the arguments as an object; a call that was cut short has left broken ones: then they get the text.
 */
static enum al_code write_arguments(struct al_json_writer *w, struct al_str text, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_str arguments = text.size > 0 ? text : al_str("{}");
  enum al_code code = al_json_parse(arguments, &doc, err);
  if (code == AL_OOM_RAM)
    return code;
  if (code == AL_OK && al_json_kind(al_json_root(doc)) == AL_JSON_OBJECT)
    al_jw_kv_value(w, "arguments", al_json_root(doc));
  else
    al_jw_kv_str_n(w, "arguments", arguments);
  return AL_OK;
}

static enum al_code add_call(struct conversion *conversion, const struct al_json *item, struct al_err *err)
{
  struct al_buf *calls = &conversion->turn.calls;
  al_buf_char(calls, calls->size == 0 ? '[' : ',');
  struct al_json_writer w = al_json_writer(calls);
  al_jw_object(&w);
  al_jw_kv_value(&w, "id", al_json_get(item, "call_id"));
  al_jw_kv_str(&w, "type", "function");
  al_jw_key(&w, "function");
  al_jw_object(&w);
  al_jw_kv_value(&w, "name", al_json_get(item, "name"));
  AL_TRY(write_arguments(&w, al_json_str(al_json_get(item, "arguments")), err));
  al_jw_end(&w);
  al_jw_end(&w);
  return al_buf_check(calls, err);
}

static enum al_code add_reasoning(struct conversion *conversion, const struct al_json *item, struct al_err *err)
{
  struct turn *turn = &conversion->turn;
  if (turn->has_content || turn->calls.size > 0)
    AL_TRY(end_turn(conversion, err));
  if (turn->reasoning.size > 0)
    al_buf_char(&turn->reasoning, '\n');
  add_text(&turn->reasoning, al_json_get(item, "content"));
  return AL_OK;
}

static enum al_code add_answer(struct conversion *conversion, const struct al_json *item, struct al_err *err)
{
  struct turn *turn = &conversion->turn;
  if (turn->has_content || turn->calls.size > 0)
    AL_TRY(end_turn(conversion, err));
  add_text(&turn->content, al_json_get(item, "content"));
  turn->has_content = true;
  return AL_OK;
}

/* --- everybody else ----------------------------------------------------------------------------------------------- */

static enum al_code add_message(struct conversion *conversion, const struct al_json *item, struct al_err *err)
{
  struct al_str role = al_json_str(al_json_get(item, "role"));
  if (al_str_is(role, "assistant"))
    return add_answer(conversion, item, err);
  AL_TRY(end_turn(conversion, err));
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  add_text(&text, al_json_get(item, "content"));
  AL_TRY(al_buf_check(&text, err));
  al_jw_object(conversion->w);
  al_jw_kv_str_n(conversion->w, "role", al_str_is(role, "developer") ? al_str("system") : role);
  al_jw_kv_str_n(conversion->w, "content", text.size > 0 ? al_buf_view(&text) : al_str(""));
  al_jw_end(conversion->w);
  return AL_OK;
}

static const struct al_json *find_call(const struct al_json *items, struct al_str call_id)
{
  const struct al_json *found = nullptr;
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it))
    if (al_str_is(al_json_str(al_json_get(it.value, "type")), "function_call") &&
        al_str_eq(al_json_str(al_json_get(it.value, "call_id")), call_id))
      found = it.value;
  return found;
}

static enum al_code add_call_output(struct conversion *conversion, const struct al_json *item, struct al_err *err)
{
  struct al_str call_id = al_json_str(al_json_get(item, "call_id"));
  const struct al_json *call = find_call(conversion->calls_in, call_id);
  if (call == nullptr)
    return al_fail_param(err, "input", "No tool call found for function call output with call_id %.*s.",
                         (int)al_min_size(call_id.size, 80), call_id.data);
  AL_TRY(end_turn(conversion, err));
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  add_text(&text, al_json_get(item, "output"));
  AL_TRY(al_buf_check(&text, err));
  al_jw_object(conversion->w);
  al_jw_kv_str(conversion->w, "role", "tool");
  al_jw_kv_str_n(conversion->w, "content", text.size > 0 ? al_buf_view(&text) : al_str(""));
  al_jw_kv_str_n(conversion->w, "tool_call_id", call_id);
  al_jw_kv_value(conversion->w, "name", al_json_get(call, "name"));
  al_jw_end(conversion->w);
  return AL_OK;
}

static enum al_code add_item(struct conversion *conversion, const struct al_json *item, struct al_err *err)
{
  static const struct {
    const char *type;
    enum al_code (*add)(struct conversion *, const struct al_json *, struct al_err *);
  } kinds[] = { { "message", add_message },
                { "reasoning", add_reasoning },
                { "function_call", add_call },
                { "function_call_output", add_call_output } };
  struct al_str type = al_json_str(al_json_get(item, "type"));
  for (size_t i = 0; i < AL_COUNT(kinds); i++)
    if (al_str_is(type, kinds[i].type))
      return kinds[i].add(conversion, item, err);
  return al_fail(err, AL_INTERNAL, "an item of type '%.*s' cannot be continued", (int)al_min_size(type.size, 40),
                 type.data);
}

static enum al_code add_items(struct conversion *conversion, const struct al_json *items, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it))
    AL_TRY(add_item(conversion, it.value, err));
  return AL_OK;
}

/* --- compaction --------------------------------------------------------------------------------------------------- */

static bool is_compaction(const struct al_json *item)
{
  return al_str_is(al_json_str(al_json_get(item, "type")), "compaction");
}

static enum al_code add_compacted(const struct al_json *item, struct al_buf *out, struct al_err *err)
{
  struct al_str text = al_json_str(al_json_get(item, "encrypted_content"));
  size_t skip = strlen(AL_API_OPAQUE);
  if (text.size < skip + 2)
    return al_fail(err, AL_INTERNAL, "a compaction item is damaged");
  struct al_str inside = al_str_n(text.data + skip + 1, text.size - skip - 2); /* without the array's brackets */
  if (out->size > 0 && inside.size > 0)
    al_buf_char(out, ',');
  al_buf_add(out, inside.data, inside.size);
  return AL_OK;
}

enum al_code al_api_items_flatten(const struct al_json *items, struct al_buf *out, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it)) {
    if (is_compaction(it.value)) {
      AL_TRY(add_compacted(it.value, out, err));
      continue;
    }
    if (out->size > 0)
      al_buf_char(out, ',');
    al_json_print(out, it.value);
  }
  return al_buf_check(out, err);
}

static bool has_compaction(const struct al_json *items)
{
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it))
    if (is_compaction(it.value))
      return true;
  return false;
}

static enum al_code flatten(const struct al_json *items, struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf flat = {};
  AL_CLEANUP(al_buf_done) struct al_buf array = {};
  AL_TRY(al_api_items_flatten(items, &flat, err));
  al_buf_char(&array, '[');
  al_buf_add(&array, flat.data, flat.size);
  al_buf_char(&array, ']');
  AL_TRY(al_buf_check(&array, err));
  return al_json_parse(al_buf_view(&array), doc, err);
}

enum al_code al_api_items_to_messages(const struct al_json *items, struct al_json_writer *w, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *flat = nullptr;
  if (has_compaction(items)) {
    AL_TRY(flatten(items, &flat, err));
    items = al_json_root(flat);
  }
  struct conversion conversion = { .w = w, .calls_in = items };
  enum al_code code = add_items(&conversion, items, err);
  if (code == AL_OK)
    code = end_turn(&conversion, err);
  turn_done(&conversion.turn);
  return code;
}
