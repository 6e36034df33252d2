/* Adapters: requests with different sets side by side, each as if alone. The fake engine asserts when a decode or a
 * prefix mixes two sets. */
#include "base/alloc.h"
#include "kit.h"
#include "sched/adapter_set.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  return 0;
}

static struct al_engine_adapter *load(struct kit *kit, const char *name)
{
  char id[16];
  (void)snprintf(id, sizeof id, "%s", name);
  struct al_model_descriptor descriptor = { .id = id };
  struct al_engine_adapter *adapter = nullptr;
  assert_int_equal(kit->ops.adapter_load(kit->model, &descriptor, &adapter, nullptr), AL_OK);
  return adapter;
}

static void submit(struct kit *kit, struct client *client, const struct al_adapter_use *uses, size_t n_uses,
                   int64_t max_tokens)
{
  struct al_generation generation =
      client_generation(client, "a prompt that all of them share, word by word", max_tokens);
  generation.adapters = uses;
  generation.n_adapters = n_uses;
  assert_int_equal(al_scheduler_submit(kit->scheduler, &generation, nullptr), AL_OK);
}

static void equal_sets_are_one(void **)
{
  struct al_adapter_sets sets;
  struct al_adapter_set *a, *b, *c, *bare;
  struct al_adapter_use one[] = { { (struct al_engine_adapter *)0x10, 1 } };
  struct al_adapter_use other[] = { { (struct al_engine_adapter *)0x10, 0.5f } };
  assert_int_equal(al_adapter_sets_init(&sets, nullptr), AL_OK);
  assert_int_equal(al_adapter_sets_find(&sets, one, 1, 3, &a, nullptr), AL_OK);
  assert_int_equal(al_adapter_sets_find(&sets, one, 1, 4, &b, nullptr), AL_OK);
  assert_int_equal(al_adapter_sets_find(&sets, other, 1, 5, &c, nullptr), AL_OK);
  assert_int_equal(al_adapter_sets_find(&sets, nullptr, 0, 6, &bare, nullptr), AL_OK);
  assert_ptr_equal(a, b);
  assert_ptr_not_equal(a, c);
  assert_ptr_equal(bare, sets.bare);
  al_adapter_set_unref(&sets, a);
  al_adapter_set_unref(&sets, c);
  assert_ptr_equal(sets.first, b);
  al_adapter_set_unref(&sets, b);
  al_adapter_set_unref(&sets, bare);
  assert_null(sets.first);
  al_adapter_sets_done(&sets);
}

static void they_change_what_is_said_and_nothing_else(void **)
{
  enum { SETS = 4, EACH = 4 };
  struct kit kit = {};
  struct client clients[SETS][EACH];
  char *alone[SETS];
  kit_open(&kit, 0, 0, 1);
  struct al_engine_adapter *x = load(&kit, "x"), *y = load(&kit, "y");
  const struct al_adapter_use uses[SETS][2] = { {}, { { x, 1 } }, { { x, 0.5f } }, { { x, 1 }, { y, 1 } } };
  const size_t n_uses[SETS] = { 0, 1, 1, 2 };
  for (int i = 0; i < SETS; i++) { /* one after another, over each other's idle prefix */
    client_init(&clients[i][0]);
    submit(&kit, &clients[i][0], uses[i], n_uses[i], 40);
    client_wait(&clients[i][0]);
    alone[i] = al_strdup(client_text(&clients[i][0]));
    assert_int_equal(clients[i][0].result.n_cached, 0);
    for (int j = 0; j < i; j++)
      assert_string_not_equal(alone[i], alone[j]);
    client_done(&clients[i][0]);
  }
  kit.ops.adapter_free(kit.model, x);
  kit.ops.adapter_free(kit.model, y);
  kit_close(&kit);
  kit_open(&kit, 400, 32, 8);
  x = load(&kit, "x"), y = load(&kit, "y");
  const struct al_adapter_use again[SETS][2] = { {}, { { x, 1 } }, { { x, 0.5f } }, { { x, 1 }, { y, 1 } } };
  for (int j = 0; j < EACH; j++)
    for (int i = 0; i < SETS; i++) {
      client_init(&clients[i][j]);
      submit(&kit, &clients[i][j], again[i], n_uses[i], 40);
    }
  for (int i = 0; i < SETS; i++)
    for (int j = 0; j < EACH; j++) {
      client_wait(&clients[i][j]);
      assert_string_equal(client_text(&clients[i][j]), alone[i]);
      client_done(&clients[i][j]);
    }
  assert_true(al_fake_counts.n_adapter_uses > 0);
  kit.ops.adapter_free(kit.model, x);
  kit.ops.adapter_free(kit.model, y);
  kit_close(&kit);
  for (int i = 0; i < SETS; i++)
    al_free(alone[i]);
}

