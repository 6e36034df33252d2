#include "base/alloc.h"
#include "image_kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

constexpr int64_t A_MINUTE_NS = 60'000'000'000;

static void load_status(struct al_inference *inference, struct al_model_status *status)
{
  assert_int_equal(al_inference_model(inference, "fake-paint", status, nullptr), AL_OK);
  al_model_status_done(status);
}

/* --- the queue -------------------------------------------------------------------------------------------------- */

static void twenty_at_once_are_drawn_one_after_another(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  static struct sitter s[20];
  for (int i = 0; i < 20; i++) {
    sitter_init(&s[i], i % 2 == 0 ? nullptr : "GREY 1", i % 4 == 3 ? "HOLE" : nullptr);
    s[i].ask.draw.n_images = i % 3 + 1;
    s[i].hold_at = i == 0 ? 1 : 0;
    kit_draw(inference, &s[i]);
    if (i == 0)
      sitter_until(&s[0], &s[0].holding);
  }
  for (int i = 1; i < 20; i++) {
    sitter_until(&s[i], &s[i].started);
    assert_int_equal(s[i].n_pictures, 0);
  }
  sitter_release(&s[0]);
  for (int i = 0; i < 20; i++) {
    sitter_wait(&s[i]);
    assert_false(s[i].failed);
    assert_int_equal(s[i].n_pictures, i % 3 + 1);
    sitter_done(&s[i]);
  }
  assert_int_equal(al_fake_counts.n_loads, 1);
  assert_int_equal(al_fake_counts.n_drawings, 20);
  al_inference_free(inference);
}

static void too_many_are_refused(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .max_queued = 2 });
  struct sitter s[4];
  struct al_err err = {};
  for (int i = 0; i < 4; i++) {
    sitter_init(&s[i], i == 2 ? "GREY 1" : nullptr, nullptr);
    s[i].hold_at = i == 0 ? 1 : 0;
    if (i == 3)
      break;
    kit_draw(inference, &s[i]);
    if (i == 0)
      sitter_until(&s[0], &s[0].holding);
  }
  assert_int_equal(al_inference_draw(inference, &s[3].ask, &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "overloaded");
  assert_false(s[3].ended);
  sitter_release(&s[0]);
  for (int i = 0; i < 4; i++) {
    if (i < 3)
      sitter_wait(&s[i]);
    sitter_done(&s[i]);
  }
  al_inference_free(inference);
}

/* --- giving up -------------------------------------------------------------------------------------------------- */

/* "LATER" is looked at quickly first, and goes on for ever when the model's size is known. */
static void giving_up_while_the_files_are_read(void **)
{
  static const char *const files[] = { "BUSY", "LATER" };
  struct al_inference *inference = kit_open(nullptr);
  for (int i = 0; i < 2; i++) {
    struct sitter s;
    sitter_init(&s, files[i], nullptr);
    s.ask.draw.width = i == 0 ? 16 : 0;
    s.ask.draw.height = 8;
    stand_in_media.n_looked = 0;
    kit_draw(inference, &s);
    while (stand_in_media.n_looking == 0 || stand_in_media.n_looked != i + 1)
      (void)usleep(200);
    kit_turn_away(&s, files[i]);
    assert_int_equal(al_fake_counts.n_loads, i);
  }
  al_inference_free(inference);
}

static void giving_up_while_the_model_loads(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  for (int i = 0; i < 2; i++) {
    struct sitter s;
    struct al_model_status status = {};
    al_fake_knobs.load_ns = A_MINUTE_NS;
    sitter_init(&s, i == 1 ? "GREY 1" : nullptr, nullptr);
    kit_draw(inference, &s);
    do {
      (void)usleep(200);
      load_status(inference, &status);
    } while (status.state != AL_MODEL_LOADING || status.n_waiting == 0);
    kit_turn_away(&s, "loading");
  }
  al_inference_free(inference);
}

static void giving_up_in_the_queue(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter running, waiting;
  sitter_init(&running, nullptr, nullptr);
  sitter_init(&waiting, "GREY 1", "HOLE");
  running.hold_at = 1;
  kit_draw(inference, &running);
  sitter_until(&running, &running.holding);
  kit_draw(inference, &waiting);
  sitter_until(&waiting, &waiting.started);
  kit_turn_away(&waiting, "queue");
  assert_false(running.ended);
  sitter_release(&running);
  sitter_wait(&running);
  assert_false(running.failed);
  sitter_done(&running);
  al_inference_free(inference);
}

static void giving_up_while_it_is_drawn(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  al_fake_knobs.step_ns = A_MINUTE_NS;
  sitter_init(&s, "GREY 1", nullptr);
  kit_draw(inference, &s);
  while (al_fake_counts.n_drawings == 0)
    (void)usleep(200);
  kit_turn_away(&s, "drawing");
  al_inference_free(inference);
}

