#include "engine/safetensors/rows.h"

/* A block of MXFP4 here: its scale, then the elements two a byte. In the files the scales stand apart. */
constexpr size_t BLOCK_ELEMENTS = 32;
constexpr size_t BLOCK_NIBBLES = 16;

/* Rows of one slab, and where that lies. */
struct piece {
  const struct al_hf_weights *weights;
  const struct al_plan_tensor *tensor;
  const struct al_plan_part *part;
  int64_t slab;  /* within the part */
  int64_t first; /* row of the slab */
  int64_t n;
  uint8_t *room;
  uint8_t *out;
};

static size_t row_bytes(const struct al_plan_tensor *t)
{
  return ggml_row_size(t->source_type, t->n_cols);
}

static bool is_scattered_vector(const struct al_plan_tensor *t)
{
  return t->n_cols == 1 && (t->row_step > 1 || t->pair_rows > 0);
}

/* Rows of the file from the first that is wanted to the last. */
static int64_t span_rows(const struct al_plan_tensor *t, int64_t n)
{
  return (n - 1) * t->row_step + 1;
}

size_t al_rows_room_bytes(const struct al_plan_tensor *t, int64_t n)
{
  size_t element = ggml_type_size(t->source_type);
  if (t->parts == nullptr)
    return 0;
  if (is_scattered_vector(t))
    return (size_t)(t->n_rows * t->row_step) * element;
  if (t->transposed)
    return (size_t)span_rows(t, n) * element;
  if (t->row_step > 1 || t->parts[0].scales.tensor != nullptr)
    return (size_t)span_rows(t, n) * row_bytes(t);
  return 0;
}

/* Row 2j+p of a head comes from its row p*half+j. */
static int64_t paired(int64_t index, int64_t head_rows)
{
  int64_t within = index % head_rows;
  return index - within + (within % 2) * (head_rows / 2) + within / 2;
}

int64_t al_rows_file_row(const struct al_plan_tensor *t, int64_t row)
{
  return (t->pair_rows > 0 ? paired(row, t->pair_rows) : row * t->row_step) + t->row_first;
}

/* From the start of the slab's data in the file. */
static enum al_code read_at(const struct piece *p, uint64_t offset, void *bytes, size_t size, struct al_err *err)
{
  const struct al_plan_tensor *t = p->tensor;
  uint64_t slab_bytes = (uint64_t)(t->n_rows * t->row_step) * row_bytes(t);
  return al_hf_weights_read(p->weights, p->part->data, (uint64_t)p->slab * slab_bytes + offset, bytes, size, err);
}

/* A vector is small: it is read whole. */
static enum al_code read_vector(const struct piece *p, struct al_err *err)
{
  const struct al_plan_tensor *t = p->tensor;
  size_t element = row_bytes(t);
  AL_TRY(read_at(p, 0, p->room, (size_t)(t->n_rows * t->row_step) * element, err));
  for (int64_t i = 0; i < p->n; i++)
    memcpy(p->out + (size_t)i * element, p->room + (size_t)al_rows_file_row(t, p->first + i) * element, element);
  return AL_OK;
}

static enum al_code read_paired(const struct piece *p, struct al_err *err)
{
  size_t row = row_bytes(p->tensor);
  for (int64_t i = 0; i < p->n; i++)
    AL_TRY(read_at(p, (uint64_t)al_rows_file_row(p->tensor, p->first + i) * row, p->out + (size_t)i * row, row, err));
  return AL_OK;
}

/* The rows between those that are wanted are read too: one long read costs less than many short ones. */
static enum al_code read_in_turn(const struct piece *p, struct al_err *err)
{
  const struct al_plan_tensor *t = p->tensor;
  size_t row = row_bytes(t);
  AL_TRY(read_at(p, (uint64_t)al_rows_file_row(t, p->first) * row, p->room, (size_t)span_rows(t, p->n) * row, err));
  for (int64_t i = 0; i < p->n; i++)
    memcpy(p->out + (size_t)i * row, p->room + (size_t)(i * t->row_step) * row, row);
  return AL_OK;
}

