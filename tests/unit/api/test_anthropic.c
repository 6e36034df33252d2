/* /v1/messages and its count_tokens with a hand-played engine. */
#include "stand_in.h"

#include "base/alloc.h"
#include "base/log.h"

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

#define HI         "{\"role\":\"user\",\"content\":\"hi\"}"
#define BODY(rest) "{\"model\":\"tiny\",\"max_tokens\":9" rest "}"
#define ASK(rest)  BODY(",\"messages\":[" HI "]" rest)
#define TOOLS      ",\"tools\":[{\"name\":\"add\",\"input_schema\":{\"type\":\"object\"}}]"

static void send(struct fixture *f, al_http_handler *handler, const char *body)
{
  submitted_clear();
  *f = (struct fixture){ .api = make_api(nullptr) };
  exchange_init(&f->exchange, body);
  handler(&f->exchange, f->api);
}

static void post(struct fixture *f, const char *body)
{
  send(f, al_api_anthropic_messages, body);
}

static void done(struct fixture *f)
{
  al_json_doc_free(f->doc);
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
}

static const char *value(struct fixture *f, const char *path)
{
  if (f->doc == nullptr)
    f->doc = sent_json(&f->exchange);
  return json_text(f->doc, path);
}

static void assert_value(struct fixture *f, const char *path, const char *expected)
{
  assert_string_equal(value(f, path), expected);
}

static const char *const sum[] = { "{\"a\":", "1}", nullptr };

/* --- the whole message ------------------------------------------------------------------------------------------- */

static void a_whole_message(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, ASK(",\"system\":\"be brief\",\"temperature\":0.5,\"top_p\":0.9,\"top_k\":7,\"stop_sequences\":[\"END\"],"
               "\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\""));
  assert_int_equal(submitted.count, 1);
  assert_string_equal(submitted.chat, "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},"
                                      "{\"role\":\"user\",\"content\":\"hi\"}],\"enable_thinking\":false}");
  assert_int_equal(submitted.request.max_tokens, 9);
  assert_true(submitted.request.sampling.temperature == 0.5f && submitted.request.sampling.top_k == 7);
  assert_string_equal(submitted.stop[0], "END");
  play_started(5);
  play_delta("Hel");
  play_delta("lo");
  play_done(AL_FINISH_STOP, 3);
  assert_int_equal(f.exchange.status, 200);
  assert_value(&f, "type", "message");
  assert_value(&f, "role", "assistant");
  assert_value(&f, "model", "tiny");
  assert_value(&f, "content", "[{\"type\":\"text\",\"text\":\"Hello\",\"citations\":null}]");
  assert_value(&f, "stop_reason", "end_turn");
  assert_value(&f, "stop_sequence", "null");
  assert_value(&f, "usage.input_tokens", "3"); /* of 5, 2 came from the cache */
  assert_value(&f, "usage.cache_read_input_tokens", "2");
  assert_value(&f, "usage.output_tokens", "3");
  assert_memory_equal(value(&f, "id"), "msg_", 4);
  assert_non_null(strstr(f.exchange.headers, "request-id: req-1"));
  done(&f);
}

