/* ModelDescriptor: all that is needed to start inference with one model. Immutable once published, shared by
 * reference count, so a request keeps the one it began with although the directory changes meanwhile. */
#ifndef AL_STORE_DESCRIPTOR_H
#define AL_STORE_DESCRIPTOR_H

#include "base/err.h"

#include <stdint.h>

enum al_model_type {
  AL_TYPE_LLM,
  AL_TYPE_EMBEDDING,
  AL_TYPE_STT,
  AL_TYPE_TTS,
  AL_TYPE_IMAGE,
  AL_TYPE_VISION,
  AL_TYPE_ADAPTER, /* LoRA: changes a model when a request asks for it, and does not run alone */
  AL_TYPE_COUNT
};

enum al_model_format {
  AL_FORMAT_UNKNOWN,
  AL_FORMAT_GGUF,
  AL_FORMAT_SAFETENSORS,
  AL_FORMAT_PYTORCH,
  AL_FORMAT_GGML, /* the files of whisper.cpp: "ggml-base.en.bin" */
  AL_FORMAT_NONE, /* no file: the program brings it (the voice "espeak") */
  AL_FORMAT_COUNT
};

enum al_capability {
  AL_CAN_CHAT = 1 << 0,
  AL_CAN_COMPLETE = 1 << 1,
  AL_CAN_EMBED = 1 << 2,
  AL_CAN_RERANK = 1 << 3,
  AL_CAN_TRANSCRIBE = 1 << 4,
  AL_CAN_SPEAK = 1 << 5,
  AL_CAN_DRAW = 1 << 6,
  AL_CAN_SEE = 1 << 7,
};

struct al_model_descriptor {
  char *id;           /* path below its models directory ("org/name"), a GGUF's without its extension */
  char *runtime;      /* "llama_cpp", "safetensors_cpp", ...; "" when no runtime fits */
  char *architecture; /* GGUF general.architecture ("qwen3"), or config.json's architectures[0] ("Qwen3ForCausalLM") */
  char *quantisation; /* the type that holds most weights: "Q4_K", "BF16", ... */
  char *base;         /* of an adapter: the model it was trained for, as its files name it; otherwise "" */
  char *directory;    /* absolute */
  char **files;       /* absolute; the weights in order, the primary file first. A split GGUF lists every part */
  size_t n_files;
  enum al_model_type type;
  enum al_model_format format;
  unsigned capabilities; /* of enum al_capability */
  bool builtin;
  int64_t n_parameters;  /* 0 unknown */
  int64_t n_ctx_train;   /* 0 unknown */
  uint64_t size_bytes;   /* of the weight files */
  int64_t modified_s;    /* newest of its files, Unix seconds */
  struct al_err problem; /* code AL_OK, or why it cannot run here; the message names the file */
  int n_refs;            /* private */
};

const char *al_model_type_name(enum al_model_type type); /* "llm", "embedding", "stt", ... */
const char *al_model_format_name(
    enum al_model_format format); /* "gguf", "safetensors", "pytorch", "ggml", "none", "unknown" */

struct al_model_descriptor *al_descriptor_new(void); /* zeroed strings as nullptr, one reference; nullptr on OOM */
struct al_model_descriptor *al_descriptor_ref(struct al_model_descriptor *descriptor);
void al_descriptor_unref(struct al_model_descriptor *descriptor); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_model_descriptor, al_descriptor_unref)

#endif
