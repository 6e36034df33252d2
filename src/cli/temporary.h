/* A file without a name: gone with its last descriptor, whatever happens to the process. */
#ifndef AL_CLI_TEMPORARY_H
#define AL_CLI_TEMPORARY_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum al_code al_temporary_open(int *fd, struct al_err *err); /* in $TMPDIR or /tmp */
/* All of it, at the end of the file. */
enum al_code al_temporary_write(int fd, struct al_str bytes, struct al_err *err);
/* Copies a descriptor (a pipe, a terminal) to its end. cancel_fd: readable means AL_CANCELLED. */
enum al_code al_temporary_fill(int fd, int from_fd, int cancel_fd, uint64_t *size_bytes, struct al_err *err);

#endif
