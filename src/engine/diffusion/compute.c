#include "engine/diffusion/compute.h"

#include "base/alloc.h"
#include "engine/llama/backend.h"
#include "os/machine.h"

#include <assert.h>
#include <string.h>

constexpr int MAX_BACKENDS = (int)AL_LLAMA_MAX_GPUS + 1;
/* A weight takes part in at most so many nodes: an attention has seven weights and some thirty nodes around them. */
constexpr size_t NODES_PER_WEIGHT = 8;
constexpr size_t MORE_NODES = 512;

struct al_sd_compute {
  ggml_backend_t backends[MAX_BACKENDS]; /* the CPU is the last */
  int n_backends;
  ggml_backend_sched_t sched; /* of graphs with up to n_nodes */
  size_t n_nodes;
  const struct al_cancel *stop; /* of the run that goes on */
};

static bool should_abort(void *user)
{
  const struct al_sd_compute *compute = user;
  return al_cancelled(compute->stop);
}

/* ggml hands functions out as void *, which C does not convert. */
static void find_function(ggml_backend_reg_t reg, const char *name, void *function)
{
  void *found = ggml_backend_reg_get_proc_address(reg, name);
  memcpy(function, &found, sizeof found);
}

static void set_up_backend(struct al_sd_compute *compute, ggml_backend_t backend, int n_threads)
{
  ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(ggml_backend_get_device(backend));
  ggml_backend_set_n_threads_t set_threads = nullptr;
  find_function(reg, "ggml_backend_set_n_threads", &set_threads);
  if (set_threads != nullptr)
    set_threads(backend, n_threads > 0 ? n_threads : al_machine_n_cores());
  ggml_backend_set_abort_callback_t set_abort = nullptr;
  find_function(reg, "ggml_backend_set_abort_callback", &set_abort);
  if (set_abort != nullptr)
    set_abort(backend, should_abort, compute);
}

static enum al_code add_backend(struct al_sd_compute *compute, ggml_backend_dev_t device, int n_threads,
                                struct al_err *err)
{
  ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
  if (backend == nullptr)
    return al_fail(err, AL_LOAD_FAILED, "the device %s cannot be used", ggml_backend_dev_name(device));
  compute->backends[compute->n_backends++] = backend;
  set_up_backend(compute, backend, n_threads);
  return AL_OK;
}

enum al_code al_sd_compute_new(int n_threads, bool with_gpu, struct al_sd_compute **compute, struct al_err *err)
{
  AL_TRY(al_llama_backend_start(err));
  AL_CLEANUP(al_sd_compute_free_p) struct al_sd_compute *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  ggml_backend_dev_t gpus[AL_LLAMA_MAX_GPUS];
  size_t n_gpus = with_gpu ? al_llama_gpus(false, gpus, AL_LLAMA_MAX_GPUS) : 0;
  for (size_t i = 0; i < n_gpus; i++)
    AL_TRY(add_backend(made, gpus[i], n_threads, err));
  AL_TRY(add_backend(made, ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), n_threads, err));
  *compute = AL_TAKE(made);
  return AL_OK;
}

void al_sd_compute_free(struct al_sd_compute *compute)
{
  if (compute == nullptr)
    return;
  if (compute->sched != nullptr)
    ggml_backend_sched_free(compute->sched);
  for (int i = 0; i < compute->n_backends; i++)
    ggml_backend_free(compute->backends[i]);
  al_free(compute);
}

ggml_backend_buffer_type_t al_sd_compute_weights_type(const struct al_sd_compute *compute)
{
  return ggml_backend_get_default_buffer_type(compute->backends[0]);
}

bool al_sd_compute_has_gpu(const struct al_sd_compute *compute)
{
  return compute->n_backends > 1;
}

struct ggml_tensor *al_sd_graph_input(struct al_sd_graph *graph, enum ggml_type type, const int64_t ne[4],
                                      const void *data)
{
  assert((size_t)graph->n_inputs < AL_COUNT(graph->inputs));
  struct ggml_tensor *tensor = ggml_new_tensor(graph->context, type, 4, ne);
  ggml_set_input(tensor);
  graph->inputs[graph->n_inputs++] = (struct al_sd_io){ .tensor = tensor, .from = data };
  return tensor;
}

void al_sd_graph_output(struct al_sd_graph *graph, struct ggml_tensor *tensor, float *into)
{
  assert((size_t)graph->n_outputs < AL_COUNT(graph->outputs));
  assert(tensor->type == GGML_TYPE_F32);
  tensor = ggml_cont(graph->context, tensor);
  ggml_set_output(tensor);
  graph->outputs[graph->n_outputs++] = (struct al_sd_io){ .tensor = tensor, .into = into };
}

