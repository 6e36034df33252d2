/* The weights of a model on their way from the files to a device. First every tensor is wanted by name, shape and use:
 * what is missing or has another shape is found before anything is allocated. Then the sizes are known exactly, and
 * the tensors can be made and filled. One thread. */
#ifndef AL_ENGINE_DIFFUSION_WEIGHTS_H
#define AL_ENGINE_DIFFUSION_WEIGHTS_H

#include "base/cancel.h"
#include "engine/diffusion/names.h"

#include <ggml-backend.h>
#include <ggml.h>

enum al_sd_use {
  AL_SD_LINEAR, /* [out][in], or [out][in][1][1] in the file; may be quantised */
  AL_SD_CONV,   /* [out][in][height][width]: F16 or F32, as libggml's convolution takes no other */
  AL_SD_ROWS,   /* an embedding: rows are looked up */
  AL_SD_VECTOR, /* norms and biases: F32 */
};

struct al_sd_weights;

/* quant: "" keeps the types of the files; "f32", "f16", "q8_0", ... for matrices (see AL_INVALID_REQUEST). files are
 * borrowed until the weights have been loaded. */
enum al_code al_sd_weights_new(const struct al_sd_files *files, const struct al_sd_naming *naming, const char *quant,
                               struct al_sd_weights **weights, struct al_err *err);
void al_sd_weights_free(struct al_sd_weights *weights); /* accepts nullptr; frees the tensors and their memory */
AL_DEFINE_CLEANUP(struct al_sd_weights, al_sd_weights_free)

/* Where in the model one is: part and the beginning of the names. */
struct al_sd_scope {
  struct al_sd_weights *weights;
  enum al_sd_part part;
  bool exact; /* convolutions stay F32: their input leaves what F16 can hold */
  char path[160];
};
struct al_sd_scope al_sd_scope(struct al_sd_weights *weights, enum al_sd_part part);
AL_PRINTF(2, 3) struct al_sd_scope al_sd_scope_in(const struct al_sd_scope *scope, const char *format, ...);

/* Each asks for tensors below the scope; *slots are set by al_sd_weights_load. The first failure sticks and is told by
 * al_sd_weights_check. */
struct al_sd_linear {
  struct ggml_tensor *weight, *bias; /* bias may be nullptr */
};
struct al_sd_norm {
  struct ggml_tensor *weight, *bias;
};
void al_sd_want_linear(const struct al_sd_scope *scope, struct al_sd_linear *linear, int n_in, int n_out, bool biased);
/* A square kernel of 1 or 3. */
void al_sd_want_conv(const struct al_sd_scope *scope, struct al_sd_linear *conv, int n_in, int n_out, int kernel);
void al_sd_want_norm(const struct al_sd_scope *scope, struct al_sd_norm *norm, int width);
void al_sd_want_rows(const struct al_sd_scope *scope, struct ggml_tensor **slot, int width, int n_rows);

/* AL_MODEL_CORRUPT names the tensor that is missing, or whose shape is not the one expected. */
enum al_code al_sd_weights_check(const struct al_sd_weights *weights, struct al_err *err);
size_t al_sd_weights_count(const struct al_sd_weights *weights);
/* What al_sd_weights_load will allocate there, to the byte. */
uint64_t al_sd_weights_size_bytes(struct al_sd_weights *weights, ggml_backend_buffer_type_t type);

uint64_t al_sd_weights_held_bytes(const struct al_sd_weights *weights); /* 0 before the load */
/* For measuring graphs before the load: the tensors stand on that device as if they were there, without memory. */
enum al_code al_sd_weights_pretend(struct al_sd_weights *weights, ggml_backend_buffer_type_t type, struct al_err *err);

typedef bool al_sd_progress_fn(void *user, float fraction); /* false: stop */

/* Allocates and fills. AL_OOM_RAM or AL_OOM_VRAM; AL_CANCELLED when progress says so. progress may be nullptr. */
enum al_code al_sd_weights_load(struct al_sd_weights *weights, ggml_backend_buffer_type_t type,
                                al_sd_progress_fn *progress, void *user, struct al_err *err);

#endif
