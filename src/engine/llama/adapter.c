/* LoRA adapters. libllama checks shapes against the model before it allocates; what would make ggml abort later (types
 * it cannot multiply by, experts of another number) is refused here first, by our own reader of the header. */
#include "engine/llama/backend.h"
#include "engine/llama/model.h"

#include "base/alloc.h"
#include "codec/gguf_header.h"
#include "os/file.h"
#include "os/machine.h"

#include <ggml.h>
#include <math.h>

constexpr uint64_t MAX_HEADER_BYTES = (uint64_t)64 << 20;

struct al_engine_adapter {
  struct llama_adapter_lora *lora; /* owned; of the model */
};

static enum al_code read_header(const char *path, struct al_buf *bytes, struct al_gguf_header **header,
                                struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd = -1;
  uint64_t file_size = 0;
  AL_TRY(al_file_open(path, &fd, &file_size, err));
  uint64_t need = AL_GGUF_FIRST_BYTES;
  while (need > 0) {
    uint64_t want = need > 2 * bytes->size ? need : 2 * bytes->size;
    want = want < file_size ? want : file_size;
    if (want > MAX_HEADER_BYTES)
      return al_fail(err, AL_MODEL_CORRUPT, "the header of the adapter takes more than %llu MB",
                     (unsigned long long)(MAX_HEADER_BYTES >> 20));
    char *room = al_buf_room(bytes, (size_t)want - bytes->size);
    if (room == nullptr)
      return al_fail_oom(err, (size_t)want);
    AL_TRY(al_file_read_at(fd, bytes->size, room, (size_t)want - bytes->size, err));
    al_buf_grew(bytes, (size_t)want - bytes->size);
    AL_TRY(al_gguf_header_parse(al_buf_view(bytes), file_size, header, &need, err));
    if (need > file_size)
      return al_fail(err, AL_MODEL_CORRUPT, "the header of the adapter is cut off");
  }
  return AL_OK;
}

static bool is_float(uint32_t type)
{
  return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
}

static enum al_code check_tensor(const struct al_gguf_tensor *t, int64_t n_experts, struct al_err *err)
{
  int shown = (int)al_min_size(t->name.size, 200);
  if (!is_float(t->type))
    return al_fail(err, AL_UNSUPPORTED, "the adapter's tensor %.*s is of type %s; F32, F16 and BF16 are supported",
                   shown, t->name.data, t->type_name);
  bool a = al_str_ends(t->name, al_str(".lora_a"));
  if (!a && !al_str_ends(t->name, al_str(".lora_b")))
    return al_fail(err, AL_UNSUPPORTED, "the adapter's tensor %.*s is no part of a low-rank update", shown,
                   t->name.data);
  uint64_t n_blocks = memmem(t->name.data, t->name.size, "_exps.", 6) != nullptr ? (uint64_t)n_experts : 1;
  if (t->n_dims < 2 || t->ne[2] != n_blocks || t->ne[3] != 1 || t->ne[0] == 0 || t->ne[1] == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "the adapter's tensor %.*s has a shape that fits no layer of this model",
                   shown, t->name.data);
  return AL_OK;
}

static int64_t n_experts_of(const struct llama_model *model, const char *architecture)
{
  char key[128];
  char text[32];
  (void)snprintf(key, sizeof key, "%s.expert_count", architecture);
  return llama_model_meta_val_str(model, key, text, sizeof text) > 0 ? strtoll(text, nullptr, 10) : 0;
}

static enum al_code check_kind(const struct al_gguf_header *header, const char *architecture, struct al_err *err)
{
  struct al_str text = {};
  if (!al_gguf_header_str(header, "general.type", &text) || !al_str_is(text, "adapter"))
    return al_fail(err, AL_INVALID_REQUEST, "the file is no adapter, general.type is \"%.*s\"",
                   (int)al_min_size(text.size, 64), text.size > 0 ? text.data : "");
  text = (struct al_str){};
  if (!al_gguf_header_str(header, "adapter.type", &text) || !al_str_is(text, "lora"))
    return al_fail(err, AL_UNSUPPORTED, "the adapter is of the type \"%.*s\", only \"lora\" is supported",
                   (int)al_min_size(text.size, 64), text.size > 0 ? text.data : "");
  if (al_gguf_header_has(header, "adapter.alora.invocation_tokens"))
    return al_fail(err, AL_UNSUPPORTED, "activated adapters (aLoRA) are not supported");
  text = (struct al_str){};
  if (!al_gguf_header_str(header, "general.architecture", &text) || !al_str_is(text, architecture))
    return al_fail(err, AL_INVALID_REQUEST,
                   "the adapter is for another model: its architecture is %.*s, the model's %s",
                   (int)al_min_size(text.size, 64), text.size > 0 ? text.data : "unknown", architecture);
  double alpha = 0;
  if (!al_gguf_header_f64(header, "adapter.lora.alpha", &alpha) || !isfinite(alpha))
    return al_fail(err, AL_MODEL_CORRUPT, "the adapter's alpha (adapter.lora.alpha) is missing or no number");
  return AL_OK;
}

/* *n_bytes: of its tensors. */
static enum al_code check_file(const struct al_engine_model *model, const char *path, uint64_t *n_bytes,
                               struct al_err *err)
{
  char architecture[64] = "";
  (void)llama_model_meta_val_str(model->llama, "general.architecture", architecture, sizeof architecture);
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  al_buf_init(&bytes, MAX_HEADER_BYTES + 1);
  AL_CLEANUP(al_gguf_header_free_p) struct al_gguf_header *header = nullptr;
  AL_TRY(read_header(path, &bytes, &header, err));
  AL_TRY(check_kind(header, architecture, err));
  int64_t n_experts = n_experts_of(model->llama, architecture);
  for (size_t i = 0; i < al_gguf_header_n_tensors(header); i++) {
    const struct al_gguf_tensor *tensor = al_gguf_header_tensor(header, i);
    AL_TRY(check_tensor(tensor, n_experts, err));
    *n_bytes += tensor->size_bytes;
  }
  return al_gguf_header_n_tensors(header) > 0 ? AL_OK : al_fail(err, AL_MODEL_CORRUPT, "the adapter has no tensors");
}

