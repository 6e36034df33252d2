#include "net/server.h"

#include "base/alloc.h"
#include "net/loop.h"
#include "net/router.h"

static size_t size_or(size_t value, size_t otherwise)
{
  return value > 0 ? value : otherwise;
}

static int64_t ms_or(int64_t value, int64_t otherwise)
{
  return value > 0 ? value : otherwise;
}

static void fill_limits(struct al_http_limits *limits)
{
  *limits = (struct al_http_limits){
    .max_connections = limits->max_connections > 0 ? limits->max_connections : 10'000,
    .max_header_bytes = size_or(limits->max_header_bytes, 32 << 10),
    .max_headers = limits->max_headers > 0 ? limits->max_headers : 100,
    .max_url_bytes = size_or(limits->max_url_bytes, 8 << 10),
    .max_body_bytes = size_or(limits->max_body_bytes, 16 << 20),
    .max_upload_bytes = size_or(limits->max_upload_bytes, 1 << 30),
    .header_timeout_ms = ms_or(limits->header_timeout_ms, 10'000),
    .body_timeout_ms = ms_or(limits->body_timeout_ms, 30'000),
    .min_body_rate = size_or(limits->min_body_rate, 512),
    .idle_timeout_ms = ms_or(limits->idle_timeout_ms, 75'000),
    .max_queued_bytes = size_or(limits->max_queued_bytes, 1 << 20),
    .write_timeout_ms = ms_or(limits->write_timeout_ms, 30'000),
    .ping_interval_ms = ms_or(limits->ping_interval_ms, 30'000),
    .websocket_idle_ms = ms_or(limits->websocket_idle_ms, 3'600'000),
  };
}

static enum al_code check_options(const struct al_http_server_options *options, struct al_err *err)
{
  if (options->n_listen_fds == 0)
    return al_fail(err, AL_INVALID_REQUEST, "the server has no socket to listen on");
  if ((options->tls_certificate == nullptr) != (options->tls_key == nullptr))
    return al_fail(err, AL_INVALID_REQUEST, "TLS needs both a certificate and a key");
  return al_net_routes_check(options->routes, options->n_routes, err);
}

static enum al_code start_loops(struct al_http_server *server, const int *fds, size_t n_fds, struct al_err *err)
{
  int wanted = server->options.n_loops;
  if (wanted <= 0)
    wanted = uv_available_parallelism() < 4 ? (int)uv_available_parallelism() : 4;
  server->loops = al_calloc((size_t)wanted, sizeof *server->loops);
  if (server->loops == nullptr)
    return al_fail_oom(err, (size_t)wanted * sizeof *server->loops);
  for (; server->n_loops < (size_t)wanted; server->n_loops++)
    AL_TRY(al_net_loop_start(&server->loops[server->n_loops], server, fds, n_fds, err));
  return AL_OK;
}

enum al_code al_http_server_start(const struct al_http_server_options *options, struct al_http_server **server,
                                  struct al_err *err)
{
  AL_TRY(check_options(options, err));
  struct al_http_server *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->options = *options;
  made->options.listen_fds = nullptr;
  fill_limits(&made->options.limits);
  enum al_code code = AL_OK;
  if (options->tls_certificate != nullptr)
    code = al_net_tls_context_new(options->tls_certificate, options->tls_key, &made->tls, err);
  if (code == AL_OK)
    code = start_loops(made, options->listen_fds, options->n_listen_fds, err);
  if (code != AL_OK) {
    al_http_server_stop(made, 0);
    al_http_server_free(made);
    return code;
  }
  *server = made;
  return AL_OK;
}

void al_http_server_stop(struct al_http_server *server, int64_t deadline_ns)
{
  for (size_t i = 0; i < server->n_loops; i++)
    al_net_loop_stop(&server->loops[i], deadline_ns);
  for (size_t i = 0; i < server->n_loops; i++)
    al_net_loop_join(&server->loops[i]);
}

void al_http_server_free(struct al_http_server *server)
{
  if (server == nullptr)
    return;
  al_net_tls_context_free(server->tls);
  al_free(server->loops);
  al_free(server);
}

void al_http_server_stats(struct al_http_server *server, struct al_http_stats *stats)
{
  *stats = (struct al_http_stats){
    .n_connections = (uint64_t)atomic_load(&server->n_connections),
    .n_connections_total = atomic_load(&server->n_connections_total),
    .n_requests_total = atomic_load(&server->n_requests_total),
    .n_active_exchanges = atomic_load(&server->n_active_exchanges),
    .n_sent_bytes = atomic_load(&server->n_sent_bytes),
    .n_bad_requests = atomic_load(&server->n_bad_requests),
  };
}
