/* What a tensor is called in a file. The code knows every tensor by the name that Diffusers and transformers give it;
 * other files have other names for it, sometimes several that have to be tried, and sometimes it is a third of another
 * tensor or stands there transposed. */
#ifndef AL_ENGINE_DIFFUSION_NAMES_H
#define AL_ENGINE_DIFFUSION_NAMES_H

#include "engine/diffusion/config.h"
#include "engine/diffusion/files.h"

constexpr size_t AL_SD_NAME_BYTES = 256;

struct al_sd_alias {
  char name[AL_SD_NAME_BYTES];
  int third; /* 0, 1, 2: rows of a tensor that holds query, key and value; -1: the whole tensor */
  bool transposed;
};

/* What the numbers in names depend on. */
struct al_sd_naming {
  bool is_single;
  bool is_xl;
  int n_layers; /* of the UNet */
  int n_vae_levels;
};

/* The candidate number `at` for a tensor's name; false after the last. Which one is right depends on the file. */
bool al_sd_alias(const struct al_sd_naming *naming, enum al_sd_part part, const char *name, size_t at,
                 struct al_sd_alias *alias);

/* One file a family of names; the same contract. */
bool al_sd_alias_diffusers(const struct al_sd_naming *naming, enum al_sd_part part, const char *name, size_t at,
                           struct al_sd_alias *alias);
bool al_sd_alias_ldm_unet(const struct al_sd_naming *naming, const char *name, size_t at, struct al_sd_alias *alias);
bool al_sd_alias_ldm_vae(const struct al_sd_naming *naming, const char *name, size_t at, struct al_sd_alias *alias);
bool al_sd_alias_ldm_text(const struct al_sd_naming *naming, enum al_sd_part part, const char *name, size_t at,
                          struct al_sd_alias *alias);

/* A rule of such a table: a name that begins with `from` (whose "%d" are numbers) continues with `rest` after `to`. */
struct al_sd_rename {
  const char *from;
  const char *to;
};

/* Writes `to` and what follows in place of `from` at the start of `rest`; the first rule that fits. False: none. */
bool al_sd_rename(const struct al_sd_rename *rules, size_t n_rules, const char *rest, char *out, size_t size);

#endif
