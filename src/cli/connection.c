#include "cli/connection.h"

#include "base/clock.h"
#include "codec/sse.h"
#include "net/client.h"

#include <stdio.h>

constexpr size_t MAX_ANSWER_BYTES = 64 << 20;
constexpr size_t MAX_EVENT_BYTES = 16 << 20;
constexpr int64_t CONNECT_TIMEOUT_MS = 5'000;

static enum al_code open_client(const struct al_connection *connection, int cancel_fd, struct al_http_client **client,
                                struct al_err *err)
{
  char url[320];
  bool is_ipv6 = strchr(connection->host, ':') != nullptr;
  (void)snprintf(url, sizeof url, is_ipv6 ? "http://[%s]:%d" : "http://%s:%d", connection->host, connection->port);
  struct al_http_client_options options = {
    .url = url,
    .deadline_ns = al_deadline_in_ms(CONNECT_TIMEOUT_MS),
    .cancel_fd = cancel_fd,
  };
  return al_http_client_open(&options, client, err);
}

static bool is_listening(const struct al_connection *connection, struct al_err *err)
{
  AL_CLEANUP(al_http_client_close_p) struct al_http_client *client = nullptr;
  return open_client(connection, -1, &client, err) == AL_OK;
}

enum al_code al_connection_open(struct al_cli *cli, const char *model_path, struct al_connection *connection,
                                struct al_err *err)
{
  *connection = (struct al_connection){ .config = cli->config, .port = cli->config->port };
  (void)snprintf(connection->host, sizeof connection->host, "%s", cli->config->host);
  if (model_path == nullptr && is_listening(connection, err))
    return AL_OK;
  if (model_path == nullptr && cli->port_given)
    return err->code;
  AL_TRY(al_private_server_start(cli->config, model_path, &connection->own, err));
  connection->port = connection->own.port;
  (void)snprintf(connection->host, sizeof connection->host, "127.0.0.1");
  return AL_OK;
}

void al_connection_close(struct al_connection *connection)
{
  al_private_server_stop(&connection->own);
}

/* A path as it may stand in a request line: what a URL has no room for becomes %XX. */
static void encode_path(struct al_buf *out, const char *path)
{
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/?=&";
  for (; *path != '\0'; path++) {
    if (strchr(plain, *path) != nullptr)
      al_buf_char(out, *path);
    else
      al_buf_printf(out, "%%%02X", (unsigned char)*path);
  }
}

/* Adds the key, and encodes the path. */
static enum al_code send_request(struct al_http_client *client, const struct al_connection *connection,
                                 struct al_http_client_request request, int *status, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf encoded = {};
  encode_path(&encoded, request.path);
  AL_TRY(al_buf_check(&encoded, err));
  char authorization[sizeof connection->config->api_key + 16];
  (void)snprintf(authorization, sizeof authorization, "Bearer %s", connection->config->api_key);
  const struct al_http_client_header headers[] = { { "Authorization", authorization } };
  request.path = encoded.data;
  request.headers = headers;
  request.n_headers = connection->config->api_key[0] != '\0' ? 1 : 0;
  return al_http_client_send(client, &request, status, err);
}

static struct al_http_client_request json_request(const char *path, struct al_str body)
{
  return (struct al_http_client_request){
    .method = body.data != nullptr ? "POST" : "GET",
    .path = path,
    .content_type = body.data != nullptr ? "application/json" : nullptr,
    .body = body,
  };
}

/* The message inside OpenAI's error object; the status alone when there is none. */
static enum al_code fail_with_answer(int status, const struct al_buf *answer, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_str message = {};
  if (al_json_parse(al_buf_view(answer), &doc, nullptr) == AL_OK)
    message = al_json_str(al_json_get(al_json_get(al_json_root(doc), "error"), "message"));
  enum al_code code = status == 404 ? AL_NOT_FOUND : status >= 500 ? AL_INTERNAL : AL_INVALID_REQUEST;
  if (message.data == nullptr)
    return al_fail(err, code, "the server answered with status %d", status);
  return al_fail(err, code, "%.*s", (int)al_min_size(message.size, 450), message.data);
}

