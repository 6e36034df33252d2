/* The loaded model of the engines on libllama. Internal to the runner: runner.c, decode.c, embed.c, pair.c, adapter.c.
 */
#ifndef AL_ENGINE_LLAMA_MODEL_H
#define AL_ENGINE_LLAMA_MODEL_H

#include "engine/llama/params.h"
#include "engine/llama/runner.h"
#include "engine/llama/text_rules.h"
#include "engine/llama/tokenizer.h"
#include "engine/llama/wordpiece.h"

struct al_llama_loras { /* adapters in effect */
  struct llama_adapter_lora *items[16];
  float scales[16];
  size_t count;
};

struct al_engine_model {
  struct llama_model *llama; /* owned */
  struct llama_context *context;
  llama_memory_t memory;           /* the context's */
  const struct llama_vocab *vocab; /* the model's */
  struct al_text_info info;
  struct al_llama_context_plan plan; /* of `context` */
  /* For embeddings by a model that generates: made at the first use, as few ask for it. nullptr before, and for a model
   * that does not generate: `context` does it. */
  struct llama_context *embedder;
  int32_t second_segment; /* added to the ids of a pair's second text */
  struct al_llama_loras loras;
  al_llama_adapter_reader *read_adapter; /* for PEFT directories; nullptr: none */
  const void *adapter_names;             /* borrowed; for that */
  struct al_llama_text_rules *rules;     /* owned; nullptr: none */
  struct al_wordpiece *wordpiece;        /* owned; nullptr: another tokenizer */
  struct al_llama_tokenizer *tokenizer;  /* owned; nullptr: libllama's */
  const struct al_cancel *stop;          /* of the decode that runs */
  _Atomic uint64_t embedder_bytes;

  /* The batch: arrays of info.n_batch, filled anew for each decode. */
  llama_token *tokens;
  llama_pos *positions;
  int32_t *n_seq_ids; /* always 1 */
  llama_seq_id *sequences;
  llama_seq_id **seq_ids; /* seq_ids[i] points to sequences[i] */
  int8_t *wants_logits;

  /* A step that wants more logits than libllama's buffers are made for (max_outputs) is run in pieces, and its logits
   * are kept here: float[n_rows][n_vocab]. */
  int max_outputs;
  float *rows;
  size_t rows_capacity; /* in rows */
  int32_t *row_of;      /* [n_batch]: an item's row, or -1 */
  bool in_rows;         /* the last step's logits are in rows */
};

/* decode.c: the slots of al_text_ops that move the sequences. */
enum al_code al_llama_decode(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                             const struct al_cancel *stop, struct al_err *err);
float *al_llama_logits(struct al_engine_model *model, size_t item);
bool al_llama_sequence_remove(struct al_engine_model *model, int32_t sequence, int32_t from, int32_t to);
bool al_llama_sequence_holds(const struct al_engine_model *model, int32_t sequence, int32_t end);
void al_llama_sequence_copy(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end);
/* Fills the arrays of the batch; returns how many items want logits. */
size_t al_llama_fill_batch(struct al_engine_model *model, const struct al_text_item *items, size_t n_items);
/* What a status of llama_decode or llama_encode means. */
enum al_code al_llama_explain(int32_t status, size_t n_items, struct al_err *err);

/* runner.c */
enum al_code al_llama_tokenize(const struct al_engine_model *model, struct al_str text, unsigned flags, int32_t *tokens,
                               size_t capacity, size_t *count, struct al_err *err);
struct llama_context *al_llama_context_new(struct al_engine_model *model, const struct al_llama_context_plan *plan,
                                           struct al_llama_buffers *buffers);

/* embed.c, pair.c, adapter.c: the slots of the same names. */
enum al_code al_llama_embed(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                            float *rows, const struct al_cancel *stop, struct al_err *err);
enum al_code al_llama_tokenize_pair(const struct al_engine_model *model, struct al_str query, struct al_str document,
                                    int32_t *tokens, size_t capacity, size_t *count, struct al_err *err);
enum al_code al_llama_adapter_load(struct al_engine_model *model, const struct al_model_descriptor *descriptor,
                                   struct al_engine_adapter **adapter, struct al_err *err);
void al_llama_adapter_free(struct al_engine_model *model, struct al_engine_adapter *adapter);
enum al_code al_llama_adapter_use(struct al_engine_model *model, const struct al_adapter_use *uses, size_t n_uses,
                                  struct al_err *err);

#endif
