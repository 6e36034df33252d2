/* The form that a request asks of its output: as a grammar before, and as a check afterwards. */
#ifndef AL_INFERENCE_FORMAT_H
#define AL_INFERENCE_FORMAT_H

#include "base/buf.h"
#include "inference/text.h"

struct al_format { /* of the answer itself */
  enum al_text_format kind;
  const struct al_json *schema; /* JSON_SCHEMA */
  struct al_str grammar;        /* GRAMMAR */
  const char *path;             /* how errors name it; nullptr: "response_format" */
};

/* Appends rules with the start symbol "answer"; nothing for TEXT. */
enum al_code al_format_rules(const struct al_format *format, struct al_buf *gbnf, struct al_err *err);
/* Is the answer what was asked for? AL_INTERNAL says what is wrong with it. */
enum al_code al_format_check(const struct al_format *format, struct al_str answer, struct al_err *err);

/* Appends the grammar with every rule's name prefixed, so that it can stand among others. What is no GBNF stays so. */
void al_gbnf_rename(struct al_str gbnf, const char *prefix, struct al_buf *out);

#endif
