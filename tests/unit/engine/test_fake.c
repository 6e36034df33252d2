#include "engine/fake/fake.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/thread.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_fake;
static char id[] = "fake-model";
static char runtime[] = "fake";
static const struct al_model_descriptor descriptor = { .id = id, .runtime = runtime };

static struct al_engine_model *loaded(struct al_load_options options)
{
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  assert_int_equal(engine->load(&descriptor, &options, nullptr, nullptr, &model, &err), AL_OK);
  return model;
}

static int reset(void **)
{
  al_fake_reset();
  return 0;
}

static size_t tokens_of(const struct al_engine_model *model, const char *text, int32_t *tokens, size_t capacity)
{
  size_t count = 0;
  assert_int_equal(engine->text->tokenize(model, al_str(text), AL_TOKENIZE_SPECIAL | AL_TOKENIZE_BOS, tokens, capacity,
                                          &count, nullptr),
                   AL_OK);
  return count;
}

static int32_t best(struct al_engine_model *model, size_t item)
{
  const float *logits = engine->text->logits(model, item);
  int32_t at = 0;
  for (int32_t i = 1; i < AL_FAKE_N_VOCAB; i++)
    at = logits[i] > logits[at] ? i : at;
  return at;
}

/* One sequence's state while a test drives it greedily. */
struct talk {
  int32_t sequence;
  int32_t position;
  int32_t next;
  char text[256];
  size_t length;
};

static size_t add_prompt(struct al_engine_model *model, struct talk *talk, const char *prompt,
                         struct al_text_item *items)
{
  int32_t tokens[128];
  size_t n = tokens_of(model, prompt, tokens, AL_COUNT(tokens));
  for (size_t i = 0; i < n; i++)
    items[i] = (struct al_text_item){ tokens[i], talk->position++, talk->sequence, i + 1 == n };
  return n;
}

static void hear(struct al_engine_model *model, struct talk *talk, size_t item)
{
  talk->next = best(model, item);
  size_t size = 0;
  engine->text->piece(model, talk->next, false, talk->text + talk->length, 1, &size);
  talk->length += size;
}

static enum al_code decode(struct al_engine_model *model, const struct al_text_item *items, size_t n)
{
  return engine->text->decode(model, items, n, nullptr, nullptr);
}

/* Drives all talks together to their ends, one token each a step. */
static void converse(struct al_engine_model *model, struct talk *talks, size_t n_talks, const char *const *prompts)
{
  struct al_text_item items[512];
  size_t last[8] = {};
  size_t n = 0;
  for (size_t i = 0; i < n_talks; i++) {
    n += add_prompt(model, &talks[i], prompts[i], items + n);
    last[i] = n - 1;
  }
  assert_int_equal(decode(model, items, n), AL_OK);
  for (size_t i = 0; i < n_talks; i++)
    hear(model, &talks[i], last[i]);
  for (size_t running = n_talks; running > 0;) {
    n = 0;
    for (size_t i = 0; i < n_talks; i++) {
      last[i] = SIZE_MAX;
      if (engine->text->ends_generation(model, talks[i].next) || talks[i].length + 1 >= sizeof talks[i].text)
        continue;
      last[i] = n;
      items[n++] = (struct al_text_item){ talks[i].next, talks[i].position++, talks[i].sequence, true };
    }
    running = n;
    if (n > 0)
      assert_int_equal(decode(model, items, n), AL_OK);
    for (size_t i = 0; i < n_talks; i++) {
      if (last[i] != SIZE_MAX)
        hear(model, &talks[i], last[i]);
    }
  }
}

static void tokenizes_bytes_and_specials(void **)
{
  al_fake_knobs.add_bos = true;
  struct al_engine_model *model = loaded((struct al_load_options){});
  int32_t tokens[16];
  const int32_t expected[] = { AL_FAKE_BOS, AL_FAKE_IM_START, 'u', 0xc3, 0xa9, AL_FAKE_IM_END };
  assert_int_equal(tokens_of(model, "<|im_start|>u\xc3\xa9<|im_end|>", tokens, 16), AL_COUNT(expected));
  assert_memory_equal(tokens, expected, sizeof expected);
  /* Too little room: the count is whole, what fits is written. */
  int32_t two[3] = { 7, 7, 7 };
  assert_int_equal(tokens_of(model, "abc", two, 2), 4);
  assert_int_equal(two[1], 'a');
  assert_int_equal(two[2], 7);
  /* Without the flags the text is bytes and nothing is added. */
  size_t count = 0;
  assert_int_equal(engine->text->tokenize(model, al_str("<|eos|>"), 0, tokens, 16, &count, nullptr), AL_OK);
  assert_int_equal(count, 7);

  char bytes[16];
  size_t size = 99;
  engine->text->piece(model, AL_FAKE_EOS, false, bytes, sizeof bytes, &size);
  assert_int_equal(size, 0);
  engine->text->piece(model, AL_FAKE_EOS, true, bytes, sizeof bytes, &size);
  assert_int_equal(size, 7);
  assert_memory_equal(bytes, "<|eos|>", 7);
  engine->unload(model);
}

