/* Adapters by id: loaded once, kept, refused by name. */
#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  return 0;
}

static void with_adapter(struct client *client, const struct al_lora_request *lora, size_t n_lora)
{
  client_init(client, "hello");
  client->request.lora = lora;
  client->request.n_lora = n_lora;
  client->request.max_tokens = 20;
}

static void they_are_loaded_once_and_let_go_with_the_model(void **)
{
  enum { N = 6 };
  static const struct al_lora_request x = { "fake-lora-x", 1 }, both[] = { { "fake-lora-x", 1 }, { "fake-lora-y", 1 } };
  struct al_inference *inference = kit_open(nullptr);
  struct client bare, clients[N];
  al_fake_knobs.script = "hello there";
  with_adapter(&bare, nullptr, 0);
  for (int i = 0; i < N; i++)
    with_adapter(&clients[i], i % 2 == 0 ? &x : both, i % 2 == 0 ? 1 : 2);
  client_submit(inference, &bare);
  for (int i = 0; i < N; i++)
    client_submit(inference, &clients[i]);
  client_wait(&bare);
  assert_string_equal(client_text(&bare), "hello there");
  for (int i = 0; i < N; i++) {
    client_wait(&clients[i]);
    assert_int_equal(clients[i].last, AL_TEXT_DONE);
    assert_string_equal(client_text(&clients[i]), "HELLO THERE");
    client_done(&clients[i]);
  }
  assert_int_equal(al_fake_counts.n_adapters, 2);
  client_done(&bare);
  al_inference_free(inference);
  assert_int_equal(al_fake_counts.n_adapters, 0);
}

static void refused(struct al_inference *inference, const char *id, enum al_code code, const char *words)
{
  struct al_lora_request lora = { id, 1 };
  struct client client;
  with_adapter(&client, &lora, 1);
  client_submit(inference, &client);
  client_wait(&client);
  assert_int_equal(client.last, AL_TEXT_FAILED);
  assert_int_equal(client.err.code, code);
  assert_non_null(strstr(client.err.message, words));
  client_done(&client);
}

static void what_does_not_fit_is_refused(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  refused(inference, "no-such-lora", AL_NOT_FOUND, "no-such-lora");
  refused(inference, "fake", AL_INVALID_REQUEST, "not an adapter");
  refused(inference, "fake-lora-foreign", AL_UNSUPPORTED, "another model");
  refused(inference, "fake-lora-broken", AL_MODEL_CORRUPT, "cut short");
  struct client client;
  struct al_err err = {};
  struct al_lora_request many[33] = {};
  with_adapter(&client, many, 33);
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, "lora");
  client_done(&client);
  al_inference_free(inference);
}

static void there_is_a_most(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  for (int i = 0; i < 33; i++) {
    char id[32];
    struct client client;
    (void)snprintf(id, sizeof id, "fake-lora-%d", i);
    struct al_lora_request lora = { id, 1 };
    with_adapter(&client, &lora, 1);
    client_submit(inference, &client);
    client_wait(&client);
    assert_int_equal(client.err.code, i < 32 ? AL_OK : AL_UNSUPPORTED);
    client_done(&client);
  }
  assert_int_equal(al_fake_counts.n_adapters, 32);
  al_inference_free(inference);
}

static void leaving_while_it_loads(void **)
{
  static const struct al_lora_request x = { "fake-lora-x", 1 };
  struct client client;
  for (int i = 0; i < 20; i++) {
    struct al_inference *inference = kit_open(nullptr);
    with_adapter(&client, &x, 1);
    client_submit(inference, &client);
    if (i % 2 == 0)
      al_cancel_fire(client.request.cancel, AL_CANCELLED);
    al_inference_free(inference);
    assert_true(client.ended);
    client_done(&client);
    assert_int_equal(al_fake_counts.n_adapters, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(they_are_loaded_once_and_let_go_with_the_model, reset),
    cmocka_unit_test_setup(what_does_not_fit_is_refused, reset),
    cmocka_unit_test_setup(there_is_a_most, reset),
    cmocka_unit_test_setup(leaving_while_it_loads, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
