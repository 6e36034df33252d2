#include "engine/preflight_job.h"

#include "codec/json.h"

/* nullptr stays nullptr. */
static void put_str(struct al_json_writer *w, const char *key, const char *text)
{
  if (text != nullptr)
    al_jw_kv_str(w, key, text);
}

static void write_descriptor(struct al_json_writer *w, const struct al_model_descriptor *descriptor)
{
  al_jw_object(w);
  put_str(w, "id", descriptor->id);
  put_str(w, "runtime", descriptor->runtime);
  put_str(w, "architecture", descriptor->architecture);
  put_str(w, "quantisation", descriptor->quantisation);
  put_str(w, "directory", descriptor->directory);
  al_jw_key(w, "files");
  al_jw_array(w);
  for (size_t i = 0; i < descriptor->n_files; i++)
    al_jw_str(w, descriptor->files[i]);
  al_jw_end(w);
  al_jw_kv_int(w, "type", descriptor->type);
  al_jw_kv_int(w, "format", descriptor->format);
  al_jw_kv_int(w, "capabilities", descriptor->capabilities);
  al_jw_kv_int(w, "n_parameters", descriptor->n_parameters);
  al_jw_kv_int(w, "n_ctx_train", descriptor->n_ctx_train);
  al_jw_kv_int(w, "size_bytes", (int64_t)descriptor->size_bytes);
  al_jw_end(w);
}

static void write_options(struct al_json_writer *w, const struct al_load_options *options)
{
  al_jw_object(w);
  al_jw_kv_int(w, "n_ctx", options->n_ctx);
  al_jw_kv_int(w, "n_batch", options->n_batch);
  al_jw_kv_int(w, "n_seq_max", options->n_seq_max);
  al_jw_kv_int(w, "n_threads", options->n_threads);
  al_jw_kv_int(w, "n_gpu_layers", options->n_gpu_layers);
  al_jw_kv_int(w, "kv_type", options->kv_type);
  al_jw_kv_str(w, "quant", options->quant);
  al_jw_end(w);
}

void al_preflight_job_write(struct al_buf *out, const char *runtime, const struct al_model_descriptor *descriptor,
                            const struct al_load_options *options)
{
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "runtime", runtime);
  al_jw_key(&w, "descriptor");
  write_descriptor(&w, descriptor);
  al_jw_key(&w, "options");
  write_options(&w, options);
  al_jw_end(&w);
}

/* nullptr when absent, and when the arena is full. */
static char *get_str(const struct al_json *object, const char *key, struct al_arena *arena)
{
  struct al_str text = al_json_str(al_json_get(object, key));
  return text.data != nullptr ? al_arena_strndup(arena, text.data, text.size) : nullptr;
}

static int get_int(const struct al_json *object, const char *key)
{
  int64_t value = al_json_int(al_json_get(object, key), 0);
  return value >= INT32_MIN && value <= INT32_MAX ? (int)value : 0;
}

static enum al_code read_files(const struct al_json *files, struct al_arena *arena, struct al_model_descriptor *out,
                               struct al_err *err)
{
  size_t count = al_json_count(files);
  out->files = al_arena_array(arena, count, sizeof(char *));
  if (out->files == nullptr)
    return al_fail_oom(err, count * sizeof(char *));
  struct al_json_iter it = al_json_iter(files);
  while (al_json_next(&it)) {
    struct al_str path = al_json_str(it.value);
    char *copy = al_arena_strndup(arena, path.data != nullptr ? path.data : "", path.size);
    if (copy == nullptr)
      return al_fail_oom(err, path.size);
    out->files[out->n_files++] = copy;
  }
  return AL_OK;
}

static enum al_code read_descriptor(const struct al_json *from, struct al_arena *arena, struct al_model_descriptor *out,
                                    struct al_err *err)
{
  *out = (struct al_model_descriptor){
    .id = get_str(from, "id", arena),
    .runtime = get_str(from, "runtime", arena),
    .architecture = get_str(from, "architecture", arena),
    .quantisation = get_str(from, "quantisation", arena),
    .directory = get_str(from, "directory", arena),
    .type = (enum al_model_type)get_int(from, "type"),
    .format = (enum al_model_format)get_int(from, "format"),
    .capabilities = (unsigned)get_int(from, "capabilities"),
    .n_parameters = al_json_int(al_json_get(from, "n_parameters"), 0),
    .n_ctx_train = al_json_int(al_json_get(from, "n_ctx_train"), 0),
    .size_bytes = (uint64_t)al_json_int(al_json_get(from, "size_bytes"), 0),
  };
  return read_files(al_json_get(from, "files"), arena, out, err);
}

