#include "engine/whisper/prompt.h"

#include "base/alloc.h"
#include "codec/utf8.h"

#include <stdio.h>

/* libwhisper splits text by a regular expression whose matching is recursive: a long word would overflow the stack. So
 * it gets one word at a time; what is longer is cut. */
constexpr size_t MAX_WORD_BYTES = 256;
constexpr size_t MAX_TEXT_BYTES = 16 << 10; /* the end of a longer prompt: far more than a model looks back */

enum al_code al_whisper_past_init(struct al_whisper_past *past, struct whisper_context *context, struct al_err *err)
{
  *past = (struct al_whisper_past){ .most = (size_t)whisper_n_text_ctx(context) / 2 };
  past->tokens = al_calloc(past->most, sizeof *past->tokens);
  return past->tokens != nullptr ? AL_OK : al_fail_oom(err, past->most * sizeof *past->tokens);
}

void al_whisper_past_done(struct al_whisper_past *past)
{
  al_free(past->tokens);
  *past = (struct al_whisper_past){};
}

void al_whisper_past_add(struct al_whisper_past *past, const whisper_token *tokens, size_t count)
{
  if (count > past->most) {
    tokens += count - past->most;
    count = past->most;
  }
  size_t kept = al_min_size(past->count, past->most - count);
  memmove(past->tokens, past->tokens + (past->count - kept), kept * sizeof *past->tokens);
  memcpy(past->tokens + kept, tokens, count * sizeof *tokens);
  past->count = kept + count;
}

static bool is_space(char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Up to a space that begins the next word: libwhisper's expression never reaches across one. */
static size_t word_size(const char *text)
{
  size_t n = 1;
  while (text[n] != '\0' && n < MAX_WORD_BYTES && !(text[n] == ' ' && text[n + 1] != '\0' && !is_space(text[n + 1])))
    n++;
  return n < MAX_WORD_BYTES ? n : n - al_utf8_incomplete_tail(al_str_n(text, n));
}

void al_whisper_past_add_text(struct al_whisper_past *past, struct whisper_context *context, const char *text)
{
  size_t size = strlen(text);
  if (size > MAX_TEXT_BYTES) {
    text += size - MAX_TEXT_BYTES;
    while (((unsigned char)*text & 0xc0U) == 0x80)
      text++;
  }
  while (*text != '\0') {
    char word[MAX_WORD_BYTES + 1];
    whisper_token tokens[MAX_WORD_BYTES];
    size_t n = word_size(text);
    memcpy(word, text, n);
    word[n] = '\0';
    int count = whisper_tokenize(context, word, tokens, (int)AL_COUNT(tokens));
    if (count > 0)
      al_whisper_past_add(past, tokens, (size_t)count);
    text += n;
  }
}
