/* A constraint over the fake engine: only tokens of a set may come, or a text letter by letter. */
#include "base/alloc.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { WORDS = (AL_FAKE_N_VOCAB + 63) / 64 };

struct rule {
  const char *text; /* what must come, then the end; nullptr: `letters` for ever */
  const char *letters;
  size_t at;
  uint64_t mask[WORDS];
  int n_allows, n_masks, n_accepts;
  int fail_at; /* the n-th accept fails */
  bool leaves_nothing;
};

static bool may_come(const struct rule *rule, int32_t token)
{
  if (rule->leaves_nothing)
    return false;
  if (rule->text == nullptr)
    return token < 256 && token > 0 && strchr(rule->letters, token) != nullptr;
  return rule->text[rule->at] != '\0' ? token == rule->text[rule->at] : token == AL_FAKE_IM_END;
}

static bool allows(void *state, int32_t token)
{
  struct rule *rule = state;
  rule->n_allows++;
  return may_come(rule, token);
}

static enum al_code mask(void *state, const uint64_t **out, struct al_err *)
{
  struct rule *rule = state;
  rule->n_masks++;
  memset(rule->mask, 0, sizeof rule->mask);
  for (int32_t i = 0; i < AL_FAKE_N_VOCAB; i++)
    if (may_come(rule, i))
      rule->mask[i / 64] |= UINT64_C(1) << (i % 64);
  *out = rule->mask;
  return AL_OK;
}

static enum al_code accept(void *state, int32_t token, struct al_err *err)
{
  struct rule *rule = state;
  assert_true(may_come(rule, token));
  rule->at++;
  return ++rule->n_accepts == rule->fail_at ? al_fail(err, AL_INTERNAL, "told to") : AL_OK;
}

static const struct al_constraint_ops ops = { allows, mask, accept };

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  return 0;
}

static struct al_generation held(struct client *client, struct rule *rule, int64_t max_tokens)
{
  struct al_generation generation = client_generation(client, "some prompt", max_tokens);
  generation.constraint = (struct al_constraint){ &ops, rule };
  return generation;
}

static void submit(struct kit *kit, const struct al_generation *generation)
{
  assert_int_equal(al_scheduler_submit(kit->scheduler, generation, nullptr), AL_OK);
}

static void only_what_may_come_comes(void **)
{
  struct kit kit = {};
  struct client client;
  struct rule rule = { .text = "{\"a\":1}" };
  kit_open(&kit, 0, 0, 2);
  client_init(&client);
  struct al_generation generation = held(&client, &rule, 0);
  submit(&kit, &generation);
  client_wait(&client);
  assert_string_equal(client_text(&client), rule.text);
  assert_int_equal(client.result.end, AL_END_STOP);
  assert_int_equal(client.ended_by.token, AL_FAKE_IM_END);
  assert_true(client.ended_by.is_control);
  assert_int_equal(rule.n_accepts, 8); /* with the end */
  assert_int_equal(rule.n_allows, 8);
  client_done(&client);
  kit_close(&kit);
}

static void what_fits_anyway_needs_no_mask(void **)
{
  struct kit kit = {};
  struct client client;
  struct rule rule = { .text = "hello" };
  al_fake_knobs.script = "hello";
  kit_open(&kit, 0, 0, 2);
  client_init(&client);
  struct al_generation generation = held(&client, &rule, 0);
  submit(&kit, &generation);
  client_wait(&client);
  assert_string_equal(client_text(&client), "hello");
  assert_int_equal(rule.n_masks, 0);
  client_done(&client);
  kit_close(&kit);
}

/* With logprobs: of the model itself, whatever was masked. */
static void the_figures_are_the_models_own(void **)
{
  struct kit kit = {};
  struct client free_one, client;
  struct rule rule = { .text = "zq" };
  kit_open(&kit, 0, 0, 2);
  client_init(&free_one);
  client_init(&client);
  struct al_generation generation = client_generation(&free_one, "some prompt", 1);
  generation.logprobs = 3;
  submit(&kit, &generation);
  client_wait(&free_one);
  generation = held(&client, &rule, 0);
  generation.logprobs = 3;
  submit(&kit, &generation);
  client_wait(&client);
  assert_string_equal(client_text(&client), "zq");
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(client.seen[0].top[i].token, free_one.seen[0].top[i].token);
    assert_memory_equal(&client.seen[0].top[i].logprob, &free_one.seen[0].top[i].logprob, sizeof(float));
  }
  assert_true(client.seen[0].logprob < free_one.seen[0].logprob);
  client_done(&free_one);
  client_done(&client);
  kit_close(&kit);
}

