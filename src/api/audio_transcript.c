#include "api/audio_transcript.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

constexpr size_t CAP = (size_t)64 << 20;
constexpr double MOST_SECONDS = 999.0 * 3600; /* what a cue's time has digits for */

static const struct {
  const char *name, *content_type;
} formats[] = {
  [AL_TRANSCRIPT_JSON] = { "json", "application/json" },
  [AL_TRANSCRIPT_TEXT] = { "text", "text/plain; charset=utf-8" },
  [AL_TRANSCRIPT_SRT] = { "srt", "application/x-subrip; charset=utf-8" },
  [AL_TRANSCRIPT_VERBOSE_JSON] = { "verbose_json", "application/json" },
  [AL_TRANSCRIPT_VTT] = { "vtt", "text/vtt; charset=utf-8" },
};
static_assert(AL_COUNT(formats) == AL_TRANSCRIPT_FORMAT_COUNT);

enum al_transcript_format al_transcript_format_parse(struct al_str name)
{
  size_t i = 0;
  while (i < AL_COUNT(formats) && !al_str_is(name, formats[i].name))
    i++;
  return (enum al_transcript_format)i;
}

const char *al_transcript_content_type(enum al_transcript_format format)
{
  return formats[format].content_type;
}

static bool has_cues(const struct al_transcript *transcript)
{
  return transcript->format == AL_TRANSCRIPT_SRT || transcript->format == AL_TRANSCRIPT_VTT;
}

void al_transcript_init(struct al_transcript *transcript)
{
  al_buf_init(&transcript->text, CAP);
  al_buf_init(&transcript->segments, CAP);
  al_buf_init(&transcript->words, CAP);
  if (transcript->format == AL_TRANSCRIPT_VTT)
    al_buf_str(&transcript->text, "WEBVTT\n\n");
}

void al_transcript_done(struct al_transcript *transcript)
{
  al_buf_done(&transcript->text);
  al_buf_done(&transcript->segments);
  al_buf_done(&transcript->words);
}

double al_transcript_seconds(double seconds)
{
  return seconds > 0 ? round(fmin(seconds, MOST_SECONDS) * 1000) / 1000 : 0;
}

static bool is_space(char c)
{
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct al_str trim_end(struct al_str text)
{
  while (text.size > 0 && is_space(text.data[text.size - 1]))
    text.size--;
  return text;
}

static struct al_str trim_start(struct al_str text)
{
  while (text.size > 0 && is_space(text.data[0]))
    text = al_str_n(text.data + 1, text.size - 1);
  return text;
}

/* --- cues -------------------------------------------------------------------------------------------------------- */

static void add_time(struct al_buf *out, double seconds, char point)
{
  int64_t ms = llround(al_transcript_seconds(seconds) * 1000);
  al_buf_printf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 "%c%03" PRId64, ms / 3'600'000, ms / 60'000 % 60,
                ms / 1000 % 60, point, ms % 1000);
}

/* One line: an empty one would end the cue. WebVTT's text has markup, so its marks are escaped (W3C WebVTT, 4.2.2);
 * SubRip has no way to write an arrow. */
static void add_cue_text(struct al_buf *out, struct al_str text, bool is_vtt)
{
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (is_vtt && (c == '&' || c == '<' || c == '>'))
      al_buf_str(out, c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;");
    else if (!is_vtt && al_str_starts(al_str_n(text.data + i, text.size - i), al_str("-->")))
      continue;
    else
      al_buf_char(out, is_space(c) || c == '\0' ? ' ' : c);
  }
}

static void add_cue(struct al_transcript *transcript, const struct al_speech_segment *segment)
{
  struct al_buf *out = &transcript->text;
  bool is_vtt = transcript->format == AL_TRANSCRIPT_VTT;
  struct al_str text = trim_start(trim_end(segment->text));
  if (text.size == 0)
    return;
  if (!is_vtt)
    al_buf_printf(out, "%d\n", ++transcript->n_cues);
  add_time(out, segment->start_s, is_vtt ? '.' : ',');
  al_buf_str(out, " --> ");
  add_time(out, fmax(segment->start_s, segment->end_s), is_vtt ? '.' : ',');
  al_buf_char(out, '\n');
  add_cue_text(out, text, is_vtt);
  al_buf_str(out, "\n\n");
}

/* --- verbose_json ------------------------------------------------------------------------------------------------ */

static void write_number(struct al_json_writer *w, const char *key, float value)
{
  al_jw_key(w, key);
  al_jw_float(w, isfinite(value) ? value : 0);
}

static void write_span(struct al_json_writer *w, double start_s, double end_s)
{
  al_jw_kv_real(w, "start", al_transcript_seconds(start_s));
  al_jw_kv_real(w, "end", al_transcript_seconds(fmax(start_s, end_s)));
}

