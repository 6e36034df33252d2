/* Files of libparakeet: whole ones pass, and every way in which one can be broken is told. */
#include "parakeet_kit.h"

#include "base/alloc.h"
#include "codec/whisper_file.h"

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

static enum al_code check(struct al_buf *file, struct al_parakeet_file *out, struct al_err *err)
{
  const struct al_ggml_reader reader = { read_buf, file, file->size };
  *err = (struct al_err){};
  return al_parakeet_file_check(&reader, out, err);
}

static void assert_broken(struct al_buf *file, enum al_code code, const char *words)
{
  struct al_parakeet_file out;
  struct al_err err;
  enum al_code found = check(file, &out, &err);
  if (found != code || strstr(err.message, words) == nullptr)
    fail_msg("%s: %s, not %s", al_code_name(found), err.message, words);
}

static void takes_a_whole_file(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  struct al_parakeet_file out;
  struct al_err err;
  parakeet_kit_write(&parakeet_kit_sizes, &file);
  assert_int_equal(check(&file, &out, &err), AL_OK);
  assert_memory_equal(&out.sizes, &parakeet_kit_sizes, sizeof out.sizes);
  assert_true(out.tensors_at + al_parakeet_weights_bytes(&out.sizes) < file.size);
  assert_int_equal(al_ggml_kind_of(al_buf_view(&file)), AL_GGML_PARAKEET);
}

static void tells_a_cut_file(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  parakeet_kit_write(&parakeet_kit_sizes, &file);
  size_t whole = file.size;
  const size_t cuts[] = { 0, 3, 20, 63, 66, 1000, 66'000, whole - 1 };
  for (size_t i = 0; i < AL_COUNT(cuts); i++) {
    file.size = cuts[i];
    assert_broken(&file, AL_MODEL_CORRUPT, "the file ends after");
  }
  struct al_parakeet_tensor last;
  al_parakeet_tensor_at(&parakeet_kit_sizes, al_parakeet_n_tensors(&parakeet_kit_sizes) - 1, &last);
  file.size = whole - last.size_bytes - 28 - strlen(last.name);
  assert_broken(&file, AL_MODEL_CORRUPT, "1 tensors are missing");
}

static void tells_tensors_that_are_wrong(void **)
{
  static const char *const words[] = { "shape", "type number", "no place", "no place" };
  for (size_t kind = 0; kind < AL_COUNT(words); kind++) {
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    struct al_parakeet_tensor tensor;
    parakeet_kit_head(&parakeet_kit_sizes, &file);
    al_parakeet_tensor_at(&parakeet_kit_sizes, 14, &tensor);
    if (kind == 0)
      tensor.ne[3] = 2;
    if (kind == 1)
      tensor.type = tensor.type == al_whisper_type_f32() ? al_whisper_type_f16() : al_whisper_type_f32();
    if (kind == 2)
      tensor.name[0] = 'x';
    if (kind == 3)
      (void)parakeet_kit_tensor(&tensor, &file);
    (void)parakeet_kit_tensor(&tensor, &file);
    assert_broken(&file, AL_MODEL_CORRUPT, words[kind]);
  }
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  parakeet_kit_head(&parakeet_kit_sizes, &file);
  for (int i = 0; i < 3; i++)
    parakeet_kit_i32(&file, 5);
  assert_broken(&file, AL_MODEL_CORRUPT, "no tensor begins");
}

static void refuses_sizes(void **)
{
  static const struct {
    size_t number; /* of al_parakeet_sizes */
    int32_t value;
    enum al_code code;
    const char *words;
  } cases[] = {
    { 0, 0, AL_MODEL_CORRUPT, "vocabulary" },
    { 0, 8193, AL_MODEL_CORRUPT, "vocabulary" },
    { 0, 11, AL_MODEL_CORRUPT, "vocabulary" },
    { 1, 5001, AL_MODEL_CORRUPT, "audio context" },
    { 1, -1, AL_MODEL_CORRUPT, "audio context" },
    { 2, 18, AL_MODEL_CORRUPT, "heads" },
    { 2, INT32_MAX, AL_MODEL_CORRUPT, "width" },
    { 3, 3, AL_MODEL_CORRUPT, "heads" },
    { 4, 25, AL_MODEL_CORRUPT, "layers" },
    { 5, 65, AL_UNSUPPORTED, "mel bands" },
    { 5, 72, AL_MODEL_CORRUPT, "mel filters" },
    { 6, 4, AL_UNSUPPORTED, "type number" },
    { 6, 8, AL_UNSUPPORTED, "Q5_0" },
    { 7, 500, AL_UNSUPPORTED, "power of two" },
    { 7, 256, AL_MODEL_CORRUPT, "mel filters" },
    { 8, 4, AL_UNSUPPORTED, "subsampling" },
    { 9, 0, AL_MODEL_CORRUPT, "channels" },
    { 10, 4, AL_UNSUPPORTED, "even width" },
    { 11, 641, AL_MODEL_CORRUPT, "predictor" },
    { 12, 3, AL_MODEL_CORRUPT, "predictor" },
    { 13, 6, AL_MODEL_CORRUPT, "durations" },
    { 14, 0, AL_MODEL_CORRUPT, "tokens in a frame" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    parakeet_kit_head(&parakeet_kit_sizes, &file);
    memcpy(file.data + 4 + 4 * cases[i].number, &cases[i].value, sizeof cases[i].value);
    assert_broken(&file, cases[i].code, cases[i].words);
  }
}

static void refuses_what_stands_behind_the_sizes(void **)
{
  size_t window_at = 72 + (size_t)64 * 257 * 4, durations_at = window_at + 4 + 1600;
  const struct {
    size_t at;
    int32_t value;
    const char *words;
  } cases[] = {
    { window_at, 0, "window" },
    { window_at, 513, "window" },
    { window_at, -1, "window" },
    { durations_at, -1, "duration 0" },
    { durations_at + 8, 65, "duration 2" },
    { durations_at + 20, 13, "tokens in a vocabulary" },
    { durations_at + 24, -1, "token 0 is" },
    { durations_at + 24, 1025, "token 0 is" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf file = {};
    parakeet_kit_head(&parakeet_kit_sizes, &file);
    memcpy(file.data + cases[i].at, &cases[i].value, sizeof cases[i].value);
    assert_broken(&file, AL_MODEL_CORRUPT, cases[i].words);
  }
}

static void survives_failing_allocations(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  parakeet_kit_write(&parakeet_kit_sizes, &file);
  enum al_code code = AL_OOM_RAM;
  for (size_t i = 1; i < 1000 && code != AL_OK; i++) {
    struct al_parakeet_file out;
    struct al_err err;
    (void)al_alloc_fail_at(i);
    code = check(&file, &out, &err);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
  }
  assert_int_equal(code, AL_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_a_whole_file),
    cmocka_unit_test(tells_a_cut_file),
    cmocka_unit_test(tells_tensors_that_are_wrong),
    cmocka_unit_test(refuses_sizes),
    cmocka_unit_test(refuses_what_stands_behind_the_sizes),
    cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests_name("codec/parakeet_file", tests, nullptr, nullptr);
}
