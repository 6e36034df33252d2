#include "audio_kit.h"
#include "base/alloc.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the queue -------------------------------------------------------------------------------------------------- */

static void twenty_at_once_run_one_after_another(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  static struct listener l[20];
  for (int i = 0; i < 20; i++) {
    char words[32];
    (void)snprintf(words, sizeof words, "AUDIO %d", i % 4 + 1);
    listener_init(&l[i], words);
    l[i].hold_at = i == 0 ? 1 : 0;
    kit_hear(inference, &l[i]);
    if (i == 0)
      listener_until(&l[0], &l[0].holding);
  }
  for (int i = 1; i < 20; i++) {
    listener_until(&l[i], &l[i].started);
    assert_int_equal(l[i].n_segments, 0);
  }
  assert_true(stand_in_media.n_open <= 5); /* the one that runs and four that wait */
  listener_release(&l[0]);
  for (int i = 0; i < 20; i++) {
    listener_wait(&l[i]);
    assert_false(l[i].failed);
    assert_int_equal(l[i].n_segments, i % 4 + 1);
    listener_done(&l[i]);
  }
  assert_int_equal(al_fake_counts.n_loads, 1);
  assert_int_equal(al_fake_counts.n_transcriptions, 20);
  assert_true(stand_in_media.most_open <= 1 + 4 + 4);
  al_inference_free(inference);
}

static void too_many_are_refused(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .max_queued = 2 });
  struct listener l[4];
  for (int i = 0; i < 4; i++) {
    listener_init(&l[i], "AUDIO 1");
    l[i].hold_at = i == 0 ? 1 : 0;
    if (i == 3)
      break;
    kit_hear(inference, &l[i]);
    if (i == 0)
      listener_until(&l[0], &l[0].holding);
  }
  struct al_err err = {};
  assert_int_equal(al_inference_transcribe(inference, &l[3].hear, &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "overloaded");
  assert_false(l[3].ended);
  listener_release(&l[0]);
  for (int i = 0; i < 4; i++) {
    if (i < 3)
      listener_wait(&l[i]);
    listener_done(&l[i]);
  }
  al_inference_free(inference);
}

/* --- giving up -------------------------------------------------------------------------------------------------- */

static void giving_up_while_the_file_is_opened(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "BUSY 1");
  kit_hear(inference, &l);
  while (stand_in_media.n_opening == 0)
    (void)usleep(200);
  kit_give_up(&l, "opening");
  assert_int_equal(al_fake_counts.n_loads, 0);
  al_inference_free(inference);
}

static void giving_up_while_the_model_loads(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  struct al_model_status status = {};
  al_fake_knobs.load_ns = 60'000'000'000;
  listener_init(&l, "AUDIO 1");
  kit_hear(inference, &l);
  while (status.state != AL_MODEL_LOADING) {
    (void)usleep(200);
    assert_int_equal(al_inference_model(inference, "fake-whisper", &status, nullptr), AL_OK);
    al_model_status_done(&status);
  }
  kit_give_up(&l, "loading");
  al_inference_free(inference);
}

static void giving_up_in_the_queue(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener running, waiting;
  listener_init(&running, "AUDIO 1");
  listener_init(&waiting, "AUDIO 1");
  running.hold_at = 1;
  kit_hear(inference, &running);
  listener_until(&running, &running.holding);
  kit_hear(inference, &waiting);
  listener_until(&waiting, &waiting.started);
  kit_give_up(&waiting, "queue");
  assert_false(running.ended);
  listener_release(&running);
  listener_wait(&running);
  assert_false(running.failed);
  listener_done(&running);
  al_inference_free(inference);
}

static void giving_up_in_the_engine(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  al_fake_knobs.hear_ns = 60'000'000'000;
  listener_init(&l, "AUDIO 1");
  kit_hear(inference, &l);
  while (al_fake_counts.n_transcriptions == 0)
    (void)usleep(200);
  kit_give_up(&l, "engine");
  al_fake_knobs.hear_ns = 0;
  al_fake_knobs.speak_ns = 60'000'000'000;
  listener_init(&l, nullptr);
  kit_speak(inference, &l);
  while (al_fake_counts.n_speeches == 0)
    (void)usleep(200);
  kit_give_up(&l, "speech");
  al_inference_free(inference);
}

