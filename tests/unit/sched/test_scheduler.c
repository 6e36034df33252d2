#include "base/alloc.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { N = 16 };

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  return 0;
}

static void prompt_of(char *prompt, size_t size, int i)
{
  (void)snprintf(prompt, size, "prompt number %d, which is %d long", i, i * 7);
}

static void says_its_script(void **)
{
  struct kit kit = {};
  struct client client;
  al_fake_knobs.script = "hello world";
  kit_open(&kit, 0, 0, 0);
  client_init(&client);
  client_submit(&kit, &client, "say it:", 0);
  client_wait(&client);
  assert_string_equal(client_text(&client), "hello world");
  assert_int_equal(client.result.end, AL_END_STOP);
  assert_int_equal(client.result.n_prompt, 7);
  assert_int_equal(client.result.n_completion, 12); /* with the token that ends it */
  assert_int_equal(client.n_tokens, 11);
  client_done(&client);
  kit_close(&kit);
}

static void batched_equals_alone(void **)
{
  struct kit kit = {};
  struct client clients[N];
  char prompts[N][64];
  al_fake_knobs.decode_ns = 100'000; /* lets them pile up */
  for (int i = 0; i < N; i++)
    prompt_of(prompts[i], sizeof prompts[i], i);
  kit_open(&kit, 0, 64, N);
  for (int i = 0; i < N; i++) {
    client_init(&clients[i]);
    client_submit(&kit, &clients[i], prompts[i], 200);
  }
  for (int i = 0; i < N; i++)
    client_wait(&clients[i]);
  kit_close(&kit);
  assert_true(al_fake_counts.most_sequences_in_a_decode > 4);
  for (int i = 0; i < N; i++) {
    char *alone = kit_alone(prompts[i], 200);
    assert_string_equal(client_text(&clients[i]), alone);
    al_free(alone);
    client_done(&clients[i]);
  }
}

static void max_tokens_is_a_length_end(void **)
{
  struct kit kit = {};
  struct client client;
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 0);
  client_init(&client);
  client_submit(&kit, &client, "abc", 5);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_LENGTH);
  assert_int_equal(client.n_tokens, 5);
  assert_int_equal(client.result.n_completion, 5);
  client_done(&client);
  kit_close(&kit);
}

static void full_context_is_a_length_end(void **)
{
  struct kit kit = {};
  struct client client;
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 32, 8, 2);
  client_init(&client);
  client_submit(&kit, &client, "0123456789", 0);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_LENGTH);
  assert_int_equal(client.n_tokens, 32 - 10 + 1);
  client_done(&client);
  kit_close(&kit);
}

static void ignore_eos_goes_on(void **)
{
  struct kit kit = {};
  struct client client;
  kit_open(&kit, 0, 0, 0);
  client_init(&client);
  struct al_generation generation = client_generation(&client, "abc", 300);
  generation.ignore_eos = true;
  assert_int_equal(al_scheduler_submit(kit.scheduler, &generation, nullptr), AL_OK);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_LENGTH);
  assert_int_equal(client.text.size, 300); /* every token a letter: none of them the end */
  client_done(&client);
  kit_close(&kit);
}

static void the_sink_can_stop_it(void **)
{
  struct kit kit = {};
  struct client client;
  kit_open(&kit, 0, 0, 0);
  client_init(&client);
  client.stop_at = 3;
  client_submit(&kit, &client, "abc", 0);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_STOP);
  assert_int_equal(client.n_tokens, 3);
  client_done(&client);
  kit_close(&kit);
}

/* --- cancel ----------------------------------------------------------------------------------------------------- */

static void cancel_while_decoding(void **)
{
  struct kit kit = {};
  struct client client;
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 0);
  client_init(&client);
  client.hold_at = 4;
  client_submit(&kit, &client, "abc", 0);
  client_wait_held(&client);
  al_cancel_fire(client.cancel, AL_CANCELLED);
  client_release(&client);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_FAILED);
  assert_int_equal(client.result.err.code, AL_CANCELLED);
  assert_int_equal(client.n_tokens, 4);
  assert_int_equal(client.result.n_completion, 4);
  client_done(&client);
  kit_close(&kit);
}

