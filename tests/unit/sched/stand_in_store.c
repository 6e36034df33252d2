#include "stand_in_store.h"

#include "base/alloc.h"
#include "base/str.h"

_Atomic(const char *) stand_in_gone;

struct al_model_descriptor *al_descriptor_new(void)
{
  struct al_model_descriptor *descriptor = al_calloc(1, sizeof *descriptor);
  if (descriptor != nullptr)
    descriptor->n_refs = 1;
  return descriptor;
}

struct al_model_descriptor *al_descriptor_ref(struct al_model_descriptor *descriptor)
{
  (void)__atomic_add_fetch(&descriptor->n_refs, 1, __ATOMIC_RELAXED);
  return descriptor;
}

void al_descriptor_unref(struct al_model_descriptor *descriptor)
{
  if (descriptor == nullptr || __atomic_sub_fetch(&descriptor->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  al_free(descriptor->id);
  al_free(descriptor->runtime);
  al_free(descriptor->architecture);
  al_free(descriptor);
}

const char *al_model_type_name(enum al_model_type)
{
  return "llm";
}

const char *al_model_format_name(enum al_model_format)
{
  return "unknown";
}

static struct al_model_descriptor *describe(const char *id)
{
  struct al_model_descriptor *descriptor = al_descriptor_new();
  if (descriptor == nullptr)
    return nullptr;
  descriptor->id = al_strdup(id);
  descriptor->runtime = al_strdup(strstr(id, "alien") != nullptr ? "alien" : "fake");
  descriptor->architecture = al_strdup(strstr(id, "foreign") != nullptr ? "llama" : "fake");
  descriptor->type = strstr(id, "voice") != nullptr     ? AL_TYPE_TTS
                     : strstr(id, "whisper") != nullptr ? AL_TYPE_STT
                     : strstr(id, "paint") != nullptr   ? AL_TYPE_IMAGE
                     : strstr(id, "lora") != nullptr    ? AL_TYPE_ADAPTER
                     : strstr(id, "embed") != nullptr   ? AL_TYPE_EMBEDDING
                                                        : AL_TYPE_LLM;
  descriptor->capabilities = strstr(id, "voice") != nullptr     ? AL_CAN_SPEAK
                             : strstr(id, "whisper") != nullptr ? AL_CAN_TRANSCRIBE
                             : strstr(id, "paint") != nullptr   ? AL_CAN_DRAW
                             : strstr(id, "embed") != nullptr   ? AL_CAN_EMBED
                             : strstr(id, "rerank") != nullptr  ? AL_CAN_RERANK
                             : strstr(id, "both") != nullptr    ? AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED
                                                                : AL_CAN_CHAT | AL_CAN_COMPLETE;
  if (strstr(id, "broken") != nullptr)
    (void)al_fail(&descriptor->problem, AL_MODEL_CORRUPT, "model.gguf is cut short");
  if (descriptor->id != nullptr && descriptor->runtime != nullptr && descriptor->architecture != nullptr)
    return descriptor;
  al_descriptor_unref(descriptor);
  return nullptr;
}

enum al_code al_store_find(struct al_store *, const char *id, struct al_model_descriptor **descriptor,
                           struct al_err *err)
{
  const char *gone = stand_in_gone;
  if (strncmp(id, "fake", 4) != 0 || (gone != nullptr && strstr(id, gone) != nullptr))
    return al_fail_reason(err, al_fail(err, AL_NOT_FOUND, "no model '%s'", id), "model_not_found");
  struct al_model_descriptor *found = describe(id);
  if (found == nullptr)
    return al_fail_oom(err, sizeof *found);
  *descriptor = found;
  return AL_OK;
}

enum al_code al_store_list(struct al_store *, struct al_model_list *list, struct al_err *err)
{
  static const char *const ids[] = { "fake",       "fake-alien", "fake-broken", "fake-crashes",
                                     "fake-paint", "fake-voice", "fake-whisper" };
  struct al_model_descriptor **items = al_calloc(AL_COUNT(ids), sizeof(struct al_model_descriptor *));
  *list = (struct al_model_list){ .items = items };
  for (size_t i = 0; items != nullptr && i < AL_COUNT(ids); i++) {
    items[i] = describe(ids[i]);
    if (items[i] == nullptr)
      break;
    list->count++;
  }
  if (list->count == AL_COUNT(ids))
    return AL_OK;
  al_store_list_free(list);
  return al_fail_oom(err, sizeof ids);
}

void al_store_list_free(struct al_model_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_descriptor_unref(list->items[i]);
  al_free(list->items);
  *list = (struct al_model_list){};
}
