#include "kit.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

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

static void note_tokens(struct answer *answer, const struct al_text_event *event)
{
  for (size_t i = 0; i < event->n_tokens; i++) {
    const struct al_text_token *token = &event->tokens[i];
    al_buf_add(&answer->tokens, token->chosen.bytes.data, token->chosen.bytes.size);
    answer->n_tokens++;
    answer->n_top = token->n_top;
    if (token->chosen.logprob < answer->least_logprob)
      answer->least_logprob = token->chosen.logprob;
  }
}

static void note_call(struct answer *answer, const struct al_text_event *event)
{
  assert_true(event->call >= 0 && event->call < MOST_CALLS);
  struct call *call = &answer->calls[event->call];
  assert_false(call->ended);
  if (event->kind == AL_TEXT_CALL_BEGIN) {
    assert_int_equal(event->call, answer->n_calls++);
    (void)snprintf(call->name, sizeof call->name, "%.*s", (int)event->text.size, event->text.data);
  } else if (event->kind == AL_TEXT_CALL_DELTA) {
    al_buf_add(&call->arguments, event->text.data, event->text.size);
  } else {
    call->ended = true;
    call->complete = event->is_complete;
  }
}

static void note_choice(struct answer *answer, const struct al_text_event *event)
{
  answer->done = true;
  answer->finish = event->finish;
  answer->usage = event->usage;
  (void)snprintf(answer->stop, sizeof answer->stop, "%s", event->stop != nullptr ? event->stop : "");
}

static void note_prompt(struct client *client, const struct al_text_event *event)
{
  client->n_prompts++;
  al_buf_add(&client->prompt_text, event->text.data, event->text.size);
  for (size_t i = 0; i < event->n_tokens; i++)
    al_buf_add(&client->prompt_tokens, event->tokens[i].chosen.bytes.data, event->tokens[i].chosen.bytes.size);
  client->n_prompt_tokens = (int)event->n_tokens;
}

static void note(struct client *client, const struct al_text_event *event)
{
  assert_true(event->choice >= 0 && event->choice < MOST_CHOICES);
  struct answer *answer = &client->answers[event->choice];
  if (event->kind != AL_TEXT_PROMPT)
    note_tokens(answer, event);
  assert_true(!answer->done || event->kind >= AL_TEXT_DONE);
  switch (event->kind) {
  case AL_TEXT_STARTED:
    client->n_started++;
    client->n_prompt = event->usage.n_prompt;
    break;
  case AL_TEXT_PROMPT:
    assert_int_equal(client->n_deltas, 0);
    note_prompt(client, event);
    break;
  case AL_TEXT_DELTA:
    assert_true(event->text.size > 0 || event->n_tokens > 0);
    client->n_deltas++;
    al_buf_add(&answer->text, event->text.data, event->text.size);
    if (event->choice == 0)
      al_buf_add(&client->text, event->text.data, event->text.size);
    break;
  case AL_TEXT_REASONING:
    assert_true(event->text.size > 0);
    al_buf_add(&answer->reasoning, event->text.data, event->text.size);
    break;
  case AL_TEXT_CALL_BEGIN:
  case AL_TEXT_CALL_DELTA:
  case AL_TEXT_CALL_END: note_call(answer, event); break;
  case AL_TEXT_CHOICE_DONE:
    client->n_choices_done++;
    note_choice(answer, event);
    break;
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
  al_buf_done(&client->prompt_text);
  al_buf_done(&client->prompt_tokens);
  for (int i = 0; i < MOST_CHOICES; i++) {
    al_buf_done(&client->answers[i].text);
    al_buf_done(&client->answers[i].reasoning);
    al_buf_done(&client->answers[i].tokens);
    for (int j = 0; j < MOST_CALLS; j++)
      al_buf_done(&client->answers[i].calls[j].arguments);
  }
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

const char *kit_text(const struct al_buf *buf)
{
  return buf->data != nullptr ? buf->data : "";
}

const char *client_text(const struct client *client)
{
  return kit_text(&client->text);
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

void kit_wait_inactive(struct al_inference *inference)
{
  while (al_inference_n_active(inference) > 0) /* the last event has come, its thread is on its way out */
    (void)usleep(200);
}

void kit_load_now(struct al_inference *inference, const char *model)
{
  struct done done;
  done_init(&done);
  assert_int_equal(al_inference_load(inference, model, done_call, &done, nullptr), AL_OK);
  done_wait(&done);
  assert_int_equal(done.err.code, AL_OK);
}
