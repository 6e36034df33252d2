#include "inference/generation.h"

#include "base/alloc.h"
#include "inference/pieces.h"

static bool tells_prompt(const struct al_text_job *job)
{
  return job->request.prompt_logprobs && job->request.logprobs > 0;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void finish(struct al_text_job *job, const struct al_text_event *event)
{
  struct al_task_runner *runner = job->task.runner;
  al_task_release(&job->task, &(struct al_pool_use){ .n_prompt = event->usage.n_prompt,
                                                     .n_completion = event->usage.n_completion });
  job->request.on_event(job->request.user, event);
  al_text_job_free(job);
  al_task_done(runner);
}

/* A client that left gets DONE with what it used; everything else is a failure. */
static void finish_failed(struct al_text_job *job, const struct al_err *err, struct al_text_event *event)
{
  bool left = err->code == AL_CANCELLED && !al_streq(err->reason, "shutting_down");
  event->kind = left ? AL_TEXT_DONE : AL_TEXT_FAILED;
  event->finish = left ? AL_FINISH_CANCELLED : AL_FINISH_ERROR;
  event->err = left ? nullptr : err;
  finish(job, event);
}

static void finish_all(struct al_text_job *job)
{
  const struct al_text_choice *last = &job->choices[job->n_choices - 1];
  struct al_text_event event = {
    .kind = AL_TEXT_DONE,
    .choice = last->index,
    .finish = last->finish,
    .stop = last->output != nullptr ? al_output_stop(last->output) : nullptr,
    .prompt_ms = job->choices[0].prompt_ms,
  };
  event.usage.n_prompt = (int)job->prompt.tokens.count;
  event.usage.n_cached = job->choices[0].usage.n_cached;
  for (int i = 0; i < job->n_choices; i++) {
    const struct al_text_choice *choice = &job->choices[i];
    event.usage.n_completion += choice->usage.n_completion;
    event.usage.n_reasoning += choice->usage.n_reasoning;
    event.predicted_ms = choice->predicted_ms > event.predicted_ms ? choice->predicted_ms : event.predicted_ms;
  }
  struct al_err err = job->err;
  if (err.code != AL_OK)
    finish_failed(job, &err, &event);
  else
    finish(job, &event);
}

/* So many of the choices, or the submitter, have nothing more to do with the job. */
static void leave(struct al_text_job *job, int count)
{
  if (count > 0 && atomic_fetch_sub(&job->n_left, count) == count)
    finish_all(job);
}

/* The first failure counts; the other choices stop at their next token. */
static void note_failure(struct al_text_job *job, const struct al_err *err)
{
  AL_LOCKED(&job->mutex);
  if (job->err.code == AL_OK)
    job->err = *err;
  atomic_store(&job->failing, true);
}

/* --- the scheduler's side --------------------------------------------------------------------------------------- */

static void submit_rest(struct al_text_job *job);

static void on_admitted(void *user)
{
  struct al_text_choice *choice = user;
  al_task_started(&choice->job->task);
}

/* Not the text of control tokens in a prompt that came as text. */
static void send_prompt(struct al_text_job *job)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  const struct al_text_request *request = &job->request;
  bool is_text = job->chat == nullptr && request->tokens.count == 0 && request->suffix.data == nullptr;
  const struct al_loaded *loaded = al_pool_loaded(job->task.lease);
  for (size_t i = 0; !is_text && i < job->prompt.tokens.count; i++)
    (void)al_piece_add(loaded, job->prompt.tokens.ids[i], &text);
  job->prompt_told = true;
  al_output_send_prompt(job->choices[0].output, is_text ? request->prompt : al_buf_view(&text));
}

static void on_prompt(void *user, const struct al_generated *token)
{
  struct al_text_choice *choice = user;
  al_output_prompt_token(choice->output, token);
}

/* All of the prompt's tokens are in. */
static void prompt_is_over(struct al_text_choice *choice)
{
  struct al_text_job *job = choice->job;
  if (choice->index > 0 || job->prompt_told)
    return;
  send_prompt(job);
  submit_rest(job);
}

static bool on_token(void *user, const struct al_generated *token)
{
  struct al_text_choice *choice = user;
  prompt_is_over(choice);
  return !atomic_load(&choice->job->failing) && al_output_token(choice->output, token);
}

static void on_end_token(void *user, const struct al_generated *token)
{
  struct al_text_choice *choice = user;
  prompt_is_over(choice);
  choice->ended_itself = true;
  al_output_end_token(choice->output, token);
}

/* Is what came what was asked for? What was cut short does not claim to be. */
static enum al_code check_answer(const struct al_text_choice *choice, struct al_err *err)
{
  const struct al_output *output = choice->output;
  if (choice->finish != AL_FINISH_STOP)
    return AL_OK;
  if (choice->hold != nullptr && !choice->ended_itself && al_output_stop(output) == nullptr &&
      !al_output_has_all_calls(output) && !al_hold_may_end(choice->hold))
    return al_fail(err, AL_INTERNAL, "the grammar left no token of the model to go on with");
  return al_format_check(&choice->job->format, al_output_answer(output), err);
}

static enum al_finish finish_of(const struct al_text_choice *choice, const struct al_generation_result *result)
{
  if (result->end == AL_END_LENGTH)
    return AL_FINISH_LENGTH;
  return al_output_n_calls(choice->output) > 0 ? AL_FINISH_TOOL_CALLS : AL_FINISH_STOP;
}

