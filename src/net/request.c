/* The request as handlers see it, and the rules a head must keep beyond what the parser checks. */
#include "net/exchange.h"

#include "base/alloc.h"

#include <ctype.h>
#include <strings.h>

static const struct al_net_fault no_fault = {};
static const struct al_net_fault out_of_memory = { 503, "out_of_memory",
                                                   "The server is short of memory; try again later." };

static struct al_net_fault bad(const char *message)
{
  return (struct al_net_fault){ 400, "malformed_request", message };
}

/* --- percent encoding ------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes bytes [at, at + size) of the text to its end. */
static bool decode(struct al_http_exchange *exchange, struct al_net_span from, bool is_query, struct al_net_span *out)
{
  struct al_buf *text = &exchange->text;
  *out = (struct al_net_span){ .at = (uint32_t)text->size };
  if (al_buf_room(text, from.size) == nullptr)
    return false;
  const char *in = text->data + from.at;
  char *to = text->data + text->size;
  for (uint32_t i = 0; i < from.size; i++) {
    char c = in[i];
    if (c == '+' && is_query)
      c = ' ';
    if (c == '%') {
      int high = i + 2 < from.size ? hex_digit(in[i + 1]) : -1;
      int low = i + 2 < from.size ? hex_digit(in[i + 2]) : -1;
      if (i + 2 == from.size || high < 0 || low < 0)
        return false;
      c = (char)(high << 4 | low);
      i += 2;
    }
    bool control = (unsigned char)c < 0x20 || c == 0x7f;
    if (c == '\0' || (control && !is_query))
      return false;
    to[out->size++] = c;
  }
  al_buf_grew(text, out->size);
  return true;
}

/* --- the target ------------------------------------------------------------------------------------------------- */

static struct al_net_fault add_query(struct al_http_exchange *exchange, struct al_net_span pair)
{
  if (pair.size == 0)
    return no_fault;
  if (exchange->n_query == AL_NET_MAX_QUERY)
    return bad("The URL has too many query parameters.");
  void *query = exchange->query;
  if (al_grow(&query, &exchange->cap_query, exchange->n_query + 1, sizeof *exchange->query, nullptr) != AL_OK)
    return out_of_memory;
  exchange->query = query;
  struct al_net_field *field = &exchange->query[exchange->n_query];
  struct al_str text = al_net_text(exchange, pair);
  const char *equals = memchr(text.data, '=', text.size);
  uint32_t name_size = equals != nullptr ? (uint32_t)(equals - text.data) : pair.size;
  uint32_t value_at = equals != nullptr ? name_size + 1 : pair.size;
  if (!decode(exchange, (struct al_net_span){ pair.at, name_size }, true, &field->name) ||
      !decode(exchange, (struct al_net_span){ pair.at + value_at, pair.size - value_at }, true, &field->value))
    return bad("The URL's query has a malformed percent encoding.");
  exchange->n_query++;
  return no_fault;
}

static struct al_net_fault set_query(struct al_http_exchange *exchange, struct al_net_span query)
{
  while (query.size > 0) {
    struct al_str text = al_net_text(exchange, query);
    const char *end = memchr(text.data, '&', text.size);
    uint32_t size = end != nullptr ? (uint32_t)(end - text.data) : query.size;
    struct al_net_fault fault = add_query(exchange, (struct al_net_span){ query.at, size });
    if (fault.status != 0)
      return fault;
    uint32_t used = end != nullptr ? size + 1 : size;
    query = (struct al_net_span){ query.at + used, query.size - used };
  }
  return no_fault;
}

/* RFC 9112, 3.2.2: "http://host:port/path": the scheme and authority are dropped. 0: not of that form. */
static uint32_t authority_size(struct al_str target)
{
  static const char *const schemes[] = { "http://", "https://" };
  for (size_t i = 0; i < AL_COUNT(schemes); i++) {
    size_t skip = strlen(schemes[i]);
    if (target.size <= skip || strncasecmp(target.data, schemes[i], skip) != 0)
      continue;
    size_t end = skip;
    while (end < target.size && target.data[end] != '/' && target.data[end] != '?')
      end++;
    return end > skip ? (uint32_t)end : 0;
  }
  return 0;
}

static struct al_net_fault set_target(struct al_http_exchange *exchange)
{
  struct al_net_span whole = exchange->target;
  struct al_str text = al_net_text(exchange, whole);
  if (text.size > 0 && memchr(text.data, '#', text.size) != nullptr)
    return bad("The request target must not have a fragment.");
  bool asterisk = al_str_is(text, "*");
  if (asterisk && exchange->method != AL_HTTP_OPTIONS)
    return bad("The request target * goes with OPTIONS alone.");
  if (!asterisk && (text.size == 0 || text.data[0] != '/')) {
    uint32_t skip = authority_size(text);
    if (skip == 0)
      return bad("The request target must be a path or an absolute http URL.");
    whole = (struct al_net_span){ whole.at + skip, whole.size - skip };
    text = al_net_text(exchange, whole);
  }
  const char *mark = text.size > 0 ? memchr(text.data, '?', text.size) : nullptr;
  uint32_t path_size = mark != nullptr ? (uint32_t)(mark - text.data) : whole.size;
  if (!decode(exchange, (struct al_net_span){ whole.at, path_size }, false, &exchange->path))
    return bad("The URL's path has a malformed percent encoding or a control character.");
  if (exchange->path.size == 0) { /* "http://host" */
    al_buf_char(&exchange->text, '/');
    exchange->path.size = 1;
  }
  if (mark == nullptr)
    return no_fault;
  return set_query(exchange, (struct al_net_span){ whole.at + path_size + 1, whole.size - path_size - 1 });
}

