/* What of a model's directory is refused, and how: before anything is allocated, naming file, key or tensor. */
#include "base/alloc.h"
#include "diffusion_kit.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static const char *data;

static void refuses(const struct kit *kit, enum al_code code, const char *needle)
{
  struct al_err err = {};
  struct al_sd_model *model = nullptr;
  struct al_sd_options options = { .quant = "", .n_threads = 1 };
  enum al_code got = al_sd_model_open(kit->directory, &options, &model, &err);
  assert_null(model);
  if (got != code || strstr(err.message, needle) == nullptr)
    fail_msg("expected %s with \"%s\", got %s: %s", al_code_name(code), needle, al_code_name(got), err.message);
}

struct damage {
  const char *file, *from, *to;
  enum al_code code;
  const char *needle;
};

static const struct damage configs[] = {
  { "model_index.json", "StableDiffusionPipeline", "FluxPipeline", AL_UNSUPPORTED, "FluxPipeline" },
  { "unet/config.json", "\"silu\"", "\"mish\"", AL_UNSUPPORTED, "\"act_fn\" is \"mish\"" },
  { "unet/config.json", "\"freq_shift\": 0", "\"freq_shift\": 1", AL_UNSUPPORTED, "freq_shift" },
  { "unet/config.json", "\"sample_size\"", "\"motion_size\"", AL_UNSUPPORTED, "\"motion_size\" is not known" },
  { "unet/config.json", "[8, 16]", "[8, 17]", AL_MODEL_CORRUPT, "17 channels in level 1" },
  { "unet/config.json", "[8, 16]", "[8, -16]", AL_MODEL_CORRUPT, "block_out_channels" },
  { "unet/config.json", "[8, 16]", "[8, 1e9]", AL_MODEL_CORRUPT, "block_out_channels" },
  { "unet/config.json", "[8, 16]", "[]", AL_MODEL_CORRUPT, "block_out_channels" },
  { "unet/config.json", "[8, 16]", "\"8\"", AL_MODEL_CORRUPT, "block_out_channels" },
  { "unet/config.json", "[8, 16]", "[8, 16, 16]", AL_MODEL_CORRUPT, "down_block_types" },
  { "unet/config.json", "\"attention_head_dim\": 2", "\"attention_head_dim\": 3", AL_MODEL_CORRUPT,
    "3 attention heads" },
  { "unet/config.json", "\"attention_head_dim\": 2", "\"attention_head_dim\": 0", AL_MODEL_CORRUPT,
    "0 attention heads" },
  { "unet/config.json", "\"attention_head_dim\": 2", "\"attention_head_dim\": [2]", AL_MODEL_CORRUPT,
    "1 numbers for 2" },
  { "unet/config.json", "\"norm_num_groups\": 4", "\"norm_num_groups\": 0", AL_MODEL_CORRUPT, "norm_num_groups" },
  { "unet/config.json", "\"norm_eps\": 1e-05", "\"norm_eps\": \"x\"", AL_MODEL_CORRUPT, "norm_eps" },
  { "unet/config.json", "\"layers_per_block\": 1", "\"layers_per_block\": 99", AL_MODEL_CORRUPT, "layers_per_block" },
  { "unet/config.json", "\"CrossAttnDownBlock2D\"", "\"AttnDownBlock2D\"", AL_UNSUPPORTED, "AttnDownBlock2D" },
  { "unet/config.json", "\"cross_attention_dim\": 16", "\"cross_attention_dim\": 32", AL_MODEL_CORRUPT, "give 16" },
  { "unet/config.json", "\"in_channels\": 4", "\"in_channels\": 8", AL_UNSUPPORTED, "8 input channels" },
  { "unet/config.json", "\"out_channels\": 4", "\"out_channels\": 5", AL_MODEL_CORRUPT, "5 latent channels" },
  { "unet/config.json", "\"act_fn\": \"silu\"", "\"addition_embed_type\": \"image\"", AL_UNSUPPORTED,
    "addition_embed_type" },
  { "unet/config.json", "\"act_fn\": \"silu\"",
    "\"addition_embed_type\": \"text_time\", \"addition_time_embed_dim\": 8, "
    "\"projection_class_embeddings_input_dim\": 40",
    AL_MODEL_CORRUPT, "no room for six sizes" },
  { "unet/config.json", "{", "[", AL_MODEL_CORRUPT, "unet/config.json" },
  { "vae/config.json", "UpDecoderBlock2D", "UpStrangeBlock2D", AL_UNSUPPORTED, "up_block_types" },
  { "vae/config.json", "[4, 4, 8, 8]", "[4, 4, 8, 7]", AL_MODEL_CORRUPT, "7 channels" },
  { "vae/config.json", "0.18215", "0", AL_MODEL_CORRUPT, "scaling_factor" },
  { "vae/config.json", "\"sample_size\"", "\"latents_mean\"", AL_UNSUPPORTED, "latents_mean" },
  { "text_encoder/config.json", "quick_gelu", "tanh", AL_UNSUPPORTED, "hidden_act" },
  { "text_encoder/config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", AL_MODEL_CORRUPT,
    "5 heads" },
  { "text_encoder/config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2000", AL_MODEL_CORRUPT,
    "num_hidden_layers" },
  { "text_encoder/config.json", "clip_text_model", "t5", AL_UNSUPPORTED, "model_type" },
  { "scheduler/scheduler_config.json", "scaled_linear", "squaredcos_cap_v2", AL_UNSUPPORTED, "beta_schedule" },
  { "scheduler/scheduler_config.json", "DDIMScheduler", "HeunScheduler", AL_UNSUPPORTED, "HeunScheduler" },
  { "scheduler/scheduler_config.json", "\"clip_sample\": false", "\"clip_sample\": true", AL_UNSUPPORTED,
    "clip_sample" },
  { "scheduler/scheduler_config.json", "\"clip_sample\": false", "\"prediction_type\": \"sample\"", AL_UNSUPPORTED,
    "prediction_type" },
  { "scheduler/scheduler_config.json", "\"clip_sample\": false", "\"trained_betas\": [0.1]", AL_UNSUPPORTED,
    "trained_betas" },
  { "scheduler/scheduler_config.json", "\"num_train_timesteps\": 1000", "\"num_train_timesteps\": 0", AL_MODEL_CORRUPT,
    "num_train_timesteps" },
  { "scheduler/scheduler_config.json", "\"clip_sample\": false", "\"lambda_min_clipped\": -Infinity", AL_OK, "" },
  { "scheduler/scheduler_config.json", "\"clip_sample\": false", "\"solver_order\": 3", AL_UNSUPPORTED,
    "\"solver_order\" is 3" },
  { "scheduler/scheduler_config.json", "\"clip_sample\": false", "\"new_idea\": 3", AL_UNSUPPORTED, "new_idea" },
  { "tokenizer/merges.txt", "#version: 0.2\n", "", AL_OK, "" },
  { "tokenizer/vocab.json", "\"<|endoftext|>\"", "\"<|endoftexts|>\"", AL_MODEL_CORRUPT, "eos_token" },
  { "tokenizer/vocab.json", "\"<|startoftext|>\": 0", "\"<|startoftext|>\": 600", AL_MODEL_CORRUPT, "601 tokens" },
  { "tokenizer/vocab.json", "\"<|startoftext|>\": 0", "\"<|startoftext|>\": -1", AL_MODEL_CORRUPT, "has no id" },
};

