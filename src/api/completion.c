#include "api/completion.h"

#include "api/logprobs.h"
#include "codec/utf8.h"

#include <assert.h>
#include <math.h>

static struct al_api_completion *completion_of(struct al_api_generation *generation)
{
  return (struct al_api_completion *)generation;
}

static const char *finish_name(const struct al_api_completion *completion, enum al_finish finish)
{
  return finish == AL_FINISH_LENGTH || completion->drops_answer ? "length" : "stop";
}

/* --- probabilities ----------------------------------------------------------------------------------------------- */

/* Tokens that are part of a character only are written as OpenAI writes them: "bytes:\xe2\x82". */
static void write_token(struct al_buf *out, struct al_str bytes)
{
  struct al_json_writer w = al_json_writer(out);
  if (al_utf8_valid(bytes)) {
    al_jw_str_n(&w, bytes);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_str(&text, "bytes:");
  for (size_t i = 0; i < bytes.size; i++)
    al_buf_printf(&text, "\\x%02x", (unsigned char)bytes.data[i]);
  out->failed |= text.failed;
  al_jw_str_n(&w, al_buf_view(&text));
}

/* Two tokens may have the same text, but an object has each key once: the likelier one stands. */
static bool is_taken(const struct al_text_token *token, size_t n_written, struct al_str bytes)
{
  for (size_t i = 0; i < n_written; i++)
    if (al_str_eq(token->top[i].bytes, bytes))
      return true;
  return false;
}

static void write_member(struct al_buf *out, const struct al_text_logprob *token)
{
  if (out->size > 0 && out->data[out->size - 1] != '{')
    al_buf_char(out, ',');
  write_token(out, token->bytes);
  al_buf_char(out, ':');
  struct al_json_writer w = al_json_writer(out);
  al_jw_real(&w, al_api_logprob_value(token->logprob));
}

/* The chosen token is always among them. */
static void write_top(struct al_buf *out, const struct al_text_token *token)
{
  if (isnan(token->chosen.logprob)) { /* the first token of a prompt follows nothing */
    al_buf_str(out, "null");
    return;
  }
  al_buf_char(out, '{');
  for (size_t i = 0; i < token->n_top; i++)
    if (!is_taken(token, i, token->top[i].bytes))
      write_member(out, &token->top[i]);
  if (!is_taken(token, token->n_top, token->chosen.bytes))
    write_member(out, &token->chosen);
  al_buf_char(out, '}');
}

static size_t n_chars(struct al_str text)
{
  size_t count = 0;
  for (size_t i = 0; i < text.size; i++)
    count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
  return count;
}

static void add_token(struct al_api_legacy_logprobs *logprobs, const struct al_text_token *token)
{
  struct al_buf *const bufs[] = { &logprobs->tokens, &logprobs->values, &logprobs->top, &logprobs->offsets };
  for (size_t i = 0; i < AL_COUNT(bufs) && logprobs->tokens.size > 0; i++)
    al_buf_char(bufs[i], ',');
  write_token(&logprobs->tokens, token->chosen.bytes);
  struct al_json_writer w = al_json_writer(&logprobs->values);
  if (isnan(token->chosen.logprob))
    al_jw_null(&w);
  else
    al_jw_real(&w, al_api_logprob_value(token->chosen.logprob));
  write_top(&logprobs->top, token);
  al_buf_printf(&logprobs->offsets, "%zu", logprobs->n_chars);
  logprobs->n_chars += n_chars(token->chosen.bytes);
}

static bool has_failed(const struct al_api_legacy_logprobs *logprobs)
{
  return logprobs->tokens.failed || logprobs->values.failed || logprobs->top.failed || logprobs->offsets.failed;
}

static void add_tokens(struct al_api_generation *generation, size_t choice, const struct al_text_event *event)
{
  struct al_api_legacy_logprobs *logprobs = &completion_of(generation)->logprobs[choice];
  for (size_t i = 0; i < event->n_tokens; i++) {
    add_token(logprobs, &event->tokens[i]);
    if (event->kind == AL_TEXT_PROMPT)
      continue;
    logprobs->sum += al_api_logprob_value(event->tokens[i].chosen.logprob);
    logprobs->n_tokens++;
  }
  generation->is_broken |= has_failed(logprobs);
}

static void take_tokens(struct al_api_generation *generation, const struct al_text_event *event)
{
  if (event->kind == AL_TEXT_DELTA && !completion_of(generation)->drops_answer)
    add_tokens(generation, (size_t)event->choice, event);
  for (size_t i = 0; i < generation->n_choices && event->kind == AL_TEXT_PROMPT; i++)
    add_tokens(generation, i, event);
}

static void write_logprobs(struct al_json_writer *w, const struct al_api_completion *completion, size_t choice)
{
  al_jw_key(w, "logprobs");
  if (!completion->shows_logprobs) {
    al_jw_null(w);
    return;
  }
  const struct al_api_legacy_logprobs *logprobs = &completion->logprobs[choice];
  const struct {
    const char *key;
    const struct al_buf *elements;
  } arrays[] = { { "tokens", &logprobs->tokens },
                 { "token_logprobs", &logprobs->values },
                 { "top_logprobs", &logprobs->top },
                 { "text_offset", &logprobs->offsets } };
  al_jw_object(w);
  for (size_t i = 0; i < AL_COUNT(arrays); i++) {
    al_jw_key(w, arrays[i].key);
    al_jw_array(w);
    if (arrays[i].elements->size > 0)
      al_jw_raw(w, al_buf_view(arrays[i].elements));
    al_jw_end(w);
  }
  al_jw_end(w);
}

/* --- the whole answer -------------------------------------------------------------------------------------------- */

/* The best of the choices that have not been written, by the mean probability of their tokens. */
static size_t best_left(const struct al_api_completion *completion, const bool *written)
{
  size_t best = SIZE_MAX;
  double best_mean = 0;
  for (size_t i = 0; i < completion->base.n_choices; i++) {
    const struct al_api_legacy_logprobs *logprobs = &completion->logprobs[i];
    double mean = logprobs->n_tokens > 0 ? logprobs->sum / (double)logprobs->n_tokens : 0;
    if (!written[i] && (best == SIZE_MAX || mean > best_mean)) {
      best = i;
      best_mean = mean;
    }
  }
  return best;
}

static void write_choice(struct al_json_writer *w, const struct al_api_completion *completion, size_t place,
                         size_t choice)
{
  const struct al_api_choice *chosen = &completion->base.choices[choice];
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_buf_add(&text, completion->echo.data, completion->echo.size);
  al_buf_add(&text, chosen->text.data, completion->drops_answer ? completion->base.n_echoed : chosen->text.size);
  w->out->failed |= text.failed;
  al_jw_object(w);
  al_jw_kv_str_n(w, "text", al_buf_view(&text));
  al_jw_kv_int(w, "index", (int64_t)(completion->index * completion->n_shown + place));
  write_logprobs(w, completion, choice);
  al_jw_kv_str(w, "finish_reason", finish_name(completion, chosen->finish));
  al_jw_end(w);
}

/* Elements of "choices". */
static void print(struct al_api_generation *generation, struct al_buf *out)
{
  const struct al_api_completion *completion = completion_of(generation);
  bool written[AL_API_MAX_CHOICES] = {};
  assert(generation->n_choices <= AL_API_MAX_CHOICES);
  for (size_t place = 0; place < completion->n_shown; place++) {
    bool ranks = completion->n_shown < generation->n_choices;
    size_t choice = ranks ? best_left(completion, written) : place;
    written[choice] = true;
    if (place > 0)
      al_buf_char(out, ',');
    struct al_json_writer w = al_json_writer(out);
    write_choice(&w, completion, place, choice);
  }
  if (completion->drops_answer)
    generation->usage.n_completion = 0;
}

/* --- the stream -------------------------------------------------------------------------------------------------- */

static void clear(struct al_api_legacy_logprobs *logprobs)
{
  al_buf_clear(&logprobs->tokens);
  al_buf_clear(&logprobs->values);
  al_buf_clear(&logprobs->top);
  al_buf_clear(&logprobs->offsets);
}

/* With what has been gathered of the choice's probabilities since the last chunk. */
static void send_chunk(struct al_api_generation *generation, size_t choice, struct al_str text, const char *finish)
{
  struct al_api_completion *completion = completion_of(generation);
  struct al_api_legacy_logprobs *logprobs = &completion->logprobs[choice];
  al_buf_str(&generation->out, "data: ");
  struct al_json_writer w = al_json_writer(&generation->out);
  al_api_completion_join_head(&w, completion->join);
  al_jw_key(&w, "choices");
  al_jw_array(&w);
  al_jw_object(&w);
  al_jw_kv_str_n(&w, "text", text);
  al_jw_kv_int(&w, "index", (int64_t)(completion->index * completion->n_shown + choice));
  if (logprobs->tokens.size > 0)
    write_logprobs(&w, completion, choice);
  else
    al_jw_kv_null(&w, "logprobs");
  al_jw_kv_str(&w, "finish_reason", finish);
  al_jw_end(&w);
  al_jw_end(&w);
  if (generation->params.include_usage)
    al_jw_kv_null(&w, "usage");
  al_jw_end(&w);
  al_buf_str(&generation->out, "\n\n");
  generation->is_broken |= has_failed(logprobs);
  clear(logprobs);
  al_api_generation_send(generation);
}

static void stream_started(struct al_api_generation *generation)
{
  struct al_str echo = completion_of(generation)->echo;
  for (size_t i = 0; i < generation->n_choices && echo.size > 0; i++)
    send_chunk(generation, i, echo, nullptr);
}

static void stream_event(struct al_api_generation *generation, const struct al_text_event *event)
{
  const struct al_api_completion *completion = completion_of(generation);
  size_t choice = (size_t)event->choice;
  if (event->n_tokens > 0)
    take_tokens(generation, event);
  if (event->kind == AL_TEXT_CHOICE_DONE)
    send_chunk(generation, choice, al_str(""), finish_name(completion, event->finish));
  else if (event->kind == AL_TEXT_DELTA && !completion->drops_answer && (event->text.size > 0 || event->n_tokens > 0))
    send_chunk(generation, choice, event->text, nullptr);
  for (size_t i = 0; i < generation->n_choices && event->kind == AL_TEXT_PROMPT; i++)
    send_chunk(generation, i, event->text, nullptr);
}

static void stream_finished(struct al_api_generation *generation)
{
  if (completion_of(generation)->drops_answer)
    generation->usage.n_completion = 0;
}

static void stream_failed(struct al_api_generation *generation, const struct al_err *err)
{
  al_api_completion_join_fail(completion_of(generation)->join, err);
}

static void done(struct al_api_generation *generation)
{
  struct al_api_completion *completion = completion_of(generation);
  for (size_t i = 0; i < generation->n_choices && completion->logprobs != nullptr; i++) {
    al_buf_done(&completion->logprobs[i].tokens);
    al_buf_done(&completion->logprobs[i].values);
    al_buf_done(&completion->logprobs[i].top);
    al_buf_done(&completion->logprobs[i].offsets);
  }
  al_api_completion_join_unref(completion->join);
}

const struct al_api_generation_ops al_api_completion_ops = {
  .id_prefix = "cmpl-",
  .started = stream_started,
  .event = stream_event,
  .finished = stream_finished,
  .failed = stream_failed,
  .print = print,
  .take_tokens = take_tokens,
  .done = done,
};
