/* Offloading to a GPU. Mesa's software Vulkan device will do (GGML_VK_VISIBLE_DEVICES=0 makes ggml take it); skipped
 * where there is no device at all. argv[1]: the directory of the tiny models. */
#include "engine/llama/backend.h"
#include "engine/llama/llama_engine.h"
#include "engine/preflight.h"

#include "base/macros.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_llama;
static char model_path[4096];
static char *files[] = { model_path };
static char id[] = "tiny";
static const struct al_model_descriptor descriptor = {
  .id = id, .format = AL_FORMAT_GGUF, .files = files, .n_files = 1
};
constexpr int N_VOCAB = 416;

static size_t n_gpus(bool and_software)
{
  assert_int_equal(al_llama_backend_start(nullptr), AL_OK);
  ggml_backend_dev_t devices[AL_LLAMA_MAX_GPUS];
  return al_llama_gpus(and_software, devices, AL_COUNT(devices));
}

static void logits_with(int n_gpu_layers, float *out)
{
  const struct al_load_options options = { .n_ctx = 512, .n_gpu_layers = n_gpu_layers };
  struct al_engine_model *model = nullptr;
  struct al_err err = {};
  if (engine->load(&descriptor, &options, nullptr, nullptr, &model, &err) != AL_OK)
    fail_msg("%s", err.message);
  struct al_text_item items[3];
  for (int i = 0; i < 3; i++)
    items[i] = (struct al_text_item){ 60 + i, i, 0, i == 2 };
  assert_int_equal(engine->text->decode(model, items, 3, nullptr, nullptr), AL_OK);
  memcpy(out, engine->text->logits(model, 2), N_VOCAB * sizeof *out);
  engine->unload(model);
}

static void offloaded_layers_compute_the_same(void **)
{
  if (n_gpus(true) == 0)
    skip();
  float expected[N_VOCAB];
  logits_with(0, expected);
  float got[N_VOCAB];
  logits_with(99, got);
  float most = 0;
  for (int v = 0; v < N_VOCAB; v++)
    most = fmaxf(most, fabsf(got[v] - expected[v]));
  print_message("on a GPU the logits differ by %g at most\n", (double)most);
  assert_true(most < 0.3F); /* they spread by 3; 8-bit weights times activations of 8 or 16 bits */
}

static void explicit_layers_are_measured(void **)
{
  if (n_gpus(true) == 0)
    skip();
  struct al_memory_estimate cpu = {};
  struct al_memory_estimate all = {};
  struct al_memory_estimate one = {};
  const struct al_load_options none = { .n_ctx = 512 };
  const struct al_load_options some = { .n_ctx = 512, .n_gpu_layers = 2 };
  const struct al_load_options many = { .n_ctx = 512, .n_gpu_layers = 99 };
  assert_int_equal(engine->estimate(&descriptor, &none, &cpu, nullptr), AL_OK);
  assert_int_equal(engine->estimate(&descriptor, &some, &one, nullptr), AL_OK);
  assert_int_equal(engine->estimate(&descriptor, &many, &all, nullptr), AL_OK);
  assert_int_equal(cpu.vram_bytes, 0);
  assert_int_equal(all.n_gpu_layers, 3); /* two and the head */
  assert_int_equal(one.n_gpu_layers, 2);
  assert_int_equal(all.kv_ram_bytes, 0);
  assert_int_equal(one.kv_ram_bytes, cpu.kv_ram_bytes / 2);
  assert_true(all.vram_bytes > one.vram_bytes && one.vram_bytes > 0);
  assert_true(all.weights_ram_bytes < cpu.weights_ram_bytes);
}

/* A CPU in disguise is nothing to offload to unless asked; a real GPU takes a tiny model whole. */
static void by_default_real_gpus_alone_are_used(void **)
{
  struct al_memory_estimate e = {};
  const struct al_load_options options = { .n_ctx = 512, .n_gpu_layers = AL_AUTO };
  assert_int_equal(engine->estimate(&descriptor, &options, &e, nullptr), AL_OK);
  assert_int_equal(e.n_gpu_layers, n_gpus(false) > 0 ? 3 : 0);
  assert_int_equal(e.vram_bytes > 0, n_gpus(false) > 0);
}

int main(int argc, char **argv)
{
  static const struct al_engine *const engines[] = { &al_engine_llama };
  const struct al_engine_registry registry = { engines, AL_COUNT(engines) };
  if (argc > 1 && strcmp(argv[1], "--preflight") == 0)
    return al_preflight_main(&registry, argc, argv);
  char self[4096] = {};
  if (argc < 2 || readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
    return 2;
  al_preflight_set_program(self);
  (void)snprintf(model_path, sizeof model_path, "%s/tiny-qwen3.gguf", argv[1]);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(offloaded_layers_compute_the_same),
    cmocka_unit_test(explicit_layers_are_measured),
    cmocka_unit_test(by_default_real_gpus_alone_are_used),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