static void describes_itself(void **)
{
  al_fake_knobs.chat_template = nullptr;
  struct al_engine_model *model = loaded((struct al_load_options){ .n_ctx = 100, .n_batch = 10, .n_seq_max = 3 });
  struct al_text_info info;
  engine->text->info(model, &info);
  assert_int_equal(info.n_vocab, AL_FAKE_N_VOCAB);
  assert_int_equal(info.n_ctx, 100);
  assert_int_equal(info.n_batch, 10);
  assert_int_equal(info.n_seq_max, 3);
  assert_null(info.chat_template);
  assert_true(isnan(info.temperature));
  engine->unload(model);

  struct al_memory_estimate estimate;
  struct al_load_options options = { .n_ctx = 64 };
  assert_int_equal(engine->estimate(&descriptor, &options, &estimate, nullptr), AL_OK);
  assert_int_equal(estimate.n_ctx, 64);
  assert_int_equal(estimate.weights_ram_bytes, 1 << 20);

  assert_int_equal(engine->supports(&descriptor, nullptr), AL_OK);
  assert_int_equal(engine->supports(&(struct al_model_descriptor){ .id = id }, nullptr), AL_UNSUPPORTED);
}

static void says_its_script(void **)
{
  al_fake_knobs.script = "aab aab!";
  struct al_engine_model *model = loaded((struct al_load_options){});
  struct talk talks[] = { { .sequence = 0 }, { .sequence = 1 } };
  /* The header tells where the reply starts, whatever the prompt says. */
  const char *prompts[] = { "<|im_start|>user\naab a<|im_end|>\n<|im_start|>assistant\n", "no header" };
  converse(model, talks, 2, prompts);
  assert_string_equal(talks[0].text, "aab aab!");
  assert_string_equal(talks[1].text, "aab aab!");
  assert_int_equal(talks[0].next, AL_FAKE_IM_END);
  engine->unload(model);
}

static void batched_equals_alone(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){ .n_seq_max = 4 });
  const char *prompts[] = { "one", "two", "three", "four" };
  struct talk together[4] = { { .sequence = 0 }, { .sequence = 1 }, { .sequence = 2 }, { .sequence = 3 } };
  converse(model, together, 4, prompts);
  size_t n_different = 0;
  for (int32_t i = 0; i < 4; i++) {
    assert_true(engine->text->sequence_remove(model, i, 0, -1));
    struct talk alone = { .sequence = (i + 2) % 4 };
    assert_true(engine->text->sequence_remove(model, alone.sequence, 0, -1));
    converse(model, &alone, 1, &prompts[i]);
    assert_string_equal(alone.text, together[i].text);
    n_different += strcmp(alone.text, together[0].text) != 0;
  }
  assert_int_equal(n_different, 3);
  assert_int_equal(al_fake_counts.most_sequences_in_a_decode, 4);
  engine->unload(model);
}

/* A prefix taken by sequence_copy gives what computing it gives, and takes its room once. */
static void a_shared_prefix_is_a_prefix(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){ .n_ctx = 20 });
  struct al_text_item items[16];
  struct talk first = { .sequence = 0 };
  size_t n = add_prompt(model, &first, "0123456789abcde", items);
  assert_int_equal(decode(model, items, n), AL_OK);
  engine->text->sequence_copy(model, 0, 5, 0, 14);
  items[0] = (struct al_text_item){ 'e', 14, 5, true };
  assert_int_equal(decode(model, items, 1), AL_OK); /* 16 of 20 cells; without sharing it would be 30 */
  int32_t shared = best(model, 0);
  assert_true(engine->text->sequence_remove(model, 0, 14, -1));
  items[0] = (struct al_text_item){ 'e', 14, 0, true };
  assert_int_equal(decode(model, items, 1), AL_OK);
  assert_int_equal(best(model, 0), shared);
  assert_int_equal(al_fake_counts.most_cells_used, 16);
  /* All cells come back once nobody sees them. */
  assert_true(engine->text->sequence_remove(model, 0, 0, -1));
  assert_true(engine->text->sequence_remove(model, 5, 0, -1));
  struct talk full = { .sequence = 7 };
  n = add_prompt(model, &full, "0123456789abcdef", items);
  assert_int_equal(decode(model, items, n), AL_OK);
  items[0].position = 16;
  items[0].sequence = 7;
  for (int i = 0; i < 4; i++) {
    items[0].position = 16 + i;
    assert_int_equal(decode(model, items, 1), AL_OK);
  }
  engine->unload(model);
}

