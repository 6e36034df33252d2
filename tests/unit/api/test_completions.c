/* /v1/completions with a hand-played engine: every form of prompt, several of them, echo, probabilities, the best of
 * many. */
#include "stand_in.h"

#include "base/alloc.h"
#include "base/log.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
  struct al_api *api;
  struct al_http_exchange exchange;
  struct al_json_doc *doc;
};

#define BODY(rest) "{\"model\":\"tiny\"," rest "}"

static void post(struct fixture *f, const char *body)
{
  submitted_clear();
  *f = (struct fixture){ .api = make_api(nullptr) };
  exchange_init(&f->exchange, body);
  al_api_completions(&f->exchange, f->api);
}

static void done(struct fixture *f)
{
  al_json_doc_free(f->doc);
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
}

static void answer(int target, const char *text, int n_completion)
{
  submitted.target = target;
  play_started(5);
  play_delta(text);
  play_done(AL_FINISH_STOP, n_completion);
}

static const char *value(struct fixture *f, const char *path)
{
  if (f->doc == nullptr)
    f->doc = sent_json(&f->exchange);
  return json_text(f->doc, path);
}

static void assert_sent(const struct fixture *f, const char *part)
{
  if (f->exchange.sent.data == nullptr || strstr(f->exchange.sent.data, part) == nullptr)
    fail_msg("'%s' was not sent, but: %s", part, f->exchange.sent.data);
}

/* --- prompts ----------------------------------------------------------------------------------------------------- */

static void one_prompt(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":\"Once\",\"temperature\":0"));
  assert_int_equal(submitted.count, 1);
  assert_string_equal(submitted.prompts[0], "Once");
  assert_null(submitted.request.suffix.data);
  assert_int_equal(submitted.request.max_tokens, 16);
  assert_int_equal(submitted.request.logprobs, 0);
  assert_ptr_equal(submitted.request.cancel, f.exchange.cancel);
  answer(0, " upon", 2);
  assert_int_equal(f.exchange.status, 200);
  assert_string_equal(value(&f, "object"), "text_completion");
  assert_string_equal(value(&f, "choices.0.text"), " upon");
  assert_string_equal(value(&f, "choices.0.logprobs"), "null");
  assert_string_equal(value(&f, "choices.0.finish_reason"), "stop");
  assert_string_equal(value(&f, "usage.total_tokens"), "7");
  assert_memory_equal(value(&f, "id"), "cmpl-", 5);
  done(&f);
}

static void each_form_of_prompt(void **state)
{
  (void)state;
  static const struct {
    const char *prompt;
    int n;
    const char *first, *last;
  } cases[] = {
    { "\"\"", 1, "", "" },
    { "[\"a\"]", 1, "a", "a" },
    { "[\"a\",\"b\",\"c\"]", 3, "a", "c" },
    { "[1,2,3]", 1, "1,2,3", "1,2,3" },
    { "[[1,2],[3]]", 2, "1,2", "3" },
    { "[[1],\"b\"]", 2, "1", "b" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    char body[256];
    (void)snprintf(body, sizeof body, BODY("\"prompt\":%s,\"max_tokens\":7"), cases[i].prompt);
    post(&f, body);
    assert_int_equal(submitted.count, cases[i].n);
    assert_string_equal(submitted.prompts[0], cases[i].first);
    assert_string_equal(submitted.prompts[cases[i].n - 1], cases[i].last);
    assert_int_equal(submitted.request.max_tokens, 7);
    for (int k = 0; k < cases[i].n; k++)
      answer(k, "x", 1);
    assert_int_equal(f.exchange.status, 200);
    done(&f);
  }
}

/* They end in any order; the answer has them in the order asked. */
static void several_prompts_are_one_answer(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":[\"a\",\"b\",\"c\"],\"n\":2"));
  for (int target = 2; target >= 0; target--) {
    char text[8];
    submitted.target = target;
    play_started(5);
    (void)snprintf(text, sizeof text, "%d0", target);
    play_delta_of(0, text);
    (void)snprintf(text, sizeof text, "%d1", target);
    play_delta_of(1, text);
    assert_int_equal(f.exchange.status, 0);
    play_done(AL_FINISH_LENGTH, 2);
  }
  static const char *const texts[] = { "00", "01", "10", "11", "20", "21" };
  for (int i = 0; i < 6; i++) {
    char path[32], index[8];
    (void)snprintf(path, sizeof path, "choices.%d.text", i);
    assert_string_equal(value(&f, path), texts[i]);
    (void)snprintf(path, sizeof path, "choices.%d.index", i);
    (void)snprintf(index, sizeof index, "%d", i);
    assert_string_equal(value(&f, path), index);
  }
  assert_string_equal(value(&f, "usage.prompt_tokens"), "15");
  assert_string_equal(value(&f, "usage.completion_tokens"), "6");
  assert_string_equal(value(&f, "usage.prompt_tokens_details.cached_tokens"), "6");
  assert_string_equal(value(&f, "choices.5.finish_reason"), "length");
  done(&f);
}

