#include "inference/audio_manager.h"

#include "inference/audio.h"

enum al_code al_audio_manager_supports(const struct al_model_descriptor *descriptor, struct al_err *err)
{
  const char *what = descriptor->type == AL_TYPE_STT ? "transcribes speech" : "speaks";
  return al_fail(err, AL_UNSUPPORTED, "'%s' is a model that %s; this version of aLLM runs text models only",
                 descriptor->id, what);
}

enum al_code al_inference_transcribe(struct al_inference *, const struct al_transcription_request *, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "speech is not there yet");
}

enum al_code al_inference_speak(struct al_inference *, const struct al_speech_request *, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "speech is not there yet");
}

enum al_code al_inference_voices(struct al_inference *, const struct al_voices_request *, struct al_err *err)
{
  return al_fail(err, AL_UNSUPPORTED, "speech is not there yet");
}
