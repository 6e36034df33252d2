#include "net/client_connect.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the URL ---------------------------------------------------------------------------------------------------- */

static bool copy(char *out, size_t size, struct al_str text)
{
  if (text.size == 0 || text.size >= size)
    return false;
  memcpy(out, text.data, text.size);
  out[text.size] = '\0';
  return true;
}

/* "[::1]:8080", "localhost" */
static bool split_authority(struct al_str authority, struct al_net_client_url *out)
{
  struct al_str node = authority, port = al_str("80");
  if (authority.size > 0 && authority.data[0] == '[') {
    const char *end = memchr(authority.data, ']', authority.size);
    if (end == nullptr)
      return false;
    node = al_str_n(authority.data + 1, (size_t)(end - authority.data) - 1);
  }
  const char *after = authority.data[0] == '[' ? node.data + node.size + 1 : authority.data;
  size_t left = (size_t)(authority.data + authority.size - after);
  const char *colon = memchr(after, ':', left);
  if (colon != nullptr) {
    port = al_str_n(colon + 1, (size_t)(authority.data + authority.size - colon) - 1);
    if (authority.data[0] != '[')
      node = al_str_n(authority.data, (size_t)(colon - authority.data));
  }
  for (size_t i = 0; i < port.size; i++)
    if (port.data[i] < '0' || port.data[i] > '9')
      return false;
  return copy(out->node, sizeof out->node, node) && copy(out->port, sizeof out->port, port) &&
         copy(out->host, sizeof out->host, authority);
}

enum al_code al_net_client_parse_url(const char *url, struct al_net_client_url *out, struct al_err *err)
{
  struct al_str text = al_str(url), scheme = al_str("http://"), local = al_str("unix:");
  *out = (struct al_net_client_url){};
  if (al_str_starts(text, al_str("https://")))
    return al_fail(err, AL_UNSUPPORTED, "%s: this client speaks http only; use http:// or unix:", url);
  if (al_str_starts(text, local)) {
    out->is_unix = true;
    (void)snprintf(out->host, sizeof out->host, "localhost");
    if (!copy(out->node, sizeof out->node, al_str_n(text.data + local.size, text.size - local.size)))
      return al_fail(err, AL_INVALID_REQUEST, "%s: the socket's path is missing or too long", url);
    return AL_OK;
  }
  if (!al_str_starts(text, scheme))
    return al_fail(err, AL_INVALID_REQUEST, "%s: a server's address looks like http://127.0.0.1:8080", url);
  size_t size = strcspn(url + scheme.size, "/?#");
  if (size == 0 || !split_authority(al_str_n(url + scheme.size, size), out))
    return al_fail(err, AL_INVALID_REQUEST, "%s: the host or the port is malformed", url);
  return AL_OK;
}

/* --- waiting ---------------------------------------------------------------------------------------------------- */

static int wait_ms(int64_t deadline_ns)
{
  if (deadline_ns == AL_NO_DEADLINE)
    return -1;
  int64_t left_ms = (deadline_ns - al_now_ns() + AL_NS_PER_MS - 1) / AL_NS_PER_MS;
  return left_ms < 0 ? 0 : left_ms > 3'600'000 ? 3'600'000 : (int)left_ms;
}

enum al_code al_net_client_wait(int fd, short events, int cancel_fd, int64_t deadline_ns, struct al_err *err)
{
  struct pollfd watched[2] = { { .fd = fd, .events = events }, { .fd = cancel_fd, .events = POLLIN } };
  nfds_t count = cancel_fd > 0 ? 2 : 1;
  for (;;) {
    int ready = poll(watched, count, wait_ms(deadline_ns));
    if (ready < 0 && errno != EINTR)
      return al_fail(err, AL_INTERNAL, "waiting for the server failed: %s", strerror(errno));
    if (count == 2 && watched[1].revents != 0 && ready > 0)
      return al_fail(err, AL_CANCELLED, "cancelled");
    if (ready > 0)
      return AL_OK;
    if (deadline_ns != AL_NO_DEADLINE && al_now_ns() >= deadline_ns)
      return al_fail(err, AL_TIMEOUT, "the server did not answer in time");
  }
}

/* --- connecting ------------------------------------------------------------------------------------------------- */

static enum al_code fail_connect(const struct al_net_client_url *url, int error, struct al_err *err)
{
  const char *where = url->is_unix ? url->node : url->host;
  if (error == ECONNREFUSED || error == ENOENT)
    return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "no server listens on %s", where), "no_server");
  return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "cannot connect to %s: %s", where, strerror(error)),
                        "no_server");
}

static enum al_code finish_connect(int fd, const struct al_net_client_url *url, int cancel_fd, int64_t deadline_ns,
                                   struct al_err *err)
{
  AL_TRY(al_net_client_wait(fd, POLLOUT, cancel_fd, deadline_ns, err));
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    error = errno;
  return error == 0 ? AL_OK : fail_connect(url, error, err);
}

struct wait {
  int cancel_fd;
  int64_t deadline_ns;
};

static enum al_code try_address(const struct al_net_client_url *url, const struct addrinfo *address, struct wait wait,
                                int *fd, struct al_err *err)
{
  int made = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0)
    return fail_connect(url, errno, err);
  const int on = 1;
  if (!url->is_unix)
    (void)setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  enum al_code code = AL_OK;
  if (connect(made, address->ai_addr, address->ai_addrlen) != 0)
    code = errno == EINPROGRESS || errno == EINTR ? finish_connect(made, url, wait.cancel_fd, wait.deadline_ns, err)
                                                  : fail_connect(url, errno, err);
  if (code == AL_OK)
    *fd = made;
  else
    (void)close(made);
  return code;
}

static enum al_code connect_unix(const struct al_net_client_url *url, struct wait wait, int *fd, struct al_err *err)
{
  struct sockaddr_un name = { .sun_family = AF_UNIX };
  if (!copy(name.sun_path, sizeof name.sun_path, al_str(url->node)))
    return al_fail(err, AL_INVALID_REQUEST, "the socket's path %s is too long", url->node);
  struct addrinfo address = { .ai_family = AF_UNIX,
                              .ai_addr = (struct sockaddr *)(void *)&name,
                              .ai_addrlen = sizeof name };
  return try_address(url, &address, wait, fd, err);
}

enum al_code al_net_client_connect(const struct al_net_client_url *url, int cancel_fd, int64_t deadline_ns, int *fd,
                                   struct al_err *err)
{
  struct wait wait = { cancel_fd, deadline_ns };
  if (url->is_unix)
    return connect_unix(url, wait, fd, err);
  const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
  struct addrinfo *addresses = nullptr;
  int failed = getaddrinfo(url->node, url->port, &hints, &addresses);
  if (failed != 0)
    return al_fail_reason(
        err, al_fail(err, AL_NOT_FOUND, "the host %s is not known: %s", url->node, gai_strerror(failed)), "no_server");
  enum al_code code = AL_NOT_FOUND;
  for (const struct addrinfo *at = addresses; at != nullptr && code == AL_NOT_FOUND; at = at->ai_next)
    code = try_address(url, at, wait, fd, err);
  freeaddrinfo(addresses);
  return code;
}
