#include "stand_in_socket.h"

#include "base/str.h"

#include <string.h>

const char *query;
struct stand_in_socket stand_in_socket;

void stand_in_socket_clear(void)
{
  al_buf_done(&stand_in_socket.sent);
  stand_in_socket = (struct stand_in_socket){};
}

struct al_str al_http_query(const struct al_http_exchange *exchange, const char *name)
{
  (void)exchange;
  size_t length = strlen(name);
  for (const char *at = query; at != nullptr && *at != '\0';) {
    size_t size = strcspn(at, "&");
    if (size > length && strncmp(at, name, length) == 0 && at[length] == '=')
      return al_str_n(at + length + 1, size - length - 1);
    at += size + (at[size] == '&');
  }
  return (struct al_str){};
}

bool al_websocket_accept(struct al_http_exchange *exchange, const struct al_websocket_handler *handler, void *user)
{
  (void)exchange;
  stand_in_socket.handler = handler;
  stand_in_socket.user = user;
  return true;
}

bool al_websocket_send(struct al_http_exchange *exchange, struct al_str text)
{
  (void)exchange;
  if (stand_in_socket.close_code != 0)
    return false;
  al_buf_add(&stand_in_socket.sent, text.data, text.size);
  al_buf_char(&stand_in_socket.sent, '\n');
  return true;
}

void al_websocket_close(struct al_http_exchange *exchange, enum al_websocket_code code, const char *reason)
{
  (void)exchange;
  (void)reason;
  stand_in_socket.close_code = (int)code;
}
