/* The command line. Commands reach the server over HTTP only; they never load a model themselves. */
#ifndef AL_CLI_CLI_H
#define AL_CLI_CLI_H

#include "config/options.h"

struct al_cli {
  struct al_config *config; /* from environment and flags; borrowed */
  bool json;                /* --json: print JSON instead of text */
  bool port_given;          /* an address was named: never start a private server instead */
  const char *model;        /* --model, for a command that takes it; nullptr: not given. Borrowed from argv */
};

/* Returns the exit code of the process: 0, 1 for a failure, 2 for wrong usage. */
typedef int al_cli_command_fn(struct al_cli *cli, int argc, char **argv);

struct al_cli_command {
  const char *name;
  const char *arguments; /* "MODEL [PROMPT]" */
  const char *summary;   /* one line */
  const char *details;   /* for "allm help NAME"; nullptr: none */
  al_cli_command_fn *run;
  bool takes_model; /* its --model names the one to use, not (as for serve) one more to offer */
};

extern const struct al_cli_command al_command_run;
extern const struct al_cli_command al_command_transcribe;
extern const struct al_cli_command al_command_speak;
extern const struct al_cli_command al_command_list;
extern const struct al_cli_command al_command_ps;
extern const struct al_cli_command al_command_show;
extern const struct al_cli_command al_command_version;

/* serve: the one command that lives elsewhere (the supervisor). */
int al_cli_main(int argc, char **argv, const struct al_cli_command *serve);

/* "allm: ..." on standard error, with the error's message; returns 1. */
int al_cli_fail(const struct al_err *err);
/* For wrong usage: says how it goes; returns 2. */
int al_cli_usage(const struct al_cli_command *command);

#endif
