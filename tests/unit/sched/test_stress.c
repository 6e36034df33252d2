/* Many requests with shared beginnings over a KV cache that is far too small, some of which leave in the middle: the
 * bookkeeping of slots, cells and prefixes must hold (the fake engine asserts on every misuse), and everybody who stays
 * gets the text they get alone. */
#include "base/alloc.h"
#include "kit.h"
#include "sched/rng.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { CLIENTS = 24, ROUNDS = 6, ANSWER = 25 };

static const char *const beginnings[] = {
  "you are a helpful assistant and you say: ",
  "you are a helpful assistant and you never say: ",
  "the quick brown fox ",
  "",
};

static void make_prompt(struct al_rng *rng, char *prompt, size_t size)
{
  size_t which = (size_t)(al_rng_next(rng) % AL_COUNT(beginnings));
  (void)snprintf(prompt, size, "%sn%u", beginnings[which], (unsigned)(al_rng_next(rng) % 6));
}

static void run_round(struct kit *kit, struct al_rng *rng)
{
  struct client clients[CLIENTS];
  char prompts[CLIENTS][64];
  for (int i = 0; i < CLIENTS; i++) {
    client_init(&clients[i]);
    make_prompt(rng, prompts[i], sizeof prompts[i]);
    clients[i].cancel_at = al_rng_next(rng) % 4 == 0 ? 1 + (int)(al_rng_next(rng) % ANSWER) : 0;
    client_submit(kit, &clients[i], prompts[i], ANSWER);
    if (al_rng_next(rng) % 8 == 0)
      al_cancel_fire(clients[i].cancel, AL_CANCELLED);
  }
  for (int i = 0; i < CLIENTS; i++)
    client_wait(&clients[i]);
  for (int i = 0; i < CLIENTS; i++) {
    char *alone = kit_alone(prompts[i], ANSWER);
    bool left = al_cancelled(clients[i].cancel) && clients[i].result.end == AL_END_FAILED;
    if (left)
      assert_memory_equal(client_text(&clients[i]), alone, clients[i].text.size);
    else
      assert_string_equal(client_text(&clients[i]), alone);
    assert_true(left || clients[i].result.end != AL_END_FAILED);
    al_free(alone);
    client_done(&clients[i]);
  }
}

static void churn(bool no_partial_remove, int n_ctx, int n_batch, int n_seq_max)
{
  struct kit kit = {};
  struct al_rng rng;
  al_fake_reset();
  al_fake_knobs.no_partial_remove = no_partial_remove;
  al_fake_knobs.never_ends = true;
  al_rng_init(&rng, (uint64_t)n_ctx);
  kit_open(&kit, n_ctx, n_batch, n_seq_max);
  for (int round = 0; round < ROUNDS; round++)
    run_round(&kit, &rng);
  kit_close(&kit);
  al_fake_reset();
}

static void with_partial_removal(void **)
{
  churn(false, 120, 16, 5);
  churn(false, 90, 7, 3);
  churn(false, 400, 64, 12);
}

static void without_partial_removal(void **)
{
  churn(true, 120, 16, 5);
  churn(true, 300, 32, 8);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(with_partial_removal),
    cmocka_unit_test(without_partial_removal),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
