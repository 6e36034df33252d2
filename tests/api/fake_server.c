/* The whole way of a request, sockets and threads included, on the engine that needs no model: what the API tests start
 * when they want exact control. Usage: fake_server [--api-key KEY] [--decode-ms N] [--n-ctx N]
 * [--data-dir DIR] [--tls-cert FILE --tls-key FILE] [--hear-ms N (a second of audio)] [--speak-us N (a letter)]
 * [--load-ms N] [--max-upload BYTES]
 *
 * Models: "fake" (letters drawn by a hash), "org/fake" (likewise), "broken" (cannot run), "fake-whisper" and
 * "fake-voice", which need the program allm-media ($ALLM_MEDIA, or of the same build), and others. Prints "listening on
 * http://127.0.0.1:PORT" and ends on SIGTERM. */
#include "api/api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/fake/fake.h"
#include "inference/inference.h"
#include "media/media.h"
#include "net/http.h"
#include "os/file.h"
#include "tests/kit/fake_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct arguments {
  const char *api_key;
  const char *data_directory;
  const char *tls_certificate, *tls_key;
  int decode_ms, hear_ms, load_ms, speak_us;
  int n_ctx;
  int max_upload;
};

static void read_number(struct arguments *a, const char *name, int value)
{
  const struct {
    const char *name;
    int *field;
  } numbers[] = { { "--decode-ms", &a->decode_ms }, { "--n-ctx", &a->n_ctx },     { "--hear-ms", &a->hear_ms },
                  { "--speak-us", &a->speak_us },   { "--load-ms", &a->load_ms }, { "--max-upload", &a->max_upload } };
  for (size_t i = 0; i < AL_COUNT(numbers); i++)
    if (strcmp(numbers[i].name, name) == 0)
      *numbers[i].field = value;
}

/* $ALLM_MEDIA, or the program of this build: we lie in its tests/api/. */
static void find_media(void)
{
  char directory[4000], path[4096];
  const char *named = getenv("ALLM_MEDIA");
  if (named != nullptr)
    al_media_set_program(named);
  else if (al_path_of_program(directory, sizeof directory, nullptr) == AL_OK &&
           al_path_join(path, sizeof path, directory, "../../allm-media", nullptr) == AL_OK)
    al_media_set_program(path);
}

static struct arguments read_arguments(int argc, char **argv)
{
  struct arguments a = { .n_ctx = 4096 };
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--api-key") == 0)
      a.api_key = argv[i + 1];
    else if (strcmp(argv[i], "--data-dir") == 0)
      a.data_directory = argv[i + 1];
    else if (strcmp(argv[i], "--tls-cert") == 0)
      a.tls_certificate = argv[i + 1];
    else if (strcmp(argv[i], "--tls-key") == 0)
      a.tls_key = argv[i + 1];
    else
      read_number(&a, argv[i], (int)strtol(argv[i + 1], nullptr, 10));
  }
  return a;
}

static _Atomic(struct al_http_server *) running; /* set once it has started; requests may come before */

static void read_stats(void *user, struct al_http_stats *stats)
{
  (void)user;
  struct al_http_server *server = atomic_load(&running);
  if (server != nullptr)
    al_http_server_stats(server, stats);
}

static enum al_code serve(const struct arguments *a, struct al_store *store, const sigset_t *signals,
                          struct al_err *err)
{
  static const struct al_engine *const engines[] = { &al_engine_fake };
  struct al_inference *inference = nullptr;
  AL_TRY(al_inference_new(&(struct al_inference_options){ .store = store,
                                                          .registry = { engines, AL_COUNT(engines) },
                                                          .load = { .n_ctx = a->n_ctx, .n_seq_max = 32 } },
                          &inference, err));
  struct al_api *api = nullptr;
  struct al_api_options options = { .inference = inference,
                                    .store = store,
                                    .api_key = a->api_key,
                                    .stats = read_stats,
                                    .data_directory = a->data_directory };
  AL_TRY(al_api_new(&options, &api, err));
  struct al_http_server *server = nullptr;
  int fd = -1, port = 0;
  AL_TRY(al_http_listen("127.0.0.1", 0, &fd, &port, err));
  AL_TRY(al_http_server_start(&(struct al_http_server_options){ .listen_fds = &fd,
                                                                .n_listen_fds = 1,
                                                                .n_loops = 2,
                                                                .routes = al_api_routes,
                                                                .n_routes = al_api_n_routes,
                                                                .middleware = al_api_middleware,
                                                                .n_middleware = al_api_n_middleware,
                                                                .app = api,
                                                                .limits.max_upload_bytes = (size_t)a->max_upload,
                                                                .tls_certificate = a->tls_certificate,
                                                                .tls_key = a->tls_key },
                              &server, err));
  atomic_store(&running, server);
  (void)printf("listening on http://127.0.0.1:%d\n", port);
  (void)fflush(stdout);
  int signal_number = 0;
  (void)sigwait(signals, &signal_number);
  al_api_set_draining(api);
  int64_t deadline_ns = al_deadline_in_ms(5000);
  al_http_server_stop(server, deadline_ns);
  al_api_wait_background(api, deadline_ns);
  al_api_close(api);
  al_http_server_free(server);
  al_inference_free(inference);
  al_api_free(api);
  return AL_OK;
}

int main(int argc, char **argv)
{
  struct arguments a = read_arguments(argc, argv);
  sigset_t signals;
  (void)sigemptyset(&signals);
  (void)sigaddset(&signals, SIGTERM);
  (void)sigaddset(&signals, SIGINT);
  (void)sigprocmask(SIG_BLOCK, &signals, nullptr); /* before any thread starts */
  (void)signal(SIGPIPE, SIG_IGN);
  al_log_setup(AL_LOG_WARN, false);
  al_fake_reset();
  atomic_store(&al_fake_knobs.decode_ns, (int64_t)a.decode_ms * AL_NS_PER_MS);
  atomic_store(&al_fake_knobs.hear_ns, (int64_t)a.hear_ms * AL_NS_PER_MS);
  atomic_store(&al_fake_knobs.speak_ns, (int64_t)a.speak_us * 1000);
  atomic_store(&al_fake_knobs.load_ns, (int64_t)a.load_ms * AL_NS_PER_MS);
  atomic_store(&al_fake_knobs.chat_template, al_fake_chatml);
  find_media();
  struct al_store *store = al_fake_store_new();
  struct al_err err;
  bool worked = serve(&a, store, &signals, &err) == AL_OK;
  if (!worked)
    (void)fprintf(stderr, "fake_server: %s\n", err.message);
  al_store_free(store);
  return worked ? 0 : 1;
}
