/* Names in single checkpoints, as CompVis' latent-diffusion code (ldm) and Stability's generative-models write them.
 * There the UNet's blocks are numbered through: input_blocks.0 is the first convolution, then each level has its
 * ResNet blocks and one block that halves the size. */
#include "engine/diffusion/names.h"

#include "base/macros.h"
#include "base/str.h"

#include <stdio.h>

struct renames {
  const struct al_sd_rename *rules;
  size_t n;
};

static const struct al_sd_rename same_rules[] = { { "", "" } };
static const struct renames same = { same_rules, AL_COUNT(same_rules) };

static const struct al_sd_rename resnet_rules[] = {
  { "norm1.", "in_layers.0." },  { "conv1.", "in_layers.2." },  { "time_emb_proj.", "emb_layers.1." },
  { "norm2.", "out_layers.0." }, { "conv2.", "out_layers.3." }, { "conv_shortcut.", "skip_connection." },
};
static const struct renames resnet = { resnet_rules, AL_COUNT(resnet_rules) };

static const struct al_sd_rename vae_resnet_rules[] = { { "conv_shortcut.", "nin_shortcut." }, { "", "" } };
static const struct renames vae_resnet = { vae_resnet_rules, AL_COUNT(vae_resnet_rules) };

static const struct al_sd_rename vae_attention_rules[] = {
  { "group_norm.", "norm." }, { "to_q.", "q." }, { "to_k.", "k." }, { "to_v.", "v." }, { "to_out.0.", "proj_out." },
};
static const struct renames vae_attention = { vae_attention_rules, AL_COUNT(vae_attention_rules) };

static const struct al_sd_rename unet_whole[] = {
  { "time_embedding.linear_1.", "time_embed.0." },
  { "time_embedding.linear_2.", "time_embed.2." },
  { "time_embedding.cond_proj.", "time_embed.cond_proj." },
  { "add_embedding.linear_1.", "label_emb.0.0." },
  { "add_embedding.linear_2.", "label_emb.0.2." },
  { "conv_in.", "input_blocks.0.0." },
  { "conv_norm_out.", "out.0." },
  { "conv_out.", "out.2." },
};

/* A block with numbers in its name: of level i and place j. Its number there is first + i * (L + more) + j. */
struct block_rule {
  const char *from;
  const char *to;
  int first;
  bool counts_level_end; /* add L: it is the last of its level */
  const struct renames *inner;
};

static const struct block_rule unet_blocks[] = {
  { "down_blocks.#.resnets.#.", "input_blocks.#.0.", 1, false, &resnet },
  { "down_blocks.#.attentions.#.", "input_blocks.#.1.", 1, false, &same },
  { "down_blocks.#.downsamplers.#.conv.", "input_blocks.#.0.op.", 1, true, &same },
  { "up_blocks.#.resnets.#.", "output_blocks.#.0.", 0, false, &resnet },
  { "up_blocks.#.attentions.#.", "output_blocks.#.1.", 0, false, &same },
  /* After the attention where there is one, otherwise right after the ResNet block. */
  { "up_blocks.#.upsamplers.#.conv.", "output_blocks.#.2.conv.", 0, true, &same },
  { "up_blocks.#.upsamplers.#.conv.", "output_blocks.#.1.conv.", 0, true, &same },
};

static bool write_numbered(const char *to, int number, const struct renames *inner, const char *rest,
                           struct al_sd_alias *alias)
{
  const char *hole = strchr(to, '#');
  int n = snprintf(alias->name, sizeof alias->name, "%.*s%d%s", (int)(hole - to), to, number, hole + 1);
  return n >= 0 && (size_t)n < sizeof alias->name &&
         al_sd_rename(inner->rules, inner->n, rest, alias->name + n, sizeof alias->name - (size_t)n);
}

/* Reads a number where `pattern` has "#"; returns what follows the pattern, or nullptr. */
static const char *match(const char *pattern, const char *name, int numbers[2])
{
  size_t n = 0;
  for (; *pattern != '\0'; pattern++) {
    if (*pattern != '#') {
      if (*name++ != *pattern)
        return nullptr;
      continue;
    }
    numbers[n] = 0;
    if (*name < '0' || *name > '9')
      return nullptr;
    for (; *name >= '0' && *name <= '9' && numbers[n] < 1000; name++)
      numbers[n] = numbers[n] * 10 + (*name - '0');
    n++;
  }
  return name;
}

