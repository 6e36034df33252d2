/* The endpoints of speech: forms in, events out. */
#include "api/upload.h"
#include "base/alloc.h"
#include "stand_in_audio.h"
#include "stand_in_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
  struct al_api *api;
  struct al_http_exchange exchange;
  const struct al_http_body_sink *sink;
};

static void setup(struct fixture *f)
{
  f->api = make_api(nullptr);
  f->sink = &al_api_transcription_sink;
  exchange_init(&f->exchange, "");
  f->exchange.content_type = "multipart/form-data; boundary=b";
}

static void teardown(struct fixture *f)
{
  f->sink->free(f->exchange.sink);
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
  spoken_clear();
}

/* Sends the body in pieces of `step` bytes; false: it was refused before its end. */
static bool upload(struct fixture *f, const char *body, size_t step)
{
  f->exchange.sink = f->sink->begin(&f->exchange, f->api);
  if (f->exchange.sink == nullptr)
    return false;
  size_t size = strlen(body);
  for (size_t at = 0; at < size; at += step)
    if (!f->sink->data(f->exchange.sink, al_str_n(body + at, al_min_size(step, size - at))))
      return false;
  return true;
}

#define FIELD(name, value) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_OF(value)                                                                                                 \
  "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n" value  \
  "\r\n"
#define END  "--b--\r\n"
#define MAIN FIELD("model", "tiny") FILE_OF("RIFF")

static void assert_error(struct fixture *f, int status, const char *param, const char *code)
{
  assert_int_equal(f->exchange.status, status);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = sent_json(&f->exchange);
  assert_string_equal(json_text(doc, "error.param"), param);
  assert_string_equal(json_text(doc, "error.code"), code);
}

static void submit(struct fixture *f, const char *body)
{
  setup(f);
  assert_true(upload(f, body, SIZE_MAX / 2));
  f->exchange.is_plain = true;
  al_api_transcriptions(&f->exchange, f->api);
}

static void refuse(const char *body, int status, const char *param, const char *code)
{
  struct fixture f;
  setup(&f);
  if (upload(&f, body, 7))
    al_api_transcriptions(&f.exchange, f.api);
  assert_int_equal(spoken.count, 0);
  assert_error(&f, status, param, code);
  teardown(&f);
}

static void play_segment(int id, const char *text)
{
  play_audio((struct al_audio_event){
      .kind = AL_AUDIO_SEGMENT,
      .segment = &(struct al_speech_segment){ .id = id, .start_s = id, .end_s = id + 1, .text = al_str(text) } });
}

static void play_audio_done(void)
{
  play_audio((struct al_audio_event){
      .kind = AL_AUDIO_DONE,
      .result = &(struct al_transcribe_result){ .language = "en", .duration_s = 2, .n_tokens = 5 } });
}

static void play_audio_started(double duration_s)
{
  play_audio(
      (struct al_audio_event){ .kind = AL_AUDIO_STARTED, .info = &(struct al_audio_info){ .duration_s = duration_s } });
}

static void a_form_in_any_pieces(void **state)
{
  (void)state;
  static const char body[] = FIELD("temperature", "0.5") FILE_OF("RIFF\r\n--a\r\n") FIELD("model", "tiny")
      FIELD("language", "de") FIELD("prompt", "12") FIELD("beam_size", "3") FIELD("chunking_strategy", "auto") END;
  for (size_t step = 1; step < sizeof body; step += 3) {
    struct fixture f;
    setup(&f);
    assert_true(upload(&f, body, step));
    al_api_transcriptions(&f.exchange, f.api);
    assert_int_equal(spoken.count, 1);
    assert_string_equal(spoken.model, "tiny");
    assert_string_equal(spoken.file, "RIFF\r\n--a\r\n");
    assert_string_equal(spoken.language, "de");
    assert_string_equal(spoken.prompt, "12");
    assert_int_equal(spoken.transcription.options.n_beams, 3);
    assert_true(spoken.transcription.options.temperature > 0.49F);
    assert_true(spoken.transcription.options.temperature_step <= 0);
    assert_false(spoken.transcription.options.translate);
    assert_ptr_equal(spoken.transcription.cancel, f.exchange.cancel);
    play_audio_started(2);
    play_segment(0, " One");
    play_audio_done();
    assert_string_equal(f.exchange.sent.data, "{\"text\":\"One\",\"usage\":{\"type\":\"duration\",\"seconds\":2}}");
    teardown(&f);
  }
}