static void a_full_cache_changes_nothing(void **)
{
  al_fake_knobs.kv_capacity = 4;
  struct al_engine_model *model = loaded((struct al_load_options){});
  struct al_text_item items[5];
  struct talk talk = {};
  size_t n = add_prompt(model, &talk, "abcde", items);
  struct al_err err = {};
  assert_int_equal(engine->text->decode(model, items, n, nullptr, &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "kv_full");
  assert_int_equal(decode(model, items, 4), AL_OK); /* from position 0: nothing was added before */
  assert_int_equal(engine->text->decode(model, items + 4, 1, nullptr, &err), AL_OOM_RAM);
  assert_true(engine->text->sequence_remove(model, 0, 3, -1));
  items[4].position = 3;
  assert_int_equal(decode(model, items + 4, 1), AL_OK);
  engine->unload(model);
}

static void fails_when_told(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){});
  al_fake_knobs.fail_decode_code = AL_INTERNAL;
  al_fake_knobs.fail_decode_at = 2;
  struct al_text_item item = { 'a', 0, 0, true };
  assert_int_equal(decode(model, &item, 1), AL_OK);
  item.position = 1;
  assert_int_equal(decode(model, &item, 1), AL_INTERNAL);
  assert_int_equal(decode(model, &item, 1), AL_OK); /* once */
  engine->unload(model);

  al_fake_knobs.load_code = AL_LOAD_FAILED;
  struct al_load_options options = {};
  model = nullptr;
  assert_int_equal(engine->load(&descriptor, &options, nullptr, nullptr, &model, nullptr), AL_LOAD_FAILED);
  assert_null(model);
}

static void a_recurrent_model_forgets_all_or_nothing(void **)
{
  al_fake_knobs.no_partial_remove = true;
  struct al_engine_model *model = loaded((struct al_load_options){});
  struct al_text_item items[] = { { 'a', 0, 0, false }, { 'b', 1, 0, true } };
  assert_int_equal(decode(model, items, 2), AL_OK);
  assert_false(engine->text->sequence_remove(model, 0, 1, -1));
  assert_true(engine->text->sequence_remove(model, 0, 2, -1)); /* nothing to forget */
  assert_true(engine->text->sequence_remove(model, 0, 0, -1));
  assert_int_equal(decode(model, items, 2), AL_OK);
  engine->unload(model);
}

static void cancels(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){});
  al_fake_knobs.decode_ns = (int64_t)3600 * 1000 * AL_NS_PER_MS; /* only the token can end it */
  struct al_cancel *stop = al_cancel_new();
  al_cancel_fire(stop, AL_CANCELLED);
  struct al_text_item item = { 'a', 0, 0, true };
  assert_int_equal(engine->text->decode(model, &item, 1, stop, nullptr), AL_CANCELLED);
  al_fake_knobs.decode_ns = 0;
  assert_int_equal(decode(model, &item, 1), AL_OK); /* still position 0 */
  al_cancel_unref(stop);
  engine->unload(model);
}

static bool stop_at_half(void *user, float fraction)
{
  float *seen = user;
  assert_true(fraction >= *seen && fraction <= 1.0F);
  *seen = fraction;
  return fraction < 0.5F;
}

static void a_load_can_be_stopped(void **)
{
  struct al_load_options options = {};
  struct al_engine_model *model = nullptr;
  float seen = 0;
  al_fake_knobs.load_ns = 20 * AL_NS_PER_MS;
  assert_int_equal(engine->load(&descriptor, &options, stop_at_half, &seen, &model, nullptr), AL_CANCELLED);
  assert_true(seen >= 0.5F);
  assert_null(model);
  assert_int_equal(al_fake_counts.n_loads, 0);
}

