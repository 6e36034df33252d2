#include "engine/registry.h"

#include "base/macros.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum al_code yes(const struct al_model_descriptor *, struct al_err *)
{
  return AL_OK;
}

static enum al_code only_qwen3(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  if (al_streq(descriptor->architecture, "qwen3"))
    return AL_OK;
  return al_fail(err, AL_UNSUPPORTED, "only qwen3 runs here");
}

static const struct al_engine reader = {
  .runtime = "reader", .formats = 1U << AL_FORMAT_GGUF, .capabilities = AL_CAN_CHAT | AL_CAN_COMPLETE, .supports = yes
};
static const struct al_engine picky = {
  .runtime = "picky", .formats = 1U << AL_FORMAT_GGUF, .capabilities = AL_CAN_CHAT, .supports = only_qwen3
};
static const struct al_engine folders = { .runtime = "folders",
                                          .formats = 1U << AL_FORMAT_SAFETENSORS,
                                          .capabilities = AL_CAN_CHAT | AL_CAN_EMBED,
                                          .supports = only_qwen3 };

static const struct al_engine *const three[] = { &reader, &picky, &folders };
static const struct al_engine_registry registry = { three, AL_COUNT(three) };

static char id[] = "org/m";
static char path[] = "/somewhere/secret/model.gguf";
static char *files[] = { path };

static struct al_model_descriptor describe(char *runtime, enum al_model_format format, char *architecture)
{
  return (struct al_model_descriptor){
    .id = id, .runtime = runtime, .format = format, .architecture = architecture, .files = files, .n_files = 1
  };
}

static char none[] = "";
static char qwen3[] = "qwen3";
static char llama[] = "llama";

static const struct al_engine voice = {
  .runtime = "voice", .formats = 1U << AL_FORMAT_NONE, .capabilities = AL_CAN_SPEAK, .supports = yes
};

static void what_needs_no_file_is_found_by_its_runtime(void **)
{
  static const struct al_engine *const both[] = { &reader, &voice };
  char runtime[] = "voice";
  struct al_model_descriptor model = describe(runtime, AL_FORMAT_NONE, none);
  const struct al_engine *engine = nullptr;
  struct al_err err = {};
  model.n_files = 0;
  const struct al_engine_registry speaks = { both, AL_COUNT(both) };
  assert_int_equal(al_engine_choose(&speaks, &model, AL_CAN_SPEAK, nullptr, nullptr, &engine, &err), AL_OK);
  assert_ptr_equal(engine, &voice);
  assert_int_equal(al_engine_choose(&speaks, &model, AL_CAN_TRANSCRIBE, nullptr, nullptr, &engine, &err),
                   AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "no engine of this build offers transcription"));
  assert_int_equal(al_engine_choose(&registry, &model, 0, nullptr, nullptr, &engine, &err), AL_UNSUPPORTED);
  assert_string_equal(err.message, "model 'org/m' (built in) needs the runtime voice, which this build does not have");
}

static void the_first_registered_wins_without_benchmark(void **)
{
  struct al_model_descriptor model = describe(none, AL_FORMAT_GGUF, qwen3);
  const struct al_engine *engine = nullptr;
  assert_int_equal(al_engine_choose(&registry, &model, AL_CAN_CHAT, nullptr, nullptr, &engine, nullptr), AL_OK);
  assert_ptr_equal(engine, &reader);
  model.runtime = nullptr;
  assert_int_equal(al_engine_choose(&registry, &model, 0, nullptr, nullptr, &engine, nullptr), AL_OK);
  assert_ptr_equal(engine, &reader);
}

static void the_named_runtime_decides(void **)
{
  char runtime[] = "picky";
  struct al_model_descriptor model = describe(runtime, AL_FORMAT_GGUF, qwen3);
  const struct al_engine *engine = nullptr;
  assert_int_equal(al_engine_choose(&registry, &model, AL_CAN_CHAT, nullptr, nullptr, &engine, nullptr), AL_OK);
  assert_ptr_equal(engine, &picky);
}

struct scores {
  double reader, picky;
};

static double score_of(void *user, const char *model_id, const char *runtime)
{
  const struct scores *scores = user;
  assert_string_equal(model_id, "org/m");
  return al_streq(runtime, "reader") ? scores->reader : scores->picky;
}

static void the_better_benchmark_wins(void **)
{
  struct al_model_descriptor model = describe(none, AL_FORMAT_GGUF, qwen3);
  const struct {
    struct scores scores;
    const struct al_engine *expected;
  } cases[] = {
    { { 10, 20 }, &picky }, { { 20, 10 }, &reader }, { { 0, 5 }, &picky },  { { -1, 5 }, &picky },
    { { 0, 0 }, &reader },  { { -1, -2 }, &reader }, { { 7, 7 }, &reader },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct scores scores = cases[i].scores;
    const struct al_engine *engine = nullptr;
    assert_int_equal(al_engine_choose(&registry, &model, AL_CAN_CHAT, score_of, &scores, &engine, nullptr), AL_OK);
    assert_ptr_equal(engine, cases[i].expected);
  }
}

