/* One text made into samples, by a library that is initialised and used by nobody else meanwhile. */
#ifndef AL_ENGINE_ESPEAK_SPEAK_H
#define AL_ENGINE_ESPEAK_SPEAK_H

#include "base/buf.h"
#include "engine/speech.h"

constexpr double AL_ESPEAK_MIN_SPEED = 0.25;
constexpr double AL_ESPEAK_MAX_SPEED = 4;

struct al_espeak_job {
  const char *voice; /* as the library calls it */
  double speed;      /* within the limits */
  int sample_rate;
  al_speak_sink_fn *sink;
  void *user;
  const struct al_cancel *stop;
};

/* Called once after each initialisation. */
void al_espeak_speak_setup(void);

/* text: as the caller has it, plain or SSML. After a failure the library is initialised again: it may be in the middle
 * of something. */
enum al_code al_espeak_speak(const struct al_espeak_job *job, struct al_str text, struct al_err *err);

#endif
