/* A server of the command's own, for when none is listening: started on a free port, ended with the command. */
#ifndef AL_CLI_PRIVATE_SERVER_H
#define AL_CLI_PRIVATE_SERVER_H

#include "config/options.h"

#include <sys/types.h>

struct al_private_server {
  pid_t pid; /* 0: none */
  int port;
};

/* model_path: one model file or directory to serve besides the configured ones, or nullptr. Waits until it answers. */
enum al_code al_private_server_start(const struct al_config *config, const char *model_path,
                                     struct al_private_server *server, struct al_err *err);
/* Ends it and waits. Accepts a zeroed one. */
void al_private_server_stop(struct al_private_server *server);

#endif
