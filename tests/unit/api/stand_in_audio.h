/* The speech side of the InferenceEngine's stand-in: what was asked, and events that the test plays. */
#ifndef AL_TEST_STAND_IN_AUDIO_H
#define AL_TEST_STAND_IN_AUDIO_H

#include "stand_in.h"

struct spoken {
  int count; /* of all three */
  char model[64], language[16], prompt[64], voice[64], text[256];
  char file[64];                                 /* the beginning of what the descriptor gives */
  struct al_transcription_request transcription; /* numbers and callbacks only, as in those below */
  struct al_speech_request speech;
  struct al_voices_request voices;
};
extern struct spoken spoken;
void spoken_clear(void);

void play_audio(struct al_audio_event event); /* to the last transcription or speech */

#endif
