/* A request for tokens, or for the text of some: all of it is done on a prepare thread. */
#ifndef AL_INFERENCE_TOKEN_TASK_H
#define AL_INFERENCE_TOKEN_TASK_H

#include "inference/task.h"
#include "inference/vectors.h"

/* Copies the request. Like al_inference_tokens. */
enum al_code al_tokens_submit(struct al_task_runner *runner, const struct al_token_request *request,
                              struct al_err *err);

#endif
