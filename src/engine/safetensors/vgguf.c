#include "engine/safetensors/vgguf.h"
#include "engine/safetensors/family.h"

#include "base/alloc.h"
#include "engine/safetensors/convert.h"
#include "engine/safetensors/hf_pooling.h"

struct al_vgguf {
  const struct al_hf_family *family; /* that it is built as */
  struct al_hf_config config;
  struct al_hf_weights *weights;
  struct al_tensor_plan plan;
  struct gguf_context *gguf;
  struct ggml_context *shapes; /* tensors without data, which gguf_add_tensor wants */
  uint8_t *metadata;
  size_t metadata_bytes;
  uint64_t size_bytes;
  int n_threads;
};

static enum al_code add_tensors(struct al_vgguf *v, struct al_err *err)
{
  size_t n = v->plan.n_tensors;
  struct ggml_init_params params = { .mem_size = ggml_tensor_overhead() * (n + 1), .no_alloc = true };
  v->shapes = ggml_init(params);
  if (v->shapes == nullptr)
    return al_fail_oom(err, params.mem_size);
  for (size_t i = 0; i < n; i++) {
    const struct al_plan_tensor *t = &v->plan.tensors[i];
    struct ggml_tensor *shape = ggml_new_tensor(v->shapes, t->type, t->n_dims, t->ne);
    (void)ggml_set_name(shape, t->name);
    gguf_add_tensor(v->gguf, shape);
  }
  return AL_OK;
}

static enum al_code serialise(struct al_vgguf *v, struct al_err *err)
{
  v->metadata_bytes = gguf_get_meta_size(v->gguf);
  v->metadata = al_alloc(v->metadata_bytes);
  if (v->metadata == nullptr)
    return al_fail_oom(err, v->metadata_bytes);
  gguf_get_meta_data(v->gguf, v->metadata);
  int64_t last = gguf_get_n_tensors(v->gguf) - 1;
  uint64_t alignment = gguf_get_alignment(v->gguf);
  uint64_t end = gguf_get_tensor_offset(v->gguf, last) + gguf_get_tensor_size(v->gguf, last);
  v->size_bytes = v->metadata_bytes + (end + alignment - 1) / alignment * alignment;
  return AL_OK;
}

static enum al_code build(struct al_vgguf *v, const char *directory, const char *quant, struct al_err *err)
{
  AL_TRY(al_hf_config_load(directory, &v->config, err));
  const struct al_hf_family *family;
  AL_TRY(al_hf_family_find(v->config.architecture, &family, err));
  if (al_str_ends(al_str(v->config.architecture), al_str("Model")))
    v->config.pooling = AL_POOLING_MEAN; /* has no head: what sentence-transformers does where nothing is stated */
  AL_TRY(al_hf_pooling_read(directory, &v->config.pooling, err));
  AL_TRY((family->read != nullptr ? family->read : al_hf_config_read)(&v->config, err));
  AL_TRY(family->prepare(&v->config, err));
  if (family->variant != nullptr)
    family = family->variant(&v->config);
  v->family = family;
  /* Inside the window, attention with a sliding window is plain attention: the context ends there. */
  if (!family->has_window && v->config.window > 0 && v->config.window < v->config.n_ctx)
    v->config.n_ctx = v->config.window;
  AL_TRY(al_hf_weights_open(directory, &v->weights, err));
  AL_TRY(al_tensor_plan_make(family, &v->config, v->weights, quant, &v->plan, err));
  AL_CLEANUP(al_hf_tokenizer_done) struct al_hf_tokenizer tokenizer = {};
  AL_TRY(al_hf_tokenizer_load(directory, &v->config, &tokenizer, err));
  v->gguf = gguf_init_empty();
  if (v->gguf == nullptr)
    return al_fail_oom(err, 0);
  al_hf_meta_model(family, &v->config, v->gguf);
  al_hf_tokenizer_to_gguf(&tokenizer, v->gguf);
  al_hf_meta_ends(&v->config, tokenizer.eos, v->gguf);
  AL_TRY(add_tensors(v, err));
  return serialise(v, err);
}

enum al_code al_vgguf_open(const char *directory, const char *quant, int n_threads, struct al_vgguf **vgguf,
                           struct al_err *err)
{
  AL_CLEANUP(al_vgguf_close_p) struct al_vgguf *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->n_threads = n_threads > 0 ? n_threads : 1;
  AL_TRY(build(made, directory, quant, err));
  *vgguf = AL_TAKE(made);
  return AL_OK;
}

void al_vgguf_close(struct al_vgguf *vgguf)
{
  if (vgguf == nullptr)
    return;
  al_free(vgguf->metadata);
  gguf_free(vgguf->gguf);
  if (vgguf->shapes != nullptr)
    ggml_free(vgguf->shapes);
  al_tensor_plan_done(&vgguf->plan);
  al_hf_weights_close(vgguf->weights);
  al_hf_config_done(&vgguf->config);
  al_free(vgguf);
}

