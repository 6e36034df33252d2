#include "net/client.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "net/client_connect.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <llhttp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

constexpr size_t MAX_HEAD_BYTES = 64 << 10;
constexpr size_t MAX_HEADERS = 100;
constexpr size_t READ_BYTES = 16 << 10;
constexpr int64_t CONNECT_MS = 10'000;
constexpr int64_t STALL_MS = 60'000;
constexpr size_t UPLOAD_BYTES = 128 << 10; /* a piece of a file */

struct field {
  size_t name_at, name_size, value_at, value_size;
};

struct al_http_client {
  int fd;
  int cancel_fd;
  struct al_net_client_url url;
  llhttp_t parser;
  struct al_buf head; /* names and values of the headers */
  struct field headers[MAX_HEADERS];
  size_t n_headers;
  size_t n_head_wire_bytes;
  bool in_name, head_done, body_done, no_body, stopped;
  bool answered;             /* before all was sent, or it has closed its side */
  al_http_client_sink *sink; /* while al_http_client_read runs */
  void *sink_context;
  char bytes[READ_BYTES];
  size_t at, size; /* of bytes not parsed yet */
};

/* --- the parser's callbacks ------------------------------------------------------------------------------------- */

static int on_name(llhttp_t *parser, const char *data, size_t size)
{
  struct al_http_client *client = parser->data;
  if (client->head_done)
    return 0; /* a trailer */
  if (client->n_headers == MAX_HEADERS)
    return HPE_USER;
  struct field *field = &client->headers[client->n_headers];
  if (!client->in_name)
    *field = (struct field){ .name_at = client->head.size };
  client->in_name = true;
  field->name_size += size;
  al_buf_add(&client->head, data, size);
  return client->head.failed ? HPE_USER : 0;
}

static int on_value(llhttp_t *parser, const char *data, size_t size)
{
  struct al_http_client *client = parser->data;
  if (client->head_done)
    return 0;
  struct field *field = &client->headers[client->n_headers];
  if (field->value_size == 0)
    field->value_at = client->head.size;
  field->value_size += size;
  al_buf_add(&client->head, data, size);
  return client->head.failed ? HPE_USER : 0;
}

static int on_value_complete(llhttp_t *parser)
{
  struct al_http_client *client = parser->data;
  client->in_name = false;
  client->n_headers += !client->head_done;
  return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
  struct al_http_client *client = parser->data;
  parser->upgrade = 0;
  if (parser->status_code < 200) { /* interim: the real answer follows */
    client->n_headers = 0;
    al_buf_clear(&client->head);
    return 0;
  }
  client->head_done = true;
  return client->no_body ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *data, size_t size)
{
  struct al_http_client *client = parser->data;
  client->stopped = !client->sink(client->sink_context, al_str_n(data, size));
  return client->stopped ? HPE_USER : 0;
}

static int on_message_complete(llhttp_t *parser)
{
  struct al_http_client *client = parser->data;
  client->body_done = client->head_done;
  return client->body_done ? HPE_PAUSED : 0;
}

static const llhttp_settings_t parser_settings = {
  .on_header_field = on_name,
  .on_header_value = on_value,
  .on_header_value_complete = on_value_complete,
  .on_headers_complete = on_headers_complete,
  .on_body = on_body,
  .on_message_complete = on_message_complete,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

enum al_code al_http_client_open(const struct al_http_client_options *options, struct al_http_client **client,
                                 struct al_err *err)
{
  struct al_http_client *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->fd = -1;
  made->cancel_fd = options->cancel_fd;
  al_buf_init(&made->head, MAX_HEAD_BYTES);
  llhttp_init(&made->parser, HTTP_RESPONSE, &parser_settings);
  made->parser.data = made;
  int64_t deadline_ns = options->deadline_ns != 0 ? options->deadline_ns : al_deadline_in_ms(CONNECT_MS);
  enum al_code code = al_net_client_parse_url(options->url, &made->url, err);
  if (code == AL_OK)
    code = al_net_client_connect(&made->url, made->cancel_fd, deadline_ns, &made->fd, err);
  if (code == AL_OK)
    *client = AL_TAKE(made);
  al_http_client_close(made);
  return code;
}

void al_http_client_close(struct al_http_client *client)
{
  if (client == nullptr)
    return;
  if (client->fd >= 0)
    (void)close(client->fd);
  al_buf_done(&client->head);
  al_free(client);
}

/* --- the wire --------------------------------------------------------------------------------------------------- */

static enum al_code lost(struct al_err *err)
{
  return al_fail_reason(err, al_fail(err, AL_INTERNAL, "the connection to the server was lost"), "connection_lost");
}

/* Waits until the server takes more, or has said something: sending on would only make the kernel throw that away. */
static enum al_code wait_to_send(struct al_http_client *client, int64_t deadline_ns, struct al_err *err)
{
  enum al_code code = al_net_client_wait(client->fd, POLLIN | POLLOUT, client->cancel_fd, deadline_ns, err);
  if (code == AL_TIMEOUT)
    return al_fail(err, AL_TIMEOUT, "the server did not take the request in time");
  char byte;
  ssize_t got = code == AL_OK ? recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) : -1;
  client->answered |= got >= 0;
  return code;
}

