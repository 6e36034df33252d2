/* POST /api/chat and /api/generate. */
#include "api/body.h"
#include "api/logprobs.h"
#include "api/ollama.h"
#include "api/tools.h"
#include "base/clock.h"

struct ollama_request {              /* what the tables read into */
  struct al_api_ollama_request base; /* first */
  /* chat */
  const struct al_json *messages;
  const struct al_json *tools;
  /* generate */
  struct al_str prompt;
  struct al_str system;
  struct al_str suffix;
  bool raw;
};

struct ollama_answer {
  struct al_api_generation base; /* first */
  bool is_chat;
  bool unload_after;
  int64_t started_ns;
};

/* --- the answer -------------------------------------------------------------------------------------------------- */

static void write_head(struct al_json_writer *w, const char *model)
{
  al_jw_object(w);
  al_jw_kv_str(w, "model", model);
  al_api_ollama_write_time(w, "created_at", al_wall_ms());
}

static void write_call(struct al_json_writer *w, const struct al_api_call *call)
{
  al_jw_object(w);
  al_jw_kv_str(w, "id", call->id);
  al_jw_key(w, "function");
  al_jw_object(w);
  al_jw_kv_str(w, "name", call->name);
  al_jw_kv_raw(w, "arguments", al_buf_view(&call->arguments));
  al_jw_end(w);
  al_jw_end(w);
}

/* Calls that were cut short have no arguments that Ollama's form could hold: they are left out. */
static void write_calls(struct al_json_writer *w, const struct al_api_call *calls, size_t n_calls)
{
  bool has_any = false;
  for (size_t i = 0; i < n_calls; i++)
    has_any |= calls[i].is_complete;
  if (!has_any)
    return;
  al_jw_key(w, "tool_calls");
  al_jw_array(w);
  for (size_t i = 0; i < n_calls; i++)
    if (calls[i].is_complete)
      write_call(w, &calls[i]);
  al_jw_end(w);
}

struct piece { /* what one line says */
  struct al_str text, thinking;
  const struct al_api_call *calls;
  size_t n_calls;
};

static void write_piece(struct al_json_writer *w, const struct ollama_answer *answer, const struct piece *piece)
{
  struct al_str text = piece->text.data != nullptr ? piece->text : al_str("");
  if (answer->is_chat) {
    al_jw_key(w, "message");
    al_jw_object(w);
    al_jw_kv_str(w, "role", "assistant");
    al_jw_kv_str_n(w, "content", text);
  } else {
    al_jw_kv_str_n(w, "response", text);
  }
  if (piece->thinking.size > 0)
    al_jw_kv_str_n(w, "thinking", piece->thinking);
  if (answer->is_chat) {
    write_calls(w, piece->calls, piece->n_calls);
    al_jw_end(w);
  }
}

static void write_logprobs(struct al_json_writer *w, struct al_str elements)
{
  if (elements.size == 0)
    return;
  AL_CLEANUP(al_buf_done) struct al_buf array = {};
  al_buf_char(&array, '[');
  al_buf_add(&array, elements.data, elements.size);
  al_buf_char(&array, ']');
  w->out->failed |= array.failed;
  al_jw_kv_raw(w, "logprobs", al_buf_view(&array));
}

static void write_end(struct al_json_writer *w, const struct ollama_answer *answer)
{
  const struct al_api_generation *base = &answer->base;
  double total_ms = (double)(al_now_ns() - answer->started_ns) / (double)AL_NS_PER_MS;
  double load_ms = total_ms - base->prompt_ms - base->predicted_ms;
  al_jw_kv_bool(w, "done", true);
  al_jw_kv_str(w, "done_reason", base->finish == AL_FINISH_LENGTH ? "length" : "stop");
  al_jw_kv_int(w, "total_duration", (int64_t)(total_ms * (double)AL_NS_PER_MS));
  al_jw_kv_int(w, "load_duration", load_ms > 0 ? (int64_t)(load_ms * (double)AL_NS_PER_MS) : 0);
  al_jw_kv_int(w, "prompt_eval_count", base->usage.n_prompt);
  al_jw_kv_int(w, "prompt_eval_duration", (int64_t)(base->prompt_ms * (double)AL_NS_PER_MS));
  al_jw_kv_int(w, "eval_count", base->usage.n_completion);
  al_jw_kv_int(w, "eval_duration", (int64_t)(base->predicted_ms * (double)AL_NS_PER_MS));
}

static void send_line(struct al_api_generation *generation, struct al_json_writer *w)
{
  al_jw_end(w);
  al_buf_char(&generation->out, '\n');
  al_api_generation_send(generation);
}

static void on_started(struct al_api_generation *generation)
{
  (void)generation;
}

