/* Names in a Diffusers directory: our own, but for the VAE's attention in files from before 2023, and text encoders
 * that were saved from inside another model. */
#include "engine/diffusion/names.h"

#include "base/macros.h"
#include "base/str.h"

#include <stdio.h>

static bool copy(const char *name, struct al_sd_alias *alias)
{
  return snprintf(alias->name, sizeof alias->name, "%s", name) < (int)sizeof alias->name;
}

static bool old_attention(const char *name, struct al_sd_alias *alias)
{
  static const struct al_sd_rename rules[] = {
    { "to_q.", "query." }, { "to_k.", "key." }, { "to_v.", "value." }, { "to_out.0.", "proj_attn." }
  };
  const char *inner = strstr(name, ".attentions.0.");
  if (inner == nullptr)
    return false;
  inner += strlen(".attentions.0.");
  size_t head = (size_t)(inner - name);
  if (head >= sizeof alias->name)
    return false;
  memcpy(alias->name, name, head);
  return al_sd_rename(rules, AL_COUNT(rules), inner, alias->name + head, sizeof alias->name - head);
}

bool al_sd_alias_diffusers(const struct al_sd_naming *, enum al_sd_part part, const char *name, size_t at,
                           struct al_sd_alias *alias)
{
  if (at == 0)
    return copy(name, alias);
  if (at > 1)
    return false;
  if (part == AL_SD_VAE)
    return old_attention(name, alias);
  static const char wrapper[] = "text_model.";
  if ((part == AL_SD_TEXT || part == AL_SD_TEXT_2) && al_str_starts(al_str(name), al_str(wrapper)))
    return copy(name + sizeof wrapper - 1, alias);
  return false;
}
