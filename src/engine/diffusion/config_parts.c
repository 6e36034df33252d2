/* vae/config.json, text_encoder/config.json and scheduler/scheduler_config.json of a Diffusers directory. */
#include "engine/diffusion/config.h"
#include "engine/diffusion/config_reader.h"

#include <stdio.h>

static const struct al_config_key vae_keys[] = {
  { "act_fn", "silu" },
  { "block_out_channels", nullptr },
  { "down_block_types", nullptr },
  { "force_upcast", nullptr },
  { "in_channels", "3" },
  { "latent_channels", nullptr },
  { "layers_per_block", nullptr },
  { "mid_block_add_attention", nullptr },
  { "norm_num_groups", nullptr },
  { "out_channels", "3" },
  { "sample_size", nullptr },
  { "scaling_factor", nullptr },
  { "shift_factor", nullptr },
  { "up_block_types", nullptr },
  { "use_post_quant_conv", nullptr },
  { "use_quant_conv", nullptr },
};

/* Every level is of the one kind that there is. */
static void check_types(struct al_config_reader *reader, const char *key, const char *type)
{
  struct al_json_iter it = al_json_iter(al_json_get(reader->root, key));
  while (al_json_next(&it))
    if (!al_str_is(al_json_str(it.value), type))
      al_config_fail(reader, AL_UNSUPPORTED, "\"%s\" has another type than %s", key, type);
}

static void read_vae_levels(struct al_config_reader *reader, struct al_sd_vae_config *vae)
{
  size_t n = al_json_count(al_json_get(reader->root, "block_out_channels"));
  if (n < 1 || n > AL_SD_MAX_LEVELS) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"block_out_channels\" must have 1 to %d numbers", AL_SD_MAX_LEVELS);
    return;
  }
  vae->n_levels = (int)n;
  al_config_ints(reader, "block_out_channels", vae->channels, vae->n_levels, 0);
  for (int i = 0; i < vae->n_levels; i++)
    if (vae->channels[i] < 1 || vae->channels[i] > AL_SD_MAX_CHANNELS || vae->channels[i] % vae->n_groups != 0)
      al_config_fail(reader, AL_MODEL_CORRUPT, "%d channels in level %d do not divide into %d groups", vae->channels[i],
                     i, vae->n_groups);
  check_types(reader, "down_block_types", "DownEncoderBlock2D");
  check_types(reader, "up_block_types", "UpDecoderBlock2D");
}

enum al_code al_sd_config_vae(const struct al_json *json, const char *file, struct al_sd_vae_config *vae,
                              struct al_err *err)
{
  struct al_config_reader reader = { .root = json, .file = file, .err = err };
  al_config_reader_check(&reader, vae_keys, AL_COUNT(vae_keys));
  if (reader.code != AL_OK)
    return reader.code;
  struct al_sd_vae_config made = {
    .latent_channels = al_config_int(&reader, "latent_channels", 1, 64, 4),
    .n_layers = al_config_int(&reader, "layers_per_block", 1, AL_SD_MAX_LAYERS, 1),
    .n_groups = al_config_int(&reader, "norm_num_groups", 1, AL_SD_MAX_CHANNELS, 32),
    .scaling = (float)al_config_real(&reader, "scaling_factor", 1e-4, 1e4, 0.18215),
    .shift = (float)al_config_real(&reader, "shift_factor", -1e4, 1e4, 0),
    .force_upcast = al_config_bool(&reader, "force_upcast", false),
    .quant_conv = al_config_bool(&reader, "use_quant_conv", true),
    .post_quant_conv = al_config_bool(&reader, "use_post_quant_conv", true),
    .mid_attention = al_config_bool(&reader, "mid_block_add_attention", true),
  };
  read_vae_levels(&reader, &made);
  if (reader.code == AL_OK)
    *vae = made;
  return reader.code;
}

/* Transformers writes many keys that say nothing about a text encoder: those that do are looked at, the others not. */
enum al_code al_sd_config_text(const struct al_json *json, const char *file, struct al_sd_text_config *text,
                               struct al_err *err)
{
  static const char *const activations[] = { "quick_gelu", "gelu", nullptr };
  static const char *const types[] = { "clip_text_model", "clip", nullptr };
  struct al_config_reader reader = { .root = json, .file = file, .err = err };
  if (al_json_kind(json) != AL_JSON_OBJECT)
    return al_fail(err, AL_MODEL_CORRUPT, "%s: no JSON object", file);
  (void)al_config_word(&reader, "model_type", types, 0);
  const struct al_json *architectures = al_json_get(json, "architectures");
  bool projects = al_str_is(al_json_str(al_json_at(architectures, 0)), "CLIPTextModelWithProjection");
  struct al_sd_text_config made = {
    .width = al_config_int(&reader, "hidden_size", 1, AL_SD_MAX_CHANNELS, 512),
    .n_inner = al_config_int(&reader, "intermediate_size", 1, 1 << 16, 2048),
    .n_layers = al_config_int(&reader, "num_hidden_layers", 1, AL_SD_MAX_TEXT_LAYERS, 12),
    .n_heads = al_config_int(&reader, "num_attention_heads", 1, 1024, 8),
    .n_vocab = al_config_int(&reader, "vocab_size", 2, 1 << 20, 49408),
    .n_positions = al_config_int(&reader, "max_position_embeddings", 3, 1024, 77),
    .projection = projects ? al_config_int(&reader, "projection_dim", 1, AL_SD_MAX_CHANNELS, 512) : 0,
    .quick_gelu = al_config_word(&reader, "hidden_act", activations, 0) == 0,
    .norm_eps = (float)al_config_real(&reader, "layer_norm_eps", 1e-12, 1, 1e-5),
  };
  if (reader.code == AL_OK && made.width % made.n_heads != 0)
    al_config_fail(&reader, AL_MODEL_CORRUPT, "\"hidden_size\" %d does not divide into %d heads", made.width,
                   made.n_heads);
  if (reader.code == AL_OK)
    *text = made;
  return reader.code;
}

