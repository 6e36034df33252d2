/* The command line's client sends files. */
#include "kit.h"

#include "base/thread.h"
#include "net/client.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

constexpr size_t FILE_BYTES = 5'000'000;

static struct al_err err;
static char bytes[FILE_BYTES];

static int make_file(void)
{
  for (size_t i = 0; i < FILE_BYTES; i++)
    bytes[i] = (char)('a' + i % 23);
  int fd = memfd_create("upload", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, FILE_BYTES), FILE_BYTES);
  return fd; /* its offset stands at the end */
}

struct progress {
  uint64_t sent;
  int n_calls;
  int cancel_fd; /* written to by the first call; 0: none */
  int shorten_fd;
};

static void on_sent(void *user, uint64_t sent_bytes)
{
  struct progress *progress = user;
  assert_true(sent_bytes > progress->sent);
  progress->sent = sent_bytes;
  progress->n_calls++;
  if (progress->cancel_fd > 0)
    assert_int_equal(write(progress->cancel_fd, "x", 1), 1);
  if (progress->shorten_fd > 0)
    assert_int_equal(ftruncate(progress->shorten_fd, 1000), 0);
}

static enum al_code open_port(int port, int cancel_fd, struct al_http_client **client)
{
  char url[64];
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  return al_http_client_open(&(struct al_http_client_options){ .url = url, .cancel_fd = cancel_fd }, client, &err);
}

struct sending {
  const char *path;
  int cancel_fd;
  struct al_http_client_upload upload;
  const struct al_http_client_header *header;
};

static enum al_code send_to(int port, const struct sending *sending, int *status, struct al_buf *answer)
{
  AL_CLEANUP(al_http_client_close_p) struct al_http_client *client = nullptr;
  const struct al_http_client_request request = {
    .method = "POST",
    .path = sending->path,
    .headers = sending->header,
    .n_headers = sending->header != nullptr,
    .content_type = "text/plain",
    .body = al_str("head"),
    .upload = &sending->upload,
  };
  err = (struct al_err){};
  AL_TRY(open_port(port, sending->cancel_fd, &client));
  AL_TRY(al_http_client_send(client, &request, status, &err));
  return al_http_client_read_all(client, answer, 10'000, &err);
}

static void test_whole_file(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = make_file();
  struct progress progress = {};
  struct sending sending = { "/echo", 0, { fd, FILE_BYTES, al_str("tail"), 0, on_sent, &progress }, nullptr };
  int status = 0;
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  assert_int_equal(send_to(kit.port, &sending, &status, &answer), AL_OK);
  assert_int_equal(status, 200);
  assert_int_equal(answer.size, FILE_BYTES + 8);
  assert_memory_equal(answer.data, "head", 4);
  assert_memory_equal(answer.data + 4, bytes, FILE_BYTES);
  assert_memory_equal(answer.data + 4 + FILE_BYTES, "tail", 4);
  assert_int_equal(progress.sent, FILE_BYTES);
  assert_true(progress.n_calls >= 30);
  al_buf_clear(&answer); /* a file of nothing, and only its beginning */
  sending.upload.size_bytes = 0;
  assert_int_equal(send_to(kit.port, &sending, &status, &answer), AL_OK);
  assert_string_equal(answer.data, "headtail");
  al_buf_clear(&answer);
  sending.upload.size_bytes = 3;
  sending.upload.on_sent = nullptr;
  assert_int_equal(send_to(kit.port, &sending, &status, &answer), AL_OK);
  assert_string_equal(answer.data, "headabctail");
  close(fd);
  kit_stop(&kit);
}

/* The server says no before it has read everything: that is what the caller hears. */
static void test_early_answers(void **state)
{
  (void)state;
  static const struct al_http_client_header refused = { "X-Refuse", "yes" };
  static const struct {
    const char *path;
    const struct al_http_client_header *header;
    int status;
  } cases[] = {
    { "/small", nullptr, 413 }, { "/upload?refuse=yes", nullptr, 415 }, { "/upload", nullptr, 422 },
    { "/echo", &refused, 401 }, { "/upload", &refused, 401 },
  };
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = make_file();
  assert_int_equal(pwrite(fd, "!", 1, FILE_BYTES / 2), 1);
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct progress progress = {};
    struct sending sending = { cases[i].path, 0, { fd, FILE_BYTES, {}, 0, on_sent, &progress }, cases[i].header };
    int status = 0;
    AL_CLEANUP(al_buf_done) struct al_buf answer = {};
    if (send_to(kit.port, &sending, &status, &answer) != AL_OK)
      fail_msg("%s: %s", cases[i].path, err.message);
    assert_int_equal(status, cases[i].status);
    assert_non_null(strstr(answer.data, "error"));
  }
  close(fd);
  kit_wait_sinks_freed(&kit);
  kit_stop(&kit);
}

