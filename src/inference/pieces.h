/* The bytes of tokens. Any thread while the model is leased. */
#ifndef AL_INFERENCE_PIECES_H
#define AL_INFERENCE_PIECES_H

#include "base/buf.h"
#include "sched/pool.h"

/* Appends the token's bytes, a control token's text too. true: it is a control token. */
bool al_piece_add(const struct al_loaded *loaded, int32_t token, struct al_buf *out);

#endif