static void giving_up_between_segments(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l;
  listener_init(&l, "AUDIO 30");
  l.hold_at = 2;
  kit_hear(inference, &l);
  listener_until(&l, &l.holding);
  al_cancel_fire(l.cancel, AL_TIMEOUT);
  listener_release(&l);
  listener_wait(&l);
  assert_int_equal(l.err.code, AL_TIMEOUT);
  assert_int_equal(l.n_segments, 2);
  listener_done(&l);
  al_inference_free(inference);
}

/* --- the model's life ------------------------------------------------------------------------------------------- */

static void an_unload_lets_the_queue_run_out(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener l[3];
  struct done done;
  for (int i = 0; i < 3; i++) {
    listener_init(&l[i], "AUDIO 2");
    l[i].hold_at = i == 0 ? 1 : 0;
    kit_hear(inference, &l[i]);
    if (i == 0)
      listener_until(&l[0], &l[0].holding);
    else
      listener_until(&l[i], &l[i].started);
  }
  done_init(&done);
  assert_int_equal(al_inference_unload(inference, "fake-whisper", done_call, &done, nullptr), AL_OK);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-whisper", &status, nullptr), AL_OK);
  assert_int_equal(status.state, AL_MODEL_UNLOADING);
  assert_int_equal(status.n_running, 1);
  assert_int_equal(status.n_waiting, 2);
  al_model_status_done(&status);
  listener_release(&l[0]);
  done_wait(&done);
  for (int i = 0; i < 3; i++) {
    listener_wait(&l[i]);
    assert_false(l[i].failed);
    listener_done(&l[i]);
  }
  assert_int_equal(al_fake_counts.n_unloads, 1);
  al_inference_free(inference);
}

static void who_drains_lets_running_ones_end(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct listener running, late;
  struct al_err err = {};
  listener_init(&running, "AUDIO 2");
  listener_init(&late, "AUDIO 2");
  running.hold_at = 1;
  kit_hear(inference, &running);
  listener_until(&running, &running.holding);
  al_inference_drain(inference);
  assert_int_equal(al_inference_transcribe(inference, &late.hear, &err), AL_CANCELLED);
  assert_string_equal(err.reason, "shutting_down");
  assert_int_equal(al_inference_n_active(inference), 1);
  listener_release(&running);
  listener_wait(&running);
  assert_false(running.failed);
  listener_done(&running);
  listener_done(&late);
  al_inference_free(inference);
}

/* One runs, one waits, two are being opened, and one waits for another model. */
static void the_end_answers_everybody(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  static const char *const words[] = { "AUDIO 9", "AUDIO 1", "BUSY 1", "BUSY 1" };
  struct listener l[5];
  al_fake_knobs.hear_ns = 60'000'000'000;
  for (int i = 0; i < 4; i++) {
    listener_init(&l[i], words[i]);
    kit_hear(inference, &l[i]);
    if (i < 2)
      listener_until(&l[i], &l[i].started);
  }
  while (stand_in_media.n_opening < 2 || al_fake_counts.n_transcriptions == 0)
    (void)usleep(200);
  al_fake_knobs.load_ns = 60'000'000'000;
  listener_init(&l[4], nullptr);
  kit_speak(inference, &l[4]);
  al_inference_free(inference);
  for (int i = 0; i < 5; i++) {
    assert_true(l[i].failed);
    assert_int_equal(l[i].err.code, AL_CANCELLED);
    assert_true(al_streq(l[i].err.reason, "shutting_down"));
    listener_done(&l[i]);
  }
}

static _Atomic int n_inside, n_entries;

static void in_engine(void *, const char *, bool inside)
{
  n_entries += inside;
  n_inside += inside ? 1 : -1;
}

static void the_engine_is_announced(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .in_engine = in_engine });
  struct listener l;
  listener_init(&l, "AUDIO 1");
  kit_hear(inference, &l);
  listener_wait(&l);
  assert_int_equal(n_entries, 2); /* the load and the work */
  assert_int_equal(n_inside, 0);
  listener_done(&l);
  al_inference_free(inference);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Every allocation fails once: an error or an answer, nothing is left, and the next one is served. */