static void cancel_while_waiting_and_in_the_prompt(void **)
{
  struct kit kit = {};
  struct client running, prompt, waiting;
  char long_prompt[1001];
  memset(long_prompt, 'x', 1000);
  long_prompt[1000] = '\0';
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 2000, 16, 2);
  client_init(&running);
  client_init(&prompt);
  client_init(&waiting);
  running.hold_at = 5;
  client_submit(&kit, &running, "abc", 40);
  client_submit(&kit, &prompt, long_prompt, 0); /* at most 15 tokens a step: still at it when the other holds */
  client_submit(&kit, &waiting, "no slot", 0);
  client_wait_held(&running);
  assert_false(prompt.done);
  assert_false(waiting.admitted);
  al_cancel_fire(prompt.cancel, AL_CANCELLED);
  al_cancel_fire(waiting.cancel, AL_TIMEOUT);
  client_release(&running);
  client_wait(&prompt);
  client_wait(&waiting);
  client_wait(&running);
  assert_int_equal(prompt.result.err.code, AL_CANCELLED);
  assert_int_equal(prompt.n_tokens, 0);
  assert_int_equal(waiting.result.err.code, AL_TIMEOUT);
  assert_false(waiting.admitted);
  assert_int_equal(running.result.end, AL_END_LENGTH);
  client_done(&running);
  client_done(&prompt);
  client_done(&waiting);
  kit_close(&kit);
}

static void free_ends_what_runs_and_waits(void **)
{
  struct kit kit = {};
  struct client clients[4];
  al_fake_knobs.never_ends = true;
  al_fake_knobs.decode_ns = 1'000'000;
  kit_open(&kit, 0, 0, 2);
  for (int i = 0; i < 4; i++) {
    client_init(&clients[i]);
    client_submit(&kit, &clients[i], "abc", 0);
  }
  kit_close(&kit);
  for (int i = 0; i < 4; i++) {
    assert_true(clients[i].done);
    assert_int_equal(clients[i].result.err.code, AL_CANCELLED);
    assert_string_equal(clients[i].result.err.reason, "shutting_down");
    client_done(&clients[i]);
  }
}

/* --- room ------------------------------------------------------------------------------------------------------- */

static void kv_full_preempts_and_nobody_fails(void **)
{
  enum { CTX = 96, CLIENTS = 6 };
  struct kit kit = {};
  struct client clients[CLIENTS];
  char prompts[CLIENTS][32];
  al_fake_knobs.never_ends = true;
  kit_open(&kit, CTX, 16, CLIENTS);
  for (int i = 0; i < CLIENTS; i++) {
    (void)snprintf(prompts[i], sizeof prompts[i], "%d prompt %d", i, i);
    client_init(&clients[i]);
    client_submit(&kit, &clients[i], prompts[i], 60); /* 70 cells each, 96 in all */
  }
  for (int i = 0; i < CLIENTS; i++) {
    client_wait(&clients[i]);
    assert_int_equal(clients[i].result.end, AL_END_LENGTH);
    assert_int_equal(clients[i].n_tokens, 60);
    assert_int_equal(clients[i].result.n_prompt, 10);
  }
  kit_close(&kit);
  assert_true(al_fake_counts.most_cells_used <= CTX);
  for (int i = 0; i < CLIENTS; i++) {
    char *alone = kit_alone(prompts[i], 60);
    assert_string_equal(client_text(&clients[i]), alone);
    al_free(alone);
    client_done(&clients[i]);
  }
}

static void queue_overflow_is_refused(void **)
{
  struct kit kit = { .max_waiting = 2 };
  struct client running, waiting[3];
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 1);
  client_init(&running);
  running.hold_at = 1;
  client_submit(&kit, &running, "abc", 3);
  client_wait_held(&running);
  for (int i = 0; i < 3; i++)
    client_init(&waiting[i]);
  client_submit(&kit, &waiting[0], "abc", 2);
  client_submit(&kit, &waiting[1], "abc", 2);
  struct al_generation generation = client_generation(&waiting[2], "abc", 2);
  struct al_err err = {};
  assert_int_equal(al_scheduler_submit(kit.scheduler, &generation, &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "overloaded");
  al_free(generation.prompt);
  client_release(&running);
  client_wait(&waiting[0]);
  client_wait(&waiting[1]);
  client_wait(&running);
  assert_false(waiting[2].done);
  client_done(&running);
  for (int i = 0; i < 3; i++)
    client_done(&waiting[i]);
  kit_close(&kit);
}

/* --- engine errors ---------------------------------------------------------------------------------------------- */