static void add_segment(struct al_transcript *transcript, const struct al_speech_segment *segment)
{
  struct al_json_writer w = al_json_writer(&transcript->segments);
  if (transcript->segments.size > 0)
    al_buf_char(&transcript->segments, ',');
  al_jw_object(&w);
  al_jw_kv_int(&w, "id", segment->id);
  /* Where the model's window began is not known here; the segment's own start, in Whisper's frames of 10 ms. */
  al_jw_kv_int(&w, "seek", llround(al_transcript_seconds(segment->start_s) * 100));
  write_span(&w, segment->start_s, segment->end_s);
  al_jw_kv_str_n(&w, "text", segment->text);
  al_jw_key(&w, "tokens");
  al_jw_array(&w);
  for (size_t i = 0; i < segment->n_tokens; i++)
    al_jw_int(&w, segment->tokens[i]);
  al_jw_end(&w);
  write_number(&w, "temperature", segment->temperature);
  write_number(&w, "avg_logprob", segment->avg_logprob);
  write_number(&w, "compression_ratio", segment->compression_ratio);
  write_number(&w, "no_speech_prob", segment->no_speech_prob);
  al_jw_end(&w);
}

static void add_words(struct al_transcript *transcript, const struct al_speech_segment *segment)
{
  for (size_t i = 0; i < segment->n_words; i++) {
    const struct al_speech_word *word = &segment->words[i];
    struct al_json_writer w = al_json_writer(&transcript->words);
    if (transcript->words.size > 0)
      al_buf_char(&transcript->words, ',');
    al_jw_object(&w);
    al_jw_kv_str_n(&w, "word", word->text);
    write_span(&w, word->start_s, word->end_s);
    al_jw_end(&w);
  }
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

void al_transcript_add(struct al_transcript *transcript, const struct al_speech_segment *segment)
{
  if (has_cues(transcript)) {
    add_cue(transcript, segment);
    return;
  }
  struct al_str text = transcript->text.size > 0 ? segment->text : trim_start(segment->text);
  al_buf_add(&transcript->text, text.data, text.size);
  if (transcript->format != AL_TRANSCRIPT_VERBOSE_JSON)
    return;
  if (transcript->wants_segments)
    add_segment(transcript, segment);
  if (transcript->wants_words)
    add_words(transcript, segment);
}

struct al_str al_transcript_text(const struct al_transcript *transcript)
{
  struct al_str text = al_buf_view(&transcript->text);
  return has_cues(transcript) ? text : trim_end(text);
}

struct al_str al_transcript_next(struct al_transcript *transcript)
{
  struct al_str text = al_transcript_text(transcript);
  size_t from = al_min_size(transcript->n_told, text.size);
  transcript->n_told = text.size;
  return al_str_n(text.data != nullptr ? text.data + from : "", text.size - from);
}

static void write_elements(struct al_json_writer *w, const char *key, const struct al_buf *elements)
{
  al_jw_key(w, key);
  al_jw_array(w);
  if (elements->size > 0)
    al_jw_raw(w, al_buf_view(elements));
  al_jw_end(w);
}

void al_transcript_write_verbose(struct al_json_writer *w, const struct al_transcript *transcript,
                                 const struct al_transcribe_result *result)
{
  al_jw_kv_str(w, "task", transcript->is_translation ? "translate" : "transcribe");
  al_jw_kv_str(w, "language", transcript->is_translation ? "english" : al_language_name(result->language));
  al_jw_kv_real(w, "duration", al_transcript_seconds(result->duration_s));
  if (transcript->wants_segments)
    write_elements(w, "segments", &transcript->segments);
  if (transcript->wants_words)
    write_elements(w, "words", &transcript->words);
}

static void print_json(const struct al_transcript *transcript, const struct al_transcribe_result *result,
                       struct al_buf *out)
{
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  al_jw_kv_str_n(&w, "text", al_transcript_text(transcript));
  if (transcript->format == AL_TRANSCRIPT_VERBOSE_JSON)
    al_transcript_write_verbose(&w, transcript, result);
  if (transcript->is_truncated)
    al_jw_kv_bool(&w, "truncated", true);
  al_jw_key(&w, "usage");
  al_jw_object(&w);
  al_jw_kv_str(&w, "type", "duration");
  al_jw_kv_int(&w, "seconds", (int64_t)ceil(al_transcript_seconds(result->duration_s)));
  al_jw_end(&w);
  al_jw_end(&w);
}

void al_transcript_print(const struct al_transcript *transcript, const struct al_transcribe_result *result,
                         struct al_buf *out)
{
  if (transcript->format == AL_TRANSCRIPT_JSON || transcript->format == AL_TRANSCRIPT_VERBOSE_JSON) {
    print_json(transcript, result, out);
    return;
  }
  struct al_str text = al_transcript_text(transcript);
  al_buf_add(out, text.data, text.size);
  if (transcript->format == AL_TRANSCRIPT_TEXT)
    al_buf_char(out, '\n');
}

enum al_code al_transcript_check(const struct al_transcript *transcript, struct al_err *err)
{
  AL_TRY(al_buf_check(&transcript->text, err));
  AL_TRY(al_buf_check(&transcript->segments, err));
  return al_buf_check(&transcript->words, err);
}
