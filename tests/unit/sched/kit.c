#include "kit.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

void kit_open(struct kit *kit, int n_ctx, int n_batch, int n_seq_max)
{
  char id[] = "fake", runtime[] = "fake";
  struct al_model_descriptor descriptor = { .id = id, .runtime = runtime, .capabilities = kit->capabilities };
  struct al_load_options options = { .n_ctx = n_ctx, .n_batch = n_batch, .n_seq_max = n_seq_max };
  struct al_err err = {};
  if (kit->ops.decode == nullptr)
    kit->ops = *al_engine_fake.text;
  assert_int_equal(al_engine_fake.load(&descriptor, &options, nullptr, nullptr, &kit->model, &err), AL_OK);
  struct al_scheduler_options scheduler = {
    .ops = &kit->ops,
    .model = kit->model,
    .max_waiting = kit->max_waiting > 0 ? kit->max_waiting : 64,
  };
  assert_int_equal(al_scheduler_start(&scheduler, &kit->scheduler, &err), AL_OK);
}

void kit_close(struct kit *kit)
{
  al_scheduler_free(kit->scheduler);
  al_engine_fake.unload(kit->model);
  *kit = (struct kit){};
}

static void on_admitted(void *user)
{
  struct client *client = user;
  AL_LOCKED(&client->mutex);
  assert_false(client->admitted);
  client->admitted = true;
}

static void see(struct seen *seen, const struct al_generated *token)
{
  *seen = (struct seen){ token->token, token->logprob, .n_top = token->n_top, .is_control = token->is_control };
  for (size_t i = 0; i < token->n_top; i++)
    seen->top[i] = token->top[i];
}

static void on_prompt(void *user, const struct al_generated *token)
{
  struct client *client = user;
  AL_LOCKED(&client->mutex);
  assert_true(client->admitted && client->n_tokens == 0);
  if (client->n_prompt_tokens < MOST_SEEN)
    see(&client->prompt_seen[client->n_prompt_tokens], token);
  client->n_prompt_tokens++;
}

static void on_end_token(void *user, const struct al_generated *token)
{
  struct client *client = user;
  AL_LOCKED(&client->mutex);
  assert_false(client->done);
  see(&client->ended_by, token);
}

static bool on_token(void *user, const struct al_generated *token)
{
  struct client *client = user;
  AL_LOCKED(&client->mutex);
  assert_true(client->admitted);
  assert_false(client->done);
  al_buf_add(&client->text, token->piece.data, token->piece.size);
  if (client->n_tokens < MOST_SEEN)
    see(&client->seen[client->n_tokens], token);
  client->n_tokens++;
  client->holding = client->n_tokens == client->hold_at;
  al_cond_broadcast(&client->changed);
  while (client->holding && !client->released)
    (void)al_cond_wait(&client->changed, &client->mutex, AL_NO_DEADLINE);
  client->holding = false;
  if (client->n_tokens == client->cancel_at)
    al_cancel_fire(client->cancel, AL_CANCELLED);
  return client->n_tokens != client->stop_at;
}

static void on_done(void *user, const struct al_generation_result *result)
{
  struct client *client = user;
  AL_LOCKED(&client->mutex);
  assert_false(client->done);
  client->done = true;
  client->result = *result;
  al_cond_broadcast(&client->changed);
}

static const struct al_generation_sink sink = {
  .admitted = on_admitted,
  .prompt = on_prompt,
  .token = on_token,
  .end_token = on_end_token,
  .done = on_done,
};

void client_init(struct client *client)
{
  *client = (struct client){ .cancel = al_cancel_new(), .ended_by.token = -1 };
  al_mutex_init(&client->mutex);
  al_cond_init(&client->changed);
}

void client_done(struct client *client)
{
  al_cancel_unref(client->cancel);
  al_buf_done(&client->text);
  al_cond_done(&client->changed);
  al_mutex_done(&client->mutex);
}

struct al_generation client_generation(struct client *client, const char *prompt, int64_t max_tokens)
{
  size_t n = strlen(prompt);
  int32_t *tokens = al_alloc(n * sizeof *tokens);
  for (size_t i = 0; tokens != nullptr && i < n; i++)
    tokens[i] = (unsigned char)prompt[i];
  struct al_generation generation = {
    .prompt = tokens,
    .n_prompt = n,
    .sampling = al_sampling_default(),
    .max_tokens = max_tokens,
    .cancel = client->cancel,
    .sink = &sink,
    .user = client,
  };
  generation.sampling.temperature = 0;
  return generation;
}

void client_submit(struct kit *kit, struct client *client, const char *prompt, int64_t max_tokens)
{
  struct al_generation generation = client_generation(client, prompt, max_tokens);
  struct al_err err = {};
  assert_int_equal(al_scheduler_submit(kit->scheduler, &generation, &err), AL_OK);
}

void client_wait(struct client *client)
{
  AL_LOCKED(&client->mutex);
  while (!client->done)
    (void)al_cond_wait(&client->changed, &client->mutex, AL_NO_DEADLINE);
}

void client_wait_held(struct client *client)
{
  AL_LOCKED(&client->mutex);
  while (!client->holding && !client->done)
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

char *kit_alone(const char *prompt, int64_t max_tokens)
{
  struct kit kit = {};
  struct client client;
  kit_open(&kit, 0, 0, 1);
  client_init(&client);
  client_submit(&kit, &client, prompt, max_tokens);
  client_wait(&client);
  char *text = al_strdup(client_text(&client));
  client_done(&client);
  kit_close(&kit);
  return text;
}
