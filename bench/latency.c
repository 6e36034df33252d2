/* What streaming adds: the time from the moment a token leaves the engine to the moment its bytes are read from the
 * socket by a client in the same process. Server, API, scheduler and sampler are the real ones; the engine is the fake.
 *
 * The engine's side of a token is stamped when the scheduler leaves the engine (in_engine, false); the client stamps
 * each read. Prints percentiles in microseconds. */
#include "api/api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "engine/fake/fake.h"
#include "inference/inference.h"
#include "net/http.h"
#include "tests/kit/fake_store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

constexpr int MAX_STEPS = 100'000;
constexpr int N_TOKENS = 1000;

static int64_t left_engine_ns[MAX_STEPS];
static atomic_int n_left;

static void stamp(void *user, const char *model_id, bool inside)
{
  (void)user, (void)model_id;
  if (inside)
    return;
  int at = atomic_fetch_add(&n_left, 1);
  if (at < MAX_STEPS)
    left_engine_ns[at] = al_now_ns();
}

static void check(enum al_code code, const struct al_err *err)
{
  if (code == AL_OK)
    return;
  (void)fprintf(stderr, "latency: %s\n", err->message);
  exit(1);
}

static int connect_to(int port)
{
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
    exit(1);
  return fd;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Reads the stream to its end; delays[i] is how long ago the engine was left when the i-th read came. */
static int read_stream(int fd, double *delays_us)
{
  char bytes[65536];
  int n = 0;
  for (;;) {
    ssize_t got = recv(fd, bytes, sizeof bytes - 1, 0);
    int64_t now_ns = al_now_ns();
    if (got <= 0)
      return n;
    bytes[got] = '\0';
    int left = atomic_load(&n_left);
    if (left > 0 && strstr(bytes, "\"delta\":{\"content\"") != nullptr && n < N_TOKENS)
      delays_us[n++] = (double)(now_ns - left_engine_ns[left - 1]) / 1000.0;
    if (strstr(bytes, "[DONE]") != nullptr)
      return n;
  }
}

static void measure(int port)
{
  char body[512], request[1024];
  (void)snprintf(body, sizeof body,
                 "{\"model\":\"fake\",\"stream\":true,\"max_tokens\":%d,\"ignore_eos\":true,\"temperature\":0,"
                 "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                 N_TOKENS);
  (void)snprintf(request, sizeof request,
                 "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
  int fd = connect_to(port);
  if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
    exit(1);
  static double delays_us[N_TOKENS];
  int n = read_stream(fd, delays_us);
  (void)close(fd);
  qsort(delays_us, (size_t)n, sizeof delays_us[0], compare);
  if (n > 0)
    (void)printf("latency: engine to socket over %d tokens: p50 %.0f us, p90 %.0f us, p99 %.0f us, max %.0f us\n", n,
                 delays_us[n / 2], delays_us[n * 9 / 10], delays_us[n * 99 / 100], delays_us[n - 1]);
}

static void serve_and_measure(struct al_store *store)
{
  static const struct al_engine *const engines[] = { &al_engine_fake };
  struct al_err err = {};
  struct al_inference *inference = nullptr;
  struct al_inference_options inference_options = {
    .store = store,
    .registry = { engines, AL_COUNT(engines) },
    .in_engine = stamp,
  };
  check(al_inference_new(&inference_options, &inference, &err), &err);
  struct al_api *api = nullptr;
  struct al_api_options api_options = { .inference = inference, .store = store };
  check(al_api_new(&api_options, &api, &err), &err);
  int fd = -1, port = 0;
  check(al_http_listen("127.0.0.1", 0, &fd, &port, &err), &err);
  struct al_http_server *server = nullptr;
  struct al_http_server_options options = {
    .listen_fds = &fd,
    .n_listen_fds = 1,
    .routes = al_api_routes,
    .n_routes = al_api_n_routes,
    .middleware = al_api_middleware,
    .n_middleware = al_api_n_middleware,
    .app = api,
  };
  check(al_http_server_start(&options, &server, &err), &err);
  measure(port);
  al_inference_drain(inference);
  al_http_server_stop(server, al_deadline_in_ms(1000));
  al_http_server_free(server);
  al_inference_free(inference);
  al_api_free(api);
}

int main(void)
{
  (void)signal(SIGPIPE, SIG_IGN);
  al_log_setup(AL_LOG_WARN, false);
  al_fake_reset();
  atomic_store(&al_fake_knobs.decode_ns, 2 * AL_NS_PER_MS);
  atomic_store(&al_fake_knobs.never_ends, true);
  atomic_store(&al_fake_knobs.chat_template, al_fake_chatml);
  struct al_store *store = al_fake_store_new();
  serve_and_measure(store);
  al_store_free(store);
  return 0;
}
