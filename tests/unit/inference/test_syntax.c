/* Reasoning and tool calls: read from what the model writes, and held to the tools where they must come. */
#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#define TOOL(name)                                                                                                     \
  "{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"parameters\":{\"type\":\"object\",\"properties\":"     \
  "{\"city\":{\"type\":\"string\",\"maxLength\":8}},\"required\":[\"city\"],\"additionalProperties\":false}}}"
#define CHAT(says)                                                                                                     \
  "{\"messages\":[{\"role\":\"user\",\"content\":\"" says "\"}],\"tools\":[" TOOL("weather") "," TOOL("time") "]}"
#define CALL(name, city) "<tool_call>\n{\"name\": \"" name "\", \"arguments\": {\"city\": \"" city "\"}}\n</tool_call>"

static const char harmony[] = "{# <|channel|> #}{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}"
                              "<|end|>{% endfor %}<|start|>assistant";

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  return 0;
}

static void run(struct al_inference *inference, struct client *client)
{
  client_submit(inference, client);
  client_wait(client);
}

static void calls_are_told_from_text(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = "Let me see. " CALL("weather", "Paris") "\n" CALL("time", "Rome");
  client_init_chat(&client, CHAT("hi"));
  client.request.parallel_tool_calls = true;
  client.request.logprobs = 1;
  run(inference, &client);
  const struct answer *answer = &client.answers[0];
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(answer->finish, AL_FINISH_TOOL_CALLS);
  assert_int_equal(client.finish, AL_FINISH_TOOL_CALLS);
  assert_int_equal(answer->n_calls, 2);
  assert_string_equal(answer->calls[0].name, "weather");
  assert_string_equal(kit_text(&answer->calls[0].arguments), "{\"city\": \"Paris\"}");
  assert_true(answer->calls[0].ended && answer->calls[0].complete);
  assert_string_equal(answer->calls[1].name, "time");
  assert_non_null(strstr(kit_text(&answer->text), "Let me see."));
  assert_null(strstr(kit_text(&answer->text), "tool_call"));
  assert_int_equal(answer->n_tokens, (int)strlen(al_fake_knobs.script));
  client_done(&client);
  al_inference_free(inference);
}

static void one_call_is_enough_unless_parallel(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = CALL("weather", "Paris") "\n" CALL("time", "Rome");
  client_init_chat(&client, CHAT("hi"));
  run(inference, &client);
  assert_int_equal(client.answers[0].n_calls, 1);
  assert_int_equal(client.answers[0].finish, AL_FINISH_TOOL_CALLS);
  assert_true(client.usage.n_completion < (int)sizeof CALL("weather", "Paris") + 3);
  client_done(&client);
  al_inference_free(inference);
}

static void a_prompt_can_say_what_is_said(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  client_init_chat(&client, CHAT("@say{<tool_call>{\\\"name\\\":\\\"time\\\",\\\"arguments\\\":{\\\"city\\\":"
                                 "\\\"Oslo\\\"}}</tool_call>}yas@"));
  run(inference, &client);
  assert_string_equal(client.answers[0].calls[0].name, "time");
  assert_string_equal(kit_text(&client.answers[0].calls[0].arguments), "{\"city\":\"Oslo\"}");
  client_done(&client);
  al_inference_free(inference);
}

static void reasoning_is_kept_apart_and_counted(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  const char *const stops[] = { "well" };
  al_fake_knobs.script = "<think>well, hmm</think>All is fine.";
  client_init(&client, "hi");
  client.request.stop = stops; /* for the answer, not for the reasoning */
  client.request.n_stop = 1;
  run(inference, &client);
  const struct answer *answer = &client.answers[0];
  assert_string_equal(kit_text(&answer->reasoning), "well, hmm");
  assert_string_equal(kit_text(&answer->text), "All is fine.");
  assert_int_equal(answer->usage.n_reasoning, (int)strlen("<think>well, hmm</think>") - 6); /* from where it shows */
  assert_int_equal(client.usage.n_reasoning, answer->usage.n_reasoning);
  client_done(&client);
  client_init(&client, "hi");
  client.request.keeps_reasoning = true;
  run(inference, &client);
  assert_string_equal(client_text(&client), "<think>well, hmm</think>All is fine.");
  client_done(&client);
  al_inference_free(inference);
}