static void an_error_ends_the_request_and_the_scheduler_lives(void **)
{
  struct kit kit = {};
  struct client first, second;
  al_fake_knobs.never_ends = true;
  al_fake_knobs.fail_decode_code = AL_INTERNAL;
  al_fake_knobs.fail_decode_at = 3;
  kit_open(&kit, 0, 0, 0);
  client_init(&first);
  client_init(&second);
  client_submit(&kit, &first, "abc", 10);
  client_wait(&first);
  assert_int_equal(first.result.end, AL_END_FAILED);
  assert_int_equal(first.result.err.code, AL_INTERNAL);
  assert_int_equal(first.n_tokens, 2);
  client_submit(&kit, &second, "abc", 10);
  client_wait(&second);
  assert_int_equal(second.result.end, AL_END_LENGTH);
  client_done(&first);
  client_done(&second);
  kit_close(&kit);
}

static enum al_code fails_on_x(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                               const struct al_cancel *stop, struct al_err *err)
{
  for (size_t i = 0; i < n_items; i++)
    if (items[i].token == 'X')
      return al_fail(err, AL_INTERNAL, "an X");
  return al_engine_fake.text->decode(model, items, n_items, stop, err);
}

static void only_the_culprit_fails(void **)
{
  struct kit kit = { .ops = *al_engine_fake.text };
  struct client clients[5];
  kit.ops.decode = fails_on_x;
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 0);
  for (int i = 0; i < 5; i++) {
    client_init(&clients[i]);
    clients[i].hold_at = i == 0 ? 1 : 0;
  }
  client_submit(&kit, &clients[0], "first", 20);
  client_wait_held(&clients[0]);
  for (int i = 1; i < 5; i++)
    client_submit(&kit, &clients[i], i == 3 ? "an X here" : "none here", 20);
  client_release(&clients[0]);
  for (int i = 0; i < 5; i++) {
    client_wait(&clients[i]);
    assert_int_equal(clients[i].result.end, i == 3 ? AL_END_FAILED : AL_END_LENGTH);
  }
  char *alone = kit_alone("none here", 20);
  assert_string_equal(client_text(&clients[4]), alone);
  al_free(alone);
  for (int i = 0; i < 5; i++)
    client_done(&clients[i]);
  kit_close(&kit);
}

static int n_until_lost;

/* A recurrent engine that fails in the middle: the state of the batch's sequences is gone. */
static enum al_code loses_sequences(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                                    const struct al_cancel *stop, struct al_err *err)
{
  if (--n_until_lost != 0)
    return al_engine_fake.text->decode(model, items, n_items, stop, err);
  for (size_t i = 0; i < n_items; i++)
    (void)al_engine_fake.text->sequence_remove(model, items[i].sequence, 0, -1);
  return al_fail_reason(err, al_fail(err, AL_INTERNAL, "failed in the middle"), "sequence_lost");
}

static void lost_sequences_begin_again(void **)
{
  struct kit kit = { .ops = *al_engine_fake.text };
  struct client clients[3];
  kit.ops.decode = loses_sequences;
  n_until_lost = 5;
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 0);
  for (int i = 0; i < 3; i++) {
    client_init(&clients[i]);
    client_submit(&kit, &clients[i], "one of three", 30);
  }
  char *alone = nullptr;
  for (int i = 0; i < 3; i++) {
    client_wait(&clients[i]);
    alone = alone == nullptr ? kit_alone("one of three", 30) : alone;
    assert_int_equal(clients[i].result.end, AL_END_LENGTH);
    assert_string_equal(client_text(&clients[i]), alone);
    client_done(&clients[i]);
  }
  al_free(alone);
  kit_close(&kit);
}

static void a_stream_goes_on_beside_a_long_prompt(void **)
{
  struct kit kit = {};
  struct client stream, prompt;
  char long_prompt[1001];
  memset(long_prompt, 'x', 1000);
  long_prompt[1000] = '\0';
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 2000, 16, 2);
  client_init(&stream);
  client_init(&prompt);
  stream.hold_at = prompt.hold_at = 1;
  client_submit(&kit, &stream, "abc", 100);
  client_wait_held(&stream);
  client_submit(&kit, &prompt, long_prompt, 1);
  client_release(&stream);
  client_wait_held(&prompt);
  assert_true(stream.n_tokens >= 1000 / 15); /* one token in each step of at most 15 prompt tokens */
  client_release(&prompt);
  client_wait(&prompt);
  client_wait(&stream);
  assert_int_equal(stream.n_tokens, 100);
  client_done(&stream);
  client_done(&prompt);
  kit_close(&kit);
}

/* --- prefixes --------------------------------------------------------------------------------------------------- */

