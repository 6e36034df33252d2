#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  return 0;
}

static void assert_refused(struct al_inference *inference, const char *model, enum al_code code, const char *reason)
{
  struct client client;
  struct al_err err = {};
  client_init(&client, "hi");
  client.request.model = model;
  assert_int_equal(al_inference_text(inference, &client.request, &err), code);
  assert_true(al_streq(err.reason, reason));
  assert_int_equal(client.n_started, 0);
  assert_false(client.ended);
  client_done(&client);
}

static void what_cannot_run_is_refused_at_once(void **)
{
  static const char *const quarantined[] = { "fake-crashes" };
  struct al_inference *inference =
      kit_open(&(struct al_inference_options){ .quarantined = quarantined, .n_quarantined = 1 });
  assert_refused(inference, "nothing", AL_NOT_FOUND, "model_not_found");
  assert_refused(inference, "fake-crashes", AL_UNSUPPORTED, "model_quarantined");
  assert_refused(inference, "fake-broken", AL_MODEL_CORRUPT, nullptr);
  assert_refused(inference, "fake-alien", AL_UNSUPPORTED, nullptr);
  assert_refused(inference, "fake-voice", AL_UNSUPPORTED, nullptr);
  assert_refused(inference, "fake-paint", AL_UNSUPPORTED, nullptr);
  struct done done;
  done_init(&done);
  struct al_err err = {};
  assert_int_equal(al_inference_load(inference, "fake-crashes", done_call, &done, &err), AL_UNSUPPORTED);
  assert_string_equal(err.reason, "model_quarantined");
  assert_int_equal(al_inference_n_active(inference), 0);
  al_inference_drain(inference);
  assert_refused(inference, "fake", AL_CANCELLED, "shutting_down");
  al_inference_free(inference);
}

static void the_list_says_why(void **)
{
  static const char *const quarantined[] = { "fake-crashes" };
  struct al_inference *inference =
      kit_open(&(struct al_inference_options){ .quarantined = quarantined, .n_quarantined = 1 });
  struct client client;
  client_init(&client, "hi");
  client.request.max_tokens = 3;
  client_submit(inference, &client);
  client_wait(&client);
  struct al_model_status_list list;
  assert_int_equal(al_inference_models(inference, &list, nullptr), AL_OK);
  assert_int_equal(list.count, 7);
  for (size_t i = 0; i < list.count; i++) {
    const char *id = list.items[i].descriptor->id;
    bool can_run = al_streq(id, "fake") || al_streq(id, "fake-voice") || al_streq(id, "fake-whisper") ||
                   al_streq(id, "fake-paint");
    assert_true((list.items[i].problem.code == AL_OK) == can_run);
    assert_true((list.items[i].problem.message[0] == '\0') == can_run);
  }
  struct al_model_status *status = &list.items[0];
  assert_int_equal(status->state, AL_MODEL_READY);
  assert_int_equal(status->n_ctx, 4096);
  assert_int_equal(status->n_requests, 1);
  assert_int_equal(status->n_completion_tokens, 3);
  assert_int_equal(status->n_prompt_tokens, client.usage.n_prompt);
  assert_int_equal(status->n_running, 0);
  assert_int_equal(status->n_waiting, 0);
  al_model_status_list_free(&list);
  client_done(&client);
  al_inference_free(inference);
}

static void cancel_while_loading(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.load_ns = 60'000'000'000;
  client_init(&client, "hi");
  client_submit(inference, &client);
  al_cancel_fire(client.request.cancel, AL_CANCELLED);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(client.finish, AL_FINISH_CANCELLED);
  client_done(&client);
  al_inference_free(inference);
}

static void cancel_while_decoding_and_in_the_queue(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .load.n_seq_max = 1 });
  struct client running, queued, late;
  al_fake_knobs.never_ends = true;
  client_init(&running, "one");
  client_init(&queued, "two");
  client_init(&late, "three");
  running.hold = true;
  client_submit(inference, &running);
  client_wait_held(&running);
  client_submit(inference, &queued);
  al_cancel_fire(late.request.cancel, AL_TIMEOUT); /* before it is prepared */
  client_submit(inference, &late);
  client_wait(&late);
  assert_int_equal(late.last, AL_TEXT_FAILED);
  assert_int_equal(late.err.code, AL_TIMEOUT);
  al_cancel_fire(running.request.cancel, AL_CANCELLED);
  al_cancel_fire(queued.request.cancel, AL_CANCELLED);
  client_release(&running);
  client_wait(&running);
  client_wait(&queued);
  assert_int_equal(running.finish, AL_FINISH_CANCELLED);
  assert_int_equal(running.usage.n_completion, 1);
  assert_int_equal(queued.finish, AL_FINISH_CANCELLED);
  assert_int_equal(queued.usage.n_completion, 0);
  client_done(&running);
  client_done(&queued);
  client_done(&late);
  al_inference_free(inference);
}