static void fill_in_the_middle(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":\"def f(\",\"suffix\":\"return 1\",\"stop\":[\"\\n\"]"));
  assert_string_equal(submitted.suffix, "return 1");
  assert_int_equal(submitted.request.n_stop, 1);
  answer(0, "x", 1);
  assert_string_equal(value(&f, "choices.0.text"), "x");
  done(&f);
  post(&f, BODY("\"prompt\":\"def f(\",\"suffix\":\"\"")); /* an empty middle end is one, too */
  assert_non_null(submitted.request.suffix.data);
  answer(0, "x", 1);
  done(&f);
}

/* --- streams ----------------------------------------------------------------------------------------------------- */

static void a_stream_of_several(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":[\"a\",\"b\"],\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
  submitted.target = 1;
  play_started(5);
  assert_true(f.exchange.is_streamed);
  play_delta("B");
  submitted.target = 0;
  play_started(5);
  play_delta("A");
  play_done(AL_FINISH_STOP, 1);
  assert_false(f.exchange.is_ended);
  submitted.target = 1;
  play_done(AL_FINISH_LENGTH, 1);
  assert_true(f.exchange.is_ended);
  assert_sent(
      &f, "\"choices\":[{\"text\":\"A\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n");
  assert_sent(&f, "{\"text\":\"B\",\"index\":1,");
  assert_sent(&f, "{\"text\":\"\",\"index\":0,\"logprobs\":null,\"finish_reason\":\"stop\"}");
  assert_sent(&f, "{\"text\":\"\",\"index\":1,\"logprobs\":null,\"finish_reason\":\"length\"}");
  assert_sent(&f, "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,");
  assert_string_equal(f.exchange.sent.data + f.exchange.sent.size - 14, "data: [DONE]\n\n");
  done(&f);
}

static void one_failure_ends_the_stream(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":[\"a\",\"b\"],\"stream\":true"));
  submitted.target = 0;
  play_started(5);
  play_delta("A");
  submitted.target = 1;
  play_failed(AL_INVALID_REQUEST, "context_length_exceeded", "too long");
  assert_true(f.exchange.is_ended);
  assert_int_equal(al_cancel_reason(f.exchange.cancel), AL_CANCELLED); /* the other one stops */
  assert_sent(&f, "data: {\"error\":{\"message\":\"too long\"");
  submitted.target = 0;
  play_delta("B"); /* goes nowhere */
  play_done(AL_FINISH_CANCELLED, 2);
  assert_null(strstr(f.exchange.sent.data, "[DONE]"));
  done(&f);
}

static void one_failure_is_the_answer(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":[\"a\",\"b\"]"));
  answer(0, "A", 1);
  submitted.target = 1;
  play_failed(AL_INVALID_REQUEST, "context_length_exceeded", "too long");
  assert_int_equal(f.exchange.status, 400);
  assert_string_equal(value(&f, "error.code"), "context_length_exceeded");
  done(&f);
}

static void refused_by_the_engine(void **state)
{
  (void)state;
  struct fixture f;
  submitted_clear();
  (void)!al_fail_reason(&refuse_submit, al_fail(&refuse_submit, AL_NOT_FOUND, "none"), "model_not_found");
  f = (struct fixture){ .api = make_api(nullptr) };
  exchange_init(&f.exchange, BODY("\"prompt\":[\"a\",\"b\"]"));
  al_api_completions(&f.exchange, f.api);
  assert_int_equal(f.exchange.status, 404);
  assert_int_equal(submitted.count, 0);
  done(&f);
}