static void on_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  const struct ollama_answer *answer = (const struct ollama_answer *)generation;
  struct piece piece = {};
  if (event->kind == AL_TEXT_DELTA)
    piece.text = event->text;
  else if (event->kind == AL_TEXT_REASONING)
    piece.thinking = event->text;
  else if (event->kind == AL_TEXT_CALL_END && event->is_complete)
    piece.calls = &generation->choices[event->choice].calls[event->call], piece.n_calls = 1;
  else
    return;
  struct al_json_writer w = al_json_writer(&generation->out);
  write_head(&w, generation->params.model);
  write_piece(&w, answer, &piece);
  al_jw_kv_bool(&w, "done", false);
  AL_CLEANUP(al_buf_done) struct al_buf logprobs = {};
  al_api_logprobs_append(&logprobs, event->tokens, event->n_tokens);
  write_logprobs(&w, al_buf_view(&logprobs));
  send_line(generation, &w);
}

static void unload_afterwards(const struct ollama_answer *answer);

static void on_finished(struct al_api_generation *generation)
{
  const struct ollama_answer *answer = (const struct ollama_answer *)generation;
  struct al_json_writer w = al_json_writer(&generation->out);
  write_head(&w, generation->params.model);
  write_piece(&w, answer, &(struct piece){});
  write_end(&w, answer);
  send_line(generation, &w);
  unload_afterwards(answer);
}

static void on_failed(struct al_api_generation *generation, const struct al_err *err)
{
  struct al_json_writer w = al_json_writer(&generation->out);
  al_jw_object(&w);
  al_jw_kv_str(&w, "error", err->message);
  send_line(generation, &w);
}

static void print(struct al_api_generation *generation, struct al_buf *out)
{
  const struct ollama_answer *answer = (const struct ollama_answer *)generation;
  const struct al_api_choice *choice = &generation->choices[0];
  struct piece piece = {
    .text = al_buf_view(&choice->text),
    .thinking = al_buf_view(&choice->reasoning),
    .calls = choice->calls,
    .n_calls = choice->n_calls,
  };
  struct al_json_writer w = al_json_writer(out);
  write_head(&w, generation->params.model);
  write_piece(&w, answer, &piece);
  write_logprobs(&w, al_buf_view(&choice->logprobs));
  write_end(&w, answer);
  al_jw_end(&w);
  unload_afterwards(answer);
}

static const struct al_api_generation_ops ops = {
  .id_prefix = "ollama-",
  .keeps_answer = true,
  .started = on_started,
  .event = on_event,
  .finished = on_finished,
  .failed = on_failed,
  .print = print,
};

/* --- models that come and go without a prompt -------------------------------------------------------------------- */

static void nobody_waits(void *user, const struct al_err *err)
{
  (void)user;
  (void)err;
}

static void unload_afterwards(const struct ollama_answer *answer)
{
  struct al_err err;
  if (answer->unload_after)
    (void)!al_inference_unload(answer->base.api->inference, answer->base.params.model, nobody_waits, nullptr, &err);
}

struct life_job {
  struct al_api_job job; /* first */
  bool is_chat;
  bool is_unload;
};

static void on_life_done(void *user, const struct al_err *err)
{
  struct life_job *job = user;
  if (err->code != AL_OK) {
    al_api_ollama_reply_err(job->job.exchange, err);
  } else {
    AL_CLEANUP(al_buf_done) struct al_buf text = {};
    struct al_json_writer w = al_json_writer(&text);
    struct ollama_answer answer = { .is_chat = job->is_chat };
    write_head(&w, job->job.model);
    write_piece(&w, &answer, &(struct piece){});
    al_jw_kv_bool(&w, "done", true);
    al_jw_kv_str(&w, "done_reason", job->is_unload ? "unload" : "load");
    al_jw_end(&w);
    al_api_job_reply(&job->job, &text);
  }
  al_api_job_free(&job->job);
}

