/* Stand-ins for net and inference: an exchange that records its answer, and an InferenceEngine whose events the test
 * plays by hand. They make the endpoints testable without sockets, threads or a model. */
#ifndef AL_TEST_STAND_IN_H
#define AL_TEST_STAND_IN_H

#include "api/api.h"
#include "api/context.h"
#include "base/buf.h"
#include "codec/json.h"

struct al_http_exchange {
  const char *path;
  const char *id_param;
  const char *content_type;
  const char *authorization;
  const char *api_key;
  struct al_str body;
  void *sink; /* of an upload; borrowed */
  int n_refs;
  const struct al_http_pump *pump_ops;
  void *pump;
  bool is_full; /* the client reads slowly */
  /* the answer */
  int status; /* 0: none yet */
  char sent_type[48];
  char headers[512];
  struct al_buf sent; /* body, or all sends of a stream */
  int n_sends;
  bool is_streamed;
  bool is_ended;
  bool is_plain;        /* not JSON nor server-sent events */
  int fail_sends_after; /* the client leaves after so many sends; 0: never */
  struct al_cancel *cancel;
};

void exchange_init(struct al_http_exchange *exchange, const char *body);
void exchange_done(struct al_http_exchange *exchange); /* asserts that no reference is left */

/* What the last al_inference_text was called with; `on_event` nullptr: nothing was submitted. */
struct submitted {
  int count;
  struct al_text_request requests[16]; /* all of them, numbers and callbacks only */
  char prompts[16][64];                /* their prompts; tokens as "1,2,3" */
  int target;                          /* which of them the events that are played belong to; the last one at first */
  char suffix[64];
  char model[600];
  char *chat;                     /* JSON text, al_freed by submitted_clear */
  struct al_text_request request; /* numbers and callbacks only; its pointers are dead */
  char stop[16][64];
  struct {
    char model[64];
    float scale;
  } lora[4];
  unsigned choices_done[16]; /* of each request; bit i: choice i has ended */
};
extern struct submitted submitted;
extern struct al_err refuse_submit; /* code not AL_OK: al_inference_text fails with it */
extern struct al_err model_problem; /* of the one model, "tiny" */
void submitted_clear(void);

/* What the last al_inference_tokens and al_inference_embed were called with: numbers and callbacks only, the chat as
 * JSON text (al_freed by submitted_clear). The test calls `done` with a result. refuse_submit holds for them as well.
 */
struct asked {
  int n_tokens, n_embeds;
  struct al_token_request tokens;
  char model[64];
  char *chat;
  struct al_embed_request embed;
};
extern struct asked asked;

/* Of the submission `submitted.target`. play_done ends the choices that have not ended yet with the same finish. */
void play(struct al_text_event event);
void play_started(int n_prompt);
void play_delta(const char *text);
void play_delta_of(int choice, const char *text);
void play_reasoning(const char *text);
/* A whole tool call of choice 0 in pieces; nullptr ends the pieces. The last piece is followed by CALL_END. */
void play_call(int call, const char *name, bool is_complete, const char *const *pieces);
/* `text` with one token that is likely by `logprob`, and `other` as the second most likely when not nullptr. */
void play_token(const char *text, float logprob, const char *other);
void play_choice_done(int choice, enum al_finish finish, const char *stop);
void play_done(enum al_finish finish, int n_completion);
void play_failed(enum al_code code, const char *reason, const char *message);

struct al_api *make_api(const char *key);

/* Parses what was sent whole; the caller frees. Fails the test when it is not JSON. */
struct al_json_doc *sent_json(const struct al_http_exchange *exchange);
/* The text at a path like "error.param" or "choices.0.message.content"; "" when absent. Static buffer. */
const char *json_text(const struct al_json_doc *doc, const char *path);

#endif
