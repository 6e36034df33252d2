#include "stand_in_audio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct spoken spoken;
static al_audio_event_fn *on_event;
static void *user;

void spoken_clear(void)
{
  spoken = (struct spoken){};
  on_event = nullptr;
}

void *al_http_sink(const struct al_http_exchange *exchange)
{
  return exchange->sink;
}

void al_http_set_pump(struct al_http_exchange *exchange, const struct al_http_pump *ops, void *pump)
{
  assert_null(exchange->pump_ops);
  exchange->pump_ops = ops;
  exchange->pump = pump;
}

bool al_http_has_room(struct al_http_exchange *exchange)
{
  return !exchange->is_full;
}

static enum al_code take(const char *model, struct al_err *err)
{
  if (refuse_submit.code != AL_OK) {
    *err = refuse_submit;
    return err->code;
  }
  spoken.count++;
  (void)snprintf(spoken.model, sizeof spoken.model, "%s", model);
  return AL_OK;
}

enum al_code al_inference_transcribe(struct al_inference *inference, const struct al_transcription_request *request,
                                     struct al_err *err)
{
  (void)inference;
  AL_TRY(take(request->model, err));
  spoken.transcription = *request;
  on_event = request->on_event;
  user = request->user;
  (void)snprintf(spoken.language, sizeof spoken.language, "%s", request->options.language);
  (void)snprintf(spoken.prompt, sizeof spoken.prompt, "%s", request->options.prompt);
  size_t size = al_min_size(request->file.size_bytes, sizeof spoken.file - 1);
  ssize_t got = pread(request->file.fd, spoken.file, size, (off_t)request->file.offset);
  assert_int_equal(got, size);
  return AL_OK;
}

enum al_code al_inference_speak(struct al_inference *inference, const struct al_speech_request *request,
                                struct al_err *err)
{
  (void)inference;
  AL_TRY(take(request->model, err));
  spoken.speech = *request;
  on_event = request->on_event;
  user = request->user;
  (void)snprintf(spoken.voice, sizeof spoken.voice, "%s", request->options.voice);
  (void)snprintf(spoken.text, sizeof spoken.text, "%.*s", (int)request->text.size, request->text.data);
  return AL_OK;
}

enum al_code al_inference_voices(struct al_inference *inference, const struct al_voices_request *request,
                                 struct al_err *err)
{
  (void)inference;
  AL_TRY(take(request->model, err));
  spoken.voices = *request;
  return AL_OK;
}

void play_audio(struct al_audio_event event)
{
  assert_non_null(on_event);
  on_event(user, &event);
}
