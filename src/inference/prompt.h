/* What a request asks to be continued: its tokens, checked against the model's context and cut when it may be. */
#ifndef AL_INFERENCE_PROMPT_H
#define AL_INFERENCE_PROMPT_H

#include "inference/chat.h"

struct al_prompt_options {
  struct al_str chat; /* JSON; data nullptr: `text` */
  struct al_str text;
  bool truncate;
  int64_t max_tokens; /* room that truncation leaves for the answer; 0: a default */
};

/* AL_INVALID_REQUEST with reason "context_length_exceeded" and both counts when it does not fit. */
enum al_code al_prompt_prepare(const struct al_loaded *loaded, const struct al_prompt_options *options,
                               struct al_tokens *tokens, struct al_err *err);

#endif