static void what_is_wrong_is_named(void **state)
{
  (void)state;
  refuse(FIELD("model", "tiny") END, 400, "file", "missing_required_parameter");
  refuse(FILE_OF("RIFF") END, 400, "model", "missing_required_parameter");
  refuse(FIELD("model", "tiny") FILE_OF("") END, 400, "file", "empty_file");
  refuse(MAIN FILE_OF("RIFF") END, 400, "file", "invalid_request");
  refuse(MAIN FIELD("model", "other") END, 400, "model", "invalid_request");
  refuse(MAIN FIELD("colour", "red") END, 400, "colour", "unknown_parameter");
  refuse(MAIN FIELD("temperature", "warm") END, 400, "temperature", "invalid_request");
  refuse(MAIN FIELD("temperature", "1.5") END, 400, "temperature", "invalid_request");
  refuse(MAIN FIELD("stream", "maybe") END, 400, "stream", "invalid_request");
  refuse(MAIN FIELD("beam_size", "9") END, 400, "beam_size", "invalid_request");
  refuse(MAIN FIELD("response_format", "xml") END, 400, "response_format", "invalid_request");
  refuse(MAIN FIELD("response_format", "diarized_json") END, 400, "response_format", "unsupported_parameter");
  refuse(MAIN FIELD("timestamp_granularities[]", "word") END, 400, "timestamp_granularities", "invalid_request");
  refuse(MAIN FIELD("response_format", "verbose_json") FIELD("timestamp_granularities[]", "line") END, 400,
         "timestamp_granularities[0]", "invalid_request");
  refuse(MAIN FIELD("include[]", "logprobs") END, 400, "include", "unsupported_parameter");
  refuse(MAIN FIELD("known_speaker_names[]", "x") END, 400, "known_speaker_names", "unsupported_parameter");
  refuse(MAIN FIELD("known_speaker_references[]", "x") END, 400, "known_speaker_references", "unsupported_parameter");
  refuse(MAIN FIELD("keywords[]", "x") END, 400, "keywords", "unsupported_parameter");
  refuse(MAIN FIELD("languages[]", "x") END, 400, "languages", "unsupported_parameter");
  refuse(MAIN FIELD("chunking_strategy[type]", "server_vad") END, 400, "chunking_strategy", "invalid_request");
  refuse(MAIN FIELD("stream_progress", "true") END, 400, "stream_progress", "invalid_request");
  refuse(FIELD("model", "../x") FILE_OF("RIFF") END, 400, "model", "invalid_request");
  refuse(MAIN "--b\r\nContent-Disposition: form-data; name=\"prompt\"; filename=\"x\"\r\n\r\nx\r\n" END, 400, "prompt",
         "invalid_request");
  refuse(MAIN, 400, "null", "invalid_request"); /* ends before its last boundary */
  refuse("", 400, "null", "invalid_request");
}

static void json_is_told_to_be_a_form(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  f.exchange.content_type = "application/json";
  assert_false(upload(&f, "{}", 1));
  assert_error(&f, 400, "null", "invalid_request");
  assert_non_null(strstr(f.exchange.sent.data, "multipart/form-data"));
  teardown(&f);
}

static void a_translation_knows_no_language(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  f.sink = &al_api_translation_sink;
  assert_false(upload(&f, MAIN FIELD("language", "de") END, SIZE_MAX / 2));
  assert_error(&f, 400, "language", "unknown_parameter");
  teardown(&f);
  setup(&f);
  f.sink = &al_api_translation_sink;
  assert_true(upload(&f, MAIN FIELD("response_format", "verbose_json") END, SIZE_MAX / 2));
  al_api_translations(&f.exchange, f.api);
  assert_true(spoken.transcription.options.translate);
  play_audio_started(2);
  play_audio_done();
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "task"), "translate");
  assert_string_equal(json_text(doc, "language"), "english");
  teardown(&f);
}

static void formats_have_their_types(void **state)
{
  (void)state;
  struct fixture f;
  submit(&f, MAIN FIELD("response_format", "vtt") END);
  play_audio_started(2);
  play_segment(0, " One");
  play_audio_done();
  assert_string_equal(f.exchange.sent_type, "text/vtt; charset=utf-8");
  assert_string_equal(f.exchange.sent.data, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nOne\n\n");
  teardown(&f);
}

static void a_stream_tells_as_it_hears(void **state)
{
  (void)state;
  struct fixture f;
  submit(&f, MAIN FIELD("stream", "true") FIELD("stream_progress", "true") END);
  assert_int_equal(f.exchange.status, 0);
  play_audio_started(0);
  play_segment(0, " One ");
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_PROGRESS, .done_s = 1 });
  play_segment(1, " two ");
  play_audio_done();
  assert_string_equal(f.exchange.sent_type, "text/event-stream");
  assert_true(f.exchange.is_ended);
  assert_string_equal(f.exchange.sent.data,
                      "data: {\"type\":\"transcript.text.delta\",\"delta\":\"One\"}\n\n"
                      "data: {\"type\":\"transcript.progress\",\"done_s\":1.0,\"duration_s\":null}\n\n"
                      "data: {\"type\":\"transcript.text.delta\",\"delta\":\"  two\"}\n\n"
                      "data: {\"type\":\"transcript.text.done\",\"text\":\"One  "
                      "two\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":0,"
                      "\"output_tokens\":5,\"total_tokens\":5,\"seconds\":2.0}}\n\n");
  teardown(&f);
}

