#include "api/outflow.h"

#include "api/spool.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/thread.h"
#include "os/file.h"

#include <unistd.h>

constexpr size_t PIECE = (size_t)64 << 10;

struct al_api_outflow {
  struct al_http_exchange *exchange; /* a reference until `closed` */
  const char *directory;             /* borrowed from the api */
  struct al_mutex lock;              /* held while sending: the order of the bytes hangs on it */
  int fd;                            /* -1: nothing has had to wait */
  uint64_t n_kept, n_sent;           /* bytes in the file, and of these the sent ones */
  bool over;                         /* the producer has said its last word */
  bool closed;
};

/* Lets go of the exchange; without al_http_end the connection breaks. Lock held; whoever calls has another hold. */
static void close_it(struct al_api_outflow *outflow)
{
  if (outflow->closed)
    return;
  outflow->closed = true;
  al_fd_close(&outflow->fd);
  al_http_unref(outflow->exchange);
}

static void end_it(struct al_api_outflow *outflow)
{
  if (!outflow->closed)
    al_http_end(outflow->exchange);
  close_it(outflow);
}

/* The next piece of the file. false: the client is gone, or the file cannot be read. */
static bool send_piece(struct al_api_outflow *outflow)
{
  char bytes[PIECE];
  size_t size = al_min_size(sizeof bytes, (size_t)(outflow->n_kept - outflow->n_sent));
  ssize_t got = pread(outflow->fd, bytes, size, (off_t)outflow->n_sent);
  if (got <= 0)
    return false;
  outflow->n_sent += (uint64_t)got;
  return al_http_send(outflow->exchange, al_str_n(bytes, (size_t)got));
}

static void on_room(void *user)
{
  struct al_api_outflow *outflow = user;
  AL_LOCKED(&outflow->lock);
  while (!outflow->closed && outflow->n_sent < outflow->n_kept && al_http_has_room(outflow->exchange))
    if (!send_piece(outflow))
      close_it(outflow);
  if (!outflow->closed && outflow->over && outflow->n_sent == outflow->n_kept)
    end_it(outflow);
}

static void free_it(void *user)
{
  struct al_api_outflow *outflow = user;
  al_fd_close(&outflow->fd);
  al_mutex_done(&outflow->lock);
  al_free(outflow);
}

enum al_code al_api_outflow_new(struct al_http_exchange *exchange, const struct al_api *api,
                                struct al_api_outflow **outflow, struct al_err *err)
{
  static const struct al_http_pump ops = { .room = on_room, .free = free_it };
  struct al_api_outflow *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->exchange = al_http_ref(exchange);
  made->directory = api->spool;
  made->fd = -1;
  al_mutex_init(&made->lock);
  al_http_set_pump(exchange, &ops, made);
  *outflow = made;
  return AL_OK;
}

/* The file begins anew whenever all of it has been sent. */
static enum al_code keep(struct al_api_outflow *outflow, struct al_str bytes, struct al_err *err)
{
  if (outflow->fd < 0)
    AL_TRY(al_api_spool_open(outflow->directory, &outflow->fd, err));
  if (outflow->n_sent == outflow->n_kept) {
    outflow->n_sent = outflow->n_kept = 0;
    if (ftruncate(outflow->fd, 0) != 0 || lseek(outflow->fd, 0, SEEK_SET) != 0)
      return al_fail(err, AL_INTERNAL, "A temporary file cannot be emptied");
  }
  AL_TRY(al_api_spool_write(outflow->fd, bytes, err));
  outflow->n_kept += bytes.size;
  return AL_OK;
}

bool al_api_outflow_send(struct al_api_outflow *outflow, struct al_str bytes)
{
  AL_LOCKED(&outflow->lock);
  if (outflow->closed)
    return false;
  if (outflow->n_sent == outflow->n_kept && al_http_has_room(outflow->exchange))
    return al_http_send(outflow->exchange, bytes);
  struct al_err err;
  if (keep(outflow, bytes, &err) == AL_OK)
    return true;
  al_log_err(AL_LOG_WARN, "answer_not_kept", &err);
  al_cancel_fire(al_http_cancel(outflow->exchange), AL_CANCELLED);
  return false;
}

void al_api_outflow_end(struct al_api_outflow *outflow)
{
  AL_LOCKED(&outflow->lock);
  outflow->over = true;
  if (outflow->n_sent == outflow->n_kept)
    end_it(outflow);
}

void al_api_outflow_break(struct al_api_outflow *outflow)
{
  AL_LOCKED(&outflow->lock);
  close_it(outflow);
}
