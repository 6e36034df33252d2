/* The answers of a generation, gathered from its events. Private to src/api. */
#ifndef AL_API_CHOICES_H
#define AL_API_CHOICES_H

#include "api/generation.h"

enum al_code al_api_choices_new(struct al_api_generation *generation, struct al_err *err);
void al_api_choices_done(struct al_api_generation *generation);

/* Takes in a DELTA, REASONING, CALL_* or CHOICE_DONE. Without `gathers` texts and arguments are left out: a stream has
 * sent them. false: memory has run out. */
bool al_api_choices_take(struct al_api_generation *generation, const struct al_text_event *event, bool gathers);

#endif