static int cached_of(struct kit *kit, const char *prompt, const char *expected)
{
  struct client client;
  client_init(&client);
  client_submit(kit, &client, prompt, 20);
  client_wait(&client);
  if (expected != nullptr)
    assert_string_equal(client_text(&client), expected);
  int n_cached = client.result.n_cached;
  client_done(&client);
  return n_cached;
}

static void prefixes_are_reused_and_change_nothing(void **)
{
  static const char first[] = "a system prompt that is shared by all, and then one thing";
  static const char other[] = "a system prompt that is shared by all, and then another thing";
  constexpr int COMMON = sizeof "a system prompt that is shared by all, and then " - 1;
  struct kit kit = {};
  char *alone = kit_alone(first, 20), *other_alone = kit_alone(other, 20);
  kit_open(&kit, 0, 0, 4);
  assert_int_equal(cached_of(&kit, first, alone), 0);
  assert_int_equal(cached_of(&kit, other, other_alone), COMMON);
  assert_int_equal(cached_of(&kit, first, alone), (int)sizeof first - 2); /* all but the last, which gives the logits */
  assert_int_equal(cached_of(&kit, "nothing in common", nullptr), 0);
  kit_close(&kit);
  al_free(alone);
  al_free(other_alone);
}

static void a_running_prefix_is_shared(void **)
{
  static const char prompt[] = "a system prompt that is shared by all of them";
  struct kit kit = {};
  struct client first, second;
  char *alone = kit_alone(prompt, 30);
  kit_open(&kit, 0, 0, 4);
  (void)cached_of(&kit, "teaches it that parts can be forgotten", nullptr);
  client_init(&first);
  client_init(&second);
  first.hold_at = 2;
  client_submit(&kit, &first, prompt, 30);
  client_wait_held(&first);
  client_submit(&kit, &second, prompt, 30);
  client_release(&first);
  client_wait(&first);
  client_wait(&second);
  assert_int_equal(first.result.n_cached, 0);
  assert_int_equal(second.result.n_cached, (int)sizeof prompt - 2);
  assert_string_equal(client_text(&first), alone);
  assert_string_equal(client_text(&second), alone);
  client_done(&first);
  client_done(&second);
  kit_close(&kit);
  al_free(alone);
}

/* Several at once with one prompt, on a fresh scheduler: it is computed once. */
static void a_prompt_asked_for_several_times_is_computed_once(void **)
{
  enum { CHOICES = 5, PROMPT = 300 };
  struct kit kit = {};
  struct client clients[CHOICES], other;
  char prompt[PROMPT + 1];
  for (int i = 0; i < PROMPT; i++)
    prompt[i] = (char)('a' + i * 7 % 26);
  prompt[PROMPT] = '\0';
  al_fake_knobs.never_ends = true;
  char *alone = kit_alone(prompt, 20);
  uint64_t before = al_fake_counts.n_items;
  kit_open(&kit, 0, 64, 8);
  client_init(&other);
  for (int i = 0; i < CHOICES; i++) {
    client_init(&clients[i]);
    client_submit(&kit, &clients[i], prompt, 20);
  }
  client_submit(&kit, &other, "nothing of that, and not made to wait for it", 20);
  client_wait(&other);
  for (int i = 0; i < CHOICES; i++) {
    client_wait(&clients[i]);
    assert_string_equal(client_text(&clients[i]), alone);
    client_done(&clients[i]);
  }
  /* But for its end, which is computed as fast as waited for; without sharing it would be 5 * 300 and more. */
  assert_true(al_fake_counts.n_items - before < PROMPT + 50 + (CHOICES + 1) * 21 + CHOICES * 32);
  client_done(&other);
  kit_close(&kit);
  al_free(alone);
}

static void without_partial_removal_only_whole_sequences_go_on(void **)
{
  static const char prompt[] = "a system prompt that is shared by all";
  struct kit kit = {};
  struct al_buf longer = {};
  al_fake_knobs.no_partial_remove = true;
  char *alone = kit_alone(prompt, 20);
  kit_open(&kit, 0, 0, 4);
  assert_int_equal(cached_of(&kit, prompt, alone), 0);
  assert_int_equal(cached_of(&kit, prompt, alone), 0);
  al_buf_printf(&longer, "%s%s and more", prompt, alone);
  assert_true(cached_of(&kit, longer.data, nullptr) >= (int)strlen(prompt));
  kit_close(&kit);
  al_free(alone);
  al_buf_done(&longer);
}

static void idle_prefixes_give_way(void **)
{
  struct kit kit = {};
  char prompt[41];
  kit_open(&kit, 100, 0, 4);
  for (int i = 0; i < 10; i++) {
    memset(prompt, 'a' + i, 40);
    prompt[40] = '\0';
    char *alone = kit_alone(prompt, 20);
    assert_int_equal(cached_of(&kit, prompt, alone), 0);
    al_free(alone);
  }
  kit_close(&kit);
}

