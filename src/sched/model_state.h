/* Where a model stands between disk and memory. */
#ifndef AL_SCHED_MODEL_STATE_H
#define AL_SCHED_MODEL_STATE_H

enum al_model_state { AL_MODEL_UNLOADED, AL_MODEL_LOADING, AL_MODEL_READY, AL_MODEL_UNLOADING };
const char *al_model_state_name(enum al_model_state state); /* "unloaded", "loading", "ready", "unloading" */

#endif
