/* Merging bytes by a small vocabulary, and YaRN's bounds. */
#include "engine/llama/bpe.h"
#include "engine/llama/yarn.h"

#include "base/alloc.h"
#include "base/macros.h"
#include "codec/utf8.h"

#include <ggml.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

constexpr size_t N_BYTES = 256;
#define SPACE "\xc4\xa0" /* in the alphabet of bytes */
static const char *const merged[] = { "ab", "bc", "abc", SPACE "a", "aa", "aaaa", "abcd" };
static const char *const merges[] = { "b c", "a b", "a bc", SPACE " a", "a a", "aa aa" };

static void free_gguf(struct gguf_context **gguf)
{
  gguf_free(*gguf);
}

/* Token n is byte n for the first 256; 256 and on are `merged`. */
static struct gguf_context *make_vocabulary(bool lacks_a_byte)
{
  static char letters[N_BYTES][5];
  const char *tokens[N_BYTES + AL_COUNT(merged)];
  uint32_t other = 0x100;
  for (unsigned byte = 0; byte < N_BYTES; byte++) {
    bool plain = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    size_t size = al_utf8_encode(plain ? byte : other++, letters[byte]);
    letters[byte][size] = '\0';
    tokens[byte] = letters[byte];
  }
  if (lacks_a_byte)
    tokens[7] = "xyz";
  for (size_t i = 0; i < AL_COUNT(merged); i++)
    tokens[N_BYTES + i] = merged[i];
  struct gguf_context *gguf = gguf_init_empty();
  gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", tokens, AL_COUNT(tokens));
  gguf_set_arr_str(gguf, "tokenizer.ggml.merges", (const char **)(uintptr_t)merges, AL_COUNT(merges));
  return gguf;
}

static void check(const struct al_bpe *bpe, const char *word, const char *want)
{
  AL_CLEANUP(al_bpe_room_done) struct al_bpe_room room = {};
  int32_t tokens[32];
  struct al_token_sink sink = { .tokens = tokens, .capacity = AL_COUNT(tokens) };
  assert_int_equal(al_bpe_add(bpe, al_str(word), &room, &sink, nullptr), AL_OK);
  char found[256] = "";
  for (size_t i = 0, at = 0; i < sink.count; i++)
    at += (size_t)snprintf(found + at, sizeof found - at, "%s%d", i > 0 ? " " : "", (int)tokens[i]);
  assert_string_equal(found, want);
}

static void merges_what_was_learnt_first(void **state)
{
  (void)state;
  AL_CLEANUP(free_gguf) struct gguf_context *gguf = make_vocabulary(false);
  AL_CLEANUP(al_bpe_free_p) struct al_bpe *bpe = nullptr;
  assert_int_equal(al_bpe_new(gguf, false, &bpe, nullptr), AL_OK);
  check(bpe, "abc", "258");      /* b c before a b, then a bc */
  check(bpe, "abab", "256 256"); /* a b twice */
  check(bpe, "aaaaa", "261 97"); /* the leftmost first */
  check(bpe, "aaa", "260 97");
  check(bpe, " a", "259");
  check(bpe, "abcd", "258 100"); /* no merge makes the token abcd */
  check(bpe, "\xff\x01z", "255 1 122");
}

static void may_take_whole_words(void **state)
{
  (void)state;
  AL_CLEANUP(free_gguf) struct gguf_context *gguf = make_vocabulary(false);
  AL_CLEANUP(al_bpe_free_p) struct al_bpe *bpe = nullptr;
  assert_int_equal(al_bpe_new(gguf, true, &bpe, nullptr), AL_OK);
  check(bpe, "abcd", "262");
  check(bpe, "abcda", "258 100 97");
  check(bpe, " a", "259");
}

static void counts_beyond_the_room(void **state)
{
  (void)state;
  AL_CLEANUP(free_gguf) struct gguf_context *gguf = make_vocabulary(false);
  AL_CLEANUP(al_bpe_free_p) struct al_bpe *bpe = nullptr;
  assert_int_equal(al_bpe_new(gguf, false, &bpe, nullptr), AL_OK);
  AL_CLEANUP(al_bpe_room_done) struct al_bpe_room room = {};
  int32_t tokens[3] = { -1, -1, -1 };
  struct al_token_sink sink = { .tokens = tokens, .capacity = 2 };
  assert_int_equal(al_bpe_add(bpe, al_str("xyzxyz"), &room, &sink, nullptr), AL_OK);
  assert_int_equal(sink.count, 6);
  assert_int_equal(tokens[1], 'y');
  assert_int_equal(tokens[2], -1);
}

static void wants_all_bytes(void **state)
{
  (void)state;
  AL_CLEANUP(free_gguf) struct gguf_context *gguf = make_vocabulary(true);
  AL_CLEANUP(free_gguf) struct gguf_context *empty = gguf_init_empty();
  struct al_bpe *bpe = nullptr;
  assert_int_equal(al_bpe_new(gguf, false, &bpe, nullptr), AL_OK);
  assert_null(bpe);
  assert_int_equal(al_bpe_new(empty, false, &bpe, nullptr), AL_OK);
  assert_null(bpe);
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  AL_CLEANUP(free_gguf) struct gguf_context *gguf = make_vocabulary(false);
  enum al_code code = AL_OOM_RAM;
  size_t n = 0;
  for (; code != AL_OK; n++) {
    AL_CLEANUP(al_bpe_free_p) struct al_bpe *bpe = nullptr;
    (void)al_alloc_fail_at(n + 1);
    code = al_bpe_new(gguf, n % 2 == 0, &bpe, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
    assert_true((code == AL_OK) == (bpe != nullptr));
  }
  assert_true(n > 4);
}

/* ggml's own rounding for everybody else; the figures are those of gpt-oss. */
static void keeps_yarn_exact_where_asked(void **state)
{
  (void)state;
  float dims[2];
  ggml_rope_yarn_corr_dims(64, 4096, 150000.0F, 32.0F, 1.0F, dims);
  assert_true(dims[0] == 8.0F && dims[1] == 18.0F);
  ggml_rope_yarn_corr_dims(64, 4096, 150000.0F, al_yarn_exact(32.0F), al_yarn_exact(1.0F), dims);
  assert_float_equal(dims[0], 8.0928, 1e-3);
  assert_float_equal(dims[1], 17.398, 1e-3);
  ggml_rope_yarn_corr_dims(32, 64, 150000.0F, al_yarn_exact(32.0F), al_yarn_exact(1.0F), dims);
  assert_true(dims[0] == 0.0F);
  assert_true(al_yarn_is_asked());
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(merges_what_was_learnt_first), cmocka_unit_test(may_take_whole_words),
    cmocka_unit_test(counts_beyond_the_room),       cmocka_unit_test(wants_all_bytes),
    cmocka_unit_test(survives_failing_allocations), cmocka_unit_test(keeps_yarn_exact_where_asked),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