/* --- seeds, memory ---------------------------------------------------------------------------------------------- */

static void seeded(struct kit *kit, struct client *client, uint64_t seed)
{
  client_init(client);
  struct al_generation generation = client_generation(client, "the same prompt", 60);
  generation.sampling.temperature = 1;
  generation.sampling.has_seed = true;
  generation.sampling.seed = seed;
  generation.ignore_eos = true;
  assert_int_equal(al_scheduler_submit(kit->scheduler, &generation, nullptr), AL_OK);
}

static void a_seed_decides_the_text_whatever_else_runs(void **)
{
  struct kit kit = {};
  struct client alone, clients[8];
  kit_open(&kit, 0, 0, 8);
  seeded(&kit, &alone, 7);
  client_wait(&alone);
  for (int i = 0; i < 8; i++)
    seeded(&kit, &clients[i], i % 2 == 0 ? 7 : 100 + (uint64_t)i);
  for (int i = 0; i < 8; i++) {
    client_wait(&clients[i]);
    if (i % 2 == 0)
      assert_string_equal(client_text(&clients[i]), client_text(&alone));
    else
      assert_string_not_equal(client_text(&clients[i]), client_text(&alone));
    client_done(&clients[i]);
  }
  client_done(&alone);
  kit_close(&kit);
}

static void every_allocation_may_fail(void **)
{
  for (size_t n = 1; n < 60; n++) {
    struct kit kit = {};
    struct client client;
    kit_open(&kit, 64, 0, 2);
    client_init(&client);
    struct al_generation generation = client_generation(&client, "some prompt", 12);
    generation.sampling.temperature = 1;
    generation.sampling.top_p = 0.9f;
    generation.sampling.repeat_penalty = 1.1f;
    generation.sampling.dry_multiplier = 1;
    generation.ignore_eos = true;
    (void)al_alloc_fail_at(n);
    struct al_err err = {};
    enum al_code code = al_scheduler_submit(kit.scheduler, &generation, &err);
    if (code == AL_OK)
      client_wait(&client);
    else
      al_free(generation.prompt);
    bool failed = code != AL_OK || client.result.end == AL_END_FAILED;
    size_t made = al_alloc_fail_at(0);
    assert_true(failed == (made >= n) || !failed); /* idle prefixes may do without */
    if (failed)
      assert_int_equal(code != AL_OK ? code : client.result.err.code, AL_OOM_RAM);
    client_done(&client);
    kit_close(&kit);
    if (made < n)
      return;
  }
  fail_msg("a request made more than 60 allocations");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(says_its_script, reset),
    cmocka_unit_test_setup(batched_equals_alone, reset),
    cmocka_unit_test_setup(max_tokens_is_a_length_end, reset),
    cmocka_unit_test_setup(full_context_is_a_length_end, reset),
    cmocka_unit_test_setup(ignore_eos_goes_on, reset),
    cmocka_unit_test_setup(the_sink_can_stop_it, reset),
    cmocka_unit_test_setup(cancel_while_decoding, reset),
    cmocka_unit_test_setup(cancel_while_waiting_and_in_the_prompt, reset),
    cmocka_unit_test_setup(free_ends_what_runs_and_waits, reset),
    cmocka_unit_test_setup(kv_full_preempts_and_nobody_fails, reset),
    cmocka_unit_test_setup(queue_overflow_is_refused, reset),
    cmocka_unit_test_setup(an_error_ends_the_request_and_the_scheduler_lives, reset),
    cmocka_unit_test_setup(only_the_culprit_fails, reset),
    cmocka_unit_test_setup(lost_sequences_begin_again, reset),
    cmocka_unit_test_setup(a_stream_goes_on_beside_a_long_prompt, reset),
    cmocka_unit_test_setup(prefixes_are_reused_and_change_nothing, reset),
    cmocka_unit_test_setup(a_running_prefix_is_shared, reset),
    cmocka_unit_test_setup(a_prompt_asked_for_several_times_is_computed_once, reset),
    cmocka_unit_test_setup(without_partial_removal_only_whole_sequences_go_on, reset),
    cmocka_unit_test_setup(idle_prefixes_give_way, reset),
    cmocka_unit_test_setup(a_seed_decides_the_text_whatever_else_runs, reset),
    cmocka_unit_test_setup(every_allocation_may_fail, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
