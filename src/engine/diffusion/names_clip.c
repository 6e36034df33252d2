/* Names of text encoders in single checkpoints: transformers' CLIP (SD 1.x, the first of SDXL), and OpenCLIP (SD 2.x,
 * the second of SDXL), which keeps query, key and value in one tensor and its projection transposed. */
#include "engine/diffusion/names.h"

#include "base/macros.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

static const struct al_sd_rename whole[] = {
  { "text_model.embeddings.token_embedding.", "token_embedding." },
  { "text_model.embeddings.position_embedding.weight", "positional_embedding" },
  { "text_model.final_layer_norm.", "ln_final." },
  { "text_projection.weight", "text_projection" },
};

static const struct al_sd_rename layer[] = {
  { "layer_norm1.", "ln_1." },
  { "layer_norm2.", "ln_2." },
  { "mlp.fc1.", "mlp.c_fc." },
  { "mlp.fc2.", "mlp.c_proj." },
  { "self_attn.out_proj.", "attn.out_proj." },
};

static const struct al_sd_rename thirds[] = {
  { "self_attn.q_proj.", "attn.in_proj_" },
  { "self_attn.k_proj.", "attn.in_proj_" },
  { "self_attn.v_proj.", "attn.in_proj_" },
};

static bool openclip_layer(const char *rest, char *out, size_t size, struct al_sd_alias *alias)
{
  if (al_sd_rename(layer, AL_COUNT(layer), rest, out, size))
    return true;
  for (int i = 0; i < 3; i++)
    if (al_sd_rename(&thirds[i], 1, rest, out, size)) {
      alias->third = i;
      return true;
    }
  return false;
}

static bool openclip(const char *root, const char *name, struct al_sd_alias *alias)
{
  static const char layers[] = "text_model.encoder.layers.";
  int n = snprintf(alias->name, sizeof alias->name, "%s", root);
  char *out = alias->name + n;
  size_t size = sizeof alias->name - (size_t)n;
  if (!al_str_starts(al_str(name), al_str(layers))) {
    alias->transposed = al_str_is(al_str(name), "text_projection.weight");
    return al_sd_rename(whole, AL_COUNT(whole), name, out, size);
  }
  char *rest;
  long number = strtol(name + sizeof layers - 1, &rest, 10);
  n = snprintf(out, size, "transformer.resblocks.%ld.", number);
  return *rest == '.' && openclip_layer(rest + 1, out + n, size - (size_t)n, alias);
}

static bool prefixed(const char *root, const char *name, struct al_sd_alias *alias)
{
  return snprintf(alias->name, sizeof alias->name, "%s%s", root, name) < (int)sizeof alias->name;
}

bool al_sd_alias_ldm_text(const struct al_sd_naming *naming, enum al_sd_part part, const char *name, size_t at,
                          struct al_sd_alias *alias)
{
  bool second = part == AL_SD_TEXT_2;
  if (at == 0)
    return prefixed(second          ? "conditioner.embedders.1.transformer."
                    : naming->is_xl ? "conditioner.embedders.0.transformer."
                                    : "cond_stage_model.transformer.",
                    name, alias);
  if (at == 1)
    return openclip(second ? "conditioner.embedders.1.model." : "cond_stage_model.model.", name, alias);
  return false;
}
