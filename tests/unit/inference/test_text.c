#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { N = 16 };

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  return 0;
}

static void a_chat_is_answered(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = "Grüße, 世界!";
  client_init(&client, "hello");
  client_submit(inference, &client);
  client_wait(&client);
  assert_string_equal(client_text(&client), "Grüße, 世界!");
  assert_int_equal(client.last, AL_TEXT_DONE);
  assert_int_equal(client.finish, AL_FINISH_STOP);
  assert_int_equal(client.n_started, 1);
  assert_int_equal(client.n_deltas, 10); /* one for each character, whatever its bytes */
  /* <|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n */
  assert_int_equal(client.n_prompt, 1 + 5 + 5 + 1 + 1 + 1 + 10);
  assert_int_equal(client.usage.n_prompt, client.n_prompt);
  assert_int_equal(client.usage.n_completion, (int)strlen("Grüße, 世界!") + 1);
  client_done(&client);
  al_inference_free(inference);
}

static void a_plain_prompt_is_continued(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client, with_bos;
  al_fake_knobs.script = "once upon a time";
  al_fake_knobs.add_bos = true;
  client_init(&client, nullptr);
  client_init(&with_bos, nullptr);
  client.request.prompt = al_str("once upon");
  with_bos.request.prompt = al_str("<|bos|>once upon");
  client_submit(inference, &client);
  client_submit(inference, &with_bos);
  client_wait(&client);
  client_wait(&with_bos);
  assert_string_equal(client_text(&client), " a time");
  assert_int_equal(client.n_prompt, 10);
  assert_int_equal(with_bos.n_prompt, 10); /* not a second one */
  client_done(&client);
  client_done(&with_bos);
  al_inference_free(inference);
}

static void stop_strings_end_it_and_do_not_leave(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  const char *const stops[] = { "never", "lo wo" }; /* five tokens long */
  al_fake_knobs.script = "hello world";
  client_init(&client, "hi");
  client.request.stop = stops;
  client.request.n_stop = 2;
  client_submit(inference, &client);
  client_wait(&client);
  assert_string_equal(client_text(&client), "hel");
  assert_int_equal(client.finish, AL_FINISH_STOP);
  assert_string_equal(client.stop, "lo wo");
  client_done(&client);
  al_inference_free(inference);
}

static void half_a_stop_string_leaves_at_the_end(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  const char *const stops[] = { "world peace" };
  al_fake_knobs.script = "hello world";
  client_init(&client, "hi");
  client.request.stop = stops;
  client.request.n_stop = 1;
  client_submit(inference, &client);
  client_wait(&client);
  assert_string_equal(client_text(&client), "hello world");
  assert_string_equal(client.stop, "");
  client_done(&client);
  al_inference_free(inference);
}

static void max_tokens_ends_with_length(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  al_fake_knobs.script = "hello world";
  client_init(&client, "hi");
  client.request.max_tokens = 5;
  client_submit(inference, &client);
  client_wait(&client);
  assert_string_equal(client_text(&client), "hello");
  assert_int_equal(client.finish, AL_FINISH_LENGTH);
  assert_int_equal(client.usage.n_completion, 5);
  client_done(&client);
  al_inference_free(inference);
}

static void sixteen_streams_say_what_each_says_alone(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client alone, clients[N];
  al_fake_knobs.decode_ns = 50'000;
  for (int i = 0; i < N; i++) {
    char message[32];
    (void)snprintf(message, sizeof message, "question %d", i);
    client_init(&clients[i], message);
    client_submit(inference, &clients[i]);
  }
  for (int i = 0; i < N; i++)
    client_wait(&clients[i]);
  assert_true(al_fake_counts.most_sequences_in_a_decode > 4);
  for (int i = 0; i < N; i++) {
    char message[32];
    (void)snprintf(message, sizeof message, "question %d", i);
    client_init(&alone, message);
    client_submit(inference, &alone);
    client_wait(&alone);
    assert_string_equal(client_text(&alone), client_text(&clients[i]));
    client_done(&alone);
    client_done(&clients[i]);
  }
  al_inference_free(inference);
}

static void too_long_is_refused_with_both_counts(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .load.n_ctx = 40 });
  struct client client;
  client_init(&client, "this is a message of some length");
  client_submit(inference, &client);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_int_equal(client.n_started, 0);
  assert_int_equal(client.err.code, AL_INVALID_REQUEST);
  assert_string_equal(client.err.reason, "context_length_exceeded");
  assert_non_null(strstr(client.err.message, "51 tokens"));
  assert_non_null(strstr(client.err.message, "40 tokens"));
  client_done(&client);
  al_inference_free(inference);
}

