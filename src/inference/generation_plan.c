/* What a text request needs before it can run. */
#include "base/alloc.h"
#include "inference/generation.h"
#include "sched/rng.h"

#include <math.h>

/* --- what was asked for ----------------------------------------------------------------------------------------- */

static enum al_code unsupported(struct al_err *err, const char *param, const char *what, const char *id)
{
  enum al_code code = al_fail(err, AL_UNSUPPORTED, "'%s' %s", id, what);
  if (err != nullptr)
    (void)snprintf(err->param, sizeof err->param, "%s", param);
  return code;
}

static enum al_code parse(struct al_text_job *job, struct al_err *err)
{
  if (job->chat_json.data != nullptr && job->chat == nullptr)
    AL_TRY(al_json_parse(job->chat_json, &job->chat, err));
  if (job->schema_json.data != nullptr && job->schema == nullptr)
    AL_TRY(al_json_parse(job->schema_json, &job->schema, err));
  job->format = (struct al_format){
    .kind = job->request.format,
    .schema = job->schema != nullptr ? al_json_root(job->schema) : nullptr,
    .grammar = job->request.grammar,
    .path = job->request.format_path,
  };
  return AL_OK;
}

/* The model's generation_config where the request leaves it open, then our defaults; and a seed. */
static void resolve_sampling(struct al_text_job *job, const struct al_text_info *info)
{
  struct al_sampling sampling = job->request.sampling, defaults = al_sampling_default();
  if (isnan(sampling.temperature))
    sampling.temperature = info->temperature > 0 ? info->temperature : defaults.temperature;
  if (isnan(sampling.top_p))
    sampling.top_p = info->top_p > 0 ? info->top_p : defaults.top_p;
  if (sampling.top_k < 0)
    sampling.top_k = info->top_k > 0 ? info->top_k : defaults.top_k;
  if (!sampling.has_seed)
    sampling.seed = al_rng_fresh_seed();
  sampling.has_seed = true;
  job->sampling = sampling;
}

/* *waits: the next one is being loaded. */
static enum al_code find_adapters(struct al_text_job *job, const struct al_text_model *model, bool *waits,
                                  struct al_err *err)
{
  const struct al_text_request *request = &job->request;
  for (size_t i = 0; i < request->n_lora; i++) {
    job->uses[i].adapter = al_adapters_find(model->adapters, request->lora[i].model);
    job->uses[i].scale = request->lora[i].scale;
    if (job->uses[i].adapter != nullptr)
      continue;
    AL_TRY(al_adapters_load(model->adapters, &job->task, job->store, request->lora[i].model, err));
    *waits = true;
    return AL_OK;
  }
  return AL_OK;
}

static enum al_code make_prompt(struct al_text_job *job, const struct al_loaded *loaded, struct al_err *err)
{
  const struct al_text_request *request = &job->request;
  struct al_prompt_options options = {
    .chat = job->chat != nullptr ? al_json_root(job->chat) : nullptr,
    .tokens = request->tokens,
    .text = request->prompt,
    .suffix = request->suffix,
    .truncate = request->truncate_prompt,
    .max_tokens = request->max_tokens,
  };
  return al_prompt_prepare(loaded, &options, &job->prompt, err);
}

/* --- the form of the output ------------------------------------------------------------------------------------- */

static enum al_code check_tools(const struct al_text_job *job, const struct al_syntax *syntax, struct al_err *err)
{
  const struct al_text_request *request = &job->request;
  bool has_tools = al_json_count(job->form.tools) > 0;
  bool must_call = request->tool_choice == AL_TOOL_REQUIRED || request->tool_choice == AL_TOOL_FUNCTION;
  if (must_call && !has_tools)
    return al_fail_param(err, "tool_choice", "a call is required, but there are no tools");
  if ((has_tools || must_call) && !al_syntax_has_tools(syntax))
    return unsupported(err, must_call ? "tool_choice" : "tools", "has no tool calls that are known here",
                       request->model);
  return AL_OK;
}

