/* What libwhisper has written, segment by segment, as the sink wants it: times from the start of the audio, text of
 * whole characters, words. */
#ifndef AL_ENGINE_WHISPER_SEGMENT_H
#define AL_ENGINE_WHISPER_SEGMENT_H

#include "base/buf.h"
#include "engine/whisper/model.h"

/* Kept from segment to segment. */
struct al_whisper_segments {
  bool wants_words;
  bool words_have_spaces; /* the language writes them; otherwise each character or so is a word */
  int next_id;
  char carried[4]; /* bytes of a character whose end is in the next segment */
  size_t n_carried;

  /* Of one segment, used again for the next. */
  struct al_buf text;       /* as sent */
  struct al_buf raw;        /* as libwhisper has it */
  struct al_buf word_texts; /* one after the other */
  int32_t *tokens;
  size_t tokens_capacity;
  struct al_speech_word *words;
  size_t words_capacity;
};

void al_whisper_segments_done(struct al_whisper_segments *segments);

struct al_whisper_where { /* a segment of the state, and where its audio begins */
  struct whisper_context *context;
  struct whisper_state *state;
  int index;
  double offset_s;
  float temperature;
  bool is_untimed; /* written without timestamps: it is a whole window */
  bool is_last;    /* nothing will follow: half a character is not waited for */
};

/* *waits: the text ends within a character and the next segment has the rest; nothing is made then until there is a
 * next, whose index + 1 is known. The segment is borrowed until the next call. */
enum al_code al_whisper_segment_make(struct al_whisper_segments *segments, const struct al_whisper_where *where,
                                     struct al_speech_segment *segment, struct al_err *err);

/* Does its text end within a character? */
bool al_whisper_segment_is_cut(const struct al_whisper_where *where);

/* Chinese, Japanese, Thai and the like write no spaces between words. */
bool al_whisper_writes_spaces(const char *language);

#endif
