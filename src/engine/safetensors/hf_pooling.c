#include "engine/safetensors/hf_pooling.h"

#include "engine/safetensors/hf_config.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>

constexpr size_t MAX_BYTES = (size_t)1 << 20;

static const struct {
  const char *key;  /* before: a boolean each */
  const char *name; /* now: the value of "pooling_mode" */
  enum al_pooling pooling;
} modes[] = {
  { "pooling_mode_cls_token", "cls", AL_POOLING_CLS },
  { "pooling_mode_mean_tokens", "mean", AL_POOLING_MEAN },
  { "pooling_mode_lasttoken", "lasttoken", AL_POOLING_LAST },
  { "pooling_mode_max_tokens", "max", AL_POOLING_NONE },
  { "pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", AL_POOLING_NONE },
  { "pooling_mode_weightedmean_tokens", "weightedmean", AL_POOLING_NONE },
};

static enum al_code read_mode(const struct al_json *config, enum al_pooling *pooling, struct al_err *err)
{
  struct al_str name = al_json_str(al_json_get(config, "pooling_mode"));
  size_t n = 0;
  size_t chosen = 0;
  for (size_t i = 0; i < AL_COUNT(modes); i++)
    if (al_json_bool(al_json_get(config, modes[i].key), false) || (name.size > 0 && al_str_is(name, modes[i].name))) {
      chosen = i;
      n++;
    }
  if (n == 1 && modes[chosen].pooling != AL_POOLING_NONE) {
    *pooling = modes[chosen].pooling;
    return AL_OK;
  }
  return al_fail(err, AL_UNSUPPORTED,
                 "the pooling of this embedding model (%s) is not supported; cls, mean and lasttoken are",
                 n == 1   ? modes[chosen].key
                 : n == 0 ? "none that is known"
                          : "several at once");
}

static enum al_code read_pooling(const char *directory, struct al_str path, enum al_pooling *pooling,
                                 struct al_err *err)
{
  char name[128];
  if (path.size > 100 || memchr(path.data != nullptr ? path.data : "", '\0', path.size) != nullptr ||
      memmem(path.data, path.size, "..", 2) != nullptr || al_str_starts(path, al_str("/")))
    return al_fail(err, AL_MODEL_CORRUPT, "modules.json: a module's path leaves the model's directory");
  (void)snprintf(name, sizeof name, "%.*s%sconfig.json", (int)path.size, path.data, path.size > 0 ? "/" : "");
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_hf_read_json(directory, name, MAX_BYTES, &doc, err));
  if (doc == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "%s is missing", name);
  return read_mode(al_json_root(doc), pooling, err);
}

/* "sentence_transformers.models.Pooling": the last part tells. */
static bool is_module(struct al_str type, const char *name)
{
  size_t size = strlen(name);
  return al_str_ends(type, al_str(name)) && (type.size == size || type.data[type.size - size - 1] == '.');
}

enum al_code al_hf_pooling_read(const char *directory, enum al_pooling *pooling, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_hf_read_json(directory, "modules.json", MAX_BYTES, &doc, err));
  if (doc == nullptr)
    return AL_OK;
  struct al_json_iter it = al_json_iter(al_json_root(doc));
  while (al_json_next(&it)) {
    struct al_str type = al_json_str(al_json_get(it.value, "type"));
    if (is_module(type, "Pooling"))
      AL_TRY(read_pooling(directory, al_json_str(al_json_get(it.value, "path")), pooling, err));
    else if (!is_module(type, "Transformer") && !is_module(type, "Normalize"))
      return al_fail(err, AL_UNSUPPORTED, "modules.json: the module \"%.*s\" is not supported",
                     (int)al_min_size(type.size, 100), type.size > 0 ? type.data : "");
  }
  return AL_OK;
}
