/* /v1/responses: making one, and what is stored. */
#include "api/body.h"
#include "api/errors.h"
#include "api/params.h"
#include "api/response_live.h"
#include "api/response_store.h"
#include "api/response_turn.h"
#include "base/alloc.h"

#include <stdlib.h>

void al_api_responses(struct al_http_exchange *exchange, void *app)
{
  struct al_json_doc *body = nullptr;
  struct al_err err;
  if (al_api_body(exchange, &body, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
  else
    al_api_response_turn(exchange, app, body, nullptr);
}

/* --- lookups
 * ------------------------------------------------------------------------------------------------------------ */

struct lookup {                      /* owned by the store until it answers */
  struct al_http_exchange *exchange; /* a reference */
  struct al_str id;                  /* the exchange's */
  int64_t after, limit;
  struct al_str after_id;
  bool streams, is_descending;
};

static void lookup_free(struct lookup *lookup)
{
  if (lookup == nullptr)
    return;
  al_http_unref(lookup->exchange);
  al_free(lookup);
}
AL_DEFINE_CLEANUP(struct lookup, lookup_free)

static enum al_code lookup_new(struct al_http_exchange *exchange, struct lookup **lookup, struct al_err *err)
{
  struct lookup *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->exchange = al_http_ref(exchange);
  made->id = al_http_param(exchange, "id");
  made->after = -1;
  made->limit = 20;
  made->is_descending = true;
  *lookup = made;
  return AL_OK;
}

static enum al_code not_found(struct al_str id, struct al_err *err)
{
  return al_fail(err, AL_NOT_FOUND, "Response with id '%.*s' not found.", (int)al_min_size(id.size, 80), id.data);
}

static enum al_code read_number(const struct al_http_exchange *exchange, const char *name, int64_t least, int64_t most,
                                int64_t *number, struct al_err *err)
{
  struct al_str text = al_http_query(exchange, name);
  if (text.data == nullptr)
    return AL_OK;
  char digits[20] = {};
  char *end = nullptr;
  if (text.size > 0 && text.size < sizeof digits)
    memcpy(digits, text.data, text.size);
  long long value = strtoll(digits, &end, 10);
  if (end == digits || *end != '\0' || value < least || value > most)
    return al_fail_param(err, name, "%s must be a whole number from %lld to %lld", name, (long long)least,
                         (long long)most);
  *number = value;
  return AL_OK;
}

static enum al_code read_flag(const struct al_http_exchange *exchange, const char *name, bool *flag, struct al_err *err)
{
  struct al_str text = al_http_query(exchange, name);
  if (text.data == nullptr)
    return AL_OK;
  *flag = al_str_is(text, "true") || al_str_is(text, "1");
  if (*flag || al_str_is(text, "false") || al_str_is(text, "0"))
    return AL_OK;
  return al_fail_param(err, name, "%s must be true or false", name);
}

/* What a response includes is settled when it is made. */
static enum al_code check_include(const struct al_http_exchange *exchange, struct al_err *err)
{
  static const char *const names[] = { "include", "include[]" };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    if (al_http_query(exchange, names[i]).data != nullptr)
      return al_api_unsupported(err, "include", "include: ask for it when the response is made");
  return AL_OK;
}

typedef enum al_code lookup_start(struct al_api *api, struct lookup **lookup, struct al_err *err);

static void look_up(struct al_http_exchange *exchange, struct al_api *api, lookup_start *start)
{
  AL_CLEANUP(lookup_free_p) struct lookup *lookup = nullptr;
  struct al_err err;
  enum al_code code = lookup_new(exchange, &lookup, &err);
  if (code == AL_OK)
    code = start(api, &lookup, &err);
  if (code != AL_OK)
    al_api_reply_err(exchange, &err);
}

/* --- GET
 * ---------------------------------------------------------------------------------------------------------------- */

static void stream_stored(struct al_http_exchange *exchange, struct al_str events)
{
  al_http_add_header(exchange, "cache-control", "no-cache");
  al_http_begin(exchange, 200, "text/event-stream");
  (void)al_http_send(exchange, events);
  al_http_end(exchange);
}

static void on_found(void *user, const struct al_response_found *found)
{
  AL_CLEANUP(lookup_free_p) struct lookup *lookup = user;
  struct al_err err = found->err;
  if (err.code == AL_OK && lookup->streams && found->record.events.size == 0)
    (void)!al_fail_param(&err, "stream",
                         "Only a response that was created with background: true and stream: true can be streamed");
  if (err.code != AL_OK)
    al_api_reply_err(lookup->exchange, &err);
  else if (lookup->streams)
    stream_stored(lookup->exchange, al_api_events_after(found->record.events, lookup->after));
  else
    al_http_reply(lookup->exchange, 200, "application/json", found->record.object);
}

static enum al_code get(struct al_api *api, struct lookup **lookup, struct al_err *err)
{
  struct lookup *at = *lookup;
  bool obfuscates = false;
  AL_TRY(check_include(at->exchange, err));
  AL_TRY(read_flag(at->exchange, "stream", &at->streams, err));
  AL_TRY(read_flag(at->exchange, "include_obfuscation", &obfuscates, err));
  if (obfuscates)
    return al_fail_param(err, "include_obfuscation", "include_obfuscation is not supported");
  AL_TRY(read_number(at->exchange, "starting_after", 0, INT64_MAX, &at->after, err));
  struct al_api_live *live = al_api_live_find(api->lives, at->id);
  if (live != nullptr && !al_api_live_is_deleted(live)) {
    enum al_code code = AL_OK;
    if (at->streams)
      code = al_api_live_stream(live, at->exchange, at->after, err);
    else
      al_api_live_reply(live, at->exchange);
    al_api_live_unref(live);
    return code;
  }
  al_api_live_unref(live);
  if (api->responses == nullptr)
    return not_found(at->id, err);
  AL_TRY(al_response_store_get(api->responses, at->id, on_found, at, err));
  *lookup = nullptr;
  return AL_OK;
}

void al_api_responses_get(struct al_http_exchange *exchange, void *app)
{
  look_up(exchange, app, get);
}

/* --- DELETE
 * ------------------------------------------------------------------------------------------------------------- */

static void on_deleted(void *user, const struct al_response_found *found)
{
  AL_CLEANUP(lookup_free_p) struct lookup *lookup = user;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err = found->err;
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str_n(&w, "id", lookup->id);
  al_jw_kv_str(&w, "object", "response");
  al_jw_kv_bool(&w, "deleted", true);
  al_jw_end(&w);
  if (err.code == AL_OK && al_buf_check(&text, &err) == AL_OK)
    al_http_reply(lookup->exchange, 200, "application/json", al_buf_view(&text));
  else
    al_api_reply_err(lookup->exchange, &err);
}

static enum al_code delete(struct al_api *api, struct lookup **lookup, struct al_err *err)
{
  struct al_str id = (*lookup)->id;
  struct al_api_live *live = al_api_live_find(api->lives, id);
  if (live != nullptr)
    al_api_live_delete(live);
  al_api_live_unref(live);
  if (api->responses == nullptr)
    return not_found(id, err);
  AL_TRY(al_response_store_delete(api->responses, id, on_deleted, *lookup, err));
  *lookup = nullptr;
  return AL_OK;
}

void al_api_responses_delete(struct al_http_exchange *exchange, void *app)
{
  look_up(exchange, app, delete);
}

/* --- cancel
 * ------------------------------------------------------------------------------------------------------------- */

static bool is_background(struct al_str object)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  return al_json_parse(object, &doc, nullptr) == AL_OK &&
         al_json_bool(al_json_get(al_json_root(doc), "background"), false);
}

/* It does not run here: one that has ended stays as it is. */
static void on_cancelled(void *user, const struct al_response_found *found)
{
  AL_CLEANUP(lookup_free_p) struct lookup *lookup = user;
  struct al_err err = found->err;
  if (err.code == AL_OK && !is_background(found->record.object))
    (void)!al_fail(&err, AL_INVALID_REQUEST, "Only a response in the background can be cancelled");
  if (err.code != AL_OK)
    al_api_reply_err(lookup->exchange, &err);
  else
    al_http_reply(lookup->exchange, 200, "application/json", found->record.object);
}

static enum al_code cancel(struct al_api *api, struct lookup **lookup, struct al_err *err)
{
  struct lookup *at = *lookup;
  struct al_api_live *live = al_api_live_find(api->lives, at->id);
  if (live != nullptr && !al_api_live_is_deleted(live)) {
    al_api_live_cancel(live);
    al_api_live_reply(live, at->exchange);
    al_api_live_unref(live);
    return AL_OK;
  }
  al_api_live_unref(live);
  if (api->responses == nullptr)
    return not_found(at->id, err);
  AL_TRY(al_response_store_get(api->responses, at->id, on_cancelled, at, err));
  *lookup = nullptr;
  return AL_OK;
}

void al_api_responses_cancel(struct al_http_exchange *exchange, void *app)
{
  look_up(exchange, app, cancel);
}

/* --- input items
 * -------------------------------------------------------------------------------------------------------- */

static size_t position_of(const struct al_json *items, struct al_str id)
{
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it))
    if (al_str_eq(al_json_str(al_json_get(it.value, "id")), id))
      return it.index;
  return SIZE_MAX;
}

