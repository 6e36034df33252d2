#include "engine/safetensors/convert.h"

#include "base/alloc.h"
#include "base/thread.h"

#include <assert.h>
#include <stdatomic.h>

constexpr int64_t CHUNK_ELEMENTS = 1 << 18;        /* a chunk is what one thread takes at a time */
constexpr int64_t MIN_PARALLEL_ELEMENTS = 1 << 20; /* below, starting threads costs more than it gives */
constexpr int MAX_THREADS = 64;

/* Memory of one thread: rows as the file has them, and as F32. */
struct scratch {
  uint8_t *raw;
  float *values;
};

struct job {
  const struct al_hf_weights *weights;
  const struct al_plan_tensor *tensor;
  uint8_t *out;
  int64_t from;
  int64_t to;
  int64_t chunk_rows;
  _Atomic int64_t next; /* first row nobody has taken */
  atomic_bool failed;
  struct al_mutex lock; /* of err */
  struct al_err err;
};

static size_t source_row_bytes(const struct al_plan_tensor *t)
{
  return ggml_row_size(t->source_type, t->ne[0]);
}

bool al_convert_is_copy(const struct al_plan_tensor *tensor)
{
  return tensor->transform == AL_TRANSFORM_NONE && tensor->type == tensor->source_type;
}

/* Row 2j+p of a head comes from its row p*half+j. */
static int64_t paired(int64_t index, int64_t head_rows)
{
  int64_t within = index % head_rows;
  return index - within + (within % 2) * (head_rows / 2) + within / 2;
}

static bool rows_are_paired(const struct al_plan_tensor *t)
{
  return t->transform == AL_TRANSFORM_PAIR_ROWS && t->n_dims == 2;
}

/* Rows [from, from+n) of the GGUF in the element type of the file. */
static enum al_code read_rows(const struct job *job, int64_t from, int64_t n, uint8_t *raw, struct al_err *err)
{
  const struct al_plan_tensor *t = job->tensor;
  size_t row = source_row_bytes(t);
  if (!rows_are_paired(t))
    return al_hf_weights_read(job->weights, t->source, (uint64_t)from * row, raw, (size_t)n * row, err);
  for (int64_t i = 0; i < n; i++) {
    uint64_t at = (uint64_t)paired(from + i, t->head_rows) * row;
    AL_TRY(al_hf_weights_read(job->weights, t->source, at, raw + (size_t)i * row, row, err));
  }
  return AL_OK;
}

static void to_f32(enum ggml_type type, const uint8_t *raw, float *values, int64_t n)
{
  if (type == GGML_TYPE_F16)
    ggml_fp16_to_fp32_row((const ggml_fp16_t *)(const void *)raw, values, n);
  else if (type == GGML_TYPE_BF16)
    ggml_bf16_to_fp32_row((const ggml_bf16_t *)(const void *)raw, values, n);
  else
    memcpy(values, raw, (size_t)n * sizeof *values);
}

static void from_f32(const struct al_plan_tensor *t, const float *values, uint8_t *out, int64_t n_rows)
{
  int64_t n = n_rows * t->ne[0];
  if (t->type == GGML_TYPE_F32)
    memcpy(out, values, (size_t)n * sizeof *values);
  else if (t->type == GGML_TYPE_F16)
    ggml_fp32_to_fp16_row(values, (ggml_fp16_t *)(void *)out, n);
  else if (t->type == GGML_TYPE_BF16)
    ggml_fp32_to_bf16_row(values, (ggml_bf16_t *)(void *)out, n);
  else
    (void)ggml_quantize_chunk(t->type, values, out, 0, n_rows, t->ne[0], nullptr);
}

static void pair_elements(const struct al_plan_tensor *t, const float *values, float *out)
{
  for (int64_t i = 0; i < t->ne[0]; i++)
    out[i] = values[paired(i, t->head_rows)];
}

static enum al_code convert_vector(const struct job *job, struct scratch *scratch, struct al_err *err)
{
  const struct al_plan_tensor *t = job->tensor;
  AL_TRY(read_rows(job, 0, 1, scratch->raw, err));
  to_f32(t->source_type, scratch->raw, scratch->values, t->ne[0]);
  AL_CLEANUP(al_free_p) float *moved = al_calloc((size_t)t->ne[0], sizeof *moved);
  if (moved == nullptr)
    return al_fail_oom(err, (size_t)t->ne[0] * sizeof *moved);
  pair_elements(t, scratch->values, moved);
  from_f32(t, moved, job->out, 1);
  return AL_OK;
}

