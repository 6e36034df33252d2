/* AudioManager: speech to text and text to speech. Opens a request's file on its own threads (task.h), so that what is
 * no audio is refused without a model and a file that keeps its decoder busy holds up neither a model nor the texts
 * that are being prepared; then gets the model from the pool and hands the work to the model's worker.
 *
 * Each kind of request is a file of its own: transcribe_task.c, speak_task.c, voices_task.c. */
#ifndef AL_INFERENCE_AUDIO_MANAGER_H
#define AL_INFERENCE_AUDIO_MANAGER_H

#include "inference/audio.h"
#include "sched/pool.h"

struct al_audio_manager;

enum al_code al_audio_manager_new(struct al_audio_manager **manager, struct al_err *err);
void al_audio_manager_use(struct al_audio_manager *manager, struct al_pool *pool); /* once; borrowed */
/* After al_pool_stop: fails what is still being prepared and joins the threads. Accepts nullptr. */
void al_audio_manager_stop(struct al_audio_manager *manager);
void al_audio_manager_free(struct al_audio_manager *manager);       /* after al_pool_free; accepts nullptr */
size_t al_audio_manager_n_active(struct al_audio_manager *manager); /* not yet answered */

enum al_code al_transcribe_submit(struct al_audio_manager *manager, const struct al_transcription_request *request,
                                  struct al_err *err);
enum al_code al_speak_submit(struct al_audio_manager *manager, const struct al_speech_request *request,
                             struct al_err *err);
enum al_code al_voices_submit(struct al_audio_manager *manager, const struct al_voices_request *request,
                              struct al_err *err);

/* For the tasks. */
struct al_task_runner *al_audio_manager_listening(struct al_audio_manager *manager); /* where files are opened */
struct al_task_runner *al_audio_manager_speaking(struct al_audio_manager *manager);
/* A file's decoder is a process: only so many stay open while their requests wait for their turn. true: this one may,
 * until al_audio_manager_unpark. */
bool al_audio_manager_park(struct al_audio_manager *manager);
void al_audio_manager_unpark(struct al_audio_manager *manager);

#endif
