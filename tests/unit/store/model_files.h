/* Tiny but well-formed model files for the tests of src/store. */
#ifndef AL_TESTS_MODEL_FILES_H
#define AL_TESTS_MODEL_FILES_H

#include "../os/tmpdir.h"

#include "base/buf.h"
#include "os/file.h"

#include <stdint.h>

static inline void put_bytes(const char *name, struct al_buf *bytes)
{
  char directory[512];
  (void)snprintf(directory, sizeof directory, "%s", tmpdir_path(name));
  *strrchr(directory, '/') = '\0';
  if (al_dir_make(directory, nullptr) == AL_OK)
    tmpdir_write(name, bytes->data, bytes->size);
  al_buf_done(bytes);
}

static inline void put_text(const char *name, const char *text)
{
  struct al_buf bytes = {};
  al_buf_str(&bytes, text);
  put_bytes(name, &bytes);
}

static inline void add_u32(struct al_buf *out, uint32_t value)
{
  al_buf_add(out, &value, sizeof value);
}

static inline void add_u64(struct al_buf *out, uint64_t value)
{
  al_buf_add(out, &value, sizeof value);
}

static inline void add_gguf_str(struct al_buf *out, const char *text)
{
  add_u64(out, strlen(text));
  al_buf_str(out, text);
}

static inline void add_gguf_u32(struct al_buf *out, const char *key, uint32_t value)
{
  add_gguf_str(out, key);
  add_u32(out, 4);
  add_u32(out, value);
}

static inline void add_gguf_text(struct al_buf *out, const char *key, const char *text)
{
  add_gguf_str(out, key);
  add_u32(out, 8);
  add_gguf_str(out, text);
}

struct gguf_spec {
  const char *architecture;
  uint32_t context_length;
  uint32_t pooling; /* 0: no such key */
  uint32_t split_no, split_count;
  const char *base; /* not nullptr: a LoRA adapter for this */
};

/* One F16 tensor of 64 elements. */
static inline struct al_buf make_gguf(const struct gguf_spec *spec)
{
  struct al_buf out = {};
  char key[64];
  al_buf_str(&out, "GGUF");
  add_u32(&out, 3);
  add_u64(&out, 1);
  add_u64(&out,
          2U + (spec->pooling > 0 ? 1U : 0U) + (spec->split_count > 0 ? 2U : 0U) + (spec->base != nullptr ? 2U : 0U));
  add_gguf_text(&out, "general.architecture", spec->architecture);
  if (spec->base != nullptr) {
    add_gguf_text(&out, "general.type", "adapter");
    add_gguf_text(&out, "general.base_model.0.name", spec->base);
  }
  (void)snprintf(key, sizeof key, "%s.context_length", spec->architecture);
  add_gguf_u32(&out, key, spec->context_length);
  (void)snprintf(key, sizeof key, "%s.pooling_type", spec->architecture);
  if (spec->pooling > 0)
    add_gguf_u32(&out, key, spec->pooling);
  if (spec->split_count > 0) {
    add_gguf_u32(&out, "split.no", spec->split_no);
    add_gguf_u32(&out, "split.count", spec->split_count);
  }
  add_gguf_str(&out, "token_embd.weight");
  add_u32(&out, 2);
  add_u64(&out, 32);
  add_u64(&out, 2);
  add_u32(&out, 1);
  add_u64(&out, 0);
  while (out.size % 32 != 0)
    al_buf_char(&out, '\0');
  for (int i = 0; i < 128; i++)
    al_buf_char(&out, '\0');
  return out;
}

static inline void put_gguf(const char *name, const char *architecture)
{
  const struct gguf_spec spec = { .architecture = architecture, .context_length = 4096 };
  struct al_buf bytes = make_gguf(&spec);
  put_bytes(name, &bytes);
}

/* One BF16 tensor [4, 8] of that name. */
static inline struct al_buf make_safetensors(const char *tensor)
{
  struct al_buf header = {}, out = {};
  al_buf_printf(&header, "{\"%s\":{\"dtype\":\"BF16\",\"shape\":[4,8],\"data_offsets\":[0,64]}}", tensor);
  while (header.size % 8 != 0)
    al_buf_char(&header, ' ');
  add_u64(&out, header.size);
  al_buf_add(&out, header.data, header.size);
  for (int i = 0; i < 64; i++)
    al_buf_char(&out, '\0');
  al_buf_done(&header);
  return out;
}

static inline void put_safetensors(const char *name, const char *tensor)
{
  struct al_buf bytes = make_safetensors(tensor);
  put_bytes(name, &bytes);
}

static const char qwen_config[] = "{\"architectures\":[\"Qwen3ForCausalLM\"],\"model_type\":\"qwen3\","
                                  "\"max_position_embeddings\":32768}";

#endif
