/* From one choice's tokens to its events: bytes become characters, characters become reasoning, answer and tool calls
 * (text/syntax.h), and what could begin a stop string waits. Owner: one choice; not thread-safe. */
#ifndef AL_INFERENCE_OUTPUT_H
#define AL_INFERENCE_OUTPUT_H

#include "inference/text.h"
#include "sched/pool.h"

struct al_output;

struct al_output_options {
  const struct al_text_request *request; /* borrowed, like what follows: stop, logprobs, on_event */
  const struct al_loaded *loaded;
  const struct al_syntax *syntax;                 /* nullptr: a plain prompt, whose text is what it is */
  const struct al_syntax_request *syntax_request; /* with a syntax */
  int choice;
  bool keeps_answer; /* al_output_answer is wanted */
};

enum al_code al_output_new(const struct al_output_options *options, struct al_output **output, struct al_err *err);
void al_output_free(struct al_output *output); /* accepts nullptr */

/* false: generation should stop. */
bool al_output_token(struct al_output *output, const struct al_generated *token);
void al_output_end_token(struct al_output *output, const struct al_generated *token);
/* A token of the prompt; one event PROMPT with them all after the last. */
void al_output_prompt_token(struct al_output *output, const struct al_generated *token);
void al_output_send_prompt(struct al_output *output, struct al_str text);
/* The generation has ended well: what was held back leaves. AL_OOM_RAM when text was lost. */
enum al_code al_output_finish(struct al_output *output, struct al_err *err);

const char *al_output_stop(const struct al_output *output); /* the stop string that ended it; nullptr: none */
struct al_str al_output_answer(const struct al_output *output);
int al_output_n_reasoning(const struct al_output *output); /* tokens */
int al_output_n_calls(const struct al_output *output);
bool al_output_has_all_calls(const struct al_output *output); /* the syntax said that generation should stop */

#endif
