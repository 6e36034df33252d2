/* From bytes to requests: the parser's callbacks, the limits on what comes in, and the end of the stream. */
#include "net/connection.h"

#include "base/alloc.h"

static const struct al_http_limits *limits_of(const struct al_net_connection *connection)
{
  return &connection->loop->server->options.limits;
}

static int refuse(struct al_net_connection *connection, int status, const char *code, const char *message)
{
  connection->fault = (struct al_net_fault){ status, code, message };
  return HPE_USER;
}

static int refuse_memory(struct al_net_connection *connection)
{
  return refuse(connection, 503, "out_of_memory", "The server is short of memory; try again later.");
}

/* Appends to the text; the span grows, or starts when it is empty. */
static bool add_text(struct al_http_exchange *exchange, struct al_net_span *span, const char *data, size_t size)
{
  if (span->size == 0)
    span->at = (uint32_t)exchange->text.size;
  al_buf_add(&exchange->text, data, size);
  span->size += (uint32_t)size;
  return !exchange->text.failed;
}

/* --- the parser's callbacks ------------------------------------------------------------------------------------- */

static int on_url(llhttp_t *parser, const char *data, size_t size)
{
  struct al_net_connection *connection = parser->data;
  struct al_http_exchange *exchange = connection->exchange;
  if (exchange->target.size + size > limits_of(connection)->max_url_bytes)
    return refuse(connection, 414, "url_too_long", "The URL is too long.");
  return add_text(exchange, &exchange->target, data, size) ? 0 : refuse_memory(connection);
}

static int too_much_head(struct al_net_connection *connection)
{
  return refuse(connection, 431, "headers_too_large", "The request's headers are too large or too many.");
}

/* Trailers are read and forgotten, within the same bounds as headers. */
static int skip_trailer(struct al_net_connection *connection, size_t size)
{
  connection->n_trailer_bytes += size;
  return connection->n_trailer_bytes > limits_of(connection)->max_header_bytes ? too_much_head(connection) : 0;
}

static int on_header_field(llhttp_t *parser, const char *data, size_t size)
{
  struct al_net_connection *connection = parser->data;
  struct al_http_exchange *exchange = connection->exchange;
  if (connection->phase != AL_NET_CONN_HEAD)
    return skip_trailer(connection, size);
  if (exchange->n_headers == (size_t)limits_of(connection)->max_headers)
    return too_much_head(connection);
  void *headers = exchange->headers;
  if (al_grow(&headers, &exchange->cap_headers, exchange->n_headers + 1, sizeof *exchange->headers, nullptr) != AL_OK)
    return refuse_memory(connection);
  exchange->headers = headers;
  struct al_net_field *field = &exchange->headers[exchange->n_headers];
  if (!connection->in_header)
    *field = (struct al_net_field){};
  connection->in_header = true;
  return add_text(exchange, &field->name, data, size) ? 0 : refuse_memory(connection);
}

static int on_header_value(llhttp_t *parser, const char *data, size_t size)
{
  struct al_net_connection *connection = parser->data;
  struct al_http_exchange *exchange = connection->exchange;
  if (connection->phase != AL_NET_CONN_HEAD)
    return skip_trailer(connection, size);
  return add_text(exchange, &exchange->headers[exchange->n_headers].value, data, size) ? 0 : refuse_memory(connection);
}

static int on_header_value_complete(llhttp_t *parser)
{
  struct al_net_connection *connection = parser->data;
  struct al_http_exchange *exchange = connection->exchange;
  if (connection->phase != AL_NET_CONN_HEAD)
    return 0;
  struct al_net_span *value = &exchange->headers[exchange->n_headers].value;
  const char *text = al_net_text(exchange, *value).data;
  while (value->size > 0 && (text[value->size - 1] == ' ' || text[value->size - 1] == '\t'))
    value->size--;
  exchange->n_headers++;
  connection->in_header = false;
  return 0;
}

