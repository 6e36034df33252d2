/* From an exchange's queue to the socket: one write a turn of the loop, directly when the kernel takes it. */
#include "net/connection.h"

#include <sys/ioctl.h>

constexpr size_t KEPT_BYTES = 16 << 10; /* a buffer larger than this is not kept between writes */

static void on_written(uv_write_t *request, int status);

static void count_sent(struct al_net_connection *connection, size_t size)
{
  atomic_fetch_add_explicit(&connection->loop->server->n_sent_bytes, size, memory_order_relaxed);
}

/* The kernel holds megabytes and asks for more only when a third of it has gone: to a client that listens to music as
 * it comes, that is minutes. What counts as progress is what the client's side has taken. */
size_t al_net_connection_unwritten(const struct al_net_connection *connection)
{
  uv_os_fd_t fd;
  int in_kernel = 0;
  if (uv_fileno(&connection->uv.handle, &fd) != 0 || ioctl(fd, TIOCOUTQ, &in_kernel) != 0 || in_kernel < 0)
    in_kernel = 0;
  return uv_stream_get_write_queue_size(&connection->uv.stream) + (size_t)in_kernel;
}

static void empty_out(struct al_net_connection *connection)
{
  if (connection->out.capacity > KEPT_BYTES)
    al_buf_done(&connection->out);
  else
    al_buf_clear(&connection->out);
}

/* true when all of connection->out has left; false when it is waiting or the connection has been closed. */
static bool write_out(struct al_net_connection *connection)
{
  size_t size = connection->out.size;
  if (connection->out.failed) {
    al_net_connection_close(connection);
    return false;
  }
  if (size == 0)
    return true;
  uv_buf_t bytes = { .base = connection->out.data, .len = size };
  int wrote = uv_try_write(&connection->uv.stream, &bytes, 1);
  if (wrote < 0 && wrote != UV_EAGAIN) {
    al_net_connection_close(connection);
    return false;
  }
  size_t done = wrote > 0 ? (size_t)wrote : 0;
  count_sent(connection, size);
  if (done == size) {
    empty_out(connection);
    return true;
  }
  bytes = (uv_buf_t){ .base = connection->out.data + done, .len = size - done };
  connection->write.data = connection;
  connection->writing = true;
  if (uv_write(&connection->write, &connection->uv.stream, &bytes, 1, on_written) != 0) {
    connection->writing = false;
    al_net_connection_close(connection);
    return false;
  }
  connection->n_unwritten_seen = al_net_connection_unwritten(connection);
  if (connection->phase == AL_NET_CONN_RUNNING)
    al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_WRITE);
  return false;
}

/* Moves the exchange's queue into connection->out. false when the connection has been closed. */
static bool take_output(struct al_net_connection *connection, struct al_net_output *output)
{
  if (connection->tls == nullptr) {
    *output = al_net_response_take(connection->exchange, &connection->out);
  } else {
    struct al_buf plain = {};
    *output = al_net_response_take(connection->exchange, &plain);
    bool ok = al_net_tls_write(connection->tls, al_buf_view(&plain));
    al_buf_done(&plain);
    al_net_tls_take(connection->tls, &connection->out);
    output->gone |= !ok;
  }
  if (output->gone)
    al_net_connection_close(connection);
  return !output->gone;
}

void al_net_connection_flush(struct al_net_connection *connection)
{
  if (connection->phase != AL_NET_CONN_RUNNING || connection->writing)
    return;
  struct al_net_output output;
  if (!take_output(connection, &output))
    return;
  connection->output_ended = output.ended;
  connection->output_broken = output.broken;
  if (!write_out(connection))
    return;
  al_net_response_sent(connection->exchange);
  if (output.ended)
    al_net_connection_answered(connection, output.broken);
}

static void running_written(struct al_net_connection *connection)
{
  al_net_deadline_clear(&connection->timed);
  if (connection->exchange->websocket != nullptr)
    al_net_deadline_set(&connection->loop->deadlines, &connection->timed, AL_NET_QUIET);
  al_net_response_sent(connection->exchange);
  if (connection->output_ended)
    al_net_connection_answered(connection, connection->output_broken);
  else
    al_net_connection_flush(connection);
  al_net_connection_resume(connection);
}

static void on_written(uv_write_t *request, int status)
{
  struct al_net_connection *connection = request->data;
  connection->writing = false;
  empty_out(connection);
  if (connection->phase == AL_NET_CONN_CLOSING)
    return;
  if (status < 0)
    al_net_connection_close(connection);
  else if (connection->tls != nullptr && connection->phase != AL_NET_CONN_RUNNING)
    al_net_connection_send_tls(connection);
  else if (connection->phase == AL_NET_CONN_RUNNING)
    running_written(connection);
}

void al_net_connection_say_continue(struct al_net_connection *connection)
{
  static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
  connection->wants_continue = false;
  if (connection->writing || connection->n_body_bytes > 0)
    return; /* it sends without waiting */
  if (connection->tls == nullptr)
    al_buf_str(&connection->out, line);
  else if (al_net_tls_write(connection->tls, al_str(line)))
    al_net_tls_take(connection->tls, &connection->out);
  (void)write_out(connection);
}

void al_net_connection_send_tls(struct al_net_connection *connection)
{
  if (connection->writing || connection->phase == AL_NET_CONN_CLOSING)
    return;
  al_net_tls_take(connection->tls, &connection->out);
  (void)write_out(connection);
}
