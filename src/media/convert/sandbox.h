/* Gives up all that a conversion does not need, for good: before the first byte of a stranger's file is read.
 *
 * Limits on memory, processor time and descriptors; no new privileges; Landlock (no file system, no TCP) and a seccomp
 * filter (a list of allowed system calls: memory, its own two descriptors, the clock, the end). One of the two must
 * work. Builds with sanitizers allow what those need besides. */
#ifndef AL_MEDIA_CONVERT_SANDBOX_H
#define AL_MEDIA_CONVERT_SANDBOX_H

#include "media/protocol.h"

/* memory_bytes: how much more than it has by now. false: neither filter works, and why[size] says it. Everything the
 * process will need is loaded by now. */
bool sandbox_enter(enum al_media_job job, uint64_t cpu_seconds, uint64_t memory_bytes, char *why, size_t size);

/* 0, or a negative errno. */
int sandbox_seccomp(enum al_media_job job);

#endif
