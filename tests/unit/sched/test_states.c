/* Models that cannot forget at will, real ones: a recurrent state (Nemotron-H) goes as a whole, a window keeps no more
 * than it needs. Whatever is cached, cancelled or at once, the text is that of the prompt alone. */
#include "base/alloc.h"
#include "engine/safetensors/safetensors_engine.h"
#include "kit.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { N_MODELS = 2, N_TOKENS = 40, N_AT_ONCE = 8 };

static const char *data; /* tests/data/safetensors */
static const char *const models[N_MODELS] = { "nemotron-latent", "mistral-window" };
/* Longer than the window. */
static const char prefix[] = "The beginning that all of these prompts have in common is longer than any window: ";

static void open_model(struct kit *kit, const char *name, int n_ctx, int n_seq_max)
{
  char directory[PATH_MAX];
  (void)snprintf(directory, sizeof directory, "%s/%s", data, name);
  struct al_model_descriptor descriptor = { .directory = directory, .format = AL_FORMAT_SAFETENSORS };
  struct al_load_options options = {
    .n_ctx = n_ctx, .n_batch = 64, .n_seq_max = n_seq_max, .n_threads = 1, .kv_type = AL_KV_F32, .quant = "f32"
  };
  struct al_err err = {};
  if (al_engine_safetensors.load(&descriptor, &options, nullptr, nullptr, &kit->model, &err) != AL_OK)
    fail_msg("%s", err.message);
  struct al_scheduler_options scheduler = { .ops = al_engine_safetensors.text, .model = kit->model, .max_waiting = 64 };
  assert_int_equal(al_scheduler_start(&scheduler, &kit->scheduler, &err), AL_OK);
}

static void close_model(struct kit *kit)
{
  al_scheduler_free(kit->scheduler);
  al_engine_safetensors.unload(kit->model);
}

static void start(struct kit *kit, struct client *client, const char *ending, int64_t n_tokens)
{
  char prompt[512];
  (void)snprintf(prompt, sizeof prompt, "%s%s", prefix, ending);
  struct al_generation generation = client_generation(client, prompt, n_tokens);
  generation.ignore_eos = true;
  struct al_err err = {};
  if (al_scheduler_submit(kit->scheduler, &generation, &err) != AL_OK)
    fail_msg("%s", err.message);
}

struct tokens {
  int32_t at[N_TOKENS];
};

static struct tokens tokens_of(const struct client *client)
{
  struct tokens tokens;
  assert_int_equal(client->n_tokens, N_TOKENS);
  for (int i = 0; i < N_TOKENS; i++)
    tokens.at[i] = client->seen[i].token;
  return tokens;
}

/* Returns how many tokens came from the cache. */
static int ask(struct kit *kit, const char *ending, struct tokens *tokens)
{
  struct client client;
  client_init(&client);
  start(kit, &client, ending, N_TOKENS);
  client_wait(&client);
  *tokens = tokens_of(&client);
  int n_cached = client.result.n_cached;
  client_done(&client);
  return n_cached;
}

static struct tokens alone(const char *model, const char *ending)
{
  struct kit kit = {};
  struct tokens tokens;
  open_model(&kit, model, 512, 1);
  assert_int_equal(ask(&kit, ending, &tokens), 0);
  close_model(&kit);
  return tokens;
}

static void check(struct kit *kit, const char *model, const char *ending)
{
  struct tokens tokens;
  (void)ask(kit, ending, &tokens);
  struct tokens want = alone(model, ending);
  assert_memory_equal(&tokens, &want, sizeof want);
}

static void a_shared_beginning_changes_nothing(void **)
{
  for (int m = 0; m < N_MODELS; m++) {
    struct kit kit = {};
    open_model(&kit, models[m], 512, 4);
    check(&kit, models[m], "one");
    check(&kit, models[m], "another one");
    check(&kit, models[m], "one");
    check(&kit, models[m], "one, and more");
    check(&kit, models[m], "");
    close_model(&kit);
  }
}

