/* Each sampler against llama.cpp's own: the same logits must leave the same tokens with the same probabilities. */
#include "base/alloc.h"
#include "sched/mirostat.h"
#include "sched/penalties.h"
#include "sched/rng.h"
#include "sched/truncate.h"

#include <cmocka.h>
#include <llama.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { N = 3000, ROUNDS = 12 };

static float logits[N];
static llama_token_data theirs[N];
static struct al_rng rng;

static void fill(int round)
{
  float spread = (float[]){ 1, 6, 20, 60 }[round % 4];
  for (int i = 0; i < N; i++)
    logits[i] = (float)al_rng_unit(&rng) * spread + (float)al_rng_unit(&rng) * spread / 4;
}

static llama_token_data_array apply(struct llama_sampler *sampler)
{
  for (int i = 0; i < N; i++)
    theirs[i] = (llama_token_data){ .id = i, .logit = logits[i] };
  llama_token_data_array array = { .data = theirs, .size = N, .selected = -1 };
  llama_sampler_apply(sampler, &array);
  llama_sampler_free(sampler);
  return array;
}

static int by_logit(const void *a, const void *b)
{
  const llama_token_data *x = a, *y = b;
  if (x->logit > y->logit)
    return -1;
  if (x->logit < y->logit)
    return 1;
  return x->id < y->id ? -1 : x->id > y->id;
}

static void assert_same(const struct al_candidates *ours, llama_token_data_array array)
{
  qsort(array.data, array.size, sizeof *array.data, by_logit);
  double mass = 0;
  for (size_t i = 0; i < array.size; i++)
    mass += exp((double)array.data[i].logit - (double)array.data[0].logit);
  assert_int_equal(ours->count, array.size);
  assert_true(fabs(ours->mass - mass) < 1e-5 * mass);
  for (size_t i = 0; i < array.size; i++)
    assert_int_equal(ours->items[i].token, array.data[i].id);
}

static void top_k(void **)
{
  struct al_candidates list = {};
  for (int round = 0; round < ROUNDS; round++) {
    fill(round);
    int k = (int[]){ 1, 40, 500, 2000 }[round % 4];
    assert_int_equal(al_candidates_top_k(&list, logits, N, (size_t)k, nullptr), AL_OK);
    assert_same(&list, apply(llama_sampler_init_top_k(k)));
  }
  al_candidates_done(&list);
}

static void top_p(void **)
{
  struct al_candidates list = {};
  for (int round = 0; round < ROUNDS; round++) {
    fill(round);
    float p = (float[]){ 0.1f, 0.5f, 0.9f }[round % 3];
    assert_int_equal(al_candidates_for_top_p(&list, logits, N, (double)p, nullptr), AL_OK);
    al_truncate_top_p(&list, (double)p);
    llama_token_data_array array = apply(llama_sampler_init_top_p(p, 1));
    assert_int_in_range((int)list.count + 1 - (int)array.size, 0,
                        2); /* float and double sums may differ by one at the edge */
    assert_int_equal(list.items[0].token, array.data[0].id);
  }
  al_candidates_done(&list);
}

static void min_p(void **)
{
  struct al_candidates list = {};
  for (int round = 0; round < ROUNDS; round++) {
    fill(round);
    float p = (float[]){ 0.01f, 0.1f, 0.5f }[round % 3];
    assert_int_equal(al_candidates_top_k(&list, logits, N, 0, nullptr), AL_OK);
    al_truncate_min_p(&list, (double)p);
    assert_same(&list, apply(llama_sampler_init_min_p(p, 1)));
  }
  al_candidates_done(&list);
}

static void typical(void **)
{
  struct al_candidates list = {};
  for (int round = 0; round < ROUNDS; round++) {
    fill(round);
    float p = (float[]){ 0.2f, 0.5f, 0.9f }[round % 3];
    assert_int_equal(al_candidates_top_k(&list, logits, N, 0, nullptr), AL_OK);
    al_truncate_typical(&list, (double)p);
    llama_token_data_array array = apply(llama_sampler_init_typical(p, 1));
    long difference = (long)list.count - (long)array.size;
    assert_true(labs(difference) <= 1 + (long)array.size / 100); /* ties of float surprises */
  }
  al_candidates_done(&list);
}

static void xtc(void **)
{
  struct al_candidates list = {};
  for (int round = 0; round < ROUNDS; round++) {
    fill(round);
    float threshold = (float[]){ 0.0005f, 0.02f, 0.2f }[round % 3];
    assert_int_equal(al_candidates_top_k(&list, logits, N, 0, nullptr), AL_OK);
    al_truncate_xtc(&list, 1, (double)threshold, &rng);
    assert_same(&list, apply(llama_sampler_init_xtc(1, threshold, 1, 1)));
  }
  al_candidates_done(&list);
}

static void mirostat_first_cut(void **)
{
  struct al_candidates list = {};
  for (int round = 0; round < ROUNDS; round++) {
    struct al_sampling sampling = { .mirostat = 1 + round % 2, .mirostat_tau = 3, .mirostat_eta = 0.1f };
    struct al_mirostat mirostat;
    fill(round);
    assert_int_equal(al_candidates_top_k(&list, logits, N, 0, nullptr), AL_OK);
    al_mirostat_init(&mirostat, &sampling);
    al_mirostat_cut(&mirostat, &sampling, &list, N);
    llama_token_data_array array = apply(sampling.mirostat == 1 ? llama_sampler_init_mirostat(N, 1, 3, 0.1f, 100)
                                                                : llama_sampler_init_mirostat_v2(1, 3, 0.1f));
    assert_int_in_range((int)list.count + 1 - (int)array.size, 0, 2);
  }
  al_candidates_done(&list);
}

static void penalties(void **)
{
  struct al_token_table scratch = {};
  struct al_history history;
  struct al_sampling s = al_sampling_default();
  s.repeat_penalty = 1.3f;
  s.frequency_penalty = 0.2f;
  s.presence_penalty = 0.5f;
  s.penalty_last_n = 50;
  al_history_init(&history, al_penalties_reach(&s));
  struct llama_sampler *sampler = llama_sampler_init_penalties(N, 50, 1.3f, 0.2f, 0.5f);
  for (int i = 0; i < 200; i++) {
    int32_t token = (int32_t)(al_rng_next(&rng) % 30);
    llama_sampler_accept(sampler, token);
    assert_int_equal(al_history_add(&history, &token, 1, nullptr), AL_OK);
  }
  fill(1);
  for (int i = 0; i < N; i++)
    logits[i] -= 3;
  llama_token_data_array array = apply(sampler);
  assert_int_equal(al_penalties_apply(&scratch, &s, &history, logits, N, nullptr), AL_OK);
  for (int i = 0; i < N; i++)
    assert_true(fabsf(logits[array.data[i].id] - array.data[i].logit) < 1e-5f);
  al_history_done(&history);
  al_token_table_done(&scratch);
}

static int setup(void **)
{
  al_rng_init(&rng, 11);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(top_k, setup),     cmocka_unit_test_setup(top_p, setup),
    cmocka_unit_test_setup(min_p, setup),     cmocka_unit_test_setup(typical, setup),
    cmocka_unit_test_setup(xtc, setup),       cmocka_unit_test_setup(mirostat_first_cut, setup),
    cmocka_unit_test_setup(penalties, setup),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
