/* A file that a command writes: under another name beside it until it is whole, so that what is there is never half of
 * it and never lost to an attempt that failed. A device or a pipe is written as it stands. */
#ifndef AL_CLI_OUTPUT_H
#define AL_CLI_OUTPUT_H

#include "base/err.h"
#include "base/str.h"

struct al_output {
  int fd;               /* 0: not open */
  char path[4096];      /* where it will be; links resolved */
  char temporary[4128]; /* "": the path is written itself */
  const char *name;     /* for messages; borrowed */
};

/* "-" is standard output. */
enum al_code al_output_open(const char *path, struct al_output *output, struct al_err *err);
enum al_code al_output_write(struct al_output *output, struct al_str bytes, struct al_err *err);
/* It is whole: gives it its name. */
enum al_code al_output_finish(struct al_output *output, struct al_err *err);
/* Removes what was not finished; accepts a zeroed one and one that is finished. */
void al_output_done(struct al_output *output);

#endif
