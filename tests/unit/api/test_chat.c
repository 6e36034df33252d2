/* /v1/chat/completions with a hand-played engine: requests, answers, streams, failures. */
#include "stand_in.h"

#include "base/alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MESSAGES "\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

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
}

static void done(struct fixture *f)
{
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
}

static void a_whole_answer(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"metadata\":{\"a\":\"b\"}}");
  assert_int_equal(submitted.count, 1);
  assert_string_equal(submitted.chat, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
  assert_true(isnan(submitted.request.sampling.temperature)); /* the model's own */
  play_started(5);
  play_delta("Hel");
  play_delta("lo \"you\"\n");
  assert_int_equal(f.exchange.status, 0); /* nothing yet */
  play_done(AL_FINISH_STOP, 3);
  assert_int_equal(f.exchange.status, 200);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "object"), "chat.completion");
  assert_string_equal(json_text(doc, "choices.0.message.content"), "Hello \"you\"\n");
  assert_string_equal(json_text(doc, "choices.0.finish_reason"), "stop");
  assert_string_equal(json_text(doc, "usage.total_tokens"), "8");
  assert_string_equal(json_text(doc, "usage.prompt_tokens_details.cached_tokens"), "2");
  assert_string_equal(json_text(doc, "metadata.a"), "b");
  assert_string_equal(json_text(doc, "system_fingerprint"), "allm-9.9");
  al_json_doc_free(doc);
  done(&f);
}

static void a_stream(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
  assert_false(f.exchange.is_streamed); /* an error can still be a real one */
  play_started(5);
  assert_true(f.exchange.is_streamed);
  assert_int_equal(f.exchange.n_sends, 1); /* the role */
  play_delta("A");
  play_delta("B");
  assert_int_equal(f.exchange.n_sends, 3); /* each token leaves at once */
  play_done(AL_FINISH_LENGTH, 2);
  assert_true(f.exchange.is_ended);
  assert_int_equal(f.exchange.n_sends, 6); /* finish, usage, [DONE] */
  const char *sent = f.exchange.sent.data;
  assert_non_null(
      strstr(sent, "\"delta\":{\"content\":\"A\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}"));
  assert_non_null(strstr(sent, "\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\""));
  assert_non_null(strstr(sent, "\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2"));
  assert_string_equal(sent + f.exchange.sent.size - 14, "data: [DONE]\n\n");
  done(&f);
}

static void usage_comes_only_when_asked_for(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"stream\":true}");
  play_started(5);
  play_done(AL_FINISH_STOP, 0);
  assert_null(strstr(f.exchange.sent.data, "usage"));
  assert_int_equal(f.exchange.n_sends, 3);
  done(&f);
}

static void a_failure_before_the_stream_is_an_http_error(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"stream\":true}");
  play_failed(AL_INVALID_REQUEST, "context_length_exceeded", "9 tokens, but 8 fit");
  assert_int_equal(f.exchange.status, 400);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "error.code"), "context_length_exceeded");
  assert_string_equal(json_text(doc, "error.message"), "9 tokens, but 8 fit");
  al_json_doc_free(doc);
  done(&f);
}

static void a_failure_in_the_stream_is_an_event(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"stream\":true}");
  play_started(5);
  play_delta("A");
  play_failed(AL_INTERNAL, nullptr, "lost /a/b");
  assert_int_equal(f.exchange.status, 200);
  assert_true(f.exchange.is_ended);
  assert_non_null(strstr(f.exchange.sent.data, "data: {\"error\":{\"message\":\"lost b\",\"type\":\"server_error\""));
  assert_null(strstr(f.exchange.sent.data, "[DONE]")); /* nobody takes it for complete */
  done(&f);
}

static void a_cancelled_answer_is_no_success(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES "}");
  play_started(5);
  play_delta("A");
  play_done(AL_FINISH_CANCELLED, 1);
  assert_int_equal(f.exchange.status, 499);
  done(&f);
}

static void why_an_answer_was_cancelled(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES "}");
  play_started(5);
  al_cancel_fire(f.exchange.cancel, AL_TIMEOUT);
  play_done(AL_FINISH_CANCELLED, 1);
  assert_int_equal(f.exchange.status, 504);
  done(&f);

  post(&f, "{" MESSAGES "}");
  play_started(5);
  al_api_set_draining(f.api);
  al_cancel_fire(f.exchange.cancel, AL_CANCELLED);
  play_done(AL_FINISH_CANCELLED, 1);
  assert_int_equal(f.exchange.status, 503);
  assert_non_null(strstr(f.exchange.headers, "retry-after"));
  done(&f);
}

