/* What our engines make of a model, for the scripts beside this file to compare with somebody else's answer.
 *
 *   probe MODEL tokens            standard input: a JSON string a line (its bytes; {"bytes": [..]} for what JSON cannot
 *                                 say); prints the token ids of each
 *   probe MODEL logits OUT N      standard input: a JSON array of ids a line; appends float[n][n_vocab] to OUT for each
 *                                 and prints N ids chosen greedily after it
 *   probe MODEL embed OUT         standard input: a JSON array of arrays of ids a line, run together; appends the
 *                                 float[n_embd] of each to OUT
 *   probe MODEL pairs             standard input: [query, document] a line; prints the token ids of the pair
 *   probe MODEL time              prints how long the load takes and what the model holds
 *
 * MODEL is a Hugging Face directory or a .gguf file. Options behind: --quant TYPE, --bos, --no-special,
 * --adapter PATH=SCALE (a PEFT directory or a .gguf file; may be repeated; logits are then run once more without them,
 * into OUT.bare). */
#include "base/clock.h"
#include "codec/json.h"
#include "engine/llama/llama_engine.h"
#include "engine/preflight.h"
#include "engine/safetensors/safetensors_engine.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

constexpr int N_CTX = 2048;

struct probe {
  const struct al_engine *engine;
  struct al_engine_model *model;
  struct al_text_info info;
  unsigned flags;
  int32_t tokens[1 << 16];
};

[[noreturn]] static void fail(const char *what, const struct al_err *err)
{
  (void)fprintf(stderr, "probe: %s: %s: %s\n", what, al_code_name(err->code), err->message);
  exit(1);
}

static struct al_json_doc *parse_line(const char *line)
{
  struct al_err err = {};
  struct al_json_doc *doc = nullptr;
  if (al_json_parse(al_str(line), &doc, &err) != AL_OK)
    fail("input", &err);
  return doc;
}

static void text_of(const struct al_json *value, struct al_buf *text)
{
  struct al_str string = al_json_str(value);
  al_buf_add(text, string.data, string.size);
  struct al_json_iter it = al_json_iter(al_json_get(value, "bytes"));
  while (al_json_next(&it))
    al_buf_char(text, (char)al_json_int(it.value, 0));
}

static void print_tokens(struct probe *p, const char *line)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse_line(line);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  text_of(al_json_root(doc), &text);
  size_t count = 0;
  struct al_err err = {};
  if (p->engine->text->tokenize(p->model, al_buf_view(&text), p->flags, p->tokens, AL_COUNT(p->tokens), &count, &err) !=
      AL_OK)
    fail("tokenize", &err);
  for (size_t i = 0; i < count && i < AL_COUNT(p->tokens); i++)
    (void)printf("%s%d", i > 0 ? " " : "", (int)p->tokens[i]);
  (void)printf("\n");
}

static void decode(struct probe *p, const struct al_text_item *items, size_t n)
{
  struct al_err err = {};
  if (p->engine->text->decode(p->model, items, n, nullptr, &err) != AL_OK)
    fail("decode", &err);
}

static int32_t best_of(const float *logits, int n_vocab)
{
  int best = 0;
  for (int i = 1; i < n_vocab; i++)
    if (logits[i] > logits[best])
      best = i;
  return best;
}

static void run_prompt(struct probe *p, const char *line, FILE *out, int n_greedy)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse_line(line);
  static struct al_text_item items[512];
  int32_t n = 0;
  struct al_json_iter it = al_json_iter(al_json_root(doc));
  while (al_json_next(&it) && n < (int32_t)AL_COUNT(items)) {
    items[n] = (struct al_text_item){ .token = (int32_t)al_json_int(it.value, 0), .position = n, .wants_logits = true };
    n++;
  }
  (void)p->engine->text->sequence_remove(p->model, 0, 0, -1);
  decode(p, items, (size_t)n);
  for (int32_t i = 0; i < n; i++)
    (void)fwrite(p->engine->text->logits(p->model, (size_t)i), sizeof(float), (size_t)p->info.n_vocab, out);
  int32_t next = best_of(p->engine->text->logits(p->model, (size_t)n - 1), p->info.n_vocab);
  for (int i = 0; i < n_greedy; i++) {
    (void)printf("%s%d", i > 0 ? " " : "", (int)next);
    struct al_text_item item = { .token = next, .position = n + i, .wants_logits = true };
    decode(p, &item, 1);
    next = best_of(p->engine->text->logits(p->model, 0), p->info.n_vocab);
  }
  (void)printf("\n");
}

