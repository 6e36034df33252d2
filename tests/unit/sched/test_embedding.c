/* Embeddings beside generations, and visits. */
#include "base/alloc.h"
#include "base/clock.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { MOST_TEXTS = 40 };

struct job {
  struct al_mutex mutex;
  struct al_cond changed;
  struct al_cancel *cancel;
  struct al_embedding_text texts[MOST_TEXTS];
  int32_t tokens[MOST_TEXTS][64];
  size_t n_texts;
  float rows[MOST_TEXTS][AL_FAKE_N_EMBD];
  struct al_err err;
  bool done;
};

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  return 0;
}

static void on_done(void *user, const float *rows, const struct al_err *err)
{
  struct job *job = user;
  AL_LOCKED(&job->mutex);
  assert_false(job->done);
  assert_true((rows != nullptr) == (err->code == AL_OK));
  if (rows != nullptr)
    memcpy(job->rows, rows, job->n_texts * sizeof job->rows[0]);
  job->err = *err;
  job->done = true;
  al_cond_broadcast(&job->changed);
}

static struct job *new_job(void)
{
  struct job *job = al_calloc(1, sizeof *job);
  assert_non_null(job);
  job->cancel = al_cancel_new();
  al_mutex_init(&job->mutex);
  al_cond_init(&job->changed);
  return job;
}

static void free_job(struct job *job)
{
  al_cancel_unref(job->cancel);
  al_cond_done(&job->changed);
  al_mutex_done(&job->mutex);
  al_free(job);
}

static void add_text(struct job *job, const char *text)
{
  size_t n = strlen(text), at = job->n_texts++;
  assert_true(at < MOST_TEXTS && n <= 64);
  for (size_t i = 0; i < n; i++)
    job->tokens[at][i] = (unsigned char)text[i];
  job->texts[at] = (struct al_embedding_text){ job->tokens[at], n };
}

static enum al_code submit(struct kit *kit, struct job *job, struct al_err *err)
{
  struct al_embedding_job wanted = {
    .texts = job->texts,
    .n_texts = job->n_texts,
    .cancel = job->cancel,
    .done = on_done,
    .user = job,
  };
  return al_scheduler_embed(kit->scheduler, &wanted, err);
}

static void wait_job(struct job *job)
{
  AL_LOCKED(&job->mutex);
  while (!job->done)
    (void)al_cond_wait(&job->changed, &job->mutex, AL_NO_DEADLINE);
}

static void embed_alone(const char *text, float row[AL_FAKE_N_EMBD])
{
  struct kit kit = { .capabilities = AL_CAN_EMBED };
  struct job *job = new_job();
  kit_open(&kit, 0, 0, 1);
  add_text(job, text);
  assert_int_equal(submit(&kit, job, nullptr), AL_OK);
  wait_job(job);
  assert_int_equal(job->err.code, AL_OK);
  memcpy(row, job->rows[0], sizeof job->rows[0]);
  kit_close(&kit);
  free_job(job);
}

static void batches_equal_one_by_one(void **)
{
  enum { JOBS = 6 };
  struct kit kit = { .capabilities = AL_CAN_EMBED };
  struct job *jobs[JOBS];
  char text[64];
  al_fake_knobs.decode_ns = 200'000; /* lets them pile up */
  kit_open(&kit, 0, 40, 4);
  for (int i = 0; i < JOBS; i++) {
    jobs[i] = new_job();
    for (int j = 0; j <= i * 7; j++) {
      (void)snprintf(text, sizeof text, "text %d of job %d%.*s", j, i, j % 9, ".........");
      add_text(jobs[i], text);
    }
    assert_int_equal(submit(&kit, jobs[i], nullptr), AL_OK);
  }
  for (int i = 0; i < JOBS; i++)
    wait_job(jobs[i]);
  kit_close(&kit);
  al_fake_knobs.decode_ns = 0;
  for (int i = 0; i < JOBS; i++) {
    assert_int_equal(jobs[i]->err.code, AL_OK);
    for (int j = 0; j <= i * 7; j += 3) {
      float row[AL_FAKE_N_EMBD];
      (void)snprintf(text, sizeof text, "text %d of job %d%.*s", j, i, j % 9, ".........");
      embed_alone(text, row);
      assert_memory_equal(row, jobs[i]->rows[j], sizeof row);
    }
    free_job(jobs[i]);
  }
}

