/* Probabilities of generated tokens and of the prompt's, against the definition over the fake engine's own logits. */
#include "base/alloc.h"
#include "kit.h"
#include "sched/logprobs.h"

#include <cmocka.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  return 0;
}

/* --- the arithmetic --------------------------------------------------------------------------------------------- */

static void they_are_a_softmax(void **)
{
  enum { N = 1000, TOP = 7 };
  AL_CLEANUP(al_logprobs_done) struct al_logprobs scratch = {};
  float logits[N];
  double total = 0;
  for (int i = 0; i < N; i++)
    logits[i] = 4 * sinf((float)(i * 37 % 101));
  for (int i = 0; i < N; i++)
    total += exp((double)logits[i]);
  for (int32_t i = 0; i < N; i += 111) {
    struct al_generated token = { .token = i };
    assert_int_equal(al_logprobs_fill(&scratch, logits, N, TOP, &token, nullptr), AL_OK);
    assert_true(fabs((double)token.logprob - ((double)logits[i] - log(total))) < 1e-5);
    assert_int_equal(token.n_top, TOP);
    for (size_t j = 0; j < TOP; j++) {
      size_t n_better = 0;
      for (int k = 0; k < N; k++)
        n_better += logits[k] > logits[token.top[j].token];
      assert_true(n_better <= j);
      assert_true(fabs((double)token.top[j].logprob - ((double)logits[token.top[j].token] - log(total))) < 1e-5);
      assert_true(j == 0 || token.top[j].logprob <= token.top[j - 1].logprob);
    }
  }
}

static void what_is_impossible_has_a_number(void **)
{
  AL_CLEANUP(al_logprobs_done) struct al_logprobs scratch = {};
  float logits[] = { -INFINITY, 1, NAN, 1 };
  struct al_generated token = { .token = 2 };
  assert_int_equal(al_logprobs_fill(&scratch, logits, 4, 4, &token, nullptr), AL_OK);
  assert_true(token.logprob <= AL_LEAST_LOGPROB && token.logprob >= AL_LEAST_LOGPROB);
  assert_int_equal(token.n_top, 2); /* the others cannot come at all */
  assert_true(fabs((double)token.top[1].logprob + log(2)) < 1e-6);
  float none[] = { NAN, -INFINITY };
  token.token = 0;
  assert_int_equal(al_logprobs_fill(&scratch, none, 2, 1, &token, nullptr), AL_INTERNAL);
}

/* --- generations ------------------------------------------------------------------------------------------------ */

static void submit(struct kit *kit, struct client *client, const char *prompt, int logprobs, bool of_prompt)
{
  struct al_generation generation = client_generation(client, prompt, 12);
  generation.logprobs = logprobs;
  generation.prompt_logprobs = of_prompt;
  generation.ignore_eos = true;
  generation.sampling.repeat_penalty = 1.5f; /* must not show in the figures */
  assert_int_equal(al_scheduler_submit(kit->scheduler, &generation, nullptr), AL_OK);
}

static void each_token_has_them_and_samplers_do_not_show(void **)
{
  struct kit kit = {};
  struct client with, without;
  kit_open(&kit, 0, 0, 4);
  client_init(&with);
  client_init(&without);
  submit(&kit, &with, "some prompt", 4, false);
  client_wait(&with);
  submit(&kit, &without, "some prompt", 0, false);
  client_wait(&without);
  assert_string_equal(client_text(&with), client_text(&without));
  assert_int_equal(with.n_tokens, 12);
  for (int i = 0; i < with.n_tokens; i++) {
    const struct seen *seen = &with.seen[i];
    assert_int_equal(seen->n_top, 3);
    assert_true(seen->logprob <= seen->top[0].logprob && seen->logprob < 0 && seen->logprob > -40);
    for (size_t j = 0; j < seen->n_top; j++)
      if (seen->top[j].token == seen->token)
        assert_true(seen->top[j].logprob <= seen->logprob && seen->top[j].logprob >= seen->logprob);
  }
  assert_int_equal(without.seen[0].n_top, 0);
  client_done(&with);
  client_done(&without);
  kit_close(&kit);
}

