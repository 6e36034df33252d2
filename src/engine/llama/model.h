/* The loaded model of the engines on libllama. Internal to runner.c and decode.c. */
#ifndef AL_ENGINE_LLAMA_MODEL_H
#define AL_ENGINE_LLAMA_MODEL_H

#include "engine/llama/runner.h"
#include "engine/llama/text_rules.h"

struct al_engine_model {
  struct llama_model *llama; /* owned */
  struct llama_context *context;
  llama_memory_t memory;           /* the context's */
  const struct llama_vocab *vocab; /* the model's */
  struct al_text_info info;
  struct al_llama_text_rules *rules; /* owned; nullptr: none */
  const struct al_cancel *stop;      /* of the decode that runs */

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
void al_llama_sequence_copy(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end);

#endif
