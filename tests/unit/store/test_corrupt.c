/* Files cut off at every length and with every header byte damaged: each is a model with a problem or still one
 * without, and never more than that. */
#include "store/store.h"

#include "model_files.h"

#include <cmocka.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

static struct al_store *store;

static int set_up(void **state)
{
  if (tmpdir_make(state) != 0)
    return -1;
  const char *const directories[] = { tmpdir };
  const struct al_store_options options = { .directories = directories, .n_directories = 1 };
  return al_store_new(&options, &store, nullptr) == AL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
  al_store_free(store);
  return tmpdir_remove(state);
}

/* The model's problem after its file has these bytes. */
static enum al_code problem_with(const char *id, const char *file, const char *bytes, size_t size)
{
  tmpdir_write(file, bytes, size);
  static time_t second = 1'700'000'000; /* a time of its own, or the store may take the file for the one before */
  second++;
  const struct timespec times[] = { { .tv_sec = second }, { .tv_sec = second } };
  assert_int_equal(utimensat(AT_FDCWD, tmpdir_path(file), times, 0), 0);
  struct al_model_descriptor *model = nullptr;
  assert_int_equal(al_store_refresh(store, nullptr), AL_OK);
  assert_int_equal(al_store_find(store, id, &model, nullptr), AL_OK);
  enum al_code code = model->problem.code;
  if (code != AL_OK)
    assert_non_null(strstr(model->problem.message, al_path_last(file)));
  al_descriptor_unref(model);
  return code;
}

static void truncate_everywhere(const char *id, const char *file, const struct al_buf *good)
{
  assert_int_equal(problem_with(id, file, good->data, good->size), AL_OK);
  for (size_t size = 0; size < good->size; size++)
    assert_int_not_equal(problem_with(id, file, good->data, size), AL_OK);
}

/* The data behind the header may hold anything. */
static void flip_every_byte(const char *id, const char *file, struct al_buf *good, size_t data_bytes)
{
  size_t n_refused = 0;
  for (size_t i = 0; i < good->size - data_bytes; i++) {
    static const char masks[] = { 0x01, (char)0x80, (char)0xff };
    for (size_t j = 0; j < sizeof masks; j++) {
      good->data[i] ^= masks[j];
      n_refused += problem_with(id, file, good->data, good->size) != AL_OK;
      good->data[i] ^= masks[j];
    }
  }
  assert_true(n_refused > 50);
}

static void gguf(void **state)
{
  (void)state;
  const struct gguf_spec spec = { .architecture = "llama", .context_length = 8, .split_count = 1 };
  AL_CLEANUP(al_buf_done) struct al_buf good = make_gguf(&spec);
  truncate_everywhere("m", "m.gguf", &good);
}

static void gguf_flipped(void **state)
{
  (void)state;
  const struct gguf_spec spec = { .architecture = "abcde", .context_length = 8 };
  AL_CLEANUP(al_buf_done) struct al_buf good = make_gguf(&spec);
  flip_every_byte("m", "m.gguf", &good, 128);
}

static void safetensors(void **state)
{
  (void)state;
  put_text("d/config.json", qwen_config);
  AL_CLEANUP(al_buf_done) struct al_buf good = make_safetensors("model.embed_tokens.weight");
  truncate_everywhere("d", "d/model.safetensors", &good);
}

static void safetensors_flipped(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf good = make_safetensors("model.embed_tokens.weight");
  flip_every_byte("d", "d/model.safetensors", &good, 64);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gguf),
    cmocka_unit_test(gguf_flipped),
    cmocka_unit_test(safetensors),
    cmocka_unit_test(safetensors_flipped),
  };
  return cmocka_run_group_tests_name("store/corrupt", tests, set_up, tear_down);
}
