/* What /v1/chat/completions makes of an answer's parts: several choices, probabilities, reasoning, calls of tools. */
#include "stand_in.h"

#include "base/alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MESSAGES "\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define TOOLS "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"type\":\"object\"}}}]"

struct fixture {
  struct al_api *api;
  struct al_http_exchange exchange;
};

static void post(struct fixture *f, const char *body)
{
  submitted_clear();
  f->api = make_api(nullptr);
  exchange_init(&f->exchange, body);
  al_api_chat(&f->exchange, f->api);
  assert_int_equal(submitted.count, 1);
  play_started(5);
}

static void done(struct fixture *f)
{
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
}

static void assert_sent(const struct fixture *f, const char *part)
{
  if (f->exchange.sent.data == nullptr || strstr(f->exchange.sent.data, part) == nullptr)
    fail_msg("'%s' was not sent, but: %s", part, f->exchange.sent.data);
}

static void assert_json(const struct al_json_doc *doc, const char *path, const char *expected)
{
  assert_string_equal(json_text(doc, path), expected);
}

static const char *const sum[] = { "{\"a\":", "1}", nullptr };

/* --- choices ----------------------------------------------------------------------------------------------------- */

static void choices_do_not_mix(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"n\":3}");
  assert_int_equal(submitted.request.n, 3);
  play_delta_of(2, "two");
  play_delta_of(0, "ze");
  play_choice_done(2, AL_FINISH_LENGTH, nullptr);
  play_delta_of(0, "ro");
  play_done(AL_FINISH_STOP, 9);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_json(doc, "choices.0.message.content", "zero");
  assert_json(doc, "choices.0.finish_reason", "stop");
  assert_json(doc, "choices.1.message.content", "");
  assert_json(doc, "choices.1.index", "1");
  assert_json(doc, "choices.2.message.content", "two");
  assert_json(doc, "choices.2.finish_reason", "length");
  assert_json(doc, "usage.completion_tokens", "9");
  assert_int_equal(al_json_count(al_json_get(al_json_root(doc), "choices")), 3);
  al_json_doc_free(doc);
  done(&f);
}

static void choices_of_a_stream_carry_their_index(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"n\":2,\"stream\":true}");
  assert_int_equal(f.exchange.n_sends, 2); /* a role for each */
  play_delta_of(1, "B");
  play_choice_done(1, AL_FINISH_STOP, nullptr);
  play_delta_of(0, "A");
  play_choice_done(0, AL_FINISH_LENGTH, nullptr);
  play_done(AL_FINISH_STOP, 2);
  assert_sent(&f, "{\"index\":1,\"delta\":{\"content\":\"B\"},");
  assert_sent(&f, "{\"index\":0,\"delta\":{\"content\":\"A\"},");
  assert_sent(&f, "{\"index\":1,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}");
  assert_sent(&f, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"}");
  assert_int_equal(f.exchange.n_sends, 7);
  done(&f);
}

/* --- probabilities ----------------------------------------------------------------------------------------------- */

static void probabilities_have_their_tokens(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"logprobs\":true,\"top_logprobs\":2}");
  assert_int_equal(submitted.request.logprobs, 3);
  play_token("A", -0.5f, "B");
  play_token("\xc3", -INFINITY, nullptr);
  play_reasoning("hm"); /* not part of the content */
  play_done(AL_FINISH_STOP, 3);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_json(doc, "choices.0.logprobs.content.0.token", "A");
  assert_json(doc, "choices.0.logprobs.content.0.logprob", "-0.5");
  assert_json(doc, "choices.0.logprobs.content.0.bytes", "[65]");
  assert_json(doc, "choices.0.logprobs.content.0.top_logprobs.1.token", "B");
  assert_json(doc, "choices.0.logprobs.content.0.top_logprobs.1.logprob", "-1.5");
  assert_json(doc, "choices.0.logprobs.content.1.bytes", "[195]");
  assert_json(doc, "choices.0.logprobs.content.1.token", "\xef\xbf\xbd"); /* no character of its own */
  assert_json(doc, "choices.0.logprobs.content.1.logprob", "-9999.0");
  assert_json(doc, "choices.0.logprobs.content.2", "");
  assert_json(doc, "choices.0.logprobs.refusal", "null");
  al_json_doc_free(doc);
  done(&f);
}