/* --- echo -------------------------------------------------------------------------------------------------------- */

static void text_is_echoed_without_the_engine(void **state)
{
  (void)state;
  for (int stream = 0; stream < 2; stream++) {
    struct fixture f;
    post(&f, stream ? BODY("\"prompt\":\"Once\",\"echo\":true,\"n\":2,\"stream\":true")
                    : BODY("\"prompt\":\"Once\",\"echo\":true,\"n\":2"));
    assert_false(submitted.request.prompt_logprobs);
    answer(0, " upon", 2);
    if (stream) {
      assert_sent(&f, "{\"text\":\"Once\",\"index\":0,");
      assert_sent(&f, "{\"text\":\"Once\",\"index\":1,");
      assert_sent(&f, "{\"text\":\" upon\",\"index\":0,");
    } else {
      assert_string_equal(value(&f, "choices.0.text"), "Once upon");
      assert_string_equal(value(&f, "choices.1.text"), "Once");
    }
    done(&f);
  }
}

static void play_prompt(const char *first, const char *second)
{
  struct al_text_logprob top = { 8, al_str("X"), -0.5f };
  struct al_text_token tokens[2] = { { { 1, al_str(first), NAN }, nullptr, 0 },
                                     { { 2, al_str(second), -2.5f }, &top, 1 } };
  char text[64];
  (void)snprintf(text, sizeof text, "%s%s", first, second);
  play((struct al_text_event){ .kind = AL_TEXT_PROMPT, .text = al_str(text), .tokens = tokens, .n_tokens = 2 });
}

static void probabilities_of_the_prompt(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":\"\xc3\xa4hm\",\"echo\":true,\"logprobs\":1"));
  assert_true(submitted.request.prompt_logprobs);
  assert_int_equal(submitted.request.logprobs, 2);
  play_started(2);
  play_prompt("\xc3\xa4h", "m");
  play_token("!", -0.25f, "?");
  play_done(AL_FINISH_STOP, 1);
  assert_string_equal(value(&f, "choices.0.text"), "\xc3\xa4hm!");
  assert_string_equal(value(&f, "choices.0.logprobs.tokens"), "[\"\xc3\xa4h\",\"m\",\"!\"]");
  assert_string_equal(value(&f, "choices.0.logprobs.token_logprobs"), "[null,-2.5,-0.25]");
  assert_string_equal(value(&f, "choices.0.logprobs.top_logprobs"),
                      "[null,{\"X\":-0.5,\"m\":-2.5},{\"!\":-0.25,\"?\":-1.25}]");
  assert_string_equal(value(&f, "choices.0.logprobs.text_offset"), "[0,2,3]"); /* characters */
  done(&f);
}

static void only_the_prompt_is_scored(void **state)
{
  (void)state;
  for (int stream = 0; stream < 2; stream++) {
    struct fixture f;
    post(&f, stream ? BODY("\"prompt\":[1,2],\"echo\":true,\"logprobs\":0,\"max_tokens\":0,\"stream\":true,"
                           "\"stream_options\":{\"include_usage\":true}")
                    : BODY("\"prompt\":[1,2],\"echo\":true,\"logprobs\":0,\"max_tokens\":0"));
    assert_int_equal(submitted.request.max_tokens, 1);
    play_started(2);
    play_prompt("a", "b");
    play_token("dropped", -0.25f, nullptr);
    play_done(AL_FINISH_LENGTH, 1);
    if (stream) {
      assert_null(strstr(f.exchange.sent.data, "dropped"));
      assert_sent(&f, "\"completion_tokens\":0");
      assert_sent(&f, "{\"text\":\"ab\",\"index\":0,\"logprobs\":{\"tokens\":[\"a\",\"b\"],");
    } else {
      assert_string_equal(value(&f, "choices.0.text"), "ab");
      assert_string_equal(value(&f, "choices.0.logprobs.tokens"), "[\"a\",\"b\"]");
      assert_string_equal(value(&f, "choices.0.finish_reason"), "length");
      assert_string_equal(value(&f, "usage.completion_tokens"), "0");
    }
    done(&f);
  }
}