/* --- headers ---------------------------------------------------------------------------------------------------- */

static bool same_name(struct al_str have, const char *name)
{
  return have.size == strlen(name) && strncasecmp(have.data, name, have.size) == 0;
}

size_t al_net_request_count(const struct al_http_exchange *exchange, const char *name)
{
  size_t count = 0;
  for (size_t i = 0; i < exchange->n_headers; i++)
    count += same_name(al_net_text(exchange, exchange->headers[i].name), name);
  return count;
}

static bool host_is_sane(struct al_str host)
{
  for (size_t i = 0; i < host.size; i++) {
    unsigned char c = (unsigned char)host.data[i];
    if (!isalnum(c) && strchr("-._~:[]%!$&'()*+;=", c) == nullptr)
      return false;
  }
  return true;
}

static struct al_net_fault check_host(const struct al_http_exchange *exchange)
{
  size_t n_hosts = al_net_request_count(exchange, "host");
  if (n_hosts > 1)
    return bad("The request has more than one Host header.");
  if (n_hosts == 0 && !exchange->http_1_0)
    return bad("The request lacks its Host header.");
  if (!host_is_sane(al_http_header(exchange, "host")))
    return bad("The Host header is malformed.");
  return no_fault;
}

static struct al_net_fault check_coding(const struct al_http_exchange *exchange)
{
  size_t n_codings = al_net_request_count(exchange, "transfer-encoding");
  if (n_codings == 0)
    return no_fault;
  if (exchange->http_1_0)
    return bad("HTTP/1.0 has no Transfer-Encoding.");
  struct al_str coding = al_http_header(exchange, "transfer-encoding");
  if (n_codings > 1 || !same_name(coding, "chunked"))
    return (struct al_net_fault){ 501, "unsupported_encoding", "The only transfer coding known here is chunked." };
  return no_fault;
}

static struct al_net_fault check_expectation(const struct al_http_exchange *exchange)
{
  struct al_str expect = al_http_header(exchange, "expect");
  if (expect.data == nullptr || exchange->http_1_0 || same_name(expect, "100-continue"))
    return no_fault;
  return (struct al_net_fault){ 417, "unknown_expectation", "The only expectation known here is 100-continue." };
}

struct al_net_fault al_net_request_check(struct al_http_exchange *exchange)
{
  struct al_net_fault fault = check_host(exchange);
  if (fault.status == 0)
    fault = check_coding(exchange);
  if (fault.status == 0)
    fault = check_expectation(exchange);
  if (fault.status == 0)
    fault = set_target(exchange);
  if (fault.status == 0 && exchange->text.failed)
    fault = out_of_memory;
  return fault;
}

/* --- what handlers read ----------------------------------------------------------------------------------------- */

enum al_http_method al_http_method(const struct al_http_exchange *exchange)
{
  return exchange->method;
}

const char *al_http_method_name(enum al_http_method method)
{
  static const char *const names[] = { [AL_HTTP_GET] = "GET",         [AL_HTTP_HEAD] = "HEAD",
                                       [AL_HTTP_POST] = "POST",       [AL_HTTP_PUT] = "PUT",
                                       [AL_HTTP_PATCH] = "PATCH",     [AL_HTTP_DELETE] = "DELETE",
                                       [AL_HTTP_OPTIONS] = "OPTIONS", [AL_HTTP_METHOD_COUNT] = "OTHER" };
  return names[method];
}

struct al_str al_http_path(const struct al_http_exchange *exchange)
{
  return al_net_text(exchange, exchange->path);
}

struct al_str al_http_param(const struct al_http_exchange *exchange, const char *name)
{
  const struct al_net_params *params = &exchange->match.params;
  for (size_t i = 0; i < params->count; i++)
    if (al_str_is(params->name[i], name))
      return params->value[i];
  return (struct al_str){};
}

struct al_str al_http_query(const struct al_http_exchange *exchange, const char *name)
{
  for (size_t i = 0; i < exchange->n_query; i++)
    if (al_str_is(al_net_text(exchange, exchange->query[i].name), name))
      return al_net_text(exchange, exchange->query[i].value);
  return (struct al_str){};
}

struct al_str al_http_header(const struct al_http_exchange *exchange, const char *name)
{
  for (size_t i = 0; i < exchange->n_headers; i++)
    if (same_name(al_net_text(exchange, exchange->headers[i].name), name))
      return al_net_text(exchange, exchange->headers[i].value);
  return (struct al_str){};
}

struct al_str al_http_body(const struct al_http_exchange *exchange)
{
  return al_buf_view(&exchange->body);
}

void *al_http_sink(const struct al_http_exchange *exchange)
{
  return exchange->sink;
}

const char *al_http_peer(const struct al_http_exchange *exchange)
{
  return exchange->peer;
}

const char *al_http_request_id(const struct al_http_exchange *exchange)
{
  return exchange->id;
}

const struct al_http_route *al_http_route(const struct al_http_exchange *exchange)
{
  return exchange->match.route;
}

struct al_cancel *al_http_cancel(const struct al_http_exchange *exchange)
{
  return exchange->cancel;
}

int64_t al_http_started_ns(const struct al_http_exchange *exchange)
{
  return exchange->started_ns;
}
