#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "engine/fake/fake.h"
#include "sched/pool.h"
#include "stand_in_store.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static const struct al_engine *const engines[] = { &al_engine_fake };
static _Atomic uint64_t available = UINT64_MAX / 2;

static _Atomic uint64_t weights_bytes; /* what a loaded model takes of it */

static uint64_t say_available(void *)
{
  return available - weights_bytes * (al_fake_counts.n_loads - al_fake_counts.n_unloads);
}

/* One who waits for a model, or for a load or an unload to be done. */
struct waiting {
  struct al_pool_waiter waiter;
  struct al_mutex mutex;
  struct al_cond changed;
  bool answered;
  struct al_pool_model *lease;
  struct al_err err;
};

static void answer(struct waiting *waiting, struct al_pool_model *lease, const struct al_err *err)
{
  AL_LOCKED(&waiting->mutex);
  assert_false(waiting->answered);
  waiting->answered = true;
  waiting->lease = lease;
  waiting->err = err != nullptr ? *err : (struct al_err){};
  al_cond_broadcast(&waiting->changed);
}

static void on_ready(struct al_pool_waiter *waiter, struct al_pool_model *lease, const struct al_err *err)
{
  answer((struct waiting *)waiter, lease, err);
}

static void on_done(void *user, const struct al_err *err)
{
  answer(user, nullptr, err);
}

static void waiting_init(struct waiting *waiting)
{
  *waiting = (struct waiting){ .waiter.ready = on_ready };
  al_mutex_init(&waiting->mutex);
  al_cond_init(&waiting->changed);
}

static void waiting_done(struct waiting *waiting)
{
  al_cond_done(&waiting->changed);
  al_mutex_done(&waiting->mutex);
}

static void wait_for(struct waiting *waiting)
{
  AL_LOCKED(&waiting->mutex);
  while (!waiting->answered)
    (void)al_cond_wait(&waiting->changed, &waiting->mutex, AL_NO_DEADLINE);
}

static struct al_pool *open_pool(int64_t idle_unload_ms)
{
  struct al_pool_options options = {
    .registry = { engines, AL_COUNT(engines) },
    .load = { .n_ctx = 64, .n_seq_max = 2 },
    .max_waiting = 8,
    .idle_unload_ms = idle_unload_ms,
    .available_bytes = say_available,
  };
  struct al_pool *pool;
  struct al_err err = {};
  assert_int_equal(al_pool_new(&options, &pool, &err), AL_OK);
  return pool;
}

static struct al_pool_model *lease_now(struct al_pool *pool, const char *id)
{
  struct waiting waiting;
  struct al_pool_model *lease;
  struct al_err err = {};
  waiting_init(&waiting);
  assert_int_equal(al_pool_acquire(pool, id, &waiting.waiter, &lease, &err), AL_OK);
  if (lease == nullptr) {
    wait_for(&waiting);
    assert_string_equal(waiting.err.message, "");
    lease = waiting.lease;
  }
  waiting_done(&waiting);
  assert_non_null(lease);
  return lease;
}

static void give_back(struct al_pool_model *lease)
{
  al_pool_release(lease, &(struct al_pool_use){});
}

static enum al_model_state state_of(struct al_pool *pool, const char *id)
{
  struct al_pool_status status;
  al_pool_status(pool, id, &status);
  return status.state;
}

static void unload_and_wait(struct al_pool *pool, const char *id)
{
  struct waiting waiting;
  struct al_err err = {};
  waiting_init(&waiting);
  assert_int_equal(al_pool_unload(pool, id, on_done, &waiting, &err), AL_OK);
  wait_for(&waiting);
  assert_int_equal(waiting.err.code, AL_OK);
  waiting_done(&waiting);
}

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  available = UINT64_MAX / 2;
  weights_bytes = 0;
  stand_in_gone = nullptr;
  return 0;
}