static void tokens_are_echoed_by_the_engine(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":[1,2],\"echo\":true"));
  assert_true(submitted.request.prompt_logprobs);
  assert_int_equal(submitted.request.logprobs, 0);
  play_started(2);
  play((struct al_text_event){ .kind = AL_TEXT_PROMPT, .text = al_str("ab") });
  play_delta("c");
  play_done(AL_FINISH_STOP, 1);
  assert_string_equal(value(&f, "choices.0.text"), "abc");
  done(&f);
}

/* --- probabilities and the best ---------------------------------------------------------------------------------- */

static void odd_tokens(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":\"a\",\"logprobs\":2"));
  play_started(1);
  play_token("\xe2\x82", -0.5f, "\xe2\x82"); /* part of a character, and two tokens of the same text */
  play_token("\"\n", -INFINITY, nullptr);
  play_done(AL_FINISH_STOP, 2);
  assert_string_equal(value(&f, "choices.0.logprobs.tokens"), "[\"bytes:\\\\xe2\\\\x82\",\"\\\"\\n\"]");
  assert_string_equal(value(&f, "choices.0.logprobs.top_logprobs.0"), "{\"bytes:\\\\xe2\\\\x82\":-0.5}");
  assert_string_equal(value(&f, "choices.0.logprobs.token_logprobs.1"), "-9999.0");
  done(&f);
}

static void a_stream_has_them_in_parts(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":\"a\",\"logprobs\":0,\"stream\":true"));
  play_started(1);
  play_token("ab", -0.5f, nullptr);
  play_token("c", -1, nullptr);
  play_done(AL_FINISH_STOP, 2);
  assert_sent(&f, "\"logprobs\":{\"tokens\":[\"ab\"],\"token_logprobs\":[-0.5],\"top_logprobs\":[{\"ab\":-0.5}],"
                  "\"text_offset\":[0]}");
  assert_sent(&f, "\"logprobs\":{\"tokens\":[\"c\"],\"token_logprobs\":[-1.0],\"top_logprobs\":[{\"c\":-1.0}],"
                  "\"text_offset\":[2]}");
  done(&f);
}

static void play_choice(int choice, const char *text, float logprob)
{
  struct al_text_token token = { { 1, al_str(text), logprob }, nullptr, 0 };
  play((struct al_text_event){
      .kind = AL_TEXT_DELTA, .choice = choice, .text = al_str(text), .tokens = &token, .n_tokens = 1 });
}

static void the_best_of_many(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, BODY("\"prompt\":\"a\",\"n\":2,\"best_of\":4"));
  assert_int_equal(submitted.request.n, 4);
  assert_int_equal(submitted.request.logprobs, 1); /* needed for the choice, not shown */
  play_started(1);
  play_choice(0, "bad", -3);
  play_choice(1, "go", -0.5f); /* the mean counts, not the sum */
  play_choice(1, "od", -0.5f);
  play_choice(2, "worst", -9);
  play_choice(3, "fair", -0.75f);
  play_done(AL_FINISH_STOP, 5);
  assert_string_equal(value(&f, "choices.0.text"), "good");
  assert_string_equal(value(&f, "choices.1.text"), "fair");
  assert_string_equal(value(&f, "choices.1.index"), "1");
  assert_string_equal(value(&f, "choices.2"), "");
  assert_string_equal(value(&f, "choices.0.logprobs"), "null");
  assert_string_equal(value(&f, "usage.completion_tokens"), "5"); /* all were computed */
  done(&f);
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

static const struct {
  const char *rest;
  const char *param;
} refusals[] = {
  { "\"x\":1", "x" },
  { "\"n\":1", "prompt" },
  { "\"prompt\":null", "prompt" },
  { "\"prompt\":{}", "prompt" },
  { "\"prompt\":1", "prompt" },
  { "\"prompt\":[]", "prompt" },
  { "\"prompt\":[[]]", "prompt[0]" },
  { "\"prompt\":[[1],[]]", "prompt[1]" },
  { "\"prompt\":[\"a\",1]", "prompt[1]" },
  { "\"prompt\":[1,\"a\"]", "prompt" },
  { "\"prompt\":[1,-2]", "prompt" },
  { "\"prompt\":[1,99999999999]", "prompt" },
  { "\"prompt\":[{}]", "prompt[0]" },
  { "\"prompt\":\"a\",\"max_tokens\":0", "max_tokens" },
  { "\"prompt\":\"a\",\"logprobs\":6", "logprobs" },
  { "\"prompt\":\"a\",\"logprobs\":true", "logprobs" },
  { "\"prompt\":\"a\",\"n\":3,\"best_of\":2", "best_of" },
  { "\"prompt\":\"a\",\"best_of\":2,\"stream\":true", "best_of" },
  { "\"prompt\":\"a\",\"best_of\":21", "best_of" },
  { "\"prompt\":\"a\",\"suffix\":\"b\",\"echo\":true", "echo" },
  { "\"prompt\":\"a\",\"suffix\":1", "suffix" },
  { "\"prompt\":\"a\",\"chat_template_kwargs\":{}", "chat_template_kwargs" },
  { "\"prompt\":\"a\",\"messages\":[]", "messages" },
  { "\"prompt\":\"a\",\"stream_options\":{\"include_usage\":true}", "stream_options" },
};

