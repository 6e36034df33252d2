/* Errors in Anthropic's form, for what stands before the endpoints. */
#ifndef AL_API_ANTHROPIC_ERRORS_H
#define AL_API_ANTHROPIC_ERRORS_H

#include "net/http.h"

bool al_api_anthropic_is_path(struct al_str path); /* /v1/messages and below */
/* `word` is our finer code; nullptr: none. */
void al_api_anthropic_reply_status(struct al_http_exchange *exchange, int status, const char *word,
                                   const char *message);

#endif