static void loads_once_for_all_who_ask(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting[5];
  struct al_pool_model *leases[5];
  al_fake_knobs.load_ns = 20'000'000;
  for (int i = 0; i < 5; i++) {
    waiting_init(&waiting[i]);
    assert_int_equal(al_pool_acquire(pool, "fake", &waiting[i].waiter, &leases[i], nullptr), AL_OK);
  }
  for (int i = 0; i < 5; i++) {
    if (leases[i] == nullptr) {
      wait_for(&waiting[i]);
      leases[i] = waiting[i].lease;
    }
    assert_non_null(leases[i]);
    assert_ptr_equal(leases[i], leases[0]);
    waiting_done(&waiting[i]);
  }
  assert_int_equal(al_fake_counts.n_loads, 1);
  assert_non_null(al_pool_loaded(leases[0])->scheduler);
  struct al_pool_status status;
  al_pool_status(pool, "fake", &status);
  assert_int_equal(status.state, AL_MODEL_READY);
  assert_int_equal(status.n_ctx, 64);
  assert_int_equal(status.n_waiting, 5);
  for (int i = 0; i < 5; i++)
    give_back(leases[i]);
  al_pool_status(pool, "fake", &status);
  assert_int_equal(status.n_waiting, 0);
  assert_int_equal(status.n_requests, 5);
  al_pool_free(pool);
  assert_int_equal(al_fake_counts.n_unloads, 1);
}

static void a_failed_load_is_told_to_all_and_can_be_tried_again(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting[3];
  struct al_pool_model *lease;
  al_fake_knobs.load_ns = 5'000'000;
  al_fake_knobs.load_code = AL_LOAD_FAILED;
  for (int i = 0; i < 3; i++) {
    waiting_init(&waiting[i]);
    assert_int_equal(al_pool_acquire(pool, "fake", &waiting[i].waiter, &lease, nullptr), AL_OK);
    assert_null(lease);
  }
  for (int i = 0; i < 3; i++) {
    wait_for(&waiting[i]);
    assert_null(waiting[i].lease);
    assert_int_equal(waiting[i].err.code, AL_LOAD_FAILED);
    waiting_done(&waiting[i]);
  }
  assert_int_equal(state_of(pool, "fake"), AL_MODEL_UNLOADED);
  al_fake_knobs.load_code = AL_OK;
  give_back(lease_now(pool, "fake"));
  al_pool_free(pool);
}

static int n_waiting_for(struct al_pool *pool, const char *id)
{
  struct al_pool_status status;
  al_pool_status(pool, id, &status);
  return status.n_waiting;
}

/* Otherwise a model that cannot be loaded would be "overloaded" one day. */
static void who_waited_for_a_failed_load_waits_no_more(void **)
{
  struct al_pool *pool = open_pool(0);
  al_fake_knobs.load_code = AL_LOAD_FAILED;
  for (int i = 0; i < 10; i++) { /* more than may wait */
    struct waiting waiting;
    struct al_pool_model *lease;
    struct al_err err = {};
    waiting_init(&waiting);
    assert_int_equal(al_pool_acquire(pool, "fake", &waiting.waiter, &lease, &err), AL_OK);
    wait_for(&waiting);
    assert_int_equal(waiting.err.code, AL_LOAD_FAILED);
    waiting_done(&waiting);
  }
  assert_int_equal(n_waiting_for(pool, "fake"), 0);
  al_pool_free(pool);
}