/* A benchmark recorded for an engine that does not fit changes nothing. */
static void a_benchmark_does_not_outweigh_fitness(void **)
{
  struct al_model_descriptor model = describe(none, AL_FORMAT_GGUF, llama);
  struct scores scores = { 1, 100 };
  const struct al_engine *engine = nullptr;
  assert_int_equal(al_engine_choose(&registry, &model, AL_CAN_CHAT, score_of, &scores, &engine, nullptr), AL_OK);
  assert_ptr_equal(engine, &reader);
}

static void refuses(struct al_model_descriptor model, unsigned needed, const char *const *words)
{
  const struct al_engine *engine = &reader;
  struct al_err err = {};
  assert_int_equal(al_engine_choose(&registry, &model, needed, nullptr, nullptr, &engine, &err), AL_UNSUPPORTED);
  assert_int_equal(err.code, AL_UNSUPPORTED);
  assert_ptr_equal(engine, &reader); /* untouched */
  for (; *words != nullptr; words++) {
    if (strstr(err.message, *words) == nullptr)
      fail_msg("'%s' is not in: %s", *words, err.message);
  }
  assert_null(strstr(err.message, "secret"));
}

static void refusals_say_why(void **)
{
  char runtime[] = "whisper_cpp";
  refuses(describe(runtime, AL_FORMAT_GGUF, qwen3), 0,
          (const char *[]){ "org/m", "whisper_cpp", "model.gguf", nullptr });
  refuses(describe(none, AL_FORMAT_PYTORCH, qwen3), 0, (const char *[]){ "org/m", "model.gguf", "pytorch", nullptr });
  refuses(describe(none, AL_FORMAT_GGUF, qwen3), AL_CAN_EMBED,
          (const char *[]){ "org/m", "gguf", "qwen3", "embeddings", nullptr });
  refuses(describe(none, AL_FORMAT_SAFETENSORS, llama), AL_CAN_CHAT,
          (const char *[]){ "org/m", "llama", "only qwen3 runs here", nullptr });
}

/* A runtime that exists but reads another format: no falling back to whoever reads it. */
static void a_runtime_of_another_format_is_no_match(void **)
{
  char runtime[] = "folders";
  refuses(describe(runtime, AL_FORMAT_GGUF, qwen3), 0, (const char *[]){ "folders", "gguf", nullptr });
}

static void nothing_registered(void **)
{
  const struct al_engine_registry empty = {};
  struct al_model_descriptor model = describe(none, AL_FORMAT_GGUF, qwen3);
  model.n_files = 0;
  const struct al_engine *engine = nullptr;
  struct al_err err = {};
  assert_int_equal(al_engine_choose(&empty, &model, 0, nullptr, nullptr, &engine, &err), AL_UNSUPPORTED);
  assert_non_null(strstr(err.message, "org/m"));
  assert_null(al_engine_by_runtime(&empty, "reader"));
}

static void a_model_with_a_problem_keeps_it(void **)
{
  struct al_model_descriptor model = describe(none, AL_FORMAT_GGUF, qwen3);
  (void)al_fail(&model.problem, AL_MODEL_CORRUPT, "model.gguf ends early");
  const struct al_engine *engine = nullptr;
  struct al_err err = {};
  assert_int_equal(al_engine_choose(&registry, &model, 0, nullptr, nullptr, &engine, &err), AL_MODEL_CORRUPT);
  assert_string_equal(err.message, "model.gguf ends early");
}

static void finds_by_runtime(void **)
{
  assert_ptr_equal(al_engine_by_runtime(&registry, "folders"), &folders);
  assert_null(al_engine_by_runtime(&registry, "folder"));
  assert_null(al_engine_by_runtime(&registry, nullptr));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_needs_no_file_is_found_by_its_runtime),
    cmocka_unit_test(the_first_registered_wins_without_benchmark),
    cmocka_unit_test(the_named_runtime_decides),
    cmocka_unit_test(the_better_benchmark_wins),
    cmocka_unit_test(a_benchmark_does_not_outweigh_fitness),
    cmocka_unit_test(refusals_say_why),
    cmocka_unit_test(a_runtime_of_another_format_is_no_match),
    cmocka_unit_test(nothing_registered),
    cmocka_unit_test(a_model_with_a_problem_keeps_it),
    cmocka_unit_test(finds_by_runtime),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
