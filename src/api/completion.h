/* The answers to one prompt of a legacy completion: text, and probabilities in their own form. */
#ifndef AL_API_COMPLETION_H
#define AL_API_COMPLETION_H

#include "api/completion_join.h"

/* Four parallel arrays, each without its brackets, of one choice. */
struct al_api_legacy_logprobs {
  struct al_buf tokens, values, top, offsets;
  size_t n_chars; /* of the text so far: where the next token begins */
  size_t n_tokens;
  double sum; /* of the answer's probabilities: its quality */
};

struct al_api_completion {
  struct al_api_generation base;       /* first */
  struct al_api_completion_join *join; /* a reference */
  size_t index;                        /* of the prompt */
  size_t n_shown;                      /* the best so many choices are answered */
  struct al_str echo;                  /* stands before every answer; of prompts that the engine does not echo */
  bool shows_logprobs;
  bool drops_answer;                       /* max_tokens 0: the prompt alone */
  struct al_api_legacy_logprobs *logprobs; /* [n_choices], in the arena */
};

extern const struct al_api_generation_ops al_api_completion_ops;

#endif
