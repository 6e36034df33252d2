/* The LlamaEngine on tiny models with random weights (tests/data/make_gguf.py). argv[1]: their directory. */
#include "engine/llama/llama_engine.h"

#include "base/alloc.h"
#include "base/macros.h"
#include "base/thread.h"
#include "os/file.h"
#include "os/machine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_llama;
static char qwen3_path[4096];
static char llama_path[2][4096];

static struct al_model_descriptor describe(char **files, size_t n_files)
{
  static char id[] = "tiny";
  static char runtime[] = "llama_cpp";
  return (struct al_model_descriptor){
    .id = id, .runtime = runtime, .format = AL_FORMAT_GGUF, .files = files, .n_files = n_files
  };
}

static struct al_engine_model *load_files(char **files, size_t n_files, struct al_load_options options)
{
  struct al_model_descriptor descriptor = describe(files, n_files);
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  options.n_threads = 1; /* matrices this small gain nothing from a second thread, which would spin for it */
  if (engine->load(&descriptor, &options, nullptr, nullptr, &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  return model;
}

static struct al_engine_model *load_qwen3(struct al_load_options options)
{
  return load_files((char *[]){ qwen3_path }, 1, options);
}

static struct al_engine_model *load_llama(void)
{
  return load_files((char *[]){ llama_path[0], llama_path[1] }, 2, (struct al_load_options){});
}

static size_t tokenize(const struct al_engine_model *model, const char *text, unsigned flags, int32_t *tokens,
                       size_t capacity)
{
  size_t count = 0;
  assert_int_equal(engine->text->tokenize(model, al_str(text), flags, tokens, capacity, &count, nullptr), AL_OK);
  return count;
}

static size_t detokenize(const struct al_engine_model *model, const int32_t *tokens, size_t n, bool special, char *text)
{
  size_t length = 0;
  for (size_t i = 0; i < n; i++) {
    size_t size = 0;
    engine->text->piece(model, tokens[i], special, text + length, 64, &size);
    length += size;
  }
  text[length] = '\0';
  return length;
}

static enum al_code decode(struct al_engine_model *model, const struct al_text_item *items, size_t n)
{
  return engine->text->decode(model, items, n, nullptr, nullptr);
}

static int32_t best(struct al_engine_model *model, size_t item)
{
  struct al_text_info info;
  engine->text->info(model, &info);
  const float *logits = engine->text->logits(model, item);
  int32_t at = 0;
  for (int32_t i = 0; i < info.n_vocab; i++) {
    assert_true(isfinite(logits[i]));
    at = logits[i] > logits[at] ? i : at;
  }
  return at;
}

constexpr size_t N_PREDICT = 24;

struct talk {
  int32_t sequence;
  const char *prompt;
  int32_t position;
  int32_t said[N_PREDICT];
};

static size_t prompt_items(const struct al_engine_model *model, struct talk *talk, struct al_text_item *items)
{
  int32_t tokens[256];
  size_t n = tokenize(model, talk->prompt, AL_TOKENIZE_BOS | AL_TOKENIZE_SPECIAL, tokens, AL_COUNT(tokens));
  assert_true(n > 0 && n <= AL_COUNT(tokens));
  for (size_t i = 0; i < n; i++)
    items[i] = (struct al_text_item){ tokens[i], talk->position++, talk->sequence, i + 1 == n };
  return n;
}

/* Greedy, all talks in the same batches. */
static void converse(struct al_engine_model *model, struct talk *talks, size_t n_talks)
{
  struct al_text_item items[1024];
  size_t last[8];
  size_t n = 0;
  for (size_t i = 0; i < n_talks; i++) {
    n += prompt_items(model, &talks[i], items + n);
    last[i] = n - 1;
  }
  for (size_t step = 0; step < N_PREDICT; step++) {
    assert_int_equal(decode(model, items, n), AL_OK);
    for (size_t i = 0; i < n_talks; i++) {
      int32_t token = best(model, last[i]);
      talks[i].said[step] = token;
      items[i] = (struct al_text_item){ token, talks[i].position++, talks[i].sequence, true };
      last[i] = i;
    }
    n = n_talks;
  }
}

static void describes_a_qwen3(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){ .n_batch = 128, .n_seq_max = 5 });
  struct al_text_info info;
  engine->text->info(model, &info);
  assert_int_equal(info.n_vocab, 416);
  assert_int_equal(info.n_cells, 4 * 2048);
  assert_int_equal(info.n_ctx, 2048);
  assert_int_equal(info.n_ctx_train, 2048);
  assert_int_equal(info.n_seq_max, 5);
  assert_int_equal(info.n_batch, 128);
  assert_false(info.add_bos);
  assert_non_null(strstr(info.chat_template, "<|im_start|>"));
  assert_string_equal(info.eos_text, "<|im_end|>");
  assert_true(fabsf(info.temperature - 0.6F) < 1e-6F);
  assert_true(fabsf(info.top_p - 0.95F) < 1e-6F);
  assert_int_equal(info.top_k, 20);
  assert_true(info.memory_bytes > 100'000);
  assert_true(engine->text->ends_generation(model, 415));
  assert_false(engine->text->ends_generation(model, 40));
  assert_false(engine->text->ends_generation(model, -1));
  assert_false(engine->text->ends_generation(model, 416));
  engine->unload(model);
}

static void describes_a_split_llama(void **)
{
  struct al_engine_model *model = load_llama();
  struct al_text_info info;
  engine->text->info(model, &info);
  assert_int_equal(info.n_vocab, 448);
  assert_true(info.add_bos);
  assert_null(info.chat_template);
  assert_string_equal(info.bos_text, "<s>");
  assert_string_equal(info.eos_text, "</s>");
  assert_true(isnan(info.temperature) && isnan(info.top_p));
  assert_int_equal(info.top_k, 0);
  assert_true(engine->text->ends_generation(model, 2));
  engine->unload(model);
}

/* Every text comes back from its tokens, whatever its bytes. */
static void tokens_give_the_text_back(void **)
{
  static const char *const texts[] = {
    "",
    "hello world",
    "  two  spaces ",
    "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80",
    "line\n\n\tend\n",
    "0123456789",
    "<|im_start|>as text<|im_end|>",
  };
  struct al_engine_model *model = load_qwen3((struct al_load_options){});
  for (size_t i = 0; i < AL_COUNT(texts); i++) {
    int32_t tokens[256];
    char text[1024];
    size_t n = tokenize(model, texts[i], 0, tokens, AL_COUNT(tokens));
    detokenize(model, tokens, n, false, text);
    assert_string_equal(text, texts[i]);
  }
  int32_t tokens[8];
  assert_int_equal(tokenize(model, "<|im_start|>u", AL_TOKENIZE_SPECIAL, tokens, 8), 2);
  assert_int_equal(tokens[0], 414);
  /* Too little room: the count is whole and nothing else is touched. */
  int32_t three[4] = { -7, -7, -7, -7 };
  size_t n = tokenize(model, "0123456789", 0, three, 3);
  assert_int_equal(n, 10);
  assert_int_equal(three[3], -7);

  char bytes[64];
  size_t size = 9;
  engine->text->piece(model, 414, false, bytes, sizeof bytes, &size);
  assert_int_equal(size, 0);
  engine->text->piece(model, 414, true, bytes, sizeof bytes, &size);
  assert_int_equal(size, strlen("<|im_start|>"));
  engine->text->piece(model, 414, true, bytes, 3, &size); /* no room: says how much it needs */
  assert_int_equal(size, strlen("<|im_start|>"));
  engine->text->piece(model, 4096, true, bytes, sizeof bytes, &size);
  assert_int_equal(size, 0);
  engine->unload(model);
}

/* What is no UTF-8 must not throw through the C interface. */
static void invalid_utf8_does_no_harm(void **)
{
  static const char *const texts[] = { "\xff\xfe",     "a\xc3",   "\xed\xa0\x80", "\xf8\x88\x80\x80\x80",
                                       "\x80\x80\x80", "\xc0\xaf" };
  struct al_engine_model *models[] = { load_qwen3((struct al_load_options){}), load_llama() };
  for (size_t m = 0; m < AL_COUNT(models); m++) {
    for (size_t i = 0; i < AL_COUNT(texts); i++) {
      int32_t tokens[64];
      (void)tokenize(models[m], texts[i], AL_TOKENIZE_BOS, tokens, AL_COUNT(tokens));
    }
    /* Zero bytes are bytes. */
    int32_t tokens[64];
    size_t count = 0;
    assert_int_equal(
        engine->text->tokenize(models[m], al_str_n("a\0b", 3), 0, tokens, AL_COUNT(tokens), &count, nullptr), AL_OK);
    assert_true(count >= 3);
    engine->unload(models[m]);
  }
}

static void batched_equals_alone(void **)
{
  struct al_engine_model *models[] = { load_qwen3((struct al_load_options){}), load_llama() };
  for (size_t m = 0; m < AL_COUNT(models); m++) {
    struct talk together[] = { { .sequence = 0, .prompt = "the one" },
                               { .sequence = 1, .prompt = "a second, longer prompt" },
                               { .sequence = 2, .prompt = "x" },
                               { .sequence = 3, .prompt = "the one" } };
    converse(models[m], together, AL_COUNT(together));
    for (size_t i = 0; i < AL_COUNT(together); i++) {
      assert_true(engine->text->sequence_remove(models[m], together[i].sequence, 0, -1));
      struct talk alone = { .sequence = 9, .prompt = together[i].prompt };
      converse(models[m], &alone, 1);
      assert_memory_equal(alone.said, together[i].said, sizeof alone.said);
      assert_true(engine->text->sequence_remove(models[m], 9, 0, -1));
    }
    assert_memory_equal(together[0].said, together[3].said, sizeof together[0].said);
    assert_memory_not_equal(together[0].said, together[1].said, sizeof together[0].said);
    engine->unload(models[m]);
  }
}

/* A prompt in chunks, cut back and continued, or taken from another sequence: the same logits. */
static void sequences_can_be_cut_and_copied(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){ .n_batch = 8, .n_seq_max = 4 });
  struct talk whole = { .sequence = 0, .prompt = "0123456789" };
  struct al_text_item items[64];
  size_t n = prompt_items(model, &whole, items);
  assert_int_equal(n, 10);
  assert_int_equal(decode(model, items, 8), AL_OK);
  assert_int_equal(decode(model, items + 8, 2), AL_OK);
  int32_t expected = best(model, 1);

  assert_true(engine->text->sequence_remove(model, 0, 5, -1));
  assert_int_equal(decode(model, items + 5, 5), AL_OK);
  assert_int_equal(best(model, 4), expected);

  engine->text->sequence_copy(model, 0, 3, 0, 9);
  items[9].sequence = 3;
  assert_int_equal(decode(model, items + 9, 1), AL_OK);
  assert_int_equal(best(model, 0), expected);
  engine->unload(model);
}