static struct al_str tail_of(const struct al_buf *text)
{
  constexpr size_t ENOUGH = 1024;
  size_t size = al_min_size(text->size, ENOUGH);
  return size > 0 ? al_str_n(text->data + (text->size - size), size) : al_str("");
}

/* The rules of all that may come, *is_lazy as al_syntax_grammar says; nothing: it is free. */
static enum al_code make_rules(struct al_text_job *job, const struct al_syntax *syntax, struct al_buf *gbnf,
                               bool *is_lazy, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  AL_TRY(al_format_rules(&job->format, &answer, err));
  AL_TRY(al_buf_check(&answer, err));
  if (job->chat == nullptr) {
    if (answer.size > 0)
      al_buf_printf(gbnf, "root ::= answer\n%s", answer.data);
    return al_buf_check(gbnf, err);
  }
  job->form.answer_gbnf = answer.size > 0 ? answer.data : nullptr;
  enum al_code code = al_syntax_grammar(syntax, &job->form, gbnf, is_lazy, err);
  job->form.answer_gbnf = nullptr;
  return code != AL_OK ? code : al_buf_check(gbnf, err);
}

static enum al_code make_holds(struct al_text_job *job, const struct al_loaded *loaded,
                               const struct al_text_model *model, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_hold_options options = { .loaded = loaded, .syntax = model->syntax, .syntax_request = &job->form };
  AL_TRY(make_rules(job, model->syntax, &gbnf, &options.is_lazy, err));
  if (gbnf.size == 0)
    return AL_OK;
  AL_TRY(al_grammars_vocabulary(model->grammars, loaded, model->syntax, &options.vocabulary, err));
  AL_TRY(al_grammars_get(model->grammars, al_buf_view(&gbnf), &options.grammar, err));
  enum al_code code = AL_OK;
  for (int i = 0; i < job->n_choices && code == AL_OK; i++)
    code = al_hold_new(&options, &job->choices[i].hold, err);
  al_grammar_unref(options.grammar);
  return code;
}

static enum al_code make_outputs(struct al_text_job *job, const struct al_loaded *loaded,
                                 const struct al_text_model *model, struct al_err *err)
{
  struct al_output_options options = {
    .request = &job->request,
    .loaded = loaded,
    .syntax = job->chat != nullptr ? model->syntax : nullptr,
    .syntax_request = &job->form,
    .keeps_answer = job->format.kind != AL_FORMAT_TEXT,
  };
  for (int i = 0; i < job->n_choices; i++) {
    options.choice = i;
    AL_TRY(al_output_new(&options, &job->choices[i].output, err));
  }
  return AL_OK;
}

static void fill_form(struct al_text_job *job)
{
  const struct al_text_request *request = &job->request;
  job->form = (struct al_syntax_request){
    .tools = job->chat != nullptr ? al_json_get(al_json_root(job->chat), "tools") : nullptr,
    .choice = request->tool_choice,
    .function = request->tool_function,
    .parallel = request->parallel_tool_calls,
    .keeps_reasoning = request->keeps_reasoning,
  };
}

enum al_code al_generation_plan(struct al_text_job *job, bool *waits, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(job->task.lease);
  struct al_text_model *model;
  AL_TRY(al_text_model_of(loaded, &model, err));
  if (!loaded->info.generates)
    return unsupported(err, "model", "makes embeddings; it cannot generate text", job->request.model);
  AL_TRY(parse(job, err));
  fill_form(job);
  AL_TRY(check_tools(job, model->syntax, err));
  AL_TRY(find_adapters(job, model, waits, err));
  if (*waits)
    return AL_OK;
  resolve_sampling(job, &loaded->info);
  AL_TRY(make_prompt(job, loaded, err));
  job->form.prompt_tail = tail_of(&job->prompt.text);
  AL_TRY(make_holds(job, loaded, model, err));
  return make_outputs(job, loaded, model, err);
}