static void turns_are_fair(void **)
{
  struct kit kit = {};
  struct client bare[3], shouting;
  al_fake_knobs.never_ends = true;
  kit_open(&kit, 0, 0, 8);
  struct al_engine_adapter *x = load(&kit, "x");
  struct al_adapter_use use = { x, 1 };
  for (int i = 0; i < 3; i++) {
    client_init(&bare[i]);
    bare[i].hold_at = i == 0 ? 40 : 0;
    submit(&kit, &bare[i], nullptr, 0, 400);
  }
  client_init(&shouting);
  submit(&kit, &shouting, &use, 1, 400);
  client_wait_held(&bare[0]);
  /* While 40 tokens were made for each of the three, the other set had about as many. */
  {
    AL_LOCKED(&shouting.mutex);
    assert_true(shouting.n_tokens >= 28);
  }
  client_release(&bare[0]);
  client_wait(&shouting);
  assert_true(al_fake_counts.n_adapter_uses <= 2 * (400 / 4 + 2)); /* not told at every step */
  for (int i = 0; i < 3; i++) {
    client_wait(&bare[i]);
    client_done(&bare[i]);
  }
  client_done(&shouting);
  kit.ops.adapter_free(kit.model, x);
  kit_close(&kit);
}

static void an_adapter_that_fails_ends_its_requests_alone(void **)
{
  struct kit kit = {};
  struct client bare, broken, after;
  kit_open(&kit, 0, 0, 4);
  struct al_engine_adapter *x = load(&kit, "x");
  struct al_adapter_use use = { x, 1 };
  al_fake_knobs.no_adapter_use = true;
  al_fake_knobs.never_ends = true;
  client_init(&bare);
  client_init(&broken);
  client_init(&after);
  submit(&kit, &bare, nullptr, 0, 50);
  submit(&kit, &broken, &use, 1, 50);
  client_wait(&broken);
  client_wait(&bare);
  assert_int_equal(broken.result.end, AL_END_FAILED);
  assert_int_equal(broken.result.err.code, AL_INTERNAL);
  assert_int_equal(bare.n_tokens, 50);
  al_fake_knobs.no_adapter_use = false;
  submit(&kit, &after, &use, 1, 50);
  client_wait(&after);
  assert_int_equal(after.n_tokens, 50);
  client_done(&bare);
  client_done(&broken);
  client_done(&after);
  kit.ops.adapter_free(kit.model, x);
  kit_close(&kit);
}

static void an_engine_without_them_refuses(void **)
{
  struct kit kit = { .ops = *al_engine_fake.text };
  struct client client;
  struct al_err err = {};
  kit.ops.adapter_use = nullptr;
  kit_open(&kit, 0, 0, 4);
  client_init(&client);
  struct al_generation generation = client_generation(&client, "abc", 2);
  struct al_adapter_use use = { nullptr, 1 };
  generation.adapters = &use;
  generation.n_adapters = 1;
  assert_int_equal(al_scheduler_submit(kit.scheduler, &generation, &err), AL_UNSUPPORTED);
  al_free(generation.prompt);
  client_done(&client);
  kit_close(&kit);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(equal_sets_are_one),
    cmocka_unit_test_setup(they_change_what_is_said_and_nothing_else, reset),
    cmocka_unit_test_setup(turns_are_fair, reset),
    cmocka_unit_test_setup(an_adapter_that_fails_ends_its_requests_alone, reset),
    cmocka_unit_test_setup(an_engine_without_them_refuses, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
