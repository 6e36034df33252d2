/* POST /v1/completions: text from a prompt as it is, without a conversation. */
#include "api/body.h"
#include "api/completion.h"
#include "api/errors.h"
#include "api/format.h"
#include "api/job.h"

#include <stdio.h>

constexpr size_t MAX_PROMPTS = 128;
constexpr int MAX_LOGPROBS = 5; /* OpenAI's */
constexpr int MAX_BEST_OF = 20;
constexpr int64_t DEFAULT_MAX_TOKENS = 16;

struct completions_request { /* what the tables read into; the shared parameters first */
  struct al_api_text_params text;
  const struct al_json *prompt;
  struct al_str suffix;
  int64_t max_tokens;
  int best_of; /* 0: not given */
  int logprobs;
  bool has_logprobs;
  bool echo;
};

struct prompt {
  struct al_str text; /* data nullptr: tokens */
  struct al_token_span tokens;
};

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code read_suffix(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  struct completions_request *request = target;
  return al_json_want_str(body, "", param->name, &request->suffix, nullptr, err);
}

static enum al_code read_logprobs(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  struct completions_request *request = target;
  request->has_logprobs = true;
  return al_api_read_int(param, body, target, err);
}

#define FIELD(member) offsetof(struct completions_request, member)
#define CHAT_ALONE    "it belongs to conversations"

static const struct al_api_param own[] = {
  { .name = "prompt", .read = al_api_read_value, .offset = FIELD(prompt) },
  { .name = "suffix", .read = read_suffix },
  { .name = "max_tokens", .read = al_api_read_int64, .offset = FIELD(max_tokens), .least = 0, .most = INT32_MAX },
  { .name = "n", .read = al_api_read_int, .offset = FIELD(text.n), .least = 1, .most = AL_API_MAX_CHOICES },
  { .name = "best_of", .read = al_api_read_int, .offset = FIELD(best_of), .least = 1, .most = MAX_BEST_OF },
  { .name = "logprobs", .read = read_logprobs, .offset = FIELD(logprobs), .least = 0, .most = MAX_LOGPROBS },
  { .name = "echo", .read = al_api_read_bool, .offset = FIELD(echo) },
  { .name = "json_schema", .read = al_api_read_json_schema },
  { .name = "user", .read = al_api_check_str },
  { .name = "metadata", .read = al_api_refuse, .words = "a completion carries none" },
  { .name = "chat_template_kwargs", .read = al_api_refuse, .words = CHAT_ALONE },
  { .name = "parallel_tool_calls", .read = al_api_refuse, .words = CHAT_ALONE },
  { .name = "reasoning_format", .read = al_api_refuse, .words = CHAT_ALONE },
};

static enum al_code check(const struct completions_request *request, const struct al_json *body, struct al_err *err)
{
  AL_TRY(al_api_text_params_check(&request->text, body, err));
  if (request->prompt == nullptr)
    return al_api_missing(err, "prompt");
  if (request->max_tokens == 0 && !request->echo)
    return al_fail_param(err, "max_tokens", "max_tokens may only be 0 together with echo");
  if (request->suffix.data != nullptr && request->echo)
    return al_fail_param(err, "echo", "echo and suffix contradict each other");
  int n = request->text.n > 0 ? request->text.n : 1;
  if (request->best_of > 0 && request->best_of < n)
    return al_fail_param(err, "best_of", "best_of must not be less than n");
  if (request->best_of > n && request->text.stream)
    return al_fail_param(err, "best_of", "best_of cannot be streamed: the best is known at the end");
  return AL_OK;
}

/* --- prompts ----------------------------------------------------------------------------------------------------- */

static bool is_token(const struct al_json *value)
{
  return al_json_kind(value) == AL_JSON_INT;
}

static enum al_code read_prompt(struct al_arena *arena, const struct al_json *value, const char *path,
                                struct prompt *prompt, struct al_err *err)
{
  if (al_json_kind(value) == AL_JSON_STRING) {
    prompt->text = al_json_str(value);
    return AL_OK;
  }
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, path, "a string or an array of tokens", value);
  if (al_json_count(value) == 0)
    return al_fail_param(err, path, "%s has no tokens", path);
  return al_api_read_tokens(arena, value, path, &prompt->tokens, err);
}

