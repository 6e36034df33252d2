/* What was heard, in every form. */
#include "api/audio_transcript.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct al_transcript make(enum al_transcript_format format)
{
  struct al_transcript transcript = { .format = format, .wants_segments = true, .wants_words = true };
  al_transcript_init(&transcript);
  return transcript;
}

static void add(struct al_transcript *transcript, int id, double start_s, double end_s, const char *text)
{
  static const int32_t tokens[] = { 50'364, 1029 };
  struct al_speech_word word = { al_str("word"), start_s, end_s, 0.5F };
  al_transcript_add(transcript, &(struct al_speech_segment){ .id = id,
                                                             .start_s = start_s,
                                                             .end_s = end_s,
                                                             .text = al_str(text),
                                                             .tokens = tokens,
                                                             .n_tokens = AL_COUNT(tokens),
                                                             .words = &word,
                                                             .n_words = 1,
                                                             .temperature = 0.2F,
                                                             .avg_logprob = -0.25F,
                                                             .compression_ratio = 1.5F,
                                                             .no_speech_prob = 0.01F });
}

static void assert_print(struct al_transcript *transcript, const char *expected)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_transcribe_result result = { .language = "en", .duration_s = 2.345 };
  al_transcript_print(transcript, &result, &out);
  assert_false(out.failed);
  assert_string_equal(out.data != nullptr ? out.data : "", expected);
  al_transcript_done(transcript);
}

static void formats_are_found_by_name(void **state)
{
  (void)state;
  static const char *const names[] = { "json", "text", "srt", "verbose_json", "vtt" };
  for (size_t i = 0; i < AL_COUNT(names); i++)
    assert_int_equal(al_transcript_format_parse(al_str(names[i])), i);
  assert_int_equal(al_transcript_format_parse(al_str("JSON")), AL_TRANSCRIPT_FORMAT_COUNT);
  assert_int_equal(al_transcript_format_parse(al_str("")), AL_TRANSCRIPT_FORMAT_COUNT);
  assert_string_equal(al_transcript_content_type(AL_TRANSCRIPT_VTT), "text/vtt; charset=utf-8");
  assert_string_equal(al_transcript_content_type(AL_TRANSCRIPT_VERBOSE_JSON), "application/json");
}

static void text_is_joined_as_the_model_writes_it(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_TEXT);
  add(&transcript, 0, 0, 1, " One");
  add(&transcript, 1, 1, 2, " two. ");
  assert_print(&transcript, "One two.\n");
  transcript = make(AL_TRANSCRIPT_TEXT);
  add(&transcript, 0, 0, 1, "一");
  add(&transcript, 1, 1, 2, "二");
  assert_print(&transcript, "一二\n");
  transcript = make(AL_TRANSCRIPT_TEXT);
  assert_print(&transcript, "\n");
}