static void each_failed_allocation_is_an_answer(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  kit_load_now(inference, "fake-whisper");
  kit_load_now(inference, "fake-voice");
  int n_failed = 0, n_fine = 0;
  for (size_t n = 1; n <= 24; n++) {
    struct listener l;
    struct al_err err = {};
    listener_init(&l, n % 2 == 0 ? "AUDIO 2" : nullptr);
    (void)al_alloc_fail_at((n + 1) / 2);
    enum al_code code =
        n % 2 == 0 ? al_inference_transcribe(inference, &l.hear, &err) : al_inference_speak(inference, &l.speak, &err);
    if (code == AL_OK)
      listener_wait(&l);
    (void)al_alloc_fail_at(0);
    bool failed = code != AL_OK || l.failed;
    assert_true(!failed || (code != AL_OK ? code : l.err.code) == AL_OOM_RAM);
    n_failed += failed;
    n_fine += !failed;
    listener_done(&l);
  }
  assert_true(n_failed >= 6);
  assert_true(n_fine >= 2);
  kit_wait_inactive(inference);
  al_inference_free(inference);
}

/* --- all at once ------------------------------------------------------------------------------------------------ */

enum { N_CROWD = 40 };
struct crowd {
  struct al_inference *inference;
  struct listener listeners[N_CROWD];
  unsigned seed;
  int n_failed;
};

/* Asks, gives up now and then, and has the model unloaded under everybody's feet. */
static void crowd_run(void *argument)
{
  static const char *const words[] = { "AUDIO 1", "AUDIO 3", "BAD", "CUT 1", "" };
  struct crowd *crowd = argument;
  bool taken[N_CROWD] = {};
  for (size_t i = 0; i < N_CROWD; i++) {
    struct listener *l = &crowd->listeners[i];
    struct al_err err;
    unsigned dice = (unsigned)rand_r(&crowd->seed);
    bool speaks = dice % 3 == 0;
    listener_init(l, speaks ? nullptr : words[dice / 3 % AL_COUNT(words)]);
    taken[i] = (speaks ? al_inference_speak(crowd->inference, &l->speak, &err)
                       : al_inference_transcribe(crowd->inference, &l->hear, &err)) == AL_OK;
    if (dice / 16 % 4 == 0)
      al_cancel_fire(l->cancel, AL_CANCELLED);
    if (dice / 64 % 8 == 0 && taken[i])
      listener_wait(l);
    if (dice / 512 % 10 == 0) {
      struct done done;
      done_init(&done);
      assert_int_equal(al_inference_unload(crowd->inference, "fake-whisper", done_call, &done, nullptr), AL_OK);
      done_wait(&done);
    }
  }
  for (size_t i = 0; i < N_CROWD; i++) {
    if (taken[i])
      listener_wait(&crowd->listeners[i]);
    crowd->n_failed += crowd->listeners[i].failed;
    listener_done(&crowd->listeners[i]);
  }
}

static void a_crowd_is_answered_one_by_one(void **)
{
  static struct crowd crowds[4];
  struct al_thread threads[4] = {};
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .max_queued = 24 });
  for (unsigned i = 0; i < 4; i++) {
    crowds[i] = (struct crowd){ .inference = inference, .seed = i + 1 };
    assert_int_equal(al_thread_start(&threads[i], "crowd", crowd_run, &crowds[i], nullptr), AL_OK);
  }
  for (int i = 0; i < 4; i++) {
    al_thread_join(&threads[i]);
    assert_true(crowds[i].n_failed > 0 && crowds[i].n_failed < N_CROWD);
  }
  kit_wait_inactive(inference);
  static const char *const ids[] = { "fake-whisper", "fake-voice" };
  for (size_t i = 0; i < AL_COUNT(ids); i++) {
    struct al_model_status status;
    assert_int_equal(al_inference_model(inference, ids[i], &status, nullptr), AL_OK);
    assert_int_equal(status.n_waiting, 0);
    assert_int_equal(status.n_running, 0);
    al_model_status_done(&status);
  }
  al_inference_free(inference);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(twenty_at_once_run_one_after_another),
    TEST(too_many_are_refused),
    TEST(giving_up_while_the_file_is_opened),
    TEST(giving_up_while_the_model_loads),
    TEST(giving_up_in_the_queue),
    TEST(giving_up_in_the_engine),
    TEST(giving_up_between_segments),
    TEST(an_unload_lets_the_queue_run_out),
    TEST(who_drains_lets_running_ones_end),
    TEST(the_end_answers_everybody),
    TEST(the_engine_is_announced),
    TEST(each_failed_allocation_is_an_answer),
    TEST(a_crowd_is_answered_one_by_one),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
