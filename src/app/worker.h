/* The worker: the HTTP server with its engines in one process, under a supervisor (app/worker_link.h says what it
 * inherits). Its main thread only keeps the heartbeat and waits to be told to stop. */
#ifndef AL_APP_WORKER_H
#define AL_APP_WORKER_H

/* Returns the process's exit code: 0 after a graceful stop, 2 when starting again would not help. */
int al_worker_run(int argc, char **argv);

#endif