static bool unet_block(const struct al_sd_naming *naming, const struct block_rule *rule, const char *name,
                       struct al_sd_alias *alias)
{
  int at[2] = {};
  const char *rest = match(rule->from, name, at);
  if (rest == nullptr)
    return false;
  int number = rule->first + at[0] * (naming->n_layers + 1) + at[1] + (rule->counts_level_end ? naming->n_layers : 0);
  char to[64];
  (void)snprintf(to, sizeof to, "model.diffusion_model.%s", rule->to);
  return write_numbered(to, number, rule->inner, rest, alias);
}

static bool unet_middle(const char *name, struct al_sd_alias *alias)
{
  int at[2] = {};
  const char *rest = match("mid_block.resnets.#.", name, at);
  if (rest != nullptr)
    return write_numbered("model.diffusion_model.middle_block.#.", 2 * at[0], &resnet, rest, alias);
  rest = match("mid_block.attentions.0.", name, at);
  return rest != nullptr && write_numbered("model.diffusion_model.middle_block.#.", 1, &same, rest, alias);
}

static bool unet_plain(const char *name, struct al_sd_alias *alias)
{
  static const char root[] = "model.diffusion_model.";
  memcpy(alias->name, root, sizeof root);
  return al_sd_rename(unet_whole, AL_COUNT(unet_whole), name, alias->name + sizeof root - 1,
                      sizeof alias->name - sizeof root + 1);
}

bool al_sd_alias_ldm_unet(const struct al_sd_naming *naming, const char *name, size_t at, struct al_sd_alias *alias)
{
  if (unet_plain(name, alias) || unet_middle(name, alias))
    return at == 0;
  for (size_t i = 0; i < AL_COUNT(unet_blocks); i++)
    if (unet_block(naming, &unet_blocks[i], name, alias) && at-- == 0)
      return true;
  return false;
}

static const struct block_rule vae_blocks[] = {
  { "encoder.down_blocks.#.resnets.#.", "first_stage_model.encoder.down.#.block.", 0, false, &vae_resnet },
  { "decoder.up_blocks.#.resnets.#.", "first_stage_model.decoder.up.#.block.", 0, true, &vae_resnet },
  { "encoder.down_blocks.#.downsamplers.0.conv.", "first_stage_model.encoder.down.#.downsample.conv.", 0, false,
    &same },
  { "decoder.up_blocks.#.upsamplers.0.conv.", "first_stage_model.decoder.up.#.upsample.conv.", 0, true, &same },
};

/* The decoder's levels are counted from the last to the first there. */
static bool vae_block(const struct al_sd_naming *naming, const struct block_rule *rule, const char *name,
                      struct al_sd_alias *alias)
{
  int at[2] = {};
  const char *rest = match(rule->from, name, at);
  if (rest == nullptr)
    return false;
  char to[96];
  bool is_resnet = rule->inner == &vae_resnet;
  if (is_resnet)
    (void)snprintf(to, sizeof to, "%s%d.", rule->to, at[1]);
  else
    (void)snprintf(to, sizeof to, "%s", rule->to);
  int level = rule->counts_level_end ? naming->n_vae_levels - 1 - at[0] : at[0];
  return write_numbered(to, level, rule->inner, rest, alias);
}

static bool vae_middle(const char *side, const char *name, struct al_sd_alias *alias)
{
  int at[2] = {};
  char pattern[64], to[64];
  (void)snprintf(pattern, sizeof pattern, "%s.mid_block.resnets.#.", side);
  (void)snprintf(to, sizeof to, "first_stage_model.%s.mid.block_#.", side);
  const char *rest = match(pattern, name, at);
  if (rest != nullptr)
    return write_numbered(to, at[0] + 1, &vae_resnet, rest, alias);
  (void)snprintf(pattern, sizeof pattern, "%s.mid_block.attentions.0.", side);
  (void)snprintf(to, sizeof to, "first_stage_model.%s.mid.attn_#.", side);
  rest = match(pattern, name, at);
  return rest != nullptr && write_numbered(to, 1, &vae_attention, rest, alias);
}

bool al_sd_alias_ldm_vae(const struct al_sd_naming *naming, const char *name, size_t at, struct al_sd_alias *alias)
{
  static const struct al_sd_rename whole[] = {
    { "encoder.conv_norm_out.", "first_stage_model.encoder.norm_out." },
    { "decoder.conv_norm_out.", "first_stage_model.decoder.norm_out." },
    { "", "first_stage_model." },
  };
  if (at > 0)
    return false;
  if (vae_middle("encoder", name, alias) || vae_middle("decoder", name, alias))
    return true;
  for (size_t i = 0; i < AL_COUNT(vae_blocks); i++)
    if (vae_block(naming, &vae_blocks[i], name, alias))
      return true;
  return al_sd_rename(whole, AL_COUNT(whole), name, alias->name, sizeof alias->name);
}
