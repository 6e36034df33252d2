/* A cancel token: whoever wants work stopped fires it, whoever does the work looks at it between steps.
 * Shared by reference count; every call is thread-safe. Firing twice keeps the first reason. */
#ifndef AL_BASE_CANCEL_H
#define AL_BASE_CANCEL_H

#include "base/err.h"

struct al_cancel;

struct al_cancel *al_cancel_new(void); /* one reference, or nullptr when memory runs out */
struct al_cancel *al_cancel_ref(struct al_cancel *cancel);
void al_cancel_unref(struct al_cancel *cancel); /* accepts nullptr */

/* Accepts nullptr. reason: AL_CANCELLED (the client went away or asked) or AL_TIMEOUT. */
void al_cancel_fire(struct al_cancel *cancel, enum al_code reason);
/* To be told, where looking from time to time is not enough. The watch lies in the caller's object. */
struct al_cancel_watch {
  /* Once, on the thread that fires, under no lock. Must not block, nor unwatch. */
  void (*fired)(void *user);
  void *user;
  struct al_cancel_watch *next, **link; /* private */
};
/* false: it has fired already, nothing will be called. A nullptr token never fires. */
[[nodiscard]] bool al_cancel_watch(struct al_cancel *cancel, struct al_cancel_watch *watch);
/* When this returns, `fired` neither runs nor will run. Accepts a watch that has been told, or is not watching. */
void al_cancel_unwatch(struct al_cancel *cancel, struct al_cancel_watch *watch);

/* AL_OK while not fired. A nullptr token never fires. */
enum al_code al_cancel_reason(const struct al_cancel *cancel);
static inline bool al_cancelled(const struct al_cancel *cancel)
{
  return al_cancel_reason(cancel) != AL_OK;
}

#endif
