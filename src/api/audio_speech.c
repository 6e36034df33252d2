/* POST /v1/audio/speech. */
#include "api/audio.h"
#include "api/audio_transcript.h"
#include "api/body.h"
#include "api/errors.h"
#include "api/outflow.h"
#include "api/text_params.h"
#include "codec/base64.h"
#include "codec/utf8.h"

constexpr size_t ARENA_CAP = (size_t)1 << 20;
constexpr size_t MOST_CHARACTERS = 100'000; /* some two hours */

struct speech {
  struct al_api_job job; /* first */
  const struct al_api *api;
  const struct al_json *input;
  const char *voice;
  float speed;
  enum al_audio_format format;
  bool as_events;
  struct al_buf out;              /* scratch: the event being written */
  struct al_api_outflow *outflow; /* the exchange's */
  bool has_begun;                 /* the answer: its status has been sent */
  bool is_gone;                   /* the client does not read any more */
};

static void speech_free(struct speech *job)
{
  if (job == nullptr)
    return;
  al_buf_done(&job->out);
  al_api_job_free(&job->job);
}
AL_DEFINE_CLEANUP(struct speech, speech_free)

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code read_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  struct speech *job = target;
  struct al_str word = {};
  AL_TRY(al_json_want_str(body, "", param->name, &word, nullptr, err));
  job->format = al_audio_format_parse(word);
  if (job->format != AL_AUDIO_FORMAT_COUNT)
    return AL_OK;
  return al_fail_param(err, param->name, "%s must be mp3, opus, aac, flac, wav or pcm", param->name);
}

static enum al_code read_stream_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                       struct al_err *err)
{
  struct speech *job = target;
  struct al_str word = {};
  AL_TRY(al_json_want_str(body, "", param->name, &word, nullptr, err));
  job->as_events = al_str_is(word, "sse");
  if (job->as_events || al_str_is(word, "audio"))
    return AL_OK;
  return al_fail_param(err, param->name, "%s must be audio or sse", param->name);
}

/* A name, or {"id": name}. */
static enum al_code read_voice(const struct al_api_param *param, const struct al_json *body, void *target,
                               struct al_err *err)
{
  static const char *const keys[] = { "id", nullptr };
  static const struct al_api_param id = { .name = "id", .offset = offsetof(struct speech, voice) };
  const struct al_json *value = al_json_get(body, param->name);
  if (al_json_kind(value) == AL_JSON_STRING)
    return al_api_read_chars(param, body, target, err);
  if (al_json_kind(value) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, param->name, "a string or an object with an id", value);
  AL_TRY(al_api_only_keys(value, param->name, keys, err));
  if (al_json_kind(al_json_get(value, "id")) != AL_JSON_STRING)
    return al_fail_param(err, "voice.id", "voice.id must be a string");
  return al_api_read_chars(&id, value, target, err);
}

#define FIELD(member) offsetof(struct speech, member)

static const struct al_api_param params[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(job.model) },
  { .name = "input", .read = al_api_read_value, .offset = FIELD(input) },
  { .name = "voice", .read = read_voice, .offset = FIELD(voice) },
  { .name = "response_format", .read = read_format },
  { .name = "speed", .read = al_api_read_float, .offset = FIELD(speed), .least = 0.25, .most = 4 },
  { .name = "stream_format", .read = read_stream_format },
  { .name = "instructions", .read = al_api_refuse, .words = "no voice here takes instructions" },
};

static size_t count_characters(struct al_str text)
{
  size_t count = 0;
  for (size_t i = 0; i < text.size; i++)
    count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
  return count;
}