/* GET without a body. */
static enum al_code exchange(struct al_connection *connection, const char *path, struct al_str body,
                             struct al_buf *answer, struct al_err *err)
{
  AL_CLEANUP(al_http_client_close_p) struct al_http_client *client = nullptr;
  int status = 0;
  al_buf_init(answer, MAX_ANSWER_BYTES);
  AL_TRY(open_client(connection, -1, &client, err));
  AL_TRY(send_request(client, connection, json_request(path, body), &status, err));
  AL_TRY(al_http_client_read_all(client, answer, 0, err));
  return status == 200 ? AL_OK : fail_with_answer(status, answer, err);
}

enum al_code al_connection_get(struct al_connection *connection, const char *path, struct al_json_doc **doc,
                               struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  AL_TRY(exchange(connection, path, (struct al_str){}, &answer, err));
  return al_json_parse(al_buf_view(&answer), doc, err);
}

enum al_code al_connection_post(struct al_connection *connection, const char *path, struct al_str body,
                                struct al_buf *answer, struct al_err *err)
{
  return exchange(connection, path, body, answer, err);
}

struct stream {
  struct al_sse sse;
  al_connection_event_fn *on_event;
  void *user;
  struct al_err err; /* of the feeding */
  bool has_ended;    /* on_event wants no more */
};

static bool on_sse_event(void *context, struct al_str event, struct al_str data)
{
  struct stream *stream = context;
  stream->has_ended = !stream->on_event(stream->user, event, data);
  return !stream->has_ended;
}

static bool on_bytes(void *context, struct al_str bytes)
{
  struct stream *stream = context;
  return al_sse_feed(&stream->sse, bytes, on_sse_event, stream, &stream->err) == AL_OK;
}

/* The server's own message in place of the answer that was hoped for. */
static enum al_code fail_with_rest(struct al_http_client *client, int status, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  al_buf_init(&answer, MAX_ANSWER_BYTES);
  AL_TRY(al_http_client_read_all(client, &answer, 0, err));
  return fail_with_answer(status, &answer, err);
}

/* The answer's bytes to the sink. */
static enum al_code fetch(const struct al_connection *connection, const struct al_http_client_request *request,
                          al_http_client_sink *sink, void *user, int cancel_fd, struct al_err *err)
{
  AL_CLEANUP(al_http_client_close_p) struct al_http_client *client = nullptr;
  int status = 0;
  AL_TRY(open_client(connection, cancel_fd, &client, err));
  AL_TRY(send_request(client, connection, *request, &status, err));
  if (status != 200)
    return fail_with_rest(client, status, err);
  return al_http_client_read(client, sink, user, 0, err);
}

static enum al_code stream_events(const struct al_connection *connection, const struct al_http_client_request *request,
                                  struct stream *stream, int cancel_fd, struct al_err *err)
{
  al_sse_init(&stream->sse, MAX_EVENT_BYTES);
  enum al_code code = fetch(connection, request, on_bytes, stream, cancel_fd, err);
  al_sse_done(&stream->sse);
  if (stream->has_ended)
    return AL_OK;
  if (stream->err.code != AL_OK && stream->err.code != AL_CANCELLED) {
    *err = stream->err;
    return err->code;
  }
  return code;
}

enum al_code al_connection_stream(struct al_connection *connection, const char *path, struct al_str body,
                                  al_connection_event_fn *on_event, void *user, int cancel_fd, struct al_err *err)
{
  struct stream stream = { .on_event = on_event, .user = user };
  const struct al_http_client_request request = json_request(path, body);
  return stream_events(connection, &request, &stream, cancel_fd, err);
}

enum al_code al_connection_upload(struct al_connection *connection, const char *path, const struct al_form *form,
                                  al_connection_event_fn *on_event, void *user, int cancel_fd, struct al_err *err)
{
  struct stream stream = { .on_event = on_event, .user = user };
  AL_TRY(al_buf_check(&form->head, err));
  const struct al_http_client_request request = {
    .method = "POST",
    .path = path,
    .content_type = form->content_type,
    .body = al_buf_view(&form->head),
    .upload = &form->upload,
  };
  return stream_events(connection, &request, &stream, cancel_fd, err);
}

enum al_code al_connection_download(struct al_connection *connection, const char *path, struct al_str body,
                                    al_http_client_sink *sink, void *user, int cancel_fd, struct al_err *err)
{
  const struct al_http_client_request request = json_request(path, body);
  return fetch(connection, &request, sink, user, cancel_fd, err);
}