static void a_full_cache_changes_nothing(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){ .n_ctx = 256, .n_batch = 200 });
  struct al_text_info info;
  engine->text->info(model, &info);
  assert_int_equal(info.n_ctx, 256);
  struct al_text_item items[200];
  for (int i = 0; i < 200; i++)
    items[i] = (struct al_text_item){ 40 + i % 50, i, 0, i == 199 };
  assert_int_equal(decode(model, items, 200), AL_OK);
  for (int i = 0; i < 200; i++)
    items[i].sequence = 1;
  struct al_err err = {};
  assert_int_equal(engine->text->decode(model, items, 200, nullptr, &err), AL_OOM_RAM);
  assert_string_equal(err.reason, "kv_full");
  /* Sequence 1 is empty still, sequence 0 whole: both go on from where they were. */
  struct al_text_item next[] = { { 41, 200, 0, true }, { 40, 0, 1, true } };
  assert_int_equal(decode(model, next, 2), AL_OK);
  assert_true(engine->text->sequence_remove(model, 0, 0, -1));
  assert_true(engine->text->sequence_remove(model, 1, 0, -1));
  assert_int_equal(decode(model, items, 200), AL_OK);
  engine->unload(model);
}

static void cancelling_takes_the_step_back(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){ .n_batch = 1024 });
  struct al_cancel *stop = al_cancel_new();
  struct al_text_item items[1024]; /* two of libllama's physical batches */
  for (int i = 0; i < 1024; i++)
    items[i] = (struct al_text_item){ 40 + i % 50, i, 0, i == 1023 };
  al_cancel_fire(stop, AL_TIMEOUT);
  assert_int_equal(engine->text->decode(model, items, 1024, stop, nullptr), AL_CANCELLED);
  assert_int_equal(decode(model, items, 1024), AL_OK); /* from position 0 again */
  al_cancel_unref(stop);
  engine->unload(model);
}

