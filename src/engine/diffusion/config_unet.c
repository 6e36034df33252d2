/* unet/config.json of Diffusers' UNet2DConditionModel. */
#include "engine/diffusion/config.h"
#include "engine/diffusion/config_reader.h"

static const struct al_config_key keys[] = {
  { "act_fn", "silu" },
  { "addition_embed_type", nullptr },
  { "addition_embed_type_num_heads", nullptr },
  { "addition_time_embed_dim", nullptr },
  { "attention_head_dim", nullptr },
  { "attention_type", "default" },
  { "block_out_channels", nullptr },
  { "center_input_sample", "false" },
  { "class_embeddings_concat", "false" },
  { "conv_in_kernel", "3" },
  { "conv_out_kernel", "3" },
  { "cross_attention_dim", nullptr },
  { "down_block_types", nullptr },
  { "downsample_padding", "1" },
  { "dropout", nullptr },
  { "dual_cross_attention", "false" },
  { "flip_sin_to_cos", "true" },
  { "freq_shift", "0" },
  { "in_channels", nullptr },
  { "layers_per_block", nullptr },
  { "mid_block_scale_factor", "1" },
  { "mid_block_type", "UNetMidBlock2DCrossAttn" },
  { "norm_eps", nullptr },
  { "norm_num_groups", nullptr },
  { "num_attention_heads", nullptr },
  { "only_cross_attention", "false" },
  { "out_channels", nullptr },
  { "projection_class_embeddings_input_dim", nullptr },
  { "resnet_out_scale_factor", "1" },
  { "resnet_skip_time_act", "false" },
  { "resnet_time_scale_shift", "default" },
  { "sample_size", nullptr },
  { "time_cond_proj_dim", nullptr },
  { "time_embedding_type", "positional" },
  { "transformer_layers_per_block", nullptr },
  { "up_block_types", nullptr },
  { "upcast_attention", nullptr }, /* attention is computed in F32 anyway */
  { "use_linear_projection", nullptr },
};

static void read_types(struct al_config_reader *reader, const char *key, const char *const *names, bool *attention,
                       int n)
{
  const struct al_json *list = al_json_get(reader->root, key);
  if (al_json_kind(list) != AL_JSON_ARRAY || al_json_count(list) != (size_t)n) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"%s\" must have one name for each of the %d levels", key, n);
    return;
  }
  struct al_json_iter it = al_json_iter(list);
  for (int i = 0; al_json_next(&it); i++) {
    struct al_str name = al_json_str(it.value);
    attention[i] = al_str_is(name, names[1]);
    if (!attention[i] && !al_str_is(name, names[0]))
      al_config_fail(reader, AL_UNSUPPORTED, "\"%s\" has a \"%.*s\"; known are %s and %s", key,
                     (int)al_min_size(name.size, 60), name.size > 0 ? name.data : "", names[0], names[1]);
  }
}

static void read_levels(struct al_config_reader *reader, struct al_sd_unet_config *unet)
{
  static const char *const down[] = { "DownBlock2D", "CrossAttnDownBlock2D" };
  static const char *const up[] = { "UpBlock2D", "CrossAttnUpBlock2D" };
  size_t n = al_json_count(al_json_get(reader->root, "block_out_channels"));
  if (n < 1 || n > AL_SD_MAX_LEVELS) {
    al_config_fail(reader, AL_MODEL_CORRUPT, "\"block_out_channels\" must have 1 to %d numbers", AL_SD_MAX_LEVELS);
    return;
  }
  unet->n_levels = (int)n;
  al_config_ints(reader, "block_out_channels", unet->channels, unet->n_levels, 0);
  al_config_ints(reader, "transformer_layers_per_block", unet->depth, unet->n_levels, 1);
  bool named = al_config_has(reader, "num_attention_heads");
  /* attention_head_dim is the number of heads: a misnomer that the files have kept. */
  al_config_ints(reader, named ? "num_attention_heads" : "attention_head_dim", unet->n_heads, unet->n_levels, 8);
  read_types(reader, "down_block_types", down, unet->down_attention, unet->n_levels);
  read_types(reader, "up_block_types", up, unet->up_attention, unet->n_levels);
}

