#include "os/process.h"

#include "base/clock.h"
#include "base/thread.h"
#include "os/file.h"

#include <cmocka.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static struct al_buf output, error_output;

static int clear_buffers(void **state)
{
  (void)state;
  al_buf_done(&output);
  al_buf_done(&error_output);
  return 0;
}

static enum al_code run_shell(struct al_process_options *options, const char *script, struct al_exit *exited,
                              struct al_err *err)
{
  const char *const argv[] = { "/bin/sh", "-c", script, nullptr };
  options->argv = argv;
  return al_process_run(options, 1000, al_deadline_in_ms(20'000), &output, &error_output, exited, err);
}

static void collects_output_and_exit_code(void **state)
{
  (void)state;
  struct al_process_options options = {};
  struct al_exit exited = {};
  struct al_err err = {};
  assert_int_equal(run_shell(&options, "echo out; echo oops >&2; exit 7", &exited, &err), AL_OK);
  assert_true(exited.kind == AL_EXIT_CODE && exited.value == 7);
  assert_string_equal(output.data, "out\n");
  assert_string_equal(error_output.data, "oops\n");
}

static void reports_signals(void **state)
{
  (void)state;
  struct al_process_options options = {};
  struct al_exit exited = {};
  assert_int_equal(run_shell(&options, "kill -ABRT $$", &exited, nullptr), AL_OK);
  assert_true(exited.kind == AL_EXIT_SIGNAL && exited.value == SIGABRT);
  assert_string_equal(al_signal_name(exited.value), "SIGABRT");
  assert_string_equal(al_signal_name(-1), "an unnamed signal");
  assert_string_equal(al_signal_name(1000), "an unnamed signal");
}

static void bounds_output(void **state)
{
  (void)state;
  struct al_process_options options = {};
  struct al_exit exited = {};
  static const char script[] = "i=0; while [ $i -lt 3000 ]; do echo line $i; echo error $i >&2; i=$((i+1)); done";
  assert_int_equal(run_shell(&options, script, &exited, nullptr), AL_OK);
  assert_int_equal(output.size, 1000);
  assert_memory_equal(output.data, "line 0\nline 1\n", 14);
  assert_true(error_output.size <= 8192 && error_output.size > 7000);
  assert_memory_equal(error_output.data, "error ", 6);
  assert_memory_equal(error_output.data + error_output.size - 11, "error 2999\n", 11);
}

static void kills_at_the_deadline(void **state)
{
  (void)state;
  const char *const argv[] = { "/bin/sh", "-c", "echo begun; while :; do echo more; done", nullptr };
  struct al_process_options options = { .argv = argv };
  struct al_exit exited = {};
  struct al_err err = {};
  assert_int_equal(al_process_run(&options, 100, al_deadline_in_ms(100), &output, &error_output, &exited, &err),
                   AL_TIMEOUT);
  assert_int_equal(output.size, 100);
  assert_true(exited.kind == AL_EXIT_SIGNAL && exited.value == SIGKILL);
}

/* The shell ends at once; its background child holds the pipe for a minute. */
static void does_not_wait_for_grandchildren(void **state)
{
  (void)state;
  struct al_process_options options = {};
  struct al_exit exited = {};
  assert_int_equal(run_shell(&options, "sleep 60 & echo $!; exit 0", &exited, nullptr), AL_OK);
  assert_int_equal(exited.value, 0);
  pid_t sleeper = (pid_t)strtol(output.data, nullptr, 10);
  assert_true(sleeper > 1);
  assert_int_equal(kill(sleeper, SIGKILL), 0);
}

static void says_what_could_not_start(void **state)
{
  (void)state;
  const char *const argv[] = { "/nowhere/program", nullptr };
  struct al_process_options options = { .argv = argv };
  pid_t pid = 77;
  struct al_err err = {};
  assert_int_equal(al_process_spawn(&options, &pid, &err), AL_NOT_FOUND);
  assert_string_equal(err.message, "program could not be started: No such file or directory");
  const char *const directory[] = { "/", nullptr };
  options.argv = directory;
  assert_int_equal(al_process_spawn(&options, &pid, &err), AL_LOAD_FAILED);
  const char *const shell[] = { "/bin/sh", "-c", ":", nullptr };
  const int closed[] = { 9999 };
  options = (struct al_process_options){ .argv = shell, .fds = closed, .n_fds = 1 };
  assert_int_equal(al_process_spawn(&options, &pid, &err), AL_LOAD_FAILED);
  int many[65] = {};
  options.fds = many;
  options.n_fds = AL_COUNT(many);
  assert_int_equal(al_process_spawn(&options, &pid, &err), AL_INVALID_REQUEST);
  assert_int_equal(pid, 77);
}

static int file_with(const char *text)
{
  int fd = memfd_create("fd", 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

/* Sources stand in 3..6, crosswise to their targets. */
static void passes_descriptors_in_any_order(void **state)
{
  (void)state;
  int low[4];
  for (int i = 0; i < 4; i++) {
    char text[2] = { (char)('a' + i), '\0' };
    low[i] = file_with(text);
  }
  const int crossed[] = { low[3], low[0], low[0], low[1] };
  struct al_process_options options = { .fds = crossed, .n_fds = 4 };
  struct al_exit exited = {};
  static const char script[] = "read x <&3; echo $x; read x <&6; echo $x; read x <&4; echo $x; ls /proc/self/fd";
  assert_int_equal(run_shell(&options, script, &exited, nullptr), AL_OK);
  assert_memory_equal(output.data, "d\nb\na\n", 6);
  assert_string_equal(output.data + 6, "0\n1\n2\n3\n4\n5\n6\n7\n"); /* 7 is ls reading the directory */
  for (int i = 0; i < 4; i++)
    al_fd_close(&low[i]);
}

static void inherits_nothing_else(void **state)
{
  (void)state;
  AL_CLEANUP(al_fd_close) int open_one = file_with("x");
  struct al_process_options options = {};
  struct al_exit exited = {};
  assert_int_equal(run_shell(&options, "ls /proc/self/fd", &exited, nullptr), AL_OK);
  assert_string_equal(output.data, "0\n1\n2\n3\n");
}

static void merges_the_environment(void **state)
{
  (void)state;
  assert_int_equal(setenv("AL_TEST_ONE", "old", 1), 0);
  assert_int_equal(setenv("AL_TEST_TWO", "kept", 1), 0);
  const char *const extra[] = { "AL_TEST_ONE=new", "AL_TEST_THREE=3", nullptr };
  struct al_process_options options = { .environment = extra };
  struct al_exit exited = {};
  assert_int_equal(
      run_shell(&options, "echo $AL_TEST_ONE $AL_TEST_TWO $AL_TEST_THREE; env | grep -c AL_TEST_ONE", &exited, nullptr),
      AL_OK);
  assert_string_equal(output.data, "new kept 3\n1\n");
}

static void starts_with_default_signals(void **state)
{
  (void)state;
  (void)signal(SIGPIPE, SIG_IGN);
  sigset_t blocked, before;
  (void)sigemptyset(&blocked);
  (void)sigaddset(&blocked, SIGTERM);
  (void)sigprocmask(SIG_BLOCK, &blocked, &before);
  struct al_process_options options = {};
  struct al_exit exited = {};
  assert_int_equal(run_shell(&options, "grep -E 'Sig(Blk|Ign)' /proc/self/status", &exited, nullptr), AL_OK);
  assert_string_equal(output.data, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  (void)sigprocmask(SIG_SETMASK, &before, nullptr);
  (void)signal(SIGPIPE, SIG_DFL);
}

static void limits_address_space(void **state)
{
  (void)state;
  struct al_process_options options = { .max_address_space_bytes = (uint64_t)512 << 20 };
  struct al_exit exited = {};
  assert_int_equal(run_shell(&options, "ulimit -v", &exited, nullptr), AL_OK);
  assert_string_equal(output.data, "524288\n");
}

static void waits_until_a_deadline(void **state)
{
  (void)state;
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  const char *const argv[] = { "/bin/sh", "-c", "read x <&3; exit 3", nullptr };
  struct al_process_options options = { .argv = argv, .fds = &ends[0], .n_fds = 1 };
  pid_t pid;
  assert_int_equal(al_process_spawn(&options, &pid, nullptr), AL_OK);
  struct al_exit exited = { .value = 99 };
  assert_int_equal(al_process_wait(pid, al_now_ns() - 1, &exited, nullptr), AL_TIMEOUT);
  assert_int_equal(al_process_wait(pid, al_deadline_in_ms(10), &exited, nullptr), AL_TIMEOUT);
  assert_int_equal(exited.value, 99);
  al_fd_close(&ends[1]);
  assert_int_equal(al_process_wait(pid, al_deadline_in_ms(20'000), &exited, nullptr), AL_OK);
  assert_true(exited.kind == AL_EXIT_CODE && exited.value == 3);
  assert_int_equal(al_process_wait(pid, AL_NO_DEADLINE, &exited, nullptr), AL_NOT_FOUND);
  assert_int_equal(al_process_wait(pid, al_deadline_in_ms(10), &exited, nullptr), AL_NOT_FOUND);
  al_fd_close(&ends[0]);
}

/* A child spawned by a thread that then ends: PR_SET_PDEATHSIG follows the thread. */
static pid_t orphan;
static int orphan_pipe[2];

static void spawn_and_end(void *argument)
{
  (void)argument;
  const char *const argv[] = { "/bin/sh", "-c", "read x <&3", nullptr };
  struct al_process_options options = { .argv = argv, .fds = &orphan_pipe[0], .n_fds = 1, .dies_with_parent = true };
  if (al_process_spawn(&options, &orphan, nullptr) != AL_OK)
    orphan = -1;
}

static void dies_with_its_parent(void **state)
{
  (void)state;
  assert_int_equal(pipe2(orphan_pipe, O_CLOEXEC), 0);
  struct al_thread thread = {};
  assert_int_equal(al_thread_start(&thread, "spawner", spawn_and_end, nullptr, nullptr), AL_OK);
  al_thread_join(&thread);
  assert_true(orphan > 0);
  struct al_exit exited = {};
  assert_int_equal(al_process_wait(orphan, al_deadline_in_ms(20'000), &exited, nullptr), AL_OK);
  assert_true(exited.kind == AL_EXIT_SIGNAL && exited.value == SIGKILL);
  al_fd_close(&orphan_pipe[0]);
  al_fd_close(&orphan_pipe[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, clear_buffers, clear_buffers)

int main(void)
{
  static const struct CMUnitTest tests[] = {
    CASE(collects_output_and_exit_code),
    CASE(reports_signals),
    CASE(bounds_output),
    CASE(kills_at_the_deadline),
    CASE(does_not_wait_for_grandchildren),
    CASE(says_what_could_not_start),
    CASE(passes_descriptors_in_any_order),
    CASE(inherits_nothing_else),
    CASE(merges_the_environment),
    CASE(starts_with_default_signals),
    CASE(limits_address_space),
    CASE(waits_until_a_deadline),
    CASE(dies_with_its_parent),
  };
  return cmocka_run_group_tests_name("os/process", tests, nullptr, nullptr);
}