static void why_it_stopped(void **state)
{
  (void)state;
  static const struct {
    enum al_finish finish;
    const char *stop;
    int n_completion;
    const char *reason, *sequence;
  } cases[] = {
    { AL_FINISH_STOP, nullptr, 3, "end_turn", "null" },
    { AL_FINISH_STOP, "END", 3, "stop_sequence", "END" },
    { AL_FINISH_LENGTH, nullptr, 9, "max_tokens", "null" },
    { AL_FINISH_LENGTH, nullptr, 8, "model_context_window_exceeded", "null" },
    { AL_FINISH_TOOL_CALLS, nullptr, 3, "tool_use", "null" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    post(&f, ASK(""));
    play_started(5);
    play_delta("x");
    play_choice_done(0, cases[i].finish, cases[i].stop);
    play_done(cases[i].finish, cases[i].n_completion);
    assert_value(&f, "stop_reason", cases[i].reason);
    assert_value(&f, "stop_sequence", cases[i].sequence);
    done(&f);
  }
}

static void thinking_and_calls_are_blocks(void **state)
{
  (void)state;
  struct fixture f;
  post(&f,
       ASK(TOOLS ",\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true},"
                 "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},\"output_config\":{\"effort\":\"high\"}"));
  assert_non_null(strstr(submitted.chat, "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"add\""));
  assert_non_null(strstr(submitted.chat, "\"reasoning_effort\":\"high\",\"enable_thinking\":true"));
  assert_int_equal(submitted.request.tool_choice, AL_TOOL_REQUIRED);
  assert_false(submitted.request.parallel_tool_calls);
  play_started(5);
  play_reasoning("hm");
  play_delta("I add.");
  play_call(0, "add", true, sum);
  play_call(1, "add", false, (const char *const[]){ "{\"a\":", nullptr });
  play_done(AL_FINISH_TOOL_CALLS, 3);
  assert_value(&f, "content.0.type", "thinking");
  assert_value(&f, "content.0.thinking", "hm");
  assert_string_not_equal(value(&f, "content.0.signature"), "");
  assert_value(&f, "content.1.text", "I add.");
  assert_value(&f, "content.2.type", "tool_use");
  assert_value(&f, "content.2.name", "add");
  assert_value(&f, "content.2.input", "{\"a\":1}");
  assert_memory_equal(value(&f, "content.2.id"), "toolu_", 6);
  assert_value(&f, "content.3.input", "{}"); /* cut short: an object all the same */
  done(&f);
}

static void thinking_can_be_hidden(void **state)
{
  (void)state;
  for (int stream = 0; stream < 2; stream++) {
    struct fixture f;
    post(&f, stream ? ASK(",\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"},\"stream\":true")
                    : ASK(",\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"}"));
    play_started(5);
    play_reasoning("secret");
    play_delta("x");
    play_done(AL_FINISH_STOP, 3);
    assert_null(strstr(f.exchange.sent.data, "secret"));
    assert_non_null(strstr(f.exchange.sent.data, "\"type\":\"thinking\",\"thinking\":\"\""));
    done(&f);
  }
}

static void a_schema_is_held_to(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, ASK(",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}"));
  assert_int_equal(submitted.request.format, AL_FORMAT_JSON_SCHEMA);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
  post(&f, ASK(",\"output_format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}"));
  assert_int_equal(submitted.request.format, AL_FORMAT_JSON_SCHEMA);
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

/* The types of the events sent, separated by spaces. */
static void event_types(const struct fixture *f, char *out, size_t size)
{
  size_t length = 0;
  for (const char *at = f->exchange.sent.data; at != nullptr && (at = strstr(at, "event: ")) != nullptr; at++) {
    at += 7;
    length += (size_t)snprintf(out + length, size - length, "%.*s ", (int)strcspn(at, "\n"), at);
  }
}

static void assert_sent(const struct fixture *f, const char *part)
{
  if (strstr(f->exchange.sent.data, part) == nullptr)
    fail_msg("'%s' was not sent, but: %s", part, f->exchange.sent.data);
}

static void a_stream_of_blocks(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, ASK(",\"stream\":true" TOOLS));
  play_started(5);
  play_reasoning("h");
  play_reasoning("m");
  play_delta("I add.");
  play_call(0, "add", true, sum);
  play_choice_done(0, AL_FINISH_TOOL_CALLS, nullptr);
  play((struct al_text_event){ .kind = AL_TEXT_DONE, .finish = AL_FINISH_TOOL_CALLS, .usage = { 5, 2, 9, 4 } });
  assert_true(f.exchange.is_ended);
  char types[1024];
  event_types(&f, types, sizeof types);
  assert_string_equal(types, "message_start "
                             "content_block_start content_block_delta content_block_delta content_block_delta "
                             "content_block_stop "
                             "content_block_start content_block_delta content_block_stop "
                             "content_block_start content_block_delta content_block_delta content_block_stop "
                             "message_delta message_stop ");
  assert_sent(&f, "\"stop_reason\":null,\"stop_sequence\":null");
  assert_sent(
      &f, "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\","
          "\"signature\":\"\"}}");
  assert_sent(&f, "\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"h\"}}");
  assert_sent(&f, "\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"msg_");
  assert_sent(&f, "\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"I add.\"}}");
  assert_sent(&f,
              "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_");
  assert_sent(&f, "\"name\":\"add\",\"input\":{}}}");
  assert_sent(&f, "\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}");
  assert_sent(&f, "{\"type\":\"content_block_stop\",\"index\":2}");
  assert_sent(&f, "\"delta\":{\"stop_reason\":\"tool_use\",");
  assert_sent(&f, "\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,"
                  "\"output_tokens\":9,\"output_tokens_details\":{\"thinking_tokens\":4}");
  assert_sent(&f, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
  done(&f);
}

static void an_empty_stream(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, ASK(",\"stream\":true"));
  play_started(5);
  play_done(AL_FINISH_STOP, 0);
  char types[256];
  event_types(&f, types, sizeof types);
  assert_string_equal(types, "message_start message_delta message_stop ");
  done(&f);
}

static void a_stream_that_breaks(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, ASK(",\"stream\":true"));
  play_started(5);
  play_delta("x");
  play_failed(AL_INTERNAL, nullptr, "lost");
  assert_true(f.exchange.is_ended);
  assert_sent(&f, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"lost\"");
  assert_null(strstr(f.exchange.sent.data, "message_stop"));
  done(&f);
}