static void a_place_counts_and_loads_nothing(void **)
{
  struct al_pool *pool = open_pool(0);
  struct al_pool_model *places[9], *lease;
  struct waiting waiting;
  struct al_err err = {};
  for (int i = 0; i < 8; i++)
    assert_int_equal(al_pool_enter(pool, "fake", &places[i], &err), AL_OK);
  assert_int_equal(al_pool_enter(pool, "fake", &places[8], &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "overloaded");
  assert_int_equal(al_pool_enter(pool, "nothing", &places[8], &err), AL_NOT_FOUND);
  assert_int_equal(n_waiting_for(pool, "fake"), 8);
  assert_int_equal(state_of(pool, "fake"), AL_MODEL_UNLOADED);
  for (int i = 1; i < 8; i++)
    al_pool_leave(places[i]);
  assert_int_equal(n_waiting_for(pool, "fake"), 1);
  assert_int_equal(al_fake_counts.n_loads, 0);
  waiting_init(&waiting);
  assert_int_equal(al_pool_claim(places[0], &waiting.waiter, &lease, &err), AL_OK);
  if (lease == nullptr) {
    wait_for(&waiting);
    lease = waiting.lease;
  }
  assert_non_null(lease);
  assert_int_equal(n_waiting_for(pool, "fake"), 1);
  give_back(lease);
  assert_int_equal(n_waiting_for(pool, "fake"), 0);
  waiting_done(&waiting);
  assert_int_equal(al_pool_enter(pool, "fake", &places[0], &err), AL_OK);
  al_pool_stop(pool);
  waiting_init(&waiting);
  assert_int_equal(al_pool_claim(places[0], &waiting.waiter, &lease, &err), AL_CANCELLED);
  assert_string_equal(err.reason, "shutting_down");
  al_pool_leave(places[0]);
  waiting_done(&waiting);
  al_pool_free(pool);
}

/* --- models without text ---------------------------------------------------------------------------------------- */

static void a_model_without_text_has_a_worker(void **)
{
  struct al_pool *pool = open_pool(0);
  static const char *const ids[] = { "fake-whisper", "fake-voice" };
  al_fake_knobs.weights_bytes = 12345;
  for (size_t i = 0; i < AL_COUNT(ids); i++) {
    struct al_pool_model *lease = lease_now(pool, ids[i]);
    const struct al_loaded *loaded = al_pool_loaded(lease);
    assert_null(loaded->scheduler);
    assert_non_null(loaded->worker);
    assert_int_equal(loaded->info.n_ctx, 0);
    al_pool_started(lease);
    al_pool_release(lease, &(struct al_pool_use){ .started = true, .audio_s = 1.5, .n_completion = 7 });
    struct al_pool_status status;
    al_pool_status(pool, ids[i], &status);
    assert_int_equal(status.memory_bytes, 12345);
    assert_int_equal(status.n_ctx, 0);
    assert_true(status.audio_s == 1.5);
    assert_int_equal(status.n_completion_tokens, 7);
    unload_and_wait(pool, ids[i]);
    al_pool_status(pool, ids[i], &status);
    assert_int_equal(status.memory_bytes, 0);
  }
  assert_null(al_pool_loaded(lease_now(pool, "fake"))->worker);
  al_pool_free(pool);
}

/* An idle model of either kind makes room for one of the other; one in use does not. */
static void check_room(const char *first, const char *second)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting;
  al_fake_knobs.weights_bytes = weights_bytes = (uint64_t)6 << 20;
  available = (uint64_t)10 << 20;
  struct al_pool_model *lease = lease_now(pool, first), *none;
  waiting_init(&waiting);
  assert_int_equal(al_pool_acquire(pool, second, &waiting.waiter, &none, nullptr), AL_OK);
  wait_for(&waiting);
  assert_int_equal(waiting.err.code, AL_OOM_RAM);
  waiting_done(&waiting);
  assert_int_equal(state_of(pool, first), AL_MODEL_READY);
  give_back(lease);
  give_back(lease_now(pool, second));
  assert_int_equal(state_of(pool, first), AL_MODEL_UNLOADED);
  assert_int_equal(state_of(pool, second), AL_MODEL_READY);
  al_pool_free(pool);
  assert_int_equal(al_fake_counts.n_loads, al_fake_counts.n_unloads);
}

static void idle_models_make_room_for_those_of_the_other_kind(void **)
{
  check_room("fake-whisper", "fake");
  check_room("fake", "fake-whisper");
  check_room("fake-voice", "fake-whisper");
}

static void unknown_broken_and_alien_models_are_refused_at_once(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting;
  struct al_pool_model *lease;
  struct al_err err = {};
  waiting_init(&waiting);
  assert_int_equal(al_pool_acquire(pool, "nothing", &waiting.waiter, &lease, &err), AL_NOT_FOUND);
  assert_string_equal(err.reason, "model_not_found");
  assert_int_equal(al_pool_acquire(pool, "fake-broken", &waiting.waiter, &lease, &err), AL_MODEL_CORRUPT);
  assert_int_equal(al_pool_acquire(pool, "fake-alien", &waiting.waiter, &lease, &err), AL_UNSUPPORTED);
  assert_false(waiting.answered);
  waiting_done(&waiting);
  al_pool_free(pool);
}

