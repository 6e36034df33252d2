#include "codec/gguf_header.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <cmocka.h>
#include <ggml.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static void put(struct al_buf *out, uint64_t value, size_t n_bytes)
{
  for (size_t i = 0; i < n_bytes; i++)
    al_buf_char(out, (char)(i < 8 ? value >> (8 * i) : 0));
}

static void put_string(struct al_buf *out, const char *text)
{
  put(out, strlen(text), 8);
  al_buf_str(out, text);
}

static void put_key(struct al_buf *out, const char *key, uint32_t kind)
{
  put_string(out, key);
  put(out, kind, 4);
}

static void put_start(struct al_buf *out, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
  al_buf_str(out, "GGUF");
  put(out, version, 4);
  put(out, n_tensors, 8);
  put(out, n_keys, 8);
}

static void put_tensor(struct al_buf *out, const char *name, const uint64_t *ne, uint32_t n_dims, uint32_t type,
                       uint64_t offset)
{
  put_string(out, name);
  put(out, n_dims, 4);
  for (uint32_t i = 0; i < n_dims; i++)
    put(out, ne[i], 8);
  put(out, type, 4);
  put(out, offset, 8);
}

/* Up to the next 32 bytes, then so many zeros. */
static void put_data(struct al_buf *out, size_t n_bytes)
{
  while (out->size % 32 != 0)
    al_buf_char(out, 0);
  for (size_t i = 0; i < n_bytes; i++)
    al_buf_char(out, 0);
}

/* Two tensors, keys of every kind that matters. */
static void put_sound(struct al_buf *out)
{
  put_start(out, 3, 2, 7);
  put_key(out, "general.architecture", STRING);
  put_string(out, "qwen3");
  put_key(out, "qwen3.context_length", U32);
  put(out, 40960, 4);
  put_key(out, "qwen3.epsilon", F32);
  put(out, 0x3f800000, 4);
  put_key(out, "flag", BOOL);
  put(out, 1, 1);
  put_key(out, "negative", I32);
  put(out, (uint32_t)-5, 4);
  put_key(out, "tokens", ARRAY);
  put(out, STRING, 4);
  put(out, 3, 8);
  put_string(out, "a");
  put_string(out, "");
  put_string(out, "long token");
  put_key(out, "types", ARRAY);
  put(out, I32, 4);
  put(out, 3, 8);
  put(out, 0, 12);
  put_tensor(out, "token_embd.weight", (const uint64_t[]){ 64, 3 }, 2, GGML_TYPE_Q8_0, 0);
  put_tensor(out, "norm", (const uint64_t[]){ 5 }, 1, GGML_TYPE_F32, 224);
  put_data(out, 224 + 20);
}

static enum al_code parse(const struct al_buf *file, struct al_gguf_header **header, struct al_err *err)
{
  uint64_t need = 1;
  enum al_code code = al_gguf_header_parse(al_buf_view(file), file->size, header, &need, err);
  if (code == AL_OK)
    assert_int_equal(need, 0);
  return code;
}

static void expect_error(struct al_buf *file, enum al_code code, const char *words)
{
  struct al_gguf_header *header = nullptr;
  struct al_err err = {};
  assert_int_equal(parse(file, &header, &err), code);
  assert_null(header);
  if (strstr(err.message, words) == nullptr)
    fail_msg("\"%s\" does not say \"%s\"", err.message, words);
  al_buf_clear(file);
}

