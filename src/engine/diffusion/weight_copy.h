/* One tensor's way from its file into its memory: rows are read, converted, quantised, and put where they belong. */
#ifndef AL_ENGINE_DIFFUSION_WEIGHT_COPY_H
#define AL_ENGINE_DIFFUSION_WEIGHT_COPY_H

#include "engine/diffusion/weights.h"

struct al_sd_copy {
  struct ggml_tensor **slot; /* borrowed */
  enum al_sd_use use;
  enum al_sd_part part;
  int n_dims;
  int64_t shape[4];    /* outermost first, as wanted */
  enum ggml_type type; /* in memory */
  struct al_sd_stored stored;
  int third;       /* rows of the file's tensor: 0, 1, 2, or -1 for all */
  bool transposed; /* of two dimensions */
};

/* AL_MODEL_CORRUPT when a value is too large for F16. */
enum al_code al_sd_copy_run(const struct al_sd_files *files, const struct al_sd_copy *copy, struct al_err *err);

#endif
