#include "engine/whisper/parakeet_segment.h"

#include "base/alloc.h"
#include "codec/utf8.h"
#include "engine/whisper/text_measures.h"

#include <math.h>

constexpr double S_PER_TICK = 0.01;
constexpr double LEAST_PROBABILITY = 1e-10;

void al_parakeet_segments_done(struct al_parakeet_segments *s)
{
  al_buf_done(&s->raw);
  al_buf_done(&s->text);
  al_buf_done(&s->word_texts);
  al_free(s->tokens);
  al_free(s->words);
  *s = (struct al_parakeet_segments){};
}

static bool ends_sentence(struct al_str piece)
{
  return piece.size > 0 && strchr(".?!", piece.data[piece.size - 1]) != nullptr;
}

int al_parakeet_sentence_end(const struct al_parakeet_where *where, int first)
{
  for (int i = first; i + 1 < where->n_tokens; i++) {
    parakeet_token id = al_parakeet_token(where, i).id;
    if (ends_sentence(al_str(parakeet_token_to_str(where->context, id))) &&
        al_parakeet_token(where, i + 1).is_word_start)
      return i + 1;
  }
  return where->n_tokens;
}

/* libparakeet takes the exponentials of the outputs as they are, which can overflow. */
static double probability(const parakeet_token_data *token)
{
  double p = (double)token->p;
  return p >= LEAST_PROBABILITY ? fmin(p, 1) : LEAST_PROBABILITY;
}

static double place(const struct al_parakeet_where *where, int64_t tick)
{
  return fmin(where->offset_s + (double)tick * S_PER_TICK, where->end_s);
}

static enum al_code add_piece(struct al_parakeet_segments *s, const struct al_parakeet_where *where, parakeet_token id,
                              struct al_err *err)
{
  const char *piece = parakeet_token_to_str(where->context, id);
  if (piece == nullptr)
    return AL_OK;
  int size = parakeet_token_to_text(piece, !s->has_text, nullptr, 0);
  char *room = size > 0 ? al_buf_room(&s->raw, (size_t)size + 1) : nullptr;
  if (size <= 0)
    return AL_OK;
  if (room == nullptr)
    return al_fail_oom(err, (size_t)size);
  (void)parakeet_token_to_text(piece, !s->has_text, room, size + 1);
  al_buf_grew(&s->raw, (size_t)size);
  s->has_text = true;
  return AL_OK;
}

/* A word while its tokens come in; `raw` holds it from `at` on. */
struct open_word {
  size_t at;
  double start_s, end_s, sum_p;
  int n_tokens;
};

/* Texts move while the buffer grows: until the end a word's text is only its length. */
static enum al_code close_word(struct al_parakeet_segments *s, const struct open_word *open, size_t *n_words,
                               struct al_err *err)
{
  struct al_str raw = al_buf_view(&s->raw);
  struct al_str text = al_whisper_trimmed(al_str_n(raw.data + open->at, raw.size - open->at));
  if (text.size == 0)
    return AL_OK;
  void *words = s->words;
  AL_TRY(al_grow(&words, &s->words_capacity, *n_words + 1, sizeof *s->words, err));
  s->words = words;
  size_t before = s->word_texts.size;
  al_utf8_sanitize(text, &s->word_texts);
  s->words[(*n_words)++] = (struct al_speech_word){
    .text = { nullptr, s->word_texts.size - before },
    .start_s = open->start_s,
    .end_s = fmax(open->start_s, open->end_s),
    .probability = (float)(open->sum_p / open->n_tokens),
  };
  return al_buf_check(&s->word_texts, err);
}

static void place_words(struct al_parakeet_segments *s, size_t n_words, struct al_speech_segment *segment)
{
  size_t at = 0;
  for (size_t i = 0; i < n_words; i++) {
    s->words[i].text.data = s->word_texts.data + at;
    at += s->words[i].text.size;
  }
  segment->words = s->words;
  segment->n_words = n_words;
}

/* Text, tokens and words in one go. */
static enum al_code take_tokens(struct al_parakeet_segments *s, const struct al_parakeet_where *where, int first,
                                int end, struct al_speech_segment *segment, struct al_err *err)
{
  struct open_word open = {};
  size_t n_words = 0;
  double sum = 0;
  for (int i = first; i < end; i++) {
    parakeet_token_data token = al_parakeet_token(where, i);
    if (open.n_tokens > 0 && token.is_word_start) {
      AL_TRY(close_word(s, &open, &n_words, err));
      open = (struct open_word){ .at = s->raw.size };
    }
    AL_TRY(add_piece(s, where, token.id, err));
    if (open.n_tokens++ == 0)
      open.start_s = place(where, token.t0);
    open.end_s = place(where, token.t1);
    open.sum_p += probability(&token);
    sum += log(probability(&token));
    s->tokens[i - first] = token.id;
  }
  if (open.n_tokens > 0)
    AL_TRY(close_word(s, &open, &n_words, err));
  segment->avg_logprob = (float)(sum / (end - first));
  if (s->wants_words)
    place_words(s, n_words, segment);
  return AL_OK;
}

enum al_code al_parakeet_segment_make(struct al_parakeet_segments *s, const struct al_parakeet_where *where, int first,
                                      int end, struct al_speech_segment *out, struct al_err *err)
{
  al_buf_clear(&s->raw);
  al_buf_clear(&s->text);
  al_buf_clear(&s->word_texts);
  void *tokens = s->tokens;
  AL_TRY(al_grow(&tokens, &s->tokens_capacity, (size_t)(end - first), sizeof *s->tokens, err));
  s->tokens = tokens;
  *out = (struct al_speech_segment){ .id = s->next_id, .tokens = s->tokens, .n_tokens = (size_t)(end - first) };
  out->start_s = fmax(place(where, al_parakeet_token(where, first).t0), s->last_s);
  out->end_s = fmax(place(where, al_parakeet_token(where, end - 1).t1), out->start_s);
  AL_TRY(take_tokens(s, where, first, end, out, err));
  al_utf8_sanitize(al_buf_view(&s->raw), &s->text);
  AL_TRY(al_buf_check(&s->text, err));
  out->text = al_buf_view(&s->text);
  AL_TRY(al_whisper_compression_ratio(out->text, &out->compression_ratio, err));
  if (out->text.size > 0) {
    s->next_id++;
    s->last_s = out->end_s;
  }
  return AL_OK;
}
