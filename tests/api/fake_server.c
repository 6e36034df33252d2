/* The whole way of a request, sockets and threads included, on the engine that needs no model: what the API tests start
 * when they want exact control. Usage: fake_server [--api-key KEY] [--decode-ms N] [--n-ctx N]
 *
 * Models: "fake" (letters drawn by a hash), "org/fake" (likewise), "broken" (cannot run). Prints "listening on
 * http://127.0.0.1:PORT" and ends on SIGTERM. */
#include "api/api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/fake/fake.h"
#include "inference/inference.h"
#include "net/http.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* --- a store without a disk; linked instead of store/store.c ---------------------------------------------------------
 */

struct al_store {
  struct al_model_descriptor *models[3]; /* sorted by id */
};

static struct al_model_descriptor *make_model(const char *id, bool works)
{
  struct al_model_descriptor *model = al_descriptor_new();
  if (model == nullptr)
    abort();
  model->id = al_strdup(id);
  model->runtime = al_strdup("fake");
  model->architecture = al_strdup("fake");
  model->quantisation = al_strdup("F32");
  model->directory = al_strdup("/nowhere/models");
  model->type = AL_TYPE_LLM;
  model->capabilities = AL_CAN_CHAT | AL_CAN_COMPLETE;
  model->n_ctx_train = 4096;
  model->modified_s = 1'700'000'000;
  if (!works)
    (void)!al_fail(&model->problem, AL_MODEL_CORRUPT, "/nowhere/models/broken.gguf ends after 7 bytes");
  return model;
}

enum al_code al_store_find(struct al_store *store, const char *id, struct al_model_descriptor **descriptor,
                           struct al_err *err)
{
  for (size_t i = 0; i < AL_COUNT(store->models); i++)
    if (strcmp(store->models[i]->id, id) == 0) {
      *descriptor = al_descriptor_ref(store->models[i]);
      return AL_OK;
    }
  return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "There is no model '%s'", id), "model_not_found");
}

enum al_code al_store_list(struct al_store *store, struct al_model_list *list, struct al_err *err)
{
  struct al_model_descriptor **items = al_calloc(AL_COUNT(store->models), sizeof(struct al_model_descriptor *));
  if (items == nullptr)
    return al_fail_oom(err, sizeof store->models);
  for (size_t i = 0; i < AL_COUNT(store->models); i++)
    items[i] = al_descriptor_ref(store->models[i]);
  *list = (struct al_model_list){ items, AL_COUNT(store->models) };
  return AL_OK;
}

void al_store_list_free(struct al_model_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_descriptor_unref(list->items[i]);
  al_free(list->items);
  *list = (struct al_model_list){};
}

enum al_code al_store_refresh(struct al_store *store, struct al_err *err)
{
  (void)store;
  (void)err;
  return AL_OK;
}

/* ----------------------------------------------------------------------------------------------------------------- */

struct arguments {
  const char *api_key;
  int decode_ms;
  int n_ctx;
};

static struct arguments read_arguments(int argc, char **argv)
{
  struct arguments a = { .n_ctx = 4096 };
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--api-key") == 0)
      a.api_key = argv[i + 1];
    else if (strcmp(argv[i], "--decode-ms") == 0)
      a.decode_ms = (int)strtol(argv[i + 1], nullptr, 10);
    else if (strcmp(argv[i], "--n-ctx") == 0)
      a.n_ctx = (int)strtol(argv[i + 1], nullptr, 10);
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
  struct al_api_options options = {
    .inference = inference, .store = store, .api_key = a->api_key, .stats = read_stats
  };
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
                                                                .app = api },
                              &server, err));
  atomic_store(&running, server);
  (void)printf("listening on http://127.0.0.1:%d\n", port);
  (void)fflush(stdout);
  int signal_number = 0;
  (void)sigwait(signals, &signal_number);
  al_api_set_draining(api);
  al_inference_drain(inference);
  al_http_server_stop(server, al_deadline_in_ms(5000));
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
  atomic_store(&al_fake_knobs.chat_template, al_fake_chatml);
  struct al_store store = { .models = { make_model("broken", false), make_model("fake", true),
                                        make_model("org/fake", true) } };
  struct al_err err;
  bool worked = serve(&a, &store, &signals, &err) == AL_OK;
  if (!worked)
    (void)fprintf(stderr, "fake_server: %s\n", err.message);
  for (size_t i = 0; i < AL_COUNT(store.models); i++)
    al_descriptor_unref(store.models[i]);
  return worked ? 0 : 1;
}
