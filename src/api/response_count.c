/* POST /v1/responses/input_tokens and /v1/responses/compact: what a conversation costs, and what to keep of it. */
#include "api/body.h"
#include "api/errors.h"
#include "api/response_input.h"
#include "api/response_request.h"
#include "api/response_store.h"
#include "base/alloc.h"
#include "base/clock.h"

constexpr size_t ARENA_CAP = (size_t)64 << 20;
constexpr int KEPT_SHARE = 4; /* a compacted conversation takes at most one such part of the context */

struct count { /* owned by the handler, then by the store, then by the engine */
  struct al_api *api;
  struct al_http_exchange *exchange; /* a reference */
  struct al_json_doc *body;
  struct al_arena *arena;
  struct al_api_response_request request;
  struct al_buf own, references; /* the request's items */
  struct al_json_doc *items;     /* all, without compactions */
  bool compacts;
};

static void count_free(struct count *count)
{
  if (count == nullptr)
    return;
  al_buf_done(&count->own);
  al_buf_done(&count->references);
  al_json_doc_free(count->items);
  al_json_doc_free(count->body);
  al_http_unref(count->exchange);
  al_arena_free(count->arena);
  al_free(count);
}
AL_DEFINE_CLEANUP(struct count, count_free)

/* --- compaction
 * ---------------------------------------------------------------------------------------------------------- */

static bool has_type(const struct al_json *item, const char *type)
{
  return al_str_is(al_json_str(al_json_get(item, "type")), type);
}

static bool has_role(const struct al_json *item, const char *role)
{
  return has_type(item, "message") && al_str_is(al_json_str(al_json_get(item, "role")), role);
}

static size_t bytes_of(const struct al_json *item)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_json_print(&text, item);
  return text.size;
}

/* The index from which items are kept: a user's message, so that no answer or tool result stands without its question;
 * the earliest one from which on all has at most max_bytes, or the last one. */
static size_t first_kept(const struct al_json *items, size_t max_bytes)
{
  size_t n_left = 0, first = 0;
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it))
    n_left += has_type(it.value, "reasoning") ? 0 : bytes_of(it.value);
  it = al_json_iter(items);
  while (al_json_next(&it)) {
    if (has_role(it.value, "user"))
      first = it.index;
    if (has_role(it.value, "user") && n_left <= max_bytes)
      break;
    n_left -= has_type(it.value, "reasoning") ? 0 : bytes_of(it.value);
  }
  return first;
}

static size_t all_bytes(const struct al_json *items)
{
  size_t n_bytes = 0;
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it))
    n_bytes += bytes_of(it.value);
  return n_bytes;
}

/* How many bytes of items may be kept, from how many tokens all of them are. */
static size_t room_for(size_t n_bytes, size_t n_tokens, int n_ctx)
{
  size_t target = n_ctx > 0 ? (size_t)n_ctx / KEPT_SHARE : n_tokens;
  return n_tokens <= target ? n_bytes : (size_t)((double)n_bytes * (double)target / (double)n_tokens);
}

/* System messages stay wherever they stand; reasoning goes. */
static void write_kept(const struct al_json *items, size_t first, struct al_buf *out)
{
  al_buf_str(out, AL_API_OPAQUE);
  struct al_json_writer w = al_json_writer(out);
  al_jw_array(&w);
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it)) {
    bool is_rule = has_role(it.value, "system") || has_role(it.value, "developer");
    if (is_rule || (it.index >= first && !has_type(it.value, "reasoning")))
      al_jw_value(&w, it.value);
  }
  al_jw_end(&w);
}

static void write_usage(struct al_json_writer *w, size_t n_tokens)
{
  al_jw_key(w, "usage");
  al_jw_object(w);
  al_jw_kv_int(w, "input_tokens", (int64_t)n_tokens);
  al_jw_kv_raw(w, "input_tokens_details", al_str("{\"cached_tokens\":0,\"cache_write_tokens\":0}"));
  al_jw_kv_int(w, "output_tokens", 0); /* nothing is generated */
  al_jw_kv_raw(w, "output_tokens_details", al_str("{\"reasoning_tokens\":0}"));
  al_jw_kv_int(w, "total_tokens", (int64_t)n_tokens);
  al_jw_end(w);
}

static void write_compacted(const struct count *count, size_t n_tokens, int n_ctx, struct al_buf *out)
{
  char id[64], item_id[64];
  const struct al_json *items = al_json_root(count->items);
  AL_CLEANUP(al_buf_done) struct al_buf kept = {};
  al_api_make_id(id, sizeof id, "resp_");
  al_api_make_id(item_id, sizeof item_id, "cmp_");
  write_kept(items, first_kept(items, room_for(all_bytes(items), n_tokens, n_ctx)), &kept);
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "id", id);
  al_jw_kv_str(&w, "object", "response.compaction");
  al_jw_kv_int(&w, "created_at", al_wall_s());
  al_jw_key(&w, "output");
  al_jw_array(&w);
  al_jw_object(&w);
  al_jw_kv_str(&w, "id", item_id);
  al_jw_kv_str(&w, "type", "compaction");
  al_jw_kv_str_n(&w, "encrypted_content", al_buf_view(&kept));
  al_jw_end(&w);
  al_jw_end(&w);
  write_usage(&w, n_tokens);
  al_jw_end(&w);
  if (kept.failed)
    out->failed = true;
}

/* --- counting
 * ------------------------------------------------------------------------------------------------------------ */

