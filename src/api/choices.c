#include "api/choices.h"

#include "api/logprobs.h"
#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>

constexpr size_t ANSWER_CAP = (size_t)64 << 20;

enum al_code al_api_choices_new(struct al_api_generation *generation, struct al_err *err)
{
  size_t count = generation->params.n > 1 ? (size_t)generation->params.n : 1;
  generation->choices = al_arena_array(generation->arena, count, sizeof *generation->choices);
  if (generation->choices == nullptr)
    return al_fail_oom(err, count * sizeof *generation->choices);
  generation->n_choices = count;
  for (size_t i = 0; i < count; i++) {
    al_buf_init(&generation->choices[i].text, ANSWER_CAP);
    al_buf_init(&generation->choices[i].reasoning, ANSWER_CAP);
    al_buf_init(&generation->choices[i].logprobs, ANSWER_CAP);
  }
  return AL_OK;
}

static void choice_done(struct al_api_choice *choice)
{
  for (size_t i = 0; i < choice->n_calls; i++)
    al_buf_done(&choice->calls[i].arguments);
  al_free(choice->calls);
  al_buf_done(&choice->text);
  al_buf_done(&choice->reasoning);
  al_buf_done(&choice->logprobs);
}

void al_api_choices_done(struct al_api_generation *generation)
{
  for (size_t i = 0; i < generation->n_choices; i++)
    choice_done(&generation->choices[i]);
}

static bool add(struct al_buf *buf, struct al_str text)
{
  al_buf_add(buf, text.data, text.size);
  return !buf->failed;
}

/* An echoed prompt stands before every answer to it. */
static bool add_to_all(struct al_api_generation *generation, struct al_str text)
{
  for (size_t i = 0; i < generation->n_choices; i++)
    if (!add(&generation->choices[i].text, text))
      return false;
  generation->n_echoed += text.size;
  return true;
}

static bool begin_call(struct al_api_generation *generation, struct al_api_choice *choice, struct al_str name)
{
  if (al_grow((void **)&choice->calls, &choice->calls_capacity, choice->n_calls + 1, sizeof *choice->calls, nullptr) !=
      AL_OK)
    return false;
  struct al_api_call *call = &choice->calls[choice->n_calls];
  *call = (struct al_api_call){ .name = al_arena_strndup(generation->arena, name.data, name.size) };
  if (call->name == nullptr)
    return false;
  const char *prefix = generation->ops->call_prefix;
  al_api_make_id(call->id, sizeof call->id, prefix != nullptr ? prefix : "call_");
  al_buf_init(&call->arguments, ANSWER_CAP);
  choice->n_calls++;
  return true;
}

static bool end_choice(struct al_api_generation *generation, struct al_api_choice *choice,
                       const struct al_text_event *event)
{
  choice->finish = event->finish;
  choice->is_done = true;
  if (choice == &generation->choices[0])
    generation->finish = event->finish;
  if (event->stop == nullptr)
    return true;
  choice->stop = al_arena_strndup(generation->arena, event->stop, strlen(event->stop));
  return choice->stop != nullptr;
}

static bool take_tokens(struct al_api_generation *generation, const struct al_text_event *event)
{
  struct al_api_choice *choice = &generation->choices[event->choice];
  if (generation->ops->take_tokens != nullptr)
    generation->ops->take_tokens(generation, event);
  else if (event->kind == AL_TEXT_DELTA)
    al_api_logprobs_append(&choice->logprobs, event->tokens, event->n_tokens);
  return !choice->logprobs.failed;
}

static bool take(struct al_api_generation *generation, struct al_api_choice *choice, const struct al_text_event *event,
                 bool gathers)
{
  switch (event->kind) {
  case AL_TEXT_DELTA: return !gathers || add(&choice->text, event->text);
  case AL_TEXT_REASONING: return !gathers || add(&choice->reasoning, event->text);
  case AL_TEXT_CALL_BEGIN: return begin_call(generation, choice, event->text);
  case AL_TEXT_CALL_DELTA:
    assert(event->call >= 0 && (size_t)event->call < choice->n_calls);
    return !gathers || add(&choice->calls[event->call].arguments, event->text);
  case AL_TEXT_CALL_END:
    assert(event->call >= 0 && (size_t)event->call < choice->n_calls);
    choice->calls[event->call].is_complete = event->is_complete;
    return true;
  case AL_TEXT_CHOICE_DONE: return end_choice(generation, choice, event);
  case AL_TEXT_PROMPT: return !gathers || add_to_all(generation, event->text);
  case AL_TEXT_STARTED:
  case AL_TEXT_DONE:
  case AL_TEXT_FAILED: break;
  }
  return true;
}

bool al_api_choices_take(struct al_api_generation *generation, const struct al_text_event *event, bool gathers)
{
  assert(event->choice >= 0 && (size_t)event->choice < generation->n_choices);
  if (!take(generation, &generation->choices[event->choice], event, gathers))
    return false;
  return !gathers || event->n_tokens == 0 || take_tokens(generation, event);
}
