/* A scheduler over the fake engine, and a client that collects one generation. */
#ifndef TEST_SCHED_KIT_H
#define TEST_SCHED_KIT_H

#include "base/buf.h"
#include "base/thread.h"
#include "engine/fake/fake.h"
#include "sched/scheduler.h"

struct kit {
  struct al_engine_model *model;
  struct al_scheduler *scheduler;
  struct al_text_ops ops; /* the fake's, to be changed before kit_start_again */
  size_t max_waiting;
  unsigned capabilities; /* of the model; 0: it generates */
};

/* n_ctx and n_batch of 0: the fake's defaults. The knobs are the test's to reset. */
void kit_open(struct kit *kit, int n_ctx, int n_batch, int n_seq_max);
void kit_close(struct kit *kit);

struct seen { /* of one token */
  int32_t token;
  float logprob;
  struct al_token_logprob top[AL_MOST_LOGPROBS];
  size_t n_top;
  bool is_control;
};
enum { MOST_SEEN = 64 };

struct client {
  struct al_mutex mutex;
  struct al_cond changed;
  struct al_buf text;
  struct al_generation_result result;
  bool admitted, done;
  int n_tokens, n_prompt_tokens;
  struct seen seen[MOST_SEEN], prompt_seen[MOST_SEEN]; /* the first ones */
  struct seen ended_by;                                /* the token that ended it; token -1: none */
  int hold_at; /* the callback of this token (from 1) waits for client_release; 0: never */
  bool holding, released;
  int stop_at;   /* the callback of this token says stop; 0: never */
  int cancel_at; /* the callback of this token fires the cancel token; 0: never */
  struct al_cancel *cancel;
};

void client_init(struct client *client);
void client_done(struct client *client);
/* Greedy generation of at most max_tokens; the caller changes it before client_submit. */
struct al_generation client_generation(struct client *client, const char *prompt, int64_t max_tokens);
void client_submit(struct kit *kit, struct client *client, const char *prompt, int64_t max_tokens);
void client_wait(struct client *client);      /* until done */
void client_wait_held(struct client *client); /* until its callback waits */
void client_release(struct client *client);
const char *client_text(const struct client *client); /* "" when empty */

/* The text of the prompt alone on a fresh scheduler; freed by the caller. */
char *kit_alone(const char *prompt, int64_t max_tokens);

#endif
