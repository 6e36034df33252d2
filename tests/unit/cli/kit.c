#include "kit.h"

#include <stdio.h>
#include <unistd.h>

static void remember(char *out, size_t size, struct al_str text)
{
  (void)snprintf(out, size, "%.*s", (int)text.size, text.data != nullptr ? text.data : "");
}

void kit_sync(struct kit *kit)
{
  kit->n_syncs++;
}

static void stream(struct al_http_exchange *exchange, struct kit *kit)
{
  al_http_begin(exchange, kit->status, "text/event-stream");
  for (const char *const *piece = kit->pieces; *piece != nullptr; piece++)
    (void)al_http_send(exchange, al_str(*piece));
  if (kit->never_ends)
    kit->held = al_http_ref(exchange);
  else
    al_http_end(exchange);
}

static void answer(struct al_http_exchange *exchange, void *app)
{
  struct kit *kit = app;
  kit_sync(kit);
  remember(kit->path, sizeof kit->path, al_http_path(exchange));
  remember(kit->authorization, sizeof kit->authorization, al_http_header(exchange, "authorization"));
  remember(kit->request, sizeof kit->request, al_http_body(exchange));
  kit_sync(kit);
  if (kit->pieces != nullptr)
    stream(exchange, kit);
  else
    al_http_reply(exchange, kit->status, "application/json", al_str(kit->body));
}

static const struct al_http_route routes[] = {
  { AL_HTTP_GET, "/{rest...}", answer, 0, nullptr },
  { AL_HTTP_POST, "/{rest...}", answer, 0, nullptr },
};

void kit_start(struct kit *kit)
{
  *kit = (struct kit){ .status = 200, .body = "{}" };
  struct al_err err = {};
  int fd = -1;
  al_config_defaults(&kit->config);
  assert_int_equal(al_http_listen("127.0.0.1", 0, &fd, &kit->config.port, &err), AL_OK);
  struct al_http_server_options options = {
    .listen_fds = &fd,
    .n_listen_fds = 1,
    .n_loops = 1,
    .routes = routes,
    .n_routes = AL_COUNT(routes),
    .app = kit,
  };
  if (al_http_server_start(&options, &kit->server, &err) != AL_OK)
    fail_msg("%s", err.message);
  (void)close(fd);
  kit->cli = (struct al_cli){ .config = &kit->config, .port_given = true };
  if (al_connection_open(&kit->cli, nullptr, &kit->connection, &err) != AL_OK)
    fail_msg("%s", err.message);
}

void kit_stop(struct kit *kit)
{
  al_connection_close(&kit->connection);
  al_http_server_stop(kit->server, 0);
  if (kit->held != nullptr) {
    al_http_end(kit->held);
    al_http_unref(kit->held);
  }
  al_http_server_free(kit->server);
}
