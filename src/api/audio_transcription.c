/* POST /v1/audio/transcriptions and /v1/audio/translations. */
#include "api/audio.h"
#include "api/audio_transcript.h"
#include "api/errors.h"
#include "api/text_params.h"
#include "api/upload.h"

#include <stdio.h>

constexpr size_t ARENA_CAP = (size_t)1 << 20;
constexpr float FALLBACK_STEP = 0.2F; /* as OpenAI's own Whisper has it */

struct transcription {
  struct al_api_job job; /* first */
  const struct al_api *api;
  const char *language, *prompt;
  float temperature;
  int n_beams;
  bool translate, stream, stream_progress, has_granularities;
  struct al_transcript transcript;
  struct al_buf out; /* scratch: the event or body being written */
  double duration_s; /* as the file claims; 0: unknown */
  bool is_streaming; /* the stream has begun */
  bool is_gone;      /* the client does not read any more, or memory ran out */
};

static void transcription_free(struct transcription *job)
{
  if (job == nullptr)
    return;
  al_transcript_done(&job->transcript);
  al_buf_done(&job->out);
  al_api_job_free(&job->job);
}
AL_DEFINE_CLEANUP(struct transcription, transcription_free)

/* --- the request ------------------------------------------------------------------------------------------------- */

static enum al_code read_format(const struct al_api_param *param, const struct al_json *body, void *target,
                                struct al_err *err)
{
  struct transcription *job = target;
  struct al_str word = {};
  AL_TRY(al_json_want_str(body, "", param->name, &word, nullptr, err));
  if (al_str_is(word, "diarized_json"))
    return al_api_unsupported(err, param->name, "diarized_json is not supported: no model here tells speakers apart");
  job->transcript.format = al_transcript_format_parse(word);
  if (job->transcript.format != AL_TRANSCRIPT_FORMAT_COUNT)
    return AL_OK;
  return al_fail_param(err, param->name, "%s must be json, text, srt, verbose_json or vtt", param->name);
}

static enum al_code add_granularity(struct transcription *job, const struct al_json *value, const char *path,
                                    struct al_err *err)
{
  if (al_str_is(al_json_str(value), "word"))
    job->transcript.wants_words = true;
  else if (al_str_is(al_json_str(value), "segment"))
    job->transcript.wants_segments = true;
  else
    return al_fail_param(err, path, "%s must be \"word\" or \"segment\"", path);
  return AL_OK;
}

static enum al_code read_granularities(const struct al_api_param *param, const struct al_json *body, void *target,
                                       struct al_err *err)
{
  struct transcription *job = target;
  const struct al_json *value = al_json_get(body, param->name);
  job->has_granularities = true;
  if (al_json_kind(value) != AL_JSON_ARRAY)
    return add_granularity(job, value, param->name, err);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    char path[64];
    (void)snprintf(path, sizeof path, "%s[%zu]", param->name, it.index);
    AL_TRY(add_granularity(job, it.value, path, err));
  }
  return AL_OK;
}

#define FIELD(member) offsetof(struct transcription, member)

static const struct al_api_param shared_params[] = {
  { .name = "model", .read = al_api_read_model, .offset = FIELD(job.model) },
  { .name = "prompt", .read = al_api_read_chars, .offset = FIELD(prompt) },
  { .name = "response_format", .read = read_format },
  { .name = "temperature", .read = al_api_read_float, .offset = FIELD(temperature), .least = 0, .most = 1 },
  /* beyond OpenAI's */
  { .name = "beam_size", .read = al_api_read_int, .offset = FIELD(n_beams), .least = 1, .most = 8 },
  { .name = "stream", .read = al_api_read_bool, .offset = FIELD(stream) }, /* of translations */
  { .name = "stream_progress", .read = al_api_read_bool, .offset = FIELD(stream_progress) },
};

static const struct al_api_param transcription_params[] = {
  { .name = "language", .read = al_api_read_chars, .offset = FIELD(language) },
  { .name = "timestamp_granularities", .read = read_granularities },
  { .name = "chunking_strategy", .read = al_api_check_word, .words = "auto" },
  { .name = "include", .read = al_api_refuse, .words = "probabilities of tokens are not given here" },
  { .name = "keywords", .read = al_api_refuse, .words = "names and spellings can stand in the prompt" },
  { .name = "languages", .read = al_api_refuse, .words = "give one language, or none to have it found" },
  { .name = "known_speaker_names", .read = al_api_refuse, .words = "no model here tells speakers apart" },
  { .name = "known_speaker_references", .read = al_api_refuse, .words = "no model here tells speakers apart" },
  { .name = "translate", .read = al_api_read_bool, .offset = FIELD(translate) }, /* beyond OpenAI's */
};

static const struct al_api_param_table tables[] = {
  { shared_params, AL_COUNT(shared_params) },
  { transcription_params, AL_COUNT(transcription_params) },
};

static const struct al_api_file_field files[] = { { "file", 1 } };