/* Positions that leave a gap are refused by libllama itself, and change nothing. */
static void a_gap_is_refused(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){});
  struct al_text_item item = { 40, 0, 0, true };
  assert_int_equal(decode(model, &item, 1), AL_OK);
  item.position = 0;
  struct al_err err = {};
  assert_int_equal(engine->text->decode(model, &item, 1, nullptr, &err), AL_INTERNAL);
  assert_true(strlen(err.message) > 10);
  item.position = 1;
  item.token = 100'000;
  assert_int_equal(decode(model, &item, 1), AL_INTERNAL);
  item.token = 41;
  assert_int_equal(decode(model, &item, 1), AL_OK);
  engine->unload(model);
}

/* Logits for every item of a full batch, not only one a sequence. */
static void all_items_may_want_logits(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){ .n_batch = 600 });
  struct al_text_item items[600];
  for (int i = 0; i < 600; i++)
    items[i] = (struct al_text_item){ 40 + i % 50, i, 2, true };
  assert_int_equal(decode(model, items, 600), AL_OK);
  int32_t early = best(model, 3);
  assert_true(best(model, 599) >= 0);
  assert_true(engine->text->sequence_remove(model, 2, 0, -1));
  assert_int_equal(decode(model, items, 4), AL_OK);
  assert_int_equal(best(model, 3), early);
  engine->unload(model);
}