/* Leaves the rest when the server has answered. */
static enum al_code send_all(struct al_http_client *client, struct al_str bytes, int64_t deadline_ns,
                             struct al_err *err)
{
  while (bytes.size > 0 && !client->answered) {
    ssize_t sent = send(client->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (sent > 0)
      bytes = al_str_n(bytes.data + sent, bytes.size - (size_t)sent);
    else if (errno == EAGAIN)
      AL_TRY(wait_to_send(client, deadline_ns, err));
    else if (errno == EPIPE || errno == ECONNRESET)
      client->answered = true; /* perhaps before it closed: reading tells */
    else if (errno != EINTR)
      return lost(err);
  }
  return AL_OK;
}

static enum al_code read_piece(const struct al_http_client_upload *upload, char *piece, uint64_t at, size_t *size,
                               struct al_err *err)
{
  uint64_t left = upload->size_bytes - at;
  ssize_t got;
  do
    got = pread(upload->fd, piece, left < UPLOAD_BYTES ? (size_t)left : UPLOAD_BYTES, (off_t)at);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return al_fail(err, AL_INVALID_REQUEST, "the file cannot be read: %s", strerror(errno));
  if (got == 0)
    return al_fail(err, AL_INVALID_REQUEST, "the file has become shorter while it was sent");
  *size = (size_t)got;
  return AL_OK;
}

static enum al_code send_upload(struct al_http_client *client, const struct al_http_client_upload *upload,
                                struct al_err *err)
{
  AL_CLEANUP(al_free_p) char *piece = al_alloc(UPLOAD_BYTES);
  if (piece == nullptr)
    return al_fail_oom(err, UPLOAD_BYTES);
  int64_t stall_ms = upload->stall_ms > 0 ? upload->stall_ms : STALL_MS;
  for (uint64_t at = 0; at < upload->size_bytes;) {
    size_t size = 0;
    AL_TRY(wait_to_send(client, al_deadline_in_ms(stall_ms), err));
    if (client->answered)
      return AL_OK;
    AL_TRY(read_piece(upload, piece, at, &size, err));
    AL_TRY(send_all(client, al_str_n(piece, size), al_deadline_in_ms(stall_ms), err));
    at += size;
    if (upload->on_sent != nullptr && !client->answered)
      upload->on_sent(upload->user, at);
  }
  return send_all(client, upload->tail, al_deadline_in_ms(stall_ms), err);
}

/* More bytes into the buffer; client->size 0 means the end. */
static enum al_code receive(struct al_http_client *client, int64_t deadline_ns, struct al_err *err)
{
  for (;;) {
    ssize_t got = recv(client->fd, client->bytes, sizeof client->bytes, 0);
    if (got >= 0) {
      client->at = 0;
      client->size = (size_t)got;
      return AL_OK;
    }
    if (errno == EAGAIN)
      AL_TRY(al_net_client_wait(client->fd, POLLIN, client->cancel_fd, deadline_ns, err));
    else if (errno != EINTR)
      return lost(err);
  }
}

static enum al_code parse(struct al_http_client *client, size_t size, struct al_err *err)
{
  const char *start = client->bytes + client->at;
  llhttp_errno_t error = llhttp_execute(&client->parser, start, size);
  size_t used = error == HPE_OK ? size : (size_t)(llhttp_get_error_pos(&client->parser) - start);
  client->at += used;
  client->size -= used;
  if (client->stopped)
    return al_fail(err, AL_CANCELLED, "the reader of the answer has stopped");
  if (error == HPE_OK || error == HPE_PAUSED)
    return AL_OK;
  if (client->head.failed || client->n_headers == MAX_HEADERS)
    return al_fail(err, AL_INTERNAL, "the server's headers are too large");
  const char *reason = llhttp_get_error_reason(&client->parser);
  return al_fail(err, AL_INTERNAL, "the server's answer is not HTTP: %s", reason != nullptr ? reason : "malformed");
}

/* --- request and answer ----------------------------------------------------------------------------------------- */

static void put_request(const struct al_http_client *client, const struct al_http_client_request *request,
                        struct al_buf *out)
{
  al_buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", request->method, request->path,
                client->url.host);
  for (size_t i = 0; i < request->n_headers; i++) {
    assert(strpbrk(request->headers[i].value, "\r\n") == nullptr);
    al_buf_printf(out, "%s: %s\r\n", request->headers[i].name, request->headers[i].value);
  }
  uint64_t n_more = request->upload != nullptr ? request->upload->size_bytes + request->upload->tail.size : 0;
  if (request->content_type != nullptr)
    al_buf_printf(out, "Content-Type: %s\r\nContent-Length: %" PRIu64 "\r\n", request->content_type,
                  request->body.size + n_more);
  al_buf_str(out, "\r\n");
  if (request->content_type != nullptr)
    al_buf_add(out, request->body.data, request->body.size);
}

