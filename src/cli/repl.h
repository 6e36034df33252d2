/* The chat at the terminal: reads lines with editing and history, streams answers, Ctrl-C cancels the answer. */
#ifndef AL_CLI_REPL_H
#define AL_CLI_REPL_H

#include "cli/chat.h"

/* Until /bye or the end of input; returns the exit code. cancel_fd: becomes readable at Ctrl-C. */
int al_repl_run(struct al_chat *chat, int cancel_fd);

#endif