/* libllama aborts when a batch cannot hold one token of each sequence: the plan sees to it. */
static void a_batch_holds_a_token_of_each_sequence(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){ .n_batch = 1, .n_seq_max = 40 });
  struct al_text_info info;
  engine->text->info(model, &info);
  assert_true(info.n_batch >= info.n_seq_max && info.n_seq_max == 40);
  struct al_text_item items[40];
  for (int i = 0; i < 40; i++)
    items[i] = (struct al_text_item){ 40 + i, 0, i, true };
  assert_int_equal(decode(model, items, 40), AL_OK);
  assert_true(best(model, 39) >= 0);
  engine->unload(model);
}

static void every_kv_type_runs(void **)
{
  static const enum al_kv_type types[] = { AL_KV_F32, AL_KV_F16, AL_KV_Q8_0 };
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    struct al_engine_model *model = load_qwen3((struct al_load_options){ .kv_type = types[i], .n_ctx = 512 });
    struct talk talk = { .prompt = "hello there" };
    converse(model, &talk, 1);
    engine->unload(model);
  }
}

struct watch {
  float last;
  float stop_at;
  int n_calls;
};

static bool watch_progress(void *user, float fraction)
{
  struct watch *watch = user;
  assert_true(fraction >= watch->last && fraction <= 1.0F);
  watch->last = fraction;
  watch->n_calls++;
  return fraction < watch->stop_at;
}

static void a_load_reports_and_stops(void **)
{
  char *files[] = { qwen3_path };
  struct al_model_descriptor descriptor = describe(files, 1);
  struct al_load_options options = {};
  struct al_engine_model *model = nullptr;
  struct watch watch = { .stop_at = 2.0F };
  assert_int_equal(engine->load(&descriptor, &options, watch_progress, &watch, &model, nullptr), AL_OK);
  assert_true(watch.last == 1.0F);
  assert_true(watch.n_calls > 2);
  engine->unload(model);

  model = nullptr;
  watch = (struct watch){ .stop_at = 0.3F };
  struct al_err err = {};
  assert_int_equal(engine->load(&descriptor, &options, watch_progress, &watch, &model, &err), AL_CANCELLED);
  assert_null(model);
}

static void wrong_files_are_named(void **)
{
  char missing[] = "/nowhere/at-all.gguf";
  char directory[] = "/tmp";
  struct {
    char *path;
    enum al_code code;
    const char *word;
  } cases[] = {
    { missing, AL_NOT_FOUND, "at-all.gguf" },
    { directory, AL_MODEL_CORRUPT, "tmp" },
    { llama_path[1], AL_MODEL_CORRUPT, "tiny-llama-00002" }, /* a part that is not the first */
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_model_descriptor descriptor = describe(&cases[i].path, 1);
    struct al_load_options options = {};
    struct al_engine_model *model = nullptr;
    struct al_err err = {};
    enum al_code code = engine->load(&descriptor, &options, nullptr, nullptr, &model, &err);
    if (code != cases[i].code || strstr(err.message, cases[i].word) == nullptr)
      fail_msg("%s: %s %s", cases[i].path, al_code_name(code), err.message);
    assert_null(model);
  }
  struct al_model_descriptor nothing = describe(nullptr, 0);
  assert_int_equal(engine->supports(&nothing, nullptr), AL_UNSUPPORTED);
}

