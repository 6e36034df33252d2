/* The weights in a prompt, as AUTOMATIC1111's web UI has made them common:
 *   (word) 1.1 times, ((word)) 1.21 times, [word] a 1.1th, (word:1.3) 1.3 times, (a (b:2):0.5) nested: 0.5 and 1;
 *   \( \) \[ \] \\ are the characters themselves; BREAK begins a new chunk of tokens; what is not closed ends with the
 *   text. */
#ifndef AL_ENGINE_DIFFUSION_PROMPT_H
#define AL_ENGINE_DIFFUSION_PROMPT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct al_prompt_run {
  struct al_str text; /* in the arena */
  float weight;
  bool breaks; /* a BREAK: no text */
};

struct al_prompt {
  struct al_prompt_run *runs; /* in the arena */
  size_t n;
};

constexpr size_t AL_PROMPT_MAX_BYTES = 1 << 15;
constexpr float AL_PROMPT_MAX_WEIGHT = 10;

/* AL_INVALID_REQUEST for a text that is too long, or a weight beyond 10 either way. */
enum al_code al_prompt_parse(struct al_str text, struct al_arena *arena, struct al_prompt *prompt, struct al_err *err);

#endif
