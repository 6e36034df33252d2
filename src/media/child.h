/* One allm-media process, seen from here: started, listened to, ended. Owner: a reader or a writer, on its thread. */
#ifndef AL_MEDIA_CHILD_H
#define AL_MEDIA_CHILD_H

#include "media/protocol.h"

#include <sys/types.h>

struct al_media_child {
  pid_t pid;                /* 0: none */
  int frames_fd;            /* -1: none; its frames, never blocks */
  int samples_fd;           /* -1: none; what it is given */
  struct al_cancel *cancel; /* a reference */
  int64_t stall_ms;
  struct al_media_frames frames;
};

/* A zeroed child is made a process: arguments follow the program's path, NULL-terminated; in_fd (borrowed) becomes the
 * child's AL_MEDIA_IN_FD. On failure the child is still to be stopped. */
enum al_code al_media_child_start(struct al_media_child *child, const char *const *arguments, int in_fd,
                                  struct al_err *err);
/* The next frame. Waits for it, sending *samples (nullptr, or what is taken from its front) meanwhile; returns with
 * *found false once all samples are sent and `samples` was not nullptr. A child that says nothing for stall_ms is
 * AL_TIMEOUT; one that ends in the middle of a sentence is AL_INVALID_REQUEST "corrupt_media", AL_INTERNAL when it
 * never began to speak, encodes, or was killed from outside. */
enum al_code al_media_child_next(struct al_media_child *child, struct al_str *samples, struct al_media_frame *frame,
                                 bool *found, struct al_err *err);
/* Kills and reaps it; accepts one that never started. */
void al_media_child_stop(struct al_media_child *child);

/* AL_UNSUPPORTED without a program. */
enum al_code al_media_check_program(struct al_err *err);

#endif
