/* What is kept beside each loaded text model: its template, its syntax, its grammars, its adapters. The attachment of
 * the pool's hooks. Thread-safe. */
#ifndef AL_INFERENCE_TEXT_MODEL_H
#define AL_INFERENCE_TEXT_MODEL_H

#include "inference/adapters.h"
#include "inference/chat.h"
#include "inference/grammars.h"

struct al_text_model {
  struct al_chat_model *chat;
  const struct al_syntax *syntax;
  struct al_grammars *grammars;
  struct al_adapters *adapters;
  const struct al_text_ops *ops;
  struct al_engine_model *model; /* borrowed */
};

enum al_code al_text_model_new(const struct al_loaded *loaded, struct al_text_model **model, struct al_err *err);
void al_text_model_free(struct al_text_model *model); /* the scheduler is gone, the model is not; accepts nullptr */

/* AL_UNSUPPORTED when the model is of another kind. */
enum al_code al_text_model_of(const struct al_loaded *loaded, struct al_text_model **model, struct al_err *err);

#endif
