/* An adapter is the hash of its name: it changes what is said, and nothing else. */
#include "base/alloc.h"
#include "engine/fake/model.h"

#include <assert.h>

struct al_engine_adapter {
  uint64_t hash;
};

static uint64_t hash_text(const char *text)
{
  uint64_t hash = FAKE_HASH_START;
  for (; text != nullptr && *text != '\0'; text++)
    hash = fake_hash(hash, (unsigned char)*text);
  return hash;
}

enum al_code fake_adapter_load(struct al_engine_model *, const struct al_model_descriptor *descriptor,
                               struct al_engine_adapter **adapter, struct al_err *err)
{
  if (descriptor->architecture != nullptr && !al_streq(descriptor->architecture, "fake"))
    return al_fail(err, AL_UNSUPPORTED, "the adapter '%s' was trained for another model (%s)", descriptor->id,
                   descriptor->architecture);
  struct al_engine_adapter *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->hash = hash_text(descriptor->id);
  al_fake_counts.n_adapters++;
  *adapter = made;
  return AL_OK;
}

void fake_adapter_free(struct al_engine_model *, struct al_engine_adapter *adapter)
{
  if (adapter != nullptr)
    al_fake_counts.n_adapters--;
  al_free(adapter);
}

enum al_code fake_adapter_use(struct al_engine_model *model, const struct al_adapter_use *uses, size_t n_uses,
                              struct al_err *err)
{
  bool was_busy = atomic_flag_test_and_set(&model->busy);
  assert(!was_busy);
  al_fake_counts.n_adapter_uses++;
  model->adapters = 0;
  for (size_t i = 0; i < n_uses; i++) {
    int32_t scale = (int32_t)(uses[i].scale * 1000);
    model->adapters ^= fake_mix(fake_hash(uses[i].adapter->hash, scale) + i) | 1;
  }
  atomic_flag_clear(&model->busy);
  if (n_uses > 0 && al_fake_knobs.no_adapter_use)
    return al_fail(err, AL_INTERNAL, "the fake engine was told not to use adapters");
  return AL_OK;
}
