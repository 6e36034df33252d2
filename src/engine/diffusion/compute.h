/* The devices that a model's graphs run on, and one run of a graph: build, place, upload, compute, download.
 * A graph is built anew for every run: that costs a thousandth of the computing, and nothing can be stale.
 * One thread at a time. */
#ifndef AL_ENGINE_DIFFUSION_COMPUTE_H
#define AL_ENGINE_DIFFUSION_COMPUTE_H

#include "base/cancel.h"
#include "base/err.h"

#include <ggml-backend.h>
#include <ggml.h>

struct al_sd_compute;

/* n_threads 0: the usable cores. with_gpu: the GPUs that there are come first; weights belong on
 * al_sd_compute_weights_type then. */
enum al_code al_sd_compute_new(int n_threads, bool with_gpu, struct al_sd_compute **compute, struct al_err *err);
void al_sd_compute_free(struct al_sd_compute *compute); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_sd_compute, al_sd_compute_free)

ggml_backend_buffer_type_t al_sd_compute_weights_type(const struct al_sd_compute *compute);
bool al_sd_compute_has_gpu(const struct al_sd_compute *compute);

/* A graph while it is built. */
struct al_sd_graph {
  struct ggml_context *context;
  bool half_attention; /* keys and values in F16 (what GPUs want); otherwise all in F32 */
  struct al_sd_io {
    struct ggml_tensor *tensor;
    const void *from; /* borrowed until the run ends */
    void *into;
  } inputs[16], outputs[4];
  int n_inputs, n_outputs;
};

/* An input of the graph with its data: ggml's order, innermost first. */
struct ggml_tensor *al_sd_graph_input(struct al_sd_graph *graph, enum ggml_type type, const int64_t ne[4],
                                      const void *data);
/* F32 of the tensor's size are written there after the run. */
void al_sd_graph_output(struct al_sd_graph *graph, struct ggml_tensor *tensor, float *into);

typedef void al_sd_build_fn(struct al_sd_graph *graph, void *user);

struct al_sd_run {
  al_sd_build_fn *build;
  void *user;
  size_t n_weights; /* tensors of the model that take part: bounds the number of nodes */
};

/* AL_CANCELLED (or the token's reason) soon after `stop` fires, on the CPU within milliseconds; AL_OOM_RAM or
 * AL_OOM_VRAM. */
enum al_code al_sd_compute_run(struct al_sd_compute *compute, const struct al_sd_run *run, const struct al_cancel *stop,
                               struct al_err *err);
/* The memory such a run needs besides weights. Allocates nothing of it. */
enum al_code al_sd_compute_measure(struct al_sd_compute *compute, const struct al_sd_run *run, uint64_t *ram_bytes,
                                   uint64_t *vram_bytes, struct al_err *err);

#endif
