/* Frames to whoever started this process. A write that fails ends the process: nobody listens any more. */
#ifndef AL_MEDIA_CONVERT_OUTPUT_H
#define AL_MEDIA_CONVERT_OUTPUT_H

#include "media/protocol.h"

void output_frame(enum al_media_kind kind, const void *payload, size_t size);
/* As many frames as it takes. */
void output_long(enum al_media_kind kind, const void *payload, size_t size);
/* The last frame, and the end of the process. */
[[noreturn]] void output_fail(enum al_media_failure_kind kind, const char *detail);
/* FFmpeg's error: out of memory, or `otherwise`. */
[[noreturn]] void output_fail_av(int av_error, enum al_media_failure_kind otherwise);

#endif