static void a_client_that_leaves_gets_nothing_more(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"stream\":true}");
  assert_ptr_equal(submitted.request.cancel, f.exchange.cancel); /* its leaving stops the engine */
  f.exchange.fail_sends_after = 2;
  play_started(5);
  play_delta("A");
  play_delta("B");
  play_delta("C");
  assert_int_equal(f.exchange.n_sends, 3); /* the third said that it is gone */
  play_done(AL_FINISH_CANCELLED, 3);
  assert_int_equal(f.exchange.n_sends, 3);
  assert_true(f.exchange.is_ended);
  done(&f);
}

static void refused_by_the_engine(void **state)
{
  (void)state;
  struct fixture f;
  submitted_clear();
  (void)!al_fail_reason(&refuse_submit, al_fail(&refuse_submit, AL_NOT_FOUND, "none"), "model_not_found");
  f.api = make_api(nullptr);
  exchange_init(&f.exchange, "{" MESSAGES "}");
  al_api_chat(&f.exchange, f.api);
  assert_int_equal(f.exchange.status, 404);
  done(&f);
}

static void every_sampling_parameter_arrives(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" MESSAGES ",\"temperature\":0,\"top_p\":0.5,\"top_k\":7,\"min_p\":0.25,\"typical_p\":0.75,\"seed\":-1,"
           "\"repeat_penalty\":1.5,\"repeat_last_n\":9,\"presence_penalty\":-2,\"frequency_penalty\":2,"
           "\"dry_multiplier\":0.5,\"dry_base\":2,\"dry_allowed_length\":3,\"dry_penalty_last_n\":-1,"
           "\"xtc_probability\":0.5,\"xtc_threshold\":0.125,\"mirostat\":2,\"mirostat_tau\":4,\"mirostat_eta\":0.5,"
           "\"ignore_eos\":true,\"stop\":[\"x\",\"yz\"],\"logit_bias\":{\"12\":-100,\"3\":1.5},\"max_tokens\":11}");
  assert_int_equal(submitted.count, 1);
  const struct al_sampling *s = &submitted.request.sampling;
  assert_true(s->temperature == 0 && s->top_p == 0.5f && s->top_k == 7 && s->min_p == 0.25f && s->typical_p == 0.75f);
  assert_true(s->has_seed && s->seed == UINT64_MAX);
  assert_true(s->repeat_penalty == 1.5f && s->penalty_last_n == 9);
  assert_true(s->presence_penalty == -2 && s->frequency_penalty == 2);
  assert_true(s->dry_multiplier == 0.5f && s->dry_base == 2 && s->dry_allowed_length == 3 && s->dry_last_n == -1);
  assert_true(s->xtc_probability == 0.5f && s->xtc_threshold == 0.125f);
  assert_true(s->mirostat == 2 && s->mirostat_tau == 4 && s->mirostat_eta == 0.5f);
  assert_true(submitted.request.ignore_eos);
  assert_int_equal(submitted.request.max_tokens, 11);
  assert_int_equal(submitted.request.n_stop, 2);
  assert_string_equal(submitted.stop[1], "yz");
  assert_int_equal(s->n_logit_bias, 2);
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

static void null_means_absent(void **state)
{
  (void)state;
  struct fixture f;
  post(&f,
       "{" MESSAGES ",\"temperature\":null,\"tools\":null,\"functions\":null,\"response_format\":null,\"stop\":null,"
       "\"logit_bias\":null,\"audio\":null,\"prediction\":null,\"stream_options\":null,\"metadata\":null}");
  assert_int_equal(submitted.count, 1);
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

static void conversations_take_the_form_of_templates(void **state)
{
  (void)state;
  struct fixture f;
  post(&f,
       "{\"model\":\"tiny\",\"chat_template_kwargs\":{\"enable_thinking\":false},\"messages\":["
       "{\"role\":\"developer\",\"content\":\"be brief\"},"
       "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
       "{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
       "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": 1}\"}}]},"
       "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"}]}");
  assert_int_equal(submitted.count, 1);
  assert_string_equal(submitted.chat,
                      "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},"
                      "{\"role\":\"user\",\"content\":\"a\\nb\"},"
                      "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
                      "\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]},"
                      "{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"c1\"}],\"enable_thinking\":false}");
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

struct refusal {
  const char *body;
  const char *param;
  const char *code;
};

#define IMAGE(url, code_)                                                                                              \
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":"   \
    "\"image_url\",\"image_url\":{\"url\":\"" url "\",\"detail\":\"auto\"}}]}]}",                                      \
    "messages[0].content[1].image_url.url", (code_) }

