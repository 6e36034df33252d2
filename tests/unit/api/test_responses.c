/* /v1/responses with a hand-played engine. */
#include "stand_in.h"

#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define INPUT "\"model\":\"tiny\",\"input\":\"hi\""

struct fixture {
  struct al_api *api;
  struct al_http_exchange exchange;
};

static void post(struct fixture *f, const char *body)
{
  submitted_clear();
  f->api = make_api(nullptr);
  exchange_init(&f->exchange, body);
  al_api_responses(&f->exchange, f->api);
}

static void done(struct fixture *f)
{
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
}

static const char *const all_keys[] = { "id",
                                        "object",
                                        "created_at",
                                        "completed_at",
                                        "status",
                                        "incomplete_details",
                                        "model",
                                        "previous_response_id",
                                        "instructions",
                                        "output",
                                        "error",
                                        "tools",
                                        "tool_choice",
                                        "truncation",
                                        "parallel_tool_calls",
                                        "text",
                                        "top_p",
                                        "presence_penalty",
                                        "frequency_penalty",
                                        "top_logprobs",
                                        "temperature",
                                        "reasoning",
                                        "user",
                                        "usage",
                                        "max_output_tokens",
                                        "max_tool_calls",
                                        "store",
                                        "background",
                                        "service_tier",
                                        "metadata",
                                        "safety_identifier",
                                        "prompt_cache_key" };

static void assert_all_keys(const struct al_json *response)
{
  assert_int_equal(al_json_count(response), AL_COUNT(all_keys));
  for (size_t i = 0; i < AL_COUNT(all_keys); i++)
    if (al_json_kind(al_json_get(response, all_keys[i])) == AL_JSON_ABSENT)
      fail_msg("the response lacks '%s'", all_keys[i]);
}

static void a_whole_answer(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" INPUT ",\"instructions\":\"be \\\"brief\\\"\",\"temperature\":0.5,\"max_output_tokens\":9,"
           "\"metadata\":{\"a\":\"b\"},\"user\":\"u1\",\"truncation\":\"auto\",\"parallel_tool_calls\":false}");
  assert_int_equal(submitted.count, 1);
  assert_string_equal(submitted.chat, "{\"messages\":[{\"role\":\"system\",\"content\":\"be \\\"brief\\\"\"},"
                                      "{\"role\":\"user\",\"content\":\"hi\"}]}");
  assert_true(submitted.request.truncate_prompt);
  assert_int_equal(submitted.request.max_tokens, 9);
  play_started(5);
  play_delta("Hello");
  play_done(AL_FINISH_STOP, 1);
  assert_int_equal(f.exchange.status, 200);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_all_keys(al_json_root(doc));
  assert_string_equal(json_text(doc, "status"), "completed");
  assert_string_equal(json_text(doc, "output.0.content.0.text"), "Hello");
  assert_string_equal(json_text(doc, "output.0.status"), "completed");
  assert_string_equal(json_text(doc, "instructions"), "be \"brief\"");
  assert_string_equal(json_text(doc, "temperature"), "0.5");
  assert_string_equal(json_text(doc, "top_p"), "1.0");
  assert_string_equal(json_text(doc, "metadata"), "{\"a\":\"b\"}");
  assert_string_equal(json_text(doc, "user"), "u1");
  assert_string_equal(json_text(doc, "truncation"), "auto");
  assert_string_equal(json_text(doc, "parallel_tool_calls"), "false");
  assert_string_equal(json_text(doc, "store"), "false");
  assert_string_equal(json_text(doc, "usage.input_tokens_details.cached_tokens"), "2");
  assert_string_equal(json_text(doc, "usage.total_tokens"), "6");
  al_json_doc_free(doc);
  done(&f);
}

static void a_limit_makes_it_incomplete(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" INPUT "}");
  play_started(5);
  play_delta("Hello");
  play_done(AL_FINISH_LENGTH, 1);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "status"), "incomplete");
  assert_string_equal(json_text(doc, "incomplete_details.reason"), "max_output_tokens");
  assert_string_equal(json_text(doc, "output.0.status"), "incomplete");
  assert_string_equal(json_text(doc, "completed_at"), "null");
  al_json_doc_free(doc);
  done(&f);
}