static void texts_share_a_batch(void **)
{
  struct kit kit = { .capabilities = AL_CAN_EMBED };
  struct job *job = new_job();
  kit_open(&kit, 0, 40, 4);
  for (int i = 0; i < 12; i++)
    add_text(job, "ten bytes.");
  assert_int_equal(submit(&kit, job, nullptr), AL_OK);
  wait_job(job);
  assert_int_equal(al_fake_counts.n_embeds, 3);
  kit_close(&kit);
  free_job(job);
}

/* A short job does not wait for the whole of a long one before it. */
static void jobs_take_turns(void **)
{
  struct kit kit = { .capabilities = AL_CAN_EMBED };
  struct job *large = new_job(), *small = new_job();
  al_fake_knobs.decode_ns = 1'000'000;
  kit_open(&kit, 0, 16, 1);
  for (int i = 0; i < MOST_TEXTS; i++)
    add_text(large, "a text");
  add_text(small, "another");
  assert_int_equal(submit(&kit, large, nullptr), AL_OK);
  assert_int_equal(submit(&kit, small, nullptr), AL_OK);
  wait_job(small);
  {
    AL_LOCKED(&large->mutex);
    assert_false(large->done);
  }
  wait_job(large);
  kit_close(&kit);
  free_job(large);
  free_job(small);
}

static void generations_go_on_beside(void **)
{
  struct kit kit = { .capabilities = AL_CAN_CHAT | AL_CAN_EMBED };
  struct client client;
  struct job *job = new_job();
  char *alone = kit_alone("beside embeddings", 200);
  kit_open(&kit, 0, 64, 4);
  client_init(&client);
  client.hold_at = 1;
  client_submit(&kit, &client, "beside embeddings", 200);
  client_wait_held(&client);
  for (int i = 0; i < MOST_TEXTS; i++)
    add_text(job, "some text or other, of sixty bytes or so, to be embedded");
  assert_int_equal(submit(&kit, job, nullptr), AL_OK);
  client_release(&client);
  wait_job(job);
  client_wait(&client);
  assert_string_equal(client_text(&client), alone);
  assert_int_equal(job->err.code, AL_OK);
  client_done(&client);
  kit_close(&kit);
  free_job(job);
  al_free(alone);
}

static void only_the_culprit_fails(void **)
{
  struct kit kit = { .capabilities = AL_CAN_EMBED };
  struct job *bad = new_job(), *good = new_job();
  al_fake_knobs.poison = '!';
  al_fake_knobs.decode_ns = 200'000;
  kit_open(&kit, 0, 0, 8);
  add_text(bad, "fine");
  add_text(bad, "not fine!");
  for (int i = 0; i < 10; i++)
    add_text(good, "all fine");
  assert_int_equal(submit(&kit, good, nullptr), AL_OK);
  assert_int_equal(submit(&kit, bad, nullptr), AL_OK);
  wait_job(good);
  wait_job(bad);
  assert_int_equal(good->err.code, AL_OK);
  assert_int_equal(bad->err.code, AL_INTERNAL);
  assert_non_null(strstr(bad->err.message, "text 2: "));
  kit_close(&kit);
  free_job(bad);
  free_job(good);
}

static void cancelled_and_ended_jobs_are_answered(void **)
{
  struct kit kit = { .capabilities = AL_CAN_EMBED };
  struct job *left = new_job(), *late = new_job();
  al_fake_knobs.decode_ns = 2'000'000;
  kit_open(&kit, 0, 16, 1);
  for (int i = 0; i < MOST_TEXTS; i++) {
    add_text(left, "a text");
    add_text(late, "a text");
  }
  assert_int_equal(submit(&kit, left, nullptr), AL_OK);
  assert_int_equal(submit(&kit, late, nullptr), AL_OK);
  al_cancel_fire(left->cancel, AL_TIMEOUT);
  wait_job(left);
  assert_int_equal(left->err.code, AL_TIMEOUT);
  kit_close(&kit);
  assert_true(late->done);
  assert_string_equal(late->err.reason, "shutting_down");
  free_job(left);
  free_job(late);
}

