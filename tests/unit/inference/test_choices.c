/* Several answers to one prompt, probabilities, echo, prompts that are tokens or have a hole in the middle. */
#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "kit.h"
#include "sched/scheduler.h"

#include <cmocka.h>
#include <math.h>
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

static void run(struct al_inference *inference, struct client *client)
{
  client_submit(inference, client);
  client_wait(client);
}

static void seeded(struct client *client, const char *message, uint64_t seed)
{
  client_init(client, message);
  client->request.sampling.temperature = 1;
  client->request.sampling.has_seed = true;
  client->request.sampling.seed = seed;
  client->request.max_tokens = 30;
  client->request.ignore_eos = true;
}

/* --- choices ---------------------------------------------------------------------------------------------------- */

static void each_choice_is_what_its_seed_says_alone(void **)
{
  enum { N = 5 };
  struct al_inference *inference = kit_open(nullptr);
  struct client many, alone;
  seeded(&many, "say something", 40);
  many.request.n = N;
  run(inference, &many);
  assert_int_equal(many.last, AL_TEXT_DONE);
  assert_int_equal(many.n_started, 1);
  assert_int_equal(many.n_choices_done, N);
  assert_int_equal(many.usage.n_prompt, many.n_prompt); /* once, not N times */
  assert_int_equal(many.usage.n_completion, N * 30);
  for (int i = 0; i < N; i++) {
    seeded(&alone, "say something", 40 + (uint64_t)i);
    run(inference, &alone);
    assert_string_equal(kit_text(&many.answers[i].text), client_text(&alone));
    assert_int_equal(many.answers[i].finish, AL_FINISH_LENGTH);
    assert_int_equal(many.answers[i].usage.n_completion, 30);
    client_done(&alone);
  }
  assert_string_not_equal(kit_text(&many.answers[0].text), kit_text(&many.answers[1].text));
  client_done(&many);
  al_inference_free(inference);
}

static void the_prompt_is_computed_once(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  char message[601];
  memset(message, 'x', 600);
  message[600] = '\0';
  seeded(&client, message, 1);
  client.request.n = 8;
  client.request.max_tokens = 5;
  run(inference, &client);
  assert_int_equal(client.n_choices_done, 8);
  assert_true(al_fake_counts.n_items < 2 * 700);
  client_done(&client);
  al_inference_free(inference);
}

static void each_choice_stops_for_itself(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  const char *const stops[] = { "e", "a" };
  seeded(&client, "stop", 7);
  client.request.n = 6;
  client.request.stop = stops;
  client.request.n_stop = 2;
  run(inference, &client);
  int n_stopped = 0;
  for (int i = 0; i < 6; i++) {
    const struct answer *answer = &client.answers[i];
    assert_true(answer->done);
    assert_null(strpbrk(kit_text(&answer->text), "ea"));
    assert_true((answer->stop[0] != '\0') == (answer->finish == AL_FINISH_STOP));
    n_stopped += answer->finish == AL_FINISH_STOP;
  }
  assert_true(n_stopped > 0);
  client_done(&client);
  al_inference_free(inference);
}

static void one_that_fails_fails_all(void **)
{
  struct al_inference_options options = { .max_queued = 3 };
  struct al_inference *inference = kit_open(&options);
  struct client client;
  seeded(&client, "too many", 1);
  client.request.n = 8;
  al_fake_knobs.decode_ns = 20'000'000; /* the queue is full before anybody is admitted */
  client_submit(inference, &client);
  client_wait(&client);
  if (client.last == AL_TEXT_FAILED)
    assert_string_equal(client.err.reason, "overloaded");
  client_done(&client);
  al_fake_knobs.decode_ns = 0;
  al_fake_knobs.fail_decode_at = 3;
  al_fake_knobs.fail_decode_code = AL_INTERNAL;
  seeded(&client, "a decode fails", 1);
  client.request.n = 2;
  client_submit(inference, &client);
  client_wait(&client); /* one alone is tried again, so this may also go well */
  assert_true(client.last == AL_TEXT_DONE || client.err.code == AL_INTERNAL);
  client_done(&client);
  al_inference_free(inference);
}

