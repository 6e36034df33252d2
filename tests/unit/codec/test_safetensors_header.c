#include "codec/safetensors_header.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

/* The header as a file of so many data bytes. */
static void put_file(struct al_buf *file, const char *json, size_t n_data)
{
  size_t n = strlen(json);
  al_buf_clear(file);
  for (size_t i = 0; i < 8; i++)
    al_buf_char(file, (char)((uint64_t)n >> (8 * i)));
  al_buf_str(file, json);
  for (size_t i = 0; i < n_data; i++)
    al_buf_char(file, 0);
}

static const char SOUND[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                            "\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]},"
                            "\"a.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
                            "\"scalar\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[24,25]},"
                            "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_offsets\":[25,25]}}";

static enum al_code parse(const struct al_buf *file, struct al_st_header **header, struct al_err *err)
{
  uint64_t need = 1;
  enum al_code code = al_st_header_parse(al_buf_view(file), file->size, header, &need, err);
  if (code == AL_OK)
    assert_int_equal(need, 0);
  return code;
}

static void expect_error(const char *json, size_t n_data, enum al_code code, const char *words)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_file(&file, json, n_data);
  struct al_st_header *header = nullptr;
  struct al_err err = {};
  assert_int_equal(parse(&file, &header, &err), code);
  assert_null(header);
  if (strstr(err.message, words) == nullptr)
    fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void reads_a_sound_file(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_file(&file, SOUND, 25);
  AL_CLEANUP(al_st_header_free_p) struct al_st_header *header = nullptr;
  assert_int_equal(parse(&file, &header, nullptr), AL_OK);
  assert_int_equal(al_st_header_n_tensors(header), 4);
  assert_true(al_str_is(al_st_header_tensor(header, 0)->name, "a.weight")); /* file order, not JSON order */
  const struct al_st_tensor *b = al_st_header_find(header, al_str("b"));
  assert_int_equal(b->dtype, AL_ST_F32);
  assert_int_equal(b->n_dims, 1);
  assert_int_equal(b->shape[0], 3);
  assert_int_equal(b->offset_bytes, file.size - 25 + 12);
  assert_int_equal(al_st_header_find(header, al_str("scalar"))->n_elements, 1);
  assert_int_equal(al_st_header_find(header, al_str("empty"))->size_bytes, 0);
  assert_null(al_st_header_find(header, al_str("__metadata__")));
  assert_int_equal(al_st_header_n_parameters(header), 6 + 3 + 1);
  assert_string_equal(al_st_header_main_type(header), "BF16");
}

static void asks_for_more_bytes(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_file(&file, SOUND, 25);
  struct al_st_header *header = nullptr;
  uint64_t need = 0;
  assert_int_equal(al_st_header_parse(al_str_n(file.data, 3), file.size, &header, &need, nullptr), AL_OK);
  assert_null(header);
  assert_int_equal(need, 8);
  assert_int_equal(al_st_header_parse(al_str_n(file.data, 8), file.size, &header, &need, nullptr), AL_OK);
  assert_int_equal(need, file.size - 25);
  assert_int_equal(al_st_header_parse(al_str_n(file.data, (size_t)need), file.size, &header, &need, nullptr), AL_OK);
  assert_int_equal(need, 0);
  al_st_header_free(header);
}

static void refuses_every_truncation(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_file(&file, SOUND, 25);
  for (size_t size = 0; size < file.size; size++) {
    AL_CLEANUP(al_free_p) char *part = al_strndup(file.data, size);
    struct al_st_header *header = nullptr;
    uint64_t need = 0;
    assert_int_equal(al_st_header_parse(al_str_n(part, size), size, &header, &need, nullptr), AL_MODEL_CORRUPT);
  }
}

static void survives_every_flipped_bit(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_file(&file, SOUND, 25);
  size_t refused = 0;
  for (size_t bit = 0; bit < (file.size - 25) * 8; bit++) {
    file.data[bit / 8] ^= (char)(1 << (bit % 8));
    struct al_st_header *header = nullptr;
    struct al_err err = {};
    uint64_t need = 0;
    enum al_code code = al_st_header_parse(al_buf_view(&file), file.size, &header, &need, &err);
    assert_true(code == AL_OK || code == AL_MODEL_CORRUPT || code == AL_UNSUPPORTED);
    refused += code != AL_OK;
    al_st_header_free(header);
    file.data[bit / 8] ^= (char)(1 << (bit % 8));
  }
  assert_true(refused > 500);
}

static void refuses_wrong_headers(void **state)
{
  (void)state;
  expect_error("[]", 0, AL_MODEL_CORRUPT, "not a JSON object");
  expect_error("{\"a\":", 0, AL_MODEL_CORRUPT, "not valid JSON");
  expect_error("{\"a\":3}", 0, AL_MODEL_CORRUPT, "\"a\"");
  expect_error("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, AL_MODEL_CORRUPT, "no dtype");
  expect_error("{\"a\":{\"dtype\":\"F5\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, AL_UNSUPPORTED, "F5");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, AL_MODEL_CORRUPT, "shape");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, AL_MODEL_CORRUPT,
               "shape");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, AL_MODEL_CORRUPT, "shape");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,1]}}", 1, AL_MODEL_CORRUPT, "shape");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
               AL_MODEL_CORRUPT, "impossible shape");
  expect_error("{\"a\":{\"dtype\":\"F64\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}", 8,
               AL_MODEL_CORRUPT, "shape and dtype");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, AL_MODEL_CORRUPT, "data_offsets");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, AL_MODEL_CORRUPT, "data_offsets");
  expect_error("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,7]}}", 7, AL_MODEL_CORRUPT,
               "\"a\" takes 7 bytes");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[9],\"data_offsets\":[0,9]}}", 8, AL_MODEL_CORRUPT, "truncated");
}