/* --- conversations ----------------------------------------------------------------------------------------------- */

static const struct {
  const char *messages;
  const char *seen; /* of the messages after the first one */
} conversations[] = {
  { HI ",{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\"}},"
       "{\"type\":\"text\",\"text\":\"b\"}]}",
    "{\"role\":\"user\",\"content\":\"hi\\na\\nb\"}" },
  { HI ",{\"role\":\"assistant\",\"content\":\"yes\"},{\"role\":\"assistant\",\"content\":\"no\"}," HI,
    "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"yes\\nno\"},"
    "{\"role\":\"user\",\"content\":\"hi\"}" },
  { HI
    ",{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},"
    "{\"type\":\"redacted_thinking\",\"data\":\"x\"},{\"type\":\"text\",\"text\":\"I add.\"},"
    "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"add\",\"input\":{\"a\":1}},"
    "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"sub\",\"input\":{}}]},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t2\",\"content\":[{\"type\":\"text\","
    "\"text\":\"2\"}],\"is_error\":true},{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"1\"},"
    "{\"type\":\"text\",\"text\":\"go on\"}]}",
    "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"reasoning_content\":\"hm\",\"content\":\"I "
    "add.\","
    "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":{\"a\":1}}},"
    "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"sub\",\"arguments\":{}}}]},"
    "{\"role\":\"tool\",\"content\":\"Error: 2\",\"name\":\"sub\",\"tool_call_id\":\"t2\"},"
    "{\"role\":\"tool\",\"content\":\"1\",\"name\":\"add\",\"tool_call_id\":\"t1\"},"
    "{\"role\":\"user\",\"content\":\"go on\"}" },
  { "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"lost\"}]}",
    "{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"lost\"}" },
  { "{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}," HI,
    "{\"role\":\"system\",\"content\":\"a\\nb\"},{\"role\":\"user\",\"content\":\"hi\"}" },
};

static void conversations_take_the_form_of_templates(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(conversations); i++) {
    struct fixture f;
    char body[2048], seen[2048];
    (void)snprintf(body, sizeof body, BODY(",\"messages\":[%s]"), conversations[i].messages);
    (void)snprintf(seen, sizeof seen, "{\"messages\":[%s],\"enable_thinking\":false}", conversations[i].seen);
    post(&f, body);
    if (submitted.count != 1)
      fail_msg("%s: %s", body, f.exchange.sent.data);
    assert_string_equal(submitted.chat, seen);
    play_done(AL_FINISH_STOP, 0);
    done(&f);
  }
}

