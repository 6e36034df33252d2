/* InferenceEngine over the fake engine and made-up models, and a client that collects one request's events. */
#ifndef TEST_INFERENCE_KIT_H
#define TEST_INFERENCE_KIT_H

#include "base/buf.h"
#include "base/thread.h"
#include "engine/fake/fake.h"
#include "inference/inference.h"

struct al_inference *kit_open(const struct al_inference_options *base); /* nullptr: defaults */

struct call {
  char name[32];
  struct al_buf arguments;
  bool ended, complete;
};

enum { MOST_CHOICES = 8, MOST_CALLS = 4 };
struct answer { /* one choice */
  struct al_buf text, reasoning;
  struct al_buf tokens; /* the bytes of the tokens reported with its events */
  int n_tokens;
  size_t n_top; /* of the last */
  float least_logprob;
  struct call calls[MOST_CALLS];
  int n_calls;
  bool done;
  enum al_finish finish;
  char stop[32];
  struct al_usage usage;
};

struct client {
  struct al_mutex mutex;
  struct al_cond changed;
  struct al_text_request request; /* filled by client_init; the test changes it before client_submit */
  struct al_json_doc *chat;
  struct al_buf text;
  int n_started, n_deltas, n_choices_done;
  int n_prompt; /* of STARTED */
  struct answer answers[MOST_CHOICES];
  struct al_buf prompt_text, prompt_tokens; /* of PROMPT: its text, the bytes of its tokens */
  int n_prompts, n_prompt_tokens;
  bool ended;
  enum al_text_event_kind last;
  enum al_finish finish;
  char stop[64];
  struct al_usage usage;
  struct al_err err;
  bool hold; /* the first delta's callback waits for client_release */
  bool holding, released;
};

/* A chat of one user message, greedy; a nullptr message: the caller sets request.prompt. */
void client_init(struct client *client, const char *message);
void client_init_chat(struct client *client, const char *chat_json);
void client_done(struct client *client);
void client_submit(struct al_inference *inference, struct client *client); /* asserts that it is taken */
void client_wait(struct client *client);
void client_wait_held(struct client *client);
void client_release(struct client *client);
const char *client_text(const struct client *client);
const char *kit_text(const struct al_buf *buf); /* "" when empty */

/* For load and unload. */
struct done {
  struct al_mutex mutex;
  struct al_cond changed;
  bool called;
  struct al_err err;
};
void done_init(struct done *done);
void done_call(void *done, const struct al_err *err);
void done_wait(struct done *done); /* waits and destroys its lock */

void kit_load_now(struct al_inference *inference, const char *model);
void kit_wait_inactive(struct al_inference *inference);

#endif