static enum al_http_method method_of(const llhttp_t *parser)
{
  static const struct {
    uint8_t theirs;
    enum al_http_method ours;
  } methods[] = { { HTTP_GET, AL_HTTP_GET },        { HTTP_HEAD, AL_HTTP_HEAD },   { HTTP_POST, AL_HTTP_POST },
                  { HTTP_PUT, AL_HTTP_PUT },        { HTTP_PATCH, AL_HTTP_PATCH }, { HTTP_DELETE, AL_HTTP_DELETE },
                  { HTTP_OPTIONS, AL_HTTP_OPTIONS } };
  for (size_t i = 0; i < AL_COUNT(methods); i++)
    if (methods[i].theirs == parser->method)
      return methods[i].ours;
  return AL_HTTP_METHOD_COUNT;
}

static int too_much_body(struct al_net_connection *connection)
{
  (void)snprintf(connection->fault_text, sizeof connection->fault_text,
                 "The request's body is larger than the %zu bytes that this path accepts.", connection->max_body_bytes);
  return refuse(connection, 413, "body_too_large", connection->fault_text);
}

static void find_route(struct al_net_connection *connection)
{
  const struct al_http_server_options *options = &connection->loop->server->options;
  struct al_http_exchange *exchange = connection->exchange;
  exchange->match = al_net_routes_find(options->routes, options->n_routes, exchange->method, al_http_path(exchange));
  const struct al_http_route *route = exchange->match.route;
  size_t cap = route != nullptr ? route->max_body_bytes : 0;
  if (cap == SIZE_MAX)
    cap = options->limits.max_upload_bytes;
  connection->max_body_bytes = cap > 0 ? cap : options->limits.max_body_bytes;
  al_buf_init(&exchange->body, connection->max_body_bytes + 1);
}

static int on_headers_complete(llhttp_t *parser)
{
  struct al_net_connection *connection = parser->data;
  struct al_http_exchange *exchange = connection->exchange;
  exchange->method = method_of(parser);
  exchange->http_1_0 = parser->http_minor == 0;
  if (parser->http_major != 1 || parser->http_minor > 1)
    return refuse(connection, 505, "http_version", "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
  exchange->keep_alive = llhttp_should_keep_alive(parser) == 1;
  /* An offer to upgrade is a handler's to take (websocket.h); all others ignore it politely, as RFC 9110 allows. */
  parser->upgrade = 0;
  connection->fault = al_net_request_check(exchange);
  if (connection->fault.status != 0)
    return -1;
  find_route(connection);
  connection->n_body_bytes = connection->n_body_wire_bytes = connection->n_trailer_bytes = 0;
  bool has_body = (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
  if (parser->content_length > connection->max_body_bytes)
    return too_much_body(connection);
  connection->wants_continue = has_body && !exchange->http_1_0 && al_http_header(exchange, "expect").data != nullptr;
  /* Where the answer is no already, the body need not come: to a client that waits for our word, or is not let in. */
  connection->skip_body = (connection->wants_continue && exchange->match.route == nullptr) ||
                          (has_body && !al_net_connection_admit_body(connection));
  if (connection->skip_body)
    return -1;
  connection->phase = AL_NET_CONN_BODY;
  connection->body_started_ms = uv_now(&connection->loop->uv);
  if (has_body)
    al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_BODY);
  return 0;
}

/* HPE_USER: refused, by us or by the sink. */
static int take_body(struct al_net_connection *connection, struct al_str bytes)
{
  struct al_http_exchange *exchange = connection->exchange;
  if (exchange->sink != nullptr) {
    connection->skip_body = !al_net_connection_sink_body(connection, bytes);
    return connection->skip_body ? HPE_USER : 0;
  }
  al_buf_add(&exchange->body, bytes.data, bytes.size);
  return exchange->body.failed ? refuse_memory(connection) : 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t size)
{
  struct al_net_connection *connection = parser->data;
  if (size > connection->max_body_bytes - connection->n_body_bytes)
    return too_much_body(connection);
  connection->n_body_bytes += size;
  int refused = take_body(connection, al_str_n(data, size));
  if (refused != 0)
    return refused;
  al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_BODY);
  return 0;
}

