#include "inference/output.h"

#include "base/alloc.h"
#include "inference/token_log.h"
#include "text/stop.h"

constexpr size_t TEXT_CAP = (size_t)64 << 20;

struct al_output {
  struct al_output_options options;
  struct al_stop *characters;      /* with a parser: holds back an incomplete character */
  struct al_syntax_parser *parser; /* nullptr: plain */
  struct al_stop *filter;          /* of the answer */
  struct al_buf text;              /* what goes into the parser, or leaves next */
  struct al_buf answer_text;       /* what leaves the filter next */
  struct al_buf answer;            /* with keeps_answer */
  struct al_token_log log;
  int stop; /* index of the stop string that was met; -1 */
  int n_reasoning, n_calls;
  bool lost; /* text could not be kept for lack of memory */
};

/* --- events ----------------------------------------------------------------------------------------------------- */

/* The tokens since the last event go with this one, but for those whose text is held back. */
static void send(struct al_output *o, struct al_text_event *event)
{
  size_t n_held = al_stop_n_held(o->filter) + (o->parser != nullptr ? al_stop_n_held(o->characters) : 0);
  event->choice = o->options.choice;
  event->tokens = al_token_log_view(&o->log, n_held, &event->n_tokens);
  o->lost = o->lost || o->log.failed;
  if (event->kind == AL_TEXT_DELTA && event->text.size == 0 && event->n_tokens == 0)
    return;
  o->options.request->on_event(o->options.request->user, event);
  al_token_log_drop(&o->log, event->n_tokens);
}

static void send_answer(struct al_output *o)
{
  o->lost = o->lost || o->answer_text.failed;
  if (o->answer_text.size == 0)
    return;
  if (o->options.keeps_answer)
    al_buf_add(&o->answer, o->answer_text.data, o->answer_text.size);
  o->lost = o->lost || o->answer.failed;
  send(o, &(struct al_text_event){ .kind = AL_TEXT_DELTA, .text = al_buf_view(&o->answer_text) });
  al_buf_clear(&o->answer_text);
}

static void answer(struct al_output *o, struct al_str text)
{
  if (o->stop >= 0)
    return;
  o->stop = al_stop_feed(o->filter, text, &o->answer_text);
  send_answer(o);
}

/* Text that might have begun a stop string did not, for something else follows. */
static void flush_answer(struct al_output *o)
{
  if (o->stop < 0)
    al_stop_flush(o->filter, &o->answer_text);
  send_answer(o);
}

static void on_syntax_event(void *user, const struct al_syntax_event *parsed)
{
  struct al_output *o = user;
  struct al_text_event event = { .text = parsed->text, .call = parsed->call, .is_complete = parsed->is_complete };
  if (o->stop >= 0) /* nothing leaves behind a stop string */
    return;
  if (parsed->kind == AL_SYNTAX_TEXT) {
    answer(o, parsed->text);
    return;
  }
  flush_answer(o);
  switch (parsed->kind) {
  case AL_SYNTAX_TEXT:
  case AL_SYNTAX_REASONING: event.kind = AL_TEXT_REASONING; break;
  case AL_SYNTAX_CALL_BEGIN: event.kind = AL_TEXT_CALL_BEGIN; break;
  case AL_SYNTAX_CALL_DELTA: event.kind = AL_TEXT_CALL_DELTA; break;
  case AL_SYNTAX_CALL_END: event.kind = AL_TEXT_CALL_END; break;
  }
  o->n_calls += parsed->kind == AL_SYNTAX_CALL_BEGIN;
  send(o, &event);
}

/* --- tokens ----------------------------------------------------------------------------------------------------- */

static void feed(struct al_output *o, struct al_str bytes)
{
  if (o->parser == nullptr) {
    answer(o, bytes);
    return;
  }
  (void)al_stop_feed(o->characters, bytes, &o->text);
  if (o->text.size == 0 && !o->text.failed)
    return;
  if (o->text.failed || al_syntax_parser_feed(o->parser, al_buf_view(&o->text), nullptr) != AL_OK)
    o->lost = true;
  al_buf_clear(&o->text);
}