static void probabilities_in_a_stream(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"logprobs\":true,\"stream\":true}");
  assert_int_equal(submitted.request.logprobs, 1); /* of the chosen token alone */
  play_token("A", -0.25f, nullptr);
  play_done(AL_FINISH_STOP, 1);
  assert_sent(&f, "\"delta\":{\"content\":\"A\"},\"logprobs\":{\"content\":[{\"token\":\"A\",\"logprob\":-0.25,"
                  "\"bytes\":[65],\"top_logprobs\":[{\"token\":\"A\"");
  done(&f);
}

static void without_being_asked_none(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"logprobs\":false}");
  assert_int_equal(submitted.request.logprobs, 0);
  play_delta("A");
  play_done(AL_FINISH_STOP, 1);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_json(doc, "choices.0.logprobs", "null");
  al_json_doc_free(doc);
  done(&f);
}

/* --- reasoning --------------------------------------------------------------------------------------------------- */

static void reasoning_is_apart(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"reasoning_effort\":\"low\"}");
  assert_non_null(strstr(submitted.chat, "\"reasoning_effort\":\"low\""));
  assert_false(submitted.request.keeps_reasoning);
  play_reasoning("let me ");
  play_reasoning("see");
  play_delta("42");
  play_choice_done(0, AL_FINISH_STOP, nullptr);
  play((struct al_text_event){ .kind = AL_TEXT_DONE, .usage = { 5, 0, 4, 3 } });
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_json(doc, "choices.0.message.reasoning_content", "let me see");
  assert_json(doc, "choices.0.message.content", "42");
  assert_json(doc, "usage.completion_tokens_details.reasoning_tokens", "3");
  al_json_doc_free(doc);
  done(&f);
}

static void reasoning_in_a_stream(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"stream\":true,\"reasoning_effort\":\"none\",\"reasoning_format\":\"none\"}");
  assert_non_null(strstr(submitted.chat, "\"reasoning_effort\":\"none\",\"enable_thinking\":false"));
  assert_true(submitted.request.keeps_reasoning);
  play_reasoning("hm");
  play_delta("42");
  play_done(AL_FINISH_STOP, 2);
  assert_sent(&f, "\"delta\":{\"reasoning_content\":\"hm\"},");
  assert_sent(&f, "\"delta\":{\"content\":\"42\"},");
  done(&f);
}

static void the_template_has_the_last_word(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"reasoning_effort\":\"none\",\"chat_template_kwargs\":{\"enable_thinking\":true,"
           "\"reasoning_effort\":\"high\"}}");
  assert_string_equal(submitted.chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"enable_thinking\":true,"
                                      "\"reasoning_effort\":\"high\"}");
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static void calls_come_whole(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES "," TOOLS "}");
  assert_true(submitted.request.parallel_tool_calls);
  play_call(0, "add", true, sum);
  play_call(1, "add", true, (const char *const[]){ "{}", nullptr });
  play_done(AL_FINISH_TOOL_CALLS, 9);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_json(doc, "choices.0.finish_reason", "tool_calls");
  assert_json(doc, "choices.0.message.content", "null");
  assert_json(doc, "choices.0.message.tool_calls.0.type", "function");
  assert_json(doc, "choices.0.message.tool_calls.0.function.name", "add");
  assert_json(doc, "choices.0.message.tool_calls.0.function.arguments", "{\"a\":1}");
  assert_json(doc, "choices.0.message.tool_calls.1.function.arguments", "{}");
  assert_memory_equal(json_text(doc, "choices.0.message.tool_calls.0.id"), "call_", 5);
  char first[64];
  (void)snprintf(first, sizeof first, "%s", json_text(doc, "choices.0.message.tool_calls.0.id"));
  assert_string_not_equal(first, json_text(doc, "choices.0.message.tool_calls.1.id"));
  al_json_doc_free(doc);
  done(&f);
}

static void calls_in_a_stream(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES "," TOOLS ",\"stream\":true}");
  play_call(0, "add", true, sum);
  play_done(AL_FINISH_TOOL_CALLS, 9);
  assert_sent(&f, "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_");
  assert_sent(&f, "\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"\"}}]}");
  assert_sent(&f, "\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}");
  assert_sent(&f, "\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}");
  assert_sent(&f, "\"finish_reason\":\"tool_calls\"");
  done(&f);
}

