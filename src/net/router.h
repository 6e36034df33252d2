/* Which route answers a path. The table is the caller's, static; a few dozen routes are matched one by one.
 * Literal routes win over routes with parameters; otherwise the first in the table wins. Thread-safe: nothing changes.
 */
#ifndef AL_NET_ROUTER_H
#define AL_NET_ROUTER_H

#include "net/http.h"

constexpr size_t AL_NET_MAX_PARAMS = 4;

struct al_net_params {
  struct al_str name[AL_NET_MAX_PARAMS];  /* borrowed from the route */
  struct al_str value[AL_NET_MAX_PARAMS]; /* borrowed from the path */
  size_t count;
};

struct al_net_match {
  const struct al_http_route *route; /* nullptr: none for this method */
  unsigned allowed;                  /* bit per al_http_method that some route has for this path; 0: unknown path */
  struct al_net_params params;
};

/* AL_INVALID_REQUEST names the route whose pattern makes no sense. */
enum al_code al_net_routes_check(const struct al_http_route *routes, size_t n_routes, struct al_err *err);

/* method may be AL_HTTP_METHOD_COUNT (one that no route can have). HEAD finds GET's route. */
struct al_net_match al_net_routes_find(const struct al_http_route *routes, size_t n_routes, enum al_http_method method,
                                       struct al_str path);

/* "GET, HEAD, OPTIONS": HEAD wherever GET is, OPTIONS always. */
void al_net_allow_list(unsigned allowed, char *out, size_t size);

#endif
