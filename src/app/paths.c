#include "app/paths.h"

#include "os/file.h"

#include <stdlib.h>

/* The first of the candidates, relative to the program's own directory, that exists as a directory or a file. */
static enum al_code first_that_exists(const char *const *candidates, size_t n, bool want_directory, char *out,
                                      size_t size, struct al_err *err)
{
  char program[4096];
  AL_TRY(al_path_of_program(program, sizeof program, err));
  for (size_t i = 0; i < n; i++) {
    struct al_file_info info;
    AL_TRY(al_path_join(out, size, program, candidates[i], err));
    if (al_file_stat(out, &info, nullptr) == AL_OK && info.is_directory == want_directory)
      return AL_OK;
  }
  out[0] = '\0';
  return AL_OK;
}

enum al_code al_path_worker(char *out, size_t size, struct al_err *err)
{
  static const char *const candidates[] = { "../libexec/allm/allm-worker", "allm-worker" };
  const char *chosen = getenv("ALLM_WORKER");
  if (chosen != nullptr && *chosen != '\0')
    return al_path_expand(out, size, chosen, err);
  AL_TRY(first_that_exists(candidates, AL_COUNT(candidates), false, out, size, err));
  if (out[0] == '\0')
    return al_fail(err, AL_INTERNAL, "the worker program is missing beside allm: is the installation complete?");
  return AL_OK;
}

enum al_code al_path_media(char *out, size_t size, struct al_err *err)
{
  static const char *const candidates[] = { "../libexec/allm/allm-media", "allm-media" };
  const char *chosen = getenv("ALLM_MEDIA");
  if (chosen != nullptr && *chosen != '\0')
    return al_path_expand(out, size, chosen, err);
  return first_that_exists(candidates, AL_COUNT(candidates), false, out, size, err);
}

enum al_code al_path_builtin_models(char *out, size_t size, struct al_err *err)
{
  /* A build directory first, then as installed: seen from libexec/allm, where the worker is, and from bin. */
  static const char *const candidates[] = { "models", "../../share/allm/models", "../share/allm/models" };
  return first_that_exists(candidates, AL_COUNT(candidates), true, out, size, err);
}

/* As huggingface_hub looks for it: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub. */
enum al_code al_path_hf_cache(char *out, size_t size, struct al_err *err)
{
  const char *cache = getenv("HF_HUB_CACHE");
  if (cache != nullptr && *cache != '\0')
    return al_path_expand(out, size, cache, err);
  const char *home = getenv("HF_HOME");
  if (home == nullptr || *home == '\0')
    home = "~/.cache/huggingface";
  char expanded[4096];
  AL_TRY(al_path_expand(expanded, sizeof expanded, home, err));
  return al_path_join(out, size, expanded, "hub", err);
}

enum al_code al_path_data(char *out, size_t size, struct al_err *err)
{
  const char *state = getenv("XDG_STATE_HOME");
  if (state == nullptr || *state != '/') /* the specification: a relative path is as good as none */
    state = "~/.local/state";
  char expanded[4096];
  AL_TRY(al_path_expand(expanded, sizeof expanded, state, err));
  return al_path_join(out, size, expanded, "allm", err);
}