static void reads_a_sound_file(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_sound(&file);
  AL_CLEANUP(al_gguf_header_free_p) struct al_gguf_header *header = nullptr;
  assert_int_equal(parse(&file, &header, nullptr), AL_OK);
  struct al_str text = {};
  uint64_t number = 0;
  double real = 0;
  bool flag = false;
  assert_true(al_gguf_header_str(header, "general.architecture", &text));
  assert_true(al_str_is(text, "qwen3"));
  assert_true(al_gguf_header_arch_u64(header, "context_length", &number));
  assert_int_equal(number, 40960);
  assert_true(al_gguf_header_f64(header, "qwen3.epsilon", &real));
  assert_true(real == 1.0);
  assert_true(al_gguf_header_bool(header, "flag", &flag) && flag);
  assert_false(al_gguf_header_u64(header, "negative", &number));
  assert_false(al_gguf_header_u64(header, "flag", &number));
  assert_true(al_gguf_header_array_length(header, "tokens", &number));
  assert_int_equal(number, 3);
  assert_false(al_gguf_header_has(header, "absent"));
  assert_int_equal(al_gguf_header_n_keys(header), 7);
  assert_int_equal(al_gguf_header_n_tensors(header), 2);
  const struct al_gguf_tensor *norm = al_gguf_header_find_tensor(header, "norm");
  assert_non_null(norm);
  assert_int_equal(norm->size_bytes, 20);
  assert_int_equal(norm->offset_bytes, file.size - 20);
  assert_string_equal(al_gguf_header_main_type(header), "Q8_0");
  assert_int_equal(al_gguf_header_n_parameters(header), 64 * 3 + 5);
}

static void asks_for_more_bytes(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_sound(&file);
  uint64_t have = 0;
  for (;;) {
    /* A copy of exactly that size, so that a sanitizer sees a read behind it. */
    AL_CLEANUP(al_free_p) char *piece = al_strndup(file.data, (size_t)have);
    struct al_gguf_header *header = nullptr;
    uint64_t need = 0;
    assert_int_equal(al_gguf_header_parse(al_str_n(piece, (size_t)have), file.size, &header, &need, nullptr), AL_OK);
    al_gguf_header_free(header);
    if (header != nullptr)
      break;
    assert_true(need > have && need < file.size); /* never asks for tensor data */
    have = need;
  }
  assert_true(have > 200);
}

static void refuses_every_truncation(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_sound(&file);
  for (size_t size = 0; size < file.size; size++) {
    AL_CLEANUP(al_free_p) char *part = al_strndup(file.data, size);
    struct al_gguf_header *header = nullptr;
    uint64_t need = 0;
    struct al_err err = {};
    assert_int_equal(al_gguf_header_parse(al_str_n(part, size), size, &header, &need, &err), AL_MODEL_CORRUPT);
    assert_true(err.message[0] != '\0');
  }
}

static void survives_every_flipped_bit(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_sound(&file);
  size_t refused = 0;
  for (size_t bit = 0; bit < file.size * 8; bit++) {
    file.data[bit / 8] ^= (char)(1 << (bit % 8));
    struct al_gguf_header *header = nullptr;
    struct al_err err = {};
    refused += parse(&file, &header, &err) != AL_OK;
    al_gguf_header_free(header);
    file.data[bit / 8] ^= (char)(1 << (bit % 8));
  }
  assert_true(refused > 500);
}

static void refuses_a_wrong_start(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  al_buf_str(&file, "GGML aaaaaaaaaaaaaaaaaaaaaa");
  expect_error(&file, AL_MODEL_CORRUPT, "does not start with");
  put_start(&file, 1, 0, 0);
  expect_error(&file, AL_UNSUPPORTED, "version 1");
  put_start(&file, 0x03000000, 0, 0);
  expect_error(&file, AL_UNSUPPORTED, "big-endian");
  put_start(&file, 4, 0, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "version 4");
  put_start(&file, 3, UINT64_MAX, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "tensors");
  put_start(&file, 3, 0, (uint64_t)1 << 40);
  expect_error(&file, AL_MODEL_CORRUPT, "metadata keys");
}

static void put_one_key(struct al_buf *file, const char *key, uint32_t kind)
{
  put_start(file, 3, 0, 1);
  put_key(file, key, kind);
}

static void refuses_wrong_metadata(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_one_key(&file, "k", 13);
  put_data(&file, 64);
  expect_error(&file, AL_MODEL_CORRUPT, "\"k\" has the unknown type 13");
  put_one_key(&file, "k", STRING);
  put(&file, UINT64_MAX, 8);
  expect_error(&file, AL_MODEL_CORRUPT, "\"k\"");
  put_one_key(&file, "k", ARRAY);
  put(&file, U64, 4);
  put(&file, (uint64_t)1 << 61, 8);
  expect_error(&file, AL_MODEL_CORRUPT, "elements");
  put_one_key(&file, "k", ARRAY);
  put(&file, ARRAY, 4);
  put(&file, 1, 8);
  put_data(&file, 64);
  expect_error(&file, AL_MODEL_CORRUPT, "array of arrays");
  put_one_key(&file, "", U8);
  put_data(&file, 64);
  expect_error(&file, AL_MODEL_CORRUPT, "empty");
  put_start(&file, 3, 0, 2);
  for (int i = 0; i < 2; i++) {
    put_key(&file, "twice", U8);
    put(&file, 1, 1);
  }
  expect_error(&file, AL_MODEL_CORRUPT, "appears twice");
  put_one_key(&file, "general.alignment", U32);
  put(&file, 24, 4);
  expect_error(&file, AL_MODEL_CORRUPT, "alignment");
}