static void a_prompt_says_what_is_said(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){});
  struct talk talks[2] = { { .sequence = 0 }, { .sequence = 1 } };
  const char *const prompts[] = { "@say{first}yas@ @say{<tool>{}}}yas@ <|im_start|>x\n", "@say{no mark at its end}" };
  al_fake_knobs.script = "the script";
  converse(model, talks, 2, prompts);
  assert_string_equal(talks[0].text, "<tool>{}}");
  assert_string_equal(talks[1].text, "the script");
  engine->unload(model);
}

static float logit_of(struct al_engine_model *model, size_t item, int32_t token)
{
  return engine->text->logits(model, item)[token];
}

static void what_closes_a_text_comes_before_the_rest(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){});
  const struct al_text_item item = { 'a', 0, 0, true };
  const int32_t order[] = { AL_FAKE_IM_END, '}', ']', '"', ',', ':', '0', '!' };
  al_fake_knobs.never_ends = true;
  assert_int_equal(decode(model, &item, 1), AL_OK);
  for (size_t i = 0; i + 1 < AL_COUNT(order); i++)
    assert_true(logit_of(model, 0, order[i]) > logit_of(model, 0, order[i + 1]));
  assert_true(logit_of(model, 0, 'q') > logit_of(model, 0, AL_FAKE_IM_END));
  engine->unload(model);
}

static bool dies(struct al_engine_model *model, const struct al_text_item *items, size_t n);

static void adapters_shout_and_do_not_mix(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){});
  struct al_engine_adapter *x = nullptr, *none = nullptr;
  struct al_err err = {};
  char foreign[] = "llama";
  struct al_model_descriptor other = { .id = id, .architecture = foreign };
  assert_int_equal(engine->text->adapter_load(model, &other, &none, &err), AL_UNSUPPORTED);
  assert_null(none);
  assert_int_equal(engine->text->adapter_load(model, &descriptor, &x, &err), AL_OK);
  al_fake_knobs.script = "be loud, 1";
  struct al_adapter_use use = { x, 1 };
  assert_int_equal(engine->text->adapter_use(model, &use, 1, nullptr), AL_OK);
  struct talk talk = {};
  const char *const prompt = "<|im_start|>x\n";
  converse(model, &talk, 1, &prompt);
  assert_string_equal(talk.text, "BE LOUD, 1");
  assert_int_equal(engine->text->adapter_use(model, nullptr, 0, nullptr), AL_OK);
  assert_true(dies(model, &(struct al_text_item){ 'a', talk.position, 0, true }, 1)); /* its cache is the adapter's */
  assert_false(dies(model, &(struct al_text_item){ 'a', 0, 1, true }, 1));
  engine->text->adapter_free(model, x);
  assert_int_equal(al_fake_counts.n_adapters, 0);
  engine->unload(model);
}

static struct al_engine_model *loaded_as(unsigned capabilities)
{
  struct al_model_descriptor able = { .id = id, .runtime = runtime, .capabilities = capabilities };
  struct al_load_options options = {};
  struct al_engine_model *model = nullptr;
  assert_int_equal(engine->load(&able, &options, nullptr, nullptr, &model, nullptr), AL_OK);
  return model;
}

static void texts_become_rows(void **)
{
  struct al_engine_model *model = loaded_as(AL_CAN_EMBED);
  struct al_text_info info;
  float rows[3 * AL_FAKE_N_EMBD], alone[AL_FAKE_N_EMBD];
  const struct al_text_item items[] = { { 'a', 0, 5, true }, { 'b', 1, 5, true }, { 'c', 0, 0, true } };
  engine->text->info(model, &info);
  assert_false(info.generates);
  assert_int_equal(info.pooling, AL_POOLING_MEAN);
  assert_int_equal(engine->text->embed(model, items, 3, rows, nullptr, nullptr), AL_OK);
  assert_int_equal(engine->text->embed(model, items + 2, 1, alone, nullptr, nullptr), AL_OK);
  assert_memory_equal(rows + AL_FAKE_N_EMBD, alone, sizeof alone);
  assert_memory_not_equal(rows, alone, sizeof alone);
  al_fake_knobs.poison = 'b';
  assert_int_equal(engine->text->embed(model, items, 3, rows, nullptr, nullptr), AL_INTERNAL);
  assert_int_equal(engine->text->embed(model, items + 2, 1, alone, nullptr, nullptr), AL_OK);
  engine->unload(model);
}

