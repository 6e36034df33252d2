#include "app/paths.h"

#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <limits.h>
#include <stdlib.h>

static int clear_environment(void **state)
{
  (void)state;
  static const char *const names[] = { "ALLM_WORKER", "ALLM_MEDIA", "HF_HUB_CACHE", "HF_HOME", "XDG_STATE_HOME" };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    (void)unsetenv(names[i]);
  return setenv("HOME", "/home/somebody", 1);
}

static void the_worker_may_be_named(void **state)
{
  (void)state;
  char path[PATH_MAX];
  struct al_err err = {};
  /* Beside this test program there is none. */
  assert_int_equal(al_path_worker(path, sizeof path, &err), AL_INTERNAL);
  assert_true(err.message[0] != '\0');
  (void)setenv("ALLM_WORKER", "", 1);
  assert_int_equal(al_path_worker(path, sizeof path, nullptr), AL_INTERNAL);
  (void)setenv("ALLM_WORKER", "~/bin/my-worker", 1);
  assert_int_equal(al_path_worker(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/home/somebody/bin/my-worker");
}

static void the_media_program_may_be_named_or_absent(void **state)
{
  (void)state;
  char path[PATH_MAX] = "as before";
  assert_int_equal(al_path_media(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "");
  (void)setenv("ALLM_MEDIA", "~/bin/my-media", 1);
  assert_int_equal(al_path_media(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/home/somebody/bin/my-media");
}

static void builtin_models_may_be_absent(void **state)
{
  (void)state;
  char path[PATH_MAX] = "as before";
  assert_int_equal(al_path_builtin_models(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "");
}

static void the_hub_cache_is_found_as_the_hub_does(void **state)
{
  (void)state;
  char path[PATH_MAX];
  assert_int_equal(al_path_hf_cache(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/home/somebody/.cache/huggingface/hub");
  (void)setenv("HF_HOME", "/data/hf", 1);
  assert_int_equal(al_path_hf_cache(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/data/hf/hub");
  (void)setenv("HF_HUB_CACHE", "~/cache", 1);
  assert_int_equal(al_path_hf_cache(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/home/somebody/cache");
  assert_int_equal(al_path_hf_cache(path, 5, nullptr), AL_INVALID_REQUEST);
}

static void state_is_kept_where_the_desktop_keeps_it(void **state)
{
  (void)state;
  char path[PATH_MAX];
  assert_int_equal(al_path_data(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/home/somebody/.local/state/allm");
  (void)setenv("XDG_STATE_HOME", "relative", 1); /* to be ignored, says the specification */
  assert_int_equal(al_path_data(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/home/somebody/.local/state/allm");
  (void)setenv("XDG_STATE_HOME", "/var/state", 1);
  assert_int_equal(al_path_data(path, sizeof path, nullptr), AL_OK);
  assert_string_equal(path, "/var/state/allm");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(the_worker_may_be_named, clear_environment),
    cmocka_unit_test_setup(the_media_program_may_be_named_or_absent, clear_environment),
    cmocka_unit_test_setup(builtin_models_may_be_absent, clear_environment),
    cmocka_unit_test_setup(the_hub_cache_is_found_as_the_hub_does, clear_environment),
    cmocka_unit_test_setup(state_is_kept_where_the_desktop_keeps_it, clear_environment),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