static void a_client_that_leaves_ends_all(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  seeded(&client, "leave", 1);
  client.request.n = 4;
  client.request.max_tokens = 0;
  client.hold = true;
  client_submit(inference, &client);
  client_wait_held(&client);
  al_cancel_fire(client.request.cancel, AL_CANCELLED);
  client_release(&client);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(client.finish, AL_FINISH_CANCELLED);
  assert_true(client.usage.n_completion > 0);
  client_done(&client);
  al_inference_free(inference);
}

static void too_many_are_refused(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  struct al_err err = {};
  client_init(&client, "hi");
  client.request.n = 129;
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "n");
  client.request.n = 1;
  client.request.logprobs = AL_MOST_LOGPROBS + 2;
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "logprobs");
  client_done(&client);
  al_inference_free(inference);
}

/* --- probabilities ---------------------------------------------------------------------------------------------- */

static void each_token_is_reported_once_with_its_text(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  const char *const stops[] = { "worm" };
  al_fake_knobs.script = "Grüße wor世界 end";
  client_init(&client, "hi");
  client.request.logprobs = 3;
  client.request.stop = stops;
  client.request.n_stop = 1;
  run(inference, &client);
  const struct answer *answer = &client.answers[0];
  assert_string_equal(kit_text(&answer->text), "Grüße wor世界 end");
  assert_string_equal(kit_text(&answer->tokens), "Grüße wor世界 end");
  assert_int_equal(answer->n_tokens, (int)strlen("Grüße wor世界 end"));
  assert_int_equal(answer->n_top, 2);
  assert_true(answer->least_logprob <= 0 && answer->least_logprob > -1);
  client_done(&client);
  client_init(&client, "hi");
  run(inference, &client);
  assert_int_equal(client.answers[0].n_tokens, 0);
  client_done(&client);
  al_inference_free(inference);
}

static void what_a_stop_string_cuts_is_not_reported(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  const char *const stops[] = { "lo wo" };
  al_fake_knobs.script = "hello world";
  client_init(&client, "hi");
  client.request.logprobs = 1;
  client.request.stop = stops;
  client.request.n_stop = 1;
  run(inference, &client);
  assert_string_equal(kit_text(&client.answers[0].tokens), "hel");
  client_done(&client);
  al_inference_free(inference);
}

static void a_prompt_is_echoed(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = "once upon a time";
  client_init(&client, nullptr);
  client.request.prompt = al_str("once upon");
  client.request.prompt_logprobs = true;
  run(inference, &client);
  assert_int_equal(client.n_prompts, 1);
  assert_string_equal(kit_text(&client.prompt_text), "once upon");
  assert_int_equal(client.n_prompt_tokens, 0);
  assert_string_equal(client_text(&client), " a time");
  client_done(&client);
  client_init(&client, nullptr);
  client.request.prompt = al_str("once upon");
  client.request.prompt_logprobs = true;
  client.request.logprobs = 2;
  client.request.n = 3;
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(client.n_prompts, 1);
  assert_string_equal(kit_text(&client.prompt_tokens), "once upon");
  assert_int_equal(client.n_prompt_tokens, 9);
  for (int i = 0; i < 3; i++) {
    assert_string_equal(kit_text(&client.answers[i].text), " a time");
    assert_string_equal(kit_text(&client.answers[i].tokens), " a time");
  }
  client_done(&client);
  al_inference_free(inference);
}

static void a_prompt_alone_is_only_read(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  client_init(&client, nullptr);
  client.request.prompt = al_str("once upon");
  client.request.prompt_logprobs = true;
  client.request.logprobs = 1;
  client.request.max_tokens = -1;
  client.request.n = 2;
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(client.n_prompt_tokens, 9);
  assert_int_equal(client.usage.n_completion, 0);
  assert_int_equal(client.finish, AL_FINISH_LENGTH);
  client_done(&client);
  al_inference_free(inference);
}

static void a_prompts_failure_ends_those_that_wait_for_it(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.fail_decode_at = 1;
  al_fake_knobs.fail_decode_code = AL_INTERNAL;
  client_init(&client, nullptr);
  client.request.prompt = al_str("once upon");
  client.request.prompt_logprobs = true;
  client.request.logprobs = 1;
  client.request.n = 4;
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_int_equal(client.err.code, AL_INTERNAL);
  client_done(&client);
  al_inference_free(inference);
}

/* --- prompts ---------------------------------------------------------------------------------------------------- */