static const struct al_api_upload_want transcription_want = { tables, AL_COUNT(tables), files, AL_COUNT(files) };
static const struct al_api_upload_want translation_want = { tables, 1, files, AL_COUNT(files) };

static void *begin_transcription(struct al_http_exchange *exchange, void *app)
{
  return al_api_upload_begin(exchange, app, &transcription_want);
}

static void *begin_translation(struct al_http_exchange *exchange, void *app)
{
  return al_api_upload_begin(exchange, app, &translation_want);
}

const struct al_http_body_sink al_api_transcription_sink = { begin_transcription, al_api_upload_data,
                                                             al_api_upload_free };
const struct al_http_body_sink al_api_translation_sink = { begin_translation, al_api_upload_data, al_api_upload_free };

/* What can only be said once everything has been read. */
static enum al_code check(struct transcription *job, struct al_err *err)
{
  struct al_transcript *transcript = &job->transcript;
  if (job->job.model == nullptr)
    return al_api_missing(err, "model");
  if (job->has_granularities && transcript->format != AL_TRANSCRIPT_VERBOSE_JSON)
    return al_fail_param(err, "timestamp_granularities",
                         "timestamp_granularities needs response_format to be verbose_json");
  if (job->stream_progress && !job->stream)
    return al_fail_param(err, "stream_progress", "stream_progress needs stream to be true");
  if (!transcript->wants_words)
    transcript->wants_segments = true;
  transcript->is_translation = job->translate;
  return AL_OK;
}