static int on_message_complete(llhttp_t *parser)
{
  (void)parser;
  return HPE_PAUSED;
}

static const llhttp_settings_t parser_settings = {
  .on_url = on_url,
  .on_header_field = on_header_field,
  .on_header_value = on_header_value,
  .on_header_value_complete = on_header_value_complete,
  .on_headers_complete = on_headers_complete,
  .on_body = on_body,
  .on_message_complete = on_message_complete,
};

void al_net_connection_reset_parser(struct al_net_connection *connection)
{
  llhttp_init(&connection->parser, HTTP_REQUEST, &parser_settings);
  connection->parser.data = connection;
}

/* --- feeding it ------------------------------------------------------------------------------------------------- */

static struct al_net_fault parser_fault(struct al_net_connection *connection, llhttp_errno_t error)
{
  if (connection->fault.status != 0)
    return connection->fault;
  const char *reason = llhttp_get_error_reason(&connection->parser);
  /* The same code also stands for a malformed end of that line. */
  bool other_version = error == HPE_INVALID_VERSION && al_streq(reason, "Invalid HTTP version");
  if (other_version || error == HPE_PAUSED_H2_UPGRADE)
    return (struct al_net_fault){ 505, "http_version", "Only HTTP/1.0 and HTTP/1.1 are spoken here." };
  return (struct al_net_fault){ 400, "malformed_request", reason != nullptr ? reason : "The request is malformed." };
}

/* What the parser's callbacks cannot see: bytes between the fields, chunk sizes and extensions, and slowness. */
static void check_progress(struct al_net_connection *connection)
{
  const struct al_http_limits *limits = limits_of(connection);
  if (connection->phase == AL_NET_CONN_HEAD) {
    if (connection->n_head_bytes >= limits->max_header_bytes)
      (void)too_much_head(connection);
    return;
  }
  size_t n_body = connection->n_body_bytes;
  if (connection->n_body_wire_bytes > limits->max_header_bytes + 17 * n_body)
    (void)refuse(connection, 400, "malformed_request", "The chunked body is nearly all framing.");
  uint64_t elapsed_ms = uv_now(&connection->loop->uv) - connection->body_started_ms;
  if (elapsed_ms > (uint64_t)limits->body_timeout_ms && n_body < limits->min_body_rate * elapsed_ms / 1000)
    (void)refuse(connection, 408, "request_timeout", "The request's body came too slowly.");
}

/* Returns how many bytes were used. */
static size_t parse(struct al_net_connection *connection, struct al_str bytes)
{
  bool in_head = connection->phase == AL_NET_CONN_HEAD;
  size_t size = bytes.size;
  if (in_head)
    size = al_min_size(size, limits_of(connection)->max_header_bytes - connection->n_head_bytes);
  connection->fault = (struct al_net_fault){};
  llhttp_errno_t error = llhttp_execute(&connection->parser, bytes.data, size);
  size_t used = error == HPE_OK ? size : (size_t)(llhttp_get_error_pos(&connection->parser) - bytes.data);
  if (error == HPE_PAUSED) {
    llhttp_resume(&connection->parser);
    al_net_connection_dispatch(connection);
    return used;
  }
  if (connection->skip_body) {
    connection->exchange->keep_alive = false;
    connection->abandoned_input = true;
    al_net_connection_dispatch(connection);
    return bytes.size;
  }
  if (error != HPE_OK) {
    al_net_connection_refuse(connection, parser_fault(connection, error));
    return bytes.size;
  }
  *(in_head ? &connection->n_head_bytes : &connection->n_body_wire_bytes) += used;
  check_progress(connection);
  if (connection->fault.status != 0)
    al_net_connection_refuse(connection, connection->fault);
  else if (connection->phase == AL_NET_CONN_BODY && connection->wants_continue)
    al_net_connection_say_continue(connection);
  return used;
}