static void refuses_overlaps_and_gaps(void **state)
{
  (void)state;
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
               "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
               7, AL_MODEL_CORRUPT, "\"b\" overlaps");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
               "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]}}",
               9, AL_MODEL_CORRUPT, "gap");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 5, AL_MODEL_CORRUPT,
               "5 bytes of data");
  expect_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
               "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
               2, AL_MODEL_CORRUPT, "");
}

static void refuses_absurd_lengths(void **state)
{
  (void)state;
  const uint8_t lengths[][8] = {
    { 0 }, { 1 }, { 255, 255, 255, 255, 255, 255, 255, 255 }, { 0, 0, 0, 0, 0, 0, 0, 128 }
  };
  for (size_t i = 0; i < AL_COUNT(lengths); i++) {
    struct al_st_header *header = nullptr;
    uint64_t need = 0;
    struct al_str bytes = al_str_n((const char *)lengths[i], 8);
    assert_int_equal(al_st_header_parse(bytes, UINT64_MAX, &header, &need, nullptr), AL_MODEL_CORRUPT);
  }
}

static enum al_code parse_index(const char *json, struct al_st_index **index, struct al_err *err)
{
  return al_st_index_parse(al_str(json), index, err);
}

static void reads_an_index(void **state)
{
  (void)state;
  AL_CLEANUP(al_st_index_free_p) struct al_st_index *index = nullptr;
  assert_int_equal(parse_index("{\"weight_map\":{\"x\":\"m-2.safetensors\",\"y\":\"m-10.safetensors\","
                               "\"z\":\"m-2.safetensors\",\"w\":\"m.safetensors\"}}",
                               &index, nullptr),
                   AL_OK);
  assert_int_equal(al_st_index_n_files(index), 3);
  assert_int_equal(al_st_index_n_tensors(index), 4);
  const char *const expected[][2] = {
    { "x", "m-2.safetensors" }, { "y", "m-10.safetensors" }, { "z", "m-2.safetensors" }, { "w", "m.safetensors" }
  };
  for (size_t i = 0; i < AL_COUNT(expected); i++) {
    size_t file = 99;
    assert_true(al_st_index_find(index, al_str(expected[i][0]), &file));
    assert_string_equal(al_st_index_file(index, file), expected[i][1]);
  }
  size_t file;
  assert_false(al_st_index_find(index, al_str("v"), &file));
}

static void refuses_wrong_indexes(void **state)
{
  (void)state;
  const char *const wrong[] = {
    "",
    "[]",
    "{}",
    "{\"weight_map\":{}}",
    "{\"weight_map\":[\"a\"]}",
    "{\"weight_map\":{\"x\":3}}",
    "{\"weight_map\":{\"x\":\"\"}}",
    "{\"weight_map\":{\"x\":\"../m.safetensors\"}}",
    "{\"weight_map\":{\"x\":\"/etc/m.safetensors\"}}",
    "{\"weight_map\":{\"x\":\".safetensors\"}}",
    "{\"weight_map\":{\"x\":\"m.bin\"}}",
    "{\"weight_map\":{\"x\":\"a\\u0000.safetensors\"}}",
  };
  for (size_t i = 0; i < AL_COUNT(wrong); i++) {
    struct al_st_index *index = nullptr;
    struct al_err err = {};
    assert_int_equal(parse_index(wrong[i], &index, &err), AL_MODEL_CORRUPT);
    assert_null(index);
    assert_true(err.message[0] != '\0');
  }
}

/* JSON in libraries of others allocates too; only our own allocations fail here. */
static void survives_failing_allocations(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  put_file(&file, SOUND, 25);
  enum al_code code = AL_OOM_RAM;
  size_t n = 0;
  while (code == AL_OOM_RAM) {
    struct al_st_header *header = nullptr;
    (void)al_alloc_fail_at(++n);
    code = parse(&file, &header, nullptr);
    (void)al_alloc_fail_at(0);
    al_st_header_free(header);
  }
  assert_int_equal(code, AL_OK);
  assert_true(n > 3);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_a_sound_file),       cmocka_unit_test(asks_for_more_bytes),
    cmocka_unit_test(refuses_every_truncation), cmocka_unit_test(survives_every_flipped_bit),
    cmocka_unit_test(refuses_wrong_headers),    cmocka_unit_test(refuses_overlaps_and_gaps),
    cmocka_unit_test(refuses_absurd_lengths),   cmocka_unit_test(reads_an_index),
    cmocka_unit_test(refuses_wrong_indexes),    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
