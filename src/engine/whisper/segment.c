#include "engine/whisper/segment.h"

#include "base/alloc.h"
#include "codec/unicode.h"
#include "codec/utf8.h"
#include "engine/whisper/text_measures.h"

constexpr double S_PER_TICK = 0.01;
constexpr int64_t TICKS_PER_WINDOW = INT64_C(100) * WHISPER_CHUNK_SIZE;

void al_whisper_segments_done(struct al_whisper_segments *s)
{
  al_buf_done(&s->text);
  al_buf_done(&s->raw);
  al_buf_done(&s->word_texts);
  al_free(s->tokens);
  al_free(s->words);
  *s = (struct al_whisper_segments){};
}

bool al_whisper_writes_spaces(const char *language)
{
  static const char *const without[] = { "zh", "ja", "th", "lo", "my", "yue" };
  for (size_t i = 0; i < AL_COUNT(without); i++)
    if (al_streq(language, without[i]))
      return false;
  return true;
}

static struct al_str text_of(const struct al_whisper_where *where)
{
  return al_str(whisper_full_get_segment_text_from_state(where->state, where->index));
}

bool al_whisper_segment_is_cut(const struct al_whisper_where *where)
{
  return al_utf8_incomplete_tail(text_of(where)) > 0;
}

/* The text, with what the segment before has left, and without what the next will begin with. */
static enum al_code make_text(struct al_whisper_segments *s, const struct al_whisper_where *where, struct al_err *err)
{
  al_buf_clear(&s->raw);
  al_buf_clear(&s->text);
  struct al_str own = text_of(where);
  al_buf_add(&s->raw, s->carried, s->n_carried);
  al_buf_add(&s->raw, own.data, own.size);
  AL_TRY(al_buf_check(&s->raw, err));
  size_t tail = where->is_last ? 0 : al_utf8_incomplete_tail(al_buf_view(&s->raw));
  al_utf8_sanitize(al_str_n(s->raw.data != nullptr ? s->raw.data : "", s->raw.size - tail), &s->text);
  return al_buf_check(&s->text, err);
}

static void carry(struct al_whisper_segments *s, const struct al_whisper_where *where)
{
  s->n_carried = where->is_last ? 0 : al_utf8_incomplete_tail(al_buf_view(&s->raw));
  memcpy(s->carried, s->raw.data != nullptr ? s->raw.data + (s->raw.size - s->n_carried) : "", s->n_carried);
}

/* A word while its tokens come in. */
struct open_word {
  size_t at; /* in `raw`, which holds the bytes of the word so far */
  double start_s, end_s;
  double sum_p;
  int n_tokens;
};

static bool begins_with_space(struct al_str text)
{
  return text.size > 0 && text.data[0] == ' ';
}

static bool is_punctuation(struct al_str text)
{
  while (text.size > 0) {
    uint32_t c = 0;
    size_t n = al_utf8_decode(text, &c);
    if (c == AL_UTF8_INVALID || !al_unicode_is_punctuation(c))
      return false;
    text = al_str_n(text.data + n, text.size - n);
  }
  return true;
}

/* Does a token with this text begin a new word? */
static bool begins_word(const struct al_whisper_segments *s, struct al_str so_far, struct al_str text)
{
  if (al_whisper_trimmed(so_far).size == 0 || al_utf8_incomplete_tail(so_far) > 0)
    return false;
  return begins_with_space(text) || (!s->words_have_spaces && !is_punctuation(text));
}

/* Texts move while the buffer grows: until the end a word's text is where it begins. */
static enum al_code close_word(struct al_whisper_segments *s, const struct open_word *open, size_t *n_words,
                               struct al_err *err)
{
  struct al_str text = al_whisper_trimmed(al_buf_view(&s->raw));
  if (text.size == 0)
    return AL_OK;
  void *words = s->words;
  AL_TRY(al_grow(&words, &s->words_capacity, *n_words + 1, sizeof *s->words, err));
  s->words = words;
  size_t before = s->word_texts.size;
  al_utf8_sanitize(text, &s->word_texts);
  double start =
      *n_words > 0 && s->words[*n_words - 1].end_s > open->start_s ? s->words[*n_words - 1].end_s : open->start_s;
  s->words[(*n_words)++] = (struct al_speech_word){
    .text = { nullptr, s->word_texts.size - before },
    .start_s = start,
    .end_s = open->end_s > start ? open->end_s : start,
    .probability = open->n_tokens > 0 ? (float)(open->sum_p / open->n_tokens) : 0,
  };
  return al_buf_check(&s->word_texts, err);
}

