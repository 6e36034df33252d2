/* Stored responses: a SQLite database and the one thread ("al-store") that speaks to it, so that no loop ever waits for
 * a disk. Jobs are done in the order in which they were given: who asks after a put sees what was put.
 *
 * Every call may come from any thread. Answers come by callback on the store's own thread; they must not wait. */
#ifndef AL_API_RESPONSE_STORE_H
#define AL_API_RESPONSE_STORE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_response_store;

struct al_response_store_options {
  const char *directory; /* made when absent, for its owner alone */
  int64_t max_age_s;     /* older responses are dropped; 0: never */
  int64_t max_bytes;     /* the oldest are dropped when all together are larger; 0: no limit */
};

/* Responses that a worker which is gone has left unfinished now read as failed. */
enum al_code al_response_store_open(const struct al_response_store_options *options, struct al_response_store **store,
                                    struct al_err *err);
/* Does what is still waiting, then joins the thread. Accepts nullptr. */
void al_response_store_free(struct al_response_store *store);
/* Returns when all that was given before is done; at once on the store's own thread. Accepts nullptr. */
void al_response_store_wait(struct al_response_store *store);
/* AL_OK unless a write has just failed: then why the next may. */
enum al_code al_response_store_problem(struct al_response_store *store, struct al_err *err);

struct al_response_record {
  struct al_str id, previous_id; /* previous_id may be empty */
  struct al_str status;
  int64_t created_s;
  struct al_str input;  /* a JSON array of items, each with its id */
  struct al_str object; /* the response as clients read it */
  struct al_str events; /* of a background stream, as they were sent; may be empty */
};

/* Stores or replaces. The record is copied; a failure to write is logged. */
enum al_code al_response_store_put(struct al_response_store *store, const struct al_response_record *record,
                                   struct al_err *err);

struct al_response_found { /* borrowed for the call */
  struct al_err err;       /* AL_OK: the rest is valid */
  struct al_response_record record;
  struct al_str context;    /* of al_response_store_context: a JSON array of items, oldest first */
  struct al_str references; /* likewise: those that were asked for by id */
};
typedef void al_response_found_fn(void *user, const struct al_response_found *found);
al_response_found_fn al_api_ignore_found; /* for whom the answer does not matter */

/* AL_NOT_FOUND by callback. On errors of these calls themselves nothing is called. */
enum al_code al_response_store_get(struct al_response_store *store, struct al_str id, al_response_found_fn *found,
                                   void *user, struct al_err *err);
enum al_code al_response_store_delete(struct al_response_store *store, struct al_str id, al_response_found_fn *found,
                                      void *user, struct al_err *err);

/* The conversation that ends with `previous_id` (may be empty): input and output of all its responses. And the items
 * with the given ids, a JSON array of strings (may be empty). AL_NOT_FOUND with the reason
 * "previous_response_not_found". */
enum al_code al_response_store_context(struct al_response_store *store, struct al_str previous_id, struct al_str ids,
                                       al_response_found_fn *found, void *user, struct al_err *err);

#endif