/* Which of our samplers a scheduler's class stands for. */
static const char *const classes[] = { "DDIMScheduler",
                                       "PNDMScheduler",
                                       "EulerDiscreteScheduler",
                                       "EulerAncestralDiscreteScheduler",
                                       "DPMSolverMultistepScheduler",
                                       "LCMScheduler",
                                       "FlowMatchEulerDiscreteScheduler",
                                       nullptr };
static const char *const samplers[] = { "ddim", "ddim", "euler", "euler_a", "dpmpp_2m", "lcm", "flow_euler" };

/* Of all the classes above. What only tells how much noise a step adds in training, or how a picture is cut, does not
 * matter here. */
static const struct al_config_key schedule_keys[] = {
  { "algorithm_type", "dpmsolver++" },
  { "base_image_seq_len", nullptr },
  { "base_shift", nullptr },
  { "beta_end", nullptr },
  { "beta_schedule", nullptr },
  { "beta_start", nullptr },
  { "clip_sample", "false" },
  { "clip_sample_range", nullptr },
  { "dynamic_thresholding_ratio", nullptr },
  { "final_sigmas_type", "zero" },
  { "flow_shift", nullptr },
  { "interpolation_type", "linear" },
  { "lambda_min_clipped", nullptr },
  { "lower_order_final", nullptr },
  { "max_image_seq_len", nullptr },
  { "max_shift", nullptr },
  { "num_train_timesteps", nullptr },
  { "original_inference_steps", "50" },
  { "prediction_type", nullptr },
  { "rescale_betas_zero_snr", nullptr },
  { "sample_max_value", nullptr },
  { "set_alpha_to_one", nullptr },
  { "shift", nullptr },
  { "skip_prk_steps", nullptr },
  { "solver_order", "2" },
  { "solver_type", "midpoint" },
  { "steps_offset", nullptr },
  { "time_shift_type", nullptr },
  { "timestep_scaling", "10" },
  { "timestep_spacing", nullptr },
  { "timestep_type", "discrete" },
  { "use_karras_sigmas", nullptr },
  { "variance_type", nullptr },
};

enum al_code al_sd_config_schedule(const struct al_json *json, const char *file, struct al_sd_schedule_config *schedule,
                                   struct al_err *err)
{
  static const char *const betas[] = { "linear", "scaled_linear", nullptr };
  static const char *const predictions[] = { "epsilon", "v_prediction", nullptr };
  static const char *const spacings[] = { "leading", "trailing", "linspace", nullptr };
  struct al_config_reader reader = { .root = json, .file = file, .err = err };
  al_config_reader_check(&reader, schedule_keys, AL_COUNT(schedule_keys));
  if (reader.code != AL_OK)
    return reader.code;
  int class = al_config_word(&reader, "_class_name", classes, 0);
  bool flow = class == 6;
  struct al_sd_schedule_config made = {
    .n_train_steps = al_config_int(&reader, "num_train_timesteps", 1, AL_SD_MAX_TRAIN_STEPS, 1000),
    .beta_start = al_config_real(&reader, "beta_start", 1e-9, 0.999, 0.0001),
    .beta_end = al_config_real(&reader, "beta_end", 1e-9, 0.999, 0.02),
    .betas = (enum al_sd_betas)al_config_word(&reader, "beta_schedule", betas, AL_SD_BETAS_LINEAR),
    .prediction = flow ? AL_SD_FLOW : (enum al_sd_prediction)al_config_word(&reader, "prediction_type", predictions, 0),
    .spacing = (enum al_sd_spacing)al_config_word(&reader, "timestep_spacing", spacings, AL_SD_LEADING),
    .steps_offset = al_config_int(&reader, "steps_offset", 0, 100, 0),
    .final_alpha_one = al_config_bool(&reader, "set_alpha_to_one", class != 1),
    .zero_terminal_snr = al_config_bool(&reader, "rescale_betas_zero_snr", false),
    .karras = al_config_bool(&reader, "use_karras_sigmas", false),
    .shift = al_config_real(&reader, "shift", 1e-3, 1e3, 1),
  };
  (void)snprintf(made.sampler, sizeof made.sampler, "%s", samplers[class]);
  if (reader.code == AL_OK)
    *schedule = made;
  return reader.code;
}