/* Byte by byte through the head, so that the body stays for al_http_client_read. */
static enum al_code parse_head(struct al_http_client *client, struct al_err *err)
{
  while (client->size > 0 && !client->head_done) {
    if (++client->n_head_wire_bytes > MAX_HEAD_BYTES)
      return al_fail(err, AL_INTERNAL, "the server's headers are too large");
    AL_TRY(parse(client, 1, err));
  }
  return AL_OK;
}

enum al_code al_http_client_send(struct al_http_client *client, const struct al_http_client_request *request,
                                 int *status, struct al_err *err)
{
  int64_t deadline_ns = request->deadline_ns != 0 ? request->deadline_ns : AL_NO_DEADLINE;
  if (client->n_head_wire_bytes > 0 || strpbrk(request->path, " \r\n\t") != nullptr)
    return al_fail(err, AL_INVALID_REQUEST, "one request a client, and no spaces in its path");
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  put_request(client, request, &bytes);
  AL_TRY(al_buf_check(&bytes, err));
  client->no_body = strcmp(request->method, "HEAD") == 0;
  AL_TRY(send_all(client, al_buf_view(&bytes), deadline_ns, err));
  if (request->upload != nullptr)
    AL_TRY(send_upload(client, request->upload, err));
  while (!client->head_done) {
    AL_TRY(receive(client, deadline_ns, err));
    if (client->size == 0)
      return lost(err);
    AL_TRY(parse_head(client, err));
  }
  *status = client->parser.status_code;
  return AL_OK;
}

struct al_str al_http_client_header(const struct al_http_client *client, const char *name)
{
  for (size_t i = 0; i < client->n_headers; i++) {
    const struct field *field = &client->headers[i];
    if (field->name_size == strlen(name) &&
        strncasecmp(client->head.data + field->name_at, name, field->name_size) == 0)
      return al_str_n(client->head.data + field->value_at, field->value_size);
  }
  return (struct al_str){};
}

static enum al_code read_more(struct al_http_client *client, int64_t idle_ms, struct al_err *err)
{
  if (client->size == 0) {
    AL_TRY(receive(client, idle_ms > 0 ? al_deadline_in_ms(idle_ms) : AL_NO_DEADLINE, err));
    if (client->size == 0) {
      (void)llhttp_finish(&client->parser); /* completes an answer that has neither length nor chunks */
      return client->body_done ? AL_OK : lost(err);
    }
  }
  return parse(client, client->size, err);
}

enum al_code al_http_client_read(struct al_http_client *client, al_http_client_sink *sink, void *context,
                                 int64_t idle_ms, struct al_err *err)
{
  client->sink = sink;
  client->sink_context = context;
  enum al_code code = AL_OK;
  while (code == AL_OK && !client->body_done)
    code = read_more(client, idle_ms, err);
  client->sink = nullptr;
  return code;
}

static bool append(void *context, struct al_str bytes)
{
  struct al_buf *out = context;
  al_buf_add(out, bytes.data, bytes.size);
  return !out->failed;
}

enum al_code al_http_client_read_all(struct al_http_client *client, struct al_buf *out, int64_t idle_ms,
                                     struct al_err *err)
{
  enum al_code code = al_http_client_read(client, append, out, idle_ms, err);
  AL_TRY(al_buf_check(out, err)); /* says more than that the reader has stopped */
  return code;
}
