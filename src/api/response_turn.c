#include "api/response_turn.h"

#include "api/errors.h"
#include "api/response_input.h"
#include "api/response_live.h"
#include "api/response_request.h"
#include "api/response_socket.h"
#include "api/response_store.h"
#include "base/alloc.h"

/* Owned by the handler, then by the store while it looks for what came before. */
struct turn {
  struct al_api *api;
  struct al_http_exchange *exchange;     /* a reference */
  struct al_api_response_socket *socket; /* a reference, or nullptr */
  struct al_json_doc *body;
  struct al_api_generation *generation; /* nullptr once it runs */
  struct al_api_response_request request;
  struct al_buf items, references; /* of this request */
};

static void turn_free(struct turn *turn)
{
  if (turn == nullptr)
    return;
  al_buf_done(&turn->items);
  al_buf_done(&turn->references);
  al_api_generation_free(turn->generation);
  al_json_doc_free(turn->body);
  al_api_response_socket_unref(turn->socket);
  al_http_unref(turn->exchange);
  al_free(turn);
}
AL_DEFINE_CLEANUP(struct turn, turn_free)

static void answer_err(struct al_http_exchange *exchange, struct al_api_response_socket *socket,
                       const struct al_err *err)
{
  if (socket != nullptr)
    al_api_response_socket_fail(socket, err);
  else
    al_api_reply_err(exchange, err);
}

static struct al_api_response *response_of(struct turn *turn)
{
  return (struct al_api_response *)turn->generation;
}

/* --- running
 * ---------------------------------------------------------------------------------------------------------- */

/* What stands in snapshots until the model's own defaults are known. */
static void settle(struct al_api_generation *generation)
{
  struct al_sampling *sampling = &generation->sampling;
  *sampling = generation->params.sampling;
  sampling->temperature = sampling->temperature >= 0 ? sampling->temperature : 1;
  sampling->top_p = sampling->top_p >= 0 ? sampling->top_p : 1;
}