static enum al_code find_file(const struct al_api_upload *upload, struct al_media_source *source, struct al_err *err)
{
  struct al_api_file file;
  if (!al_api_upload_file(upload, "file", 0, &file))
    return al_api_missing(err, "file");
  if (file.size_bytes == 0)
    return al_fail_reason(err, al_fail_param(err, "file", "The file is empty"), "empty_file");
  *source = (struct al_media_source){ .fd = file.fd, .offset = file.offset, .size_bytes = file.size_bytes };
  return AL_OK;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static void send_out(struct transcription *job)
{
  job->is_gone |= job->out.failed || !al_http_send(job->job.exchange, al_buf_view(&job->out));
  al_buf_clear(&job->out);
}

static void send_event(struct transcription *job, struct al_json_writer *w)
{
  al_api_audio_close_event(w);
  send_out(job);
}

static void send_delta(struct transcription *job)
{
  struct al_str piece = al_transcript_next(&job->transcript);
  if (piece.size == 0)
    return;
  struct al_json_writer w = al_api_audio_open_event(&job->out, "transcript.text.delta");
  al_jw_kv_str_n(&w, "delta", piece);
  send_event(job, &w);
}

/* OpenAI's event of a segment names its speaker, which is not known here. */
static void send_segment(struct transcription *job, const struct al_speech_segment *segment)
{
  char id[32];
  (void)snprintf(id, sizeof id, "seg_%d", segment->id);
  struct al_json_writer w = al_api_audio_open_event(&job->out, "transcript.text.segment");
  al_jw_kv_str(&w, "id", id);
  al_jw_kv_real(&w, "start", al_transcript_seconds(segment->start_s));
  al_jw_kv_real(&w, "end", al_transcript_seconds(segment->end_s));
  al_jw_kv_str_n(&w, "text", segment->text);
  al_jw_kv_str(&w, "speaker", "");
  send_event(job, &w);
}

static void on_segment(struct transcription *job, const struct al_speech_segment *segment)
{
  al_transcript_add(&job->transcript, segment);
  if (!job->is_streaming || job->is_gone)
    return;
  send_delta(job);
  if (job->transcript.format == AL_TRANSCRIPT_VERBOSE_JSON && !job->is_gone)
    send_segment(job, segment);
}

static void on_progress(struct transcription *job, double done_s)
{
  if (!job->is_streaming || !job->stream_progress || job->is_gone)
    return;
  struct al_json_writer w = al_api_audio_open_event(&job->out, "transcript.progress");
  al_jw_kv_real(&w, "done_s", al_transcript_seconds(done_s));
  al_jw_key(&w, "duration_s");
  if (job->duration_s > 0)
    al_jw_real(&w, al_transcript_seconds(job->duration_s));
  else
    al_jw_null(&w);
  send_event(job, &w);
}

static void fail(struct transcription *job, const struct al_err *err)
{
  struct al_err told = al_api_audio_err(job->api, err);
  al_api_audio_log(&job->job, "transcription", 0, &told);
  if (!job->is_streaming) {
    al_api_reply_err(job->job.exchange, &told);
    return;
  }
  al_buf_clear(&job->out);
  al_api_audio_write_err(&job->out, &told);
  send_out(job);
  if (!job->is_gone)
    al_http_end(job->job.exchange);
}

/* The clients' types of this event count tokens. What is heard is none: its seconds stand beside them. */
static void write_stream_usage(struct al_json_writer *w, const struct al_transcribe_result *result)
{
  al_jw_key(w, "usage");
  al_jw_object(w);
  al_jw_kv_str(w, "type", "tokens");
  al_jw_kv_int(w, "input_tokens", 0);
  al_jw_kv_int(w, "output_tokens", result->n_tokens);
  al_jw_kv_int(w, "total_tokens", result->n_tokens);
  al_jw_kv_real(w, "seconds", al_transcript_seconds(result->duration_s));
  al_jw_end(w);
}

static void finish_stream(struct transcription *job, const struct al_transcribe_result *result)
{
  send_delta(job); /* of a file without a cue: its head */
  struct al_json_writer w = al_api_audio_open_event(&job->out, "transcript.text.done");
  al_jw_kv_str_n(&w, "text", al_transcript_text(&job->transcript));
  if (job->transcript.format == AL_TRANSCRIPT_VERBOSE_JSON)
    al_transcript_write_verbose(&w, &job->transcript, result);
  if (job->transcript.is_truncated)
    al_jw_kv_bool(&w, "truncated", true);
  write_stream_usage(&w, result);
  send_event(job, &w);
  if (!job->is_gone)
    al_http_end(job->job.exchange);
}

static void on_done(struct transcription *job, const struct al_transcribe_result *result)
{
  struct al_err err;
  if (al_transcript_check(&job->transcript, &err) != AL_OK) {
    fail(job, &err);
    return;
  }
  al_api_audio_log(&job->job, "transcription", result->duration_s, nullptr);
  if (job->is_streaming) {
    finish_stream(job, result);
    return;
  }
  if (job->transcript.is_truncated)
    al_http_add_header(job->job.exchange, "x-audio-truncated", "true");
  al_transcript_print(&job->transcript, result, &job->out);
  if (al_buf_check(&job->out, &err) != AL_OK)
    fail(job, &err);
  else
    al_http_reply(job->job.exchange, 200, al_transcript_content_type(job->transcript.format), al_buf_view(&job->out));
}

static void on_started(struct transcription *job, const struct al_audio_info *info)
{
  job->duration_s = info != nullptr ? info->duration_s : 0;
  if (!job->stream)
    return;
  al_api_audio_begin_events(job->job.exchange);
  job->is_streaming = true;
}

static void on_event(void *user, const struct al_audio_event *event)
{
  struct transcription *job = user;
  switch (event->kind) {
  case AL_AUDIO_STARTED: on_started(job, event->info); break;
  case AL_AUDIO_SEGMENT: on_segment(job, event->segment); break;
  case AL_AUDIO_PROGRESS: on_progress(job, event->done_s); break;
  case AL_AUDIO_BYTES: break;
  case AL_AUDIO_DONE:
    job->transcript.is_truncated = event->is_truncated;
    on_done(job, event->result);
    transcription_free(job);
    break;
  case AL_AUDIO_FAILED:
    fail(job, event->err);
    transcription_free(job);
    break;
  }
}

/* --- the way there ----------------------------------------------------------------------------------------------- */

static struct al_transcription_request make_request(struct transcription *job, const struct al_media_source *file)
{
  return (struct al_transcription_request){
    .model = job->job.model,
    .file = *file,
    .options = {
      .language = job->language,
      .translate = job->translate,
      .prompt = job->prompt,
      .temperature = job->temperature,
      /* A temperature that was asked for is kept. */
      .temperature_step = job->temperature > 0 ? 0 : FALLBACK_STEP,
      .n_beams = job->n_beams,
      .wants_words = job->transcript.wants_words,
    },
    .cancel = al_http_cancel(job->job.exchange),
    .on_event = on_event,
    .user = job,
  };
}

static enum al_code run(struct al_http_exchange *exchange, const struct al_api *api, bool translate, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *form = nullptr;
  struct al_api_upload *upload = al_http_sink(exchange);
  AL_TRY(al_api_upload_end(upload, &form, err));
  struct al_api_job *made = nullptr;
  AL_TRY(al_api_job_new(exchange, sizeof(struct transcription), ARENA_CAP, &made, err));
  AL_CLEANUP(transcription_free_p) struct transcription *job = (struct transcription *)made;
  job->api = api;
  job->language = job->prompt = "";
  job->translate = translate;
  AL_TRY(al_api_params_read(tables, translate ? 1 : AL_COUNT(tables), al_json_root(form), job, err));
  AL_TRY(check(job, err));
  struct al_media_source file;
  AL_TRY(find_file(upload, &file, err));
  al_transcript_init(&job->transcript);
  struct al_transcription_request request = make_request(job, &file);
  AL_TRY(al_inference_transcribe(api->inference, &request, err));
  (void)AL_TAKE(job);
  return AL_OK;
}

void al_api_transcriptions(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, false, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}

void al_api_translations(struct al_http_exchange *exchange, void *app)
{
  struct al_err err;
  if (run(exchange, app, true, &err) != AL_OK)
    al_api_reply_err(exchange, &err);
}