static void too_many_waiting_are_refused(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting[9];
  struct al_pool_model *lease;
  struct al_err err = {};
  al_fake_knobs.load_ns = 30'000'000;
  for (int i = 0; i < 9; i++) {
    waiting_init(&waiting[i]);
    enum al_code code = al_pool_acquire(pool, "fake", &waiting[i].waiter, &lease, &err);
    assert_int_equal(code, i < 8 ? AL_OK : AL_OOM_RAM);
  }
  assert_string_equal(err.reason, "overloaded");
  for (int i = 0; i < 8; i++) {
    wait_for(&waiting[i]);
    give_back(waiting[i].lease);
  }
  for (int i = 0; i < 9; i++)
    waiting_done(&waiting[i]);
  al_pool_free(pool);
}

static void who_gave_up_is_answered_before_the_load_ends(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting stays, leaves;
  struct al_pool_model *lease;
  al_fake_knobs.load_ns = 60'000'000'000; /* ends by itself never in this test */
  waiting_init(&stays);
  waiting_init(&leaves);
  leaves.waiter.cancel = al_cancel_new();
  assert_int_equal(al_pool_acquire(pool, "fake", &stays.waiter, &lease, nullptr), AL_OK);
  assert_int_equal(al_pool_acquire(pool, "fake", &leaves.waiter, &lease, nullptr), AL_OK);
  al_cancel_fire(leaves.waiter.cancel, AL_CANCELLED);
  wait_for(&leaves);
  assert_int_equal(leaves.err.code, AL_CANCELLED);
  assert_false(stays.answered);
  al_pool_free(pool); /* stops the load */
  assert_true(stays.answered);
  assert_string_equal(stays.err.reason, "shutting_down");
  al_cancel_unref(leaves.waiter.cancel);
  waiting_done(&stays);
  waiting_done(&leaves);
}

/* Nobody will tell of a token that has fired already. */
static void who_gave_up_before_asking_is_answered(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting;
  struct al_pool_model *lease;
  al_fake_knobs.load_ns = 60'000'000'000;
  waiting_init(&waiting);
  waiting.waiter.cancel = al_cancel_new();
  al_cancel_fire(waiting.waiter.cancel, AL_TIMEOUT);
  assert_int_equal(al_pool_acquire(pool, "fake", &waiting.waiter, &lease, nullptr), AL_OK);
  wait_for(&waiting);
  assert_int_equal(waiting.err.code, AL_CANCELLED);
  assert_int_equal(n_waiting_for(pool, "fake"), 0);
  al_cancel_unref(waiting.waiter.cancel);
  waiting_done(&waiting);
  al_pool_free(pool);
}

static void an_unload_waits_for_leases_and_the_next_loads_again(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting unload, next;
  struct al_pool_model *lease = lease_now(pool, "fake"), *none;
  waiting_init(&unload);
  waiting_init(&next);
  assert_int_equal(al_pool_unload(pool, "fake", on_done, &unload, nullptr), AL_OK);
  assert_int_equal(state_of(pool, "fake"), AL_MODEL_UNLOADING);
  assert_int_equal(al_pool_acquire(pool, "fake", &next.waiter, &none, nullptr), AL_OK);
  assert_null(none);
  assert_int_equal(al_fake_counts.n_unloads, 0);
  assert_false(unload.answered);
  give_back(lease);
  wait_for(&unload);
  wait_for(&next);
  assert_int_equal(al_fake_counts.n_loads, 2);
  assert_int_equal(al_fake_counts.n_unloads, 1);
  give_back(next.lease);
  waiting_done(&unload);
  waiting_done(&next);
  al_pool_free(pool);
}