static enum al_code convert_chunk(const struct job *job, int64_t from, int64_t n, struct scratch *scratch,
                                  struct al_err *err)
{
  const struct al_plan_tensor *t = job->tensor;
  uint8_t *out = job->out + (size_t)(from - job->from) * t->row_bytes;
  if (t->transform == AL_TRANSFORM_COMPUTED) {
    from_f32(t, t->values + from * t->ne[0], out, n);
    return AL_OK;
  }
  if (t->type == t->source_type && !(t->transform == AL_TRANSFORM_PAIR_ROWS && t->n_dims == 1))
    return read_rows(job, from, n, out, err);
  if (t->transform == AL_TRANSFORM_PAIR_ROWS && t->n_dims == 1)
    return convert_vector(job, scratch, err);
  AL_TRY(read_rows(job, from, n, scratch->raw, err));
  to_f32(t->source_type, scratch->raw, scratch->values, n * t->ne[0]);
  from_f32(t, scratch->values, out, n);
  return AL_OK;
}

static enum al_code scratch_make(const struct job *job, struct scratch *scratch, struct al_err *err)
{
  size_t elements = (size_t)(job->chunk_rows * job->tensor->ne[0]);
  scratch->raw = al_alloc(elements * sizeof(float));
  scratch->values = al_alloc(elements * sizeof(float));
  return scratch->raw != nullptr && scratch->values != nullptr ? AL_OK : al_fail_oom(err, elements * sizeof(float));
}

static void scratch_done(struct scratch *scratch)
{
  al_free(scratch->raw);
  al_free(scratch->values);
}

static enum al_code take_chunks(struct job *job, struct al_err *err)
{
  AL_CLEANUP(scratch_done) struct scratch scratch = {};
  if (!al_convert_is_copy(job->tensor))
    AL_TRY(scratch_make(job, &scratch, err));
  while (!atomic_load(&job->failed)) {
    int64_t from = atomic_fetch_add(&job->next, job->chunk_rows);
    if (from >= job->to)
      break;
    int64_t n = job->to - from < job->chunk_rows ? job->to - from : job->chunk_rows;
    AL_TRY(convert_chunk(job, from, n, &scratch, err));
  }
  return AL_OK;
}

static void run_job(void *argument)
{
  struct job *job = argument;
  struct al_err err = {};
  if (take_chunks(job, &err) == AL_OK)
    return;
  atomic_store(&job->failed, true);
  al_mutex_lock(&job->lock);
  if (job->err.code == AL_OK)
    job->err = err;
  al_mutex_unlock(&job->lock);
}

static int useful_threads(const struct job *job, int n_threads)
{
  int64_t n_rows = job->to - job->from;
  int64_t n_chunks = (n_rows + job->chunk_rows - 1) / job->chunk_rows;
  if (al_convert_is_copy(job->tensor) || n_rows * job->tensor->ne[0] < MIN_PARALLEL_ELEMENTS || n_threads < 1)
    return 1;
  int most = n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
  return n_chunks < most ? (int)n_chunks : most;
}

enum al_code al_convert_rows(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                             int64_t to, uint8_t *out, int n_threads, struct al_err *err)
{
  assert(from >= 0 && from <= to && to <= tensor->ne[1]);
  int64_t chunk_rows = CHUNK_ELEMENTS / tensor->ne[0];
  struct job job = {
    .weights = weights,
    .tensor = tensor,
    .out = out,
    .from = from,
    .to = to,
    .chunk_rows = chunk_rows > 0 ? chunk_rows : 1,
    .next = from,
  };
  al_mutex_init(&job.lock);
  struct al_thread threads[MAX_THREADS] = {};
  int n_extra = useful_threads(&job, n_threads) - 1;
  for (int i = 0; i < n_extra; i++)
    if (al_thread_start(&threads[i], "convert", run_job, &job, nullptr) != AL_OK)
      break; /* fewer threads do it too */
  run_job(&job);
  for (int i = 0; i < n_extra; i++)
    al_thread_join(&threads[i]);
  al_mutex_done(&job.lock);
  if (job.err.code == AL_OK)
    return AL_OK;
  if (err != nullptr)
    *err = job.err;
  return job.err.code;
}