static void the_system_prompt_may_be_blocks(void **state)
{
  (void)state;
  struct fixture f;
  post(&f, ASK(",\"system\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\",\"cache_control\":"
               "null}]"));
  assert_non_null(strstr(submitted.chat, "{\"role\":\"system\",\"content\":\"a\\nb\"}"));
  play_done(AL_FINISH_STOP, 0);
  done(&f);
  post(&f, ASK(",\"system\":[]"));
  assert_null(strstr(submitted.chat, "system"));
  play_done(AL_FINISH_STOP, 0);
  done(&f);
}

/* --- counting ---------------------------------------------------------------------------------------------------- */

static void tokens_are_counted(void **state)
{
  (void)state;
  struct fixture f;
  send(&f, al_api_anthropic_count,
       "{\"model\":\"tiny\",\"system\":\"s\",\"messages\":[" HI "]" TOOLS ",\"thinking\":{\"type\":\"disabled\"}}");
  assert_int_equal(asked.n_tokens, 1);
  assert_int_equal(asked.tokens.task, AL_TASK_COUNT);
  assert_string_equal(asked.model, "tiny");
  assert_non_null(strstr(asked.chat, "\"tools\":[{"));
  assert_non_null(strstr(asked.chat, "{\"role\":\"system\",\"content\":\"s\"}"));
  asked.tokens.done(asked.tokens.user, &(struct al_token_result){ .tokens = { nullptr, 42 } });
  assert_string_equal(f.exchange.sent.data, "{\"input_tokens\":42}");
  done(&f);

  send(&f, al_api_anthropic_count, "{\"model\":\"tiny\",\"messages\":[" HI "]}");
  struct al_token_result result = {};
  (void)!al_fail(&result.err, AL_LOAD_FAILED, "no");
  asked.tokens.done(asked.tokens.user, &result);
  assert_int_equal(f.exchange.status, 500);
  assert_value(&f, "error.type", "api_error");
  done(&f);

  send(&f, al_api_anthropic_count, "{\"model\":\"tiny\",\"max_tokens\":1,\"messages\":[" HI "]}");
  assert_int_equal(f.exchange.status, 400);
  assert_value(&f, "error.param", "max_tokens");
  done(&f);
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

#define IN_USER(block)      BODY(",\"messages\":[{\"role\":\"user\",\"content\":[" block "]}]")
#define IN_ASSISTANT(block) BODY(",\"messages\":[{\"role\":\"assistant\",\"content\":[" block "]}," HI "]")
#define IMAGE(source)       IN_USER("{\"type\":\"image\",\"source\":" source "}")

static const struct {
  const char *body;
  const char *param;
} refusals[] = {
  { "{\"max_tokens\":1,\"messages\":[" HI "]}", "model" },
  { "{\"model\":\"t\",\"messages\":[" HI "]}", "max_tokens" },
  { BODY(""), "messages" },
  { BODY(",\"messages\":[]"), "messages" },
  { BODY(",\"messages\":[1]"), "messages[0]" },
  { BODY(",\"messages\":[{\"content\":\"x\"}]"), "messages[0].role" },
  { BODY(",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]"), "messages[0].role" },
  { BODY(",\"messages\":[{\"role\":\"user\"}]"), "messages[0].content" },
  { BODY(",\"messages\":[{\"role\":\"user\",\"content\":1}]"), "messages[0].content" },
  { BODY(",\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"name\":\"y\"}]"), "messages[0].name" },
  { BODY(",\"messages\":[" HI ",{\"role\":\"assistant\",\"content\":\"x\"}]"), "messages[1].role" },
  { IN_USER("1"), "messages[0].content[0]" },
  { IN_USER("{}"), "messages[0].content[0].type" },
  { IN_USER("{\"type\":\"text\"}"), "messages[0].content[0].text" },
  { IN_USER("{\"type\":\"text\",\"text\":\"x\",\"y\":1}"), "messages[0].content[0].y" },
  { IN_USER("{\"type\":\"document\"}"), "messages[0].content[0].type" },
  { IN_USER("{\"type\":\"tool_use\"}"), "messages[0].content[0].type" },
  { IN_USER("{\"type\":\"tool_result\"}"), "messages[0].content[0].tool_use_id" },
  { IN_USER("{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":1}"), "messages[0].content[0].content" },
  { IN_USER("{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"is_error\":1}"), "messages[0].content[0].is_error" },
  { IN_USER(
        "{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"url\","
        "\"url\":\"https://example.com/x\"}}]}"),
    "messages[0].content[0].content[0].source" },
  { IMAGE("1"), "messages[0].content[0].source" },
  { IMAGE("{\"type\":\"file\",\"file_id\":\"f\"}"), "messages[0].content[0].source.type" },
  { IMAGE("{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBORw0K\"}"),
    "messages[0].content[0].source.data" },
  { IMAGE("{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"?\"}"), "messages[0].content[0].source.data" },
  { IN_ASSISTANT("{\"type\":\"tool_use\",\"name\":\"a\",\"input\":{}}"), "messages[0].content[0].id" },
  { IN_ASSISTANT("{\"type\":\"tool_use\",\"id\":\"a\",\"input\":{}}"), "messages[0].content[0].name" },
  { IN_ASSISTANT("{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"b\",\"input\":\"{}\"}"),
    "messages[0].content[0].input" },
  { IN_ASSISTANT("{\"type\":\"server_tool_use\"}"), "messages[0].content[0].type" },
  { IN_ASSISTANT("{\"type\":\"thinking\",\"thinking\":1}"), "messages[0].content[0].thinking" },
  { ASK(",\"system\":1"), "system" },
  { ASK(",\"system\":[{\"type\":\"image\"}]"), "system[0].source" },
  { ASK(",\"temperature\":1.5"), "temperature" },
  { ASK(",\"stop_sequences\":\"x\""), "stop_sequences" },
  { ASK(",\"stop_sequences\":[1]"), "stop_sequences[0]" },
  { ASK(",\"stop\":[\"x\"]"), "stop" },
  { ASK(",\"metadata\":{\"x\":\"y\"}"), "metadata.x" },
  { ASK(",\"thinking\":1"), "thinking" },
  { ASK(",\"thinking\":{\"type\":\"some\"}"), "thinking.type" },
  { ASK(",\"thinking\":{\"type\":\"enabled\"}"), "thinking.budget_tokens" },
  { ASK(",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1}"), "thinking.budget_tokens" },
  { ASK(",\"thinking\":{\"type\":\"adaptive\",\"display\":\"x\"}"), "thinking.display" },
  { ASK(",\"thinking\":{\"type\":\"disabled\",\"budget_tokens\":1024}"), "thinking.budget_tokens" },
  { ASK(",\"output_config\":{\"effort\":\"none\"}"), "output_config.effort" },
  { ASK(",\"output_config\":{\"format\":{\"type\":\"text\"}}"), "output_config.format.type" },
  { ASK(",\"output_config\":{\"format\":{\"type\":\"json_schema\"}}"), "output_config.format.schema" },
  { ASK(",\"container\":\"x\""), "container" },
  { ASK(",\"context_management\":1"), "context_management" },
  { ASK(",\"context_management\":{\"edits\":{}}"), "context_management.edits" },
  { ASK(",\"context_management\":{\"edits\":[{\"type\":\"clear_tool_uses_20250919\"}]}"),
    "context_management.edits[0].type" },
  { ASK(",\"context_management\":{\"edits\":[{\"type\":\"clear_thinking_20251015\",\"keep\":{\"type\":\"thinking_"
        "turns\","
        "\"value\":1}}]}"),
    "context_management.edits[0].keep" },
  { ASK(",\"mcp_servers\":[{}]"), "mcp_servers" },
  { ASK(",\"speed\":\"fast\""), "speed" },
  { ASK(",\"tools\":[{\"name\":\"a\"}]"), "tools[0].input_schema" },
  { ASK(",\"tool_choice\":{\"type\":\"any\"}"), "tool_choice" },
  { ASK(",\"unknown\":1"), "unknown" },
};

/* What agents send although it changes nothing. */
static void harmless_parameters_pass(void **state)
{
  (void)state;
  static const char *const bodies[] = {
    ASK(",\"context_management\":{\"edits\":[{\"type\":\"clear_thinking_20251015\",\"keep\":\"all\"}]}"),
    ASK(",\"context_management\":{\"edits\":[]},\"mcp_servers\":[],\"speed\":\"standard\",\"container\":null"),
    ASK(",\"cache_control\":{\"type\":\"ephemeral\"},\"metadata\":{},\"service_tier\":\"standard_only\",\"min_p\":0.1"),
  };
  for (size_t i = 0; i < AL_COUNT(bodies); i++) {
    struct fixture f;
    post(&f, bodies[i]);
    if (submitted.count != 1)
      fail_msg("%s: %s", bodies[i], f.exchange.sent.data);
    play_done(AL_FINISH_STOP, 0);
    done(&f);
  }
}

static void each_wrong_field_is_named(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(refusals); i++) {
    struct fixture f;
    post(&f, refusals[i].body);
    if (f.exchange.status != 400)
      fail_msg("%s: status %d", refusals[i].body, f.exchange.status);
    assert_int_equal(submitted.count, 0);
    assert_value(&f, "type", "error");
    assert_value(&f, "error.type", "invalid_request_error");
    assert_value(&f, "request_id", "req-1");
    if (strcmp(value(&f, "error.param"), refusals[i].param) != 0)
      fail_msg("%s: '%s' was named", refusals[i].body, value(&f, "error.param"));
    done(&f);
  }
}

static void errors_have_their_types(void **state)
{
  (void)state;
  static const struct {
    enum al_code code;
    const char *reason;
    int status;
    const char *type;
  } cases[] = {
    { AL_NOT_FOUND, "model_not_found", 404, "not_found_error" },
    { AL_OOM_RAM, "overloaded", 503, "overloaded_error" },
    { AL_TIMEOUT, nullptr, 504, "timeout_error" },
    { AL_OOM_RAM, nullptr, 507, "api_error" },
    { AL_INVALID_REQUEST, "context_length_exceeded", 400, "invalid_request_error" },
  };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    post(&f, ASK(",\"stream\":true"));
    play_failed(cases[i].code, cases[i].reason, "why");
    assert_int_equal(f.exchange.status, cases[i].status);
    assert_value(&f, "error.type", cases[i].type);
    assert_value(&f, "error.message", "why");
    done(&f);
  }
}