static void tokens_are_a_prompt(void **)
{
  static const int32_t ids[] = { AL_FAKE_BOS, 'o', 'n', 'c', 'e' }, wrong[] = { 'a', AL_FAKE_N_VOCAB };
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = "once upon";
  al_fake_knobs.add_bos = true;
  client_init(&client, nullptr);
  client.request.tokens = (struct al_token_span){ ids, AL_COUNT(ids) };
  client.request.prompt_logprobs = true;
  run(inference, &client);
  assert_string_equal(client_text(&client), " upon");
  assert_int_equal(client.n_prompt, 5); /* nothing added */
  assert_string_equal(kit_text(&client.prompt_text), "<|bos|>once");
  client_done(&client);
  client_init(&client, nullptr);
  client.request.tokens = (struct al_token_span){ wrong, AL_COUNT(wrong) };
  run(inference, &client);
  assert_int_equal(client.err.code, AL_INVALID_REQUEST);
  assert_string_equal(client.err.param, "prompt");
  client_done(&client);
  al_inference_free(inference);
}

static void a_hole_is_filled(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  client_init(&client, nullptr);
  client.request.prompt = al_str("int f(");
  client.request.suffix = al_str(");<|eos|>"); /* text, not a control token */
  client.request.prompt_logprobs = true;
  client.request.max_tokens = 1;
  al_fake_knobs.add_bos = true;
  run(inference, &client);
  assert_string_equal(kit_text(&client.prompt_text),
                      "<|bos|><|fim_prefix|>int f(<|fim_suffix|>);<|eos|><|fim_middle|>");
  assert_int_equal(client.n_prompt, 1 + 3 + 6 + 9);
  client_done(&client);
  al_inference_free(inference);
  al_fake_knobs.no_fim = true;
  inference = kit_open(nullptr);
  client_init(&client, nullptr);
  client.request.prompt = al_str("int f(");
  client.request.suffix = al_str(")");
  run(inference, &client);
  assert_int_equal(client.err.code, AL_UNSUPPORTED);
  assert_string_equal(client.err.param, "suffix");
  client_done(&client);
  al_inference_free(inference);
}

static void every_allocation_may_fail(void **)
{
  size_t n = 1;
  for (; n < 200; n++) {
    struct al_inference *inference = kit_open(nullptr);
    struct client client;
    struct al_err err = {};
    client_init(&client, "warm up");
    run(inference, &client);
    client_done(&client);
    client_init(&client, nullptr);
    client.request.prompt = al_str("a prompt");
    client.request.n = 2;
    client.request.logprobs = 3;
    client.request.prompt_logprobs = true;
    client.request.max_tokens = 4;
    (void)al_alloc_fail_at(n);
    enum al_code code = al_inference_text(inference, &client.request, &err);
    if (code == AL_OK)
      client_wait(&client);
    size_t made = al_alloc_fail_at(0);
    if (code == AL_OK && client.last == AL_TEXT_FAILED)
      code = client.err.code;
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    if (code == AL_OK)
      assert_int_equal(client.n_choices_done, 2);
    client_done(&client);
    al_inference_free(inference);
    if (made < n)
      break;
  }
  assert_true(n > 20 && n < 200);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(each_choice_is_what_its_seed_says_alone, reset),
    cmocka_unit_test_setup(the_prompt_is_computed_once, reset),
    cmocka_unit_test_setup(each_choice_stops_for_itself, reset),
    cmocka_unit_test_setup(one_that_fails_fails_all, reset),
    cmocka_unit_test_setup(a_client_that_leaves_ends_all, reset),
    cmocka_unit_test_setup(too_many_are_refused, reset),
    cmocka_unit_test_setup(each_token_is_reported_once_with_its_text, reset),
    cmocka_unit_test_setup(what_a_stop_string_cuts_is_not_reported, reset),
    cmocka_unit_test_setup(a_prompt_is_echoed, reset),
    cmocka_unit_test_setup(a_prompt_alone_is_only_read, reset),
    cmocka_unit_test_setup(a_prompts_failure_ends_those_that_wait_for_it, reset),
    cmocka_unit_test_setup(tokens_are_a_prompt, reset),
    cmocka_unit_test_setup(a_hole_is_filled, reset),
    cmocka_unit_test_setup(every_allocation_may_fail, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
