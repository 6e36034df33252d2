/* The supervisor: owns the listening sockets, runs one worker, and starts another when it crashes or hangs. Requests
 * that arrive meanwhile wait in the sockets' backlogs.
 *
 * SIGTERM, SIGINT: drains and exits 0 (a second one ends at once). SIGHUP: a new worker takes over, the old one drains.
 */
#ifndef AL_APP_SUPERVISOR_H
#define AL_APP_SUPERVISOR_H

#include "config/options.h"

/* Runs until told to stop; prints "listening on http://HOST:PORT" to standard output once a worker answers. Returns the
 * process's exit code. The single thread of the process. */
int al_supervisor_run(const struct al_config *config);

#endif