static void each_wrong_field_is_named(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(refusals); i++) {
    struct fixture f;
    char body[256];
    (void)snprintf(body, sizeof body, BODY("%s"), refusals[i].rest);
    post(&f, body);
    if (f.exchange.status != 400)
      fail_msg("%s: status %d", body, f.exchange.status);
    assert_int_equal(submitted.count, 0);
    if (strcmp(value(&f, "error.param"), refusals[i].param) != 0)
      fail_msg("%s: '%s' was named", body, value(&f, "error.param"));
    done(&f);
  }
}

static void prompts_have_a_cap(void **state)
{
  (void)state;
  char body[1024] = "{\"model\":\"tiny\",\"prompt\":[\"a\"";
  for (int i = 0; i < 128; i++)
    (void)snprintf(body + strlen(body), sizeof body - strlen(body), ",\"a\"");
  (void)snprintf(body + strlen(body), sizeof body - strlen(body), "]}");
  struct fixture f;
  post(&f, body);
  assert_int_equal(f.exchange.status, 400);
  assert_string_equal(value(&f, "error.param"), "prompt");
  done(&f);
}

static void memory_may_run_out_at_any_point(void **state)
{
  (void)state;
  al_log_setup(AL_LOG_ERROR, false); /* a line that could not be written harms nobody */
  bool worked = false;
  for (size_t n = 1; !worked; n++) {
    struct fixture f;
    submitted_clear();
    f = (struct fixture){ .api = make_api(nullptr) };
    exchange_init(&f.exchange, BODY("\"prompt\":[\"a\",[1,2]],\"n\":2,\"best_of\":3,\"echo\":true,\"logprobs\":1"));
    assert_non_null(al_buf_room(&f.exchange.sent, 65'536)); /* the stand-in's own */
    (void)al_alloc_fail_at(n);
    al_api_completions(&f.exchange, f.api);
    for (int i = 0; i < submitted.count; i++) {
      submitted.target = i;
      play_started(2);
      play_prompt("a", "b");
      play_token("c", -0.25f, "d");
      play_done(f.exchange.status != 0 ? AL_FINISH_CANCELLED : AL_FINISH_STOP, 3);
    }
    worked = al_alloc_fail_at(0) < n;
    assert_int_equal(f.exchange.status, worked ? 200 : 507);
    done(&f);
    assert_true(n < 200);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_prompt),
    cmocka_unit_test(each_form_of_prompt),
    cmocka_unit_test(several_prompts_are_one_answer),
    cmocka_unit_test(fill_in_the_middle),
    cmocka_unit_test(a_stream_of_several),
    cmocka_unit_test(one_failure_ends_the_stream),
    cmocka_unit_test(one_failure_is_the_answer),
    cmocka_unit_test(refused_by_the_engine),
    cmocka_unit_test(text_is_echoed_without_the_engine),
    cmocka_unit_test(probabilities_of_the_prompt),
    cmocka_unit_test(only_the_prompt_is_scored),
    cmocka_unit_test(tokens_are_echoed_by_the_engine),
    cmocka_unit_test(odd_tokens),
    cmocka_unit_test(a_stream_has_them_in_parts),
    cmocka_unit_test(the_best_of_many),
    cmocka_unit_test(each_wrong_field_is_named),
    cmocka_unit_test(prompts_have_a_cap),
    cmocka_unit_test(memory_may_run_out_at_any_point),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