static void check_levels(struct al_config_reader *reader, const struct al_sd_unet_config *unet)
{
  for (int i = 0; i < unet->n_levels; i++) {
    int channels = unet->channels[i];
    if (channels < 1 || channels > AL_SD_MAX_CHANNELS || channels % unet->n_groups != 0)
      al_config_fail(reader, AL_MODEL_CORRUPT, "%d channels in level %d do not divide into %d groups of at most %d",
                     channels, i, unet->n_groups, AL_SD_MAX_CHANNELS);
    else if (unet->n_heads[i] < 1 || channels % unet->n_heads[i] != 0)
      al_config_fail(reader, AL_MODEL_CORRUPT, "%d channels in level %d do not divide into %d attention heads",
                     channels, i, unet->n_heads[i]);
    else if (unet->depth[i] < 1 || unet->depth[i] > AL_SD_MAX_DEPTH)
      al_config_fail(reader, AL_MODEL_CORRUPT, "\"transformer_layers_per_block\" must be from 1 to %d",
                     AL_SD_MAX_DEPTH);
    /* A skip connection is joined to what comes up: the sum must divide into groups too; it does, as both do. */
  }
  if (unet->channels[0] % 2 != 0)
    al_config_fail(reader, AL_MODEL_CORRUPT, "an odd number of channels in level 0 cannot embed the time");
}

static void read_sizes(struct al_config_reader *reader, struct al_sd_unet_config *unet)
{
  struct al_str type = al_config_str(reader, "addition_embed_type", "");
  if (type.size == 0)
    return;
  if (!al_str_is(type, "text_time")) {
    al_config_fail(reader, AL_UNSUPPORTED, "\"addition_embed_type\" is \"%.*s\"; only text_time can be computed",
                   (int)al_min_size(type.size, 60), type.data);
    return;
  }
  unet->size_dim = al_config_int(reader, "addition_time_embed_dim", 2, AL_SD_MAX_CHANNELS, 256);
  unet->size_input = al_config_int(reader, "projection_class_embeddings_input_dim", 1, 1 << 17, 0);
  if (unet->size_dim % 2 != 0 || unet->size_input <= 6 * unet->size_dim)
    al_config_fail(reader, AL_MODEL_CORRUPT,
                   "\"projection_class_embeddings_input_dim\" %d leaves no room for six sizes of %d", unet->size_input,
                   unet->size_dim);
}

enum al_code al_sd_config_unet(const struct al_json *json, const char *file, struct al_sd_unet_config *unet,
                               struct al_err *err)
{
  struct al_config_reader reader = { .root = json, .file = file, .err = err };
  al_config_reader_check(&reader, keys, AL_COUNT(keys));
  if (reader.code != AL_OK)
    return reader.code;
  struct al_sd_unet_config made = {
    .in_channels = al_config_int(&reader, "in_channels", 1, 64, 4),
    .out_channels = al_config_int(&reader, "out_channels", 1, 64, 4),
    .n_layers = al_config_int(&reader, "layers_per_block", 1, AL_SD_MAX_LAYERS, 2),
    .cross_dim = al_config_int(&reader, "cross_attention_dim", 1, 1 << 14, 1280),
    .n_groups = al_config_int(&reader, "norm_num_groups", 1, AL_SD_MAX_CHANNELS, 32),
    .norm_eps = (float)al_config_real(&reader, "norm_eps", 1e-12, 1, 1e-5),
    .linear_projection = al_config_bool(&reader, "use_linear_projection", false),
    .cond_dim = al_config_int(&reader, "time_cond_proj_dim", 2, AL_SD_MAX_CHANNELS, 0),
    .sample_size = al_config_int(&reader, "sample_size", 1, 1024, 64),
  };
  read_levels(&reader, &made);
  if (reader.code == AL_OK)
    check_levels(&reader, &made);
  read_sizes(&reader, &made);
  if (reader.code == AL_OK && made.cond_dim % 2 != 0)
    al_config_fail(&reader, AL_MODEL_CORRUPT, "\"time_cond_proj_dim\" must be even");
  if (reader.code == AL_OK)
    *unet = made;
  return reader.code;
}