const struct gguf_context *al_vgguf_metadata(const struct al_vgguf *vgguf)
{
  return vgguf->gguf;
}

const struct al_hf_family *al_vgguf_family(const struct al_vgguf *vgguf)
{
  return vgguf->family;
}

uint64_t al_vgguf_size_bytes(const struct al_vgguf *vgguf)
{
  return vgguf->size_bytes;
}

uint64_t al_vgguf_weights_bytes(const struct al_vgguf *vgguf)
{
  return vgguf->plan.size_bytes;
}

/* The last tensor that starts at or before `offset` of the data section. */
static size_t tensor_at(const struct al_vgguf *v, uint64_t offset)
{
  size_t low = 0;
  size_t high = v->plan.n_tensors;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    if (gguf_get_tensor_offset(v->gguf, (int64_t)middle) <= offset)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* Bytes [offset, offset+size) of one tensor. Whole rows go straight to their place; a range that starts or ends within
 * a row (the stream's buffer does that) has that row made beside and copied. */
static enum al_code read_tensor(const struct al_vgguf *v, const struct al_plan_tensor *t, uint64_t offset,
                                uint8_t *bytes, size_t size, struct al_err *err)
{
  if (al_convert_is_copy(t))
    return al_convert_copy(v->weights, t, offset, bytes, size, err);
  while (size > 0) {
    int64_t row = (int64_t)(offset / t->row_bytes);
    size_t within = (size_t)(offset % t->row_bytes);
    size_t part;
    if (within == 0 && size >= t->row_bytes) {
      int64_t n_rows = (int64_t)(size / t->row_bytes);
      AL_TRY(al_convert_rows(v->weights, t, row, row + n_rows, bytes, v->n_threads, err));
      part = (size_t)n_rows * t->row_bytes;
    } else {
      AL_CLEANUP(al_free_p) uint8_t *whole = al_alloc(t->row_bytes);
      if (whole == nullptr)
        return al_fail_oom(err, t->row_bytes);
      AL_TRY(al_convert_rows(v->weights, t, row, row + 1, whole, 1, err));
      part = al_min_size(t->row_bytes - within, size);
      memcpy(bytes, whole + within, part);
    }
    bytes += part;
    offset += part;
    size -= part;
  }
  return AL_OK;
}

/* One piece: of the metadata, of a tensor, or of the padding behind one. */
static enum al_code read_piece(const struct al_vgguf *v, uint64_t position, uint8_t *bytes, size_t size, size_t *n_read,
                               struct al_err *err)
{
  if (position < v->metadata_bytes) {
    *n_read = al_min_size(size, v->metadata_bytes - (size_t)position);
    memcpy(bytes, v->metadata + position, *n_read);
    return AL_OK;
  }
  uint64_t offset = position - v->metadata_bytes;
  size_t i = tensor_at(v, offset);
  uint64_t start = gguf_get_tensor_offset(v->gguf, (int64_t)i);
  uint64_t end = start + v->plan.tensors[i].size_bytes;
  if (offset < end) {
    *n_read = al_min_size(size, (size_t)(end - offset));
    return read_tensor(v, &v->plan.tensors[i], offset - start, bytes, *n_read, err);
  }
  uint64_t next =
      i + 1 < v->plan.n_tensors ? gguf_get_tensor_offset(v->gguf, (int64_t)i + 1) : v->size_bytes - v->metadata_bytes;
  *n_read = al_min_size(size, (size_t)(next - offset));
  memset(bytes, 0, *n_read);
  return AL_OK;
}

enum al_code al_vgguf_read(const struct al_vgguf *vgguf, uint64_t position, uint8_t *bytes, size_t size, size_t *n_read,
                           struct al_err *err)
{
  size_t done = 0;
  while (done < size && position + done < vgguf->size_bytes) {
    size_t part = 0;
    AL_TRY(read_piece(vgguf, position + done, bytes + done, size - done, &part, err));
    done += part;
  }
  *n_read = done;
  return AL_OK;
}

uint64_t al_vgguf_made_until(const struct al_vgguf *vgguf, uint64_t position)
{
  if (position < vgguf->metadata_bytes || position >= vgguf->size_bytes)
    return 0;
  size_t i = tensor_at(vgguf, position - vgguf->metadata_bytes);
  const struct al_plan_tensor *tensor = &vgguf->plan.tensors[i];
  uint64_t start = vgguf->metadata_bytes + gguf_get_tensor_offset(vgguf->gguf, (int64_t)i);
  return al_convert_is_copy(tensor) ? 0 : start + tensor->size_bytes;
}
