#include "config/options.h"

#include "base/alloc.h"
#include "base/str.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

static struct al_config config;
static struct al_err err;

static int defaults(void **state)
{
  (void)state;
  al_config_defaults(&config);
  err = (struct al_err){};
  for (size_t i = 0; i < al_n_options; i++)
    assert_true(strlen(al_options[i].help) > 0);
  return 0;
}

static void takes_known_arguments_and_leaves_the_rest(void **state)
{
  (void)state;
  char text[12][16] = { "--port",   "0", "run",        "--host=::1", "--unknown", "--no-hf-cache",
                        "--models", "a", "--models=b", "--",         "--port",    "9" };
  char *argv[AL_COUNT(text)];
  for (size_t i = 0; i < AL_COUNT(text); i++)
    argv[i] = text[i];
  int argc = (int)AL_COUNT(argv);
  assert_int_equal(al_config_from_args(&config, &argc, argv, &err), AL_OK);
  assert_int_equal(config.port, 0);
  assert_string_equal(config.host, "::1");
  assert_false(config.hf_cache);
  assert_int_equal(config.n_models, 2); /* the default is replaced, not added to */
  assert_string_equal(config.models[0], "a");
  assert_string_equal(config.models[1], "b");
  assert_int_equal(argc, 5);
  assert_string_equal(argv[0], "run");
  assert_string_equal(argv[1], "--unknown");
  assert_string_equal(argv[4], "9");
}

static void names_what_is_wrong(void **state)
{
  (void)state;
  static const struct {
    const char *argument, *param;
  } cases[] = {
    { "--port=70000", "port" },         { "--port=8x", "port" },           { "--port=", "port" }, { "--ctx=-1", "ctx" },
    { "--log-json=maybe", "log-json" }, { "--no-log-json=1", "log-json" }, { "--host", "host" }
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    char argument[64];
    (void)snprintf(argument, sizeof argument, "%s", cases[i].argument);
    char *argv[] = { argument };
    int argc = 1;
    assert_int_equal(al_config_from_args(&config, &argc, argv, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.param, cases[i].param);
  }
  char long_host[400] = "--host=";
  memset(long_host + 7, 'x', 300);
  char *argv[] = { long_host };
  int argc = 1;
  assert_int_equal(al_config_from_args(&config, &argc, argv, &err), AL_INVALID_REQUEST);
}

static void reads_the_environment(void **state)
{
  (void)state;
  assert_int_equal(setenv("ALLM_GPU_LAYERS", "12", 1), 0);
  assert_int_equal(setenv("ALLM_MODELS", "/a::/b c", 1), 0);
  assert_int_equal(setenv("ALLM_LOG_JSON", "yes", 1), 0);
  assert_int_equal(al_config_from_env(&config, &err), AL_OK);
  assert_int_equal(config.n_gpu_layers, 12);
  assert_int_equal(config.n_models, 2);
  assert_string_equal(config.models[1], "/b c");
  assert_true(config.log_json);
  assert_int_equal(setenv("ALLM_GPU_LAYERS", "many", 1), 0);
  assert_int_equal(al_config_from_env(&config, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "ALLM_GPU_LAYERS"));
  assert_int_equal(unsetenv("ALLM_GPU_LAYERS") | unsetenv("ALLM_MODELS") | unsetenv("ALLM_LOG_JSON"), 0);
}

static void survives_the_way_through_arguments(void **state)
{
  (void)state;
  config.port = 1234;
  config.builtin_models = false;
  config.max_body_bytes = INT64_C(1) << 33;
  (void)snprintf(config.api_key, sizeof config.api_key, "secret");
  (void)snprintf(config.models[0], sizeof config.models[0], "/with space=and equals");
  char **args = nullptr;
  assert_int_equal(al_config_to_args(&config, &args, &err), AL_OK);
  int argc = 0;
  while (args[argc] != nullptr)
    assert_null(strstr(args[argc++], "secret"));
  static struct al_config again;
  al_config_defaults(&again);
  int left = argc;
  /* from_args moves pointers about; hand it a copy of the array so that every string is still freed. */
  char **copy = al_alloc((size_t)argc * sizeof *copy);
  assert_non_null(copy);
  memcpy(copy, args, (size_t)argc * sizeof *copy);
  assert_int_equal(al_config_from_args(&again, &left, copy, &err), AL_OK);
  assert_int_equal(left, 0);
  assert_int_equal(again.port, 1234);
  assert_false(again.builtin_models);
  assert_int_equal(again.max_body_bytes, INT64_C(1) << 33);
  assert_string_equal(again.models[0], config.models[0]);
  assert_string_equal(again.api_key, "");
  al_free(copy);
  al_config_args_free(args);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(takes_known_arguments_and_leaves_the_rest, defaults),
    cmocka_unit_test_setup(names_what_is_wrong, defaults),
    cmocka_unit_test_setup(reads_the_environment, defaults),
    cmocka_unit_test_setup(survives_the_way_through_arguments, defaults),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
