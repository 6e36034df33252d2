#include "app/worker.h"

#include "api/api.h"
#include "app/crash_board.h"
#include "app/engines.h"
#include "app/log_options.h"
#include "app/paths.h"
#include "app/worker_link.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/options.h"
#include "engine/preflight.h"
#include "inference/inference.h"
#include "media/media.h"
#include "net/http.h"
#include "os/file.h"
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

constexpr int EXIT_BAD_CONFIG = 2;
constexpr int HEARTBEAT_MS = 1000;
constexpr size_t MAX_QUARANTINED = 64;

struct worker {
  struct al_config config;
  int n_listen_fds;
  const char *quarantined[MAX_QUARANTINED]; /* borrowed from argv */
  size_t n_quarantined;
  int signal_fd;
  struct al_crash_board *board;
  struct al_store *store;
  struct al_inference *inference;
  struct al_api *api;
  _Atomic(struct al_http_server *) server; /* set once it has started; requests may come before */
};

static enum al_code read_arguments(struct worker *w, int argc, char **argv, struct al_err *err)
{
  al_config_defaults(&w->config);
  AL_TRY(al_config_from_env(&w->config, err));
  argc--, argv++;
  AL_TRY(al_config_from_args(&w->config, &argc, argv, err));
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "--listen-fds=", 13) == 0)
      w->n_listen_fds = (int)strtol(argv[i] + 13, nullptr, 10);
    else if (strncmp(argv[i], "--quarantined=", 14) == 0 && w->n_quarantined < MAX_QUARANTINED)
      w->quarantined[w->n_quarantined++] = argv[i] + 14;
    else
      return al_fail_param(err, argv[i], "unknown argument %s", argv[i]);
  }
  if (w->n_listen_fds < 1 || w->n_listen_fds > 8)
    return al_fail(err, AL_INVALID_REQUEST, "the worker is started by \"allm serve\", not by hand");
  return AL_OK;
}

/* Before any thread starts, so that all inherit the mask. SIGINT from a terminal is the supervisor's to act on. */
static enum al_code open_signals(struct worker *w, struct al_err *err)
{
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGHUP, SIG_IGN);
  sigset_t wanted;
  (void)sigemptyset(&wanted);
  (void)sigaddset(&wanted, SIGTERM);
  (void)sigprocmask(SIG_BLOCK, &wanted, nullptr);
  w->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC);
  return w->signal_fd >= 0 ? AL_OK : al_fail(err, AL_INTERNAL, "signalfd: %s", strerror(errno));
}

static enum al_code open_store(struct worker *w, struct al_err *err)
{
  char expanded[AL_MAX_MODEL_DIRS][4096];
  const char *directories[AL_MAX_MODEL_DIRS];
  for (size_t i = 0; i < w->config.n_models; i++) {
    AL_TRY(al_path_expand(expanded[i], sizeof expanded[i], w->config.models[i], err));
    directories[i] = expanded[i];
  }
  char builtin[4096] = "", hf_cache[4096] = "";
  if (w->config.builtin_models && w->config.builtin_directory[0] != '\0')
    AL_TRY(al_path_expand(builtin, sizeof builtin, w->config.builtin_directory, err));
  else if (w->config.builtin_models)
    AL_TRY(al_path_builtin_models(builtin, sizeof builtin, err));
  if (w->config.hf_cache)
    AL_TRY(al_path_hf_cache(hf_cache, sizeof hf_cache, err));
  struct al_store_options options = {
    .directories = directories,
    .n_directories = w->config.n_models,
    .builtin_directory = builtin[0] != '\0' ? builtin : nullptr,
    .hf_cache = hf_cache[0] != '\0' ? hf_cache : nullptr,
  };
  AL_TRY(al_store_new(&options, &w->store, err));
  for (size_t i = 0; i < w->config.n_model_paths; i++) {
    struct al_model_descriptor *descriptor = nullptr;
    AL_TRY(al_store_register_path(w->store, w->config.model_paths[i], &descriptor, err));
    al_descriptor_unref(descriptor);
  }
  return AL_OK;
}

static enum al_code read_kv_type(const char *name, enum al_kv_type *type, struct al_err *err)
{
  static const struct {
    const char *name;
    enum al_kv_type type;
  } types[] = { { "f16", AL_KV_F16 }, { "f32", AL_KV_F32 }, { "q8_0", AL_KV_Q8_0 } };
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    if (strcmp(types[i].name, name) == 0) {
      *type = types[i].type;
      return AL_OK;
    }
  }
  return al_fail_param(err, "kv-type", "kv-type is f16, f32 or q8_0, not \"%s\"", name);
}

static void mark_engine(void *user, const char *model_id, bool inside)
{
  al_crash_board_mark(user, model_id, inside);
}

static enum al_code open_inference(struct worker *w, struct al_err *err)
{
  const struct al_config *config = &w->config;
  struct al_inference_options options = {
    .store = w->store,
    .registry = al_builtin_engines(),
    .load = {
      .n_ctx = config->n_ctx,
      .n_batch = config->n_batch,
      .n_seq_max = config->parallel,
      .n_threads = config->n_threads,
      .n_gpu_layers = config->n_gpu_layers,
    },
    .idle_unload_ms = config->keep_alive_s * 1000,
    .quarantined = w->quarantined,
    .n_quarantined = w->n_quarantined,
    .in_engine = mark_engine,
    .in_engine_user = w->board,
  };
  (void)snprintf(options.load.quant, sizeof options.load.quant, "%s", config->quant);
  AL_TRY(read_kv_type(config->kv_type, &options.load.kv_type, err));
  return al_inference_new(&options, &w->inference, err);
}