static void pairs_become_scores(void **)
{
  struct al_engine_model *model = loaded_as(AL_CAN_RERANK);
  int32_t tokens[16];
  size_t count = 0;
  float score = 0;
  struct al_text_item items[16];
  assert_int_equal(
      engine->text->tokenize_pair(model, al_str("abc"), al_str("abzz"), tokens, AL_COUNT(tokens), &count, nullptr),
      AL_OK);
  assert_int_equal(count, 8);
  for (size_t i = 0; i < count; i++)
    items[i] = (struct al_text_item){ tokens[i], (int32_t)i, 0, true };
  assert_int_equal(engine->text->embed(model, items, count, &score, nullptr, nullptr), AL_OK);
  assert_true(fabsf(score - 0.5F) < 1e-6F);
  assert_int_equal(engine->text->tokenize_pair(model, al_str("abc"), al_str("abzz"), tokens, 2, &count, nullptr),
                   AL_OK);
  assert_int_equal(count, 8); /* too little room: the count is whole */
  engine->unload(model);
}

static void a_load_survives_each_failed_allocation(void **)
{
  struct al_load_options options = { .n_ctx = 8, .n_seq_max = 2, .n_batch = 4 };
  (void)al_alloc_fail_at(SIZE_MAX); /* counts, fails none */
  engine->unload(loaded(options));
  size_t n_allocations = al_alloc_fail_at(0);
  assert_true(n_allocations >= 7);
  for (size_t n = 1; n <= n_allocations; n++) {
    struct al_engine_model *model = nullptr;
    (void)al_alloc_fail_at(n);
    assert_int_equal(engine->load(&descriptor, &options, nullptr, nullptr, &model, nullptr), AL_OOM_RAM);
    assert_null(model);
  }
  (void)al_alloc_fail_at(0);
}

/* Runs one decode in a child; true when it died of SIGABRT. */
static bool dies(struct al_engine_model *model, const struct al_text_item *items, size_t n)
{
  pid_t pid = fork();
  if (pid == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){});
    (void)signal(SIGABRT, SIG_DFL);
    if (freopen("/dev/null", "w", stderr) == nullptr)
      _exit(99);
    (void)decode(model, items, n);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void misuse_asserts(void **)
{
  struct al_engine_model *model = loaded((struct al_load_options){ .n_batch = 4, .n_seq_max = 2 });
  const struct al_text_item good[] = {
    { 'a', 0, 0, false }, { 'b', 0, 1, true }, { 'c', 1, 0, true }, { 'd', 2, 0, true }
  };
  assert_false(dies(model, good, 4));
  assert_true(dies(model, good, 0));
  assert_true(dies(model, good, 5));
  assert_true(dies(model, good + 2, 1)); /* a gap: position 1 of an empty sequence */
  const struct al_text_item twice[] = { { 'a', 0, 0, false }, { 'b', 0, 0, true } };
  assert_true(dies(model, twice, 2));
  assert_true(dies(model, &(struct al_text_item){ 'a', 0, 2, true }, 1));
  assert_true(dies(model, &(struct al_text_item){ 'a', 0, -1, true }, 1));
  assert_true(dies(model, &(struct al_text_item){ AL_FAKE_N_VOCAB, 0, 0, true }, 1));
  al_fake_knobs.abort_decode_at = 1;
  assert_true(dies(model, good, 1));
  engine->unload(model);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(tokenizes_bytes_and_specials, reset),
    cmocka_unit_test_setup(describes_itself, reset),
    cmocka_unit_test_setup(says_its_script, reset),
    cmocka_unit_test_setup(batched_equals_alone, reset),
    cmocka_unit_test_setup(a_shared_prefix_is_a_prefix, reset),
    cmocka_unit_test_setup(a_full_cache_changes_nothing, reset),
    cmocka_unit_test_setup(fails_when_told, reset),
    cmocka_unit_test_setup(a_recurrent_model_forgets_all_or_nothing, reset),
    cmocka_unit_test_setup(cancels, reset),
    cmocka_unit_test_setup(a_load_can_be_stopped, reset),
    cmocka_unit_test_setup(a_prompt_says_what_is_said, reset),
    cmocka_unit_test_setup(what_closes_a_text_comes_before_the_rest, reset),
    cmocka_unit_test_setup(adapters_shout_and_do_not_mix, reset),
    cmocka_unit_test_setup(texts_become_rows, reset),
    cmocka_unit_test_setup(pairs_become_scores, reset),
    cmocka_unit_test_setup(a_load_survives_each_failed_allocation, reset),
    cmocka_unit_test_setup(misuse_asserts, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
