/* The preflight: what it measures, and that damaged files end there and not in the worker. argv[1]: the directory of
 * the tiny models. Run as `--preflight <job>` this program is the child that it starts. */
#include "engine/llama/llama_engine.h"
#include "engine/preflight.h"
#include "engine/preflight_job.h"

#include "base/alloc.h"
#include "base/macros.h"
#include "os/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_llama;
static char qwen3_path[4096];
static char llama_path[2][4096];
static char scratch[] = "/tmp/allm-preflight-XXXXXX";
static char damaged_path[4096];
static const char *program;

static struct al_model_descriptor describe(char **files, size_t n_files)
{
  static char id[] = "tiny";
  return (struct al_model_descriptor){ .id = id, .format = AL_FORMAT_GGUF, .files = files, .n_files = n_files };
}

static enum al_code estimate(char *path, struct al_load_options options, struct al_memory_estimate *out,
                             struct al_err *err)
{
  struct al_model_descriptor descriptor = describe(&path, 1);
  return engine->estimate(&descriptor, &options, out, err);
}

static void write_damaged(const void *bytes, size_t size)
{
  assert_int_equal(al_file_write_atomic(damaged_path, al_str_n(bytes, size), nullptr), AL_OK);
}

static struct al_buf read_model(void)
{
  struct al_buf bytes = {};
  assert_int_equal(al_file_read(qwen3_path, 1 << 20, &bytes, nullptr), AL_OK);
  return bytes;
}

/* --- measuring -------------------------------------------------------------------------------------------------- */