/* What was generated is in the cache too: a prompt that goes on from there continues it. */
static void a_whole_sequence_is_continued(void **)
{
  for (int m = 0; m < N_MODELS; m++) {
    struct kit kit = {};
    struct client client;
    char ending[256] = "go on";
    open_model(&kit, models[m], 512, 4);
    client_init(&client);
    start(&kit, &client, ending, 1);
    client_wait(&client);
    client_done(&client);
    (void)snprintf(ending, sizeof ending, "go on and on");
    struct tokens tokens;
    int n_cached = ask(&kit, ending, &tokens);
    assert_true(n_cached >= (int)strlen(prefix)); /* of Nemotron too: the sequence before is a whole beginning */
    struct tokens want = alone(models[m], ending);
    assert_memory_equal(&tokens, &want, sizeof want);
    close_model(&kit);
  }
}

static void a_cancelled_request_leaves_nothing_wrong(void **)
{
  for (int m = 0; m < N_MODELS; m++) {
    struct kit kit = {};
    open_model(&kit, models[m], 512, 2);
    for (int at = 1; at <= 21; at += 5) {
      struct client client;
      client_init(&client);
      client.cancel_at = at;
      start(&kit, &client, "cancelled", 0);
      client_wait(&client);
      assert_int_equal(client.result.end, AL_END_FAILED);
      assert_int_equal(client.result.err.code, AL_CANCELLED);
      client_done(&client);
    }
    check(&kit, models[m], "cancelled");
    check(&kit, models[m], "cancelled at last");
    close_model(&kit);
  }
}

static void eight_at_once_are_each_as_alone(void **)
{
  static const char *const endings[N_AT_ONCE] = { "one",   "two, which is longer",   "three", "", "five", "one",
                                                  "seven", "the eighth and last one" };
  for (int m = 0; m < N_MODELS; m++) {
    struct kit kit = {};
    struct client clients[N_AT_ONCE];
    open_model(&kit, models[m], 2048, N_AT_ONCE);
    for (int i = 0; i < N_AT_ONCE; i++) {
      client_init(&clients[i]);
      start(&kit, &clients[i], endings[i], N_TOKENS);
    }
    for (int i = 0; i < N_AT_ONCE; i++)
      client_wait(&clients[i]);
    close_model(&kit);
    for (int i = 0; i < N_AT_ONCE; i++) {
      struct tokens tokens = tokens_of(&clients[i]);
      struct tokens want = alone(models[m], endings[i]);
      assert_memory_equal(&tokens, &want, sizeof want);
      client_done(&clients[i]);
    }
  }
}

/* So few cells that sequences are evicted, and that what has left the window is overwritten. */
static void a_full_cache_changes_nothing(void **)
{
  for (int m = 0; m < N_MODELS; m++) {
    struct kit kit = {};
    char ending[64];
    open_model(&kit, models[m], 320, 4);
    for (int i = 0; i < 12; i++) {
      (void)snprintf(ending, sizeof ending, "%.*s %d", i % 3 * 8, "some words between here", i % 4);
      check(&kit, models[m], ending);
    }
    close_model(&kit);
  }
}

static bool holds_nothing(const struct al_engine_model *, int32_t, int32_t)
{
  return false;
}

static int n_cached_second(bool holds)
{
  struct kit kit = { .ops = *al_engine_fake.text };
  int n_cached = 0;
  if (!holds)
    kit.ops.sequence_holds = holds_nothing;
  kit_open(&kit, 0, 0, 4);
  for (int i = 0; i < 2; i++) {
    struct client client;
    client_init(&client);
    client_submit(&kit, &client, i == 0 ? prefix : "The beginning that all of these prompts do not have in common", 5);
    client_wait(&client);
    n_cached = client.result.n_cached;
    client_done(&client);
  }
  kit_close(&kit);
  return n_cached;
}

static void what_an_engine_no_longer_holds_is_not_taken(void **)
{
  assert_true(n_cached_second(true) > 20);
  assert_int_equal(n_cached_second(false), 0);
}

int main(int argc, char **argv)
{
  if (argc < 2)
    return 2;
  data = argv[1];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_shared_beginning_changes_nothing),
    cmocka_unit_test(a_whole_sequence_is_continued),
    cmocka_unit_test(a_cancelled_request_leaves_nothing_wrong),
    cmocka_unit_test(eight_at_once_are_each_as_alone),
    cmocka_unit_test(a_full_cache_changes_nothing),
    cmocka_unit_test(what_an_engine_no_longer_holds_is_not_taken),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
