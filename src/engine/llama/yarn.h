/* YaRN's range of dimensions without rounding. YaRN (Peng et al., 2023) scales the rotation of some dimensions of a
 * head, leaves others, and mixes between two bounds; ggml rounds these to whole dimensions, gpt-oss was trained with
 * the bounds as they are ("truncate": false). ggml's backends ask the public ggml_rope_yarn_corr_dims for them, which
 * this program has of its own: it rounds, too, unless both betas carry the mark that al_yarn_exact leaves in them.
 * Metadata asks for it by allm.rope.yarn_exact (bool); others who read such a GGUF round as ever. */
#ifndef AL_ENGINE_LLAMA_YARN_H
#define AL_ENGINE_LLAMA_YARN_H

#include <llama.h>

/* The beta with the mark: it differs by less than one part in 30,000. */
float al_yarn_exact(float beta);

/* The marked betas for a context of a model that asks to be exact; false, and they are left alone, for any other. */
bool al_yarn_betas(const struct llama_model *model, float *beta_fast, float *beta_slow);

/* Whether the backends do ask us: false in a program that does not export its symbols to its libraries. */
bool al_yarn_is_asked(void);

#endif
