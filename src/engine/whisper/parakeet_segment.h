/* What libparakeet has written, a sentence a segment: its own segments are whole pieces. */
#ifndef AL_ENGINE_WHISPER_PARAKEET_SEGMENT_H
#define AL_ENGINE_WHISPER_PARAKEET_SEGMENT_H

#include "base/buf.h"
#include "engine/whisper/parakeet_model.h"

/* Kept from segment to segment. */
struct al_parakeet_segments {
  bool wants_words;
  bool has_text; /* something was written: a word brings its space */
  int next_id;
  double last_s; /* where the last ended */

  /* Of one segment, used again for the next. */
  struct al_buf raw, text, word_texts;
  int32_t *tokens;
  size_t tokens_capacity;
  struct al_speech_word *words;
  size_t words_capacity;
};

void al_parakeet_segments_done(struct al_parakeet_segments *segments);

struct al_parakeet_where { /* the piece that the state holds, and where it lies in the audio */
  struct parakeet_context *context;
  struct parakeet_state *state;
  int n_tokens; /* of the piece, that count */
  double offset_s, end_s;
};

/* The token behind the sentence that begins with `first`. */
int al_parakeet_sentence_end(const struct al_parakeet_where *where, int first);

/* Of the tokens first .. end - 1. The segment is borrowed until the next call; its text may be empty. */
enum al_code al_parakeet_segment_make(struct al_parakeet_segments *segments, const struct al_parakeet_where *where,
                                      int first, int end, struct al_speech_segment *segment, struct al_err *err);

static inline parakeet_token_data al_parakeet_token(const struct al_parakeet_where *where, int index)
{
  return parakeet_full_get_token_data_from_state(where->state, 0, index);
}

#endif
