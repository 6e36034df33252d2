/* From a chat or a prompt to tokens, for one loaded model: its template is compiled once and kept beside it. Immutable
 * after chat_model_new, so safe from any thread. */
#ifndef AL_INFERENCE_CHAT_H
#define AL_INFERENCE_CHAT_H

#include "codec/json.h"
#include "sched/pool.h"

struct al_chat_model;

/* Reads the template from loaded->info. A template that does not compile is reported by the chats, not by the load:
 * plain prompts still work. */
enum al_code al_chat_model_new(const struct al_loaded *loaded, struct al_chat_model **model, struct al_err *err);
void al_chat_model_free(struct al_chat_model *model); /* accepts nullptr */

struct al_tokens { /* owned: al_free(ids) */
  int32_t *ids;
  size_t count;
};

/* Renders the template over the model's variables and the chat's. */
enum al_code al_chat_render(const struct al_chat_model *model, const struct al_json *chat, struct al_buf *text,
                            struct al_err *err);
/* With the engine's flags. */
enum al_code al_text_tokenize(const struct al_loaded *loaded, struct al_str text, unsigned flags,
                              struct al_tokens *tokens, struct al_err *err);
/* Special tokens are parsed; BOS is added when the model wants it and the text does not begin with it. */
enum al_code al_chat_tokenize(const struct al_loaded *loaded, struct al_str text, struct al_tokens *tokens,
                              struct al_err *err);
/* Where a chat may begin when its oldest messages are dropped: at a user's message, so that no answer or tool result
 * stands without its question. */
size_t al_chat_n_starts(const struct al_json *chat);
/* The chat as JSON, without what comes before its n-th start (0: the whole), but with every system message. */
void al_chat_shorten(const struct al_json *chat, size_t n, struct al_buf *json);

#endif
