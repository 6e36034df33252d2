/* The handshake, and a WebSocket's life on its connection. */
#include "net/websocket.h"

#include "base/alloc.h"
#include "net/connection.h"
#include "net/websocket_frames.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

constexpr size_t KEY_CHARS = 24; /* 16 bytes in base64 */
constexpr size_t MAX_CLOSE_REASON = 120;

/* Loop thread only. */
struct al_net_websocket {
  struct al_http_exchange *exchange; /* borrowed: its owner */
  const struct al_websocket_handler *handler;
  void *user;
  struct al_net_frames *frames;
  uint64_t last_message_ms; /* in either direction, as exactly as pings go */
  bool pinged;
};

/* --- handshake --------------------------------------------------------------------------------------------------- */

static bool equals(struct al_str a, const char *b)
{
  return a.size == strlen(b) && strncasecmp(a.data, b, a.size) == 0;
}

/* Is `word` in a comma-separated header? */
static bool lists(struct al_str header, const char *word)
{
  while (header.size > 0) {
    const char *comma = memchr(header.data, ',', header.size);
    size_t size = comma != nullptr ? (size_t)(comma - header.data) : header.size;
    struct al_str item = al_str_n(header.data, size);
    while (item.size > 0 && (item.data[0] == ' ' || item.data[0] == '\t'))
      item = al_str_n(item.data + 1, item.size - 1);
    while (item.size > 0 && (item.data[item.size - 1] == ' ' || item.data[item.size - 1] == '\t'))
      item.size--;
    if (equals(item, word))
      return true;
    size_t used = comma != nullptr ? size + 1 : size;
    header = al_str_n(header.data + used, header.size - used);
  }
  return false;
}

static bool key_is_sane(struct al_str key)
{
  if (key.size != KEY_CHARS || !al_str_ends(key, al_str("==")))
    return false;
  for (size_t i = 0; i < KEY_CHARS - 2; i++) {
    char c = key.data[i];
    bool known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    if (!known)
      return false;
  }
  return true;
}

/* A browser says whose page asks; others than our own get nothing, since a browser shows no key to guard us. */
static bool origin_is_ours(const struct al_http_exchange *exchange)
{
  struct al_str origin = al_http_header(exchange, "origin"), host = al_http_header(exchange, "host");
  if (origin.data == nullptr)
    return true;
  static const char *const schemes[] = { "http://", "https://" };
  for (size_t i = 0; i < AL_COUNT(schemes); i++) {
    size_t skip = strlen(schemes[i]);
    if (origin.size == skip + host.size && strncasecmp(origin.data, schemes[i], skip) == 0 &&
        strncasecmp(origin.data + skip, host.data, host.size) == 0)
      return true;
  }
  return false;
}

static void refuse(struct al_http_exchange *exchange, int status, const char *code, const char *message)
{
  al_http_reply_error(exchange, status, "invalid_request_error", code, nullptr, message);
}

static bool offer_is_good(struct al_http_exchange *exchange)
{
  if (exchange->method != AL_HTTP_GET || exchange->http_1_0 ||
      !lists(al_http_header(exchange, "upgrade"), "websocket") ||
      !lists(al_http_header(exchange, "connection"), "upgrade")) {
    al_http_add_header(exchange, "Upgrade", "websocket");
    refuse(exchange, 426, "upgrade_required", "GET opens a WebSocket here: send its handshake, or use POST.");
  } else if (!equals(al_http_header(exchange, "sec-websocket-version"), "13")) {
    al_http_add_header(exchange, "Sec-WebSocket-Version", "13");
    refuse(exchange, 426, "websocket_version", "Only version 13 of the WebSocket protocol is spoken here.");
  } else if (al_net_request_count(exchange, "sec-websocket-key") != 1 ||
             !key_is_sane(al_http_header(exchange, "sec-websocket-key"))) {
    refuse(exchange, 400, "malformed_request", "Sec-WebSocket-Key must be 16 bytes in base64.");
  } else if (exchange->body.size > 0) {
    refuse(exchange, 400, "malformed_request", "A WebSocket's handshake has no body.");
  } else if (!origin_is_ours(exchange)) {
    refuse(exchange, 403, "origin_not_allowed", "WebSockets are not open to other sites' pages.");
  } else {
    return true;
  }
  return false;
}