static void write_count(size_t n_tokens, struct al_buf *out)
{
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "object", "response.input_tokens");
  al_jw_kv_int(&w, "input_tokens", (int64_t)n_tokens);
  al_jw_end(&w);
}

static void on_counted(void *user, const struct al_token_result *result)
{
  AL_CLEANUP(count_free_p) struct count *count = user;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_err err = result->err;
  enum al_code code = err.code;
  if (code == AL_OK && count->compacts)
    write_compacted(count, result->tokens.count, result->n_ctx, &text);
  else if (code == AL_OK)
    write_count(result->tokens.count, &text);
  if (code == AL_OK)
    code = al_buf_check(&text, &err);
  if (code == AL_OK)
    al_http_reply(count->exchange, 200, "application/json", al_buf_view(&text));
  else
    al_api_reply_err(count->exchange, &err);
}

static void add_inside(struct al_buf *out, struct al_str array)
{
  if (array.size <= 2)
    return;
  if (out->size > 0)
    al_buf_char(out, ',');
  al_buf_add(out, array.data + 1, array.size - 2);
}

static enum al_code parse_array(const struct al_buf *elements, struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf array = {};
  al_buf_char(&array, '[');
  al_buf_add(&array, elements->data, elements->size);
  al_buf_char(&array, ']');
  AL_TRY(al_buf_check(&array, err));
  return al_json_parse(al_buf_view(&array), doc, err);
}

/* count->items: the context, then the request's own. */
static enum al_code join(struct count *count, struct al_str context, struct al_str found, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *own = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *references = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *whole = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf all = {};
  AL_CLEANUP(al_buf_done) struct al_buf flat = {};
  AL_TRY(parse_array(&count->own, &own, err));
  if (count->references.size > 0)
    AL_TRY(al_json_parse(found, &references, err));
  add_inside(&all, context);
  AL_TRY(
      al_api_items_resolve(al_json_root(own), references != nullptr ? al_json_root(references) : nullptr, &all, err));
  AL_TRY(parse_array(&all, &whole, err));
  AL_TRY(al_api_items_flatten(al_json_root(whole), &flat, err));
  return parse_array(&flat, &count->items, err);
}

/* On AL_OK the count is the engine's. */
static enum al_code run(struct count *count, struct al_str context, struct al_str found, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  if (atomic_load(&count->api->closed))
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "The server is shutting down"), "shutting_down");
  AL_TRY(join(count, context, found, err));
  AL_TRY(al_api_response_chat(&count->request, al_json_root(count->items), &chat, err));
  struct al_token_request request = { .model = count->request.text.model,
                                      .task = AL_TASK_COUNT,
                                      .chat = al_json_root(chat),
                                      .cancel = al_http_cancel(count->exchange),
                                      .done = on_counted,
                                      .user = count };
  return al_inference_tokens(count->api->inference, &request, err);
}

static void on_context(void *user, const struct al_response_found *found)
{
  struct count *count = user;
  struct al_err err = found->err;
  enum al_code code = err.code;
  if (code == AL_OK)
    code = run(count, found->context, found->references, &err);
  if (code == AL_OK)
    return;
  al_api_reply_err(count->exchange, &err);
  count_free(count);
}

/* --- the request
 * --------------------------------------------------------------------------------------------------------- */

/* nullptr: `err` says why. */
static struct count *count_new(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  struct count *made = al_calloc(1, sizeof *made);
  struct al_arena *arena = al_arena_new(ARENA_CAP);
  if (made == nullptr || arena == nullptr) {
    al_free(made);
    al_arena_free(arena);
    (void)!al_fail_oom(err, sizeof *made);
    return nullptr;
  }
  made->api = api;
  made->exchange = al_http_ref(exchange);
  made->arena = arena;
  al_api_text_params_init(&made->request.text, arena);
  return made;
}

static enum al_code read(struct count *count, struct al_err *err)
{
  const struct al_json *body = al_json_root(count->body);
  AL_TRY(count->compacts ? al_api_response_compact_read(body, &count->request, err)
                         : al_api_response_count_read(body, &count->request, err));
  if (count->request.input == nullptr)
    return AL_OK;
  return al_api_items_read(count->request.input, &count->own, &count->references, err);
}

/* On AL_OK the count is somebody else's. */
static enum al_code start(struct count *count, struct al_err *err)
{
  struct al_response_store *responses = count->api->responses;
  AL_CLEANUP(al_buf_done) struct al_buf ids = {};
  AL_TRY(al_api_body(count->exchange, &count->body, err));
  AL_TRY(read(count, err));
  if (count->request.previous_id.size == 0 && count->references.size == 0)
    return run(count, (struct al_str){}, (struct al_str){}, err);
  if (responses == nullptr)
    return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "Previous response not found: responses are not stored here"),
                          "previous_response_not_found");
  if (count->references.size > 0)
    al_buf_printf(&ids, "[%s]", count->references.data);
  AL_TRY(al_buf_check(&ids, err));
  return al_response_store_context(responses, count->request.previous_id, al_buf_view(&ids), on_context, count, err);
}

static void answer(struct al_http_exchange *exchange, struct al_api *api, bool compacts)
{
  struct al_err err;
  struct count *count = count_new(exchange, api, &err);
  if (count != nullptr)
    count->compacts = compacts;
  if (count != nullptr && start(count, &err) == AL_OK)
    return;
  al_api_reply_err(exchange, &err);
  count_free(count);
}

void al_api_responses_count(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, false);
}

void al_api_responses_compact(struct al_http_exchange *exchange, void *app)
{
  answer(exchange, app, true);
}
