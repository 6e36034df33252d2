#include "kit.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

static const struct al_engine *const engines[] = { &al_engine_fake };

struct al_inference *kit_open(const struct al_inference_options *base)
{
  struct al_inference_options options = base != nullptr ? *base : (struct al_inference_options){};
  options.registry = (struct al_engine_registry){ engines, AL_COUNT(engines) };
  struct al_inference *inference = nullptr;
  struct al_err err = {};
  assert_int_equal(al_inference_new(&options, &inference, &err), AL_OK);
  return inference;
}

static void note(struct client *client, const struct al_text_event *event)
{
  switch (event->kind) {
  case AL_TEXT_STARTED:
    client->n_started++;
    client->n_prompt = event->usage.n_prompt;
    break;
  case AL_TEXT_DELTA:
    assert_true(event->text.size > 0 || event->n_tokens > 0);
    client->n_deltas++;
    al_buf_add(&client->text, event->text.data, event->text.size);
    break;
  case AL_TEXT_PROMPT:
  case AL_TEXT_REASONING:
  case AL_TEXT_CALL_BEGIN:
  case AL_TEXT_CALL_DELTA:
  case AL_TEXT_CALL_END: break;
  case AL_TEXT_CHOICE_DONE: client->n_choices_done++; break;
  case AL_TEXT_FAILED:
    client->err = *event->err;
    client->ended = true;
    break;
  case AL_TEXT_DONE:
    client->finish = event->finish;
    (void)snprintf(client->stop, sizeof client->stop, "%s", event->stop != nullptr ? event->stop : "");
    client->ended = true;
    break;
  }
}

static void on_event(void *user, const struct al_text_event *event)
{
  struct client *client = user;
  AL_LOCKED(&client->mutex);
  assert_false(client->ended);
  client->last = event->kind;
  client->usage = event->usage;
  note(client, event);
  client->holding = client->hold && !client->released && event->kind == AL_TEXT_DELTA;
  al_cond_broadcast(&client->changed);
  while (client->holding && !client->released)
    (void)al_cond_wait(&client->changed, &client->mutex, AL_NO_DEADLINE);
  client->holding = false;
}

static void init(struct client *client)
{
  *client = (struct client){
    .request = {
      .model = "fake",
      .sampling = al_sampling_default(),
      .cancel = al_cancel_new(),
      .on_event = on_event,
      .user = client,
    },
  };
  client->request.sampling.temperature = 0;
  al_mutex_init(&client->mutex);
  al_cond_init(&client->changed);
}

void client_init_chat(struct client *client, const char *chat_json)
{
  init(client);
  assert_int_equal(al_json_parse(al_str(chat_json), &client->chat, nullptr), AL_OK);
  client->request.chat = al_json_root(client->chat);
}

void client_init(struct client *client, const char *message)
{
  char json[4096];
  (void)snprintf(json, sizeof json, "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", message);
  if (message != nullptr)
    client_init_chat(client, json);
  else
    init(client);
}

void client_done(struct client *client)
{
  al_cancel_unref(client->request.cancel);
  al_json_doc_free(client->chat);
  al_buf_done(&client->text);
  al_cond_done(&client->changed);
  al_mutex_done(&client->mutex);
}

void client_submit(struct al_inference *inference, struct client *client)
{
  struct al_err err = {};
  enum al_code code = al_inference_text(inference, &client->request, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
}

void client_wait(struct client *client)
{
  AL_LOCKED(&client->mutex);
  while (!client->ended)
    (void)al_cond_wait(&client->changed, &client->mutex, AL_NO_DEADLINE);
}

void client_wait_held(struct client *client)
{
  AL_LOCKED(&client->mutex);
  while (!client->holding && !client->ended)
    (void)al_cond_wait(&client->changed, &client->mutex, AL_NO_DEADLINE);
}

void client_release(struct client *client)
{
  AL_LOCKED(&client->mutex);
  client->released = true;
  al_cond_broadcast(&client->changed);
}

const char *client_text(const struct client *client)
{
  return client->text.data != nullptr ? client->text.data : "";
}

void done_init(struct done *done)
{
  *done = (struct done){};
  al_mutex_init(&done->mutex);
  al_cond_init(&done->changed);
}

void done_call(void *user, const struct al_err *err)
{
  struct done *done = user;
  AL_LOCKED(&done->mutex);
  assert_false(done->called);
  done->called = true;
  done->err = *err;
  al_cond_broadcast(&done->changed);
}

void done_wait(struct done *done)
{
  {
    AL_LOCKED(&done->mutex);
    while (!done->called)
      (void)al_cond_wait(&done->changed, &done->mutex, AL_NO_DEADLINE);
  }
  al_cond_done(&done->changed);
  al_mutex_done(&done->mutex);
}
