/* Runs a libllama model: context, batches, sequences, tokens, logits. What remains of an engine is to come by the
 * `struct llama_model`: from a GGUF file (engine.c here) or from elsewhere (engine/safetensors). The runner is the
 * `struct al_engine_model` of both, so an engine takes al_llama_text_ops as it is.
 *
 * Where a model has defaults for sampling, they are read from its metadata (general.sampling.temp, .top_p, .top_k), and
 * the chat template from tokenizer.chat_template: an engine that builds metadata puts them there.
 *
 * libllama adds the embedding of the first text type to every token (BERT's token_type_ids). Where the second type
 * matters, an engine doubles the vocabulary: row n + id is that of id for the second text of a pair, and
 * allm.tokenizer.second_segment is n. */
#ifndef AL_ENGINE_LLAMA_RUNNER_H
#define AL_ENGINE_LLAMA_RUNNER_H

#include "engine/engine.h"

#include <gguf.h>
#include <llama.h>
#include <stdio.h>

/* How many tokens of KV cache, sequences and so on: every AUTO of the load options decided. */
struct al_llama_context_plan {
  int n_ctx;
  int n_batch;
  int n_seq_max;
  int n_threads;
  enum al_kv_type kv_type;
  float yarn_beta_fast, yarn_beta_slow; /* yarn.h; 0: libllama's own */
  bool generates;          /* false: the context makes embeddings or scores alone, of texts of at most n_batch tokens */
  enum al_pooling pooling; /* of a context that does not generate */
};

/* What a model is for, by its metadata: an encoder or a model that states how its outputs are pooled gives embeddings
 * or scores and does not generate. Sets generates and pooling alone. */
void al_llama_plan_kind(const struct llama_model *model, struct al_llama_context_plan *plan);

/* Decides what the options leave open, from the model (loaded, or opened with no_alloc) and the memory of the machine:
 * the KV cache holds four requests as long as the model was trained for, but at most 32768 tokens and a quarter of the
 * available memory. A model that does not generate computes whole texts at once: its batch is its context, which is the
 * model's own, but at most 8192 tokens and what the memory allows. */
void al_llama_plan_context(const struct llama_model *model, const struct al_load_options *options,
                           struct al_llama_context_plan *plan);
struct llama_context_params al_llama_context_params(const struct al_llama_context_plan *plan);

/* Bytes of KV cache a token takes in all layers; an upper bound for models with windows or recurrent layers. */
uint64_t al_llama_kv_bytes_per_token(const struct llama_model *model, enum al_kv_type kv_type);

/* Takes `model` (moved, also on failure: it is freed then) and makes it ready to run. Needs al_llama_backend_start. */
enum al_code al_llama_runner_new(struct llama_model *model, const struct al_load_options *options,
                                 struct al_engine_model **out, struct al_err *err);

/* For a model whose text libllama would cut wrongly: gives it the vocabulary (tokenizer.h), borrowed for the call. */
bool al_llama_runner_wants_vocabulary(const struct al_engine_model *model);
enum al_code al_llama_runner_take_vocabulary(struct al_engine_model *model, const struct gguf_context *gguf,
                                             struct al_err *err);

/* Gives the adapter in a directory as an open GGUF stream, and closes what the stream reads from by `done`. */
struct al_llama_adapter_stream {
  FILE *file;
  void *owner;
  void (*done)(struct al_llama_adapter_stream *stream);
  const struct al_err *failure; /* why a read failed; code AL_OK while none did */
};
/* model: borrowed, for its metadata. names: how its tensors are named in the directory's files. */
typedef enum al_code al_llama_adapter_reader(const struct llama_model *model, const void *names, const char *directory,
                                             struct al_llama_adapter_stream *stream, struct al_err *err);
/* For engines that know how the tensors of a PEFT directory are named in libllama. `names` outlives the model. */
void al_llama_runner_read_adapters(struct al_engine_model *model, al_llama_adapter_reader *reader, const void *names);
void al_llama_runner_free(struct al_engine_model *model); /* accepts nullptr; suits `unload` */
AL_DEFINE_CLEANUP(struct al_engine_model, al_llama_runner_free)

extern const struct al_text_ops al_llama_text_ops;

#endif
