/* The link to a worker, with shell scripts as workers. */
#include "app/worker_link.h"

#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../os/tmpdir.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct al_config config;
static const int standard_error = STDERR_FILENO; /* in place of a listening socket */

static enum al_code start(const char *script, const int *fds, size_t n_fds, struct al_worker_link *link)
{
  static const char *const quarantined[] = { "org/bad model" };
  tmpdir_write("worker", script, strlen(script));
  const char *program = tmpdir_path("worker");
  assert_int_equal(chmod(program, 0700), 0);
  struct al_worker_start options = {
    .program = program,
    .config = &config,
    .listen_fds = fds,
    .n_listen_fds = n_fds,
    .quarantined = quarantined,
    .n_quarantined = 1,
  };
  return al_worker_link_start(&options, link, nullptr);
}

static void wait_readable(int fd)
{
  struct pollfd ready = { .fd = fd, .events = POLLIN };
  assert_int_equal(poll(&ready, 1, 30'000), 1);
}

/* Waits for the end; whether it said that it is ready, and how it ended. */
static bool run(struct al_worker_link *link, char *description, size_t size)
{
  wait_readable(link->ready_fd);
  bool ready = al_worker_link_read_ready(link);
  assert_int_equal(link->ready_fd, -1);
  wait_readable(link->pid_fd);
  int status = 0;
  al_worker_link_reap(link, &status, description, size);
  assert_int_equal(link->pid, 0);
  assert_null(link->board);
  return ready;
}

static void says_when_it_is_ready_and_how_it_ended(void **state)
{
  (void)state;
  struct al_worker_link link;
  char description[64];
  assert_int_equal(start("#!/bin/sh\nprintf x >&3\nexit 7\n", &standard_error, 1, &link), AL_OK);
  assert_true(run(&link, description, sizeof description));
  assert_string_equal(description, "exit code 7");
  assert_int_equal(start("#!/bin/sh\nkill -KILL $$\n", &standard_error, 1, &link), AL_OK);
  assert_false(run(&link, description, sizeof description));
  assert_string_equal(description, "SIGKILL");
}

/* The key goes through the environment: arguments can be read by everybody on the machine. */
static void hands_over_sockets_key_and_quarantine(void **state)
{
  (void)state;
  (void)snprintf(config.api_key, sizeof config.api_key, "secret-key");
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  struct al_worker_link link;
  char description[64], text[8] = "";
  assert_int_equal(start("#!/bin/sh\n"
                         "case \"$*\" in *secret-key*) exit 1;; esac\n"
                         "case \"$*\" in *'--listen-fds=1'*) ;; *) exit 2;; esac\n"
                         "case \"$*\" in *'--quarantined=org/bad model'*) ;; *) exit 3;; esac\n"
                         "[ \"$ALLM_API_KEY\" = secret-key ] || exit 4\n"
                         "[ -e /proc/self/fd/4 ] || exit 5\n"
                         "printf hello >&5 || exit 6\n",
                         &ends[1], 1, &link),
                   AL_OK);
  assert_false(run(&link, description, sizeof description));
  assert_string_equal(description, "exit code 0");
  assert_int_equal(read(ends[0], text, sizeof text - 1), 5);
  assert_string_equal(text, "hello");
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static void a_missing_program_is_an_error(void **state)
{
  (void)state;
  struct al_err err = {};
  struct al_worker_link link;
  struct al_worker_start options = { tmpdir_path("absent"), &config, &standard_error, 1, nullptr, 0 };
  assert_int_not_equal(al_worker_link_start(&options, &link, &err), AL_OK);
  assert_true(err.message[0] != '\0');
  assert_int_equal(link.pid, 0);
  assert_int_equal(link.ready_fd, -1);
  assert_null(link.board);
}

int main(void)
{
  al_config_defaults(&config);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(says_when_it_is_ready_and_how_it_ended),
    cmocka_unit_test(hands_over_sockets_key_and_quarantine),
    cmocka_unit_test(a_missing_program_is_an_error),
  };
  return cmocka_run_group_tests(tests, tmpdir_make, tmpdir_remove);
}
