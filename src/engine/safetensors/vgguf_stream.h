/* A seekable read-only C stream over a virtual GGUF, for llama_model_load_from_file_ptr. One thread. */
#ifndef AL_ENGINE_SAFETENSORS_VGGUF_STREAM_H
#define AL_ENGINE_SAFETENSORS_VGGUF_STREAM_H

#include "engine/safetensors/vgguf.h"

#include <stdio.h>

struct al_vgguf_stream {
  FILE *file;
  struct al_err failure;  /* why the last read failed; code AL_OK while none did */
  struct al_vgguf *vgguf; /* borrowed */
  uint64_t position;
  uint8_t *window; /* owned; what was made ahead: bytes [window_start, window_start + window_size) */
  uint64_t window_start;
  size_t window_size;
};

/* Not to be moved while open. */
enum al_code al_vgguf_stream_open(struct al_vgguf *vgguf, struct al_vgguf_stream *stream, struct al_err *err);
void al_vgguf_stream_close(struct al_vgguf_stream *stream); /* accepts a zeroed one */

#endif