static void test_cancel(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = make_file(), ends[2];
  assert_int_equal(pipe(ends), 0);
  struct progress progress = { .cancel_fd = ends[1] };
  struct sending sending = { "/upload", ends[0], { fd, FILE_BYTES, {}, 0, on_sent, &progress }, nullptr };
  int status = 0;
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  assert_int_equal(send_to(kit.port, &sending, &status, &answer), AL_CANCELLED);
  assert_int_equal(progress.n_calls, 1);
  assert_int_equal(kit_after(&kit), 499);
  kit_wait_sinks_freed(&kit);
  assert_int_equal(kit.n_uploads, 0);
  close(ends[0]);
  close(ends[1]);
  close(fd);
  kit_stop(&kit);
}

static void test_bad_files(void **state)
{
  (void)state;
  struct kit kit;
  kit_start(&kit, (struct kit_options){});
  int fd = make_file();
  struct progress progress = { .shorten_fd = fd };
  struct sending sending = { "/upload", 0, { fd, FILE_BYTES, {}, 0, on_sent, &progress }, nullptr };
  int status = 0;
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  assert_int_equal(send_to(kit.port, &sending, &status, &answer), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "shorter"));
  close(fd);
  sending.upload.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_int_equal(send_to(kit.port, &sending, &status, &answer), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "cannot be read"));
  close(sending.upload.fd);
  kit_wait_sinks_freed(&kit);
  kit_stop(&kit);
}

/* A server that takes a little and then does as `closes` says. */
struct peer {
  struct al_thread thread;
  int listener, port;
  bool closes;
  int ends[2]; /* readable: the test is over */
};

static void serve_once(void *argument)
{
  struct peer *peer = argument;
  int fd = accept(peer->listener, nullptr, nullptr);
  char some[1000], byte;
  (void)!wire_receive(fd, some, sizeof some);
  if (!peer->closes)
    (void)!read(peer->ends[0], &byte, 1);
  close(fd);
}

static void test_servers_that_stop(void **state)
{
  (void)state;
  int file = make_file();
  for (int closes = 0; closes < 2; closes++) {
    struct peer peer = { .closes = closes == 1 };
    assert_int_equal(pipe(peer.ends), 0);
    assert_int_equal(al_http_listen("127.0.0.1", 0, &peer.listener, &peer.port, &err), AL_OK);
    (void)fcntl(peer.listener, F_SETFL, 0);
    const int small = 4096;
    (void)setsockopt(peer.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(al_thread_start(&peer.thread, "peer", serve_once, &peer, nullptr), AL_OK);
    struct sending sending = { "/", 0, { file, FILE_BYTES, {}, 100, nullptr, nullptr }, nullptr };
    int status = 0;
    AL_CLEANUP(al_buf_done) struct al_buf answer = {};
    enum al_code code = send_to(peer.port, &sending, &status, &answer);
    assert_int_equal(code, closes ? AL_INTERNAL : AL_TIMEOUT);
    if (closes)
      assert_string_equal(err.reason, "connection_lost");
    assert_int_equal(write(peer.ends[1], "x", 1), 1);
    al_thread_join(&peer.thread);
    close(peer.listener);
    close(peer.ends[0]);
    close(peer.ends[1]);
  }
  close(file);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole_file), cmocka_unit_test(test_early_answers),     cmocka_unit_test(test_cancel),
    cmocka_unit_test(test_bad_files),  cmocka_unit_test(test_servers_that_stop),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
