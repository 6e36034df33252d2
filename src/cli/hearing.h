/* One file's transcription as it comes over the wire: to the terminal or a pipe piece by piece, into a file as a whole,
 * with the progress line above or beneath it. */
#ifndef AL_CLI_HEARING_H
#define AL_CLI_HEARING_H

#include "cli/connection.h"
#include "cli/output.h"
#include "cli/progress.h"

struct al_hearing_options { /* strings are borrowed; nullptr: not given */
  const char *model, *language, *prompt, *temperature;
  const char *format; /* OpenAI's response_format */
  bool translate, words;
};

struct al_hearing_input {
  int fd; /* regular, or a temporary file */
  uint64_t size_bytes;
  const char *name;  /* as the user gave it */
  bool names_itself; /* in JSON: one of several */
};

/* Sends the file and writes what was heard: into *output (whole, when all has come; it is not finished yet), or to
 * standard output. */
enum al_code al_hearing_run(struct al_connection *connection, const struct al_hearing_options *options,
                            const struct al_hearing_input *input, struct al_output *output, int cancel_fd,
                            struct al_err *err);

#endif