static void a_verbose_stream_has_segments(void **state)
{
  (void)state;
  struct fixture f;
  submit(&f, MAIN FIELD("stream", "true") FIELD("response_format", "verbose_json") END);
  play_audio_started(2);
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_PROGRESS, .done_s = 1 }); /* not asked for */
  play_segment(0, " One");
  play_audio_done();
  static const char *const parts[] = {
    "data: {\"type\":\"transcript.text.segment\",\"id\":\"seg_0\",\"start\":0.0,\"end\":1.0,\"text\":\" One\","
    "\"speaker\":\"\"}\n\n",
    "\"task\":\"transcribe\",\"language\":\"english\",\"duration\":2.0,\"segments\":[{\"id\":0,",
  };
  for (size_t i = 0; i < AL_COUNT(parts); i++)
    assert_non_null(strstr(f.exchange.sent.data, parts[i]));
  assert_null(strstr(f.exchange.sent.data, "progress"));
  teardown(&f);
}

static void play_audio_failed(enum al_code code, const char *reason)
{
  struct al_err err;
  (void)!al_fail_reason(&err, al_fail(&err, code, "no"), reason);
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_FAILED, .err = &err });
}

static void errors_before_and_after_the_first_event(void **state)
{
  (void)state;
  static const struct {
    enum al_code code;
    const char *reason, *param;
    int status;
  } cases[] = {
    { AL_INVALID_REQUEST, "empty_file", "file", 400 },
    { AL_INVALID_REQUEST, "no_audio", "file", 400 },
    { AL_INVALID_REQUEST, "unknown_media", "file", 400 },
    { AL_INVALID_REQUEST, "corrupt_media", "file", 400 },
    { AL_INVALID_REQUEST, "audio_too_long", "file", 400 },
    { AL_NOT_FOUND, "model_not_found", "model", 404 },
    { AL_OOM_RAM, "overloaded", "null", 503 },
    { AL_TIMEOUT, nullptr, "null", 504 },
  };
  struct fixture f;
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    submit(&f, MAIN FIELD("stream", "true") END);
    play_audio_failed(cases[i].code, cases[i].reason);
    assert_error(&f, cases[i].status, cases[i].param, cases[i].reason != nullptr ? cases[i].reason : "timeout");
    teardown(&f);
  }
  submit(&f, MAIN FIELD("stream", "true") END);
  play_audio_started(2);
  play_audio_failed(AL_INTERNAL, nullptr);
  assert_true(f.exchange.is_ended);
  assert_non_null(strstr(f.exchange.sent.data, "data: {\"error\":{\"message\":\"no\""));
  assert_null(strstr(f.exchange.sent.data, "done"));
  teardown(&f);
}

static void a_draining_server_says_so(void **state)
{
  (void)state;
  struct fixture f;
  submit(&f, MAIN END);
  al_api_set_draining(f.api);
  play_audio_failed(AL_CANCELLED, nullptr);
  assert_error(&f, 503, "null", "shutting_down");
  teardown(&f);
}

static void a_client_that_leaves_in_the_stream(void **state)
{
  (void)state;
  struct fixture f;
  submit(&f, MAIN FIELD("stream", "true") END);
  f.exchange.fail_sends_after = 1;
  play_audio_started(2);
  for (int i = 0; i < 5; i++)
    play_segment(i, " x");
  assert_true(al_cancelled(f.exchange.cancel));
  assert_int_equal(f.exchange.n_sends, 2);
  play_audio_failed(AL_CANCELLED, nullptr);
  teardown(&f);
}