static void memory_may_run_out_at_any_point(void **state)
{
  (void)state;
  al_log_setup(AL_LOG_ERROR, false);
  bool worked = false;
  for (size_t n = 1; !worked; n++) {
    struct fixture f;
    submitted_clear();
    f = (struct fixture){ .api = make_api(nullptr) };
    exchange_init(&f.exchange, conversations[2].messages);
    char body[2048];
    (void)snprintf(body, sizeof body, BODY(TOOLS ",\"system\":\"s\",\"messages\":[%s]"), conversations[2].messages);
    f.exchange.body = al_str(body);
    assert_non_null(al_buf_room(&f.exchange.sent, 65'536));
    (void)al_alloc_fail_at(n);
    al_api_anthropic_messages(&f.exchange, f.api);
    if (submitted.count == 1) {
      play_started(5);
      play_reasoning("hm");
      play_delta("x");
      play_call(0, "add", true, sum);
      play_done(AL_FINISH_TOOL_CALLS, 3);
    }
    worked = al_alloc_fail_at(0) < n;
    assert_int_equal(f.exchange.status, worked ? 200 : 507);
    done(&f);
    assert_true(n < 300);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_whole_message),
    cmocka_unit_test(why_it_stopped),
    cmocka_unit_test(thinking_and_calls_are_blocks),
    cmocka_unit_test(thinking_can_be_hidden),
    cmocka_unit_test(a_schema_is_held_to),
    cmocka_unit_test(a_stream_of_blocks),
    cmocka_unit_test(an_empty_stream),
    cmocka_unit_test(a_stream_that_breaks),
    cmocka_unit_test(conversations_take_the_form_of_templates),
    cmocka_unit_test(the_system_prompt_may_be_blocks),
    cmocka_unit_test(tokens_are_counted),
    cmocka_unit_test(harmless_parameters_pass),
    cmocka_unit_test(each_wrong_field_is_named),
    cmocka_unit_test(errors_have_their_types),
    cmocka_unit_test(memory_may_run_out_at_any_point),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