static void configs_are_checked(void **)
{
  for (size_t i = 0; i < AL_COUNT(configs); i++) {
    const struct damage *damage = &configs[i];
    AL_CLEANUP(diffusion_kit_remove) struct kit kit;
    diffusion_kit_copy(&kit, data);
    AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
    AL_CLEANUP(al_buf_done) struct al_buf changed = {};
    kit_read(&kit, damage->file, &bytes);
    const char *at = strstr(bytes.data, damage->from);
    if (at == nullptr)
      fail_msg("%s: \"%s\" is not there", damage->file, damage->from);
    al_buf_add(&changed, bytes.data, (size_t)(at - bytes.data));
    al_buf_str(&changed, damage->to);
    al_buf_str(&changed, at + strlen(damage->from));
    kit_write(&kit, damage->file, al_buf_view(&changed));
    if (damage->code == AL_OK)
      al_sd_model_free(diffusion_kit_open(kit.directory, "", false));
    else
      refuses(&kit, damage->code, damage->needle);
  }
}

static void missing_files_are_named(void **)
{
  static const char *const files[] = { "model_index.json",
                                       "unet/config.json",
                                       "vae/config.json",
                                       "text_encoder/config.json",
                                       "scheduler/scheduler_config.json",
                                       "unet/diffusion_pytorch_model.safetensors",
                                       "vae/diffusion_pytorch_model.safetensors",
                                       "text_encoder/model.safetensors" };
  for (size_t i = 0; i < AL_COUNT(files); i++) {
    AL_CLEANUP(diffusion_kit_remove) struct kit kit;
    diffusion_kit_copy(&kit, data);
    kit_delete(&kit, files[i]);
    refuses(&kit, AL_MODEL_CORRUPT, files[i]);
  }
  AL_CLEANUP(diffusion_kit_remove) struct kit kit;
  diffusion_kit_copy(&kit, data);
  kit_delete(&kit, "tokenizer/merges.txt");
  refuses(&kit, AL_MODEL_CORRUPT, "merges.txt");
}