static const char long_chat[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"be kind\"},"
    "{\"role\":\"user\",\"content\":\"first question\"},{\"role\":\"assistant\",\"content\":\"first answer\"},"
    "{\"role\":\"user\",\"content\":\"second question\"},{\"role\":\"assistant\",\"content\":\"second answer\"},"
    "{\"role\":\"user\",\"content\":\"third\"}]}";

static void truncation_drops_the_oldest_turns(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .load.n_ctx = 120 });
  struct client client;
  client_init_chat(&client, long_chat);
  client.request.truncate_prompt = true;
  client.request.max_tokens = 4;
  client_submit(inference, &client);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_DONE);
  /* system, the second pair and the third: 17 + 23 + 26 + 13 + 11 tokens */
  assert_int_equal(client.n_prompt, 17 + 23 + 26 + 13 + 11);
  client_done(&client);
  al_inference_free(inference);
}

static void what_cannot_be_cut_is_refused(void **)
{
  struct al_inference *inference = kit_open(&(struct al_inference_options){ .load.n_ctx = 30 });
  struct client client;
  client_init_chat(&client, long_chat);
  client.request.truncate_prompt = true;
  client_submit(inference, &client);
  client_wait(&client);
  assert_string_equal(client.err.reason, "context_length_exceeded");
  client_done(&client);
  al_inference_free(inference);
}

static void same_seed_same_text(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client clients[3];
  for (int i = 0; i < 3; i++) {
    client_init(&clients[i], "tell me");
    clients[i].request.sampling.temperature = 1;
    clients[i].request.sampling.has_seed = true;
    clients[i].request.sampling.seed = i < 2 ? 1 : 2;
    clients[i].request.max_tokens = 40;
    clients[i].request.ignore_eos = true;
    client_submit(inference, &clients[i]);
  }
  for (int i = 0; i < 3; i++)
    client_wait(&clients[i]);
  assert_int_equal(strlen(client_text(&clients[0])), 40);
  assert_string_equal(client_text(&clients[0]), client_text(&clients[1]));
  assert_string_not_equal(client_text(&clients[0]), client_text(&clients[2]));
  for (int i = 0; i < 3; i++)
    client_done(&clients[i]);
  al_inference_free(inference);
}

static void a_bad_template_fails_chats_but_not_prompts(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client chat, prompt;
  al_fake_knobs.chat_template = "{% oh no %}";
  al_fake_knobs.script = "abc";
  client_init(&chat, "hi");
  client_init(&prompt, nullptr);
  prompt.request.prompt = al_str("a");
  client_submit(inference, &chat);
  client_submit(inference, &prompt);
  client_wait(&chat);
  client_wait(&prompt);
  assert_int_equal(chat.last, AL_TEXT_FAILED);
  assert_int_equal(chat.err.code, AL_UNSUPPORTED);
  assert_string_equal(client_text(&prompt), "bc");
  client_done(&chat);
  client_done(&prompt);
  al_inference_free(inference);
}

static void an_empty_prompt_is_refused(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  client_init(&client, nullptr);
  client_submit(inference, &client);
  client_wait(&client);
  assert_int_equal(client.err.code, AL_INVALID_REQUEST);
  client_done(&client);
  al_inference_free(inference);
}

static void every_allocation_may_fail(void **)
{
  for (size_t n = 1; n < 300; n++) {
    struct al_inference *inference = kit_open(nullptr);
    struct client client;
    struct al_err err = {};
    client_init(&client, "hello");
    client.request.max_tokens = 3;
    (void)al_alloc_fail_at(n);
    enum al_code code = al_inference_text(inference, &client.request, &err);
    if (code == AL_OK)
      client_wait(&client);
    size_t made = al_alloc_fail_at(0);
    if (made < n)
      assert_int_equal(client.last, AL_TEXT_DONE);
    if (code != AL_OK)
      assert_int_equal(code, AL_OOM_RAM);
    else if (client.last == AL_TEXT_FAILED && client.err.code != AL_OOM_RAM &&
             strstr(client.err.message, "the template writes") == nullptr) /* how the renderer sees a full buffer */
      fail_msg("allocation %zu: %s %s", n, al_code_name(client.err.code), client.err.message);
    al_inference_free(inference);
    client_done(&client);
    if (made < n)
      return;
  }
  fail_msg("a request made more than 300 allocations");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_chat_is_answered, reset),
    cmocka_unit_test_setup(a_plain_prompt_is_continued, reset),
    cmocka_unit_test_setup(stop_strings_end_it_and_do_not_leave, reset),
    cmocka_unit_test_setup(half_a_stop_string_leaves_at_the_end, reset),
    cmocka_unit_test_setup(max_tokens_ends_with_length, reset),
    cmocka_unit_test_setup(sixteen_streams_say_what_each_says_alone, reset),
    cmocka_unit_test_setup(too_long_is_refused_with_both_counts, reset),
    cmocka_unit_test_setup(truncation_drops_the_oldest_turns, reset),
    cmocka_unit_test_setup(what_cannot_be_cut_is_refused, reset),
    cmocka_unit_test_setup(same_seed_same_text, reset),
    cmocka_unit_test_setup(a_bad_template_fails_chats_but_not_prompts, reset),
    cmocka_unit_test_setup(an_empty_prompt_is_refused, reset),
    cmocka_unit_test_setup(every_allocation_may_fail, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