static bool is_dropped(const struct al_output *o, const struct al_generated *token)
{
  return token->is_control && (o->parser == nullptr || !al_syntax_keeps_control(o->options.syntax, token->piece));
}

static bool in_reasoning(const struct al_output *o)
{
  return o->parser != nullptr && al_syntax_parser_in_reasoning(o->parser);
}

bool al_output_token(struct al_output *o, const struct al_generated *token)
{
  bool was_reasoning = in_reasoning(o), goes_on = !is_dropped(o, token);
  size_t n_bytes = goes_on ? token->piece.size : 0;
  if (o->options.request->logprobs > 0 &&
      al_token_log_add(&o->log, o->options.loaded, token, n_bytes, nullptr) != AL_OK)
    o->lost = true;
  if (goes_on)
    feed(o, token->piece);
  o->n_reasoning += was_reasoning || in_reasoning(o);
  return !o->lost && o->stop < 0 && !al_output_has_all_calls(o);
}

void al_output_end_token(struct al_output *o, const struct al_generated *token)
{
  if (o->parser != nullptr && !is_dropped(o, token))
    feed(o, token->piece);
}

void al_output_prompt_token(struct al_output *o, const struct al_generated *token)
{
  if (al_token_log_add(&o->log, o->options.loaded, token, 0, nullptr) != AL_OK)
    o->lost = true;
}

void al_output_send_prompt(struct al_output *o, struct al_str text)
{
  send(o, &(struct al_text_event){ .kind = AL_TEXT_PROMPT, .text = text });
}

enum al_code al_output_finish(struct al_output *o, struct al_err *err)
{
  if (o->stop < 0 && o->parser != nullptr) {
    al_stop_flush(o->characters, &o->text);
    feed(o, al_str(""));
    if (al_syntax_parser_finish(o->parser, nullptr) != AL_OK)
      o->lost = true;
  }
  flush_answer(o);
  if (o->stop < 0 && o->log.n_tokens > 0) /* tokens without text */
    send(o, &(struct al_text_event){ .kind = AL_TEXT_DELTA, .text = al_str("") });
  return o->lost ? al_fail_oom(err, o->answer.size) : AL_OK;
}

/* --- what came -------------------------------------------------------------------------------------------------- */

const char *al_output_stop(const struct al_output *o)
{
  return o->stop >= 0 ? o->options.request->stop[o->stop] : nullptr;
}

struct al_str al_output_answer(const struct al_output *o)
{
  return al_buf_view(&o->answer);
}

int al_output_n_reasoning(const struct al_output *o)
{
  return o->n_reasoning;
}

int al_output_n_calls(const struct al_output *o)
{
  return o->n_calls;
}

bool al_output_has_all_calls(const struct al_output *o)
{
  return o->parser != nullptr && al_syntax_parser_is_done(o->parser);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

AL_DEFINE_CLEANUP(struct al_output, al_output_free)

enum al_code al_output_new(const struct al_output_options *options, struct al_output **output, struct al_err *err)
{
  AL_CLEANUP(al_output_free_p) struct al_output *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->options = *options;
  made->stop = -1;
  al_buf_init(&made->text, TEXT_CAP);
  al_buf_init(&made->answer_text, TEXT_CAP);
  al_buf_init(&made->answer, TEXT_CAP);
  AL_TRY(al_stop_new(options->request->stop, options->request->n_stop, &made->filter, err));
  if (options->syntax != nullptr) {
    AL_TRY(al_stop_new(nullptr, 0, &made->characters, err));
    AL_TRY(al_syntax_parser_new(options->syntax, options->syntax_request, on_syntax_event, made, &made->parser, err));
  }
  *output = AL_TAKE(made);
  return AL_OK;
}

void al_output_free(struct al_output *output)
{
  if (output == nullptr)
    return;
  al_syntax_parser_free(output->parser);
  al_stop_free(output->characters);
  al_stop_free(output->filter);
  al_buf_done(&output->text);
  al_buf_done(&output->answer_text);
  al_buf_done(&output->answer);
  al_token_log_done(&output->log);
  al_free(output);
}
