/* The answers of Chat Completions: the whole object, and the chunks of a stream. Private to chat.c. */
#ifndef AL_API_CHAT_ANSWER_H
#define AL_API_CHAT_ANSWER_H

#include "api/generation.h"

struct al_api_chat_answer {
  struct al_api_generation base; /* first */
  struct al_str head;            /* of every chunk of the stream: up to "choices" */
};

extern const struct al_api_generation_ops al_api_chat_ops;

/* Once params are there, before submitting. */
enum al_code al_api_chat_prepare(struct al_api_generation *generation, struct al_err *err);

#endif