/* Each "event: TYPE" line in its order, and each data line: JSON of the same type, numbered from 0. */
static void assert_events(const struct al_buf *sent, const char *const *types, size_t n_types)
{
  const char *at = sent->data;
  for (size_t i = 0; i < n_types; i++) {
    char head[96];
    int length = snprintf(head, sizeof head, "event: %s\ndata: ", types[i]);
    if (strncmp(at, head, (size_t)length) != 0)
      fail_msg("event %zu is not %s but %.60s", i, types[i], at);
    at += length;
    const char *end = strstr(at, "\n\n");
    assert_non_null(end);
    struct al_json_doc *doc = nullptr;
    assert_int_equal(al_json_parse(al_str_n(at, (size_t)(end - at)), &doc, nullptr), AL_OK);
    assert_string_equal(json_text(doc, "type"), types[i]);
    assert_int_equal(al_json_int(al_json_get(al_json_root(doc), "sequence_number"), -1), i);
    const struct al_json *response = al_json_get(al_json_root(doc), "response");
    if (response != nullptr)
      assert_all_keys(response);
    al_json_doc_free(doc);
    at = end + 2;
  }
  assert_string_equal(at, "");
}

static void the_events_of_a_stream(void **state)
{
  (void)state;
  static const char *const types[] = { "response.created",           "response.in_progress",
                                       "response.output_item.added", "response.content_part.added",
                                       "response.output_text.delta", "response.output_text.delta",
                                       "response.output_text.done",  "response.content_part.done",
                                       "response.output_item.done",  "response.completed" };
  struct fixture f;
  post(&f, "{" INPUT ",\"stream\":true}");
  play_started(5);
  play_delta("A\n");
  play_delta("B");
  play_done(AL_FINISH_STOP, 2);
  assert_true(f.exchange.is_ended);
  assert_events(&f.exchange.sent, types, AL_COUNT(types));
  assert_non_null(strstr(f.exchange.sent.data, "\"delta\":\"A\\n\",\"logprobs\":[]"));
  assert_non_null(strstr(f.exchange.sent.data, "\"text\":\"A\\nB\",\"logprobs\":[]"));
  done(&f);
}

static void an_empty_answer_has_its_item_too(void **state)
{
  (void)state;
  static const char *const types[] = { "response.created",           "response.in_progress",
                                       "response.output_item.added", "response.content_part.added",
                                       "response.output_text.done",  "response.content_part.done",
                                       "response.output_item.done",  "response.incomplete" };
  struct fixture f;
  post(&f, "{" INPUT ",\"stream\":true}");
  play_started(5);
  play_done(AL_FINISH_LENGTH, 0);
  assert_events(&f.exchange.sent, types, AL_COUNT(types));
  done(&f);
}

static void a_failure_in_the_stream(void **state)
{
  (void)state;
  static const char *const types[] = { "response.created",           "response.in_progress",
                                       "response.output_item.added", "response.content_part.added",
                                       "response.output_text.delta", "response.failed" };
  struct fixture f;
  post(&f, "{" INPUT ",\"stream\":true}");
  play_started(5);
  play_delta("A");
  play_failed(AL_TIMEOUT, nullptr, "too slow");
  assert_events(&f.exchange.sent, types, AL_COUNT(types));
  assert_non_null(strstr(f.exchange.sent.data, "\"error\":{\"code\":\"server_error\",\"message\":\"too slow\"}"));
  assert_non_null(strstr(f.exchange.sent.data, "\"status\":\"failed\""));
  done(&f);
}

static void the_answer_tells_the_sampling_in_effect(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" INPUT "}");
  struct al_sampling effective = al_sampling_default();
  effective.temperature = 0.625F; /* the model's own */
  submitted.request.on_event(submitted.request.user,
                             &(struct al_text_event){ .kind = AL_TEXT_STARTED, .sampling = &effective });
  play_done(AL_FINISH_STOP, 0);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "temperature"), "0.625");
  al_json_doc_free(doc);
  done(&f);
}

static void items_become_messages(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{\"model\":\"tiny\",\"input\":["
           "{\"role\":\"developer\",\"content\":\"be brief\"},"
           "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"a\"}]},"
           "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_1\",\"status\":\"completed\",\"content\":["
           "{\"type\":\"output_text\",\"text\":\"b\",\"annotations\":[],\"logprobs\":[]}]},"
           "{\"role\":\"user\",\"content\":\"c\"}]}");
  assert_int_equal(submitted.count, 1);
  assert_string_equal(submitted.chat, "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},"
                                      "{\"role\":\"user\",\"content\":\"a\"},"
                                      "{\"role\":\"assistant\",\"content\":\"b\"},"
                                      "{\"role\":\"user\",\"content\":\"c\"}]}");
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

static void items_stand_in_the_order_of_the_model(void **state)
{
  (void)state;
  struct fixture f;
  static const char *const pieces[] = { "{\"a\":", "1}", nullptr };
  post(&f, "{" INPUT ",\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"mystery\"}]}");
  play_started(3);
  play_reasoning("hm");
  play_delta("first");
  play_call(0, "f", true, pieces);
  play_delta("second");
  play_call(1, "f", false, pieces);
  play_done(AL_FINISH_TOOL_CALLS, 9);
  struct al_json_doc *doc = sent_json(&f.exchange);
  static const char *const types[] = { "reasoning", "message", "function_call", "message", "function_call" };
  assert_int_equal(al_json_count(al_json_get(al_json_root(doc), "output")), AL_COUNT(types));
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    char path[32];
    (void)snprintf(path, sizeof path, "output.%zu.type", i);
    assert_string_equal(json_text(doc, path), types[i]);
  }
  assert_string_equal(json_text(doc, "output.0.content.0.text"), "hm");
  assert_string_equal(json_text(doc, "output.1.content.0.text"), "first");
  assert_string_equal(json_text(doc, "output.2.arguments"), "{\"a\":1}");
  assert_string_equal(json_text(doc, "output.2.status"), "completed");
  assert_string_equal(json_text(doc, "output.3.content.0.text"), "second");
  assert_string_equal(json_text(doc, "output.4.status"), "incomplete");
  assert_string_equal(json_text(doc, "tools.1.type"), "mystery");
  al_json_doc_free(doc);
  done(&f);
}