static void giving_up_while_it_is_encoded(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  stand_in_media.slow_writers = true;
  sitter_init(&s, nullptr, nullptr);
  kit_draw(inference, &s);
  while (stand_in_media.n_writing == 0)
    (void)usleep(200);
  kit_turn_away(&s, "encoding");
  al_inference_free(inference);
}

static void giving_up_between_pictures(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.n_images = 4;
  s.hold_at = 2;
  kit_draw(inference, &s);
  sitter_until(&s, &s.holding);
  al_cancel_fire(s.cancel, AL_TIMEOUT);
  sitter_release(&s);
  sitter_wait(&s);
  assert_int_equal(s.err.code, AL_TIMEOUT);
  assert_int_equal(s.n_pictures, 2);
  struct al_model_status status;
  load_status(inference, &status);
  assert_int_equal(status.n_images, 2);
  assert_int_equal(status.n_running, 0);
  sitter_done(&s);
  al_inference_free(inference);
}

/* --- the model's life ------------------------------------------------------------------------------------------- */

static void an_unload_lets_the_queue_run_out(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s[3];
  struct done done;
  for (int i = 0; i < 3; i++) {
    sitter_init(&s[i], i == 2 ? "GREY 1" : nullptr, nullptr);
    s[i].hold_at = i == 0 ? 1 : 0;
    kit_draw(inference, &s[i]);
    sitter_until(&s[i], i == 0 ? &s[i].holding : &s[i].started);
  }
  done_init(&done);
  assert_int_equal(al_inference_unload(inference, "fake-paint", done_call, &done, nullptr), AL_OK);
  struct al_model_status status;
  load_status(inference, &status);
  assert_int_equal(status.state, AL_MODEL_UNLOADING);
  assert_int_equal(status.n_running, 1);
  assert_int_equal(status.n_waiting, 2);
  sitter_release(&s[0]);
  done_wait(&done);
  for (int i = 0; i < 3; i++) {
    sitter_wait(&s[i]);
    assert_false(s[i].failed);
    sitter_done(&s[i]);
  }
  assert_int_equal(al_fake_counts.n_unloads, 1);
  al_inference_free(inference);
}

static void who_drains_lets_running_ones_end(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter running, late;
  struct al_err err = {};
  sitter_init(&running, nullptr, nullptr);
  sitter_init(&late, nullptr, nullptr);
  running.hold_at = 1;
  kit_draw(inference, &running);
  sitter_until(&running, &running.holding);
  al_inference_drain(inference);
  assert_int_equal(al_inference_draw(inference, &late.ask, &err), AL_CANCELLED);
  assert_string_equal(err.reason, "shutting_down");
  assert_int_equal(al_inference_n_active(inference), 1);
  sitter_release(&running);
  sitter_wait(&running);
  assert_false(running.failed);
  sitter_done(&running);
  sitter_done(&late);
  al_inference_free(inference);
}

