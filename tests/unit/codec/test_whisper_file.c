/* Files of whisper.cpp: whole ones pass, and every way in which one can be broken is told. */
#include "whisper_kit.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static enum al_code read_buf(void *user, uint64_t offset, void *bytes, size_t size, struct al_err *)
{
  const struct al_buf *file = user;
  assert_true(offset + size <= file->size);
  memcpy(bytes, file->data + offset, size);
  return AL_OK;
}

static enum al_code check(struct al_buf *file, struct al_whisper_file *out, struct al_err *err)
{
  const struct al_ggml_reader reader = { read_buf, file, file->size };
  *err = (struct al_err){};
  return al_whisper_file_check(&reader, out, err);
}

static void assert_broken(struct al_buf *file, enum al_code code, const char *words)
{
  struct al_whisper_file out;
  struct al_err err;
  enum al_code found = check(file, &out, &err);
  if (found != code || strstr(err.message, words) == nullptr)
    fail_msg("%s: %s", al_code_name(found), err.message);
}

static void takes_a_whole_file(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  struct al_whisper_file out;
  struct al_err err;
  whisper_kit_write(&whisper_kit_sizes, &file);
  assert_int_equal(check(&file, &out, &err), AL_OK);
  assert_memory_equal(&out.sizes, &whisper_kit_sizes, sizeof out.sizes);
  assert_int_equal(out.n_tokens, WHISPER_KIT_TOKENS);
  assert_true(out.has_space_token);
  assert_int_equal(al_ggml_kind_of(al_buf_view(&file)), AL_GGML_WHISPER);
}

/* Cut anywhere: within the numbers, the filters, the vocabulary, the head of a tensor, its data. */
static void tells_a_cut_file(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  whisper_kit_write(&whisper_kit_sizes, &file);
  size_t whole = file.size;
  const size_t cuts[] = { 0, 3, 20, 60, 65'000, 66'000, whole - 1, whole - 8 * 4 - 20 };
  for (size_t i = 0; i < AL_COUNT(cuts); i++) {
    file.size = cuts[i];
    assert_broken(&file, AL_MODEL_CORRUPT, "the file ends after");
  }
  struct al_whisper_tensor last;
  al_whisper_tensor_at(&whisper_kit_sizes, al_whisper_n_tensors(&whisper_kit_sizes) - 1, &last);
  file.size = whole - last.size_bytes - 16 - strlen(last.name);
  assert_broken(&file, AL_MODEL_CORRUPT, "1 tensors are missing");
}

static void tells_tensors_that_are_wrong(void **)
{
  struct al_whisper_tensor tensor;
  for (int kind = 0; kind < 5; kind++) {
    static const char *const words[] = { "shape", "type number", "no place", "no place", "no tensor begins" };
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    whisper_kit_head(&whisper_kit_sizes, &file);
    al_whisper_tensor_at(&whisper_kit_sizes, 9, &tensor);
    if (kind == 0)
      tensor.ne[0]++;
    if (kind == 1)
      tensor.type = tensor.type == al_whisper_type_f32() ? al_whisper_type_f16() : al_whisper_type_f32();
    if (kind == 2)
      tensor.name[0] = 'x';
    if (kind == 3)
      whisper_kit_tensor(&tensor, &file);
    if (kind == 4)
      tensor.n_dims = 0;
    whisper_kit_tensor(&tensor, &file);
    assert_broken(&file, AL_MODEL_CORRUPT, words[kind]);
  }
}

