/* What a request asks to be continued: its tokens, checked against the model's context and cut when it may be. */
#ifndef AL_INFERENCE_PROMPT_H
#define AL_INFERENCE_PROMPT_H

#include "inference/chat.h"
#include "inference/text.h"

struct al_prompt_options { /* the first that is there of: chat, tokens, text */
  const struct al_json *chat;
  struct al_token_span tokens;
  struct al_str text;
  struct al_str suffix; /* with `text`, data not nullptr: fill in the middle */
  bool truncate;
  int64_t max_tokens; /* room that truncation leaves for the answer; 0: a default; negative: there is none */
};

struct al_prompt {
  struct al_tokens tokens;
  struct al_buf text; /* of a chat */
};
void al_prompt_done(struct al_prompt *prompt);

/* AL_INVALID_REQUEST with reason "context_length_exceeded" and both counts when it does not fit. */
enum al_code al_prompt_prepare(const struct al_loaded *loaded, const struct al_prompt_options *options,
                               struct al_prompt *prompt, struct al_err *err);

#endif