static void load_and_unload_on_request(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting;
  for (int i = 0; i < 2; i++) { /* the second finds it there */
    waiting_init(&waiting);
    assert_int_equal(al_pool_load(pool, "fake", on_done, &waiting, nullptr), AL_OK);
    wait_for(&waiting);
    assert_int_equal(waiting.err.code, AL_OK);
    assert_int_equal(state_of(pool, "fake"), AL_MODEL_READY);
    waiting_done(&waiting);
  }
  assert_int_equal(al_fake_counts.n_loads, 1);
  unload_and_wait(pool, "fake");
  assert_int_equal(state_of(pool, "fake"), AL_MODEL_UNLOADED);
  unload_and_wait(pool, "fake"); /* nothing to do is no error */
  assert_int_equal(al_pool_unload(pool, "nothing", on_done, &waiting, nullptr), AL_NOT_FOUND);
  al_pool_free(pool);
}

/* Somebody asks for the model before the keeper has told that there is nothing to unload: both are answered, whoever
 * the keeper sees first. */
static void an_unload_is_answered_though_a_load_comes_at_once(void **)
{
  struct al_pool *pool = open_pool(0);
  for (int round = 0; round < 200; round++) {
    struct waiting unload, load;
    waiting_init(&unload);
    waiting_init(&load);
    assert_int_equal(al_pool_unload(pool, "fake", on_done, &unload, nullptr), AL_OK);
    assert_int_equal(al_pool_load(pool, "fake", on_done, &load, nullptr), AL_OK);
    wait_for(&load);
    wait_for(&unload);
    assert_int_equal(unload.err.code, AL_OK);
    waiting_done(&load);
    waiting_done(&unload);
    unload_and_wait(pool, "fake");
  }
  al_pool_free(pool);
}

static void a_deleted_model_goes_on_until_it_is_unloaded(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting;
  struct al_pool_model *lease;
  give_back(lease_now(pool, "fake"));
  stand_in_gone = "fake";
  give_back(lease_now(pool, "fake"));
  unload_and_wait(pool, "fake");
  waiting_init(&waiting);
  assert_int_equal(al_pool_acquire(pool, "fake", &waiting.waiter, &lease, nullptr), AL_NOT_FOUND);
  waiting_done(&waiting);
  al_pool_free(pool);
}

