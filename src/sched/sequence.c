#include "sched/sequence.h"

#include "base/alloc.h"
#include "base/clock.h"

struct al_sequence *al_sequence_new(const struct al_generation *request)
{
  struct al_sequence *sequence = al_calloc(1, sizeof *sequence);
  if (sequence == nullptr)
    return nullptr;
  sequence->request = *request;
  sequence->tokens = request->prompt;
  sequence->n_tokens = request->n_prompt;
  sequence->capacity = request->n_prompt;
  sequence->slot = -1;
  return sequence;
}

void al_sequence_free(struct al_sequence *sequence)
{
  if (sequence == nullptr)
    return;
  al_sampler_free(sequence->sampler);
  al_free(sequence->tokens);
  al_free(sequence);
}

enum al_code al_sequence_append(struct al_sequence *sequence, int32_t token, struct al_err *err)
{
  void *tokens = sequence->tokens;
  enum al_code code = al_grow(&tokens, &sequence->capacity, sequence->n_tokens + 1, sizeof *sequence->tokens, err);
  sequence->tokens = tokens;
  AL_TRY(code);
  sequence->tokens[sequence->n_tokens++] = token;
  return AL_OK;
}

bool al_sequence_streams(const struct al_sequence *sequence)
{
  return sequence->n_generated > 0 && sequence->n_tokens - sequence->n_past == 1;
}

bool al_sequence_tells_prompt(const struct al_sequence *sequence)
{
  const struct al_generation *request = &sequence->request;
  return request->prompt_logprobs && request->sink->prompt != nullptr && sequence->n_told < request->n_prompt;
}

static double ms_between(int64_t from_ns, int64_t to_ns)
{
  return (double)(to_ns - from_ns) / (double)AL_NS_PER_MS;
}

void al_sequence_result(const struct al_sequence *sequence, struct al_generation_result *result)
{
  int64_t now = al_now_ns();
  bool began = sequence->admitted_ns != 0, spoke = sequence->first_token_ns != 0;
  result->n_prompt = (int)sequence->request.n_prompt;
  result->n_cached = (int)sequence->n_cached;
  result->n_completion = (int)sequence->n_generated;
  result->prompt_ms = began ? ms_between(sequence->admitted_ns, spoke ? sequence->first_token_ns : now) : 0;
  result->predicted_ms = spoke ? ms_between(sequence->first_token_ns, now) : 0;
}

void al_sequence_list_push(struct al_sequence_list *list, struct al_sequence *sequence)
{
  sequence->next = nullptr;
  if (list->last != nullptr)
    list->last->next = sequence;
  else
    list->first = sequence;
  list->last = sequence;
  list->count++;
}

void al_sequence_list_push_front(struct al_sequence_list *list, struct al_sequence *sequence)
{
  sequence->next = list->first;
  list->first = sequence;
  if (list->last == nullptr)
    list->last = sequence;
  list->count++;
}

struct al_sequence *al_sequence_list_pop(struct al_sequence_list *list)
{
  struct al_sequence *first = list->first;
  if (first == nullptr)
    return nullptr;
  list->first = first->next;
  if (list->first == nullptr)
    list->last = nullptr;
  first->next = nullptr;
  list->count--;
  return first;
}

void al_sequence_list_append(struct al_sequence_list *list, struct al_sequence_list *taken)
{
  if (taken->first == nullptr)
    return;
  if (list->last != nullptr)
    list->last->next = taken->first;
  else
    list->first = taken->first;
  list->last = taken->last;
  list->count += taken->count;
  *taken = (struct al_sequence_list){};
}