static void calls_and_their_results_become_messages(void **state)
{
  (void)state;
  struct fixture f;
  post(&f,
       "{\"model\":\"tiny\",\"input\":["
       "{\"role\":\"user\",\"content\":\"q\"},"
       "{\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]},"
       "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"},"
       "{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"cut\"},"
       "{\"type\":\"function_call_output\",\"call_id\":\"c2\",\"output\":[{\"type\":\"input_text\",\"text\":\"r2\"}]},"
       "{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":\"r1\"},"
       "{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"done\"}]}");
  assert_string_equal(submitted.chat,
                      "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
                      "{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"hm\",\"tool_calls\":["
                      "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}},"
                      "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"cut\"}}]},"
                      "{\"role\":\"tool\",\"content\":\"r2\",\"tool_call_id\":\"c2\",\"name\":\"g\"},"
                      "{\"role\":\"tool\",\"content\":\"r1\",\"tool_call_id\":\"c1\",\"name\":\"f\"},"
                      "{\"role\":\"assistant\",\"content\":\"done\"}]}");
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

static void harmless_parameters_pass(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" INPUT ",\"store\":false,\"background\":false,\"tools\":[],\"tool_choice\":\"auto\",\"include\":"
           "[\"reasoning.encrypted_content\"],\"reasoning\":{\"effort\":null,\"summary\":null},\"top_logprobs\":0,"
           "\"text\":{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"},\"service_tier\":\"auto\","
           "\"previous_response_id\":null,\"prompt_cache_key\":\"k\",\"max_tool_calls\":3}");
  assert_int_equal(submitted.count, 1);
  play_started(1);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

static const struct {
  const char *body;
  const char *param;
} refusals[] = {
  { "{\"input\":\"hi\"}", "model" },
  { "{\"model\":\"t\"}", "input" },
  { "{\"model\":\"t\",\"input\":null}", "input" },
  { "{\"model\":\"t\",\"input\":7}", "input" },
  { "{\"model\":\"t\",\"input\":[]}", "input" },
  { "{\"model\":\"t\",\"input\":[7]}", "input[0]" },
  { "{\"model\":\"t\",\"input\":[{\"content\":\"x\"}]}", "input[0].role" },
  { "{\"model\":\"t\",\"input\":[{\"role\":\"user\"}]}", "input[0].content" },
  { "{\"model\":\"t\",\"input\":[{\"role\":\"user\",\"content\":\"a\"},{\"type\":\"function_call_output\"}]}",
    "input[1].call_id" },
  { "{\"model\":\"t\",\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}]}", "input" },
  { "{\"model\":\"t\",\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"}]}",
    "input[0].arguments" },
  { "{\"model\":\"t\",\"input\":[{\"type\":\"web_search_call\",\"id\":\"w\"}]}", "input[0].type" },
  { "{\"model\":\"t\",\"input\":[{\"type\":\"compaction\",\"encrypted_content\":\"gAAAA\"}]}",
    "input[0].encrypted_content" },
  { "{\"model\":\"t\",\"input\":[{\"type\":\"compaction\",\"encrypted_content\":\"allm1:[7]\"}]}",
    "input[0].encrypted_content[0]" },
  { "{\"model\":\"t\",\"input\":[{\"type\":\"reasoning\",\"summary\":[],\"encrypted_content\":\"gAAAA\"}]}",
    "input[0].encrypted_content" },
  { "{\"model\":\"t\",\"input\":[{\"role\":\"user\",\"content\":\"a\",\"surprise\":1}]}", "input[0].surprise" },
  { "{\"model\":\"t\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]}",
    "input[0].content[0].image_url" },
  { "{\"model\":\"t\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}]}",
    "input[0].content[0].type" },
  { "{" INPUT ",\"store\":true}", "store" },
  { "{" INPUT ",\"background\":true}", "background" },
  { "{" INPUT ",\"conversation\":\"conv_1\"}", "conversation" },
  { "{" INPUT ",\"previous_response_id\":7}", "previous_response_id" },
  { "{" INPUT ",\"previous_response_id\":\"\"}", "previous_response_id" },
  { "{" INPUT ",\"tools\":[{\"type\":\"function\"}]}", "tools[0].name" },
  { "{" INPUT ",\"generate\":false}", "generate" },
  { "{" INPUT ",\"tool_choice\":\"required\"}", "tool_choice" },
  { "{" INPUT ",\"reasoning\":{\"effort\":\"extreme\"}}", "reasoning.effort" },
  { "{" INPUT ",\"reasoning\":{\"summary\":\"detailed\"}}", "reasoning.summary" },
  { "{" INPUT ",\"reasoning\":{\"mode\":\"pro\"}}", "reasoning.mode" },
  { "{" INPUT ",\"text\":{\"format\":{\"type\":\"json_schema\"}}}", "text.format.name" },
  { "{" INPUT ",\"text\":{\"verbosity\":\"low\"}}", "text.verbosity" },
  { "{" INPUT ",\"include\":[\"everything\"]}", "include[0]" },
  { "{" INPUT ",\"top_logprobs\":21}", "top_logprobs" },
  { "{" INPUT ",\"truncation\":\"yes\"}", "truncation" },
  { "{" INPUT ",\"max_output_tokens\":-1}", "max_output_tokens" },
  { "{" INPUT ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "stream_options.include_usage" },
  { "{" INPUT ",\"messages\":[]}", "messages" },
  { "{" INPUT ",\"max_tokens\":7}", "max_tokens" },
};

