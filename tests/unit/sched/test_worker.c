#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "sched/worker.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A job that stands for work: it ends when the test lets it, or its token fires. */
struct work {
  struct al_worker_job job;
  struct al_err err;
  enum al_code code; /* what it says when it is let go */
  bool holds, running, released, ran, done;
  int order; /* the how-manieth it ran; 0: not at all */
};

static struct al_mutex mutex;
static struct al_cond changed;
static int n_ran;
static int n_inside;          /* the gate */
static _Atomic int n_at_once; /* running */
static struct al_worker *worker;

static void in_engine(void *, const char *id, bool inside)
{
  assert_string_equal(id, "one");
  AL_LOCKED(&mutex);
  n_inside += inside ? 1 : -1;
}

static void on_fired(void *)
{
  AL_LOCKED(&mutex);
  al_cond_broadcast(&changed);
}

static enum al_code run(struct al_worker_job *job, struct al_engine_model *model, struct al_err *err)
{
  struct work *work = job->user;
  struct al_cancel_watch watch = { .fired = on_fired };
  assert_ptr_equal(model, (struct al_engine_model *)&mutex);
  assert_int_equal(atomic_fetch_add(&n_at_once, 1), 0);
  (void)!al_cancel_watch(job->cancel, &watch);
  al_mutex_lock(&mutex);
  assert_int_equal(n_inside, 1);
  work->ran = work->running = true;
  work->order = ++n_ran;
  al_cond_broadcast(&changed);
  while (work->holds && !work->released && !al_cancelled(job->cancel))
    (void)al_cond_wait(&changed, &mutex, AL_NO_DEADLINE);
  al_mutex_unlock(&mutex);
  al_cancel_unwatch(job->cancel, &watch);
  (void)atomic_fetch_sub(&n_at_once, 1);
  if (al_cancelled(job->cancel))
    return al_fail(err, al_cancel_reason(job->cancel), "stopped in the middle");
  return work->code == AL_OK ? AL_OK : al_fail(err, work->code, "told to fail");
}

static void done(struct al_worker_job *job, const struct al_err *err)
{
  struct work *work = job->user;
  AL_LOCKED(&mutex);
  assert_false(work->done);
  work->done = true;
  work->err = *err;
  al_cond_broadcast(&changed);
}

static void wait_until(bool *what)
{
  AL_LOCKED(&mutex);
  while (!*what)
    (void)al_cond_wait(&changed, &mutex, AL_NO_DEADLINE);
}

static void release(struct work *work)
{
  AL_LOCKED(&mutex);
  work->released = true;
  al_cond_broadcast(&changed);
}

static void work_init(struct work *work, bool holds)
{
  *work = (struct work){ .holds = holds, .job = { .run = run, .done = done, .cancel = al_cancel_new() } };
  work->job.user = work;
  assert_non_null(work->job.cancel);
}

static enum al_code submit(struct work *work)
{
  return al_worker_submit(worker, &work->job, &work->err);
}

static int open_worker(void **)
{
  struct al_worker_options options = {
    .model = (struct al_engine_model *)&mutex, /* something to recognise */
    .gate = { .in_engine = in_engine, .model_id = "one" },
    .max_waiting = 8,
  };
  al_mutex_init(&mutex);
  al_cond_init(&changed);
  n_ran = n_inside = 0;
  return al_worker_start(&options, &worker, nullptr) == AL_OK ? 0 : 1;
}

static int close_worker(void **)
{
  al_worker_free(worker);
  worker = nullptr;
  assert_int_equal(n_inside, 0);
  al_cond_done(&changed);
  al_mutex_done(&mutex);
  return 0;
}

static void work_end(struct work *work, size_t n)
{
  for (size_t i = 0; i < n; i++)
    al_cancel_unref(work[i].job.cancel);
}

static void runs_one_after_another_in_order(void **)
{
  struct work work[6];
  for (int i = 0; i < 6; i++) {
    work_init(&work[i], i == 0);
    assert_int_equal(submit(&work[i]), AL_OK);
    if (i == 0)
      wait_until(&work[0].running);
  }
  assert_false(work[1].ran);
  release(&work[0]);
  for (int i = 0; i < 6; i++) {
    wait_until(&work[i].done);
    assert_int_equal(work[i].order, i + 1);
    assert_int_equal(work[i].err.code, AL_OK);
  }
  work_end(work, 6);
}

static void a_failure_is_its_own(void **)
{
  struct work work[3];
  for (int i = 0; i < 3; i++) {
    work_init(&work[i], false);
    work[i].code = i == 1 ? AL_MODEL_CORRUPT : AL_OK;
    assert_int_equal(submit(&work[i]), AL_OK);
  }
  for (int i = 0; i < 3; i++)
    wait_until(&work[i].done);
  assert_int_equal(work[0].err.code, AL_OK);
  assert_int_equal(work[1].err.code, AL_MODEL_CORRUPT);
  assert_string_equal(work[1].err.message, "told to fail");
  assert_int_equal(work[2].err.code, AL_OK);
  work_end(work, 3);
}

