/* A file for what is too large for memory. It has no name: whatever happens to this process, nothing is left behind. */
#ifndef AL_API_SPOOL_H
#define AL_API_SPOOL_H

#include "base/err.h"
#include "base/str.h"

/* In `directory` (made when it is missing), or, where that is "" or takes no files, $TMPDIR, /var/tmp or /tmp.
 * Close-on-exec, for reading and writing. */
enum al_code al_api_spool_open(const char *directory, int *fd, struct al_err *err);

/* Appends. AL_OOM_RAM, reason "disk_full", when there is no room. */
enum al_code al_api_spool_write(int fd, struct al_str bytes, struct al_err *err);

#endif