static void control_tokens_reach_the_syntax_that_needs_them(void **)
{
  struct al_inference *inference = nullptr;
  struct client client;
  al_fake_knobs.chat_template = harmony;
  inference = kit_open(nullptr);
  al_fake_knobs.script = "<|channel|>analysis<|message|>I think<|end|><|start|>assistant<|channel|>commentary "
                         "to=functions.weather <|constrain|>json<|message|>{\"city\":\"Bonn\"}<|call|>";
  client_init_chat(&client, CHAT("hi"));
  run(inference, &client);
  const struct answer *answer = &client.answers[0];
  assert_string_equal(kit_text(&answer->reasoning), "I think");
  assert_int_equal(answer->n_calls, 1);
  assert_string_equal(answer->calls[0].name, "weather");
  assert_true(answer->calls[0].complete);
  assert_string_equal(kit_text(&answer->text), "");
  assert_int_equal(answer->finish, AL_FINISH_TOOL_CALLS);
  client_done(&client);
  al_fake_knobs.script = "<|channel|>final<|message|>Hello.<|return|>";
  client_init_chat(&client, CHAT("hi"));
  run(inference, &client);
  assert_string_equal(client_text(&client), "Hello.");
  assert_int_equal(client.finish, AL_FINISH_STOP);
  client_done(&client);
  client_init(&client, nullptr); /* a plain prompt: control tokens have no text */
  client.request.prompt = al_str("<|channel|>");
  run(inference, &client);
  assert_string_equal(client_text(&client), "finalHello.");
  client_done(&client);
  al_inference_free(inference);
}

static void a_call_that_must_come_comes(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  for (int i = 0; i < 3; i++) {
    client_init_chat(&client, CHAT("hi"));
    client.request.tool_choice = i == 0 ? AL_TOOL_REQUIRED : AL_TOOL_FUNCTION;
    client.request.tool_function = i == 1 ? "weather" : "time";
    client.request.max_tokens = 300;
    client.request.sampling.temperature = (float)i; /* 2 is hot: letters and everything else */
    client.request.sampling.has_seed = true;
    run(inference, &client);
    const struct answer *answer = &client.answers[0];
    assert_int_equal(client.last, AL_TEXT_DONE);
    assert_int_equal(answer->finish, AL_FINISH_TOOL_CALLS);
    assert_int_equal(answer->n_calls, 1);
    assert_true(answer->calls[0].complete);
    if (i > 0)
      assert_string_equal(answer->calls[0].name, i == 1 ? "weather" : "time");
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
    assert_int_equal(al_json_parse(al_buf_view(&answer->calls[0].arguments), &doc, nullptr), AL_OK);
    assert_int_equal(al_json_kind(al_json_get(al_json_root(doc), "city")), AL_JSON_STRING);
    assert_int_equal(al_json_count(al_json_root(doc)), 1);
    client_done(&client);
  }
  al_inference_free(inference);
}

/* tool_choice auto: free text stays free, and a call that has begun is held to its tool. */
static void a_call_that_begins_is_held(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = "I would like <tool_call>\n{\"name\": \"nonsense\", \"arguments\": [1,2";
  client_init_chat(&client, CHAT("hi"));
  client.request.max_tokens = 300;
  run(inference, &client);
  const struct answer *answer = &client.answers[0];
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(answer->n_calls, 1);
  assert_true(answer->calls[0].complete);
  assert_true(strcmp(answer->calls[0].name, "weather") == 0 || strcmp(answer->calls[0].name, "time") == 0);
  assert_non_null(strstr(kit_text(&answer->text), "I would like"));
  client_done(&client);
  al_inference_free(inference);
}