static void keep_for_later(struct al_net_connection *connection, struct al_str bytes)
{
  al_buf_add(&connection->pending, bytes.data, bytes.size);
  if (connection->pending.failed) {
    al_net_connection_close(connection);
    return;
  }
  if (connection->pending.size < AL_NET_READ_BYTES || !connection->reading)
    return;
  /* Enough requests wait: the rest stays in the kernel, and the client's window closes. */
  (void)uv_read_stop(&connection->uv.stream);
  connection->reading = false;
}

void al_net_connection_take_input(struct al_net_connection *connection, struct al_str bytes)
{
  while (bytes.size > 0) {
    if (connection->phase == AL_NET_CONN_IDLE && !al_net_connection_begin_request(connection))
      return;
    if (connection->phase == AL_NET_CONN_RUNNING && connection->exchange->websocket != nullptr)
      al_net_websocket_input(connection, bytes);
    else if (connection->phase == AL_NET_CONN_RUNNING)
      keep_for_later(connection, bytes);
    if (connection->phase != AL_NET_CONN_HEAD && connection->phase != AL_NET_CONN_BODY)
      return;
    size_t used = parse(connection, bytes);
    bytes = al_str_n(bytes.data + used, bytes.size - used);
  }
}

/* --- the stream ------------------------------------------------------------------------------------------------- */

/* The client will send no more. While an exchange runs that means it has gone, unless only our bytes are missing. */
static void take_end(struct al_net_connection *connection, bool broken)
{
  if (connection->phase != AL_NET_CONN_RUNNING || broken || !al_net_response_ended(connection->exchange)) {
    al_net_connection_close(connection);
    return;
  }
  connection->exchange->keep_alive = false;
  (void)uv_read_stop(&connection->uv.stream);
  connection->reading = false;
}

static void take_tls(struct al_net_connection *connection, struct al_str wire)
{
  enum al_net_tls_result result = al_net_tls_feed(connection->tls, wire) ? AL_NET_TLS_DATA : AL_NET_TLS_BROKEN;
  while (result == AL_NET_TLS_DATA) {
    size_t size = AL_NET_READ_BYTES;
    result = al_net_tls_read(connection->tls, connection->loop->plain_bytes, &size);
    if (result == AL_NET_TLS_DATA)
      al_net_connection_take_input(connection, al_str_n(connection->loop->plain_bytes, size));
    if (connection->phase == AL_NET_CONN_CLOSING)
      return;
  }
  al_net_connection_send_tls(connection);
  if (result == AL_NET_TLS_CLOSED || result == AL_NET_TLS_BROKEN)
    take_end(connection, result == AL_NET_TLS_BROKEN);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
  (void)suggested;
  struct al_net_connection *connection = handle->data;
  *buf = uv_buf_init(connection->loop->read_bytes, AL_NET_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
  struct al_net_connection *connection = stream->data;
  if (size == 0 || connection->phase == AL_NET_CONN_CLOSING)
    return;
  if (size < 0) {
    take_end(connection, size != UV_EOF);
    return;
  }
  if (connection->phase == AL_NET_CONN_LINGER)
    return;
  struct al_str bytes = al_str_n(buf->base, (size_t)size);
  if (connection->tls != nullptr)
    take_tls(connection, bytes);
  else
    al_net_connection_take_input(connection, bytes);
}

void al_net_connection_start_reading(struct al_net_connection *connection)
{
  if (connection->reading)
    return;
  connection->reading = uv_read_start(&connection->uv.stream, on_alloc, on_read) == 0;
  if (!connection->reading)
    al_net_connection_close(connection);
}