static enum al_code check(const struct speech *job, struct al_err *err)
{
  if (job->job.model == nullptr)
    return al_api_missing(err, "model");
  if (job->input == nullptr)
    return al_api_missing(err, "input");
  if (al_json_kind(job->input) != AL_JSON_STRING)
    return al_api_wrong_kind(err, "input", "a string", job->input);
  size_t count = count_characters(al_json_str(job->input));
  if (count == 0)
    return al_fail_param(err, "input", "input must not be empty");
  if (count > MOST_CHARACTERS)
    return al_fail_param(err, "input", "input has %zu characters; at most %zu are taken", count, MOST_CHARACTERS);
  return AL_OK;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static void begin(struct speech *job)
{
  if (job->has_begun)
    return;
  job->has_begun = true;
  if (job->as_events)
    al_api_audio_begin_events(job->job.exchange);
  else
    al_http_begin(job->job.exchange, 200, al_audio_format_content_type(job->format));
}

static void send_event(struct speech *job, struct al_json_writer *w)
{
  al_api_audio_close_event(w);
  job->is_gone = job->out.failed || !al_api_outflow_send(job->outflow, al_buf_view(&job->out));
  al_buf_clear(&job->out);
}

static void on_bytes(struct speech *job, struct al_str bytes)
{
  begin(job);
  if (job->is_gone)
    return;
  if (!job->as_events) {
    job->is_gone = !al_api_outflow_send(job->outflow, bytes);
    return;
  }
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_base64_encode(&text, bytes);
  struct al_json_writer w = al_api_audio_open_event(&job->out, "speech.audio.delta");
  al_jw_kv_str_n(&w, "audio", al_buf_view(&text));
  send_event(job, &w);
  job->is_gone |= text.failed;
}

/* A voice that is no language model reads and writes no tokens. */
static void send_done(struct speech *job, double seconds)
{
  struct al_json_writer w = al_api_audio_open_event(&job->out, "speech.audio.done");
  al_jw_key(&w, "usage");
  al_jw_object(&w);
  al_jw_kv_int(&w, "input_tokens", 0);
  al_jw_kv_int(&w, "output_tokens", 0);
  al_jw_kv_int(&w, "total_tokens", 0);
  al_jw_kv_real(&w, "seconds", al_transcript_seconds(seconds));
  al_jw_end(&w);
  send_event(job, &w);
}

static void on_done(struct speech *job, const struct al_transcribe_result *result)
{
  double seconds = result != nullptr ? result->duration_s : 0;
  begin(job);
  al_api_audio_log(&job->job, "speech", seconds, nullptr);
  if (job->as_events && !job->is_gone)
    send_done(job, seconds);
  if (job->is_gone)
    al_api_outflow_break(job->outflow);
  else
    al_api_outflow_end(job->outflow);
}

/* Sound that has begun cannot carry an error: the connection breaks before its end, so that nobody takes the half for
 * the whole. */
static void fail(struct speech *job, const struct al_err *err)
{
  struct al_err told = al_api_audio_err(job->api, err);
  al_api_audio_log(&job->job, "speech", 0, &told);
  if (!job->has_begun)
    al_api_reply_err(job->job.exchange, &told);
  if (job->has_begun && job->as_events && !job->is_gone) {
    al_api_audio_write_err(&job->out, &told);
    if (!job->out.failed && al_api_outflow_send(job->outflow, al_buf_view(&job->out))) {
      al_api_outflow_end(job->outflow);
      return;
    }
  }
  al_api_outflow_break(job->outflow);
}

static void on_event(void *user, const struct al_audio_event *event)
{
  struct speech *job = user;
  switch (event->kind) {
  case AL_AUDIO_STARTED:
  case AL_AUDIO_SEGMENT:
  case AL_AUDIO_PROGRESS: break;
  case AL_AUDIO_BYTES: on_bytes(job, event->bytes); break;
  case AL_AUDIO_DONE:
    on_done(job, event->result);
    speech_free(job);
    break;
  case AL_AUDIO_FAILED:
    fail(job, event->err);
    speech_free(job);
    break;
  }
}

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *body = nullptr;
  AL_TRY(al_api_body(exchange, &body, err));
  struct al_api_job *made = nullptr;
  AL_TRY(al_api_job_new(exchange, sizeof(struct speech), ARENA_CAP, &made, err));
  AL_CLEANUP(speech_free_p) struct speech *job = (struct speech *)made;
  job->api = api;
  job->voice = "";
  job->speed = 1;
  job->format = AL_AUDIO_MP3;
  AL_TRY(al_api_params_read(&(struct al_api_param_table){ params, AL_COUNT(params) }, 1, al_json_root(body), job, err));
  AL_TRY(check(job, err));
  AL_TRY(al_api_outflow_new(exchange, api, &job->outflow, err));
  struct al_speech_request request = {
    .model = made->model,
    .text = al_json_str(job->input),
    .options = { .voice = job->voice, .speed = (double)job->speed },
    .format = job->format,
    .cancel = al_http_cancel(exchange),
    .on_event = on_event,
    .user = job,
  };
  enum al_code code = al_inference_speak(api->inference, &request, err);
  if (code == AL_OK)
    (void)AL_TAKE(job);
  else
    al_api_outflow_break(job->outflow);
  return code;
}

void al_api_speech(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
