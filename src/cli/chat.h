/* A conversation with one model over POST /v1/responses: what has been said, and how the next answer is asked for. */
#ifndef AL_CLI_CHAT_H
#define AL_CLI_CHAT_H

#include "cli/connection.h"

struct al_chat_turn {
  char *role; /* owned; "user" or "assistant" */
  char *text; /* owned */
};

struct al_chat {
  struct al_connection *connection; /* borrowed */
  const char *model;                /* borrowed */
  char *system;                     /* owned; nullptr: none */
  const char *options_json;         /* borrowed: members to add to each request (",\"temperature\":0"), or "" */
  struct al_chat_turn *turns;
  size_t n_turns, turn_capacity;
};

struct al_chat_result {
  int64_t n_prompt, n_completion; /* tokens */
  bool incomplete;                /* the context or the limit was reached */
};

void al_chat_done(struct al_chat *chat);
void al_chat_forget(struct al_chat *chat); /* all turns */
enum al_code al_chat_add(struct al_chat *chat, const char *role, struct al_str text, struct al_err *err);

/* Says `text`, calls on_text for every piece of the answer as it comes, and keeps both turns. Cancelled: what has come
 * stays in the conversation. cancel_fd as in al_connection_stream. */
typedef void al_chat_text_fn(void *user, struct al_str text);
enum al_code al_chat_say(struct al_chat *chat, struct al_str text, al_chat_text_fn *on_text, void *user, int cancel_fd,
                         struct al_chat_result *result, struct al_err *err);

/* The request's body, for --json. */
void al_chat_body(const struct al_chat *chat, bool stream, struct al_buf *body);

#endif
