/* Anthropic's Messages: what its files share. Private to src/api/anthropic*.c. */
#ifndef AL_API_ANTHROPIC_H
#define AL_API_ANTHROPIC_H

#include "api/generation.h"

/* The request's conversation, read by both endpoints; the shared parameters first. */
struct al_api_anthropic_request {
  struct al_api_text_params text;
  const struct al_json *messages;
  const struct al_json *system;
  const struct al_json *tools;
  const struct al_json *tool_choice;
  bool hides_thinking; /* thinking.display "omitted" */
};

/* anthropic_params.c */
extern const struct al_api_param_table al_api_anthropic_conversation; /* of both endpoints */
extern const struct al_api_param_table al_api_anthropic_sampling;     /* of /v1/messages alone */
/* What can only be said once everything has been read. */
enum al_code al_api_anthropic_check(struct al_api_anthropic_request *request, struct al_err *err);

/* anthropic_messages.c: writes system and messages into the open array, in the form that chat templates know.
 * Consecutive turns of one role become one, as in Anthropic's API. */
enum al_code al_api_anthropic_messages_write(const struct al_json *system, const struct al_json *messages,
                                             struct al_json_writer *w, struct al_err *err);

/* anthropic_blocks.c: an array of content blocks that hold text, or a string; joined by newlines. */
enum al_code al_api_anthropic_text(const struct al_json *content, const char *path, struct al_buf *out,
                                   struct al_err *err);
enum al_code al_api_anthropic_block_type(const struct al_json *block, const char *path, struct al_str *type,
                                         struct al_err *err);
/* Appends the text of a block of type "text". */
enum al_code al_api_anthropic_text_block(const struct al_json *block, const char *path, struct al_buf *out,
                                         struct al_err *err);
/* A block that no model here can take in (an image), or that does not stand here. Always fails. */
enum al_code al_api_anthropic_refuse_block(const struct al_json *block, const char *path, struct al_str type,
                                           struct al_err *err);

/* anthropic_answer.c */
struct al_api_anthropic_answer {
  struct al_api_generation base; /* first */
  bool hides_thinking;
  int n_blocks;                 /* streamed so far */
  enum al_text_event_kind open; /* of the block that is open: DELTA, REASONING, CALL_BEGIN; DONE: none */
};
extern const struct al_api_generation_ops al_api_anthropic_ops;

/* anthropic_errors.c: {"type": "error", "error": {"type", "message", ...}, "request_id"}. */
void al_api_anthropic_write_err(struct al_json_writer *w, const struct al_http_exchange *exchange,
                                const struct al_err *err);
void al_api_anthropic_reply_err(struct al_http_exchange *exchange, const struct al_err *err);

#endif
