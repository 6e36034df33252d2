/* Holds one generation to a grammar: the constraint that the scheduler asks. A lazy one lets everything pass until the
 * syntax sees that a tool call begins. Owner: one choice; made on a prepare thread, used on the scheduler's. */
#ifndef AL_INFERENCE_HOLD_H
#define AL_INFERENCE_HOLD_H

#include "inference/text_model.h"
#include "sched/constraint.h"

struct al_hold;

struct al_hold_options {
  struct al_grammar *grammar; /* a reference is taken */
  const struct al_grammar_vocabulary *vocabulary;
  bool is_lazy;
  const struct al_loaded *loaded; /* borrowed, like what follows, for its life */
  const struct al_syntax *syntax; /* with is_lazy */
  const struct al_syntax_request *syntax_request;
};

enum al_code al_hold_new(const struct al_hold_options *options, struct al_hold **hold, struct al_err *err);
void al_hold_free(struct al_hold *hold); /* accepts nullptr */
struct al_constraint al_hold_constraint(struct al_hold *hold);
bool al_hold_may_end(const struct al_hold *hold); /* what came so far is whole */

#endif