static enum al_code keep(struct al_arena *arena, struct al_str text, struct al_str *kept, struct al_err *err)
{
  char *copy = al_arena_strndup(arena, text.data, text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  *kept = al_str_n(copy, text.size);
  return AL_OK;
}

static enum al_code bracketed(struct al_str a, struct al_str b, struct al_buf *out, struct al_err *err)
{
  al_buf_char(out, '[');
  al_buf_add(out, a.data, a.size);
  if (a.size > 0 && b.size > 0)
    al_buf_char(out, ',');
  al_buf_add(out, b.data, b.size);
  al_buf_char(out, ']');
  return al_buf_check(out, err);
}

/* The request's own items with every reference in its place. */
static enum al_code own_items(struct turn *turn, struct al_str found, struct al_buf *out, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *items = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *references = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf array = {};
  if (turn->references.size == 0) {
    al_buf_add(out, turn->items.data, turn->items.size);
    return al_buf_check(out, err);
  }
  AL_TRY(bracketed(al_buf_view(&turn->items), (struct al_str){}, &array, err));
  AL_TRY(al_json_parse(al_buf_view(&array), &items, err));
  AL_TRY(al_json_parse(found, &references, err));
  return al_api_items_resolve(al_json_root(items), al_json_root(references), out, err);
}

/* `context`: the items before, without brackets. */
static enum al_code make_chat(struct turn *turn, struct al_str context, struct al_str found, struct al_json_doc **chat,
                              struct al_err *err)
{
  struct al_api_response *response = response_of(turn);
  AL_CLEANUP(al_buf_done) struct al_buf own = {};
  AL_CLEANUP(al_buf_done) struct al_buf input = {};
  AL_CLEANUP(al_buf_done) struct al_buf all = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *items = nullptr;
  AL_TRY(own_items(turn, found, &own, err));
  AL_TRY(bracketed(al_buf_view(&own), (struct al_str){}, &input, err));
  AL_TRY(keep(response->base.arena, al_buf_view(&input), &response->input, err));
  if (turn->socket != nullptr)
    AL_TRY(keep(response->base.arena, context, &response->context, err));
  AL_TRY(bracketed(context, al_buf_view(&own), &all, err));
  AL_TRY(al_json_parse(al_buf_view(&all), &items, err));
  return al_api_response_chat(&turn->request, al_json_root(items), chat, err);
}

static enum al_code submit(struct turn *turn, const struct al_json *chat, struct al_err *err)
{
  AL_TRY(al_api_generation_submit(turn->generation, chat, turn->request.truncate, err));
  turn->generation = nullptr;
  return AL_OK;
}

/* Nobody's leaving cancels it any more. */
static enum al_code detach(struct al_api_generation *generation, struct al_err *err)
{
  struct al_cancel *cancel = al_cancel_new();
  if (cancel == nullptr)
    return al_fail_oom(err, 1);
  al_cancel_unref(generation->cancel);
  generation->cancel = cancel;
  al_http_unref(AL_TAKE(generation->exchange));
  generation->outlet = &al_api_outlet_background;
  return AL_OK;
}

static enum al_code put_queued(struct al_api_response *response, struct al_str object, struct al_err *err)
{
  struct al_response_record record = { .id = al_str(response->base.id),
                                       .previous_id = response->previous_id,
                                       .status = al_str("queued"),
                                       .created_s = response->base.created_s,
                                       .input = response->input,
                                       .object = object };
  return al_response_store_put(response->base.api->responses, &record, err);
}

/* Not submitted after all: as if it had never been. */
static void undo_background(struct turn *turn, struct al_api_live *live)
{
  al_api_live_delete(live);
  al_api_live_finish(live, al_str("{}"));
  (void)!al_response_store_delete(turn->api->responses, al_str(turn->generation->id), al_api_ignore_found, nullptr,
                                  nullptr);
  al_api_live_unref(AL_TAKE(response_of(turn)->live));
}

static enum al_code run_background(struct turn *turn, const struct al_json *chat, struct al_err *err)
{
  struct al_api_response *response = response_of(turn);
  AL_CLEANUP(al_buf_done) struct al_buf queued = {};
  struct al_json_writer w = al_json_writer(&queued);
  bool streams = response->sends_events;
  AL_TRY(detach(&response->base, err));
  al_api_response_write(&w, response, AL_RESPONSE_QUEUED, nullptr);
  AL_TRY(al_buf_check(&queued, err));
  AL_TRY(al_api_live_new(turn->api->lives, response->base.id, response->base.cancel, streams, &response->live, err));
  struct al_api_live *live = al_api_live_ref(response->live);
  al_api_response_set_live(response, AL_RESPONSE_QUEUED);
  enum al_code code = put_queued(response, al_buf_view(&queued), err);
  al_api_response_send_status(response, "response.created", AL_RESPONSE_QUEUED);
  al_api_response_send_status(response, "response.queued", AL_RESPONSE_QUEUED);
  if (code == AL_OK)
    code = submit(turn, chat, err);
  if (code != AL_OK)
    undo_background(turn, live);
  else if (streams)
    code = al_api_live_stream(live, turn->exchange, -1, err);
  else
    al_http_reply(turn->exchange, 200, "application/json", al_buf_view(&queued));
  al_api_live_unref(live);
  return code;
}

/* response.create with generate: false. There is nothing to prepare but the conversation. */
static void answer_without_model(struct turn *turn)
{
  struct al_api_response *response = response_of(turn);
  al_api_response_send_status(response, "response.created", AL_RESPONSE_IN_PROGRESS);
  al_api_response_send_status(response, "response.in_progress", AL_RESPONSE_IN_PROGRESS);
  al_api_response_conclude(response, AL_RESPONSE_COMPLETED, nullptr);
  response->base.outlet->end(&response->base);
}

static enum al_code run(struct turn *turn, struct al_str context, struct al_str found, struct al_err *err)
{
  struct al_api_response *response = response_of(turn);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  if (atomic_load(&turn->api->closed))
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "The server is shutting down"), "shutting_down");
  AL_TRY(make_chat(turn, context, found, &chat, err));
  AL_TRY(al_api_response_take(response, &turn->request, err));
  settle(&response->base);
  response->sends_events = turn->request.text.stream;
  response->base.params.stream = true; /* inside it always is one */
  if (turn->request.background)
    return run_background(turn, al_json_root(chat), err);
  if (turn->socket != nullptr) {
    response->socket = al_api_response_socket_ref(turn->socket);
    response->base.outlet = &al_api_outlet_socket;
  } else if (!response->sends_events) {
    response->base.outlet = &al_api_outlet_whole;
  }
  if (!turn->request.generate) {
    answer_without_model(turn);
    return AL_OK;
  }
  enum al_code code = submit(turn, al_json_root(chat), err);
  if (code != AL_OK)
    al_api_response_socket_unref(AL_TAKE(response->socket));
  return code;
}