static const char unet_file[] = "unet/diffusion_pytorch_model.safetensors";
static const char vae_file[] = "vae/diffusion_pytorch_model.safetensors";
static const char text_file[] = "text_encoder/model.safetensors";

static void missing_tensors_are_named(void **)
{
  static const struct damage tensors[] = {
    { unet_file, "conv_in.weight", "conv_in.wright", AL_MODEL_CORRUPT, "\"conv_in.weight\"" },
    { unet_file, "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
      "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_z.weight", AL_MODEL_CORRUPT,
      "\"up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight\"" },
    { vae_file, "decoder.mid_block.attentions.0.to_q.bias", "decoder.mid_block.attentions.0.to_p.bias",
      AL_MODEL_CORRUPT, "to_q.bias" },
    { text_file, "final_layer_norm.bias", "final_layer_norm.bios", AL_MODEL_CORRUPT, "final_layer_norm.bias" },
  };
  for (size_t i = 0; i < AL_COUNT(tensors); i++) {
    AL_CLEANUP(diffusion_kit_remove) struct kit kit;
    diffusion_kit_copy(&kit, data);
    diffusion_kit_patch(&kit, tensors[i].file, tensors[i].from, tensors[i].to);
    refuses(&kit, tensors[i].code, tensors[i].needle);
  }
}

/* As many bytes as before, so that the file is sound in itself. */
static void wrong_shapes_are_named(void **)
{
  AL_CLEANUP(diffusion_kit_remove) struct kit kit;
  diffusion_kit_copy(&kit, data);
  diffusion_kit_patch(&kit, unet_file, "\"shape\":[8,4,3,3]", "\"shape\":[4,8,3,3]");
  refuses(&kit, AL_MODEL_CORRUPT, "\"conv_in.weight\" has the shape [4][8][3][3] instead of [8][4][3][3]");

  AL_CLEANUP(diffusion_kit_remove) struct kit other;
  diffusion_kit_copy(&other, data);
  diffusion_kit_patch(&other, text_file, "\"shape\":[600,16]", "\"shape\":[300,32]");
  refuses(&other, AL_MODEL_CORRUPT, "has the shape [300][32] instead of [600][16]");
}

static void damaged_files_are_named(void **)
{
  AL_CLEANUP(diffusion_kit_remove) struct kit kit;
  diffusion_kit_copy(&kit, data);
  kit_truncate(&kit, vae_file, 5000);
  refuses(&kit, AL_MODEL_CORRUPT, vae_file);

  AL_CLEANUP(diffusion_kit_remove) struct kit other;
  diffusion_kit_copy(&other, data);
  diffusion_kit_patch(&other, unet_file, "\"dtype\":\"F16\",\"shape\":[8]", "\"dtype\":\"I16\",\"shape\":[8]");
  refuses(&other, AL_MODEL_CORRUPT, "of a type that can be read");
}

static void the_half_variant_goes_first(void **)
{
  AL_CLEANUP(diffusion_kit_remove) struct kit kit;
  diffusion_kit_copy(&kit, data);
  kit_write(&kit, "unet/diffusion_pytorch_model.fp16.safetensors", al_str("not what it should be"));
  refuses(&kit, AL_MODEL_CORRUPT, "fp16.safetensors");
  al_sd_model_free(diffusion_kit_open(kit.directory, "f32", false));
}

