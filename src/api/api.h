/* The HTTP API: routes and middleware for net's server, on top of the InferenceEngine.
 *
 *   al_api_new(&options, &api, err); server_options.routes = al_api_routes; ...middleware...; .app = api
 *
 * The app pointer of the server is the `struct al_api *`. Handlers run on the server's loop threads, answers come from
 * the engine's threads. Free it after the server has stopped and the inference engine is gone. */
#ifndef AL_API_API_H
#define AL_API_API_H

#include "base/err.h"
#include "inference/inference.h"
#include "net/http.h"

struct al_api;

struct al_api_options {
  struct al_inference *inference; /* borrowed */
  struct al_store *store;         /* borrowed */
  const char *api_key;            /* only its digest is kept; "" or nullptr: no key is needed */
  const char *version;            /* copied; nullptr: the program's own */
  int64_t started_s;              /* Unix time of the start; 0: now */
  const char *data_directory;     /* where responses are stored; "" or nullptr: nowhere. The server runs without, too */
  int64_t responses_max_age_s;    /* older ones are dropped; 0: never */
  int64_t responses_max_bytes;    /* the oldest are dropped past it; 0: no limit */
  /* Fills in the server's counters for /status; runs on a loop thread. nullptr: left out. */
  void (*stats)(void *user, struct al_http_stats *stats);
  void *stats_user;
};

enum al_code al_api_new(const struct al_api_options *options, struct al_api **api, struct al_err *err);
void al_api_free(struct al_api *api); /* accepts nullptr */

/* From now on /health/ready answers 503, so that a load balancer looks elsewhere. What still comes was accepted by this
 * process and can be answered by nobody else: it is taken. Thread-safe. */
void al_api_set_draining(struct al_api *api);
/* When the HTTP server has stopped: from now on nothing is handed to the inference engine by the api's own threads. May
 * wait for a disk. */
void al_api_close(struct al_api *api);
/* Returns when no response runs in the background any more, or at the deadline. */
void al_api_wait_background(struct al_api *api, int64_t deadline_ns);

extern const struct al_http_route al_api_routes[];
extern const size_t al_api_n_routes;
extern const struct al_http_middleware al_api_middleware[];
extern const size_t al_api_n_middleware;

#endif