static const struct refusal refusals[] = {
  { "{\"messages\":[]}", "model", "missing_required_parameter" },
  { "{\"model\":\"tiny\"}", "messages", "missing_required_parameter" },
  { "{\"model\":\"tiny\",\"messages\":[]}", "messages", "invalid_request" },
  { "{\"model\":\"../x\",\"messages\":[]}", "model", "invalid_request" },
  { "{\"model\":\"/etc/passwd\",\"messages\":[]}", "model", "invalid_request" },
  { "{\"model\":\"a//b\",\"messages\":[]}", "model", "invalid_request" },
  { "{\"model\":\"a\\u0000b\",\"messages\":[]}", "model", "invalid_request" },
  { "{\"model\":\"\",\"messages\":[]}", "model", "invalid_request" },
  { "{\"model\":7,\"messages\":[]}", "model", "invalid_request" },
  { "{" MESSAGES ",\"temperatur\":1}", "temperatur", "unknown_parameter" },
  { "{" MESSAGES ",\"temperature\":\"1\"}", "temperature", "invalid_request" },
  { "{" MESSAGES ",\"temperature\":2.5}", "temperature", "invalid_request" },
  { "{" MESSAGES ",\"max_tokens\":0}", "max_tokens", "invalid_request" },
  { "{" MESSAGES ",\"max_tokens\":1.5}", "max_tokens", "invalid_request" },
  { "{" MESSAGES ",\"max_tokens\":2,\"max_completion_tokens\":3}", "max_completion_tokens", "invalid_request" },
  { "{" MESSAGES ",\"n\":0}", "n", "invalid_request" },
  { "{" MESSAGES ",\"n\":129}", "n", "invalid_request" },
  { "{" MESSAGES ",\"stream\":1}", "stream", "invalid_request" },
  { "{" MESSAGES ",\"stream_options\":{\"include_usage\":true}}", "stream_options", "invalid_request" },
  { "{" MESSAGES ",\"stream\":true,\"stream_options\":{\"x\":true}}", "stream_options.x", "unknown_parameter" },
  { "{" MESSAGES ",\"stop\":\"\"}", "stop", "invalid_request" },
  { "{" MESSAGES ",\"stop\":[\"a\",2]}", "stop[1]", "invalid_request" },
  { "{" MESSAGES ",\"stop\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "stop", "invalid_request" },
  { "{" MESSAGES ",\"logit_bias\":{\"x\":1}}", "logit_bias.x", "invalid_request" },
  { "{" MESSAGES ",\"logit_bias\":{\"1\":101}}", "logit_bias.1", "invalid_request" },
  { "{" MESSAGES ",\"metadata\":{\"k\":1}}", "metadata.k", "invalid_request" },
  { "{" MESSAGES ",\"functions\":[{}]}", "functions", "unsupported_parameter" },
  { "{" MESSAGES ",\"function_call\":\"f\"}", "function_call", "unsupported_parameter" },
  { "{" MESSAGES ",\"top_logprobs\":2}", "top_logprobs", "invalid_request" },
  { "{" MESSAGES ",\"logprobs\":true,\"top_logprobs\":21}", "top_logprobs", "invalid_request" },
  { "{" MESSAGES ",\"logprobs\":1}", "logprobs", "invalid_request" },
  { "{" MESSAGES ",\"prediction\":{\"type\":\"content\"}}", "prediction", "unsupported_parameter" },
  { "{" MESSAGES ",\"verbosity\":\"low\"}", "verbosity", "unsupported_parameter" },
  { "{" MESSAGES ",\"modalities\":[\"text\",\"audio\"]}", "modalities[1]", "unsupported_parameter" },
  { "{" MESSAGES ",\"reasoning_effort\":\"deep\"}", "reasoning_effort", "invalid_request" },
  { "{" MESSAGES ",\"reasoning_format\":\"deepseek-legacy\"}", "reasoning_format", "unsupported_parameter" },
  { "{" MESSAGES ",\"lora\":{}}", "lora", "invalid_request" },
  { "{" MESSAGES ",\"lora\":[{\"scale\":1}]}", "lora[0].model", "invalid_request" },
  { "{" MESSAGES ",\"lora\":[{\"model\":\"a\"},{\"model\":\"../b\"}]}", "lora[1].model", "invalid_request" },
  { "{" MESSAGES ",\"lora\":[{\"model\":\"a\",\"scale\":\"1\"}]}", "lora[0].scale", "invalid_request" },
  { "{" MESSAGES ",\"lora\":[{\"model\":\"a\",\"weight\":1}]}", "lora[0].weight", "unknown_parameter" },
  { "{" MESSAGES ",\"store\":true}", "store", "unsupported_parameter" },
  { "{" MESSAGES ",\"audio\":{}}", "audio", "unsupported_parameter" },
  { "{" MESSAGES ",\"chat_template_kwargs\":{\"messages\":[]}}", "chat_template_kwargs.messages", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":\"hi\"}", "messages", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[1]}", "messages[0]", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[{\"content\":\"x\"}]}", "messages[0].role", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}", "messages[0].role", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"user\"}]}", "messages[0].content", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":1}]}", "messages[0].content", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"mood\":1}]}", "messages[0].mood",
    "unknown_parameter" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}",
    "messages[0].content[0].image_url", "invalid_request" },
  IMAGE("data:image/png;base64,iVBORw0K", "unsupported_parameter"),
  IMAGE("https://example.com/a.png", "unsupported_parameter"),
  IMAGE("data:image/png;base64,iVBORw0", "invalid_request"),
  IMAGE("data:image/png,abcd", "invalid_request"),
  IMAGE("data:text/plain;base64,iVBORw0K", "invalid_request"),
  IMAGE("data:image/png;base64,", "invalid_request"),
  IMAGE("file:///etc/passwd", "invalid_request"),
  IMAGE("", "invalid_request"),
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
    "messages[0].content[0].text", "invalid_request" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"assistant\",\"content\":\"x\",\"audio\":{}}]}", "messages[0].audio",
    "unsupported_parameter" },
  { "{\"model\":\"t\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{}}]}]}",
    "messages[0].tool_calls[0].function", "invalid_request" },
};

