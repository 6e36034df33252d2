/* The sandbox from inside: a child of this test enters it and tries what an intruder would. */
#include "media/convert/sandbox.h"

#include "base/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

constexpr int STOPPED = 40;
constexpr int WENT_THROUGH = 41;

/* What waitpid says of a child that entered and then did this. */
static int status_of(enum al_media_job job, int (*deed)(void))
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    char why[96];
    (void)dup2(open("/dev/zero", O_RDONLY | O_CLOEXEC), AL_MEDIA_IN_FD);
    if (!sandbox_enter(job, 10, 256 << 20, why, sizeof why))
      _exit(42);
    _exit(deed());
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status;
}

static int exit_of(int (*deed)(void))
{
  int status = status_of(AL_MEDIA_DECODE, deed);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void must_die(int (*deed)(void))
{
  int status = status_of(AL_MEDIA_DECODE, deed);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int verdict(bool went_through)
{
  return went_through ? WENT_THROUGH : STOPPED;
}

static int open_a_file(void)
{
  return verdict(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}
static int write_a_file(void)
{
  return verdict(open("/tmp/allm-sandbox-test", O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0);
}
static int open_a_socket(void)
{
  return verdict(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}
static int run_a_program(void)
{
  char name[] = "/bin/true";
  char *const argv[] = { name, nullptr };
  return verdict(execv(name, argv) == 0);
}
static int signal_the_parent(void)
{
  return verdict(kill(getppid(), 0) == 0);
}
static int make_a_process(void)
{
  return verdict(syscall(SYS_fork) >= 0);
}
static int make_a_thread(void)
{
  return verdict(syscall(SYS_clone, CLONE_VM | SIGCHLD, nullptr, nullptr, nullptr, nullptr) >= 0);
}

static void intruders_die(void **)
{
  must_die(open_a_socket);
  must_die(run_a_program);
  must_die(signal_the_parent);
#ifdef SYS_fork
  must_die(make_a_process);
#endif
}

static void files_and_threads_are_out_of_reach(void **)
{
  assert_int_equal(exit_of(open_a_file), STOPPED);
  assert_int_equal(exit_of(write_a_file), STOPPED);
  assert_int_equal(exit_of(make_a_thread), STOPPED);
  assert_int_equal(access("/tmp/allm-sandbox-test", F_OK), -1);
}

static int read_the_file(void)
{
  char bytes[16] = { [15] = 1 };
  ssize_t n = pread(AL_MEDIA_IN_FD, bytes, sizeof bytes, 0);
  return n == (ssize_t)sizeof bytes && bytes[15] == 0 ? WENT_THROUGH : STOPPED;
}
static int read_another(void)
{
  char byte;
  return verdict(pread(0, &byte, 1, 0) == 1 || read(AL_MEDIA_IN_FD, &byte, 1) == 1);
}
static int use_memory(void)
{
  char *memory = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return verdict(memory != MAP_FAILED && (memory[4096] = 1) == 1);
}
static int take_all_memory(void)
{
  void *memory = mmap(nullptr, 2UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return verdict(memory != MAP_FAILED);
}
static int make_code(void)
{
  void *memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return verdict(memory != MAP_FAILED);
}
static int take_a_descriptor(void)
{
  return verdict(dup(AL_MEDIA_IN_FD) >= 0);
}
static int read_the_environment(void)
{
  return verdict(getenv("ALLM_SECRET") != nullptr);
}
static int abort_itself(void)
{
  abort();
}

static void the_file_and_memory_are_within_reach(void **)
{
  assert_int_equal(exit_of(read_the_file), WENT_THROUGH);
  assert_int_equal(exit_of(use_memory), WENT_THROUGH);
  (void)setenv("ALLM_SECRET", "key", 1);
  assert_int_equal(exit_of(read_the_environment), STOPPED);
#ifndef AL_SANITIZED /* sanitizers read, map and need more than that */
  assert_int_equal(exit_of(read_another), STOPPED);
  assert_int_equal(exit_of(take_all_memory), STOPPED);
  assert_int_equal(exit_of(make_code), STOPPED);
#endif
  assert_int_equal(exit_of(take_a_descriptor), STOPPED);
  int status = status_of(AL_MEDIA_DECODE, abort_itself); /* which the C library does when its heap is damaged */
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void use_the_processor(void)
{
  static volatile bool stop;
  while (!stop)
    continue;
}

static void an_endless_loop_ends(void **)
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    char why[96];
    if (sandbox_enter(AL_MEDIA_DECODE, 1, 256 << 20, why, sizeof why))
      use_the_processor();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGXCPU); /* which says why */
}

/* A system that lacks what is named here: the calls fail as an old kernel's do. */
static int enter_without(const int *calls, size_t n_calls)
{
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (size_t i = 0; i < n_calls; i++)
      (void)seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), calls[i], 0);
    (void)seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
                           SCMP_A0(SCMP_CMP_EQ, calls[0] == SCMP_SYS(seccomp) ? PR_SET_SECCOMP : 0, 0));
    if (seccomp_load(filter) != 0)
      _exit(43);
    char why[96] = "";
    bool entered = sandbox_enter(AL_MEDIA_DECODE, 10, 256 << 20, why, sizeof why);
    _exit(entered ? (open_a_file() == STOPPED ? STOPPED : WENT_THROUGH) : why[0] != '\0' ? 42 : 44);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void one_of_the_two_walls_must_stand(void **)
{
  static const int both[] = { SCMP_SYS(seccomp), SCMP_SYS(landlock_create_ruleset) };
  static const int landlock_alone[] = { SCMP_SYS(landlock_create_ruleset) };
  assert_int_equal(enter_without(both, 2), 42); /* refused, with a reason */
#ifndef AL_SANITIZED                            /* whose filter lets files be opened */
  assert_int_equal(enter_without(landlock_alone, 1), STOPPED);
#else
  assert_int_not_equal(enter_without(landlock_alone, 1), 42);
#endif
  /* Without seccomp: refused where Landlock is missing or old, closed where it is not. */
  int without_seccomp = enter_without(both, 1);
  assert_true(without_seccomp == STOPPED || without_seccomp == 42);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(intruders_die),
    cmocka_unit_test(files_and_threads_are_out_of_reach),
    cmocka_unit_test(the_file_and_memory_are_within_reach),
    cmocka_unit_test(an_endless_loop_ends),
    cmocka_unit_test(one_of_the_two_walls_must_stand),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
