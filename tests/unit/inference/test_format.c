/* Answers of a form: held by a grammar while they come, checked before they are called complete. */
#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "inference/format.h"
#include "kit.h"
#include "text/schema.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":6},\"age\":{\"type\":\"integer\","
    "\"minimum\":3,\"maximum\":99},\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"b\"]},\"maxItems\":2}},"
    "\"required\":[\"name\",\"age\",\"tags\"],\"additionalProperties\":false}";

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  return 0;
}

static struct al_json_doc *parsed(const char *text)
{
  struct al_json_doc *doc = nullptr;
  assert_int_equal(al_json_parse(al_str(text), &doc, nullptr), AL_OK);
  return doc;
}

static void ask(struct al_inference *inference, struct client *client, bool chats, enum al_text_format format)
{
  client_init(client, chats ? "hi" : nullptr);
  if (!chats)
    client->request.prompt = al_str("hi");
  client->request.format = format;
  client->request.max_tokens = 400;
  client->request.sampling.has_seed = true;
  (void)inference;
}

static void run(struct al_inference *inference, struct client *client)
{
  client_submit(inference, client);
  client_wait(client);
}

static void json_comes_valid_at_any_heat(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *schema = parsed(schema_text);
  for (int i = 0; i < 24; i++) {
    struct client client;
    AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *answer = nullptr;
    ask(inference, &client, i % 2 == 0, AL_FORMAT_JSON_SCHEMA);
    client.request.schema = al_json_root(schema);
    client.request.sampling.temperature = (float)(i / 2) / 2;
    client.request.sampling.seed = (uint64_t)i;
    run(inference, &client);
    assert_int_equal(client.last, AL_TEXT_DONE);
    assert_int_equal(client.finish, AL_FINISH_STOP);
    assert_int_equal(al_json_parse(al_str(client_text(&client)), &answer, nullptr), AL_OK);
    assert_int_equal(al_schema_validate(al_json_root(schema), al_json_root(answer), nullptr), AL_OK);
    client_done(&client);
  }
  al_inference_free(inference);
}

static void any_object_will_do(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *answer = nullptr;
  ask(inference, &client, true, AL_FORMAT_JSON_OBJECT);
  run(inference, &client);
  assert_int_equal(client.finish, AL_FINISH_STOP);
  answer = parsed(client_text(&client));
  assert_int_equal(al_json_kind(al_json_root(answer)), AL_JSON_OBJECT);
  client_done(&client);
  al_inference_free(inference);
}

static void reasoning_comes_before_the_form(void **)
{
  struct al_inference *inference = nullptr;
  struct client client;
  al_fake_knobs.chat_template = "{# <think></think> #}{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}\n";
  inference = kit_open(nullptr);
  al_fake_knobs.script = "<think>what do they want?</think>{\"a\":1}";
  ask(inference, &client, true, AL_FORMAT_JSON_OBJECT);
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_string_equal(kit_text(&client.answers[0].reasoning), "what do they want?");
  assert_string_equal(client_text(&client), "{\"a\":1}");
  client_done(&client);
  al_inference_free(inference);
}

