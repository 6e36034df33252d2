#include "engine/diffusion/names.h"

#include "base/str.h"

#include <stdio.h>

bool al_sd_rename(const struct al_sd_rename *rules, size_t n_rules, const char *rest, char *out, size_t size)
{
  for (size_t i = 0; i < n_rules; i++) {
    if (!al_str_starts(al_str(rest), al_str(rules[i].from)))
      continue;
    int n = snprintf(out, size, "%s%s", rules[i].to, rest + strlen(rules[i].from));
    return n >= 0 && (size_t)n < size;
  }
  return false;
}

bool al_sd_alias(const struct al_sd_naming *naming, enum al_sd_part part, const char *name, size_t at,
                 struct al_sd_alias *alias)
{
  *alias = (struct al_sd_alias){ .third = -1 };
  if (!naming->is_single)
    return al_sd_alias_diffusers(naming, part, name, at, alias);
  if (part == AL_SD_UNET)
    return al_sd_alias_ldm_unet(naming, name, at, alias);
  if (part == AL_SD_VAE)
    return al_sd_alias_ldm_vae(naming, name, at, alias);
  return al_sd_alias_ldm_text(naming, part, name, at, alias);
}