static void put_one_tensor(struct al_buf *file, const uint64_t *ne, uint32_t n_dims, uint32_t type, uint64_t offset)
{
  put_start(file, 3, 1, 0);
  put_tensor(file, "w", ne, n_dims, type, offset);
  put_data(file, 256);
}

static void refuses_wrong_tensors(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_one_tensor(&file, (const uint64_t[]){ 1, 1, 1, 1, 1 }, 5, GGML_TYPE_F32, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "5 dimensions");
  put_one_tensor(&file, (const uint64_t[]){ 1 }, 0, GGML_TYPE_F32, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "dimensions");
  put_one_tensor(&file, (const uint64_t[]){ (uint64_t)1 << 40, (uint64_t)1 << 40 }, 2, GGML_TYPE_F32, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "more elements");
  put_one_tensor(&file, (const uint64_t[]){ (uint64_t)1 << 62 }, 1, GGML_TYPE_F32, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "\"w\"");
  put_one_tensor(&file, (const uint64_t[]){ 33 }, 1, GGML_TYPE_Q8_0, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "multiple of 32");
  put_one_tensor(&file, (const uint64_t[]){ 32 }, 1, 4, 0);
  expect_error(&file, AL_UNSUPPORTED, "type number 4");
  put_one_tensor(&file, (const uint64_t[]){ 32 }, 1, 4000000000, 0);
  expect_error(&file, AL_UNSUPPORTED, "type number");
  put_one_tensor(&file, (const uint64_t[]){ 32 }, 1, GGML_TYPE_F32, 32);
  expect_error(&file, AL_MODEL_CORRUPT, "expected 0");
  put_one_tensor(&file, (const uint64_t[]){ 65 }, 1, GGML_TYPE_F32, 0);
  expect_error(&file, AL_MODEL_CORRUPT, "truncated");
}

/* Sizes of all types, against ggml itself. */
static void sizes_are_those_of_ggml(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  for (uint32_t type = 0; type < GGML_TYPE_COUNT; type++) {
    int64_t block = ggml_blck_size((enum ggml_type)type);
    if (block == 0)
      continue;
    put_start(&file, 2, 1, 0);
    put_tensor(&file, "w", (const uint64_t[]){ (uint64_t)block * 2, 3 }, 2, type, 0);
    put_data(&file, 8192);
    AL_CLEANUP(al_gguf_header_free_p) struct al_gguf_header *header = nullptr;
    assert_int_equal(parse(&file, &header, nullptr), AL_OK);
    assert_int_equal(al_gguf_header_tensor(header, 0)->size_bytes, 3 * ggml_row_size((enum ggml_type)type, block * 2));
    al_buf_clear(&file);
  }
}

static void survives_failing_allocations(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_sound(&file);
  enum al_code code = AL_OOM_RAM;
  size_t n = 0;
  while (code == AL_OOM_RAM) {
    struct al_gguf_header *header = nullptr;
    (void)al_alloc_fail_at(++n);
    code = parse(&file, &header, nullptr);
    (void)al_alloc_fail_at(0);
    al_gguf_header_free(header);
  }
  assert_int_equal(code, AL_OK);
  assert_true(n > 5);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_a_sound_file),           cmocka_unit_test(asks_for_more_bytes),
    cmocka_unit_test(refuses_every_truncation),     cmocka_unit_test(survives_every_flipped_bit),
    cmocka_unit_test(refuses_a_wrong_start),        cmocka_unit_test(refuses_wrong_metadata),
    cmocka_unit_test(refuses_wrong_tensors),        cmocka_unit_test(sizes_are_those_of_ggml),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
