/* How the next token is chosen from the logits (TXT-6). A plain value: the API fills it, the text manager resolves the
 * "model's default" marks, the sampler runs it. Names and meanings are those of llama.cpp's samplers. */
#ifndef AL_SCHED_SAMPLING_H
#define AL_SCHED_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

struct al_logit_bias {
  int32_t token;
  float bias; /* added to the logit; -INFINITY forbids the token */
};

/* al_sampling_default() is greedy-free: temperature 1 and everything else off; NaN temperature or top_p and -1 top_k
 * mean "the model's generation_config, else the default". */
struct al_sampling {
  float temperature;       /* 0: greedy */
  float top_p;             /* 1: off */
  int top_k;               /* 0: off */
  float min_p;             /* 0: off */
  float typical_p;         /* 1: off */
  float repeat_penalty;    /* 1: off */
  float presence_penalty;  /* 0: off */
  float frequency_penalty; /* 0: off */
  int penalty_last_n;      /* tokens looked back; 64 by default, -1: all */
  float dry_multiplier;    /* 0: off */
  float dry_base;
  int dry_allowed_length;
  int dry_last_n;        /* -1: all */
  float xtc_probability; /* 0: off */
  float xtc_threshold;
  int mirostat; /* 0 off, 1, 2 */
  float mirostat_tau;
  float mirostat_eta;
  uint64_t seed;
  bool has_seed;                          /* false: a random one */
  const struct al_logit_bias *logit_bias; /* copied at submit */
  size_t n_logit_bias;
};
struct al_sampling al_sampling_default(void);

#endif