static void each_failed_allocation_is_an_error(void **)
{
  char *files[] = { qwen3_path };
  struct al_model_descriptor descriptor = describe(files, 1);
  struct al_load_options options = { .n_threads = 1, .n_ctx = 256 };
  struct al_engine_model *model = nullptr;
  (void)al_alloc_fail_at(SIZE_MAX);
  assert_int_equal(engine->load(&descriptor, &options, nullptr, nullptr, &model, nullptr), AL_OK);
  engine->unload(model);
  size_t n_allocations = al_alloc_fail_at(0);
  assert_true(n_allocations >= 8);
  for (size_t n = 1; n <= n_allocations; n++) {
    model = nullptr;
    struct al_err err = {};
    (void)al_alloc_fail_at(n);
    assert_int_equal(engine->load(&descriptor, &options, nullptr, nullptr, &model, &err), AL_OOM_RAM);
    assert_null(model);
  }
  (void)al_alloc_fail_at(0);
}

struct reader {
  const struct al_engine_model *model;
  int n_right;
};

static void read_while_loaded(void *user)
{
  struct reader *reader = user;
  for (int i = 0; i < 200; i++) {
    int32_t tokens[64];
    char text[256];
    size_t n = tokenize(reader->model, "any thread may", 0, tokens, AL_COUNT(tokens));
    detokenize(reader->model, tokens, n, false, text);
    reader->n_right += strcmp(text, "any thread may") == 0;
  }
}

static void any_thread_may_tokenize_during_a_decode(void **)
{
  struct al_engine_model *model = load_qwen3((struct al_load_options){});
  struct reader readers[2] = { { .model = model }, { .model = model } };
  struct al_thread threads[2] = {};
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(al_thread_start(&threads[i], "reader", read_while_loaded, &readers[i], nullptr), AL_OK);
  struct talk talk = { .prompt = "meanwhile" };
  converse(model, &talk, 1);
  for (size_t i = 0; i < 2; i++) {
    al_thread_join(&threads[i]);
    assert_int_equal(readers[i].n_right, 200);
  }
  engine->unload(model);
}

/* ASan keeps freed memory back to catch its use: there the leak check answers this question. */
static bool keeps_freed_memory(void)
{
#if defined(__SANITIZE_ADDRESS__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return true;
#endif
#endif
  return false;
}

/* The lowest figure seen after an unload: allocators give back in jumps. */
static uint64_t lowest_pss_of_loads(int n)
{
  uint64_t lowest = UINT64_MAX;
  for (int i = 0; i < n; i++) {
    struct al_engine_model *model = load_qwen3((struct al_load_options){});
    struct talk talk = { .prompt = "again" };
    converse(model, &talk, 1);
    engine->unload(model);
    uint64_t now = al_process_pss_bytes((int)getpid());
    lowest = now < lowest ? now : lowest;
  }
  return lowest;
}

static void unloading_gives_memory_back(void **)
{
  if (keeps_freed_memory())
    skip();
  uint64_t first = lowest_pss_of_loads(10);
  uint64_t last = lowest_pss_of_loads(20);
  print_message("PSS after 10 loads %.1f MB, after 30 %.1f MB\n", (double)first / 1e6, (double)last / 1e6);
  assert_true(last < first + (2U << 20));
}

int main(int argc, char **argv)
{
  if (argc < 2)
    return 2;
  (void)snprintf(qwen3_path, sizeof qwen3_path, "%s/tiny-qwen3.gguf", argv[1]);
  for (int i = 0; i < 2; i++)
    (void)snprintf(llama_path[i], sizeof llama_path[i], "%s/tiny-llama-0000%d-of-00002.gguf", argv[1], i + 1);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(describes_a_qwen3),
    cmocka_unit_test(describes_a_split_llama),
    cmocka_unit_test(tokens_give_the_text_back),
    cmocka_unit_test(invalid_utf8_does_no_harm),
    cmocka_unit_test(batched_equals_alone),
    cmocka_unit_test(sequences_can_be_cut_and_copied),
    cmocka_unit_test(a_full_cache_changes_nothing),
    cmocka_unit_test(cancelling_takes_the_step_back),
    cmocka_unit_test(a_gap_is_refused),
    cmocka_unit_test(all_items_may_want_logits),
    cmocka_unit_test(a_batch_holds_a_token_of_each_sequence),
    cmocka_unit_test(every_kv_type_runs),
    cmocka_unit_test(a_load_reports_and_stops),
    cmocka_unit_test(wrong_files_are_named),
    cmocka_unit_test(each_failed_allocation_is_an_error),
    cmocka_unit_test(any_thread_may_tokenize_during_a_decode),
    cmocka_unit_test(unloading_gives_memory_back),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
