#include "inference/prompt.h"

#include "base/alloc.h"

constexpr int64_t DEFAULT_ANSWER_ROOM = 256;

static enum al_code too_long(const struct al_loaded *loaded, size_t n_tokens, struct al_err *err)
{
  enum al_code code =
      al_fail(err, AL_INVALID_REQUEST,
              "the prompt has %zu tokens, but the context of '%s' is limited to %d tokens and one must be left for the "
              "answer; shorten the prompt, or ask for truncation",
              n_tokens, loaded->descriptor->id, loaded->info.n_ctx);
  return al_fail_reason(err, code, "context_length_exceeded");
}

static enum al_code check_fits(const struct al_loaded *loaded, size_t n_tokens, struct al_err *err)
{
  if (n_tokens == 0)
    return al_fail(err, AL_INVALID_REQUEST, "the prompt is empty: there is nothing to continue");
  return n_tokens < (size_t)loaded->info.n_ctx ? AL_OK : too_long(loaded, n_tokens, err);
}

static enum al_code chat_tokens(const struct al_loaded *loaded, struct al_str json, struct al_tokens *tokens,
                                struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(al_json_parse(json, &doc, err));
  AL_TRY(al_chat_render(loaded->attachment, al_json_root(doc), &text, err));
  return al_chat_tokenize(loaded, al_buf_view(&text), tokens, err);
}

static size_t room_for_prompt(const struct al_loaded *loaded, const struct al_prompt_options *options)
{
  int64_t n_ctx = loaded->info.n_ctx;
  int64_t answer = options->max_tokens > 0 ? options->max_tokens : DEFAULT_ANSWER_ROOM;
  return (size_t)(n_ctx - (answer < n_ctx / 4 ? answer : n_ctx / 4));
}

/* Replaces the tokens by those of the chat from its n-th possible start on. */
static enum al_code shorten_to(const struct al_loaded *loaded, const struct al_json *chat, size_t n,
                               struct al_tokens *tokens, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  struct al_tokens shorter = {};
  al_chat_shorten(chat, n, &json);
  AL_TRY(al_buf_check(&json, err));
  AL_TRY(chat_tokens(loaded, al_buf_view(&json), &shorter, err));
  al_free(tokens->ids);
  *tokens = shorter;
  return AL_OK;
}

/* Drops as few of the oldest turns as make the rest fit, found by bisection: a chat of ten thousand turns is rendered
 * fourteen times, not ten thousand. The last turn always stays. */
static enum al_code truncate(const struct al_loaded *loaded, const struct al_prompt_options *options,
                             struct al_tokens *tokens, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_TRY(al_json_parse(options->chat, &doc, err));
  const struct al_json *chat = al_json_root(doc);
  size_t room = room_for_prompt(loaded, options), n_starts = al_chat_n_starts(chat);
  if (n_starts < 2)
    return AL_OK;
  size_t least = 1, most = n_starts - 1, tried = 0; /* the smallest start that fits lies in [least, most] */
  while (least < most) {
    tried = least + (most - least) / 2;
    AL_TRY(shorten_to(loaded, chat, tried, tokens, err));
    if (tokens->count > room)
      least = tried + 1;
    else
      most = tried;
  }
  return tried == most ? AL_OK : shorten_to(loaded, chat, most, tokens, err);
}

/* A plain prompt keeps its end. */
static void cut_front(const struct al_loaded *loaded, const struct al_prompt_options *options, struct al_tokens *tokens)
{
  size_t room = room_for_prompt(loaded, options);
  if (tokens->count <= room)
    return;
  memmove(tokens->ids, tokens->ids + (tokens->count - room), room * sizeof *tokens->ids);
  tokens->count = room;
}

static void tokens_done(struct al_tokens *tokens)
{
  al_free(tokens->ids);
}

enum al_code al_prompt_prepare(const struct al_loaded *loaded, const struct al_prompt_options *options,
                               struct al_tokens *tokens, struct al_err *err)
{
  AL_CLEANUP(tokens_done) struct al_tokens made = {};
  bool is_chat = options->chat.data != nullptr;
  if (is_chat)
    AL_TRY(chat_tokens(loaded, options->chat, &made, err));
  else
    AL_TRY(al_chat_tokenize(loaded, options->text, &made, err));
  if (options->truncate && made.count >= (size_t)loaded->info.n_ctx) {
    if (is_chat)
      AL_TRY(truncate(loaded, options, &made, err));
    else
      cut_front(loaded, options, &made);
  }
  AL_TRY(check_fits(loaded, made.count, err));
  *tokens = made;
  made = (struct al_tokens){};
  return AL_OK;
}