/* --- what came before
 * --------------------------------------------------------------------------------------------------- */

static struct al_str inside(struct al_str array)
{
  return array.size > 2 ? al_str_n(array.data + 1, array.size - 2) : (struct al_str){};
}

static void on_context(void *user, const struct al_response_found *found)
{
  AL_CLEANUP(turn_free_p) struct turn *turn = user;
  struct al_err err = found->err;
  enum al_code code = err.code;
  if (code == AL_OK)
    code = run(turn, inside(found->context), found->references, &err);
  if (code != AL_OK)
    answer_err(turn->exchange, turn->socket, &err);
}

static enum al_code no_store(const struct turn *turn, struct al_err *err)
{
  struct al_str id = turn->request.previous_id;
  if (id.size == 0)
    return al_fail_param(err, "input", "input: no item is stored here that could be referred to");
  (void)!al_fail_param(err, "previous_response_id", "Previous response with id '%.*s' not found.",
                       (int)al_min_size(id.size, 80), id.data);
  err->code = AL_NOT_FOUND;
  return al_fail_reason(err, AL_NOT_FOUND, "previous_response_not_found");
}

/* Sets *turn to nullptr when it has gone to the store. */
static enum al_code find_context(struct turn **turn, struct al_err *err)
{
  struct turn *at = *turn;
  struct al_str previous_id = at->request.previous_id;
  AL_CLEANUP(al_buf_done) struct al_buf kept = {};
  AL_CLEANUP(al_buf_done) struct al_buf ids = {};
  if (previous_id.size > 0 && at->socket != nullptr && at->references.size == 0 &&
      al_api_response_socket_find(at->socket, previous_id, &kept)) {
    AL_TRY(al_buf_check(&kept, err));
    return run(at, al_buf_view(&kept), (struct al_str){}, err);
  }
  if (previous_id.size == 0 && at->references.size == 0)
    return run(at, (struct al_str){}, (struct al_str){}, err);
  if (at->api->responses == nullptr)
    return no_store(at, err);
  if (at->references.size > 0)
    AL_TRY(bracketed(al_buf_view(&at->references), (struct al_str){}, &ids, err));
  AL_TRY(al_response_store_context(at->api->responses, previous_id, al_buf_view(&ids), on_context, at, err));
  *turn = nullptr;
  return AL_OK;
}

/* --- the beginning
 * ------------------------------------------------------------------------------------------------------- */

static enum al_code turn_new(struct al_http_exchange *exchange, struct al_api *api, struct al_json_doc *body,
                             struct al_api_response_socket *socket, struct turn **turn, struct al_err *err)
{
  struct turn *made = al_calloc(1, sizeof *made);
  if (made == nullptr) {
    al_json_doc_free(body);
    return al_fail_oom(err, sizeof *made);
  }
  made->api = api;
  made->exchange = al_http_ref(exchange);
  made->socket = socket != nullptr ? al_api_response_socket_ref(socket) : nullptr;
  made->body = body;
  *turn = made;
  return AL_OK;
}

static enum al_code read(struct turn *turn, struct al_err *err)
{
  enum al_api_response_way way = turn->socket != nullptr ? AL_RESPONSE_SOCKET : AL_RESPONSE_HTTP;
  AL_TRY(al_api_generation_new(turn->exchange, turn->api, sizeof(struct al_api_response), &al_api_response_ops,
                               &turn->generation, err));
  turn->request.text = turn->generation->params;
  AL_TRY(al_api_response_request_read(turn->api, al_json_root(turn->body), way, &turn->request, err));
  if (turn->request.input == nullptr)
    return AL_OK;
  return al_api_items_read(turn->request.input, &turn->items, &turn->references, err);
}

void al_api_response_turn(struct al_http_exchange *exchange, struct al_api *api, struct al_json_doc *body,
                          struct al_api_response_socket *socket)
{
  AL_CLEANUP(turn_free_p) struct turn *turn = nullptr;
  struct al_err err;
  enum al_code code = turn_new(exchange, api, body, socket, &turn, &err);
  if (code == AL_OK)
    code = read(turn, &err);
  if (code == AL_OK)
    code = find_context(&turn, &err);
  if (code != AL_OK)
    answer_err(exchange, socket, &err);
}
