/* One who asks for a transcription or a speech, and what is the same in the tests of both. */
#ifndef TEST_AUDIO_KIT_H
#define TEST_AUDIO_KIT_H

#include "kit.h"
#include "stand_in_media.h"

/* One who asked for a transcription or a speech. */
struct listener {
  struct al_mutex mutex;
  struct al_cond changed;
  int fd;
  struct al_cancel *cancel;
  struct al_transcription_request hear;
  struct al_speech_request speak;
  bool started, ended, failed;
  struct al_audio_info info;
  int n_segments, n_words, n_progress, n_pieces;
  double last_progress_s;
  struct al_buf text, bytes;
  char language[8];
  struct al_transcribe_result result;
  bool is_truncated;
  struct al_err err;
  int64_t ended_ns;
  int hold_at; /* the callback of this segment (from 1) waits for listener_release; 0: never */
  bool holding, released;
};

/* words: what the file says (stand_in_media.h); nullptr: no file. The caller changes the requests before they are made.
 */
void listener_init(struct listener *l, const char *words);
void listener_done(struct listener *l);
void listener_until(struct listener *l, const bool *what); /* or the end */
void listener_wait(struct listener *l);
void listener_release(struct listener *l);
void kit_hear(struct al_inference *inference, struct listener *l); /* asserts that it is taken */
void kit_speak(struct al_inference *inference, struct listener *l);
/* Fires its token, waits for the answer and ends the listener. */
void kit_give_up(struct listener *l, const char *stage);

int kit_reset(void **);
int kit_nothing_is_left(void **);
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_reset, kit_nothing_is_left)

#endif