static void a_call_cut_short_is_a_length(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES "," TOOLS "}");
  play_delta("Let me add.");
  play_call(0, "add", false, (const char *const[]){ "{\"a\":", nullptr });
  play_done(AL_FINISH_LENGTH, 9);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_int_equal(f.exchange.status, 200);
  assert_json(doc, "choices.0.finish_reason", "length");
  assert_json(doc, "choices.0.message.content", "Let me add.");
  assert_json(doc, "choices.0.message.tool_calls.0.function.arguments", "{\"a\":");
  al_json_doc_free(doc);
  done(&f);
}

/* A client sends back what it got, broken arguments included. */
static void calls_of_the_past(void **state)
{
  (void)state;
  static const struct {
    const char *sent, *seen;
  } cases[] = { { "{\\\"a\\\":[1,{}]}", "{\"a\":[1,{}]}" },
                { "", "{}" },
                { "{\\\"a\\\":", "\"{\\\"a\\\":\"" },
                { "[1]", "\"[1]\"" },
                { "null", "\"null\"" },
                { "not json", "\"not json\"" } };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    char body[512], seen[256];
    (void)snprintf(body, sizeof body,
                   "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\","
                   "\"reasoning_content\":\"hm\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":"
                   "{\"name\":\"f\",\"arguments\":\"%s\"}}]}]}",
                   cases[i].sent);
    (void)snprintf(seen, sizeof seen, "\"function\":{\"name\":\"f\",\"arguments\":%s}}]}]}", cases[i].seen);
    post(&f, body);
    assert_non_null(strstr(submitted.chat, seen));
    assert_non_null(strstr(submitted.chat, "\"reasoning_content\":\"hm\""));
    play_done(AL_FINISH_STOP, 0);
    done(&f);
  }
}

static void adapters_arrive(void **state)
{
  (void)state;
  struct fixture f;
  submitted_clear();
  f.api = make_api(nullptr);
  exchange_init(&f.exchange, "{" MESSAGES ",\"lora\":[{\"model\":\"org/a\",\"scale\":0.5},{\"model\":\"b\"}]}");
  al_api_chat(&f.exchange, f.api);
  assert_int_equal(submitted.request.n_lora, 2);
  assert_string_equal(submitted.lora[0].model, "org/a");
  assert_true(submitted.lora[0].scale == 0.5f);
  assert_true(submitted.lora[1].scale == 1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

/* Whichever allocation fails while the answer comes, nothing is left behind and it does not look complete. */
static void memory_may_run_out_in_the_answer(void **state)
{
  (void)state;
  bool worked = false;
  for (size_t n = 1; !worked; n++) {
    struct fixture f;
    post(&f, "{" MESSAGES "," TOOLS ",\"logprobs\":true}");
    (void)al_alloc_fail_at(n);
    play_token("A", -0.5f, "B");
    play_reasoning("hm");
    play_call(0, "add", true, sum);
    play_choice_done(0, AL_FINISH_STOP, "stop");
    size_t n_made = al_alloc_fail_at(0);
    play_done(AL_FINISH_TOOL_CALLS, 9);
    worked = n_made < n;
    assert_int_equal(f.exchange.status, worked ? 200 : 507);
    done(&f);
    assert_true(n < 100);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(choices_do_not_mix),
    cmocka_unit_test(choices_of_a_stream_carry_their_index),
    cmocka_unit_test(probabilities_have_their_tokens),
    cmocka_unit_test(probabilities_in_a_stream),
    cmocka_unit_test(without_being_asked_none),
    cmocka_unit_test(reasoning_is_apart),
    cmocka_unit_test(reasoning_in_a_stream),
    cmocka_unit_test(the_template_has_the_last_word),
    cmocka_unit_test(calls_come_whole),
    cmocka_unit_test(calls_in_a_stream),
    cmocka_unit_test(a_call_cut_short_is_a_length),
    cmocka_unit_test(calls_of_the_past),
    cmocka_unit_test(adapters_arrive),
    cmocka_unit_test(memory_may_run_out_in_the_answer),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
