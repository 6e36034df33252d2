#include "inference/prompt.h"

#include "base/alloc.h"
#include "inference/text_model.h"

#include <stdckdint.h>

constexpr int64_t DEFAULT_ANSWER_ROOM = 256;

void al_prompt_done(struct al_prompt *prompt)
{
  al_free(prompt->tokens.ids);
  al_buf_done(&prompt->text);
  *prompt = (struct al_prompt){};
}

static enum al_code too_long(const struct al_loaded *loaded, size_t n_tokens, struct al_err *err)
{
  enum al_code code =
      al_fail(err, AL_INVALID_REQUEST,
              "the prompt has %zu tokens, but the context of '%s' is limited to %d tokens and one must be left for the "
              "answer; shorten the prompt, or ask for truncation",
              n_tokens, loaded->descriptor->id, loaded->info.n_ctx);
  return al_fail_reason(err, code, "context_length_exceeded");
}

static enum al_code check_fits(const struct al_loaded *loaded, const struct al_prompt_options *options, size_t n_tokens,
                               struct al_err *err)
{
  size_t n_ctx = (size_t)loaded->info.n_ctx;
  if (n_tokens == 0)
    return al_fail(err, AL_INVALID_REQUEST, "the prompt is empty: there is nothing to continue");
  return n_tokens < n_ctx + (options->max_tokens < 0) ? AL_OK : too_long(loaded, n_tokens, err);
}

static enum al_code chat_tokens(const struct al_loaded *loaded, const struct al_json *chat, struct al_prompt *prompt,
                                struct al_err *err)
{
  struct al_text_model *model;
  AL_TRY(al_text_model_of(loaded, &model, err));
  AL_TRY(al_chat_render(model->chat, chat, &prompt->text, err));
  struct al_tokens tokens = {};
  AL_TRY(al_chat_tokenize(loaded, al_buf_view(&prompt->text), &tokens, err));
  al_free(prompt->tokens.ids);
  prompt->tokens = tokens;
  return AL_OK;
}

/* --- shortening ------------------------------------------------------------------------------------------------- */

static size_t room_for_prompt(const struct al_loaded *loaded, const struct al_prompt_options *options)
{
  int64_t n_ctx = loaded->info.n_ctx;
  if (options->max_tokens < 0)
    return (size_t)n_ctx;
  int64_t answer = options->max_tokens > 0 ? options->max_tokens : DEFAULT_ANSWER_ROOM;
  return (size_t)(n_ctx - (answer < n_ctx / 4 ? answer : n_ctx / 4));
}

/* Replaces the tokens by those of the chat from its n-th possible start on. */
static enum al_code shorten_to(const struct al_loaded *loaded, const struct al_json *chat, size_t n,
                               struct al_prompt *prompt, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  al_chat_shorten(chat, n, &json);
  AL_TRY(al_buf_check(&json, err));
  AL_TRY(al_json_parse(al_buf_view(&json), &doc, err));
  return chat_tokens(loaded, al_json_root(doc), prompt, err);
}

/* Drops as few of the oldest turns as make the rest fit, found by bisection: a chat of ten thousand turns is rendered
 * fourteen times, not ten thousand. The last turn always stays. */
static enum al_code truncate(const struct al_loaded *loaded, const struct al_prompt_options *options,
                             struct al_prompt *prompt, struct al_err *err)
{
  const struct al_json *chat = options->chat;
  size_t room = room_for_prompt(loaded, options), n_starts = al_chat_n_starts(chat);
  if (n_starts < 2)
    return AL_OK;
  size_t least = 1, most = n_starts - 1, tried = 0; /* the smallest start that fits lies in [least, most] */
  while (least < most) {
    tried = least + (most - least) / 2;
    AL_TRY(shorten_to(loaded, chat, tried, prompt, err));
    if (prompt->tokens.count > room)
      least = tried + 1;
    else
      most = tried;
  }
  return tried == most ? AL_OK : shorten_to(loaded, chat, most, prompt, err);
}

/* A plain prompt keeps its end. */
static void cut_front(const struct al_loaded *loaded, const struct al_prompt_options *options, struct al_tokens *tokens)
{
  size_t room = room_for_prompt(loaded, options);
  if (tokens->ids == nullptr || tokens->count <= room)
    return;
  memmove(tokens->ids, tokens->ids + (tokens->count - room), room * sizeof *tokens->ids);
  tokens->count = room;
}

