/* A checked model as libwhisper and libparakeet ask for it: byte by byte through callbacks, without looking at what
 * comes back. Both lose the memory of a model whose load fails half-way. So a load that is to end early (cancelled, a
 * disk that fails) is led to its end with one small tensor over and over, whose weights are zeros, and the model is
 * freed as a whole one is. */
#ifndef AL_ENGINE_WHISPER_FEED_H
#define AL_ENGINE_WHISPER_FEED_H

#include "base/buf.h"
#include "engine/engine.h"

struct al_feed {
  enum al_code (*read)(void *source, void *bytes, size_t size, struct al_err *err); /* the next `size` bytes */
  void *source;
  uint64_t head_bytes, size_bytes; /* before the tensors; of all */
  size_t n_tensors;
  const char *filler; /* the name of a small F32 tensor with one dimension, */
  int32_t filler_extent;
  al_load_progress_fn *progress; /* may be nullptr */
  void *user;
  /* private, zeroed */
  struct al_err failure;
  uint64_t position;
  int call; /* each field of a tensor is one call: three numbers, the extents, the name, the data */
  int32_t n_dims;
  size_t n_read; /* tensors */
  bool is_filling, has_ended;
};

/* The libraries' callbacks; context: the feed. */
size_t al_feed_read(void *context, void *bytes, size_t size);
bool al_feed_eof(void *context);
void al_feed_close(void *context);

/* After the load: AL_OK when nothing went wrong and there is a model. Otherwise why, by the feed or the library's log.
 */
enum al_code al_feed_end(struct al_feed *feed, bool is_loaded, const char *library, struct al_err *err);

/* A model of zeros, which goes on after its bytes are over: to measure with. */
struct al_hollow {
  const uint8_t *bytes; /* borrowed */
  size_t left;
};
size_t al_hollow_read(void *context, void *bytes, size_t size);
bool al_hollow_eof(void *context);
/* Adds to uint64_t *user what a line of the library's log says of a compute buffer, in bytes. */
void al_hollow_log_line(void *user, const char *line);

#endif