static void shards_are_joined(void **)
{
  AL_CLEANUP(diffusion_kit_remove) struct kit kit;
  diffusion_kit_copy(&kit, data);
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  kit_read(&kit, text_file, &bytes);
  kit_write(&kit, "text_encoder/model-00001-of-00001.safetensors", al_buf_view(&bytes));
  kit_delete(&kit, text_file);
  kit_write(&kit, "text_encoder/model.safetensors.index.json",
            al_str("{\"weight_map\": {\"text_model.final_layer_norm.bias\": \"model-00001-of-00001.safetensors\"}}"));
  al_sd_model_free(diffusion_kit_open(kit.directory, "", false));
}

static void quantisation_is_checked(void **)
{
  struct al_err err = {};
  struct al_sd_model *model = nullptr;
  struct al_sd_options options = { .quant = "q9_9" };
  assert_int_equal(al_sd_model_open(data, &options, &model, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "q9_9"));
}

static void sizes_are_known_before(void **)
{
  uint64_t sizes[3];
  static const char *const quants[] = { "f32", "f16", "q8_0" };
  for (size_t i = 0; i < 3; i++) {
    AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *model = diffusion_kit_open(data, quants[i], false);
    struct al_sd_memory memory;
    assert_int_equal(al_sd_model_measure(model, 64, 64, &memory, nullptr), AL_OK);
    sizes[i] = memory.weights_bytes;
    struct al_sd_memory larger;
    assert_int_equal(al_sd_model_measure(model, 512, 512, &larger, nullptr), AL_OK);
    assert_true(larger.compute_ram_bytes > 10 * memory.compute_ram_bytes);
    assert_int_equal(larger.weights_bytes, memory.weights_bytes);
    assert_int_equal(al_sd_model_load(model, nullptr, nullptr, nullptr), AL_OK);
  }
  assert_true(sizes[0] > sizes[1] + sizes[1] / 2);
  assert_true(sizes[1] >= sizes[2]);
}

static bool stop_at_half(void *user, float fraction)
{
  *(float *)user = fraction;
  return fraction < 0.5F;
}

static void a_load_can_be_stopped(void **)
{
  float reached = 0;
  AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *model = diffusion_kit_open(data, "", false);
  assert_int_equal(al_sd_model_load(model, stop_at_half, &reached, nullptr), AL_CANCELLED);
  assert_true(reached >= 0.5F && reached < 0.6F);
}

/* Opens and loads with the n-th allocation failing. */
static bool survives(size_t n)
{
  struct al_err err = {};
  AL_CLEANUP(al_sd_model_free_p) struct al_sd_model *model = nullptr;
  struct al_sd_options options = { .quant = "", .n_threads = 1 };
  (void)al_alloc_fail_at(n);
  enum al_code code = al_sd_model_open(data, &options, &model, &err);
  if (code == AL_OK)
    code = al_sd_model_load(model, nullptr, nullptr, &err);
  bool failed = al_alloc_fail_at(0) >= n;
  if (failed)
    assert_int_equal(code, AL_OOM_RAM);
  return failed;
}

static void memory_may_run_out(void **)
{
  size_t n = 1;
  while (survives(n))
    n += 1 + n / 8; /* every early one, then fewer */
  assert_true(n > 100);
}

int main(int argc, char **argv)
{
  static char path[4096];
  assert(argc > 1);
  (void)snprintf(path, sizeof path, "%s/sd1", argv[1]);
  data = path;
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(configs_are_checked),       cmocka_unit_test(missing_files_are_named),
    cmocka_unit_test(missing_tensors_are_named), cmocka_unit_test(wrong_shapes_are_named),
    cmocka_unit_test(damaged_files_are_named),   cmocka_unit_test(the_half_variant_goes_first),
    cmocka_unit_test(shards_are_joined),         cmocka_unit_test(quantisation_is_checked),
    cmocka_unit_test(sizes_are_known_before),    cmocka_unit_test(a_load_can_be_stopped),
    cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