/* Tools that are not called change nothing. */
static void free_text_beside_tools_stays_what_it_is(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client with, without;
  for (uint64_t seed = 1; seed < 6; seed++) {
    client_init_chat(&with, CHAT("free"));
    client_init_chat(&without, CHAT("free"));
    with.request.sampling.temperature = without.request.sampling.temperature = 1;
    with.request.sampling.has_seed = without.request.sampling.has_seed = true;
    with.request.sampling.seed = without.request.sampling.seed = seed;
    with.request.max_tokens = without.request.max_tokens = 60;
    with.request.logprobs = 2;
    run(inference, &with);
    run(inference, &without);
    assert_string_equal(client_text(&with), client_text(&without));
    assert_string_equal(kit_text(&with.answers[0].tokens), client_text(&with));
    client_done(&with);
    client_done(&without);
  }
  al_inference_free(inference);
}

static void a_call_cut_short_is_no_error(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = CALL("weather", "Paris");
  client_init_chat(&client, CHAT("hi"));
  client.request.max_tokens = (int64_t)strlen("<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"ci");
  run(inference, &client);
  const struct answer *answer = &client.answers[0];
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(answer->finish, AL_FINISH_LENGTH);
  assert_int_equal(answer->n_calls, 1);
  assert_true(answer->calls[0].ended);
  assert_false(answer->calls[0].complete);
  client_done(&client);
  al_inference_free(inference);
}

static void no_tools_are_wanted(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client with, without;
  al_fake_knobs.script = CALL("weather", "Paris");
  client_init_chat(&with, CHAT("hi"));
  client_init(&without, "hi");
  with.request.tool_choice = AL_TOOL_NONE;
  run(inference, &with);
  run(inference, &without);
  assert_int_equal(with.answers[0].n_calls, 0);
  assert_int_equal(with.n_prompt, without.n_prompt); /* the model has not heard of them */
  assert_int_equal(with.finish, AL_FINISH_STOP);
  client_done(&with);
  client_done(&without);
  al_inference_free(inference);
}

static void refused(struct al_inference *inference, const char *chat, enum al_tool_choice choice, enum al_code code,
                    const char *param)
{
  struct client client;
  client_init_chat(&client, chat);
  client.request.tool_choice = choice;
  client.request.tool_function = "weather";
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_int_equal(client.err.code, code);
  assert_string_equal(client.err.param, param);
  client_done(&client);
}

static void what_cannot_be_is_refused(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  refused(inference, "{\"messages\":[]}", AL_TOOL_REQUIRED, AL_INVALID_REQUEST, "tool_choice");
  al_inference_free(inference);
  al_fake_knobs.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"; /* knows no calls */
  inference = kit_open(nullptr);
  refused(inference, CHAT("hi"), AL_TOOL_AUTO, AL_UNSUPPORTED, "tools");
  refused(inference, CHAT("hi"), AL_TOOL_FUNCTION, AL_UNSUPPORTED, "tool_choice");
  al_inference_free(inference);
}

struct rows {
  struct al_mutex mutex;
  struct al_cond changed;
  bool done;
  float row[AL_FAKE_N_EMBD];
};

static void on_rows(void *user, const struct al_embed_result *result)
{
  struct rows *rows = user;
  AL_LOCKED(&rows->mutex);
  assert_int_equal(result->err.code, AL_OK);
  memcpy(rows->row, result->rows, sizeof rows->row);
  rows->done = true;
  al_cond_broadcast(&rows->changed);
}

static void embed(struct al_inference *inference, struct rows *rows, const char *text)
{
  struct al_str one = al_str(text);
  al_mutex_init(&rows->mutex);
  al_cond_init(&rows->changed);
  rows->done = false;
  struct al_embed_request request = {
    .model = "fake-both", .texts = &one, .n_texts = 1, .done = on_rows, .user = rows
  };
  assert_int_equal(al_inference_embed(inference, &request, nullptr), AL_OK);
}

static void rows_wait(struct rows *rows)
{
  al_mutex_lock(&rows->mutex);
  while (!rows->done)
    (void)al_cond_wait(&rows->changed, &rows->mutex, AL_NO_DEADLINE);
  al_mutex_unlock(&rows->mutex);
  al_cond_done(&rows->changed);
  al_mutex_done(&rows->mutex);
}

/* Sixteen at once, each held to something else or to nothing, with and without an adapter, beside embeddings: each as
 * alone. */
static void many_at_once(void **)
{
  enum { N = 16 };
  static const struct al_lora_request lora = { "fake-lora-x", 1 };
  struct al_inference *inference = kit_open(nullptr);
  struct client clients[N], alone;
  for (int i = 0; i < N; i++) {
    client_init_chat(&clients[i], CHAT("hi"));
    clients[i].request.model = "fake-both";
    clients[i].request.max_tokens = 200;
    clients[i].request.tool_choice = i % 4 == 0 ? AL_TOOL_REQUIRED : i % 4 == 1 ? AL_TOOL_FUNCTION : AL_TOOL_AUTO;
    clients[i].request.tool_function = i % 8 == 1 ? "weather" : "time";
    clients[i].request.format = i % 4 == 3 ? AL_FORMAT_JSON_OBJECT : AL_FORMAT_TEXT;
    clients[i].request.lora = &lora;
    clients[i].request.n_lora = i % 3 == 0;
  }
  struct rows together[N], one;
  for (int i = 0; i < N; i++) {
    client_submit(inference, &clients[i]);
    embed(inference, &together[i], "the same text");
  }
  for (int i = 0; i < N; i++)
    rows_wait(&together[i]);
  for (int i = 0; i < N; i++)
    client_wait(&clients[i]);
  embed(inference, &one, "the same text");
  rows_wait(&one);
  for (int i = 0; i < N; i++) {
    assert_memory_equal(together[i].row, one.row, sizeof one.row);
    const struct al_text_request *request = &clients[i].request;
    client_init_chat(&alone, CHAT("hi"));
    alone.request.model = "fake-both";
    alone.request.max_tokens = 200;
    alone.request.tool_choice = request->tool_choice;
    alone.request.tool_function = request->tool_function;
    alone.request.format = request->format;
    alone.request.lora = &lora;
    alone.request.n_lora = request->n_lora;
    run(inference, &alone);
    assert_int_equal(clients[i].last, AL_TEXT_DONE);
    assert_string_equal(client_text(&clients[i]), client_text(&alone));
    assert_int_equal(clients[i].answers[0].n_calls, alone.answers[0].n_calls);
    assert_string_equal(kit_text(&clients[i].answers[0].calls[0].arguments),
                        kit_text(&alone.answers[0].calls[0].arguments));
    client_done(&alone);
    client_done(&clients[i]);
  }
  al_inference_free(inference);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(calls_are_told_from_text, reset),
    cmocka_unit_test_setup(one_call_is_enough_unless_parallel, reset),
    cmocka_unit_test_setup(a_prompt_can_say_what_is_said, reset),
    cmocka_unit_test_setup(reasoning_is_kept_apart_and_counted, reset),
    cmocka_unit_test_setup(control_tokens_reach_the_syntax_that_needs_them, reset),
    cmocka_unit_test_setup(a_call_that_must_come_comes, reset),
    cmocka_unit_test_setup(a_call_that_begins_is_held, reset),
    cmocka_unit_test_setup(free_text_beside_tools_stays_what_it_is, reset),
    cmocka_unit_test_setup(a_call_cut_short_is_no_error, reset),
    cmocka_unit_test_setup(no_tools_are_wanted, reset),
    cmocka_unit_test_setup(what_cannot_be_is_refused, reset),
    cmocka_unit_test_setup(many_at_once, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
