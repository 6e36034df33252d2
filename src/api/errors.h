/* The one table that maps an error code and its finer reason to the HTTP status and OpenAI's error object.
 * docs/errors.md describes it for users; a test holds both together. */
#ifndef AL_API_ERRORS_H
#define AL_API_ERRORS_H

#include "base/err.h"
#include "codec/json.h"
#include "net/http.h"

struct al_api_error {
  enum al_code code;
  const char *reason; /* nullptr: the row for every other reason of this code */
  int status;
  const char *type;  /* OpenAI's "type" */
  const char *word;  /* OpenAI's "code"; an error's own reason goes before it */
  int retry_after_s; /* > 0: a Retry-After header */
  bool is_final;     /* asking again would give the same answer: clients are told not to retry a 5xx */
};

extern const struct al_api_error al_api_errors[];
extern const size_t al_api_n_errors;

/* Never nullptr. */
const struct al_api_error *al_api_error_of(const struct al_err *err);
/* What stands in "code": the error's own reason, else the row's word. Static. */
const char *al_api_error_word(const struct al_err *err);
/* The message for the client: absolute paths cut down to their last part. Writes at most `size` bytes with the NUL. */
void al_api_error_message(const struct al_err *err, char *message, size_t size);

/* The field that is wrong; nullptr: none. */
const char *al_api_error_param(const struct al_err *err);
/* Adds what clients need to know when to ask again: Retry-After, x-should-retry. */
void al_api_error_headers(struct al_http_exchange *exchange, const struct al_err *err);

/* Writes {"error": {"message", "type", "param", "code"}}. */
void al_api_write_err(struct al_json_writer *w, const struct al_err *err);

/* Answers with the error; before any part of the answer has been sent. */
void al_api_reply_err(struct al_http_exchange *exchange, const struct al_err *err);

#endif
