/* A command's own flags ("--language de", "--language=de", "-o FILE"). What is no flag stays, in order; "-" is none,
 * and behind "--" there are none. */
#ifndef AL_CLI_FLAGS_H
#define AL_CLI_FLAGS_H

#include "base/err.h"

struct al_flag {
  const char *name;   /* "--language", "-o" */
  const char **value; /* what follows it, borrowed from argv; or */
  bool *is_set;       /* of one that takes nothing */
};

/* Sets *argc to the number of arguments that stay at the front of argv. AL_INVALID_REQUEST: unknown, or without its
 * value. */
enum al_code al_flags_read(const struct al_flag *flags, size_t n_flags, int *argc, char **argv, struct al_err *err);

/* A number, all of it; AL_INVALID_REQUEST names the flag. */
enum al_code al_flag_number(const char *name, const char *value, double *number, struct al_err *err);

#endif