/* --- prompts that are no text ----------------------------------------------------------------------------------- */

static enum al_code make_tokens(size_t count, struct al_tokens *tokens, struct al_err *err)
{
  size_t n_bytes;
  if (ckd_mul(&n_bytes, count, sizeof *tokens->ids) || (tokens->ids = al_alloc(n_bytes)) == nullptr)
    return al_fail_oom(err, count);
  tokens->count = count;
  return AL_OK;
}

static enum al_code copy_tokens(const struct al_loaded *loaded, struct al_token_span span, struct al_tokens *tokens,
                                struct al_err *err)
{
  for (size_t i = 0; i < span.count; i++)
    if (span.ids[i] < 0 || span.ids[i] >= loaded->info.n_vocab)
      return al_fail_param(err, "prompt", "%d is no token of '%s', which has %d", span.ids[i], loaded->descriptor->id,
                           loaded->info.n_vocab);
  AL_TRY(make_tokens(span.count, tokens, err));
  memcpy(tokens->ids, span.ids, span.count * sizeof *tokens->ids);
  return AL_OK;
}

static void tokens_done(struct al_tokens *tokens)
{
  al_free(tokens->ids);
}

static int32_t *put(int32_t *at, const struct al_tokens *tokens)
{
  if (tokens->count > 0)
    memcpy(at, tokens->ids, tokens->count * sizeof *at);
  return at + tokens->count;
}

/* Bavarian et al. 2022 (arXiv:2207.14255), section 3, in the order prefix, suffix, middle. */
static enum al_code fill_in_the_middle(const struct al_loaded *loaded, const struct al_prompt_options *options,
                                       struct al_tokens *tokens, struct al_err *err)
{
  const struct al_text_info *info = &loaded->info;
  if (info->fim_prefix < 0 || info->fim_suffix < 0 || info->fim_middle < 0) {
    (void)al_fail_param(err, "suffix", "'%s' does not fill in the middle: it has no tokens for it",
                        loaded->descriptor->id);
    if (err != nullptr)
      err->code = AL_UNSUPPORTED;
    return AL_UNSUPPORTED;
  }
  AL_CLEANUP(tokens_done) struct al_tokens start = {}, before = {}, behind = {};
  AL_TRY(al_text_tokenize(loaded, al_str(""), AL_TOKENIZE_BOS, &start, err));
  AL_TRY(al_text_tokenize(loaded, options->text, 0, &before, err));
  AL_TRY(al_text_tokenize(loaded, options->suffix, 0, &behind, err));
  start.count = info->add_bos ? al_min_size(start.count, 1) : 0; /* without what stands at an end */
  AL_TRY(make_tokens(start.count + before.count + behind.count + 3, tokens, err));
  int32_t *at = put(tokens->ids, &start);
  *at++ = info->fim_prefix;
  at = put(at, &before);
  *at++ = info->fim_suffix;
  at = put(at, &behind);
  *at = info->fim_middle;
  return AL_OK;
}

enum al_code al_prompt_prepare(const struct al_loaded *loaded, const struct al_prompt_options *options,
                               struct al_prompt *prompt, struct al_err *err)
{
  AL_CLEANUP(al_prompt_done) struct al_prompt made = {};
  bool is_chat = options->chat != nullptr;
  if (is_chat)
    AL_TRY(chat_tokens(loaded, options->chat, &made, err));
  else if (options->tokens.count > 0)
    AL_TRY(copy_tokens(loaded, options->tokens, &made.tokens, err));
  else if (options->suffix.data != nullptr)
    AL_TRY(fill_in_the_middle(loaded, options, &made.tokens, err));
  else
    AL_TRY(al_chat_tokenize(loaded, options->text, &made.tokens, err));
  bool may_cut = options->truncate && (is_chat || options->suffix.data == nullptr);
  if (may_cut && made.tokens.count >= (size_t)loaded->info.n_ctx) {
    if (is_chat)
      AL_TRY(truncate(loaded, options, &made, err));
    else
      cut_front(loaded, options, &made.tokens);
  }
  AL_TRY(check_fits(loaded, options, made.tokens.count, err));
  *prompt = made;
  made = (struct al_prompt){};
  return AL_OK;
}