static void measures_a_model(void **)
{
  struct al_memory_estimate e = {};
  struct al_err err = {};
  if (estimate(qwen3_path, (struct al_load_options){}, &e, &err) != AL_OK)
    fail_msg("%s", err.message);
  assert_int_equal(e.n_ctx, 4 * 2048);
  /* 2 layers, keys and values, 2 heads of 32 halves: 512 bytes a token */
  assert_int_equal(e.kv_ram_bytes, 4 * 2048 * 512);
  /* The file less its metadata, at least; a CPU that repacks weights needs the tied embeddings twice. */
  assert_true(e.weights_ram_bytes > 100'000 && e.weights_ram_bytes < 200'000);
  assert_true(e.mapped_bytes > 0 && e.mapped_bytes <= e.weights_ram_bytes);
  assert_true(e.compute_ram_bytes > 10'000 && e.compute_ram_bytes < (64U << 20));
  assert_int_equal(e.vram_bytes, 0);
  assert_int_equal(e.n_gpu_layers, 0);
}

static void options_change_the_measure(void **)
{
  struct al_memory_estimate e = {};
  assert_int_equal(estimate(qwen3_path, (struct al_load_options){ .n_ctx = 512 }, &e, nullptr), AL_OK);
  assert_int_equal(e.n_ctx, 512);
  assert_int_equal(e.kv_ram_bytes, 512 * 512);
  assert_int_equal(estimate(qwen3_path, (struct al_load_options){ .n_ctx = 512, .kv_type = AL_KV_F32 }, &e, nullptr),
                   AL_OK);
  assert_int_equal(e.kv_ram_bytes, 2 * 512 * 512);
}

static void measures_a_split_model(void **)
{
  char *files[] = { llama_path[0], llama_path[1] };
  struct al_model_descriptor descriptor = describe(files, 2);
  struct al_load_options options = {};
  struct al_memory_estimate e = {};
  struct al_err err = {};
  if (engine->estimate(&descriptor, &options, &e, &err) != AL_OK)
    fail_msg("%s", err.message);
  assert_int_equal(e.n_ctx, 4 * 512);
  assert_true(e.weights_ram_bytes > 50'000);
  /* Half of it is no model, and the message says what is missing. */
  struct al_model_descriptor half = describe(files, 1);
  half.modified_s = 1;
  enum al_code code = engine->estimate(&half, &options, &e, &err);
  if (code == AL_OK) /* libllama finds the other part by its name */
    assert_true(e.weights_ram_bytes < 80'000);
}

/* The heads of the tiny Llama are 16 wide, and blocks of Q8_0 hold 32 values. */
static void a_cache_type_that_does_not_suit_is_said(void **)
{
  char *files[] = { llama_path[0], llama_path[1] };
  struct al_model_descriptor descriptor = describe(files, 2);
  struct al_load_options options = { .kv_type = AL_KV_Q8_0 };
  struct al_memory_estimate e = {};
  struct al_err err = {};
  assert_int_equal(engine->estimate(&descriptor, &options, &e, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "q8_0"));
}

static void without_a_program_it_guesses(void **)
{
  al_preflight_set_program(nullptr);
  struct al_memory_estimate e = {};
  enum al_code code = estimate(qwen3_path, (struct al_load_options){ .n_ctx = 77 }, &e, nullptr);
  al_preflight_set_program(program);
  assert_int_equal(code, AL_OK);
  struct al_file_info info;
  assert_int_equal(al_file_stat(qwen3_path, &info, nullptr), AL_OK);
  assert_int_equal(e.weights_ram_bytes, info.size_bytes);
  assert_int_equal(e.n_ctx, 77);
}

/* A program that is no worker: the outcome is remembered as long as the file stays, so the second question asks no
 * child; a changed file asks again. */
static void outcomes_are_remembered(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = read_model();
  write_damaged(bytes.data, bytes.size);
  struct al_load_options options = { .n_ctx = 333 };
  struct al_memory_estimate first = {};
  struct al_memory_estimate second = {};
  assert_int_equal(estimate(damaged_path, options, &first, nullptr), AL_OK);
  al_preflight_set_program("/bin/false");
  enum al_code again = estimate(damaged_path, options, &second, nullptr);
  write_damaged(bytes.data, bytes.size); /* another inode */
  struct al_err err = {};
  enum al_code changed = estimate(damaged_path, options, &second, &err);
  al_preflight_set_program(program);
  assert_int_equal(again, AL_OK);
  assert_memory_equal(&first, &second, sizeof first);
  assert_int_equal(changed, AL_INTERNAL);
  assert_int_equal(estimate(damaged_path, options, &second, nullptr), AL_OK); /* that failure was not remembered */
}

static void a_program_that_cannot_start_is_said(void **)
{
  al_preflight_set_program("/nowhere/worker");
  struct al_memory_estimate e = {};
  struct al_err err = {};
  enum al_code code = estimate(qwen3_path, (struct al_load_options){ .n_ctx = 334 }, &e, &err);
  al_preflight_set_program(program);
  assert_int_not_equal(code, AL_OK);
  assert_true(strlen(err.message) > 0);
}

/* --- damaged files ---------------------------------------------------------------------------------------------- */

static void expect_refusal(const char *what, const char *word)
{
  struct al_memory_estimate e = {};
  struct al_err err = {};
  enum al_code code = estimate(damaged_path, (struct al_load_options){}, &e, &err);
  if ((code != AL_MODEL_CORRUPT && code != AL_UNSUPPORTED) || strstr(err.message, "damaged.gguf") == nullptr ||
      strstr(err.message, word) == nullptr)
    fail_msg("%s: %s: %s", what, al_code_name(code), err.message);
}

static void truncated_files_are_refused(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = read_model();
  const size_t sizes[] = { 0, 3, 4, 8, 23, 24, 60, 1000, 9000, bytes.size / 2, bytes.size - 4000, bytes.size - 1 };
  for (size_t i = 0; i < AL_COUNT(sizes); i++) {
    write_damaged(bytes.data, sizes[i]);
    char what[32];
    (void)snprintf(what, sizeof what, "%zu bytes", sizes[i]);
    expect_refusal(what, "");
  }
}

/* The first `old` in the file becomes `new` (of the same length). */
static void replace(struct al_buf *bytes, const char *old, const char *new)
{
  char *at = memmem(bytes->data, bytes->size, old, strlen(old));
  assert_non_null(at);
  memcpy(at, new, strlen(new));
}

static void wrong_contents_are_refused(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = read_model();
  AL_CLEANUP(al_buf_done) struct al_buf copy = {};
  al_buf_add(&copy, bytes.data, bytes.size);
  replace(&copy, "qwen3", "qwenX"); /* the architecture's name comes first */
  write_damaged(copy.data, copy.size);
  expect_refusal("unknown architecture", "architecture");

  memcpy(copy.data, bytes.data, bytes.size);
  replace(&copy, "output_norm.weight", "output_gone.weight");
  write_damaged(copy.data, copy.size);
  expect_refusal("missing tensor", "output_norm");

  memcpy(copy.data, bytes.data, bytes.size);
  replace(&copy, "qwen3.block_count", "qwen3.block_caunt");
  write_damaged(copy.data, copy.size);
  expect_refusal("missing key", "block_count");

  memcpy(copy.data, bytes.data, bytes.size);
  char *epsilon = memmem(copy.data, copy.size, "rms_epsilon", 11);
  assert_non_null(epsilon);
  epsilon[11 + 4 + 3] |= (char)0x80; /* after the key and its type, a little-endian float: now negative */
  write_damaged(copy.data, copy.size);
  expect_refusal("negative epsilon", "layer_norm_rms_epsilon");

  write_damaged("this is text, not a model\n", 26);
  expect_refusal("text", "");
}

static const unsigned char flips[] = { 0x01, 0x80, 0xff };

/* Where the tensor data starts, near enough: after the last tensor's name. */
static size_t header_size(const struct al_buf *bytes)
{
  size_t end = 0;
  for (size_t at = 0; at + 8 < bytes->size; at++) {
    if (memcmp(bytes->data + at, ".weight", 7) == 0)
      end = at + 7;
  }
  assert_true(end > 1000);
  return end + 40;
}

/* Runs in a child of the test, which may die: preflight, and for a file that passes the real thing. *stage tells how
 * far it got: 1 while the preflight runs, 2 after it passed, 3 at the end. */
static void use_file(volatile int *stage)
{
  char *files[] = { damaged_path };
  struct al_model_descriptor descriptor = describe(files, 1);
  struct al_load_options options = { .n_ctx = 256, .n_batch = 32, .n_threads = 1 };
  struct al_memory_estimate e = {};
  *stage = 1;
  if (engine->preflight(&descriptor, &options, &e, nullptr) != AL_OK)
    _exit(1);
  *stage = 2;
  al_preflight_set_program(nullptr); /* the check has just been made */
  struct al_engine_model *model = nullptr;
  if (engine->load(&descriptor, &options, nullptr, nullptr, &model, nullptr) != AL_OK)
    _exit(1);
  int32_t tokens[16];
  size_t n = 0;
  if (engine->text->tokenize(model, al_str("hello there"), AL_TOKENIZE_BOS, tokens, 16, &n, nullptr) != AL_OK)
    _exit(1);
  struct al_text_item items[16];
  n = n < 16 ? n : 16;
  for (size_t i = 0; i < n; i++)
    items[i] = (struct al_text_item){ tokens[i], (int32_t)i, 0, i + 1 == n };
  if (n > 0 && engine->text->decode(model, items, n, nullptr, nullptr) == AL_OK)
    (void)engine->text->logits(model, n - 1);
  char text[256];
  for (int32_t token = 0; token < 64; token++)
    engine->text->piece(model, token, true, text, sizeof text, &n);
  engine->unload(model);
  *stage = 3;
  _exit(0);
}

struct tally {
  int n_fine, n_refused, n_died_in_preflight, n_died_later;
};

static void try_file(volatile int *stage, struct tally *tally)
{
  *stage = 0;
  pid_t pid = fork();
  if (pid == 0) {
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){});
    if (freopen("/dev/null", "w", stderr) == nullptr)
      _exit(99);
    (void)signal(SIGABRT, SIG_DFL);
    (void)alarm(20);
    use_file(stage);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    tally->n_fine++;
  else if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
    tally->n_refused++;
  else if (*stage == 1)
    tally->n_died_in_preflight++;
  else
    tally->n_died_later++;
}

/* What passes the preflight does no harm afterwards. ALLM_TEST_EVERY_BYTE=1 takes every byte of the header. */
static void flipped_header_bytes_end_in_the_preflight(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = read_model();
  size_t end = header_size(&bytes);
  size_t step = getenv("ALLM_TEST_EVERY_BYTE") != nullptr ? 1 : end / 60;
  volatile int *stage = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal((const void *)(uintptr_t)stage, MAP_FAILED);
  struct tally tally = {};
  int fd = open(damaged_path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, bytes.data, bytes.size, 0), (ssize_t)bytes.size);
  for (size_t at = 0; at < end; at += step) {
    char flipped = (char)(bytes.data[at] ^ (char)flips[at % AL_COUNT(flips)]);
    assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
    int before = tally.n_died_later;
    try_file(stage, &tally);
    if (tally.n_died_later > before)
      print_error("byte %zu: 0x%02x instead of 0x%02x passes the preflight and dies later\n", at,
                  (unsigned char)flipped, (unsigned char)bytes.data[at]);
    assert_int_equal(pwrite(fd, &bytes.data[at], 1, (off_t)at), 1);
  }
  al_fd_close(&fd);
  print_message("of %zu header bytes: %d fine, %d refused, %d died in the preflight, %d later\n", end, tally.n_fine,
                tally.n_refused, tally.n_died_in_preflight, tally.n_died_later);
  assert_int_equal(tally.n_died_later, 0);
  assert_true(tally.n_refused > 0);
  (void)munmap((void *)(uintptr_t)stage, sizeof(int));
}

/* Numbers at the ends of their range, integers and floats, in each key that shapes the computation. */
static void extreme_numbers_end_in_the_preflight(void **)
{
  static const char *const keys[] = {
    "qwen3.block_count",           "qwen3.context_length",         "qwen3.embedding_length",
    "qwen3.feed_forward_length",   "qwen3.attention.head_count",   "qwen3.attention.head_count_kv",
    "qwen3.attention.key_length",  "qwen3.attention.value_length", "qwen3.rope.dimension_count",
    "qwen3.rope.freq_base",        "layer_norm_rms_epsilon",       "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.bos_token_id", "general.sampling.temp",        "general.sampling.top_k",
  };
  static const uint32_t values[] = { 0, 1, 0x7fffffff, 0x80000001, 0xffffffff, 0x7f800000, 0x7fc00000, 3 };
  AL_CLEANUP(al_buf_done) struct al_buf bytes = read_model();
  volatile int *stage = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct tally tally = {};
  for (size_t k = 0; k < AL_COUNT(keys); k++) {
    const char *at = memmem(bytes.data, bytes.size, keys[k], strlen(keys[k]));
    assert_non_null(at);
    char *value = bytes.data + (at - bytes.data) + strlen(keys[k]) + 4;
    uint32_t right;
    memcpy(&right, value, sizeof right);
    for (size_t v = 0; v < AL_COUNT(values); v++) {
      memcpy(value, &values[v], sizeof right);
      write_damaged(bytes.data, bytes.size);
      int before = tally.n_died_later;
      try_file(stage, &tally);
      if (tally.n_died_later > before)
        print_error("%s = 0x%08x passes the preflight and dies later\n", keys[k], values[v]);
    }
    memcpy(value, &right, sizeof right);
  }
  print_message("of extreme numbers: %d fine, %d refused, %d died in the preflight, %d later\n", tally.n_fine,
                tally.n_refused, tally.n_died_in_preflight, tally.n_died_later);
  assert_int_equal(tally.n_died_later, 0);
  (void)munmap((void *)(uintptr_t)stage, sizeof(int));
}

static int the_end(const struct al_model_descriptor *descriptor)
{
  return al_streq(descriptor->id, "segfault") ? raise(SIGSEGV) : raise(SIGABRT);
}

static enum al_code dying_preflight(const struct al_model_descriptor *descriptor, const struct al_load_options *,
                                    struct al_memory_estimate *, struct al_err *err)
{
  if (al_streq(descriptor->id, "polite"))
    return al_fail(err, AL_OOM_VRAM, "too big: %d", descriptor->format);
  (void)signal(SIGSEGV, SIG_DFL);
  (void)fprintf(stderr, "something before\n/build/src/ggml.c:12: GGML_ASSERT(false) failed\n");
  return the_end(descriptor) == 0 ? AL_OK : AL_INTERNAL;
}

static const struct al_engine dying = { .runtime = "dying", .preflight = dying_preflight };

static void the_last_words_are_handed_on(void **)
{
  char abort_id[] = "abort";
  char segfault_id[] = "segfault";
  char polite_id[] = "polite";
  const struct {
    char *id;
    enum al_code code;
    const char *words[2];
  } cases[] = {
    { abort_id, AL_MODEL_CORRUPT, { "SIGABRT", "(ggml.c:12: GGML_ASSERT(false) failed)" } },
    { segfault_id, AL_MODEL_CORRUPT, { "SIGSEGV", "tiny-qwen3.gguf" } },
    { polite_id, AL_OOM_VRAM, { "too big: 1", "" } },
  };
  char *files[] = { qwen3_path };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct al_model_descriptor descriptor = describe(files, 1);
    descriptor.id = cases[i].id;
    struct al_load_options options = {};
    struct al_memory_estimate e = {};
    struct al_err err = {};
    enum al_code code = al_preflight_run(&dying, &descriptor, &options, &e, &err);
    if (code != cases[i].code || strstr(err.message, cases[i].words[0]) == nullptr ||
        strstr(err.message, cases[i].words[1]) == nullptr)
      fail_msg("%s: %s: %s", cases[i].id, al_code_name(code), err.message);
  }
}

