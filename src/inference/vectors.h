/* What a text model does besides generating: embeddings, relevance scores, tokens. Part of inference.h. */
#ifndef AL_INFERENCE_VECTORS_H
#define AL_INFERENCE_VECTORS_H

#include "inference/text.h"

struct al_embed_result;

struct al_embed_request {
  const char *model;
  const struct al_str *texts;         /* copied */
  const struct al_token_span *tokens; /* instead of texts[i] where not empty; nullptr: texts alone; copied */
  size_t n_texts;
  struct al_str
      query;     /* data not nullptr: a score for each text as an answer to it (AL_UNSUPPORTED unless a reranker) */
  bool truncate; /* cut what is too long instead of context_length_exceeded */
  struct al_cancel *cancel; /* a reference is taken; may be nullptr */
  /* Exactly once, from an internal thread; must not block. */
  void (*done)(void *user, const struct al_embed_result *result);
  void *user;
};

struct al_embed_result {
  struct al_err err; /* AL_OK: the rest is valid */
  size_t n_rows;
  size_t n_dims;     /* 1 for scores */
  const float *rows; /* [n_rows][n_dims], not normalised; borrowed for the call */
  int n_tokens;      /* of all texts */
};

enum al_code al_inference_embed(struct al_inference *inference, const struct al_embed_request *request,
                                struct al_err *err);

enum al_token_task {
  AL_TASK_TOKENIZE,   /* text -> tokens */
  AL_TASK_DETOKENIZE, /* tokens -> text */
  AL_TASK_RENDER,     /* chat -> text of the prompt */
  AL_TASK_COUNT,      /* chat -> tokens, like a generation would count them */
};

struct al_token_result;

struct al_token_request {
  const char *model;
  enum al_token_task task;
  struct al_str text;          /* copied */
  struct al_token_span tokens; /* copied */
  const struct al_json *chat;  /* copied */
  bool add_special;            /* TOKENIZE: what the model adds by itself */
  bool parse_special;          /* TOKENIZE: control tokens in the text are control tokens */
  struct al_cancel *cancel;
  void (*done)(void *user, const struct al_token_result *result); /* exactly once, from an internal thread */
  void *user;
};

struct al_token_result {
  struct al_err err;
  struct al_token_span tokens;
  struct al_str text;
  const struct al_str *pieces; /* TOKENIZE: the bytes of each token */
  int n_ctx;
};

enum al_code al_inference_tokens(struct al_inference *inference, const struct al_token_request *request,
                                 struct al_err *err);

#endif
