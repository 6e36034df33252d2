#include "app/crash_board.h"

#include "base/clock.h"

#include <cmocka.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void outlives_the_worker(void **state)
{
  (void)state;
  struct al_crash_board *board = nullptr;
  assert_int_equal(al_crash_board_new(&board, nullptr), AL_OK);
  pid_t pid = fork();
  if (pid == 0) {
    struct al_crash_board *mine = nullptr;
    if (al_crash_board_open(al_crash_board_fd(board), &mine, nullptr) != AL_OK)
      _exit(1);
    al_crash_board_beat(mine);
    al_crash_board_mark(mine, "left", true);
    al_crash_board_mark(mine, "left", false);
    al_crash_board_mark(mine, "org/at work", true);
    (void)raise(SIGKILL);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status));
  char id[64];
  assert_true(al_crash_board_inside(board, 0, id, sizeof id));
  assert_string_equal(id, "org/at work");
  assert_false(al_crash_board_inside(board, 1, id, sizeof id));
  assert_true(al_crash_board_last_beat_ns(board) <= al_now_ns() && al_crash_board_last_beat_ns(board) > 0);
  al_crash_board_free(board);
}

static int inside_pipe[2];

static void *listen_for_long(void *argument)
{
  al_crash_board_mark(argument, "listener", true);
  (void)!write(inside_pipe[1], "x", 1);
  (void)pause();
  return nullptr;
}

/* Another model is at work when one ends the process (how: by abort(), or by nobody's thread). */
static void die_beside_a_listener(struct al_crash_board *board, bool by_itself)
{
  pthread_t thread;
  char byte;
  al_crash_board_watch(board);
  if (pipe(inside_pipe) != 0 || pthread_create(&thread, nullptr, listen_for_long, board) != 0)
    _exit(1);
  if (read(inside_pipe[0], &byte, 1) != 1)
    _exit(1);
  al_crash_board_mark(board, "bad", true);
  al_crash_board_mark(board, "bad", true);
  al_crash_board_mark(board, "bad", false);
  if (!by_itself)
    al_crash_board_mark(board, "bad", false);
  abort();
}

static void the_thread_that_died_is_known(void **state)
{
  (void)state;
  for (int by_itself = 0; by_itself < 2; by_itself++) {
    struct al_crash_board *board = nullptr;
    assert_int_equal(al_crash_board_new(&board, nullptr), AL_OK);
    pid_t pid = fork();
    if (pid == 0)
      die_beside_a_listener(board, by_itself == 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    char id[64] = "";
    assert_int_equal(al_crash_board_culprit(board, id, sizeof id), by_itself);
    assert_string_equal(id, by_itself == 1 ? "bad" : "");
    assert_true(al_crash_board_inside(board, 0, id, sizeof id));
    al_crash_board_free(board);
  }
}

static void *mark_often(void *argument)
{
  for (int i = 0; i < 20'000; i++) {
    char id[16];
    (void)snprintf(id, sizeof id, "m%d", i % 5);
    al_crash_board_mark(argument, id, true);
    al_crash_board_mark(argument, id, false);
  }
  return nullptr;
}

static void threads_leave_it_balanced(void **state)
{
  (void)state;
  struct al_crash_board *board = nullptr;
  assert_int_equal(al_crash_board_new(&board, nullptr), AL_OK);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], nullptr, mark_often, board), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_join(threads[i], nullptr), 0);
  char id[16];
  assert_false(al_crash_board_inside(board, 0, id, sizeof id));
  for (int i = 0; i < 100; i++) { /* more models than it has room for */
    (void)snprintf(id, sizeof id, "x%d", i);
    al_crash_board_mark(board, id, true);
  }
  assert_true(al_crash_board_inside(board, 0, id, sizeof id));
  al_crash_board_free(board);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(outlives_the_worker),
    cmocka_unit_test(the_thread_that_died_is_known),
    cmocka_unit_test(threads_leave_it_balanced),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