static void sampled(struct kit *kit, struct client *client, struct rule *rule, uint64_t seed)
{
  client_init(client);
  struct al_generation generation = held(client, rule, 400);
  generation.sampling.temperature = 1;
  generation.sampling.seed = seed;
  generation.sampling.has_seed = true;
  generation.ignore_eos = true;
  submit(kit, &generation);
  client_wait(client);
  assert_int_equal(client->n_tokens, 400);
  assert_int_equal(strspn(client_text(client), rule->letters), 400);
}

static void a_seed_decides_and_the_draws_are_fair(void **)
{
  struct kit kit = {};
  struct client a, b, c;
  struct rule rules[3] = { { .letters = "abcxyz" }, { .letters = "abcxyz" }, { .letters = "abcxyz" } };
  kit_open(&kit, 0, 0, 4);
  sampled(&kit, &a, &rules[0], 11);
  sampled(&kit, &b, &rules[1], 11);
  sampled(&kit, &c, &rules[2], 12);
  assert_string_equal(client_text(&a), client_text(&b));
  assert_string_not_equal(client_text(&a), client_text(&c));
  assert_true(rules[0].n_masks > 50 && rules[0].n_masks < 400);
  int counts[256] = {};
  for (size_t i = 0; i < 400; i++)
    counts[(unsigned char)client_text(&a)[i]]++;
  for (const char *letter = "abcxyz"; *letter != '\0'; letter++) /* each letter's logit is as random as the others' */
    assert_true(counts[(unsigned char)*letter] > 25);
  client_done(&a);
  client_done(&b);
  client_done(&c);
  kit_close(&kit);
}

static void no_token_left_is_the_end(void **)
{
  struct kit kit = {};
  struct client client, again;
  struct rule rule = { .leaves_nothing = true }, ends = { .text = "ab" };
  kit_open(&kit, 0, 0, 2);
  client_init(&client);
  client_init(&again);
  struct al_generation generation = held(&client, &rule, 0);
  submit(&kit, &generation);
  client_wait(&client);
  assert_int_equal(client.result.end, AL_END_STOP);
  assert_int_equal(client.result.n_completion, 0);
  assert_int_equal(client.ended_by.token, -1);
  generation = held(&again, &ends, 0); /* may only end, and must not */
  generation.ignore_eos = true;
  submit(&kit, &generation);
  client_wait(&again);
  assert_int_equal(again.result.end, AL_END_STOP);
  assert_string_equal(client_text(&again), "ab");
  client_done(&client);
  client_done(&again);
  kit_close(&kit);
}

static void its_error_ends_its_request_alone(void **)
{
  struct kit kit = {};
  struct client client, other;
  struct rule rule = { .letters = "abc", .fail_at = 3 };
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 2);
  client_init(&client);
  client_init(&other);
  struct al_generation generation = held(&client, &rule, 0);
  submit(&kit, &generation);
  client_submit(&kit, &other, "beside it", 30);
  client_wait(&client);
  client_wait(&other);
  assert_int_equal(client.result.end, AL_END_FAILED);
  assert_string_equal(client.result.err.message, "told to");
  assert_int_equal(client.n_tokens, 2);
  assert_int_equal(other.n_tokens, 30);
  client_done(&client);
  client_done(&other);
  kit_close(&kit);
}

/* Sixteen at once, each held to something else, over a cache that is too small: each as alone. */
static void many_at_once(void **)
{
  enum { N = 16 };
  struct kit kit = {};
  struct client clients[N];
  struct rule rules[N];
  char texts[N][48];
  kit_open(&kit, 150, 16, 6);
  for (int i = 0; i < N; i++) {
    (void)snprintf(texts[i], sizeof texts[i], "{\"number\":%d,\"twice\":%d}", i, 2 * i);
    rules[i] = (struct rule){ .text = texts[i] };
    client_init(&clients[i]);
    struct al_generation generation = held(&clients[i], &rules[i], 0);
    if (i % 4 == 3)
      generation.constraint = (struct al_constraint){};
    generation.max_tokens = i % 4 == 3 ? 20 : 0;
    submit(&kit, &generation);
  }
  char *alone = kit_alone("some prompt", 20);
  for (int i = 0; i < N; i++) {
    client_wait(&clients[i]);
    assert_string_equal(client_text(&clients[i]), i % 4 == 3 ? alone : texts[i]);
    client_done(&clients[i]);
  }
  al_free(alone);
  kit_close(&kit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(only_what_may_come_comes, reset),
    cmocka_unit_test_setup(what_fits_anyway_needs_no_mask, reset),
    cmocka_unit_test_setup(the_figures_are_the_models_own, reset),
    cmocka_unit_test_setup(a_seed_decides_and_the_draws_are_fair, reset),
    cmocka_unit_test_setup(no_token_left_is_the_end, reset),
    cmocka_unit_test_setup(its_error_ends_its_request_alone, reset),
    cmocka_unit_test_setup(many_at_once, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