static enum al_code run_life(struct al_http_exchange *exchange, const struct al_api *api, bool is_chat,
                             const struct al_api_ollama_request *request, struct al_err *err)
{
  AL_CLEANUP(al_api_job_free_p) struct al_api_job *made = nullptr;
  AL_TRY(al_api_job_new(exchange, sizeof(struct life_job), 16'384, &made, err));
  struct life_job *job = (struct life_job *)made;
  job->is_chat = is_chat;
  job->is_unload = request->unload_after;
  made->model = al_arena_strndup(made->arena, request->text.model, strlen(request->text.model));
  if (made->model == nullptr)
    return al_fail_oom(err, strlen(request->text.model));
  if (job->is_unload)
    AL_TRY(al_inference_unload(api->inference, made->model, on_life_done, job, err));
  else
    AL_TRY(al_inference_load(api->inference, made->model, on_life_done, job, err));
  (void)AL_TAKE(made);
  return AL_OK;
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code read_str(const struct al_api_param *param, const struct al_json *body, void *target,
                             struct al_err *err)
{
  return al_json_want_str(body, "", param->name, (struct al_str *)((char *)target + param->offset), nullptr, err);
}

static enum al_code refuse_images(const struct al_api_param *param, const struct al_json *body, void *target,
                                  struct al_err *err)
{
  (void)target;
  if (al_json_count(al_json_get(body, param->name)) == 0)
    return AL_OK;
  return al_api_unsupported(err, param->name, "images: this model cannot see");
}

#define FIELD(member) offsetof(struct ollama_request, member)

static const struct al_api_param chat_params[] = {
  { .name = "messages", .read = al_api_read_array, .offset = FIELD(messages) },
  { .name = "tools", .read = al_api_read_value, .offset = FIELD(tools) },
};

static const struct al_api_param generate_params[] = {
  { .name = "prompt", .read = read_str, .offset = FIELD(prompt) },
  { .name = "system", .read = read_str, .offset = FIELD(system) },
  { .name = "suffix", .read = read_str, .offset = FIELD(suffix) },
  { .name = "raw", .read = al_api_read_bool, .offset = FIELD(raw) },
  { .name = "images", .read = refuse_images },
  { .name = "template", .read = al_api_refuse, .words = "the model's own chat template is used" },
  { .name = "context", .read = al_api_refuse, .words = "send the conversation to /api/chat" },
};

/* options.num_ctx must not be more than the model has. */
static enum al_code check_context(const struct al_api *api, const struct al_api_ollama_request *request,
                                  struct al_err *err)
{
  if (request->n_ctx == 0)
    return AL_OK;
  struct al_model_status status = {};
  AL_TRY(al_inference_model(api->inference, request->text.model, &status, err));
  int64_t limit = status.n_ctx > 0 ? status.n_ctx : status.descriptor->n_ctx_train;
  al_model_status_done(&status);
  if (limit == 0 || request->n_ctx <= limit)
    return AL_OK;
  return al_fail_param(err, "options.num_ctx", "options.num_ctx is %lld, but the context of '%s' is limited to %lld",
                       (long long)request->n_ctx, request->text.model, (long long)limit);
}

static void write_turn(struct al_json_writer *w, const char *role, struct al_str content)
{
  al_jw_object(w);
  al_jw_kv_str(w, "role", role);
  al_jw_kv_str_n(w, "content", content);
  al_jw_end(w);
}

static enum al_code make_chat(const struct ollama_request *request, bool is_chat, struct al_json_doc **chat,
                              struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_api_chat_begin(&w);
  if (is_chat) {
    AL_TRY(al_api_ollama_messages_write(request->messages, &w, err));
  } else {
    if (request->system.size > 0)
      write_turn(&w, "system", request->system);
    write_turn(&w, "user", request->prompt);
  }
  return al_api_chat_end(&w, &request->base.text, chat, err);
}

static enum al_code generate(struct al_http_exchange *exchange, struct al_api *api, bool is_chat,
                             struct ollama_request *request, struct al_api_generation **generation, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *chat = nullptr;
  struct al_api_text_params *text = &request->base.text;
  bool is_plain = !is_chat && (request->raw || request->suffix.data != nullptr);
  AL_TRY(al_api_tools_read(request->tools, nullptr, AL_API_TOOLS_CHAT, text, err));
  AL_TRY(check_context(api, &request->base, err));
  if (is_plain) {
    text->prompt = request->prompt;
    text->suffix = request->suffix;
  } else {
    AL_TRY(make_chat(request, is_chat, &chat, err));
  }
  struct ollama_answer *answer = (struct ollama_answer *)*generation;
  answer->is_chat = is_chat;
  answer->unload_after = request->base.unload_after;
  answer->started_ns = al_http_started_ns(exchange);
  answer->base.params = *text;
  answer->base.outlet = &al_api_outlet_ollama;
  AL_TRY(al_api_generation_submit(*generation, is_plain ? nullptr : al_json_root(chat), true, err));
  (void)AL_TAKE(*generation);
  return AL_OK;
}

static enum al_code run(struct al_http_exchange *exchange, struct al_api *api, bool is_chat, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_CLEANUP(al_api_generation_free_p) struct al_api_generation *generation = nullptr;
  struct ollama_request request = {}; /* outlives what cleans it up */
  AL_CLEANUP(al_api_ollama_request_done_p) struct al_api_ollama_request *base = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  AL_TRY(al_api_generation_new(exchange, api, sizeof(struct ollama_answer), &ops, &generation, err));
  al_api_ollama_request_init(&request.base, generation->arena);
  base = &request.base;
  const struct al_api_param_table own = is_chat
                                            ? (struct al_api_param_table){ chat_params, AL_COUNT(chat_params) }
                                            : (struct al_api_param_table){ generate_params, AL_COUNT(generate_params) };
  const struct al_api_param_table tables[] = { own, al_api_ollama_table };
  AL_TRY(al_api_params_read(tables, AL_COUNT(tables), al_json_root(body), &request, err));
  if (base->text.model == nullptr)
    return al_api_missing(err, "model");
  bool is_empty = is_chat ? al_json_count(request.messages) == 0 : request.prompt.size == 0;
  if (is_empty)
    return run_life(exchange, api, is_chat, base, err);
  return generate(exchange, api, is_chat, &request, &generation, err);
}

static void answer_with(struct al_http_exchange *exchange, struct al_api *api, bool is_chat)
{
  struct al_err err;
  if (run(exchange, api, is_chat, &err) != AL_OK)
    al_api_ollama_reply_err(exchange, &err);
}

void al_api_ollama_chat(struct al_http_exchange *exchange, void *app)
{
  answer_with(exchange, app, true);
}

void al_api_ollama_generate(struct al_http_exchange *exchange, void *app)
{
  answer_with(exchange, app, false);
}