static void add_token(struct al_whisper_segments *s, const struct al_whisper_where *where,
                      const whisper_token_data *token, struct al_str text, struct open_word *open)
{
  double start = where->offset_s + (double)token->t0 * S_PER_TICK;
  double end = where->offset_s + (double)token->t1 * S_PER_TICK;
  if (open->n_tokens == 0)
    open->start_s = start;
  open->end_s = end;
  open->sum_p += (double)token->p;
  open->n_tokens++;
  al_buf_add(&s->raw, text.data, text.size);
}

/* `raw` holds the word that is being put together. */
static enum al_code make_words(struct al_whisper_segments *s, const struct al_whisper_where *where,
                               struct al_speech_segment *segment, struct al_err *err)
{
  size_t n_words = 0;
  struct open_word open = {};
  whisper_token end = whisper_token_eot(where->context);
  al_buf_clear(&s->raw);
  al_buf_clear(&s->word_texts);
  int n = whisper_full_n_tokens_from_state(where->state, where->index);
  for (int i = 0; i < n; i++) {
    whisper_token_data token = whisper_full_get_token_data_from_state(where->state, where->index, i);
    if (token.id >= end)
      continue;
    struct al_str text = al_str(whisper_token_to_str(where->context, token.id));
    if (begins_word(s, al_buf_view(&s->raw), text)) {
      AL_TRY(close_word(s, &open, &n_words, err));
      al_buf_clear(&s->raw);
      open = (struct open_word){};
    }
    add_token(s, where, &token, text, &open);
  }
  AL_TRY(al_buf_check(&s->raw, err));
  AL_TRY(close_word(s, &open, &n_words, err));
  size_t at = 0;
  for (size_t i = 0; i < n_words; i++) {
    s->words[i].text.data = s->word_texts.data + at;
    at += s->words[i].text.size;
  }
  segment->words = s->words;
  segment->n_words = n_words;
  return AL_OK;
}

/* The logarithm's mean is over the segment's own tokens; OpenAI's is over its window's. */
static enum al_code make_tokens(struct al_whisper_segments *s, const struct al_whisper_where *where,
                                struct al_speech_segment *segment, struct al_err *err)
{
  int n = whisper_full_n_tokens_from_state(where->state, where->index);
  void *tokens = s->tokens;
  AL_TRY(al_grow(&tokens, &s->tokens_capacity, (size_t)n, sizeof *s->tokens, err));
  s->tokens = tokens;
  double sum = 0;
  for (int i = 0; i < n; i++) {
    whisper_token_data token = whisper_full_get_token_data_from_state(where->state, where->index, i);
    s->tokens[i] = token.id;
    sum += (double)token.plog;
  }
  segment->tokens = s->tokens;
  segment->n_tokens = (size_t)n;
  segment->avg_logprob = n > 0 ? (float)(sum / n) : 0;
  return AL_OK;
}

enum al_code al_whisper_segment_make(struct al_whisper_segments *s, const struct al_whisper_where *where,
                                     struct al_speech_segment *out, struct al_err *err)
{
  int64_t t0 = whisper_full_get_segment_t0_from_state(where->state, where->index);
  int64_t t1 = whisper_full_get_segment_t1_from_state(where->state, where->index);
  if (where->is_untimed) /* libwhisper's start is then that of a token that was not written */
    t0 = t1 - TICKS_PER_WINDOW;
  t0 = t0 > 0 ? t0 : 0;
  *out = (struct al_speech_segment){
    .id = s->next_id,
    .start_s = where->offset_s + (double)t0 * S_PER_TICK,
    .end_s = where->offset_s + (double)(t1 > t0 ? t1 : t0) * S_PER_TICK,
    .temperature = where->temperature,
    .no_speech_prob = whisper_full_get_segment_no_speech_prob_from_state(where->state, where->index),
  };
  AL_TRY(make_text(s, where, err));
  carry(s, where);
  out->text = al_buf_view(&s->text);
  AL_TRY(make_tokens(s, where, out, err));
  AL_TRY(al_whisper_compression_ratio(out->text, &out->compression_ratio, err));
  if (s->wants_words)
    AL_TRY(make_words(s, where, out, err));
  s->next_id++;
  return AL_OK;
}
