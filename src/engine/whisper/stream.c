#include "engine/whisper/stream.h"

#include "base/alloc.h"
#include "os/file.h"

constexpr size_t MAX_HEAD_BYTES = (size_t)64 << 20;

static enum al_code read_file(void *user, uint64_t offset, void *bytes, size_t size, struct al_err *err)
{
  const struct al_whisper_stream *stream = user;
  return al_file_read_at(stream->fd, offset, bytes, size, err);
}

/* The head is kept as it was checked: what libwhisper builds its model from cannot change meanwhile. */
static enum al_code keep_head(struct al_whisper_stream *stream, uint64_t size, struct al_err *err)
{
  al_buf_init(&stream->head, MAX_HEAD_BYTES);
  char *room = size < MAX_HEAD_BYTES ? al_buf_room(&stream->head, (size_t)size) : nullptr;
  if (room == nullptr)
    return al_fail_oom(err, (size_t)size);
  AL_TRY(al_file_read_at(stream->fd, 0, room, (size_t)size, err));
  al_buf_grew(&stream->head, (size_t)size);
  return AL_OK;
}

static enum al_code check_kind(const struct al_whisper_stream *stream, struct al_err *err)
{
  char head[AL_GGML_HEAD_BYTES];
  size_t size = stream->size_bytes < sizeof head ? (size_t)stream->size_bytes : sizeof head;
  AL_TRY(al_file_read_at(stream->fd, 0, head, size, err));
  if (al_ggml_kind_of(al_str_n(head, size)) == AL_GGML_PARAKEET)
    return al_fail(err, AL_UNSUPPORTED, "it is a Parakeet model, which libwhisper does not run");
  return AL_OK;
}

static enum al_code check_file(struct al_whisper_stream *stream, struct al_err *err)
{
  AL_TRY(check_kind(stream, err));
  const struct al_ggml_reader reader = { read_file, stream, stream->size_bytes };
  struct al_whisper_file file;
  AL_TRY(al_whisper_file_check(&reader, &file, err));
  stream->sizes = file.sizes;
  stream->has_space_token = file.has_space_token;
  return keep_head(stream, file.tensors_at, err);
}

static enum al_code open_file(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                              struct al_whisper_stream *stream, struct al_err *err)
{
  if (options->quant[0] != '\0')
    return al_fail_param(err, "quant", "a file of whisper.cpp is run as it is; \"%s\" needs the Hugging Face directory",
                         options->quant);
  AL_TRY(al_file_open(descriptor->files[0], &stream->fd, &stream->size_bytes, err));
  if (check_file(stream, err) != AL_OK)
    return al_wrap(err, "%.200s", al_path_last(descriptor->files[0]));
  return AL_OK;
}

enum al_code al_whisper_stream_open(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                                    struct al_whisper_stream *stream, struct al_err *err)
{
  *stream = (struct al_whisper_stream){ .fd = -1 };
  if (descriptor->format == AL_FORMAT_GGML && descriptor->n_files == 1)
    return open_file(descriptor, options, stream, err);
  if (descriptor->format == AL_FORMAT_SAFETENSORS)
    return al_whisper_hf_open(descriptor->directory, options->quant, stream, err);
  return al_fail(err, AL_UNSUPPORTED, "it is neither a file of whisper.cpp nor a Hugging Face directory");
}

void al_whisper_stream_close(struct al_whisper_stream *stream)
{
  al_fd_close(&stream->fd);
  al_hf_weights_close(stream->weights);
  al_free(stream->tensors);
  al_free(stream->parts);
  al_buf_done(&stream->head);
  al_buf_done(&stream->tensor_head);
  *stream = (struct al_whisper_stream){ .fd = -1 };
}

enum al_code al_whisper_stream_read(struct al_whisper_stream *stream, void *bytes, size_t size, struct al_err *err)
{
  if (size > stream->size_bytes - stream->position)
    return al_fail(err, AL_MODEL_CORRUPT, "the model's data end too early");
  uint8_t *out = bytes;
  if (stream->position < stream->head.size) {
    size_t at = (size_t)stream->position;
    size_t n = al_min_size(size, stream->head.size - at);
    memcpy(out, stream->head.data + at, n);
    stream->position += n;
    out += n;
    size -= n;
  }
  if (size == 0)
    return AL_OK;
  if (stream->fd < 0)
    return al_whisper_hf_read(stream, out, size, err);
  AL_TRY(al_file_read_at(stream->fd, stream->position, out, size, err));
  stream->position += size;
  return AL_OK;
}
