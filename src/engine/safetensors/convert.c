#include "engine/safetensors/convert.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "engine/safetensors/fp8.h"
#include "engine/safetensors/rows.h"
#include "engine/safetensors/weight_types.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>

constexpr int64_t CHUNK_ELEMENTS = 1 << 18;        /* a chunk is what one thread takes at a time */
constexpr int64_t MIN_PARALLEL_ELEMENTS = 1 << 20; /* below, starting threads costs more than it gives */
/* A row that is a column of the file is read with all the other columns of its chunk: the more at once, the better. */
constexpr int64_t TRANSPOSED_CHUNK_ELEMENTS = 1 << 20;
constexpr int MAX_THREADS = 64;

/* Memory of one thread: rows as the file has them, and as F32; room to put them together. */
struct scratch {
  uint8_t *room;
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

/* The elements' bytes are those of the files. */
static bool is_kept(const struct al_plan_tensor *t)
{
  return t->type == t->source_type && t->change == AL_PLAN_AS_IT_IS;
}

bool al_convert_is_copy(const struct al_plan_tensor *t)
{
  return t->parts != nullptr && is_kept(t) && t->row_step == 1 && t->row_first == 0 && t->pair_rows == 0 &&
         !t->transposed && t->parts[0].scales.tensor == nullptr;
}

enum al_code al_convert_copy(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, uint64_t offset,
                             uint8_t *out, size_t size, struct al_err *err)
{
  assert(al_convert_is_copy(tensor));
  return al_rows_copy(weights, tensor, offset, out, size, err);
}

static void to_f32(enum ggml_type type, const uint8_t *raw, float *values, int64_t n)
{
  if (type == GGML_TYPE_F16)
    ggml_fp16_to_fp32_row((const ggml_fp16_t *)(const void *)raw, values, n);
  else if (type == GGML_TYPE_BF16)
    ggml_bf16_to_fp32_row((const ggml_bf16_t *)(const void *)raw, values, n);
  else if (type == GGML_TYPE_F32)
    memcpy(values, raw, (size_t)n * sizeof *values);
  else
    ggml_get_type_traits(type)->to_float(raw, values, n);
}

static void change(enum al_plan_change change, float *values, int64_t n)
{
  for (int64_t i = 0; i < n && change == AL_PLAN_ADD_ONE; i++)
    values[i] += 1.0F;
  for (int64_t i = 0; i < n && change == AL_PLAN_NEG_EXP; i++)
    values[i] = -expf(values[i]);
}

/* Rows [from, from+n) of the second slab get what tells the second type of text from the first. */
static enum al_code change_type(const struct job *job, int64_t from, int64_t n, float *values, struct al_err *err)
{
  const struct al_plan_tensor *t = job->tensor;
  int64_t first = from > t->n_rows ? from : t->n_rows;
  if (t->change != AL_PLAN_SECOND_TYPE || first >= from + n)
    return AL_OK;
  enum ggml_type type = GGML_TYPE_F32;
  (void)al_weight_type_of(t->types.tensor->dtype, &type);
  size_t size = 2 * ggml_row_size(type, t->n_cols);
  AL_CLEANUP(al_free_p) uint8_t *raw = al_alloc(size);
  AL_CLEANUP(al_free_p) float *rows = al_calloc((size_t)(2 * t->n_cols), sizeof *rows);
  if (raw == nullptr || rows == nullptr)
    return al_fail_oom(err, size);
  AL_TRY(al_hf_weights_read(job->weights, t->types, 0, raw, size, err));
  to_f32(type, raw, rows, 2 * t->n_cols);
  for (int64_t row = first; row < from + n; row++)
    for (int64_t i = 0; i < t->n_cols; i++)
      values[(row - from) * t->n_cols + i] += rows[t->n_cols + i] - rows[i];
  return AL_OK;
}

static void from_f32(const struct al_plan_tensor *t, const float *values, uint8_t *out, int64_t n_rows)
{
  int64_t n = n_rows * t->n_cols;
  if (t->type == GGML_TYPE_F32)
    memcpy(out, values, (size_t)n * sizeof *values);
  else if (t->type == GGML_TYPE_F16)
    ggml_fp32_to_fp16_row(values, (ggml_fp16_t *)(void *)out, n);
  else if (t->type == GGML_TYPE_BF16)
    ggml_fp32_to_bf16_row(values, (ggml_bf16_t *)(void *)out, n);
  else
    (void)ggml_quantize_chunk(t->type, values, out, 0, n_rows, t->n_cols, nullptr);
}

static enum al_code convert_chunk(const struct job *job, int64_t from, int64_t n, struct scratch *scratch,
                                  struct al_err *err)
{
  const struct al_plan_tensor *t = job->tensor;
  uint8_t *out = job->out + (size_t)(from - job->from) * t->row_bytes;
  if (t->values != nullptr) {
    from_f32(t, t->values + from * t->n_cols, out, n);
    return AL_OK;
  }
  if (is_kept(t))
    return al_rows_read(job->weights, t, from, n, scratch->room, out, err);
  AL_TRY(al_rows_read(job->weights, t, from, n, scratch->room, scratch->raw, err));
  if (t->source_type == GGML_TYPE_I8)
    AL_TRY(al_fp8_to_f32(job->weights, t, from, n, scratch->raw, scratch->values, err));
  else
    to_f32(t->source_type, scratch->raw, scratch->values, n * t->n_cols);
  change(t->change, scratch->values, n * t->n_cols);
  AL_TRY(change_type(job, from, n, scratch->values, err));
  from_f32(t, scratch->values, out, n);
  return AL_OK;
}

static enum al_code allocate(size_t size, uint8_t **bytes, struct al_err *err)
{
  *bytes = size > 0 ? al_alloc(size) : nullptr;
  return size == 0 || *bytes != nullptr ? AL_OK : al_fail_oom(err, size);
}

static enum al_code scratch_make(const struct job *job, struct scratch *scratch, struct al_err *err)
{
  const struct al_plan_tensor *t = job->tensor;
  int64_t n = job->to - job->from < job->chunk_rows ? job->to - job->from : job->chunk_rows;
  AL_TRY(allocate(al_rows_room_bytes(t, n), &scratch->room, err));
  if (t->values != nullptr || is_kept(t))
    return AL_OK;
  AL_TRY(allocate((size_t)n * ggml_row_size(t->source_type, t->n_cols), &scratch->raw, err));
  scratch->values = al_calloc((size_t)(n * t->n_cols), sizeof *scratch->values);
  return scratch->values != nullptr ? AL_OK : al_fail_oom(err, (size_t)(n * t->n_cols) * sizeof *scratch->values);
}

static void scratch_done(struct scratch *scratch)
{
  al_free(scratch->room);
  al_free(scratch->raw);
  al_free(scratch->values);
}

static enum al_code take_chunks(struct job *job, struct al_err *err)
{
  AL_CLEANUP(scratch_done) struct scratch scratch = {};
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
  if (al_convert_is_copy(job->tensor) || n_rows * job->tensor->n_cols < MIN_PARALLEL_ELEMENTS || n_threads < 1)
    return 1;
  int most = n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
  return n_chunks < most ? (int)n_chunks : most;
}

enum al_code al_convert_rows(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                             int64_t to, uint8_t *out, int n_threads, struct al_err *err)
{
  assert(from >= 0 && from <= to && to <= tensor->n_rows * tensor->n_slabs);
  int64_t chunk_rows = (tensor->transposed ? TRANSPOSED_CHUNK_ELEMENTS : CHUNK_ELEMENTS) / tensor->n_cols;
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