static enum al_code read_prompts(struct al_arena *arena, const struct al_json *value, struct prompt **prompts,
                                 size_t *n_prompts, struct al_err *err)
{
  bool is_list = al_json_kind(value) == AL_JSON_ARRAY;
  size_t count = is_list ? al_json_count(value) : 1;
  if (count == 0)
    return al_fail_param(err, "prompt", "prompt must not be empty");
  is_list = is_list && !is_token(al_json_at(value, 0));
  if (!is_list)
    count = 1;
  if (count > MAX_PROMPTS)
    return al_fail_param(err, "prompt", "prompt may have at most %zu elements, not %zu", MAX_PROMPTS, count);
  *prompts = al_arena_array(arena, count, sizeof **prompts);
  if (*prompts == nullptr)
    return al_fail_oom(err, count * sizeof **prompts);
  *n_prompts = count;
  if (!is_list)
    return read_prompt(arena, value, "prompt", *prompts, err);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "prompt[%zu]", it.index);
    AL_TRY(read_prompt(arena, it.value, path, &(*prompts)[it.index], err));
  }
  return AL_OK;
}

/* --- generations ------------------------------------------------------------------------------------------------- */

/* The engine echoes where only it knows the text or its probabilities. */
static enum al_code set_echo(struct al_api_completion *completion, const struct completions_request *request,
                             const struct prompt *prompt, struct al_err *err)
{
  struct al_api_generation *generation = &completion->base;
  if (!request->echo)
    return AL_OK;
  generation->params.prompt_logprobs = request->has_logprobs || prompt->text.data == nullptr;
  if (generation->params.prompt_logprobs)
    return AL_OK;
  char *copy = al_arena_strndup(generation->arena, prompt->text.data, prompt->text.size);
  if (copy == nullptr)
    return al_fail_oom(err, prompt->text.size);
  completion->echo = al_str_n(copy, prompt->text.size);
  return AL_OK;
}

static void set_params(struct al_api_completion *completion, const struct completions_request *request,
                       const struct prompt *prompt)
{
  struct al_api_text_params *params = &completion->base.params;
  *params = request->text;
  params->prompt = prompt->text;
  params->tokens = prompt->tokens;
  params->suffix = request->suffix;
  completion->n_shown = params->n > 0 ? (size_t)params->n : 1;
  if (request->best_of > 0)
    params->n = request->best_of;
  bool ranks = params->n > (int)completion->n_shown;
  completion->shows_logprobs = request->has_logprobs;
  params->logprobs = request->has_logprobs ? request->logprobs + 1 : ranks ? 1 : 0;
  completion->drops_answer = request->max_tokens == 0;
  params->max_tokens = completion->drops_answer ? 1 : request->max_tokens;
}

static enum al_code make(struct al_api_completion_join *join, const struct completions_request *request,
                         const struct prompt *prompt, size_t index, struct al_api_generation **made, struct al_err *err)
{
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  AL_TRY(al_api_generation_new(join->exchange, join->api, sizeof(struct al_api_completion), &al_api_completion_ops,
                               &generation, err));
  struct al_api_completion *completion = (struct al_api_completion *)generation;
  completion->join = al_api_completion_join_ref(join);
  completion->index = index;
  generation->outlet = &al_api_completion_outlet;
  generation->outlet_state = join;
  set_params(completion, request, prompt);
  AL_TRY(set_echo(completion, request, prompt, err));
  size_t n_choices = generation->params.n > 0 ? (size_t)generation->params.n : 1;
  completion->logprobs = al_arena_array(generation->arena, n_choices, sizeof *completion->logprobs);
  if (completion->logprobs == nullptr)
    return al_fail_oom(err, n_choices * sizeof *completion->logprobs);
  *made = AL_TAKE(generation);
  return AL_OK;
}

/* From the first submission on the request is answered through the join. */
static void submit(struct al_api_completion_join *join, const struct completions_request *request,
                   const struct prompt *prompt, size_t index)
{
  struct al_err err;
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  if (make(join, request, prompt, index, &generation, &err) != AL_OK ||
      al_api_generation_submit(generation, nullptr, false, &err) != AL_OK)
    al_api_completion_join_fail(join, &err);
  else
    (void)AL_TAKE(generation);
}

static enum al_code run(struct al_http_exchange *exchange, struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_api_completion_join_unref_p) struct al_api_completion_join *join = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_completion_join_new(exchange, api, &join, err));

  struct completions_request request = { .max_tokens = DEFAULT_MAX_TOKENS };
  al_api_text_params_init(&request.text, join->arena);
  const struct al_api_param_table tables[] = { { own, AL_COUNT(own) }, al_api_text_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), al_json_root(body), &request, err));
  AL_TRY(check(&request, al_json_root(body), err));
  struct prompt *prompts = nullptr;
  size_t n_prompts = 0;
  AL_TRY(read_prompts(join->arena, request.prompt, &prompts, &n_prompts, err));
  join->model = request.text.model;
  join->include_usage = request.text.include_usage;
  AL_TRY(al_api_completion_join_expect(join, n_prompts, err));
  for (size_t i = 0; i < n_prompts && !al_cancelled(al_http_cancel(exchange)); i++)
    submit(join, &request, &prompts[i], i);
  return AL_OK;
}

void al_api_completions(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