static void embed(struct probe *p, const char *line, FILE *out)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse_line(line);
  static struct al_text_item items[8192];
  size_t n = 0;
  int32_t n_texts = 0;
  struct al_json_iter texts = al_json_iter(al_json_root(doc));
  while (al_json_next(&texts)) {
    struct al_json_iter ids = al_json_iter(texts.value);
    for (int32_t i = 0; al_json_next(&ids) && n < AL_COUNT(items); i++)
      items[n++] = (struct al_text_item){ (int32_t)al_json_int(ids.value, 0), i, n_texts, false };
    n_texts++;
  }
  size_t n_floats = (size_t)n_texts * (size_t)p->info.n_embd;
  float *rows = calloc(n_floats > 0 ? n_floats : 1, sizeof *rows);
  struct al_err err = {};
  if (rows == nullptr || p->engine->text->embed(p->model, items, n, rows, nullptr, &err) != AL_OK)
    fail("embed", &err);
  (void)fwrite(rows, sizeof *rows, n_floats, out);
  free(rows);
}

static void print_pair(struct probe *p, const char *line)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = parse_line(line);
  const struct al_json *root = al_json_root(doc);
  size_t count = 0;
  struct al_err err = {};
  if (p->engine->text->tokenize_pair(p->model, al_json_str(al_json_at(root, 0)), al_json_str(al_json_at(root, 1)),
                                     p->tokens, AL_COUNT(p->tokens), &count, &err) != AL_OK)
    fail("tokenize_pair", &err);
  for (size_t i = 0; i < count && i < AL_COUNT(p->tokens); i++)
    (void)printf("%s%d", i > 0 ? " " : "", (int)p->tokens[i]);
  (void)printf("\n");
}

/* "PATH=SCALE" */
static struct al_adapter_use load_adapter(struct probe *p, const char *argument)
{
  static char path[PATH_MAX];
  char absolute[PATH_MAX];
  const char *equals = strrchr(argument, '=');
  (void)snprintf(path, sizeof path, "%.*s", (int)(equals - argument), argument);
  if (realpath(path, absolute) == nullptr) {
    perror(path);
    exit(1);
  }
  bool gguf = al_str_ends(al_str(path), al_str(".gguf"));
  char *files[] = { absolute };
  struct al_model_descriptor descriptor = {
    .directory = absolute, .files = files, .n_files = 1, .format = gguf ? AL_FORMAT_GGUF : AL_FORMAT_SAFETENSORS
  };
  struct al_adapter_use use = { .scale = strtof(equals + 1, nullptr) };
  struct al_err err = {};
  if (p->engine->text->adapter_load(p->model, &descriptor, &use.adapter, &err) != AL_OK)
    fail("adapter", &err);
  return use;
}

static size_t load_adapters(struct probe *p, int argc, char **argv, struct al_adapter_use *uses, size_t capacity)
{
  size_t n = 0;
  for (int i = 3; i + 1 < argc && n < capacity; i++)
    if (al_streq(argv[i], "--adapter"))
      uses[n++] = load_adapter(p, argv[i + 1]);
  struct al_err err = {};
  if (n > 0 && p->engine->text->adapter_use(p->model, uses, n, &err) != AL_OK)
    fail("adapter_use", &err);
  return n;
}