static void each_wrong_field_is_named(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(refusals); i++) {
    struct fixture f;
    post(&f, refusals[i].body);
    if (f.exchange.status != 400)
      fail_msg("%s: status %d", refusals[i].body, f.exchange.status);
    struct al_json_doc *doc = sent_json(&f.exchange);
    assert_string_equal(json_text(doc, "error.param"), refusals[i].param);
    al_json_doc_free(doc);
    done(&f);
  }
}

/* Memory that runs out in the middle of a stream must not leave something that looks complete. */
static void a_stream_without_memory_is_not_completed(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, "{" INPUT ",\"stream\":true}");
  play_started(5);
  char *big = al_calloc(1, 300'000);
  assert_non_null(big);
  memset(big, 'x', 299'999);
  (void)al_alloc_fail_at(1);
  play_delta(big);
  (void)al_alloc_fail_at(0);
  play_delta("more");
  play_done(AL_FINISH_STOP, 2);
  assert_true(f.exchange.is_ended);
  assert_null(strstr(f.exchange.sent.data, "response.completed"));
  assert_non_null(strstr(f.exchange.sent.data, "response.failed"));
  al_free(big);
  done(&f);
}

static void memory_that_runs_out_is_an_answer_too(void **state)
{
  (void)state;
  int n_answered = 0;
  for (size_t n = 1; n < 260; n++) {
    struct fixture f;
    submitted_clear();
    f.api = make_api(nullptr);
    exchange_init(
        &f.exchange,
        "{\"model\":\"tiny\",\"instructions\":\"x\",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],\"input\":["
        "{\"role\":\"user\",\"content\":\"q\"},{\"type\":\"compaction\",\"encrypted_content\":\"allm1:["
        "{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\"old\\\"}]\"}]}");
    (void)al_alloc_fail_at(n);
    al_api_responses(&f.exchange, f.api);
    (void)al_alloc_fail_at(0);
    if (submitted.count == 1) {
      play_started(1);
      play_delta("a");
      play_done(AL_FINISH_STOP, 1);
      n_answered++;
    }
    assert_int_equal(f.exchange.status, submitted.count == 1 ? 200 : 507);
    done(&f);
  }
  assert_true(n_answered > 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_whole_answer),
    cmocka_unit_test(a_limit_makes_it_incomplete),
    cmocka_unit_test(the_events_of_a_stream),
    cmocka_unit_test(an_empty_answer_has_its_item_too),
    cmocka_unit_test(a_failure_in_the_stream),
    cmocka_unit_test(the_answer_tells_the_sampling_in_effect),
    cmocka_unit_test(items_become_messages),
    cmocka_unit_test(memory_that_runs_out_is_an_answer_too),
    cmocka_unit_test(items_stand_in_the_order_of_the_model),
    cmocka_unit_test(calls_and_their_results_become_messages),
    cmocka_unit_test(harmless_parameters_pass),
    cmocka_unit_test(each_wrong_field_is_named),
    cmocka_unit_test(a_stream_without_memory_is_not_completed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