static enum al_code end_choice(struct al_text_choice *choice, const struct al_generation_result *result,
                               struct al_err *err)
{
  if (result->end == AL_END_FAILED) {
    *err = result->err;
    return err->code;
  }
  prompt_is_over(choice);
  if (atomic_load(&choice->job->failing)) /* another one has failed, and the request with it */
    return AL_OK;
  enum al_code code = al_output_finish(choice->output, err);
  choice->finish = finish_of(choice, result);
  choice->usage.n_reasoning = al_output_n_reasoning(choice->output);
  return code == AL_OK ? check_answer(choice, err) : code;
}

static void send_choice_done(struct al_text_choice *choice)
{
  struct al_text_job *job = choice->job;
  struct al_text_event event = {
    .kind = AL_TEXT_CHOICE_DONE,
    .choice = choice->index,
    .finish = choice->finish,
    .stop = al_output_stop(choice->output),
    .usage = choice->usage,
  };
  job->request.on_event(job->request.user, &event);
}

static void on_done(void *user, const struct al_generation_result *result)
{
  struct al_text_choice *choice = user;
  struct al_text_job *job = choice->job;
  choice->usage = (struct al_usage){
    .n_prompt = result->n_prompt,
    .n_cached = result->n_cached,
    .n_completion = result->n_completion,
  };
  choice->prompt_ms = result->prompt_ms;
  choice->predicted_ms = result->predicted_ms;
  struct al_err err = {};
  if (end_choice(choice, result, &err) != AL_OK)
    note_failure(job, &err);
  else if (!atomic_load(&job->failing))
    send_choice_done(choice);
  int n_never = choice->index == 0 && !job->prompt_told ? job->n_choices - 1 : 0; /* they waited for its prompt */
  leave(job, 1 + n_never);
}

static const struct al_generation_sink sink = {
  .admitted = on_admitted,
  .prompt = on_prompt,
  .token = on_token,
  .end_token = on_end_token,
  .done = on_done,
};

/* --- submitting ------------------------------------------------------------------------------------------------- */

static enum al_code submit(struct al_text_choice *choice, struct al_err *err)
{
  struct al_text_job *job = choice->job;
  const struct al_tokens *tokens = &job->prompt.tokens;
  struct al_generation generation = {
    .prompt = al_alloc(tokens->count * sizeof *tokens->ids),
    .n_prompt = tokens->count,
    .sampling = job->sampling,
    .max_tokens = job->request.max_tokens,
    .ignore_eos = job->request.ignore_eos,
    .logprobs = job->request.logprobs,
    .prompt_logprobs = tells_prompt(job) && choice->index == 0,
    .constraint = al_hold_constraint(choice->hold),
    .adapters = job->uses,
    .n_adapters = job->request.n_lora,
    .cancel = job->request.cancel,
    .sink = &sink,
    .user = choice,
  };
  if (generation.prompt == nullptr)
    return al_fail_oom(err, tokens->count * sizeof *tokens->ids);
  memcpy(generation.prompt, tokens->ids, tokens->count * sizeof *tokens->ids);
  generation.sampling.seed += (uint64_t)choice->index;
  enum al_code code = al_scheduler_submit(al_pool_loaded(job->task.lease)->scheduler, &generation, err);
  if (code != AL_OK)
    al_free(generation.prompt);
  return code;
}

/* Choices [from, to); those that cannot be submitted fail the request. */
static void submit_range(struct al_text_job *job, int from, int to)
{
  struct al_err err = {};
  for (int i = from; i < to; i++) {
    if (submit(&job->choices[i], &err) == AL_OK)
      continue;
    note_failure(job, &err);
    leave(job, to - i);
    return;
  }
}

static void submit_rest(struct al_text_job *job)
{
  if (tells_prompt(job))
    submit_range(job, 1, job->n_choices);
}

static void send_started(struct al_text_job *job)
{
  struct al_text_event event = {
    .kind = AL_TEXT_STARTED,
    .usage.n_prompt = (int)job->prompt.tokens.count,
    .sampling = &job->sampling,
  };
  job->request.on_event(job->request.user, &event);
}

/* From here on the scheduler owns the job, or it has failed. The others wait until the first one has told the prompt.
 */
static void schedule(struct al_text_job *job)
{
  bool waits = tells_prompt(job);
  atomic_store(&job->n_left, job->n_choices + 1);
  send_started(job);
  if (job->request.prompt_logprobs && !waits)
    send_prompt(job);
  job->prompt_told = !waits;
  struct al_err err = {};
  if (submit(&job->choices[0], &err) != AL_OK) {
    note_failure(job, &err);
    leave(job, job->n_choices + 1);
    return;
  }
  if (!waits)
    submit_range(job, 1, job->n_choices);
  leave(job, 1);
}

static void fail(struct al_task *task, const struct al_err *err)
{
  finish_failed((struct al_text_job *)task, err, &(struct al_text_event){});
}

static void prepare(struct al_task *task)
{
  struct al_text_job *job = (struct al_text_job *)task;
  struct al_err err = {};
  bool waits = false;
  enum al_code code = al_task_still_wanted(task, &err);
  if (code == AL_OK)
    code = al_generation_plan(job, &waits, &err);
  if (code == AL_OK && waits)
    return;
  if (code == AL_OK)
    code = al_task_still_wanted(task, &err);
  if (code == AL_OK)
    schedule(job);
  else
    fail(task, &err);
}

const struct al_task_ops al_generation_task = { .prepare = prepare, .fail = fail };
