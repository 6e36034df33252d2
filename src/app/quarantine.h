/* Which models crashed the worker, how often and when. A model that was at work in three crashes within ten minutes is
 * quarantined: the next workers refuse it, and everything else goes on. Single-threaded (the supervisor's). */
#ifndef AL_APP_QUARANTINE_H
#define AL_APP_QUARANTINE_H

#include "base/err.h"

#include <stdint.h>

constexpr size_t AL_QUARANTINE_MAX_MODELS = 64;
constexpr int AL_QUARANTINE_CRASHES = 3;
constexpr int64_t AL_QUARANTINE_WINDOW_NS = INT64_C(600) * 1'000'000'000;

struct al_quarantine {
  struct al_quarantine_entry {
    char id[256];
    int64_t crashed_ns[AL_QUARANTINE_CRASHES]; /* the newest last; 0: none */
    bool quarantined;
  } entries[AL_QUARANTINE_MAX_MODELS];
  size_t n_entries;
};

/* The model was at work when the worker crashed at now_ns. true when this crash put it into quarantine. */
bool al_quarantine_blame(struct al_quarantine *quarantine, const char *id, int64_t now_ns);
/* The quarantined ids, borrowed; returns how many (at most `capacity` are written). */
size_t al_quarantine_ids(const struct al_quarantine *quarantine, const char **ids, size_t capacity);

#endif
