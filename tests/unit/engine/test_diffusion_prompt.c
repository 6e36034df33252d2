/* Weights in prompts, and what a prompt becomes as chunks of tokens. */
#include "engine/diffusion/prompt.h"
#include "engine/diffusion/token_chunks.h"

#include <assert.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *data;

/* "word*1.1 |other*1" : each run with its weight, "|" where a BREAK is. */
static void reads(const char *text, const char *expected)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(1 << 20);
  struct al_prompt prompt;
  struct al_err err = {};
  if (al_prompt_parse(al_str(text), arena, &prompt, &err) != AL_OK)
    fail_msg("%s: %s", text, err.message);
  char got[500] = "";
  size_t at = 0;
  for (size_t i = 0; i < prompt.n; i++) {
    const struct al_prompt_run *run = &prompt.runs[i];
    if (run->breaks)
      at += (size_t)snprintf(got + at, sizeof got - at, "{|}");
    else
      at += (size_t)snprintf(got + at, sizeof got - at, "{%.*s}%.4g", (int)run->text.size, run->text.data,
                             (double)run->weight);
  }
  assert_string_equal(got, expected);
}

static void weights_are_read(void **)
{
  reads("", "");
  reads("a cat", "{a cat}1");
  reads("a (cat)", "{a }1{cat}1.1");
  reads("((cat))", "{cat}1.21");
  reads("[cat]", "{cat}0.9091");
  reads("a (cat:1.3) b", "{a }1{cat}1.3{ b}1");
  reads("(cat: 0.5 )", "{cat}0.5");
  reads("(a (b:2):0.5)", "{a }0.5{b}1");
  reads("(cat:-1)", "{cat}-1");
  reads("(a [b] c)", "{a }1.1{b}1{ c}1.1");
}

static void everything_else_is_text(void **)
{
  reads("\\(cat\\)", "{(cat)}1");
  reads("\\[a\\] \\\\", "{[a] \\}1");
  reads("\\n", "{\\n}1");
  reads("a) b]", "{a) b]}1");
  reads("cat:1.3", "{cat:1.3}1");
  reads("(cat:dog)", "{cat:dog}1.1");
  reads("[cat:1.3]", "{cat:1.3}0.9091");
  reads("(cat", "{cat}1.1");
  reads("((cat:1.5)", "{cat}1.65");
  reads("(:1.3)", "");
  reads("ratio 16:9 (x:1.2.3)", "{ratio 16:9 }1{x:1.2.3}1.1");
}

static void breaks_are_found(void **)
{
  reads("a BREAK b", "{a }1{|}{ b}1");
  reads("BREAK", "{|}");
  reads("a BREAKFAST UNBREAK break", "{a BREAKFAST UNBREAK break}1");
  reads("(a BREAK b:2)", "{a }2{|}{ b}2");
}

static void refuses(const char *text, size_t size, const char *needle)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(64 << 20);
  struct al_prompt prompt;
  struct al_err err = {};
  assert_int_equal(al_prompt_parse(al_str_n(text, size), arena, &prompt, &err), AL_INVALID_REQUEST);
  if (strstr(err.message, needle) == nullptr)
    fail_msg("%s", err.message);
}

static void hostile_prompts_are_refused(void **)
{
  refuses("(cat:11)", 8, "a weight of 11");
  refuses("((cat:9):9)", 11, "a weight of 81");
  char *deep = calloc(1, AL_PROMPT_MAX_BYTES + 2);
  memset(deep, '(', AL_PROMPT_MAX_BYTES + 1);
  refuses(deep, 65, "deep");
  refuses(deep, AL_PROMPT_MAX_BYTES + 1, "bytes");
  free(deep);
}

static struct al_clip_tokenizer *open_tokenizer(void)
{
  struct al_clip_tokenizer *tokenizer = nullptr;
  struct al_err err = {};
  if (al_clip_tokenizer_open(data, "tokenizer", &tokenizer, &err) != AL_OK)
    fail_msg("%s", err.message);
  return tokenizer;
}

