/* Listening sockets: made here before the server starts, so that errors about addresses come early and clearly. */
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

constexpr int BACKLOG = 1024;

static enum al_code fail_address(struct al_err *err, const char *host, int port, int error)
{
  if (error == EADDRINUSE)
    return al_fail(err, AL_INVALID_REQUEST, "port %d on %s is in use by another program; choose another with --port",
                   port, host);
  if (error == EACCES)
    return al_fail(err, AL_INVALID_REQUEST, "port %d on %s is not permitted; ports from 1024 on need no privilege",
                   port, host);
  if (error == EADDRNOTAVAIL)
    return al_fail(err, AL_INVALID_REQUEST, "%s is not an address of this machine", host);
  return al_fail(err, AL_INVALID_REQUEST, "cannot listen on %s port %d: %s", host, port, strerror(error));
}

/* Returns the descriptor, or -1 with errno. */
static int listen_on(const struct addrinfo *address)
{
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  const int on = 1, off = 0;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->ai_family == AF_INET6) /* "::" takes IPv4 too, whatever the system's default */
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  int error = errno;
  (void)close(fd);
  errno = error;
  return -1;
}

static int port_of(int fd)
{
  struct sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    return 0;
  if (address.ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
  return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

enum al_code al_http_listen(const char *host, int port, int *fd, int *bound_port, struct al_err *err)
{
  if (port < 0 || port > 65535)
    return al_fail(err, AL_INVALID_REQUEST, "port %d is not between 0 and 65535", port);
  char service[16];
  (void)snprintf(service, sizeof service, "%d", port);
  const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
  struct addrinfo *addresses = nullptr;
  int failed = getaddrinfo(host, service, &hints, &addresses);
  if (failed != 0)
    return al_fail(err, AL_INVALID_REQUEST, "the address %s is not known: %s", host, gai_strerror(failed));
  int made = -1, error = 0;
  for (const struct addrinfo *at = addresses; at != nullptr && made < 0; at = at->ai_next) {
    made = listen_on(at);
    if (made < 0)
      error = errno;
  }
  freeaddrinfo(addresses);
  if (made < 0)
    return fail_address(err, host, port, error);
  *fd = made;
  *bound_port = port_of(made);
  return AL_OK;
}

/* A socket file that nobody listens on any more is removed; anything else is left alone. */
static enum al_code clear_path(const struct sockaddr_un *address, struct al_err *err)
{
  struct stat info;
  if (lstat(address->sun_path, &info) != 0)
    return AL_OK;
  if (!S_ISSOCK(info.st_mode))
    return al_fail(err, AL_INVALID_REQUEST, "%s exists and is not a socket", address->sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return al_fail(err, AL_INTERNAL, "no socket could be made: %s", strerror(errno));
  int failed = connect(fd, (const struct sockaddr *)address, sizeof *address);
  int error = errno;
  (void)close(fd);
  if (failed == 0)
    return al_fail(err, AL_INVALID_REQUEST, "another program listens on %s", address->sun_path);
  if (error != ECONNREFUSED)
    return al_fail(err, AL_INVALID_REQUEST, "%s cannot be replaced: %s", address->sun_path, strerror(error));
  (void)unlink(address->sun_path);
  return AL_OK;
}

enum al_code al_http_listen_unix(const char *path, int *fd, struct al_err *err)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  size_t size = strlen(path);
  if (size == 0 || size >= sizeof address.sun_path)
    return al_fail(err, AL_INVALID_REQUEST, "a socket's path has 1 to %zu bytes, this one has %zu",
                   sizeof address.sun_path - 1, size);
  memcpy(address.sun_path, path, size);
  AL_TRY(clear_path(&address, err));
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0)
    return al_fail(err, AL_INTERNAL, "no socket could be made: %s", strerror(errno));
  /* Until listen nobody can connect, so there is no moment in which others could. */
  if (bind(made, (const struct sockaddr *)&address, sizeof address) != 0 || chmod(path, 0600) != 0 ||
      listen(made, BACKLOG) != 0) {
    int error = errno;
    (void)close(made);
    return al_fail(err, AL_INVALID_REQUEST, "cannot listen on %s: %s", path, strerror(error));
  }
  *fd = made;
  return AL_OK;
}