/* The answer does not wait for the one in front. */
static void who_gives_up_in_the_queue_is_answered_at_once(void **)
{
  struct work work[4];
  for (int i = 0; i < 4; i++) {
    work_init(&work[i], i == 0);
    assert_int_equal(submit(&work[i]), AL_OK);
  }
  wait_until(&work[0].running);
  int64_t before_ns = al_now_ns();
  al_cancel_fire(work[2].job.cancel, AL_TIMEOUT);
  wait_until(&work[2].done);
  print_message("answered %.3f ms after giving up\n", (double)(al_now_ns() - before_ns) / 1e6);
  assert_int_equal(work[2].err.code, AL_TIMEOUT);
  assert_false(work[2].ran);
  assert_false(work[0].done);
  release(&work[0]);
  wait_until(&work[1].done);
  wait_until(&work[3].done);
  assert_int_equal(work[3].order, 3);
  work_end(work, 4);
}

static void who_gives_up_in_the_middle_is_stopped(void **)
{
  struct work work[2];
  for (int i = 0; i < 2; i++) {
    work_init(&work[i], i == 0);
    assert_int_equal(submit(&work[i]), AL_OK);
  }
  wait_until(&work[0].running);
  al_cancel_fire(work[0].job.cancel, AL_CANCELLED);
  wait_until(&work[0].done);
  wait_until(&work[1].done);
  assert_int_equal(work[0].err.code, AL_CANCELLED);
  assert_string_equal(work[0].err.message, "stopped in the middle");
  assert_null(work[0].err.reason);
  assert_int_equal(work[1].err.code, AL_OK);
  work_end(work, 2);
}

static void who_has_given_up_is_not_taken(void **)
{
  struct work work;
  work_init(&work, false);
  al_cancel_fire(work.job.cancel, AL_TIMEOUT);
  assert_int_equal(submit(&work), AL_TIMEOUT);
  assert_false(work.done);
  work_end(&work, 1);
}

static void the_queue_has_an_end(void **)
{
  struct work work[10];
  for (int i = 0; i < 10; i++)
    work_init(&work[i], i == 0);
  assert_int_equal(submit(&work[0]), AL_OK);
  wait_until(&work[0].running);
  for (int i = 1; i < 9; i++)
    assert_int_equal(submit(&work[i]), AL_OK);
  assert_int_equal(submit(&work[9]), AL_OOM_RAM);
  assert_string_equal(work[9].err.reason, "overloaded");
  al_cancel_fire(work[5].job.cancel, AL_CANCELLED); /* makes room */
  wait_until(&work[5].done);
  assert_int_equal(submit(&work[9]), AL_OK);
  release(&work[0]);
  for (int i = 0; i < 10; i++)
    wait_until(&work[i].done);
  work_end(work, 10);
}

static void its_end_stops_what_runs_and_fails_the_rest(void **state)
{
  struct work work[4];
  for (int i = 0; i < 4; i++) {
    work_init(&work[i], true);
    assert_int_equal(submit(&work[i]), AL_OK);
  }
  wait_until(&work[0].running);
  al_worker_free(worker);
  for (int i = 0; i < 4; i++) {
    assert_true(work[i].done);
    assert_int_equal(work[i].err.code, AL_CANCELLED);
    assert_string_equal(work[i].err.reason, "shutting_down");
    assert_true(work[i].ran == (i == 0));
    assert_true(al_cancelled(work[i].job.cancel) == (i == 0));
  }
  work_end(work, 4);
  assert_int_equal(n_inside, 0);
  assert_int_equal(open_worker(state), 0); /* for the teardown */
}

/* Four threads submit and give up; whatever the order, each is answered once. */
enum { N_EACH = 200 };
struct crowd {
  struct work work[N_EACH];
  int n_taken;
};

static void crowd_run(void *argument)
{
  struct crowd *crowd = argument;
  for (int i = 0; i < N_EACH; i++) {
    struct work *work = &crowd->work[i];
    work_init(work, false);
    if (submit(work) != AL_OK) {
      work->done = true;
      continue;
    }
    crowd->n_taken++;
    if (i % 2 == 0)
      al_cancel_fire(work->job.cancel, AL_CANCELLED);
    if (i % 4 == 0)
      wait_until(&work->done);
  }
  for (int i = 0; i < N_EACH; i++)
    wait_until(&crowd->work[i].done);
}

static void a_crowd_is_answered_one_by_one(void **)
{
  static struct crowd crowds[4];
  struct al_thread threads[4] = {};
  int n_taken = 0;
  for (int i = 0; i < 4; i++) {
    crowds[i].n_taken = 0;
    assert_int_equal(al_thread_start(&threads[i], "crowd", crowd_run, &crowds[i], nullptr), AL_OK);
  }
  for (int i = 0; i < 4; i++) {
    al_thread_join(&threads[i]);
    n_taken += crowds[i].n_taken;
    work_end(crowds[i].work, N_EACH);
  }
  assert_true(n_taken > 4);
}

static void without_memory_there_is_none(void **)
{
  struct al_worker *none = nullptr;
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_worker_start(&(struct al_worker_options){}, &none, nullptr), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  assert_null(none);
  al_worker_free(nullptr);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(runs_one_after_another_in_order, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(a_failure_is_its_own, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(who_gives_up_in_the_queue_is_answered_at_once, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(who_gives_up_in_the_middle_is_stopped, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(who_has_given_up_is_not_taken, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(the_queue_has_an_end, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(its_end_stops_what_runs_and_fails_the_rest, open_worker, close_worker),
    cmocka_unit_test_setup_teardown(a_crowd_is_answered_one_by_one, open_worker, close_worker),
    cmocka_unit_test(without_memory_there_is_none),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
