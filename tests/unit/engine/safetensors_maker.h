/* Makes model directories with small tensors whose elements can be told from name and place. */
#ifndef TESTS_ENGINE_SAFETENSORS_MAKER_H
#define TESTS_ENGINE_SAFETENSORS_MAKER_H

#include "engine/safetensors/vgguf.h"
#include "safetensors_kit.h"

/* How a file is to differ from a sound one. */
struct fault {
  const char *tensor; /* nullptr: not at all */
  const char *dtype;  /* nullptr, and swap false: the tensor is left out */
  bool swap;          /* the last two dimensions */
};

struct maker {
  struct al_buf header, data;
  struct fault fault;
  const char *dtype; /* of make_weight */
};

/* A copy of a sound model without its weights. */
void maker_begin(struct maker *maker, struct kit *kit, const char *data);
void maker_done(struct maker *maker);

void make_tensor(struct maker *maker, const char *name, const char *dtype, const int64_t shape[4]); /* ends with 0 */
void make_weight(struct maker *maker, const char *name, int64_t rows, int64_t cols); /* cols 0: a vector */
void maker_write(struct maker *maker, const struct kit *kit);

/* An element of a tensor in F32, F16 or BF16, and a byte of one in U8; `at` counts from its start. */
float value_at(const char *name, int64_t at);
uint8_t byte_at(const char *name, int64_t at);

/* All elements of a tensor of the virtual GGUF, as F32; fails the test when there are not n. Free with al_free. */
float *read_values(const struct al_vgguf *vgguf, const char *name, int64_t n);

#endif