static void write_page(struct al_json_writer *w, const struct al_json *items, const struct lookup *lookup)
{
  size_t count = al_json_count(items), begin = 0;
  size_t after = lookup->after_id.size > 0 ? position_of(items, lookup->after_id) : SIZE_MAX;
  if (after != SIZE_MAX) /* counted in the order of the page */
    begin = (lookup->is_descending ? count - 1 - after : after) + 1;
  size_t n = al_min_size(count - begin, (size_t)lookup->limit);
  struct al_str first = al_str(""), last = al_str("");
  al_jw_object(w);
  al_jw_kv_str(w, "object", "list");
  al_jw_key(w, "data");
  al_jw_array(w);
  for (size_t i = begin; i < begin + n; i++) {
    const struct al_json *item = al_json_at(items, lookup->is_descending ? count - 1 - i : i);
    al_jw_value(w, item);
    last = al_json_str(al_json_get(item, "id"));
    if (i == begin)
      first = last;
  }
  al_jw_end(w);
  al_jw_kv_str_n(w, "first_id", first);
  al_jw_kv_str_n(w, "last_id", last);
  al_jw_kv_bool(w, "has_more", begin + n < count);
  al_jw_end(w);
}

static void on_items(void *user, const struct al_response_found *found)
{
  AL_CLEANUP(lookup_free_p) struct lookup *lookup = user;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err = found->err;
  enum al_code code = err.code;
  if (code == AL_OK)
    code = al_json_parse(found->record.input, &doc, &err);
  if (code == AL_OK && lookup->after_id.size > 0 && position_of(al_json_root(doc), lookup->after_id) == SIZE_MAX)
    code = al_fail_param(&err, "after", "after: there is no such item");
  if (code == AL_OK) {
    struct al_json_writer w = al_json_writer(&text);
    write_page(&w, al_json_root(doc), lookup);
    code = al_buf_check(&text, &err);
  }
  if (code == AL_OK)
    al_http_reply(lookup->exchange, 200, "application/json", al_buf_view(&text));
  else
    al_api_reply_err(lookup->exchange, &err);
}

static enum al_code list_items(struct al_api *api, struct lookup **lookup, struct al_err *err)
{
  struct lookup *at = *lookup;
  struct al_str order = al_http_query(at->exchange, "order");
  AL_TRY(check_include(at->exchange, err));
  AL_TRY(read_number(at->exchange, "limit", 1, 100, &at->limit, err));
  at->after_id = al_http_query(at->exchange, "after");
  at->is_descending = order.data == nullptr || al_str_is(order, "desc");
  if (!at->is_descending && !al_str_is(order, "asc"))
    return al_fail_param(err, "order", "order must be asc or desc");
  if (api->responses == nullptr)
    return not_found(at->id, err);
  AL_TRY(al_response_store_get(api->responses, at->id, on_items, at, err));
  *lookup = nullptr;
  return AL_OK;
}

void al_api_responses_items(struct al_http_exchange *exchange, void *app)
{
  look_up(exchange, app, list_items);
}
