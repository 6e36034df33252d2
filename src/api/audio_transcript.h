/* What was heard, in the form that the client asked for: segments in, pieces of the answer and the whole of it out.
 * No I/O. Owner: the transcription; not thread-safe. */
#ifndef AL_API_AUDIO_TRANSCRIPT_H
#define AL_API_AUDIO_TRANSCRIPT_H

#include "codec/json.h"
#include "inference/audio.h"

enum al_transcript_format {
  AL_TRANSCRIPT_JSON,
  AL_TRANSCRIPT_TEXT,
  AL_TRANSCRIPT_SRT,
  AL_TRANSCRIPT_VERBOSE_JSON,
  AL_TRANSCRIPT_VTT,
  AL_TRANSCRIPT_FORMAT_COUNT
};

/* OpenAI's response_format. AL_TRANSCRIPT_FORMAT_COUNT: no such format. */
enum al_transcript_format al_transcript_format_parse(struct al_str name);
const char *al_transcript_content_type(enum al_transcript_format format);

struct al_transcript {
  enum al_transcript_format format;
  bool is_translation;
  bool wants_segments, wants_words; /* of verbose_json */
  bool is_truncated;                /* set at the end: the file broke off */
  /* private */
  struct al_buf text;            /* plain, or the cues so far */
  struct al_buf segments, words; /* elements of JSON arrays, without their brackets */
  size_t n_told;                 /* bytes of the text that al_transcript_next has given */
  int n_cues;
};

/* The three choices are the caller's to set before. */
void al_transcript_init(struct al_transcript *transcript);
void al_transcript_done(struct al_transcript *transcript);

void al_transcript_add(struct al_transcript *transcript, const struct al_speech_segment *segment);
/* What has come since the last call; the pieces together are al_transcript_text. Borrowed until the next add. */
struct al_str al_transcript_next(struct al_transcript *transcript);
/* All of it: the text without surrounding space, or the file of cues. Borrowed. */
struct al_str al_transcript_text(const struct al_transcript *transcript);
/* The whole answer. A failure of memory shows in `out`. */
void al_transcript_print(const struct al_transcript *transcript, const struct al_transcribe_result *result,
                         struct al_buf *out);
/* The members of verbose_json but for text and usage, into an object that is open. */
void al_transcript_write_verbose(struct al_json_writer *w, const struct al_transcript *transcript,
                                 const struct al_transcribe_result *result);
enum al_code al_transcript_check(const struct al_transcript *transcript, struct al_err *err); /* memory */

/* A time as JSON: in thousandths, never negative, never NaN. */
double al_transcript_seconds(double seconds);

/* "english" for "en", as OpenAI's API names languages; the code itself when it is not known. */
const char *al_language_name(const char *code);

#endif
