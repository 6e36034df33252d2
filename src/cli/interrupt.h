/* Ctrl-C as something that can be waited for: a descriptor that becomes readable. Process-wide, on the main thread. */
#ifndef AL_CLI_INTERRUPT_H
#define AL_CLI_INTERRUPT_H

#include "base/err.h"

/* and_termination: SIGTERM and SIGHUP as well, for a command that has something to remove before it ends. */
enum al_code al_interrupt_watch(bool and_termination, struct al_err *err);
/* Readable once a signal has come; whoever goes on after it reads it empty. */
int al_interrupt_fd(void);
/* As a shell reports it: 130 for Ctrl-C. */
int al_interrupt_exit_code(void);

#endif
