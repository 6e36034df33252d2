#include "store/descriptor.h"

#include "base/alloc.h"

const char *al_model_type_name(enum al_model_type type)
{
  static const char *const names[AL_TYPE_COUNT] = { "llm", "embedding", "stt", "tts", "image", "vision", "adapter" };
  return (unsigned)type < AL_TYPE_COUNT ? names[type] : "unknown";
}

const char *al_model_format_name(enum al_model_format format)
{
  static const char *const names[AL_FORMAT_COUNT] = { "unknown", "gguf", "safetensors", "pytorch", "ggml", "none" };
  return (unsigned)format < AL_FORMAT_COUNT ? names[format] : "unknown";
}

struct al_model_descriptor *al_descriptor_new(void)
{
  struct al_model_descriptor *descriptor = al_calloc(1, sizeof *descriptor);
  if (descriptor != nullptr)
    descriptor->n_refs = 1;
  return descriptor;
}

struct al_model_descriptor *al_descriptor_ref(struct al_model_descriptor *descriptor)
{
  if (descriptor != nullptr)
    (void)__atomic_fetch_add(&descriptor->n_refs, 1, __ATOMIC_RELAXED);
  return descriptor;
}

void al_descriptor_unref(struct al_model_descriptor *descriptor)
{
  if (descriptor == nullptr || __atomic_fetch_sub(&descriptor->n_refs, 1, __ATOMIC_ACQ_REL) > 1)
    return;
  for (size_t i = 0; i < descriptor->n_files; i++)
    al_free(descriptor->files[i]);
  al_free(descriptor->files);
  al_free(descriptor->id);
  al_free(descriptor->runtime);
  al_free(descriptor->architecture);
  al_free(descriptor->quantisation);
  al_free(descriptor->base);
  al_free(descriptor->directory);
  al_free(descriptor);
}