/* Whatever cannot be had, there is one answer and nothing is left; the last round succeeds. */
static void memory_that_runs_out_is_an_error(void **state)
{
  (void)state;
  static const char body[] =
      MAIN FIELD("response_format", "verbose_json") FIELD("timestamp_granularities[]", "word") END;
  for (size_t n = 1; n < 500; n++) {
    struct fixture f;
    setup(&f);
    (void)al_alloc_fail_at(n);
    bool is_whole = upload(&f, body, 50);
    if (is_whole)
      al_api_transcriptions(&f.exchange, f.api);
    if (spoken.count > 0) {
      play_audio_started(2);
      play_segment(0, " One");
      play_audio_done();
    }
    bool failed = al_alloc_fail_at(0) >= n;
    assert_true(f.exchange.is_ended);
    assert_true(f.exchange.status == 200 || f.exchange.status == 507 || f.exchange.status == 500);
    assert_true(failed || f.exchange.status == 200);
    teardown(&f);
    if (!failed)
      return;
  }
  fail();
}

/* --- speech ------------------------------------------------------------------------------------------------------ */

static void speak(struct fixture *f, const char *body)
{
  setup(f);
  f->exchange.content_type = "application/json";
  f->exchange.body = al_str(body);
  f->exchange.is_plain = true;
  al_api_speech(&f->exchange, f->api);
}

static void refuse_speech(const char *body, const char *param, const char *code)
{
  struct fixture f;
  speak(&f, body);
  assert_int_equal(spoken.count, 0);
  assert_error(&f, 400, param, code);
  teardown(&f);
}

static void play_bytes(const char *bytes)
{
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_BYTES, .bytes = al_str(bytes) });
}

static void speech_is_read(void **state)
{
  (void)state;
  struct fixture f;
  speak(&f, "{\"model\":\"v\",\"input\":\"Hi\",\"voice\":{\"id\":\"low\"},\"response_format\":\"flac\",\"speed\":2}");
  assert_string_equal(spoken.model, "v");
  assert_string_equal(spoken.text, "Hi");
  assert_string_equal(spoken.voice, "low");
  assert_true(spoken.speech.options.speed > 1.99 && spoken.speech.options.speed < 2.01);
  assert_int_equal(spoken.speech.format, AL_AUDIO_FLAC);
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_STARTED });
  assert_int_equal(f.exchange.status, 0);
  play_bytes("ab");
  play_bytes("cd");
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_DONE });
  assert_string_equal(f.exchange.sent_type, "audio/flac");
  assert_string_equal(f.exchange.sent.data, "abcd");
  assert_true(f.exchange.is_ended);
  teardown(&f);
  speak(&f, "{\"model\":\"v\",\"input\":\"Hi\"}");
  assert_int_equal(spoken.speech.format, AL_AUDIO_MP3);
  assert_string_equal(spoken.voice, "");
  play_audio_failed(AL_INVALID_REQUEST, "unknown_voice");
  assert_error(&f, 400, "voice", "unknown_voice");
  teardown(&f);
}

static void speech_that_is_wrong_is_named(void **state)
{
  (void)state;
  refuse_speech("{\"input\":\"x\"}", "model", "missing_required_parameter");
  refuse_speech("{\"model\":\"v\"}", "input", "missing_required_parameter");
  refuse_speech("{\"model\":\"v\",\"input\":\"\"}", "input", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":[\"x\"]}", "input", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"voice\":3}", "voice", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"voice\":{\"id\":3}}", "voice.id", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"voice\":{\"name\":\"x\"}}", "voice.name", "unknown_parameter");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"voice\":\"a\\u0000b\"}", "voice", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"speed\":5}", "speed", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"speed\":0.2}", "speed", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"response_format\":\"ogg\"}", "response_format", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"stream_format\":\"x\"}", "stream_format", "invalid_request");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"instructions\":\"x\"}", "instructions", "unsupported_parameter");
  refuse_speech("{\"model\":\"v\",\"input\":\"x\",\"pitch\":1}", "pitch", "unknown_parameter");
}

static void the_length_of_speech_is_bounded(void **state)
{
  (void)state;
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  for (int n = 100'000; n <= 100'001; n++) { /* characters, not bytes */
    al_buf_clear(&body);
    al_buf_str(&body, "{\"model\":\"v\",\"input\":\"");
    for (int i = 0; i < n; i++)
      al_buf_str(&body, "ü");
    al_buf_str(&body, "\"}");
    struct fixture f;
    speak(&f, body.data);
    if (n == 100'000)
      play_audio_failed(AL_CANCELLED, nullptr);
    else
      assert_error(&f, 400, "input", "invalid_request");
    teardown(&f);
  }
}

static void speech_as_events(void **state)
{
  (void)state;
  struct fixture f;
  speak(&f, "{\"model\":\"v\",\"input\":\"Hi\",\"stream_format\":\"sse\"}");
  play_bytes("abc");
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_DONE });
  assert_string_equal(f.exchange.sent_type, "text/event-stream");
  assert_string_equal(f.exchange.sent.data,
                      "data: {\"type\":\"speech.audio.delta\",\"audio\":\"YWJj\"}\n\n"
                      "data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":0,\"output_tokens\":0,"
                      "\"total_tokens\":0,\"seconds\":0.0}}\n\n");
  teardown(&f);
}

