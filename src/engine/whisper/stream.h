/* A model as the bytes of a file of whisper.cpp, read from front to back: from such a file, or made as they are read
 * from a Hugging Face directory. Everything is checked when it is opened; afterwards only the disk can fail.
 *
 * One owner, one thread. */
#ifndef AL_ENGINE_WHISPER_STREAM_H
#define AL_ENGINE_WHISPER_STREAM_H

#include "base/buf.h"
#include "codec/whisper_file.h"
#include "engine/engine.h"
#include "engine/safetensors/hf_weights.h"
#include "engine/safetensors/tensor_plan.h"

struct al_whisper_stream {
  struct al_whisper_sizes sizes;
  bool has_space_token;
  uint64_t size_bytes; /* of the whole */
  uint64_t position;
  struct al_buf head; /* the bytes before the weights: numbers, filters, vocabulary */

  /* A file: */
  int fd; /* -1: it is a directory */
  /* A directory: */
  struct al_hf_weights *weights;
  struct al_plan_tensor *tensors; /* in the order of al_whisper_tensor_at */
  struct al_plan_part *parts;     /* one for each */
  size_t n_tensors;
  int n_threads;
  size_t tensor;      /* that the position lies in */
  uint64_t tensor_at; /* where that begins, with its head */
  struct al_buf tensor_head;
};

/* AL_MODEL_CORRUPT or AL_UNSUPPORTED, naming the file. On failure *stream is still to be closed. */
enum al_code al_whisper_stream_open(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                                    struct al_whisper_stream *stream, struct al_err *err);
void al_whisper_stream_close(struct al_whisper_stream *stream); /* accepts one zeroed but for fd -1 */

/* Exactly `size` bytes from the position on; AL_MODEL_CORRUPT past the end. */
enum al_code al_whisper_stream_read(struct al_whisper_stream *stream, void *bytes, size_t size, struct al_err *err);

/* hf.c: reads config, tokenizer and the headers of the weights, checks them against each other, makes the plan and the
 * head. */
enum al_code al_whisper_hf_open(const char *directory, const char *quant, struct al_whisper_stream *stream,
                                struct al_err *err);
/* hf_stream.c: reads behind the head. */
enum al_code al_whisper_hf_read(struct al_whisper_stream *stream, uint8_t *bytes, size_t size, struct al_err *err);

#endif