static void a_failed_load_reaches_all(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client clients[4];
  al_fake_knobs.load_ns = 5'000'000;
  al_fake_knobs.load_code = AL_MODEL_CORRUPT;
  for (int i = 0; i < 4; i++) {
    client_init(&clients[i], "hi");
    client_submit(inference, &clients[i]);
  }
  for (int i = 0; i < 4; i++) {
    client_wait(&clients[i]);
    assert_int_equal(clients[i].last, AL_TEXT_FAILED);
    assert_int_equal(clients[i].err.code, AL_MODEL_CORRUPT);
    client_done(&clients[i]);
  }
  al_inference_free(inference);
}

static void too_many_requests_are_refused(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .max_queued = 2, .load.n_seq_max = 1 });
  struct client running, queued[2];
  al_fake_knobs.never_ends = true;
  client_init(&running, "one");
  running.hold = true;
  running.request.max_tokens = 2;
  client_submit(inference, &running);
  client_wait_held(&running);
  for (int i = 0; i < 2; i++) {
    client_init(&queued[i], "more");
    queued[i].request.max_tokens = 2;
    client_submit(inference, &queued[i]);
  }
  assert_refused(inference, "fake", AL_OOM_RAM, "overloaded");
  client_release(&running);
  client_wait(&running);
  client_done(&running);
  for (int i = 0; i < 2; i++) {
    client_wait(&queued[i]);
    assert_int_equal(queued[i].finish, AL_FINISH_LENGTH);
    client_done(&queued[i]);
  }
  al_inference_free(inference);
}

static void an_unload_lets_running_ones_end(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client running, next;
  struct done done;
  struct al_model_status status;
  al_fake_knobs.never_ends = true;
  client_init(&running, "one");
  client_init(&next, "two");
  running.hold = true;
  running.request.max_tokens = next.request.max_tokens = 5;
  done_init(&done);
  client_submit(inference, &running);
  client_wait_held(&running);
  assert_int_equal(al_inference_unload(inference, "fake", done_call, &done, nullptr), AL_OK);
  assert_int_equal(al_inference_model(inference, "fake", &status, nullptr), AL_OK);
  assert_int_equal(status.state, AL_MODEL_UNLOADING);
  assert_int_equal(status.n_running, 1);
  al_model_status_done(&status);
  client_submit(inference, &next);
  client_release(&running);
  client_wait(&running);
  done_wait(&done);
  client_wait(&next);
  assert_int_equal(running.finish, AL_FINISH_LENGTH);
  assert_int_equal(next.finish, AL_FINISH_LENGTH);
  assert_int_equal(al_fake_counts.n_loads, 2);
  client_done(&running);
  client_done(&next);
  al_inference_free(inference);
}

static void free_answers_everybody(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .load.n_seq_max = 1 });
  struct client clients[4];
  al_fake_knobs.never_ends = true;
  al_fake_knobs.decode_ns = 500'000;
  for (int i = 0; i < 4; i++) {
    client_init(&clients[i], "hi");
    if (i == 0) {
      clients[i].hold = true;
      client_submit(inference, &clients[i]);
      client_wait_held(&clients[i]);
      client_release(&clients[i]);
      continue;
    }
    client_submit(inference, &clients[i]);
  }
  al_inference_free(inference);
  for (int i = 0; i < 4; i++) {
    assert_true(clients[i].ended);
    assert_int_equal(clients[i].last, AL_TEXT_FAILED);
    assert_string_equal(clients[i].err.reason, "shutting_down");
    client_done(&clients[i]);
  }
  assert_int_equal(al_fake_counts.n_loads, al_fake_counts.n_unloads);
}

/* --- whose engine code runs ------------------------------------------------------------------------------------- */

static _Atomic int n_inside, n_entries;
static atomic_bool wrong;

static void in_engine(void *user, const char *model_id, bool inside)
{
  (void)user;
  n_entries += inside;
  int now = n_inside += inside ? 1 : -1;
  if (now < 0 || now > 1 || strcmp(model_id, "fake") != 0)
    wrong = true;
}

static void the_engine_is_announced(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .in_engine = in_engine });
  struct client client;
  client_init(&client, "hi");
  client.request.max_tokens = 3;
  client_submit(inference, &client);
  client_wait(&client);
  al_inference_free(inference);
  assert_false(wrong);
  assert_int_equal(n_inside, 0);
  assert_true(n_entries >= 1 + 3); /* the load, the decodes */
  client_done(&client);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(what_cannot_run_is_refused_at_once, reset),
    cmocka_unit_test_setup(the_list_says_why, reset),
    cmocka_unit_test_setup(cancel_while_loading, reset),
    cmocka_unit_test_setup(cancel_while_decoding_and_in_the_queue, reset),
    cmocka_unit_test_setup(a_failed_load_reaches_all, reset),
    cmocka_unit_test_setup(too_many_requests_are_refused, reset),
    cmocka_unit_test_setup(an_unload_lets_running_ones_end, reset),
    cmocka_unit_test_setup(free_answers_everybody, reset),
    cmocka_unit_test_setup(the_engine_is_announced, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
