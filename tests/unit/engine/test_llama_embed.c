/* Embeddings and scores: a chat model's second context (tests/data/gguf), a reranker and an encoder's tokenizer
 * (tests/data/safetensors, against what transformers computed). argv: both directories. */
#include "base/alloc.h"
#include "base/cancel.h"
#include "codec/json.h"
#include "engine/llama/llama_engine.h"
#include "engine/llama/runner.h"
#include "engine/safetensors/safetensors_engine.h"
#include "os/file.h"
#include "safetensors_kit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *ggufs;
static const char *directories;

static void unload(struct al_engine_model **model)
{
  al_engine_llama.unload(*model);
}

static struct al_engine_model *load_chat(void)
{
  char path[PATH_MAX];
  assert_int_equal(al_path_join(path, sizeof path, ggufs, "tiny-qwen3.gguf", nullptr), AL_OK);
  char *files[] = { path };
  const struct al_model_descriptor descriptor = { .files = files, .n_files = 1, .format = AL_FORMAT_GGUF };
  const struct al_load_options options = { .n_ctx = 256, .n_batch = 64, .n_seq_max = 4, .n_threads = 1 };
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  if (al_engine_llama.load(&descriptor, &options, nullptr, nullptr, &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  return model;
}

static struct al_engine_model *load_ranker(void)
{
  char path[PATH_MAX];
  assert_int_equal(al_path_join(path, sizeof path, directories, "bert-rank", nullptr), AL_OK);
  const struct al_model_descriptor descriptor = { .directory = path, .format = AL_FORMAT_SAFETENSORS };
  const struct al_load_options options = { .n_threads = 1, .kv_type = AL_KV_F32 };
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  if (al_engine_safetensors.load(&descriptor, &options, nullptr, nullptr, &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  return model;
}

static const struct al_text_ops *const ops = &al_llama_text_ops;

static size_t add_text(struct al_text_item *items, size_t n, int32_t sequence, int32_t first, int32_t size)
{
  for (int32_t i = 0; i < size; i++)
    items[n++] = (struct al_text_item){ .token = first + i, .position = i, .sequence = sequence };
  return n;
}

static float difference(const float *a, const float *b, int n)
{
  float most = 0;
  for (int i = 0; i < n; i++)
    most = fmaxf(most, fabsf(a[i] - b[i]));
  return most;
}

static void a_chat_model_embeds_too(void **)
{
  AL_CLEANUP(unload) struct al_engine_model *model = load_chat();
  struct al_text_info info;
  ops->info(model, &info);
  assert_true(info.generates);
  assert_int_equal(info.pooling, AL_POOLING_MEAN);
  assert_int_equal(info.n_embd, 64);
  assert_true(info.fim_prefix == -1 && info.fim_suffix == -1 && info.fim_middle == -1);
  uint64_t before = info.memory_bytes;
  struct al_text_item items[64];
  float together[2 * 64];
  float alone[64];
  size_t n = add_text(items, 0, 2, 10, 20); /* rows come in the order of appearance, not of numbers */
  n = add_text(items, n, 0, 60, 7);
  assert_int_equal(ops->embed(model, items, n, together, nullptr, nullptr), AL_OK);
  n = add_text(items, 0, 3, 10, 20);
  assert_int_equal(ops->embed(model, items, n, alone, nullptr, nullptr), AL_OK);
  assert_true(difference(together, alone, 64) < 1e-2F);
  n = add_text(items, 0, 0, 60, 7);
  assert_int_equal(ops->embed(model, items, n, alone, nullptr, nullptr), AL_OK);
  assert_true(difference(together + 64, alone, 64) < 1e-2F);
  assert_true(difference(together, together + 64, 64) > 0.1F);
  ops->info(model, &info);
  assert_true(info.memory_bytes > before);
}

static void embedding_leaves_sequences_alone(void **)
{
  AL_CLEANUP(unload) struct al_engine_model *model = load_chat();
  struct al_text_info info;
  ops->info(model, &info);
  AL_CLEANUP(al_free_p) float *want = al_calloc((size_t)info.n_vocab, sizeof *want);
  struct al_text_item items[64];
  float row[64];
  for (int round = 0; round < 2; round++) {
    size_t n = add_text(items, 0, 0, 10, 8);
    assert_int_equal(ops->decode(model, items, n, nullptr, nullptr), AL_OK);
    n = add_text(items, 0, 0, 30, 12);
    if (round == 1)
      assert_int_equal(ops->embed(model, items, n, row, nullptr, nullptr), AL_OK);
    items[0] = (struct al_text_item){ .token = 5, .position = 8, .wants_logits = true };
    assert_int_equal(ops->decode(model, items, 1, nullptr, nullptr), AL_OK);
    if (round == 0)
      memcpy(want, ops->logits(model, 0), (size_t)info.n_vocab * sizeof *want);
    else
      assert_true(difference(want, ops->logits(model, 0), info.n_vocab) == 0.0F);
    assert_true(ops->sequence_remove(model, 0, 0, -1));
  }
}

static void what_cannot_be_embedded_is_refused(void **)
{
  AL_CLEANUP(unload) struct al_engine_model *model = load_chat();
  struct al_text_item items[64];
  float row[64];
  struct al_err err = {};
  size_t n = add_text(items, 0, 0, 10, 4);
  items[3].position = 64;
  assert_int_equal(ops->embed(model, items, n, row, nullptr, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "more than 64 tokens"));
  items[3].position = 3;
  items[2].token = 416;
  assert_int_equal(ops->embed(model, items, n, row, nullptr, &err), AL_INVALID_REQUEST);
  items[2].token = 12;
  struct al_cancel *stop = al_cancel_new();
  al_cancel_fire(stop, AL_CANCELLED);
  assert_int_equal(ops->embed(model, items, n, row, stop, &err), AL_CANCELLED);
  al_cancel_unref(stop);
  assert_int_equal(ops->embed(model, items, n, row, nullptr, &err), AL_OK);
  int32_t tokens[8];
  size_t count;
  assert_int_equal(ops->tokenize_pair(model, al_str("a"), al_str("b"), tokens, 8, &count, &err), AL_UNSUPPORTED);
}

static void a_reranker_scores_like_transformers(void **)
{
  AL_CLEANUP(unload) struct al_engine_model *model = load_ranker();
  struct al_text_info info;
  ops->info(model, &info);
  assert_false(info.generates);
  assert_int_equal(info.pooling, AL_POOLING_RANK);
  assert_int_equal(info.n_embd, 1);
  assert_int_equal(info.n_ctx, 64);
  assert_true(info.n_batch >= info.n_ctx);
  struct kit kit;
  (void)snprintf(kit.directory, sizeof kit.directory, "%s", directories);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  kit_read(&kit, "expected.json", &text);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  assert_int_equal(al_json_parse(al_buf_view(&text), &doc, nullptr), AL_OK);
  const struct al_json *want = al_json_get(al_json_root(doc), "bert-rank");
  struct al_json_iter pairs = al_json_iter(al_json_get(want, "pairs"));
  assert_true(al_json_count(al_json_get(want, "pairs")) > 0);
  while (al_json_next(&pairs)) {
    int32_t tokens[64];
    size_t n = 0;
    assert_int_equal(ops->tokenize_pair(model, al_json_str(al_json_at(pairs.value, 0)),
                                        al_json_str(al_json_at(pairs.value, 1)), tokens, 64, &n, nullptr),
                     AL_OK);
    const struct al_json *ids = al_json_at(al_json_get(want, "tokens"), pairs.index);
    assert_int_equal(n, al_json_count(ids));
    struct al_text_item items[64];
    for (size_t i = 0; i < n; i++) {
      assert_int_equal(tokens[i], al_json_int(al_json_at(ids, i), -1));
      items[i] = (struct al_text_item){ .token = tokens[i], .position = (int32_t)i };
    }
    float score;
    assert_int_equal(ops->embed(model, items, n, &score, nullptr, nullptr), AL_OK);
    double wanted = al_json_real(al_json_at(al_json_get(want, "scores"), pairs.index), NAN);
    assert_true(fabs((double)score - wanted) < 5e-3);
  }
}

/* Without a cache, and as much as the load then takes. */
static void an_encoder_is_measured(void **)
{
  char path[PATH_MAX];
  assert_int_equal(al_path_join(path, sizeof path, directories, "bert-rank", nullptr), AL_OK);
  const struct al_model_descriptor descriptor = { .directory = path, .format = AL_FORMAT_SAFETENSORS };
  const struct al_load_options options = { .n_threads = 1, .kv_type = AL_KV_F32, .n_gpu_layers = 0 };
  struct al_memory_estimate estimate = {};
  assert_int_equal(al_engine_safetensors.preflight(&descriptor, &options, &estimate, nullptr), AL_OK);
  assert_int_equal(estimate.kv_ram_bytes, 0);
  assert_true(estimate.compute_ram_bytes > 0 && estimate.weights_ram_bytes > 0);
  AL_CLEANUP(unload) struct al_engine_model *model = load_ranker();
  struct al_text_info info;
  ops->info(model, &info);
  uint64_t estimated = estimate.weights_ram_bytes + estimate.compute_ram_bytes;
  uint64_t apart = estimated > info.memory_bytes ? estimated - info.memory_bytes : info.memory_bytes - estimated;
  assert_true(apart < 256 << 10);
}

static size_t count_tokens(const struct al_engine_model *model, struct al_str text, unsigned flags, int32_t *tokens,
                           size_t capacity)
{
  size_t n = 0;
  assert_int_equal(ops->tokenize(model, text, flags, tokens, capacity, &n, nullptr), AL_OK);
  return n;
}

static void pieces_of_words_follow_bert(void **)
{
  AL_CLEANUP(unload) struct al_engine_model *model = load_ranker();
  int32_t a[256];
  int32_t b[256];
  size_t n = count_tokens(model, al_str("Te\xcc\x81sT"), 0, a, 256); /* an accent as a character of its own */
  assert_int_equal(count_tokens(model, al_str("test"), 0, b, 256), n);
  assert_memory_equal(a, b, n * sizeof *a);
  assert_int_equal(count_tokens(model, al_str("a\xef\xbf\xbd\x01\xff\xe2\x80\x8b"), 0, a, 256), 1); /* all but a go */
  assert_int_equal(count_tokens(model, al_str(""), 0, a, 256), 0);
  assert_int_equal(count_tokens(model, al_str(""), AL_TOKENIZE_BOS, a, 256), 2);
  assert_int_equal(count_tokens(model, al_str("[MASK]"), AL_TOKENIZE_SPECIAL, a, 256), 1);
  assert_int_equal(a[0], 4);
  assert_true(count_tokens(model, al_str("[MASK]"), 0, a, 256) > 2);
  char word[102];
  memset(word, 'a', sizeof word);
  assert_true(count_tokens(model, al_str_n(word, 100), 0, a, 256) > 1);
  assert_int_equal(count_tokens(model, al_str_n(word, 101), 0, a, 256), 1);
  assert_int_equal(a[0], 1);                                          /* longer than a word may be: unknown */
  assert_int_equal(count_tokens(model, al_str("a a a"), 0, a, 1), 3); /* what has no room is counted */
}

int main(int argc, char **argv)
{
  assert_true(argc == 3);
  ggufs = argv[1];
  directories = argv[2];
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_chat_model_embeds_too),
    cmocka_unit_test(embedding_leaves_sequences_alone),
    cmocka_unit_test(what_cannot_be_embedded_is_refused),
    cmocka_unit_test(a_reranker_scores_like_transformers),
    cmocka_unit_test(an_encoder_is_measured),
    cmocka_unit_test(pieces_of_words_follow_bert),
  };
  return cmocka_run_group_tests_name("engine/embed", tests, nullptr, nullptr);
}