static void each_wrong_field_is_named(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(refusals); i++) {
    struct fixture f;
    post(&f, refusals[i].body);
    if (f.exchange.status != 400)
      fail_msg("%s: status %d", refusals[i].body, f.exchange.status);
    assert_int_equal(submitted.count, 0);
    struct al_json_doc *doc = sent_json(&f.exchange);
    assert_string_equal(json_text(doc, "error.param"), refusals[i].param);
    assert_string_equal(json_text(doc, "error.code"), refusals[i].code);
    al_json_doc_free(doc);
    done(&f);
  }
}

static void bodies_that_are_no_objects(void **state)
{
  (void)state;
  static const char *const bodies[] = {
    "", "{", "[]", "1", "\"x\"", "null", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "\xff"
  };
  for (size_t i = 0; i < AL_COUNT(bodies); i++) {
    struct fixture f;
    post(&f, bodies[i]);
    assert_int_equal(f.exchange.status, 400);
    done(&f);
  }
}

static void only_json_is_read(void **state)
{
  (void)state;
  static const struct {
    const char *type;
    int status; /* 0: submitted */
  } cases[] = { { "application/json", 0 },     { "Application/JSON; charset=utf-8", 0 },
                { "application/x+json", 0 },   { "text/plain", 415 },
                { "application/jsonx", 415 },  { "application/xjson", 415 },
                { "multipart/form-data", 415 } };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    submitted_clear();
    f.api = make_api(nullptr);
    exchange_init(&f.exchange, "{" MESSAGES "}");
    f.exchange.content_type = cases[i].type;
    al_api_chat(&f.exchange, f.api);
    assert_int_equal(f.exchange.status, cases[i].status);
    if (submitted.count == 1)
      play_done(AL_FINISH_STOP, 0);
    done(&f);
  }
}

/* Whichever allocation of the request fails, the answer is 507 and nothing is left behind. */
static void memory_may_run_out_at_any_point(void **state)
{
  (void)state;
  bool worked = false;
  for (size_t n = 1; !worked && n < 500; n++) {
    struct fixture f;
    submitted_clear();
    f.api = make_api(nullptr);
    exchange_init(&f.exchange, "{" MESSAGES ",\"stream\":true,\"stop\":[\"a\"],\"logit_bias\":{\"1\":1},"
                               "\"metadata\":{\"a\":\"b\"}}");
    (void)al_alloc_fail_at(n);
    al_api_chat(&f.exchange, f.api);
    (void)al_alloc_fail_at(0);
    worked = submitted.count == 1 && submitted.chat != nullptr;
    if (!worked)
      assert_int_equal(f.exchange.status, 507);
    else
      play_done(AL_FINISH_STOP, 0);
    done(&f);
    assert_true(n < 499);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_whole_answer),
    cmocka_unit_test(a_stream),
    cmocka_unit_test(usage_comes_only_when_asked_for),
    cmocka_unit_test(a_failure_before_the_stream_is_an_http_error),
    cmocka_unit_test(a_failure_in_the_stream_is_an_event),
    cmocka_unit_test(a_cancelled_answer_is_no_success),
    cmocka_unit_test(why_an_answer_was_cancelled),
    cmocka_unit_test(a_client_that_leaves_gets_nothing_more),
    cmocka_unit_test(refused_by_the_engine),
    cmocka_unit_test(every_sampling_parameter_arrives),
    cmocka_unit_test(null_means_absent),
    cmocka_unit_test(conversations_take_the_form_of_templates),
    cmocka_unit_test(each_wrong_field_is_named),
    cmocka_unit_test(bodies_that_are_no_objects),
    cmocka_unit_test(only_json_is_read),
    cmocka_unit_test(memory_may_run_out_at_any_point),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
