/* Grammars of one loaded model: the tree of its vocabulary, made when first needed, and the grammars compiled last, by
 * their text. Thread-safe. */
#ifndef AL_INFERENCE_GRAMMARS_H
#define AL_INFERENCE_GRAMMARS_H

#include "sched/pool.h"
#include "text/grammar.h"
#include "text/syntax.h"

struct al_grammars;

struct al_grammars *al_grammars_new(void);           /* nullptr: out of memory */
void al_grammars_free(struct al_grammars *grammars); /* accepts nullptr */

/* One reference to the grammar. Slow the first time: not for a scheduler's thread. */
enum al_code al_grammars_get(struct al_grammars *grammars, struct al_str gbnf, struct al_grammar **grammar,
                             struct al_err *err);
/* Borrowed while the model is loaded. The text of control tokens that the syntax keeps counts as their bytes. */
enum al_code al_grammars_vocabulary(struct al_grammars *grammars, const struct al_loaded *loaded,
                                    const struct al_syntax *syntax, const struct al_grammar_vocabulary **vocabulary,
                                    struct al_err *err);

#endif
