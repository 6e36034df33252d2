#include "api/response_socket.h"

#include "api/errors.h"
#include "api/response_turn.h"
#include "base/alloc.h"
#include "base/thread.h"
#include "net/websocket.h"

#include <stdatomic.h>
#include <stdio.h>

constexpr size_t MAX_KEPT = 8;
constexpr size_t MAX_KEPT_BYTES = (size_t)16 << 20;

struct kept {
  char id[64];
  struct al_buf items;
};

struct al_api_response_socket {
  atomic_int n_refs;
  struct al_api *api;                /* borrowed */
  struct al_http_exchange *exchange; /* a reference */
  struct al_mutex lock;
  struct kept kept[MAX_KEPT]; /* the oldest first */
  size_t n_kept;
  bool is_running, is_draining;
};

struct al_api_response_socket *al_api_response_socket_ref(struct al_api_response_socket *socket)
{
  atomic_fetch_add_explicit(&socket->n_refs, 1, memory_order_relaxed);
  return socket;
}

void al_api_response_socket_unref(struct al_api_response_socket *socket)
{
  if (socket == nullptr || atomic_fetch_sub_explicit(&socket->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  for (size_t i = 0; i < socket->n_kept; i++)
    al_buf_done(&socket->kept[i].items);
  al_http_unref(socket->exchange);
  al_mutex_done(&socket->lock);
  al_free(socket);
}

/* --- what is remembered ----------------------------------------------------------------------------------------------
 */

static void drop_oldest(struct al_api_response_socket *socket)
{
  al_buf_done(&socket->kept[0].items);
  socket->n_kept--;
  memmove(&socket->kept[0], &socket->kept[1], socket->n_kept * sizeof socket->kept[0]);
}

static size_t kept_bytes(const struct al_api_response_socket *socket)
{
  size_t n_bytes = 0;
  for (size_t i = 0; i < socket->n_kept; i++)
    n_bytes += socket->kept[i].items.size;
  return n_bytes;
}

bool al_api_response_socket_find(struct al_api_response_socket *socket, struct al_str id, struct al_buf *items)
{
  AL_LOCKED(&socket->lock);
  for (size_t i = 0; i < socket->n_kept; i++)
    if (al_str_is(id, socket->kept[i].id)) {
      al_buf_add(items, socket->kept[i].items.data, socket->kept[i].items.size);
      return true;
    }
  return false;
}

static void add_part(struct al_buf *items, struct al_str part)
{
  if (items->size > 0 && part.size > 0)
    al_buf_char(items, ',');
  al_buf_add(items, part.data, part.size);
}

/* Of a JSON array: what is between its brackets. */
static struct al_str inside(struct al_str array)
{
  return array.size > 2 ? al_str_n(array.data + 1, array.size - 2) : (struct al_str){};
}

static bool gather(const struct al_api_response *response, struct al_str object, struct al_buf *items)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf output = {};
  if (al_json_parse(object, &doc, nullptr) != AL_OK ||
      al_str_is(al_json_str(al_json_get(al_json_root(doc), "status")), "failed"))
    return false;
  al_json_print(&output, al_json_get(al_json_root(doc), "output"));
  add_part(items, response->context);
  add_part(items, inside(response->input));
  add_part(items, inside(al_buf_view(&output)));
  return !output.failed && !items->failed;
}

void al_api_response_socket_keep(struct al_api_response *response, struct al_str object)
{
  struct al_api_response_socket *socket = response->socket;
  struct al_buf items = {};
  if (!gather(response, object, &items) || items.size > MAX_KEPT_BYTES) {
    al_buf_done(&items);
    return;
  }
  AL_LOCKED(&socket->lock);
  while (socket->n_kept == MAX_KEPT || (socket->n_kept > 0 && kept_bytes(socket) + items.size > MAX_KEPT_BYTES))
    drop_oldest(socket);
  struct kept *kept = &socket->kept[socket->n_kept++];
  kept->items = items;
  (void)snprintf(kept->id, sizeof kept->id, "%s", response->base.id);
}

/* --- turns
 * ------------------------------------------------------------------------------------------------------------ */

static void send_error(struct al_api_response_socket *socket, const struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf error = {};
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_json_writer w = al_json_writer(&error);
  al_api_write_err(&w, err);
  if (al_json_parse(al_buf_view(&error), &doc, nullptr) != AL_OK)
    return;
  w = al_json_writer(&text);
  al_jw_object(&w);
  al_jw_kv_str(&w, "type", "error");
  al_jw_kv_int(&w, "status", al_api_error_of(err)->status);
  al_jw_kv_value(&w, "error", al_json_get(al_json_root(doc), "error"));
  al_jw_end(&w);
  if (!text.failed)
    (void)al_websocket_send(socket->exchange, al_buf_view(&text));
}

void al_api_response_socket_release(struct al_api_response_socket *socket)
{
  AL_LOCKED(&socket->lock);
  socket->is_running = false;
}

/* After the last event. */
static void leave(struct al_api_response_socket *socket)
{
  al_mutex_lock(&socket->lock);
  bool may_close = socket->is_draining && !socket->is_running;
  al_mutex_unlock(&socket->lock);
  if (may_close)
    al_websocket_close(socket->exchange, AL_WEBSOCKET_GOING_AWAY, "the server is shutting down");
}

void al_api_response_socket_fail(struct al_api_response_socket *socket, const struct al_err *err)
{
  al_api_response_socket_release(socket);
  send_error(socket, err);
  leave(socket);
}

static enum al_code check_type(const struct al_json *message, struct al_err *err)
{
  if (al_json_kind(message) != AL_JSON_OBJECT)
    return al_fail(err, AL_INVALID_REQUEST, "A message must be a JSON object");
  struct al_str type = {};
  AL_TRY(al_json_want_str(message, "", "type", &type, nullptr, err));
  if (al_str_is(type, "response.create"))
    return AL_OK;
  return al_fail_param(err, "type", "type must be \"response.create\"");
}

static enum al_code enter(struct al_api_response_socket *socket, struct al_err *err)
{
  AL_LOCKED(&socket->lock);
  if (socket->is_draining)
    return al_fail_reason(err, al_fail(err, AL_CANCELLED, "The server is shutting down"), "shutting_down");
  if (socket->is_running)
    return al_fail_reason(
        err,
        al_fail(err, AL_INVALID_REQUEST,
                "A response is running on this connection: wait for its end, or open another connection"),
        "response_already_in_flight");
  socket->is_running = true;
  return AL_OK;
}

static void on_message(struct al_http_exchange *exchange, struct al_str text, void *user)
{
  struct al_api_response_socket *socket = user;
  struct al_json_doc *doc = nullptr;
  struct al_err err;
  enum al_code code = al_json_parse(text, &doc, &err);
  if (code == AL_OK)
    code = check_type(al_json_root(doc), &err);
  if (code == AL_OK)
    code = enter(socket, &err);
  if (code == AL_OK) {
    al_api_response_turn(exchange, socket->api, doc, socket);
    return;
  }
  al_json_doc_free(doc);
  send_error(socket, &err);
}

static void on_draining(struct al_http_exchange *exchange, void *user)
{
  struct al_api_response_socket *socket = user;
  al_mutex_lock(&socket->lock);
  socket->is_draining = true;
  bool is_running = socket->is_running;
  al_mutex_unlock(&socket->lock);
  if (!is_running)
    al_websocket_close(exchange, AL_WEBSOCKET_GOING_AWAY, "the server is shutting down");
}

static void on_closed(struct al_http_exchange *exchange, void *user)
{
  (void)exchange;
  al_api_response_socket_unref(user);
}

void al_api_responses_socket(struct al_http_exchange *exchange, void *app)
{
  static const struct al_websocket_handler handler = { on_message, on_draining, on_closed };
  struct al_api_response_socket *socket = al_calloc(1, sizeof *socket);
  if (socket == nullptr) {
    struct al_err err;
    (void)!al_fail_oom(&err, sizeof *socket);
    al_api_reply_err(exchange, &err);
    return;
  }
  atomic_init(&socket->n_refs, 1);
  socket->api = app;
  socket->exchange = al_http_ref(exchange);
  al_mutex_init(&socket->lock);
  if (!al_websocket_accept(exchange, &handler, socket))
    al_api_response_socket_unref(socket);
}

/* --- the outlet
 * ------------------------------------------------------------------------------------------------------- */

static struct al_api_response_socket *socket_of(struct al_api_generation *generation)
{
  return ((struct al_api_response *)generation)->socket;
}

static void begin(struct al_api_generation *generation)
{
  (void)generation;
}

/* An event as it stands in a stream: its data alone is the message. */
static bool send(struct al_api_generation *generation, struct al_str bytes)
{
  static const char mark[] = "\ndata: ";
  const char *data = memmem(bytes.data, bytes.size, mark, sizeof mark - 1);
  if (data == nullptr || bytes.size < 2)
    return true;
  data += sizeof mark - 1;
  return al_websocket_send(generation->exchange, al_str_n(data, (size_t)(bytes.data + bytes.size - 2 - data)));
}

static void end(struct al_api_generation *generation)
{
  struct al_api_response *response = (struct al_api_response *)generation;
  leave(response->socket);
  al_api_response_socket_unref(AL_TAKE(response->socket));
}

static void reply(struct al_api_generation *generation, struct al_str body)
{
  al_api_response_socket_release(socket_of(generation));
  (void)al_websocket_send(generation->exchange, body);
  end(generation);
}

static void fail(struct al_api_generation *generation, const struct al_err *err)
{
  al_api_response_socket_release(socket_of(generation));
  send_error(socket_of(generation), err);
  end(generation);
}

const struct al_api_outlet al_api_outlet_socket = {
  .begin = begin, .send = send, .end = end, .reply = reply, .fail = fail
};