/* One is drawn, two wait, one's file is read, one's is read once more, one waits for another model. */
static void the_end_answers_everybody(void **)
{
  static const char *const files[] = { nullptr, nullptr, "GREY 1", "BUSY", "LATER", nullptr };
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s[AL_COUNT(files)];
  al_fake_knobs.step_ns = A_MINUTE_NS;
  for (size_t i = 0; i < AL_COUNT(files); i++) {
    sitter_init(&s[i], files[i], nullptr);
    if (i == 4)
      s[i].ask.draw.width = 0;
    if (i == 5) {
      al_fake_knobs.load_ns = A_MINUTE_NS;
      s[i].ask.model = "fake-paint-2";
    }
    kit_draw(inference, &s[i]);
    if (i < 3)
      sitter_until(&s[i], &s[i].started);
  }
  while (stand_in_media.n_looking < 2 || stand_in_media.n_looked < 4 || al_fake_counts.n_drawings == 0)
    (void)usleep(200);
  al_inference_free(inference);
  for (size_t i = 0; i < AL_COUNT(files); i++) {
    assert_true(s[i].failed);
    assert_int_equal(s[i].err.code, AL_CANCELLED);
    assert_true(al_streq(s[i].err.reason, "shutting_down"));
    sitter_done(&s[i]);
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
  struct sitter s;
  sitter_init(&s, nullptr, nullptr);
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_int_equal(n_entries, 2); /* the load and the work */
  assert_int_equal(n_inside, 0);
  sitter_done(&s);
  al_inference_free(inference);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Every allocation fails once: an error or an answer, nothing is left, and the next one is served. */
static void each_failed_allocation_is_an_answer(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  kit_load_now(inference, "fake-paint");
  int n_failed = 0, n_fine = 0;
  for (size_t n = 1; n <= 48; n++) {
    struct sitter s;
    struct al_err err = {};
    sitter_init(&s, n % 2 == 0 ? "GREY 1" : nullptr, n % 2 == 0 ? "HOLE" : nullptr);
    s.ask.draw.width = n % 4 == 0 ? 0 : 16;
    (void)al_alloc_fail_at((n + 3) / 4);
    enum al_code code = al_inference_draw(inference, &s.ask, &err);
    if (code == AL_OK)
      sitter_wait(&s);
    (void)al_alloc_fail_at(0);
    bool failed = code != AL_OK || s.failed;
    assert_true(!failed || (code != AL_OK ? code : s.err.code) == AL_OOM_RAM);
    n_failed += failed;
    n_fine += !failed;
    sitter_done(&s);
  }
  assert_true(n_failed >= 16);
  assert_true(n_fine >= 4);
  kit_wait_inactive(inference);
  al_inference_free(inference);
}

/* --- all at once ------------------------------------------------------------------------------------------------ */

enum { N_CROWD = 40 };
struct crowd {
  struct al_inference *inference;
  struct sitter sitters[N_CROWD];
  unsigned seed;
  int n_failed;
};

static void unload_now(struct al_inference *inference)
{
  struct done done;
  done_init(&done);
  assert_int_equal(al_inference_unload(inference, "fake-paint", done_call, &done, nullptr), AL_OK);
  done_wait(&done);
}

/* Asks, gives up now and then, and has the model unloaded under everybody's feet. */
static void crowd_run(void *argument)
{
  static const char *const files[] = { nullptr, "GREY 1", "BAD", "HALVES", "" };
  struct crowd *crowd = argument;
  bool taken[N_CROWD] = {};
  for (size_t i = 0; i < N_CROWD; i++) {
    struct sitter *s = &crowd->sitters[i];
    struct al_err err;
    unsigned dice = (unsigned)rand_r(&crowd->seed);
    const char *file = files[dice % AL_COUNT(files)];
    sitter_init(s, file, file != nullptr && dice / 8 % 2 == 0 ? "HOLE" : nullptr);
    s->ask.draw.width = dice / 16 % 3 == 0 ? 0 : 16;
    s->ask.draw.n_images = (int)(dice / 64 % 3) + 1;
    s->ask.draw.preview_every = 2;
    taken[i] = al_inference_draw(crowd->inference, &s->ask, &err) == AL_OK;
    if (dice / 256 % 4 == 0)
      al_cancel_fire(s->cancel, AL_CANCELLED);
    if (dice / 1024 % 8 == 0 && taken[i])
      sitter_wait(s);
    if (dice / 8192 % 10 == 0)
      unload_now(crowd->inference);
  }
  for (size_t i = 0; i < N_CROWD; i++) {
    if (taken[i])
      sitter_wait(&crowd->sitters[i]);
    crowd->n_failed += crowd->sitters[i].failed;
    sitter_done(&crowd->sitters[i]);
  }
}

static void a_crowd_is_answered_one_by_one(void **)
{
  static struct crowd crowds[4];
  struct al_thread threads[4] = {};
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .max_queued = 24 });
  al_fake_knobs.step_ns = 10'000;
  for (unsigned i = 0; i < 4; i++) {
    crowds[i] = (struct crowd){ .inference = inference, .seed = i + 1 };
    assert_int_equal(al_thread_start(&threads[i], "crowd", crowd_run, &crowds[i], nullptr), AL_OK);
  }
  for (int i = 0; i < 4; i++) {
    al_thread_join(&threads[i]);
    assert_true(crowds[i].n_failed > 0 && crowds[i].n_failed < N_CROWD);
  }
  kit_wait_inactive(inference);
  struct al_model_status status;
  load_status(inference, &status);
  assert_int_equal(status.n_waiting, 0);
  assert_int_equal(status.n_running, 0);
  al_inference_free(inference);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(twenty_at_once_are_drawn_one_after_another),
    TEST(too_many_are_refused),
    TEST(giving_up_while_the_files_are_read),
    TEST(giving_up_while_the_model_loads),
    TEST(giving_up_in_the_queue),
    TEST(giving_up_while_it_is_drawn),
    TEST(giving_up_while_it_is_encoded),
    TEST(giving_up_between_pictures),
    TEST(an_unload_lets_the_queue_run_out),
    TEST(who_drains_lets_running_ones_end),
    TEST(the_end_answers_everybody),
    TEST(the_engine_is_announced),
    TEST(each_failed_allocation_is_an_answer),
    TEST(a_crowd_is_answered_one_by_one),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
