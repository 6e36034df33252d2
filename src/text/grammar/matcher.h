#ifndef AL_TEXT_GRAMMAR_MATCHER_H
#define AL_TEXT_GRAMMAR_MATCHER_H

#include "text/grammar/machine.h"
#include "text/grammar/vocabulary.h"

constexpr size_t AL_GR_CACHED_MASKS = 96;

/* What may come at a set. With positions whose callers are unknown, `unsure` are the tokens that depend on them. */
struct al_gr_mask {
  uint64_t *bits;  /* nullptr: a free place */
  int32_t *unsure; /* each at most once */
  size_t n_unsure, unsure_capacity;
  uint32_t set;
  bool is_unsuited; /* nearly every token would be unsure */
  uint64_t last_used;
};

struct al_grammar_matcher {
  struct al_grammar *grammar;                     /* a reference */
  const struct al_grammar_vocabulary *vocabulary; /* borrowed, may be nullptr */
  struct al_gr_machine machine;
  uint32_t set; /* where the text so far leads to */
  bool has_ended;
  struct al_gr_mask masks[AL_GR_CACHED_MASKS];
  uint64_t clock;
  uint32_t *path; /* [max_depth + 1]: sets on the way through the tree */
  bool *escaped;  /* [max_depth + 1] */
};

/* Drops what the machine no longer needs, and with it the masks, when it has grown large. The matcher's set stays, and
 * *also (may be nullptr). */
enum al_code al_gr_matcher_tidy(struct al_grammar_matcher *matcher, uint32_t *also, struct al_err *err);
/* The set after the bytes; AL_GR_DEAD when they cannot come. */
enum al_code al_gr_matcher_follow(struct al_grammar_matcher *matcher, uint32_t from, struct al_str bytes, uint32_t *set,
                                  struct al_err *err);
void al_gr_matcher_drop_masks(struct al_grammar_matcher *matcher);

#endif
