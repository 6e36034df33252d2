/* The answers to several prompts, joined into the answer to one request. Each prompt is a generation of its own, whose
 * outlet is the join; they may end in any order and on any thread.
 *
 * Shared by reference: one for each generation and one for the handler. What changes is under a lock, a leaf. */
#ifndef AL_API_COMPLETION_JOIN_H
#define AL_API_COMPLETION_JOIN_H

#include "api/generation.h"
#include "base/thread.h"

#include <stdatomic.h>

struct al_api_completion_join {
  struct al_arena *arena; /* the request's: what generations' params point to */
  struct al_api *api;
  struct al_http_exchange *exchange; /* a reference */
  const char *model;
  char id[64];
  int64_t created_s;
  bool include_usage;
  size_t n_prompts;
  struct al_buf *answers; /* [n_prompts]: elements of "choices" */
  atomic_int n_refs;
  struct al_mutex lock; /* guards what follows */
  size_t n_left;
  bool has_begun, has_ended;
  struct al_usage usage;
  double prompt_ms, predicted_ms;
};

enum al_code al_api_completion_join_new(struct al_http_exchange *exchange, struct al_api *api,
                                        struct al_api_completion_join **join, struct al_err *err);
/* Once the request has been read. */
enum al_code al_api_completion_join_expect(struct al_api_completion_join *join, size_t n_prompts, struct al_err *err);
struct al_api_completion_join *al_api_completion_join_ref(struct al_api_completion_join *join);
void al_api_completion_join_unref(struct al_api_completion_join *join); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_api_completion_join, al_api_completion_join_unref)

/* {"id", "object", "created", "model", "system_fingerprint": the object stays open. */
void al_api_completion_join_head(struct al_json_writer *w, const struct al_api_completion_join *join);

/* Answers with the error unless the request has been answered, and stops the other prompts. */
void al_api_completion_join_fail(struct al_api_completion_join *join, const struct al_err *err);

/* generation->outlet_state is the join; reply gets the elements of "choices". */
extern const struct al_api_outlet al_api_completion_outlet;

#endif