/* A scheduler for graphs of that size; kept until a larger one comes. */
static enum al_code make_sched(struct al_sd_compute *compute, size_t n_nodes, struct al_err *err)
{
  if (compute->sched != nullptr && n_nodes <= compute->n_nodes) {
    ggml_backend_sched_reset(compute->sched);
    return AL_OK;
  }
  if (compute->sched != nullptr)
    ggml_backend_sched_free(compute->sched);
  compute->sched = ggml_backend_sched_new(compute->backends, nullptr, compute->n_backends, n_nodes, false, true);
  compute->n_nodes = n_nodes;
  return compute->sched != nullptr ? AL_OK : al_fail(err, AL_OOM_RAM, "no memory for a graph of %zu nodes", n_nodes);
}

static enum al_code build(struct al_sd_compute *compute, const struct al_sd_run *run, struct al_sd_graph *graph,
                          struct ggml_cgraph **cgraph, struct al_err *err)
{
  size_t n_nodes = run->n_weights * NODES_PER_WEIGHT + MORE_NODES;
  AL_TRY(make_sched(compute, n_nodes, err));
  struct ggml_init_params params = { .mem_size =
                                         n_nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(n_nodes, false),
                                     .no_alloc = true };
  *graph = (struct al_sd_graph){ .context = ggml_init(params), .half_attention = al_sd_compute_has_gpu(compute) };
  if (graph->context == nullptr)
    return al_fail_oom(err, params.mem_size);
  *cgraph = ggml_new_graph_custom(graph->context, n_nodes, false);
  run->build(graph, run->user);
  for (int i = 0; i < graph->n_outputs; i++)
    ggml_build_forward_expand(*cgraph, graph->outputs[i].tensor);
  return AL_OK;
}

static void graph_done(struct al_sd_graph *graph)
{
  ggml_free(graph->context);
}

static enum al_code place(struct al_sd_compute *compute, struct ggml_cgraph *cgraph, struct al_err *err)
{
  if (ggml_backend_sched_reserve(compute->sched, cgraph) && ggml_backend_sched_alloc_graph(compute->sched, cgraph))
    return AL_OK;
  /* What it has half allocated is of no use. */
  ggml_backend_sched_free(compute->sched);
  compute->sched = nullptr;
  return al_fail(err, al_sd_compute_has_gpu(compute) ? AL_OOM_VRAM : AL_OOM_RAM,
                 "not enough memory to compute a picture of this size");
}

static enum al_code compute_placed(struct al_sd_compute *compute, struct al_sd_graph *graph, struct ggml_cgraph *cgraph,
                                   struct al_err *err)
{
  for (int i = 0; i < graph->n_inputs; i++) {
    struct ggml_tensor *tensor = graph->inputs[i].tensor;
    if (tensor->buffer != nullptr) /* an input that nothing reads has no place */
      ggml_backend_tensor_set(tensor, graph->inputs[i].from, 0, ggml_nbytes(tensor));
  }
  enum ggml_status status = ggml_backend_sched_graph_compute(compute->sched, cgraph);
  if (status == GGML_STATUS_ABORTED || al_cancelled(compute->stop)) {
    enum al_code reason = al_cancel_reason(compute->stop);
    return al_fail(err, reason != AL_OK ? reason : AL_CANCELLED, "stopped in the middle of a step");
  }
  if (status != GGML_STATUS_SUCCESS)
    return al_fail(err, status == GGML_STATUS_ALLOC_FAILED ? AL_OOM_RAM : AL_INTERNAL, "ggml cannot compute: %s",
                   ggml_status_to_string(status));
  for (int i = 0; i < graph->n_outputs; i++)
    ggml_backend_tensor_get(graph->outputs[i].tensor, graph->outputs[i].into, 0, ggml_nbytes(graph->outputs[i].tensor));
  return AL_OK;
}

enum al_code al_sd_compute_run(struct al_sd_compute *compute, const struct al_sd_run *run, const struct al_cancel *stop,
                               struct al_err *err)
{
  AL_CLEANUP(graph_done) struct al_sd_graph graph = {};
  struct ggml_cgraph *cgraph = nullptr;
  AL_TRY(build(compute, run, &graph, &cgraph, err));
  AL_TRY(place(compute, cgraph, err));
  compute->stop = stop;
  enum al_code code = compute_placed(compute, &graph, cgraph, err);
  compute->stop = nullptr;
  return code;
}

enum al_code al_sd_compute_measure(struct al_sd_compute *compute, const struct al_sd_run *run, uint64_t *ram_bytes,
                                   uint64_t *vram_bytes, struct al_err *err)
{
  AL_CLEANUP(graph_done) struct al_sd_graph graph = {};
  struct ggml_cgraph *cgraph = nullptr;
  AL_TRY(build(compute, run, &graph, &cgraph, err));
  size_t sizes[MAX_BACKENDS] = {};
  ggml_backend_sched_reserve_size(compute->sched, cgraph, sizes);
  ggml_backend_sched_reset(compute->sched);
  *ram_bytes = sizes[compute->n_backends - 1];
  *vram_bytes = 0;
  for (int i = 0; i + 1 < compute->n_backends; i++)
    *vram_bytes += sizes[i];
  return AL_OK;
}