static void an_idle_model_goes(void **)
{
  struct al_pool *pool = open_pool(1);
  struct waiting waiting;
  waiting_init(&waiting);
  struct al_pool_model *lease = lease_now(pool, "fake");
  assert_int_equal(al_fake_counts.n_unloads, 0);
  give_back(lease);
  while (al_fake_counts.n_unloads == 0) /* the keeper's deadline decides; nothing is asserted about time */
    sched_yield();
  waiting_done(&waiting);
  al_pool_free(pool);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

static uint64_t need_of_one(void)
{
  struct al_memory_estimate estimate;
  struct al_load_options options = { .n_ctx = 64, .n_seq_max = 2 };
  struct al_model_descriptor descriptor = {};
  assert_int_equal(al_engine_fake.estimate(&descriptor, &options, &estimate, nullptr), AL_OK);
  return estimate.weights_ram_bytes + estimate.kv_ram_bytes + estimate.compute_ram_bytes;
}

static void too_little_memory_is_refused_with_both_figures(void **)
{
  struct al_pool *pool = open_pool(0);
  struct waiting waiting;
  struct al_pool_model *lease;
  char figure[32];
  available = 12345;
  waiting_init(&waiting);
  assert_int_equal(al_pool_acquire(pool, "fake", &waiting.waiter, &lease, nullptr), AL_OK);
  wait_for(&waiting);
  assert_int_equal(waiting.err.code, AL_OOM_RAM);
  assert_non_null(strstr(waiting.err.message, "12345"));
  (void)snprintf(figure, sizeof figure, "%llu", (unsigned long long)need_of_one());
  assert_non_null(strstr(waiting.err.message, figure));
  assert_int_equal(al_fake_counts.n_loads, 0);
  waiting_done(&waiting);
  al_pool_free(pool);
}

/* The machine has room for one; what is loaded takes it away, so the stand-in follows the fake's counts. */
static uint64_t room_for_one(void *)
{
  uint64_t n_loaded = al_fake_counts.n_loads - al_fake_counts.n_unloads;
  return n_loaded > 0 ? need_of_one() / 2 : need_of_one();
}

static void idle_models_make_room_and_leased_ones_do_not(void **)
{
  struct al_pool_options options = {
    .registry = { engines, AL_COUNT(engines) },
    .load = { .n_ctx = 64, .n_seq_max = 2 },
    .max_waiting = 8,
    .available_bytes = room_for_one,
  };
  struct al_pool *pool;
  assert_int_equal(al_pool_new(&options, &pool, nullptr), AL_OK);
  give_back(lease_now(pool, "fake-a"));
  struct al_pool_model *lease = lease_now(pool, "fake-b"); /* a goes */
  assert_int_equal(state_of(pool, "fake-a"), AL_MODEL_UNLOADED);
  struct waiting waiting;
  struct al_pool_model *none;
  waiting_init(&waiting);
  assert_int_equal(al_pool_acquire(pool, "fake-a", &waiting.waiter, &none, nullptr), AL_OK);
  wait_for(&waiting);
  assert_int_equal(waiting.err.code, AL_OOM_RAM);
  assert_int_equal(state_of(pool, "fake-b"), AL_MODEL_READY);
  waiting_done(&waiting);
  give_back(lease);
  al_pool_free(pool);
}

static void fail_every_allocation(const char *id)
{
  for (size_t n = 1; n < 100; n++) {
    struct al_pool *pool = open_pool(0);
    struct waiting waiting;
    struct al_pool_model *lease = nullptr;
    waiting_init(&waiting);
    (void)al_alloc_fail_at(n);
    struct al_err err = {};
    enum al_code code = al_pool_acquire(pool, id, &waiting.waiter, &lease, &err);
    if (code == AL_OK && lease == nullptr) {
      wait_for(&waiting);
      lease = waiting.lease;
      code = waiting.err.code;
    }
    size_t made = al_alloc_fail_at(0);
    if (made < n || code != AL_OK) /* a lost log line is no failure */
      assert_int_equal(code, made < n ? AL_OK : AL_OOM_RAM);
    if (lease != nullptr)
      give_back(lease);
    waiting_done(&waiting);
    al_pool_free(pool);
    if (made < n)
      return;
  }
  fail_msg("a load made more than 100 allocations");
}

static void every_allocation_may_fail(void **)
{
  fail_every_allocation("fake");
  fail_every_allocation("fake-whisper");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(loads_once_for_all_who_ask, reset),
    cmocka_unit_test_setup(a_failed_load_is_told_to_all_and_can_be_tried_again, reset),
    cmocka_unit_test_setup(who_waited_for_a_failed_load_waits_no_more, reset),
    cmocka_unit_test_setup(a_place_counts_and_loads_nothing, reset),
    cmocka_unit_test_setup(a_model_without_text_has_a_worker, reset),
    cmocka_unit_test_setup(idle_models_make_room_for_those_of_the_other_kind, reset),
    cmocka_unit_test_setup(unknown_broken_and_alien_models_are_refused_at_once, reset),
    cmocka_unit_test_setup(too_many_waiting_are_refused, reset),
    cmocka_unit_test_setup(who_gave_up_is_answered_before_the_load_ends, reset),
    cmocka_unit_test_setup(who_gave_up_before_asking_is_answered, reset),
    cmocka_unit_test_setup(an_unload_waits_for_leases_and_the_next_loads_again, reset),
    cmocka_unit_test_setup(load_and_unload_on_request, reset),
    cmocka_unit_test_setup(an_unload_is_answered_though_a_load_comes_at_once, reset),
    cmocka_unit_test_setup(a_deleted_model_goes_on_until_it_is_unloaded, reset),
    cmocka_unit_test_setup(an_idle_model_goes, reset),
    cmocka_unit_test_setup(too_little_memory_is_refused_with_both_figures, reset),
    cmocka_unit_test_setup(idle_models_make_room_and_leased_ones_do_not, reset),
    cmocka_unit_test_setup(every_allocation_may_fail, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