/* Column by column of the rows wanted, which are columns in the file. */
static enum al_code read_transposed(const struct piece *p, struct al_err *err)
{
  const struct al_plan_tensor *t = p->tensor;
  size_t element = ggml_type_size(t->source_type);
  size_t row = row_bytes(t);
  uint64_t file_row_bytes = (uint64_t)(t->n_rows * t->row_step) * element;
  uint64_t start = (uint64_t)al_rows_file_row(t, p->first) * element;
  for (int64_t column = 0; column < t->n_cols; column++) {
    AL_TRY(read_at(p, (uint64_t)column * file_row_bytes + start, p->room, (size_t)span_rows(t, p->n) * element, err));
    for (int64_t i = 0; i < p->n; i++)
      memcpy(p->out + (size_t)i * row + (size_t)column * element, p->room + (size_t)(i * t->row_step) * element,
             element);
  }
  return AL_OK;
}

/* The file has elements 2j and 2j+1 in byte j, ggml j and j+16. */
static void pack_block(const uint8_t *nibbles, uint8_t scale, uint8_t *out)
{
  out[0] = scale;
  for (size_t j = 0; j < BLOCK_NIBBLES; j++) {
    unsigned shift = j % 2 == 0 ? 0 : 4;
    unsigned low = (unsigned)nibbles[j / 2] >> shift & 15U;
    unsigned high = (unsigned)nibbles[BLOCK_NIBBLES / 2 + j / 2] >> shift & 15U;
    out[1 + j] = (uint8_t)(low | high << 4);
  }
}

static enum al_code read_mxfp4(const struct piece *p, struct al_err *err)
{
  const struct al_plan_tensor *t = p->tensor;
  size_t n_blocks = (size_t)t->n_cols / BLOCK_ELEMENTS;
  size_t span = (size_t)span_rows(t, p->n);
  uint8_t *nibbles = p->room;
  uint8_t *scales = p->room + span * n_blocks * BLOCK_NIBBLES;
  uint64_t start = (uint64_t)(p->slab * t->n_rows * t->row_step + al_rows_file_row(t, p->first)) * n_blocks;
  AL_TRY(al_hf_weights_read(p->weights, p->part->data, start * BLOCK_NIBBLES, nibbles, span * n_blocks * BLOCK_NIBBLES,
                            err));
  AL_TRY(al_hf_weights_read(p->weights, p->part->scales, start, scales, span * n_blocks, err));
  for (size_t i = 0; i < (size_t)p->n; i++)
    for (size_t b = 0; b < n_blocks; b++) {
      size_t from = i * (size_t)t->row_step * n_blocks + b;
      pack_block(nibbles + from * BLOCK_NIBBLES, scales[from], p->out + (i * n_blocks + b) * (1 + BLOCK_NIBBLES));
    }
  return AL_OK;
}

static enum al_code read_piece(const struct piece *p, struct al_err *err)
{
  const struct al_plan_tensor *t = p->tensor;
  if (t->source_type == GGML_TYPE_MXFP4)
    return read_mxfp4(p, err);
  if (is_scattered_vector(t))
    return read_vector(p, err);
  if (t->transposed)
    return read_transposed(p, err);
  if (t->pair_rows > 0)
    return read_paired(p, err);
  if (t->row_step > 1)
    return read_in_turn(p, err);
  size_t row = row_bytes(t);
  return read_at(p, (uint64_t)al_rows_file_row(t, p->first) * row, p->out, (size_t)p->n * row, err);
}

enum al_code al_rows_read(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, int64_t from,
                          int64_t n, uint8_t *room, uint8_t *out, struct al_err *err)
{
  size_t row = row_bytes(tensor);
  while (n > 0) {
    int64_t slab = from / tensor->n_rows;
    bool shared = tensor->n_parts == 1;
    struct piece piece = {
      .weights = weights,
      .tensor = tensor,
      .part = &tensor->parts[shared ? 0 : slab],
      .slab = shared ? slab : 0,
      .first = from % tensor->n_rows,
      .room = room,
      .out = out,
    };
    piece.n = tensor->n_rows - piece.first < n ? tensor->n_rows - piece.first : n;
    AL_TRY(read_piece(&piece, err));
    from += piece.n;
    n -= piece.n;
    out += (size_t)piece.n * row;
  }
  return AL_OK;
}

enum al_code al_rows_copy(const struct al_hf_weights *weights, const struct al_plan_tensor *tensor, uint64_t offset,
                          uint8_t *out, size_t size, struct al_err *err)
{
  uint64_t part_bytes = tensor->size_bytes / tensor->n_parts;
  while (size > 0) {
    uint64_t within = offset % part_bytes;
    size_t n = size < part_bytes - within ? size : (size_t)(part_bytes - within);
    AL_TRY(al_hf_weights_read(weights, tensor->parts[offset / part_bytes].data, within, out, n, err));
    offset += n;
    out += n;
    size -= n;
  }
  return AL_OK;
}
