/* The allm program: the command line and the supervisor. It links no engine. */
#include "app/supervisor.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int serve(struct al_cli *cli, int argc, char **argv)
{
  if (argc > 0) {
    (void)fprintf(stderr, "allm: serve does not know \"%s\"; \"allm help serve\" lists its options\n", argv[0]);
    return 2;
  }
  if (getenv("ALLM_OWN_GROUP") != nullptr)
    (void)setpgid(0, 0);
  return al_supervisor_run(cli->config);
}

int main(int argc, char **argv)
{
  static const struct al_cli_command command = {
    .name = "serve",
    .arguments = "[--host H] [--port P] [--models DIR]...",
    .summary = "run the server",
    .details =
        "Prints \"listening on http://HOST:PORT\" once it answers. SIGTERM or Ctrl-C: running requests may end, then\n"
        "it exits with 0. SIGHUP: a new worker takes over without a request lost.\n",
    .run = serve,
  };
  return al_cli_main(argc, argv, &command);
}
