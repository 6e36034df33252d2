#include "net/router.h"

#include <stdio.h>

/* Splits the next "/segment" off; false at the end of the path. */
static bool next_segment(struct al_str *rest, struct al_str *segment)
{
  if (rest->size == 0 || rest->data[0] != '/')
    return false;
  const char *start = rest->data + 1;
  size_t left = rest->size - 1;
  const char *slash = left > 0 ? memchr(start, '/', left) : nullptr;
  size_t size = slash != nullptr ? (size_t)(slash - start) : left;
  *segment = al_str_n(start, size);
  *rest = al_str_n(start + size, left - size);
  return true;
}

static bool is_param(struct al_str segment)
{
  if (segment.size <= 2 || segment.data[0] != '{')
    return false;
  return memchr(segment.data, '}', segment.size) == segment.data + segment.size - 1;
}

/* "{id...}" -> "id", *rest_of_path true. */
static struct al_str param_name(struct al_str segment, bool *rest_of_path)
{
  struct al_str name = al_str_n(segment.data + 1, segment.size - 2);
  *rest_of_path = name.size > 3 && al_str_ends(name, al_str("..."));
  if (*rest_of_path)
    name.size -= 3;
  return name;
}

static void keep_param(struct al_net_params *params, struct al_str name, struct al_str value)
{
  if (params->count == AL_NET_MAX_PARAMS)
    return;
  params->name[params->count] = name;
  params->value[params->count++] = value;
}

static bool matches(struct al_str pattern, struct al_str path, struct al_net_params *params)
{
  struct al_str wanted, given;
  *params = (struct al_net_params){};
  while (next_segment(&pattern, &wanted)) {
    if (path.size == 0)
      return false;
    if (is_param(wanted)) {
      bool rest_of_path;
      struct al_str name = param_name(wanted, &rest_of_path);
      if (rest_of_path) {
        keep_param(params, name, al_str_n(path.data + 1, path.size - 1));
        return path.size > 1;
      }
      if (!next_segment(&path, &given) || given.size == 0)
        return false;
      keep_param(params, name, given);
    } else if (!next_segment(&path, &given) || !al_str_eq(wanted, given)) {
      return false;
    }
  }
  return path.size == 0;
}

static bool has_params(const struct al_http_route *route)
{
  return strchr(route->path, '{') != nullptr;
}

struct al_net_match al_net_routes_find(const struct al_http_route *routes, size_t n_routes, enum al_http_method method,
                                       struct al_str path)
{
  struct al_net_match match = {};
  enum al_http_method wanted = method == AL_HTTP_HEAD ? AL_HTTP_GET : method;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < n_routes; i++) {
      struct al_net_params params;
      if (has_params(&routes[i]) != (pass == 1) || !matches(al_str(routes[i].path), path, &params))
        continue;
      match.allowed |= 1u << routes[i].method;
      if (match.route == nullptr && routes[i].method == wanted) {
        match.route = &routes[i];
        match.params = params;
      }
    }
  }
  return match;
}

void al_net_allow_list(unsigned allowed, char *out, size_t size)
{
  if ((allowed & 1u << AL_HTTP_GET) != 0)
    allowed |= 1u << AL_HTTP_HEAD;
  allowed |= 1u << AL_HTTP_OPTIONS;
  size_t used = 0;
  out[0] = '\0';
  for (unsigned method = 0; method < AL_HTTP_METHOD_COUNT; method++) {
    if ((allowed & 1u << method) == 0 || used >= size)
      continue;
    int wrote = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
                         al_http_method_name((enum al_http_method)method));
    used += wrote > 0 ? (size_t)wrote : 0;
  }
}

static enum al_code check_pattern(const char *path, struct al_err *err)
{
  struct al_str rest = al_str(path), segment;
  size_t n_params = 0;
  bool ended = false;
  if (rest.size == 0 || path[0] != '/')
    return al_fail(err, AL_INVALID_REQUEST, "route \"%s\": a path begins with '/'", path);
  while (next_segment(&rest, &segment)) {
    if (ended)
      return al_fail(err, AL_INVALID_REQUEST, "route \"%s\": nothing may follow {name...}", path);
    bool braces =
        segment.size > 0 && (memchr(segment.data, '{', segment.size) || memchr(segment.data, '}', segment.size));
    if (braces && !is_param(segment))
      return al_fail(err, AL_INVALID_REQUEST, "route \"%s\": a parameter is a whole segment", path);
    if (!braces)
      continue;
    if (++n_params > AL_NET_MAX_PARAMS)
      return al_fail(err, AL_INVALID_REQUEST, "route \"%s\": more than %zu parameters", path, AL_NET_MAX_PARAMS);
    (void)param_name(segment, &ended);
  }
  return AL_OK;
}

enum al_code al_net_routes_check(const struct al_http_route *routes, size_t n_routes, struct al_err *err)
{
  for (size_t i = 0; i < n_routes; i++) {
    if (routes[i].path == nullptr || routes[i].handler == nullptr || routes[i].method >= AL_HTTP_METHOD_COUNT)
      return al_fail(err, AL_INVALID_REQUEST, "route %zu lacks a path, a handler or a method", i);
    const struct al_http_body_sink *sink = routes[i].sink;
    if (sink != nullptr && (sink->begin == nullptr || sink->data == nullptr || sink->free == nullptr))
      return al_fail(err, AL_INVALID_REQUEST, "route \"%s\": its sink lacks a function", routes[i].path);
    if (sink == nullptr && routes[i].max_body_bytes == SIZE_MAX)
      return al_fail(err, AL_INVALID_REQUEST, "route \"%s\": uploads need a sink", routes[i].path);
    AL_TRY(check_pattern(routes[i].path, err));
  }
  return AL_OK;
}