static void chunks_are_filled(void **)
{
  AL_CLEANUP(al_clip_tokenizer_free_p) struct al_clip_tokenizer *tokenizer = open_tokenizer();
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(64 << 20);
  struct al_token_chunks chunks;
  assert_int_equal(al_token_chunks_make(tokenizer, al_str(""), 77, arena, &chunks, nullptr), AL_OK);
  assert_int_equal(chunks.n, 1);
  assert_int_equal(chunks.tokens[0], al_clip_tokenizer_begin(tokenizer));
  assert_int_equal(chunks.ends[0], 1);
  for (int i = 1; i < 77; i++)
    assert_int_equal(chunks.tokens[i], al_clip_tokenizer_end(tokenizer));
  assert_false(chunks.is_weighted);

  /* 76 one-token words: one more than a chunk takes. */
  char text[200];
  for (int i = 0; i < 76; i++)
    memcpy(text + 2 * i, i < 75 ? "! " : "?", 2);
  assert_int_equal(al_token_chunks_make(tokenizer, al_str(text), 77, arena, &chunks, nullptr), AL_OK);
  assert_int_equal(chunks.n, 2);
  assert_int_equal(chunks.ends[0], 76);
  assert_int_equal(chunks.ends[1], 2);
  assert_int_not_equal(chunks.tokens[77 + 1], chunks.tokens[75]);

  assert_int_equal(al_token_chunks_make(tokenizer, al_str("a BREAK (b:1.5)"), 77, arena, &chunks, nullptr), AL_OK);
  assert_int_equal(chunks.n, 2);
  assert_true(chunks.is_weighted);
  assert_float_equal(chunks.weights[77 + 1], 1.5, 1e-6);
  assert_float_equal(chunks.weights[77], 1, 1e-6);
  al_token_chunks_pad(&chunks, tokenizer, 4);
  assert_int_equal(chunks.n, 4);
  assert_int_equal(chunks.ends[3], 1);
}

static void too_many_tokens_are_refused(void **)
{
  AL_CLEANUP(al_clip_tokenizer_free_p) struct al_clip_tokenizer *tokenizer = open_tokenizer();
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(64 << 20);
  struct al_token_chunks chunks;
  struct al_err err = {};
  static char text[4 * 16 * 75];
  for (size_t i = 0; i + 2 < sizeof text; i += 2)
    memcpy(text + i, "! ", 2);
  assert_int_equal(al_token_chunks_make(tokenizer, al_str(text), 77, arena, &chunks, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "more than 1200 tokens"));
  static char breaks[6 * 40];
  for (size_t i = 0; i + 6 < sizeof breaks; i += 6)
    memcpy(breaks + i, "BREAK ", 6);
  assert_int_equal(al_token_chunks_make(tokenizer, al_str(breaks), 77, arena, &chunks, &err), AL_INVALID_REQUEST);
}

static void texts_are_normalised(void **)
{
  AL_CLEANUP(al_clip_tokenizer_free_p) struct al_clip_tokenizer *tokenizer = open_tokenizer();
  static const char *const same[][2] = { { "A CAT", "a cat" }, { "  a\n\tcat ", "a cat" }, { "\u00c9", "e\u0301" } };
  for (size_t i = 0; i < AL_COUNT(same); i++) {
    int32_t a[50], b[50];
    size_t n_a, n_b;
    assert_int_equal(al_clip_tokenizer_encode(tokenizer, al_str(same[i][0]), a, 50, &n_a, nullptr), AL_OK);
    assert_int_equal(al_clip_tokenizer_encode(tokenizer, al_str(same[i][1]), b, 50, &n_b, nullptr), AL_OK);
    assert_true(n_a > 0);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a * sizeof *a);
  }
  size_t count;
  assert_int_equal(al_clip_tokenizer_encode(tokenizer, al_str("\xff"), nullptr, 0, &count, nullptr),
                   AL_INVALID_REQUEST);
}

int main(int argc, char **argv)
{
  static char path[4096];
  assert(argc > 1);
  (void)snprintf(path, sizeof path, "%s/sd1", argv[1]);
  data = path;
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(weights_are_read),     cmocka_unit_test(everything_else_is_text),
    cmocka_unit_test(breaks_are_found),     cmocka_unit_test(hostile_prompts_are_refused),
    cmocka_unit_test(chunks_are_filled),    cmocka_unit_test(too_many_tokens_are_refused),
    cmocka_unit_test(texts_are_normalised),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
