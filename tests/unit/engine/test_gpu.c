/* Offloading to a GPU. Mesa's software Vulkan device will do (GGML_VK_VISIBLE_DEVICES=0 makes ggml take it); skipped
 * where there is no device at all. argv[1]: the directory of the tiny models. */
#include "engine/llama/backend.h"
#include "engine/llama/llama_engine.h"
#include "engine/llama/params.h"
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

static void as_many_layers_as_fit(void **)
{
  struct al_llama_weights weights = { .input_bytes = 500, .output_bytes = 1000, .n_layers = 4, .total_bytes = 2000 };
  for (int i = 0; i < 4; i++)
    weights.layer_bytes[i] = 100;
  weights.layer_bytes[0] = 400; /* the first layer goes last */
  const struct al_llama_buffers buffers = { .kv_bytes = 40, .compute_vram_bytes = 7 };
  const struct {
    uint64_t free_bytes;
    int n_layers;
  } cases[] = {
    { 0, 0 },    { 1006, 0 }, { 1007, 1 }, { 1116, 1 }, { 1117, 2 },
    { 1227, 3 }, { 1337, 4 }, { 1746, 4 }, { 1747, 5 }, { UINT64_MAX, 5 },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++)
    assert_int_equal(al_llama_layers_that_fit(&weights, &buffers, cases[i].free_bytes), cases[i].n_layers);
}

static void reads_buffer_sizes_from_the_log(void **)
{
  static const char *const lines[] = {
    "llama_kv_cache: size =   32.00 MiB (  4096 cells,   8 layers, 16/1 seqs), K (f16):   16.00 MiB",
    "llama_kv_cache:    Vulkan0 KV buffer size =    32.00 MiB",
    "sched_reserve:    Vulkan0 compute buffer size =    70.50 MiB",
    "sched_reserve: Vulkan_Host compute buffer size =     8.00 MiB",
    "llama_context:        CPU  output buffer size =     1.50 MiB",
    "sched_reserve:       CUDA0 compute buffer size =     nonsense",
    "done_getting_tensors: tensor 'x' cannot be used with preferred buffer type CPU_REPACK, using CPU instead",
    "compute buffer size =",
    "",
  };
  struct al_llama_buffers buffers = {};
  for (size_t i = 0; i < AL_COUNT(lines); i++)
    al_llama_buffers_read(&buffers, lines[i]);
  assert_int_equal(buffers.kv_bytes, 32 << 20);
  assert_int_equal(buffers.compute_vram_bytes, 141 << 19);
  assert_int_equal(buffers.compute_ram_bytes, 19 << 19);
  assert_false(buffers.repacks);
  al_llama_buffers_read(&buffers, "load_tensors:   CPU_REPACK model buffer size =     0.00 MiB");
  assert_true(buffers.repacks);
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
    cmocka_unit_test(as_many_layers_as_fit),
    cmocka_unit_test(reads_buffer_sizes_from_the_log),
    cmocka_unit_test(offloaded_layers_compute_the_same),
    cmocka_unit_test(explicit_layers_are_measured),
    cmocka_unit_test(by_default_real_gpus_alone_are_used),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