static bool answer_key(struct al_str key, char answer[32])
{
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
  char text[KEY_CHARS + sizeof guid];
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  memcpy(text, key.data, KEY_CHARS);
  memcpy(text + KEY_CHARS, guid, sizeof guid);
  if (EVP_Digest(text, sizeof text - 1, digest, &size, EVP_sha1(), nullptr) != 1)
    return false;
  return EVP_EncodeBlock((unsigned char *)answer, digest, (int)size) > 0;
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static void on_message(void *user, struct al_str text)
{
  struct al_net_websocket *websocket = user;
  websocket->handler->message(websocket->exchange, text, websocket->user);
}

bool al_websocket_accept(struct al_http_exchange *exchange, const struct al_websocket_handler *handler, void *user)
{
  char answer[32];
  if (!offer_is_good(exchange))
    return false;
  struct al_net_connection *connection = exchange->connection;
  struct al_net_websocket *websocket = al_calloc(1, sizeof *websocket);
  struct al_net_frames *frames =
      websocket != nullptr ? al_net_frames_new(connection->max_body_bytes, on_message, websocket) : nullptr;
  if (frames == nullptr || !answer_key(al_http_header(exchange, "sec-websocket-key"), answer)) {
    al_net_frames_free(frames);
    al_free(websocket);
    refuse(exchange, 503, "out_of_memory", "The server is short of memory; try again later.");
    return false;
  }
  *websocket = (struct al_net_websocket){ .exchange = exchange,
                                          .handler = handler,
                                          .user = user,
                                          .frames = frames,
                                          .last_message_ms = uv_now(&connection->loop->uv) };
  exchange->websocket = websocket;
  (void)al_http_ref(exchange); /* as long as the connection lasts */
  exchange->keep_alive = false;
  al_net_response_upgrade(exchange, answer);
  return true;
}

bool al_websocket_send(struct al_http_exchange *exchange, struct al_str text)
{
  char head[AL_NET_FRAME_HEAD_BYTES];
  size_t size = al_net_frame_head(head, AL_NET_FRAME_TEXT, text.size);
  atomic_store_explicit(&exchange->spoke, true, memory_order_relaxed);
  return al_net_response_send(exchange, al_str_n(head, size), text);
}

void al_websocket_close(struct al_http_exchange *exchange, enum al_websocket_code code, const char *reason)
{
  char head[AL_NET_FRAME_HEAD_BYTES], payload[2 + MAX_CLOSE_REASON];
  struct al_str why = al_str(reason);
  why.size = al_min_size(why.size, MAX_CLOSE_REASON);
  payload[0] = (char)((unsigned)code >> 8 & 0xff);
  payload[1] = (char)((unsigned)code & 0xff);
  if (why.size > 0)
    memcpy(payload + 2, why.data, why.size);
  size_t size = al_net_frame_head(head, AL_NET_FRAME_CLOSE, 2 + why.size);
  if (al_net_response_send(exchange, al_str_n(head, size), al_str_n(payload, 2 + why.size)))
    al_http_end(exchange);
}

/* --- on the connection -------------------------------------------------------------------------------------------- */

void al_net_websocket_input(struct al_net_connection *connection, struct al_str bytes)
{
  struct al_http_exchange *exchange = connection->exchange;
  struct al_net_websocket *websocket = exchange->websocket;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  bool open = al_net_frames_feed(websocket->frames, bytes, &out);
  if (out.size > 0)
    (void)al_net_response_send(exchange, (struct al_str){}, al_buf_view(&out));
  if (!open)
    al_http_end(exchange);
  if (!connection->writing)
    al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_QUIET);
  al_net_connection_flush(connection);
}

bool al_net_websocket_expects_more(const struct al_http_exchange *exchange)
{
  return exchange->websocket != nullptr && !al_net_frames_peer_closed(exchange->websocket->frames);
}

void al_net_websocket_quiet(struct al_net_connection *connection)
{
  struct al_http_exchange *exchange = connection->exchange;
  struct al_net_websocket *websocket = exchange->websocket;
  uint64_t now_ms = uv_now(&connection->loop->uv);
  bool heard = al_net_frames_heard(websocket->frames);
  if (websocket->pinged && !heard) {
    al_net_connection_close(connection);
    return;
  }
  if (al_net_frames_had_message(websocket->frames) || atomic_exchange(&exchange->spoke, false))
    websocket->last_message_ms = now_ms;
  int64_t idle_ms = connection->loop->server->options.limits.websocket_idle_ms;
  if (now_ms - websocket->last_message_ms >= (uint64_t)idle_ms) {
    al_websocket_close(exchange, AL_WEBSOCKET_GOING_AWAY, "idle for too long");
  } else {
    char head[AL_NET_FRAME_HEAD_BYTES];
    size_t size = al_net_frame_head(head, AL_NET_FRAME_PING, 0);
    websocket->pinged = true;
    (void)al_net_response_send(exchange, (struct al_str){}, al_str_n(head, size));
  }
  al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_QUIET);
  al_net_connection_flush(connection);
}

void al_net_websocket_drain(struct al_http_exchange *exchange)
{
  if (exchange == nullptr || exchange->websocket == nullptr)
    return;
  exchange->websocket->handler->draining(exchange, exchange->websocket->user);
}

void al_net_websocket_gone(struct al_http_exchange *exchange)
{
  struct al_net_websocket *websocket = exchange->websocket;
  if (websocket == nullptr)
    return;
  exchange->websocket = nullptr;
  (void)al_net_response_drop(exchange);
  al_cancel_fire(exchange->cancel, AL_CANCELLED); /* however it ended */
  websocket->handler->closed(exchange, websocket->user);
  al_http_unref(exchange); /* taken by accept */
  al_net_frames_free(websocket->frames);
  al_free(websocket);
}
