/* A request's prompt as tokens. */
#ifndef AL_ENGINE_WHISPER_PROMPT_H
#define AL_ENGINE_WHISPER_PROMPT_H

#include "engine/whisper/model.h"

/* The last tokens that were said before, as far as a model looks back: text from the request, then segments. */
struct al_whisper_past {
  whisper_token *tokens; /* owned */
  size_t count;
  size_t most; /* more push out the first */
};

enum al_code al_whisper_past_init(struct al_whisper_past *past, struct whisper_context *context, struct al_err *err);
void al_whisper_past_done(struct al_whisper_past *past); /* accepts a zeroed one */
void al_whisper_past_add(struct al_whisper_past *past, const whisper_token *tokens, size_t count);
/* The tokens are those that whisper-cli makes of it. */
void al_whisper_past_add_text(struct al_whisper_past *past, struct whisper_context *context, const char *text);

#endif
