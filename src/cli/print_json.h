/* For --json: a value of an answer, as it came, on one line of standard output. */
#ifndef AL_CLI_PRINT_JSON_H
#define AL_CLI_PRINT_JSON_H

#include "codec/json.h"

void al_cli_print_json(const struct al_json *value);

#endif
