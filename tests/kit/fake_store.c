#include "tests/kit/fake_store.h"

#include "base/alloc.h"

#include <stdlib.h>

struct al_store {
  struct al_model_descriptor *models[9]; /* sorted by id */
};

static struct al_model_descriptor *make_model(const char *id, enum al_model_type type, unsigned capabilities)
{
  struct al_model_descriptor *model = al_descriptor_new();
  if (model == nullptr)
    abort();
  model->id = al_strdup(id);
  model->runtime = al_strdup("fake");
  model->architecture = al_strdup("fake");
  model->quantisation = al_strdup("F32");
  model->directory = al_strdup("/nowhere/models");
  model->type = type;
  model->capabilities = capabilities;
  model->n_ctx_train = 4096;
  model->modified_s = 1'700'000'000;
  return model;
}

enum al_code al_store_find(struct al_store *store, const char *id, struct al_model_descriptor **descriptor,
                           struct al_err *err)
{
  for (size_t i = 0; i < AL_COUNT(store->models); i++)
    if (strcmp(store->models[i]->id, id) == 0) {
      *descriptor = al_descriptor_ref(store->models[i]);
      return AL_OK;
    }
  return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "There is no model '%s'", id), "model_not_found");
}

enum al_code al_store_list(struct al_store *store, struct al_model_list *list, struct al_err *err)
{
  struct al_model_descriptor **items = al_calloc(AL_COUNT(store->models), sizeof(struct al_model_descriptor *));
  if (items == nullptr)
    return al_fail_oom(err, sizeof store->models);
  for (size_t i = 0; i < AL_COUNT(store->models); i++)
    items[i] = al_descriptor_ref(store->models[i]);
  *list = (struct al_model_list){ items, AL_COUNT(store->models) };
  return AL_OK;
}

void al_store_list_free(struct al_model_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_descriptor_unref(list->items[i]);
  al_free(list->items);
  *list = (struct al_model_list){};
}

enum al_code al_store_refresh(struct al_store *store, struct al_err *err)
{
  (void)store;
  (void)err;
  return AL_OK;
}

struct al_store *al_fake_store_new(void)
{
  struct al_store *store = al_alloc(sizeof *store);
  if (store == nullptr)
    abort();
  *store = (struct al_store){
    .models = {
        make_model("broken", AL_TYPE_LLM, AL_CAN_CHAT | AL_CAN_COMPLETE),
        make_model("fake", AL_TYPE_LLM, AL_CAN_CHAT | AL_CAN_COMPLETE),
        make_model("fake-embed", AL_TYPE_EMBEDDING, AL_CAN_EMBED),
        make_model("fake-lora", AL_TYPE_ADAPTER, 0),
        make_model("fake-lora-foreign", AL_TYPE_ADAPTER, 0),
        make_model("fake-rerank", AL_TYPE_EMBEDDING, AL_CAN_RERANK),
        make_model("fake-voice", AL_TYPE_TTS, AL_CAN_SPEAK),
        make_model("fake-whisper", AL_TYPE_STT, AL_CAN_TRANSCRIBE),
        make_model("org/fake", AL_TYPE_LLM, AL_CAN_CHAT | AL_CAN_COMPLETE),
    },
  };
  al_free(store->models[4]->architecture);
  store->models[4]->architecture = al_strdup("llama");
  (void)!al_fail(&store->models[0]->problem, AL_MODEL_CORRUPT, "/nowhere/models/broken.gguf ends after 7 bytes");
  return store;
}

void al_store_free(struct al_store *store)
{
  if (store == nullptr)
    return;
  for (size_t i = 0; i < AL_COUNT(store->models); i++)
    al_descriptor_unref(store->models[i]);
  al_free(store);
}