static void read_options(const struct al_json *from, struct al_load_options *out)
{
  *out = (struct al_load_options){
    .n_ctx = get_int(from, "n_ctx"),
    .n_batch = get_int(from, "n_batch"),
    .n_seq_max = get_int(from, "n_seq_max"),
    .n_threads = get_int(from, "n_threads"),
    .n_gpu_layers = get_int(from, "n_gpu_layers"),
    .kv_type = (enum al_kv_type)get_int(from, "kv_type"),
  };
  struct al_str quant = al_json_str(al_json_get(from, "quant"));
  if (quant.size > 0)
    memcpy(out->quant, quant.data, al_min_size(quant.size, sizeof out->quant - 1));
}

enum al_code al_preflight_job_read(struct al_str text, struct al_arena *arena, struct al_preflight_job *job,
                                   struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(text, &doc, err));
  const struct al_json *root = al_json_root(doc);
  *job = (struct al_preflight_job){ .runtime = get_str(root, "runtime", arena) };
  if (job->runtime == nullptr)
    return al_fail(err, AL_INVALID_REQUEST, "a preflight job names no runtime");
  read_options(al_json_get(root, "options"), &job->options);
  return read_descriptor(al_json_get(root, "descriptor"), arena, &job->descriptor, err);
}

void al_preflight_answer_write(struct al_buf *out, enum al_code code, const struct al_memory_estimate *estimate,
                               const struct al_err *error)
{
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "code", al_code_name(code));
  if (code != AL_OK) {
    al_jw_kv_str(&w, "message", error->message);
  } else {
    al_jw_kv_int(&w, "weights_ram_bytes", (int64_t)estimate->weights_ram_bytes);
    al_jw_kv_int(&w, "mapped_bytes", (int64_t)estimate->mapped_bytes);
    al_jw_kv_int(&w, "kv_ram_bytes", (int64_t)estimate->kv_ram_bytes);
    al_jw_kv_int(&w, "compute_ram_bytes", (int64_t)estimate->compute_ram_bytes);
    al_jw_kv_int(&w, "vram_bytes", (int64_t)estimate->vram_bytes);
    al_jw_kv_int(&w, "n_ctx", estimate->n_ctx);
    al_jw_kv_int(&w, "n_gpu_layers", estimate->n_gpu_layers);
  }
  al_jw_end(&w);
}

static uint64_t get_bytes(const struct al_json *object, const char *key)
{
  int64_t value = al_json_int(al_json_get(object, key), 0);
  return value > 0 ? (uint64_t)value : 0;
}

static void read_estimate(const struct al_json *root, struct al_memory_estimate *out)
{
  *out = (struct al_memory_estimate){
    .weights_ram_bytes = get_bytes(root, "weights_ram_bytes"),
    .mapped_bytes = get_bytes(root, "mapped_bytes"),
    .kv_ram_bytes = get_bytes(root, "kv_ram_bytes"),
    .compute_ram_bytes = get_bytes(root, "compute_ram_bytes"),
    .vram_bytes = get_bytes(root, "vram_bytes"),
    .n_ctx = get_int(root, "n_ctx"),
    .n_gpu_layers = get_int(root, "n_gpu_layers"),
  };
}

enum al_code al_preflight_answer_read(struct al_str text, struct al_memory_estimate *estimate, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (al_json_parse(text, &doc, nullptr) != AL_OK)
    return al_fail(err, AL_INTERNAL, "the preflight's answer is no JSON");
  const struct al_json *root = al_json_root(doc);
  struct al_str name = al_json_str(al_json_get(root, "code"));
  if (al_str_is(name, al_code_name(AL_OK))) {
    read_estimate(root, estimate);
    return AL_OK;
  }
  struct al_str message = al_json_str(al_json_get(root, "message"));
  for (int code = AL_OK + 1; code < AL_CODE_COUNT; code++) {
    if (al_str_is(name, al_code_name((enum al_code)code)))
      return al_fail(err, (enum al_code)code, "%.*s", (int)al_min_size(message.size, 500), message.data);
  }
  return al_fail(err, AL_INTERNAL, "the preflight's answer has no known code");
}