static void sound_that_breaks_is_never_ended(void **state)
{
  (void)state;
  struct fixture f;
  speak(&f, "{\"model\":\"v\",\"input\":\"Hi\"}");
  play_bytes("abc");
  play_audio_failed(AL_INTERNAL, nullptr);
  assert_int_equal(f.exchange.status, 200);
  assert_false(f.exchange.is_ended);
  teardown(&f);
}

static void a_slow_client_gets_everything(void **state)
{
  (void)state;
  struct fixture f;
  speak(&f, "{\"model\":\"v\",\"input\":\"Hi\"}");
  play_bytes("1");
  f.exchange.is_full = true;
  play_bytes("2");
  f.exchange.is_full = false;
  play_bytes("3"); /* must not overtake */
  assert_string_equal(f.exchange.sent.data, "1");
  f.exchange.pump_ops->room(f.exchange.pump);
  assert_string_equal(f.exchange.sent.data, "123");
  play_bytes("4");
  assert_string_equal(f.exchange.sent.data, "1234");
  f.exchange.is_full = true;
  play_bytes("5");
  play_audio((struct al_audio_event){ .kind = AL_AUDIO_DONE });
  assert_false(f.exchange.is_ended);
  assert_int_equal(f.exchange.n_refs, 2);
  f.exchange.is_full = false;
  f.exchange.pump_ops->room(f.exchange.pump);
  assert_string_equal(f.exchange.sent.data, "12345");
  assert_true(f.exchange.is_ended);
  f.exchange.pump_ops->room(f.exchange.pump);
  teardown(&f);
}

static void a_slow_client_leaves(void **state)
{
  (void)state;
  for (int is_over = 0; is_over < 2; is_over++) {
    struct fixture f;
    speak(&f, "{\"model\":\"v\",\"input\":\"Hi\"}");
    play_bytes("1");
    f.exchange.is_full = true;
    play_bytes("2");
    if (is_over != 0)
      play_audio((struct al_audio_event){ .kind = AL_AUDIO_DONE });
    f.exchange.is_full = false;
    f.exchange.fail_sends_after = 1;
    f.exchange.pump_ops->room(f.exchange.pump);
    if (is_over == 0) {
      play_bytes("3");
      play_audio_failed(AL_CANCELLED, nullptr);
    }
    assert_string_equal(f.exchange.sent.data, "1");
    assert_false(f.exchange.is_ended);
    teardown(&f);
  }
}

static void voices_are_listed(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  query = "model=v";
  al_api_voices(&f.exchange, f.api);
  spoken.voices.each(spoken.voices.user, &(struct al_voice){ "low", "Low", "en-us", "male" });
  spoken.voices.done(spoken.voices.user, &(struct al_err){});
  assert_string_equal(f.exchange.sent.data, "{\"object\":\"list\",\"model\":\"v\",\"data\":[{\"id\":\"low\",\"object\":"
                                            "\"voice\",\"name\":\"Low\",\"language\":\"en-us\",\"gender\":\"male\"}]}");
  teardown(&f);
  query = nullptr;
  setup(&f); /* the one model that there is does not speak */
  al_api_voices(&f.exchange, f.api);
  assert_error(&f, 400, "model", "missing_required_parameter");
  teardown(&f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_form_in_any_pieces),
    cmocka_unit_test(what_is_wrong_is_named),
    cmocka_unit_test(json_is_told_to_be_a_form),
    cmocka_unit_test(a_translation_knows_no_language),
    cmocka_unit_test(formats_have_their_types),
    cmocka_unit_test(a_stream_tells_as_it_hears),
    cmocka_unit_test(a_verbose_stream_has_segments),
    cmocka_unit_test(errors_before_and_after_the_first_event),
    cmocka_unit_test(a_draining_server_says_so),
    cmocka_unit_test(a_client_that_leaves_in_the_stream),
    cmocka_unit_test(memory_that_runs_out_is_an_error),
    cmocka_unit_test(speech_is_read),
    cmocka_unit_test(speech_that_is_wrong_is_named),
    cmocka_unit_test(the_length_of_speech_is_bounded),
    cmocka_unit_test(speech_as_events),
    cmocka_unit_test(sound_that_breaks_is_never_ended),
    cmocka_unit_test(a_slow_client_gets_everything),
    cmocka_unit_test(a_slow_client_leaves),
    cmocka_unit_test(voices_are_listed),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