static void what_cannot_be_is_refused(void **)
{
  struct kit kit = { .max_waiting = 1 }, embedder = { .capabilities = AL_CAN_EMBED, .max_waiting = 1 };
  struct job *job = new_job(), *none = new_job(), *more = new_job();
  struct client client;
  struct al_err err = {};
  add_text(job, "a text");
  add_text(more, "a text");
  kit_open(&kit, 0, 0, 2);
  assert_int_equal(submit(&kit, job, &err), AL_UNSUPPORTED);
  kit_close(&kit);
  kit_open(&embedder, 0, 5, 2);
  assert_int_equal(submit(&embedder, none, &err), AL_INVALID_REQUEST);
  assert_int_equal(submit(&embedder, job, &err), AL_INVALID_REQUEST); /* six tokens */
  client_init(&client);
  struct al_generation generation = client_generation(&client, "abc", 2);
  assert_int_equal(al_scheduler_submit(embedder.scheduler, &generation, &err), AL_UNSUPPORTED);
  al_free(generation.prompt);
  kit_close(&embedder);
  embedder = (struct kit){ .capabilities = AL_CAN_EMBED, .max_waiting = 0 };
  client_done(&client);
  free_job(job);
  free_job(none);
  free_job(more);
}

static void every_allocation_may_fail(void **)
{
  for (size_t n = 1; n < 20; n++) {
    struct kit kit = { .capabilities = AL_CAN_EMBED };
    struct job *job = new_job();
    struct al_err err = {};
    kit_open(&kit, 0, 0, 4);
    add_text(job, "a text");
    (void)al_alloc_fail_at(n);
    enum al_code code = submit(&kit, job, &err);
    if (code == AL_OK) {
      wait_job(job);
      code = job->err.code;
    }
    size_t made = al_alloc_fail_at(0);
    assert_int_equal(code, made >= n ? AL_OOM_RAM : AL_OK);
    kit_close(&kit);
    free_job(job);
    if (made < n)
      return;
  }
  fail_msg("an embedding made more than 20 allocations");
}

/* --- visits ----------------------------------------------------------------------------------------------------- */

struct guest {
  struct al_mutex mutex;
  struct al_cond changed;
  struct al_engine_model *model;
  int n_calls;
};

static void come(void *user, struct al_engine_model *model)
{
  struct guest *guest = user;
  AL_LOCKED(&guest->mutex);
  guest->model = model;
  guest->n_calls++;
  al_cond_broadcast(&guest->changed);
}

static void visits_come_between_steps_and_always(void **)
{
  struct kit kit = {};
  struct guest guest = {};
  al_mutex_init(&guest.mutex);
  al_cond_init(&guest.changed);
  kit_open(&kit, 0, 0, 2);
  struct al_engine_model *model = kit.model;
  for (int i = 0; i < 3; i++)
    al_scheduler_visit(kit.scheduler, come, &guest);
  al_mutex_lock(&guest.mutex);
  while (guest.n_calls < 3)
    (void)al_cond_wait(&guest.changed, &guest.mutex, AL_NO_DEADLINE);
  al_mutex_unlock(&guest.mutex);
  assert_ptr_equal(guest.model, model);
  (void)al_alloc_fail_at(1);
  al_scheduler_visit(kit.scheduler, come, &guest); /* no memory: at once, without the model */
  (void)al_alloc_fail_at(0);
  assert_int_equal(guest.n_calls, 4);
  assert_null(guest.model);
  for (int i = 0; i < 50; i++)
    al_scheduler_visit(kit.scheduler, come, &guest);
  kit_close(&kit);
  assert_int_equal(guest.n_calls, 54);
  al_cond_done(&guest.changed);
  al_mutex_done(&guest.mutex);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(batches_equal_one_by_one, reset),
    cmocka_unit_test_setup(texts_share_a_batch, reset),
    cmocka_unit_test_setup(jobs_take_turns, reset),
    cmocka_unit_test_setup(generations_go_on_beside, reset),
    cmocka_unit_test_setup(only_the_culprit_fails, reset),
    cmocka_unit_test_setup(cancelled_and_ended_jobs_are_answered, reset),
    cmocka_unit_test_setup(what_cannot_be_is_refused, reset),
    cmocka_unit_test_setup(every_allocation_may_fail, reset),
    cmocka_unit_test_setup(visits_come_between_steps_and_always, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