static void what_is_cut_is_not_called_complete(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *schema = parsed(schema_text);
  const char *const stops[] = { "\"age\"" };
  struct client client;
  ask(inference, &client, true, AL_FORMAT_JSON_SCHEMA);
  client.request.schema = al_json_root(schema);
  client.request.max_tokens = 4;
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(client.finish, AL_FINISH_LENGTH);
  client_done(&client);
  ask(inference, &client, true,
      AL_FORMAT_JSON_SCHEMA); /* a stop string in the middle: that is not what was asked for */
  client.request.schema = al_json_root(schema);
  client.request.stop = stops;
  client.request.n_stop = 1;
  run(inference, &client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_int_equal(client.err.code, AL_INTERNAL);
  assert_non_null(strstr(client.err.message, "response_format"));
  client_done(&client);
  al_inference_free(inference);
}

static void a_grammar_of_the_users_own(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  for (int i = 0; i < 2; i++) {
    struct client client;
    ask(inference, &client, i == 0, AL_FORMAT_GRAMMAR);
    client.request.grammar = al_str("# colours\nroot ::= (answer \", \"){1,2} \"root\" # not the rule\n"
                                    "answer ::= \"red\" | [b-c] \"lue\"\n");
    run(inference, &client);
    assert_int_equal(client.last, AL_TEXT_DONE);
    assert_int_equal(client.finish, AL_FINISH_STOP);
    assert_true(strstr(client_text(&client), "lue, ") != nullptr || strstr(client_text(&client), "red, ") != nullptr);
    assert_non_null(strstr(client_text(&client), "root"));
    client_done(&client);
  }
  al_inference_free(inference);
}

static void refused(struct al_inference *inference, struct client *client, enum al_code code, const char *param)
{
  run(inference, client);
  assert_int_equal(client->last, AL_TEXT_FAILED);
  assert_int_equal(client->err.code, code);
  assert_string_equal(client->err.param, param);
  client_done(client);
}

static void what_cannot_be_held_is_refused(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *schema =
      parsed("{\"type\":\"object\",\"not\":{\"type\":\"null\"}}");
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *no_schema = parsed("{\"type\":\"colour\"}");
  struct client client;
  struct al_err err = {};
  ask(inference, &client, true, AL_FORMAT_JSON_SCHEMA);
  client.request.schema = al_json_root(schema);
  client.request.format_path = "text.format.schema";
  run(inference, &client);
  if (client.last == AL_TEXT_FAILED)
    assert_memory_equal(client.err.param, "text.format.schema", strlen("text.format.schema"));
  client_done(&client);
  ask(inference, &client, true, AL_FORMAT_JSON_SCHEMA);
  client.request.schema = al_json_root(no_schema);
  client.request.format_path = "text.format.schema";
  run(inference, &client);
  assert_int_equal(client.err.code, AL_INVALID_REQUEST);
  assert_memory_equal(client.err.param, "text.format.schema", strlen("text.format.schema"));
  client_done(&client);
  ask(inference, &client, true, AL_FORMAT_GRAMMAR);
  client.request.grammar = al_str("root ::= ((");
  client.request.format_path = "grammar";
  refused(inference, &client, AL_INVALID_REQUEST, "grammar");
  ask(inference, &client, true, AL_FORMAT_JSON_SCHEMA);
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_INVALID_REQUEST);
  client_done(&client);
  al_inference_free(inference);
}

static void the_check_is_of_its_own(void **)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *schema = parsed(schema_text);
  struct al_err err = {};
  struct al_format format = { .kind = AL_FORMAT_JSON_SCHEMA, .schema = al_json_root(schema) };
  assert_int_equal(al_format_check(&format, al_str("{\"name\":\"x\",\"age\":5,\"tags\":[]}"), &err), AL_OK);
  assert_int_equal(al_format_check(&format, al_str("{\"name\":\"x\",\"age\":2,\"tags\":[]}"), &err), AL_INTERNAL);
  assert_non_null(strstr(err.message, "age"));
  assert_int_equal(al_format_check(&format, al_str("{\"name\":"), &err), AL_INTERNAL);
  format = (struct al_format){ .kind = AL_FORMAT_JSON_OBJECT };
  assert_int_equal(al_format_check(&format, al_str("[]"), &err), AL_INTERNAL);
  assert_int_equal(al_format_check(&format, al_str("{}"), &err), AL_OK);
}

static void rules_are_renamed_and_nothing_else(void **)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  al_gbnf_rename(al_str("root ::= a-b{2,3} | \"a \\\" root\" [^a\\]b] # root\nc_1 ::= root"), "u-", &out);
  assert_string_equal(kit_text(&out), "u-root ::= u-a-b{2,3} | \"a \\\" root\" [^a\\]b] # root\nu-c_1 ::= u-root");
}

static void a_grammar_is_compiled_once(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *schema = parsed(schema_text);
  size_t made[3];
  for (int i = 0; i < 3; i++) {
    ask(inference, &client, false, AL_FORMAT_JSON_SCHEMA);
    client.request.schema = al_json_root(schema);
    client.request.max_tokens = 1;
    (void)al_alloc_fail_at(1'000'000'000);
    run(inference, &client);
    made[i] = al_alloc_fail_at(0);
    client_done(&client);
  }
  assert_true(made[1] < made[0] && made[2] <= made[1]);
  al_inference_free(inference);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(json_comes_valid_at_any_heat, reset),
    cmocka_unit_test_setup(any_object_will_do, reset),
    cmocka_unit_test_setup(reasoning_comes_before_the_form, reset),
    cmocka_unit_test_setup(what_is_cut_is_not_called_complete, reset),
    cmocka_unit_test_setup(a_grammar_of_the_users_own, reset),
    cmocka_unit_test_setup(what_cannot_be_held_is_refused, reset),
    cmocka_unit_test_setup(the_check_is_of_its_own, reset),
    cmocka_unit_test_setup(rules_are_renamed_and_nothing_else, reset),
    cmocka_unit_test_setup(a_grammar_is_compiled_once, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
