/* The diffusion engine behind the engine interface. */
#include "diffusion_kit.h"
#include "engine/diffusion/diffusion_engine.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static char directory[4096];
static struct al_model_descriptor descriptor = { .type = AL_TYPE_IMAGE,
                                                 .format = AL_FORMAT_SAFETENSORS,
                                                 .architecture = (char[]){ "StableDiffusionPipeline" },
                                                 .directory = directory };
static const struct al_load_options options = { .n_threads = 1 };

static void it_knows_what_it_can(void **)
{
  struct al_err err = {};
  assert_int_equal(al_engine_diffusion.supports(&descriptor, &err), AL_OK);
  struct al_model_descriptor other = descriptor;
  other.architecture = (char[]){ "FluxPipeline" };
  assert_int_equal(al_engine_diffusion.supports(&other, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "FluxPipeline"));
  other = descriptor;
  other.type = AL_TYPE_LLM;
  assert_int_equal(al_engine_diffusion.supports(&other, &err), AL_UNSUPPORTED);
}

static void the_estimate_is_what_is_held(void **)
{
  struct al_memory_estimate estimate = {};
  struct al_err err = {};
  assert_int_equal(al_engine_diffusion.preflight(&descriptor, &options, &estimate, &err), AL_OK);
  assert_true(estimate.compute_ram_bytes > 0);
  assert_int_equal(estimate.vram_bytes, 0);
  struct al_engine_model *model = nullptr;
  assert_int_equal(al_engine_diffusion.load(&descriptor, &options, nullptr, nullptr, &model, &err), AL_OK);
  struct al_draw_info info;
  al_engine_diffusion.draw->info(model, &info);
  assert_int_equal(info.memory_bytes, estimate.weights_ram_bytes);
  al_engine_diffusion.unload(model);
  al_engine_diffusion.unload(nullptr);
}

static bool on_picture(void *user, int, const struct al_picture *picture)
{
  *(int *)user += picture->width * picture->height;
  return true;
}

static void it_draws(void **)
{
  struct al_err err = {};
  struct al_engine_model *model = nullptr;
  assert_int_equal(al_engine_diffusion.load(&descriptor, &options, nullptr, nullptr, &model, &err), AL_OK);
  int n_pixels = 0;
  struct al_draw_request request = {
    .prompt = al_str("a cat"), .n_steps = 1, .guidance = -1, .width = 40, .height = 24
  };
  struct al_draw_sink sink = { .picture = on_picture, .user = &n_pixels };
  assert_int_equal(al_engine_diffusion.draw->check(model, &request, &err), AL_OK);
  assert_int_equal(al_engine_diffusion.draw->draw(model, &request, &sink, nullptr, &err), AL_OK);
  assert_int_equal(n_pixels, 40 * 24);
  al_engine_diffusion.unload(model);
}

int main(int argc, char **argv)
{
  assert(argc > 1);
  (void)snprintf(directory, sizeof directory, "%s/sd1", argv[1]);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_knows_what_it_can),
    cmocka_unit_test(the_estimate_is_what_is_held),
    cmocka_unit_test(it_draws),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