/* What a prompt's token gets is what the same token got when it was generated. */
static void a_prompt_tells_what_its_generation_told(void **)
{
  struct kit kit = {};
  struct client made, told;
  kit_open(&kit, 0, 5, 4); /* many batches */
  client_init(&made);
  client_init(&told);
  submit(&kit, &made, "a beginning of it", 3, false);
  client_wait(&made);
  struct al_buf whole = {};
  al_buf_printf(&whole, "a beginning of it%s", client_text(&made));
  submit(&kit, &told, whole.data, 3, true);
  client_wait(&told);
  assert_int_equal(told.n_prompt_tokens, whole.size);
  assert_int_equal(told.result.n_cached, 0);
  assert_true(isnan(told.prompt_seen[0].logprob));
  size_t n_before = strlen("a beginning of it");
  for (int i = 0; i < made.n_tokens; i++) {
    const struct seen *a = &made.seen[i], *b = &told.prompt_seen[n_before + (size_t)i];
    assert_int_equal(a->token, b->token);
    assert_true(fabsf(a->logprob - b->logprob) < 1e-6F);
    assert_int_equal(b->n_top, 2);
    assert_int_equal(a->top[1].token, b->top[1].token);
  }
  al_buf_done(&whole);
  client_done(&made);
  client_done(&told);
  kit_close(&kit);
}

static void a_prompt_is_told_once_even_when_it_starts_again(void **)
{
  enum { CLIENTS = 5 };
  struct kit kit = {};
  struct client clients[CLIENTS];
  char prompts[CLIENTS][32];
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 70, 7, CLIENTS);
  for (int i = 0; i < CLIENTS; i++) {
    (void)snprintf(prompts[i], sizeof prompts[i], "%d is the number of this", i);
    client_init(&clients[i]);
    submit(&kit, &clients[i], prompts[i], 1, true); /* 35 cells each, 70 in all */
  }
  for (int i = 0; i < CLIENTS; i++) {
    client_wait(&clients[i]);
    assert_int_equal(clients[i].result.end, AL_END_LENGTH);
    assert_int_equal(clients[i].n_prompt_tokens, strlen(prompts[i]));
    for (size_t j = 0; j < strlen(prompts[i]); j++)
      assert_int_equal(clients[i].prompt_seen[j].token, prompts[i][j]);
    client_done(&clients[i]);
  }
  kit_close(&kit);
}

static void a_prompt_alone_generates_nothing(void **)
{
  struct kit kit = {};
  struct client client;
  kit_open(&kit, 0, 0, 2);
  client_init(&client);
  struct al_generation generation = client_generation(&client, "just this", -1);
  generation.logprobs = 2;
  generation.prompt_logprobs = true;
  assert_int_equal(al_scheduler_submit(kit.scheduler, &generation, nullptr), AL_OK);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_LENGTH);
  assert_int_equal(client.n_tokens, 0);
  assert_int_equal(client.result.n_completion, 0);
  assert_int_equal(client.n_prompt_tokens, 9);
  client_done(&client);
  kit_close(&kit);
}

static void too_many_are_refused(void **)
{
  struct kit kit = {};
  struct client client;
  struct al_err err = {};
  kit_open(&kit, 0, 0, 2);
  client_init(&client);
  struct al_generation generation = client_generation(&client, "abc", 1);
  generation.logprobs = AL_MOST_LOGPROBS + 2;
  assert_int_equal(al_scheduler_submit(kit.scheduler, &generation, &err), AL_INVALID_REQUEST);
  generation.logprobs = AL_MOST_LOGPROBS + 1;
  assert_int_equal(al_scheduler_submit(kit.scheduler, &generation, &err), AL_OK);
  client_wait(&client);
  assert_int_equal(client.seen[0].n_top, AL_MOST_LOGPROBS);
  client_done(&client);
  kit_close(&kit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(they_are_a_softmax),
    cmocka_unit_test(what_is_impossible_has_a_number),
    cmocka_unit_test_setup(each_token_has_them_and_samplers_do_not_show, reset),
    cmocka_unit_test_setup(a_prompt_tells_what_its_generation_told, reset),
    cmocka_unit_test_setup(a_prompt_is_told_once_even_when_it_starts_again, reset),
    cmocka_unit_test_setup(a_prompt_alone_generates_nothing, reset),
    cmocka_unit_test_setup(too_many_are_refused, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