static void refuses_sizes(void **)
{
  static const struct {
    size_t number; /* of al_whisper_sizes */
    int32_t value;
    enum al_code code;
    const char *words;
  } cases[] = {
    { 0, 51863, AL_UNSUPPORTED, "vocabulary" }, { 0, 51867, AL_UNSUPPORTED, "vocabulary" },
    { 0, -1, AL_MODEL_CORRUPT, "vocabulary" },  { 1, 750, AL_UNSUPPORTED, "audio context" },
    { 2, 0, AL_MODEL_CORRUPT, "width" },        { 2, INT32_MAX, AL_MODEL_CORRUPT, "width" },
    { 3, 0, AL_MODEL_CORRUPT, "heads" },        { 3, 3, AL_MODEL_CORRUPT, "heads" },
    { 3, 8, AL_MODEL_CORRUPT, "heads" },        { 4, 0, AL_MODEL_CORRUPT, "layers" },
    { 4, 1 << 30, AL_MODEL_CORRUPT, "layers" }, { 5, 4, AL_MODEL_CORRUPT, "text context" },
    { 6, 16, AL_UNSUPPORTED, "differ" },        { 7, -4, AL_MODEL_CORRUPT, "heads" },
    { 8, -1, AL_MODEL_CORRUPT, "layers" },      { 9, 81, AL_UNSUPPORTED, "mel bands" },
    { 10, 4, AL_UNSUPPORTED, "type number" },   { 10, -1, AL_UNSUPPORTED, "type number" },
    { 10, 2007, AL_UNSUPPORTED, "Q8_0" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    whisper_kit_head(&whisper_kit_sizes, &file);
    memcpy(file.data + 4 + 4 * cases[i].number, &cases[i].value, sizeof cases[i].value);
    assert_broken(&file, cases[i].code, cases[i].words);
  }
}

static void refuses_a_vocabulary(void **)
{
  size_t at = 56 + (size_t)80 * AL_WHISPER_N_BINS * 4;
  static const int32_t counts[] = { -1, 51865, INT32_MAX };
  for (size_t i = 0; i < AL_COUNT(counts); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    whisper_kit_head(&whisper_kit_sizes, &file);
    memcpy(file.data + at, &counts[i], sizeof counts[i]);
    assert_broken(&file, AL_MODEL_CORRUPT, "tokens in a vocabulary");
    memcpy(file.data + at, &(int32_t){ 1 }, sizeof(int32_t));
    memcpy(file.data + at + 4, &counts[i], sizeof counts[i]);
    assert_broken(&file, AL_MODEL_CORRUPT, "token 0 is");
  }
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  whisper_kit_head(&whisper_kit_sizes, &file);
  memcpy(file.data + 52, &(int32_t){ 200 }, sizeof(int32_t));
  assert_broken(&file, AL_MODEL_CORRUPT, "mel filters");
}

static void knows_the_other_kinds(void **)
{
  static const uint32_t vad[] = { 0x67676d6c, 10, 0x656c6973, 0x312d6f72, 0x00006b36 };
  static const uint32_t parakeet[] = { 0x67676d6c, 1024, 5000, 512, 8, 17, 80, 2008, 512, 8, 256, 9 };
  static const uint32_t other[] = { 0x67676d6c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
  assert_int_equal(al_ggml_kind_of(al_str_n((const char *)vad, sizeof vad)), AL_GGML_VAD);
  assert_int_equal(al_ggml_kind_of(al_str_n((const char *)parakeet, sizeof parakeet)), AL_GGML_PARAKEET);
  assert_int_equal(al_ggml_kind_of(al_str_n((const char *)other, sizeof other)), AL_GGML_OTHER);
  assert_int_equal(al_ggml_kind_of(al_str_n((const char *)other, 4)), AL_GGML_OTHER);
  assert_int_equal(al_ggml_kind_of(al_str_n((const char *)other, 3)), AL_GGML_FOREIGN);
  assert_int_equal(al_ggml_kind_of(al_str("GGUF and more")), AL_GGML_FOREIGN);
}

/* Known sizes: whisper.cpp's ggml-tiny has 37,760,640 parameters beside the encoder's positions, which OpenAI counts
 * apart. */
static void counts_parameters(void **)
{
  const struct al_whisper_sizes tiny = { 51865, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1 };
  const struct al_whisper_sizes large_v3 = { 51866, 1500, 1280, 20, 32, 448, 1280, 20, 32, 128, 1 };
  assert_int_equal(al_whisper_n_tensors(&tiny), 167);
  assert_int_equal(al_whisper_n_parameters(&tiny), 37'760'640);
  assert_int_equal(al_whisper_n_parameters(&large_v3), 1'543'490'560);
}

static void survives_failing_allocations(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  struct al_whisper_file out;
  struct al_err err;
  whisper_kit_write(&whisper_kit_sizes, &file);
  for (size_t n = 1; n < 6; n++) {
    (void)al_alloc_fail_at(n);
    enum al_code code = check(&file, &out, &err);
    (void)al_alloc_fail_at(0);
    assert_int_equal(code, AL_OOM_RAM);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_a_whole_file),   cmocka_unit_test(tells_a_cut_file),
    cmocka_unit_test(refuses_sizes),        cmocka_unit_test(tells_tensors_that_are_wrong),
    cmocka_unit_test(refuses_a_vocabulary), cmocka_unit_test(knows_the_other_kinds),
    cmocka_unit_test(counts_parameters),    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("codec/whisper_file", tests, nullptr, nullptr);
}
