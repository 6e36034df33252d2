#include "inference/text_request.h"

#include "base/alloc.h"

/* --- copies ----------------------------------------------------------------------------------------------------- */

static enum al_code copy_str(struct al_arena *arena, struct al_str text, struct al_str *out, struct al_err *err)
{
  char *copy = al_arena_strndup(arena, text.data != nullptr ? text.data : "", text.size);
  if (copy == nullptr)
    return al_fail_oom(err, text.size);
  *out = al_str_n(copy, text.size);
  return AL_OK;
}

static enum al_code copy_name(struct al_arena *arena, const char **name, struct al_err *err)
{
  struct al_str copy = {};
  if (*name == nullptr)
    return AL_OK;
  AL_TRY(copy_str(arena, al_str(*name), &copy, err));
  *name = copy.data;
  return AL_OK;
}

static enum al_code copy_array(struct al_arena *arena, const void **items, size_t count, size_t item_bytes,
                               struct al_err *err)
{
  if (count == 0) {
    *items = nullptr;
    return AL_OK;
  }
  void *copy = al_arena_array(arena, count, item_bytes);
  if (copy == nullptr)
    return al_fail_oom(err, count * item_bytes);
  memcpy(copy, *items, count * item_bytes);
  *items = copy;
  return AL_OK;
}

/* With tool_choice "none" the model does not hear of the tools. */
static void print_chat(struct al_buf *json, const struct al_json *chat, bool without_tools)
{
  struct al_json_writer w = al_json_writer(json);
  struct al_json_iter it = al_json_iter(chat);
  al_jw_object(&w);
  while (al_json_next(&it)) {
    if (without_tools && al_str_is(it.key, "tools"))
      continue;
    al_jw_key_n(&w, it.key);
    al_jw_value(&w, it.value);
  }
  al_jw_end(&w);
}

static enum al_code copy_json(struct al_text_job *job, struct al_err *err)
{
  struct al_text_request *request = &job->request;
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  if (request->chat != nullptr) {
    print_chat(&json, request->chat, request->tool_choice == AL_TOOL_NONE);
    AL_TRY(al_buf_check(&json, err));
    AL_TRY(copy_str(job->task.arena, al_buf_view(&json), &job->chat_json, err));
  }
  if (request->schema != nullptr) {
    al_buf_clear(&json);
    al_json_print(&json, request->schema);
    AL_TRY(al_buf_check(&json, err));
    AL_TRY(copy_str(job->task.arena, al_buf_view(&json), &job->schema_json, err));
  }
  request->chat = request->schema = nullptr; /* were borrowed */
  return AL_OK;
}

static enum al_code copy_stops(struct al_text_job *job, struct al_err *err)
{
  struct al_text_request *request = &job->request;
  const char **copies = al_arena_array(job->task.arena, request->n_stop, sizeof *copies);
  if (copies == nullptr)
    return al_fail_oom(err, request->n_stop * sizeof *copies);
  for (size_t i = 0; i < request->n_stop; i++) {
    copies[i] = request->stop[i];
    AL_TRY(copy_name(job->task.arena, &copies[i], err));
    if (copies[i] == nullptr || copies[i][0] == '\0')
      return al_fail_param(err, "stop", "a stop string must not be empty");
  }
  request->stop = copies;
  return AL_OK;
}

static enum al_code copy_lora(struct al_text_job *job, struct al_err *err)
{
  struct al_text_request *request = &job->request;
  if (request->n_lora > AL_MOST_ADAPTERS)
    return al_fail_param(err, "lora", "at most %zu adapters go together", AL_MOST_ADAPTERS);
  struct al_lora_request *copies = al_arena_array(job->task.arena, request->n_lora, sizeof *copies);
  if (copies == nullptr)
    return al_fail_oom(err, request->n_lora * sizeof *copies);
  for (size_t i = 0; i < request->n_lora; i++) {
    copies[i] = request->lora[i];
    AL_TRY(copy_name(job->task.arena, &copies[i].model, err));
  }
  request->lora = copies;
  return AL_OK;
}

static enum al_code copy_all(struct al_text_job *job, struct al_err *err)
{
  struct al_text_request *request = &job->request;
  struct al_arena *arena = job->task.arena;
  struct al_sampling *sampling = &request->sampling;
  const void *bias = sampling->logit_bias, *ids = request->tokens.ids;
  AL_TRY(copy_name(arena, &request->model, err));
  AL_TRY(copy_name(arena, &request->tool_function, err));
  AL_TRY(copy_name(arena, &request->format_path, err));
  AL_TRY(copy_str(arena, request->prompt, &request->prompt, err));
  AL_TRY(copy_str(arena, request->grammar, &request->grammar, err));
  if (request->suffix.data != nullptr)
    AL_TRY(copy_str(arena, request->suffix, &request->suffix, err));
  AL_TRY(copy_array(arena, &ids, request->tokens.count, sizeof *request->tokens.ids, err));
  request->tokens.ids = ids;
  AL_TRY(copy_array(arena, &bias, sampling->n_logit_bias, sizeof *sampling->logit_bias, err));
  sampling->logit_bias = bias;
  AL_TRY(copy_stops(job, err));
  AL_TRY(copy_lora(job, err));
  return copy_json(job, err);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static enum al_code check_bounds(const struct al_text_request *request, struct al_err *err)
{
  if (request->n < 0 || request->n > AL_MOST_CHOICES)
    return al_fail_param(err, "n", "at most %d choices are made of one prompt", AL_MOST_CHOICES);
  if (request->logprobs < 0 || request->logprobs > AL_MOST_LOGPROBS + 1)
    return al_fail_param(err, "logprobs", "at most %d logprobs are given out for a token", AL_MOST_LOGPROBS);
  if (request->format == AL_FORMAT_JSON_SCHEMA && request->schema == nullptr)
    return al_fail_param(err, "response_format", "there is no schema");
  return AL_OK;
}

enum al_code al_text_job_new(const struct al_text_request *request, struct al_text_job **job, struct al_err *err)
{
  AL_TRY(check_bounds(request, err));
  struct al_text_job *raw = al_calloc(1, sizeof *raw);
  if (raw == nullptr)
    return al_fail_oom(err, sizeof *raw);
  al_mutex_init(&raw->mutex);
  AL_CLEANUP(al_text_job_free_p) struct al_text_job *made = raw;
  made->request = *request;
  made->n_choices = request->n > 0 ? request->n : 1;
  AL_TRY(al_task_init(&made->task, nullptr, request->cancel, err));
  AL_TRY(copy_all(made, err));
  made->choices = al_arena_array(made->task.arena, (size_t)made->n_choices, sizeof *made->choices);
  if (made->choices == nullptr)
    return al_fail_oom(err, (size_t)made->n_choices * sizeof *made->choices);
  for (int i = 0; i < made->n_choices; i++)
    made->choices[i] = (struct al_text_choice){ .job = made, .index = i };
  *job = AL_TAKE(made);
  return AL_OK;
}

void al_text_job_free(struct al_text_job *job)
{
  if (job == nullptr)
    return;
  for (int i = 0; job->choices != nullptr && i < job->n_choices; i++) {
    al_output_free(job->choices[i].output);
    al_hold_free(job->choices[i].hold);
  }
  al_prompt_done(&job->prompt);
  al_json_doc_free(job->chat);
  al_json_doc_free(job->schema);
  al_task_fini(&job->task);
  al_mutex_done(&job->mutex);
  al_free(job);
}