static void read_stats(void *user, struct al_http_stats *stats)
{
  struct worker *w = user;
  struct al_http_server *server = atomic_load(&w->server);
  *stats = (struct al_http_stats){};
  if (server != nullptr)
    al_http_server_stats(server, stats);
}

/* "" when responses are not to be stored. A directory that cannot be named is no reason not to serve. */
static void find_data(const struct al_config *config, char *out, size_t size)
{
  struct al_err err;
  out[0] = '\0';
  if (!config->store_responses)
    return;
  enum al_code code =
      config->data_dir[0] != '\0' ? al_path_expand(out, size, config->data_dir, &err) : al_path_data(out, size, &err);
  if (code == AL_OK)
    return;
  out[0] = '\0';
  al_log_err(AL_LOG_WARN, "no_data_directory", &err);
}

static enum al_code open_server(struct worker *w, struct al_err *err)
{
  const struct al_config *config = &w->config;
  char data[4096];
  find_data(config, data, sizeof data);
  struct al_api_options api_options = {
    .inference = w->inference,
    .store = w->store,
    .api_key = config->api_key,
    .version = AL_VERSION,
    .started_s = al_wall_s(),
    .data_directory = data,
    .responses_max_age_s = config->responses_days * 24 * 3600,
    .responses_max_bytes = config->responses_bytes,
    .stats = read_stats,
    .stats_user = w,
  };
  AL_TRY(al_api_new(&api_options, &w->api, err));
  int fds[8];
  for (int i = 0; i < w->n_listen_fds; i++)
    fds[i] = AL_WORKER_FIRST_LISTEN_FD + i;
  struct al_http_server_options options = {
    .listen_fds = fds,
    .n_listen_fds = (size_t)w->n_listen_fds,
    .routes = al_api_routes,
    .n_routes = al_api_n_routes,
    .middleware = al_api_middleware,
    .n_middleware = al_api_n_middleware,
    .app = w->api,
    .limits.max_body_bytes = (size_t)config->max_body_bytes,
    .limits.max_upload_bytes = (size_t)config->max_upload_bytes,
    .tls_certificate = config->tls_cert[0] != '\0' ? config->tls_cert : nullptr,
    .tls_key = config->tls_key[0] != '\0' ? config->tls_key : nullptr,
  };
  struct al_http_server *server = nullptr;
  AL_TRY(al_http_server_start(&options, &server, err));
  atomic_store(&w->server, server);
  return AL_OK;
}

static enum al_code open_all(struct worker *w, int argc, char **argv, struct al_err *err)
{
  AL_TRY(read_arguments(w, argc, argv, err));
  AL_TRY(al_log_options(&w->config, err));
  AL_TRY(open_signals(w, err));
  AL_TRY(al_crash_board_open(AL_WORKER_BOARD_FD, &w->board, err));
  al_crash_board_watch(w->board);
  al_preflight_set_program("/proc/self/exe");
  char media[4096];
  AL_TRY(al_path_media(media, sizeof media, err));
  al_media_set_program(media);
  AL_TRY(open_store(w, err));
  AL_TRY(open_inference(w, err));
  return open_server(w, err);
}

static void say_ready(struct worker *w)
{
  al_crash_board_beat(w->board);
  if (write(AL_WORKER_READY_FD, "r", 1) != 1)
    al_log(AL_LOG_WARN, "supervisor_is_gone", AL_I("errno", errno));
  (void)close(AL_WORKER_READY_FD);
}

static void wait_for_stop(struct worker *w)
{
  struct pollfd wait = { .fd = w->signal_fd, .events = POLLIN };
  while (poll(&wait, 1, HEARTBEAT_MS) <= 0)
    al_crash_board_beat(w->board);
}

/* Requests in flight, and those whose clients had connected already, get drain_s to end; what is left then is
 * cancelled.
 */
static void close_all(struct worker *w)
{
  if (w->api != nullptr)
    al_api_set_draining(w->api);
  int64_t deadline_ns = al_deadline_in_ms(w->config.drain_s * 1000);
  if (w->server != nullptr)
    al_http_server_stop(w->server, deadline_ns);
  if (w->api != nullptr)
    al_api_wait_background(w->api, deadline_ns);
  if (w->api != nullptr)
    al_api_close(w->api);
  al_inference_free(w->inference);
  al_http_server_free(w->server);
  al_api_free(w->api);
  al_store_free(w->store);
  al_crash_board_free(w->board);
}

int al_worker_run(int argc, char **argv)
{
  struct worker *w = al_calloc(1, sizeof *w);
  struct al_err err = {};
  if (w == nullptr || open_all(w, argc, argv, &err) != AL_OK) {
    (void)fprintf(stderr, "allm: %s\n", w == nullptr ? "out of memory" : err.message);
    if (w != nullptr)
      close_all(w);
    al_free(w);
    return EXIT_BAD_CONFIG;
  }
  say_ready(w);
  wait_for_stop(w);
  al_log(AL_LOG_INFO, "worker_draining", AL_I("active", al_inference_n_active(w->inference)));
  close_all(w);
  al_free(w);
  return 0;
}