/* --- the messages between parent and child ---------------------------------------------------------------------- */

static void jobs_survive_the_wire(void **)
{
  char path[] = "/a \"b\"/\xc3\xa9.gguf";
  char *files[] = { path, qwen3_path };
  struct al_model_descriptor descriptor = describe(files, 2);
  descriptor.size_bytes = (uint64_t)1 << 40;
  const struct al_load_options options = { 1, 2, 3, 4, AL_AUTO, AL_KV_Q8_0, "q4_0" };
  AL_CLEANUP(al_buf_done) struct al_buf wire = {};
  al_preflight_job_write(&wire, "llama_cpp", &descriptor, &options);
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(1 << 16);
  struct al_preflight_job job;
  assert_int_equal(al_preflight_job_read(al_buf_view(&wire), arena, &job, nullptr), AL_OK);
  assert_string_equal(job.runtime, "llama_cpp");
  assert_int_equal(job.descriptor.n_files, 2);
  assert_string_equal(job.descriptor.files[0], path);
  assert_int_equal(job.descriptor.size_bytes, descriptor.size_bytes);
  assert_null(job.descriptor.architecture);
  assert_memory_equal(&job.options, &options, sizeof options);
  assert_int_equal(al_preflight_job_read(al_str("{}"), arena, &job, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(al_preflight_job_read(al_str("{"), arena, &job, nullptr), AL_INVALID_REQUEST);
}

static void answers_survive_the_wire(void **)
{
  const struct al_memory_estimate sent = { 1, 2, 3, 4, (uint64_t)1 << 50, 6, 7 };
  struct al_memory_estimate got = {};
  struct al_err err = {};
  AL_CLEANUP(al_buf_done) struct al_buf wire = {};
  al_preflight_answer_write(&wire, AL_OK, &sent, &err);
  assert_int_equal(al_preflight_answer_read(al_buf_view(&wire), &got, nullptr), AL_OK);
  assert_memory_equal(&got, &sent, sizeof got);

  for (int code = 1; code < AL_CODE_COUNT; code++) {
    al_buf_clear(&wire);
    (void)al_fail(&err, (enum al_code)code, "it \"failed\"");
    al_preflight_answer_write(&wire, err.code, &sent, &err);
    struct al_err told = {};
    assert_int_equal(al_preflight_answer_read(al_buf_view(&wire), &got, &told), code);
    assert_string_equal(told.message, "it \"failed\"");
  }
  assert_int_equal(al_preflight_answer_read(al_str(""), &got, nullptr), AL_INTERNAL);
  assert_int_equal(al_preflight_answer_read(al_str("{\"code\":\"NONSENSE\"}"), &got, nullptr), AL_INTERNAL);
}

static void failed_allocations_are_errors(void **)
{
  struct al_memory_estimate e = {};
  for (size_t n = 1; n < 12; n++) {
    (void)al_alloc_fail_at(n);
    (void)estimate(qwen3_path, (struct al_load_options){ .n_ctx = (int)(1000 + n) }, &e, nullptr);
  }
  (void)al_alloc_fail_at(0);
  assert_int_equal(estimate(qwen3_path, (struct al_load_options){ .n_ctx = 1000 }, &e, nullptr), AL_OK);
}

static int make_scratch(void **)
{
  if (mkdtemp(scratch) == nullptr)
    return -1;
  (void)snprintf(damaged_path, sizeof damaged_path, "%s/damaged.gguf", scratch);
  al_preflight_set_program(program);
  return 0;
}

static int remove_scratch(void **)
{
  (void)unlink(damaged_path);
  return rmdir(scratch);
}

int main(int argc, char **argv)
{
  static const struct al_engine *const engines[] = { &al_engine_llama, &dying };
  const struct al_engine_registry registry = { engines, AL_COUNT(engines) };
  if (argc > 1 && strcmp(argv[1], "--preflight") == 0)
    return al_preflight_main(&registry, argc, argv);
  if (argc < 2)
    return 2;
  char self[4096] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
    return 2;
  program = self;
  (void)snprintf(qwen3_path, sizeof qwen3_path, "%s/tiny-qwen3.gguf", argv[1]);
  for (int i = 0; i < 2; i++)
    (void)snprintf(llama_path[i], sizeof llama_path[i], "%s/tiny-llama-0000%d-of-00002.gguf", argv[1], i + 1);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(measures_a_model),
    cmocka_unit_test(options_change_the_measure),
    cmocka_unit_test(measures_a_split_model),
    cmocka_unit_test(a_cache_type_that_does_not_suit_is_said),
    cmocka_unit_test(without_a_program_it_guesses),
    cmocka_unit_test(outcomes_are_remembered),
    cmocka_unit_test(a_program_that_cannot_start_is_said),
    cmocka_unit_test(truncated_files_are_refused),
    cmocka_unit_test(wrong_contents_are_refused),
    cmocka_unit_test(flipped_header_bytes_end_in_the_preflight),
    cmocka_unit_test(extreme_numbers_end_in_the_preflight),
    cmocka_unit_test(the_last_words_are_handed_on),
    cmocka_unit_test(jobs_survive_the_wire),
    cmocka_unit_test(answers_survive_the_wire),
    cmocka_unit_test(failed_allocations_are_errors),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