static void load(struct probe *p, const char *path, const char *quant)
{
  char absolute[PATH_MAX];
  if (realpath(path, absolute) == nullptr) {
    perror(path);
    exit(1);
  }
  bool gguf = al_str_ends(al_str(path), al_str(".gguf"));
  char *files[] = { absolute };
  char architecture[128] = "";
  p->engine = gguf ? &al_engine_llama : &al_engine_safetensors;
  struct al_model_descriptor descriptor = {
    .id = absolute,
    .directory = absolute,
    .architecture = architecture,
    .files = gguf ? files : nullptr,
    .n_files = gguf ? 1 : 0,
    .format = gguf ? AL_FORMAT_GGUF : AL_FORMAT_SAFETENSORS,
  };
  struct al_load_options options = { .n_ctx = N_CTX, .n_seq_max = 8, .n_batch = 512, .kv_type = AL_KV_F32 };
  (void)snprintf(options.quant, sizeof options.quant, "%s", quant);
  struct al_err err = {};
  if (p->engine->load(&descriptor, &options, nullptr, nullptr, &p->model, &err) != AL_OK)
    fail("load", &err);
  p->engine->text->info(p->model, &p->info);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 3; i + 1 < argc; i++)
    if (al_streq(argv[i], name))
      return argv[i + 1];
  return otherwise;
}

static bool has_flag(int argc, char **argv, const char *name)
{
  for (int i = 3; i < argc; i++)
    if (al_streq(argv[i], name))
      return true;
  return false;
}

/* Each line of standard input to what argv[2] names. */
static void run(struct probe *p, int argc, char **argv, FILE *out)
{
  char *line = nullptr;
  size_t capacity = 0;
  const char *task = argv[2];
  while (!al_streq(task, "time") && getline(&line, &capacity, stdin) > 0) {
    if (al_streq(task, "logits") && argc >= 5)
      run_prompt(p, line, out, (int)strtol(argv[4], nullptr, 10));
    else if (al_streq(task, "embed"))
      embed(p, line, out);
    else if (al_streq(task, "pairs"))
      print_pair(p, line);
    else
      print_tokens(p, line);
  }
  free(line);
}

/* With adapters, and then the same prompts without. */
static void run_with_adapters(struct probe *p, int argc, char **argv, FILE *out)
{
  struct al_adapter_use uses[8];
  size_t n = load_adapters(p, argc, argv, uses, AL_COUNT(uses));
  run(p, argc, argv, out);
  if (n == 0)
    return;
  struct al_err err = {};
  if (p->engine->text->adapter_use(p->model, nullptr, 0, &err) != AL_OK || fseek(stdin, 0, SEEK_SET) != 0)
    fail("adapter_use", &err);
  char path[PATH_MAX];
  (void)snprintf(path, sizeof path, "%s.bare", argv[3]);
  FILE *bare = fopen(path, "wbe");
  if (bare == nullptr)
    exit(1);
  run(p, argc, argv, bare);
  (void)fclose(bare);
  for (size_t i = 0; i < n; i++)
    p->engine->text->adapter_free(p->model, uses[i].adapter);
}

int main(int argc, char **argv)
{
  static const struct al_engine *const engines[] = { &al_engine_safetensors, &al_engine_llama };
  const struct al_engine_registry registry = { engines, AL_COUNT(engines) };
  if (argc > 1 && al_streq(argv[1], "--preflight"))
    return al_preflight_main(&registry, argc, argv);
  if (argc < 3)
    return 2;
  static struct probe probe;
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n > 0 && !has_flag(argc, argv, "--no-preflight")) {
    self[n] = '\0';
    al_preflight_set_program(self);
  }
  probe.flags = (has_flag(argc, argv, "--no-special") ? 0 : AL_TOKENIZE_SPECIAL) |
                (has_flag(argc, argv, "--bos") ? AL_TOKENIZE_BOS : 0);
  int64_t start = al_now_ns();
  load(&probe, argv[1], option(argc, argv, "--quant", ""));
  (void)fprintf(stderr, "load_ms=%.1f memory_bytes=%llu\n", (double)(al_now_ns() - start) / 1e6,
                (unsigned long long)probe.info.memory_bytes);
  bool writes = (al_streq(argv[2], "logits") || al_streq(argv[2], "embed")) && argc >= 4;
  FILE *out = writes ? fopen(argv[3], "wbe") : nullptr;
  run_with_adapters(&probe, argc, argv, out);
  if (out != nullptr)
    (void)fclose(out);
  probe.engine->unload(probe.model);
  return 0;
}
