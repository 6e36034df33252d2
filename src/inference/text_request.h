/* One text request on its way (task.h), with copies of all that was submitted, and its choices once it is prepared. */
#ifndef AL_INFERENCE_TEXT_REQUEST_H
#define AL_INFERENCE_TEXT_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/thread.h"
#include "inference/adapters.h"
#include "inference/format.h"
#include "inference/hold.h"
#include "inference/inference.h"
#include "inference/output.h"
#include "inference/prompt.h"
#include "inference/task.h"

#include <stdatomic.h>

constexpr int AL_MOST_CHOICES = 128;

struct al_text_choice {
  struct al_text_job *job;
  int index;
  struct al_output *output;
  struct al_hold *hold; /* nullptr: nothing is held */
  bool ended_itself;    /* the model said a token that ends generation */
  enum al_finish finish;
  struct al_usage usage;
  double prompt_ms, predicted_ms;
};

struct al_text_job {
  struct al_task task; /* first */
  struct al_store *store;
  struct al_text_request request;
  struct al_str chat_json, schema_json; /* data nullptr: none */

  /* made by the prepare thread */
  struct al_json_doc *chat, *schema;
  struct al_syntax_request form; /* what the syntax is asked; for the whole life of the choices */
  struct al_format format;
  struct al_sampling sampling; /* resolved */
  struct al_adapter_use uses[AL_MOST_ADAPTERS];
  struct al_prompt prompt;
  struct al_text_choice *choices; /* in the arena */
  int n_choices;
  int n_submitted;  /* to the scheduler */
  bool prompt_told; /* PROMPT has been sent, or is not wanted */

  /* shared between the prepare thread and the scheduler's while choices are submitted */
  atomic_int n_left; /* choices, and one for whoever submits */
  atomic_bool failing;
  struct al_mutex mutex;
  struct al_err err; /* under `mutex`: the first failure */
};

/* Copies the request. AL_INVALID_REQUEST for what is out of bounds. */
enum al_code al_text_job_new(const struct al_text_request *request, struct al_text_job **job, struct al_err *err);
void al_text_job_free(struct al_text_job *job); /* accepts nullptr; its lease must have been released */
AL_DEFINE_CLEANUP(struct al_text_job, al_text_job_free)

#endif