static enum al_code check_memory(uint64_t n_bytes, struct al_err *err)
{
  struct al_memory memory;
  al_machine_memory(&memory);
  if (n_bytes <= memory.available_bytes / 2)
    return AL_OK;
  return al_fail(err, AL_OOM_RAM, "the adapter takes %llu MB, %llu MB are free", (unsigned long long)(n_bytes >> 20),
                 (unsigned long long)(memory.available_bytes >> 20));
}

static enum al_code explain(struct al_err *err)
{
  static const char prefix[] = "failed to apply lora adapter: ";
  const char *why = al_llama_log_last_error();
  why = strncmp(why, prefix, sizeof prefix - 1) == 0 ? why + sizeof prefix - 1 : why;
  bool memory = strstr(why, "alloc") != nullptr;
  return al_fail(err, memory ? AL_OOM_RAM : AL_INVALID_REQUEST, "the adapter does not fit the model: %s",
                 why[0] != '\0' ? why : "libllama does not say why");
}

static enum al_code open_gguf(struct al_engine_model *model, const char *path, struct llama_adapter_lora **lora,
                              struct al_err *err)
{
  uint64_t n_bytes = 0;
  AL_TRY(check_file(model, path, &n_bytes, err));
  AL_TRY(check_memory(n_bytes, err));
  al_llama_log_clear();
  *lora = llama_adapter_lora_init(model->llama, path);
  return *lora != nullptr ? AL_OK : explain(err);
}

static void stream_done(struct al_llama_adapter_stream *stream)
{
  if (stream->done != nullptr)
    stream->done(stream);
}

static enum al_code open_peft(struct al_engine_model *model, const struct al_model_descriptor *descriptor,
                              struct llama_adapter_lora **lora, struct al_err *err)
{
  if (model->read_adapter == nullptr)
    return al_fail(err, AL_UNSUPPORTED,
                   "a GGUF model takes adapters in GGUF; this one is a PEFT directory: use the safetensors model, or "
                   "convert the adapter");
  AL_TRY(check_memory(2 * descriptor->size_bytes, err)); /* in F32, mostly from BF16 */
  AL_CLEANUP(stream_done) struct al_llama_adapter_stream stream = {};
  AL_TRY(model->read_adapter(model->llama, model->adapter_names, descriptor->directory, &stream, err));
  al_llama_log_clear();
  *lora = llama_adapter_lora_init_from_file_ptr(model->llama, stream.file);
  if (*lora != nullptr)
    return AL_OK;
  if (stream.failure == nullptr || stream.failure->code == AL_OK)
    return explain(err);
  if (err != nullptr)
    *err = *stream.failure;
  return stream.failure->code;
}

enum al_code al_llama_adapter_load(struct al_engine_model *model, const struct al_model_descriptor *descriptor,
                                   struct al_engine_adapter **adapter, struct al_err *err)
{
  if (descriptor->problem.code != AL_OK) {
    if (err != nullptr)
      *err = descriptor->problem;
    return descriptor->problem.code;
  }
  if (descriptor->format == AL_FORMAT_GGUF && descriptor->n_files != 1)
    return al_fail(err, AL_UNSUPPORTED, "an adapter is one GGUF file");
  struct al_engine_adapter *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = descriptor->format == AL_FORMAT_GGUF ? open_gguf(model, descriptor->files[0], &made->lora, err)
                                                           : open_peft(model, descriptor, &made->lora, err);
  if (code == AL_OK)
    *adapter = made;
  else
    al_free(made);
  return code;
}

void al_llama_adapter_free(struct al_engine_model *model, struct al_engine_adapter *adapter)
{
  if (adapter == nullptr)
    return;
  struct al_llama_loras *loras = &model->loras;
  size_t kept = 0;
  for (size_t i = 0; i < loras->count; i++) {
    if (loras->items[i] == adapter->lora)
      continue;
    loras->items[kept] = loras->items[i];
    loras->scales[kept++] = loras->scales[i];
  }
  loras->count = kept;
  (void)llama_set_adapters_lora(model->context, loras->items, loras->count, loras->scales);
  llama_adapter_lora_free(adapter->lora);
  al_free(adapter);
}

enum al_code al_llama_adapter_use(struct al_engine_model *model, const struct al_adapter_use *uses, size_t n_uses,
                                  struct al_err *err)
{
  struct al_llama_loras loras = { .count = n_uses };
  if (n_uses > AL_COUNT(loras.items))
    return al_fail(err, AL_INVALID_REQUEST, "%zu adapters at once, at most %zu are possible", n_uses,
                   AL_COUNT(loras.items));
  for (size_t i = 0; i < n_uses; i++) {
    if (!isfinite(uses[i].scale))
      return al_fail(err, AL_INVALID_REQUEST, "the scale of adapter %zu is no number", i);
    for (size_t j = 0; j < i; j++)
      if (loras.items[j] == uses[i].adapter->lora)
        return al_fail(err, AL_INVALID_REQUEST, "adapter %zu is named twice", i);
    loras.items[i] = uses[i].adapter->lora;
    loras.scales[i] = uses[i].scale;
  }
  if (llama_set_adapters_lora(model->context, loras.items, n_uses, loras.scales) != 0)
    return al_fail(err, AL_INTERNAL, "libllama does not take the adapters");
  model->loras = loras;
  return AL_OK;
}