static void json_has_text_and_seconds(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_JSON);
  add(&transcript, 0, 0, 1, " \"One\"");
  assert_print(&transcript, "{\"text\":\"\\\"One\\\"\",\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
  transcript = make(AL_TRANSCRIPT_JSON);
  assert_print(&transcript, "{\"text\":\"\",\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
}

static void verbose_json_has_everything(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_VERBOSE_JSON);
  add(&transcript, 0, 0, 1.1500001, " One");
  assert_print(&transcript,
               "{\"text\":\"One\",\"task\":\"transcribe\",\"language\":\"english\",\"duration\":2.345,\"segments\":[{"
               "\"id\":0,\"seek\":0,\"start\":0.0,\"end\":1.15,\"text\":\" One\",\"tokens\":[50364,1029],"
               "\"temperature\":0.2,\"avg_logprob\":-0.25,\"compression_ratio\":1.5,\"no_speech_prob\":0.01}],"
               "\"words\":[{\"word\":\"word\",\"start\":0.0,\"end\":1.15}],"
               "\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
}

static void verbose_json_has_what_was_asked_for(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_VERBOSE_JSON);
  transcript.wants_segments = false;
  transcript.is_translation = true;
  add(&transcript, 0, 0, 1, " One");
  add(&transcript, 1, 2, 3, " two");
  assert_print(
      &transcript,
      "{\"text\":\"One two\",\"task\":\"translate\",\"language\":\"english\",\"duration\":2.345,"
      "\"words\":[{\"word\":\"word\",\"start\":0.0,\"end\":1.0},{\"word\":\"word\",\"start\":2.0,\"end\":3.0}],"
      "\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
  transcript = make(AL_TRANSCRIPT_VERBOSE_JSON); /* nothing was said */
  assert_print(&transcript, "{\"text\":\"\",\"task\":\"transcribe\",\"language\":\"english\",\"duration\":2.345,"
                            "\"segments\":[],\"words\":[],\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
}

static void numbers_are_always_numbers(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_VERBOSE_JSON);
  transcript.wants_words = false;
  al_transcript_add(
      &transcript,
      &(struct al_speech_segment){
          .start_s = NAN, .end_s = -1, .text = al_str("x"), .avg_logprob = -INFINITY, .compression_ratio = NAN });
  assert_print(&transcript,
               "{\"text\":\"x\",\"task\":\"transcribe\",\"language\":\"english\",\"duration\":2.345,\"segments\":[{"
               "\"id\":0,\"seek\":0,\"start\":0.0,\"end\":0.0,\"text\":\"x\",\"tokens\":[],\"temperature\":0.0,"
               "\"avg_logprob\":0.0,\"compression_ratio\":0.0,\"no_speech_prob\":0.0}],"
               "\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
  assert_true(al_transcript_seconds(INFINITY) == 999.0 * 3600);
}

static void srt_numbers_its_cues(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_SRT);
  add(&transcript, 0, 0, 1.0004, " One & <b>\n\ntwo ");
  add(&transcript, 1, 1, 2, "  ");
  add(&transcript, 2, 3661.9996, 3600, " a --> b");
  assert_print(&transcript, "1\n00:00:00,000 --> 00:00:01,000\nOne & <b>  two\n\n"
                            "2\n01:01:02,000 --> 01:01:02,000\na -> b\n\n");
  transcript = make(AL_TRANSCRIPT_SRT);
  assert_print(&transcript, "");
}

static void vtt_escapes_its_marks(void **state)
{
  (void)state;
  struct al_transcript transcript = make(AL_TRANSCRIPT_VTT);
  add(&transcript, 0, 0.5, 1.25, " One & <b> --> two\r\nthree");
  assert_print(&transcript, "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nOne &amp; &lt;b&gt; --&gt; two  three\n\n");
  transcript = make(AL_TRANSCRIPT_VTT);
  assert_print(&transcript, "WEBVTT\n\n");
}

static void the_pieces_together_are_the_text(void **state)
{
  (void)state;
  for (int format = 0; format < AL_TRANSCRIPT_FORMAT_COUNT; format++) {
    struct al_transcript transcript = make((enum al_transcript_format)format);
    AL_CLEANUP(al_buf_done) struct al_buf told = {};
    static const char *const texts[] = { "  ", " One ", "", " two", "\n", " three \n" };
    for (int i = 0; i < (int)AL_COUNT(texts); i++) {
      add(&transcript, i, i, i + 1, texts[i]);
      struct al_str piece = al_transcript_next(&transcript);
      al_buf_add(&told, piece.data, piece.size);
    }
    struct al_str text = al_transcript_text(&transcript);
    assert_true(al_str_eq(al_buf_view(&told), text));
    if (format == AL_TRANSCRIPT_JSON)
      assert_string_equal(told.data, "One  two\n three");
    al_transcript_done(&transcript);
  }
}

static void languages_have_names(void **state)
{
  (void)state;
  assert_string_equal(al_language_name("en"), "english");
  assert_string_equal(al_language_name("af"), "afrikaans");
  assert_string_equal(al_language_name("zh"), "chinese");
  assert_string_equal(al_language_name("haw"), "hawaiian");
  assert_string_equal(al_language_name("yue"), "cantonese");
  assert_string_equal(al_language_name("xx"), "xx");
  assert_string_equal(al_language_name(""), "");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(formats_are_found_by_name),
    cmocka_unit_test(text_is_joined_as_the_model_writes_it),
    cmocka_unit_test(json_has_text_and_seconds),
    cmocka_unit_test(verbose_json_has_everything),
    cmocka_unit_test(verbose_json_has_what_was_asked_for),
    cmocka_unit_test(numbers_are_always_numbers),
    cmocka_unit_test(srt_numbers_its_cues),
    cmocka_unit_test(vtt_escapes_its_marks),
    cmocka_unit_test(the_pieces_together_are_the_text),
    cmocka_unit_test(languages_have_names),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
