/* The fake engine's model: a KV cache that holds tokens instead of keys and values, and the sequences over it. Shared
 * by the files of this folder. */
#ifndef AL_ENGINE_FAKE_MODEL_H
#define AL_ENGINE_FAKE_MODEL_H

#include "engine/fake/fake.h"

struct fake_cell {
  int32_t token;
  int n_refs;        /* sequences that see it */
  uint64_t hash;     /* of the sequence up to and including this token */
  uint64_t adapters; /* what it was computed with */
};

struct fake_sequence {
  int *cells; /* int[n_ctx]; position -> cell */
  int count;
};

struct al_engine_model {
  int n_ctx, n_batch, n_seq_max;
  bool add_bos, has_fim, generates;
  bool hears, speaks, draws; /* alone: no text model, so it has no cells */
  enum al_pooling pooling;
  uint64_t adapters;         /* a hash of those in use; 0: none */
  const char *chat_template; /* borrowed from the knobs */
  struct fake_cell *cells;   /* [n_ctx] */
  int *free_cells;           /* a stack, [n_free] */
  int n_free;
  struct fake_sequence *sequences; /* [n_seq_max] */
  float *logits;                   /* float[n_batch][AL_FAKE_N_VOCAB] */
  bool *has_logits;                /* [n_batch], of the last decode */
  atomic_flag busy;                /* catches two threads at once */
};

/* cells.c */
void fake_append(struct al_engine_model *model, int32_t sequence, int32_t token);
bool fake_remove(struct al_engine_model *model, int32_t sequence, int32_t from, int32_t to);
void fake_copy(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end);

/* speech.c: fills float[AL_FAKE_N_VOCAB] for the token after the sequence's first `count`. */
void fake_speak(const struct al_engine_model *model, int32_t sequence, float *logits);

/* vectors.c */
enum al_code fake_embed(struct al_engine_model *model, const struct al_text_item *items, size_t n_items, float *rows,
                        const struct al_cancel *stop, struct al_err *err);
enum al_code fake_tokenize_pair(const struct al_engine_model *model, struct al_str query, struct al_str document,
                                int32_t *tokens, size_t capacity, size_t *count, struct al_err *err);

/* adapters.c */
enum al_code fake_adapter_load(struct al_engine_model *model, const struct al_model_descriptor *descriptor,
                               struct al_engine_adapter **adapter, struct al_err *err);
void fake_adapter_free(struct al_engine_model *model, struct al_engine_adapter *adapter);
enum al_code fake_adapter_use(struct al_engine_model *model, const struct al_adapter_use *uses, size_t n_uses,
                              struct al_err *err);

/* listen.c, voice.c, painter.c */
extern const struct al_transcribe_ops fake_transcribe_ops;
extern const struct al_speak_ops fake_speak_ops;
extern const struct al_draw_ops fake_draw_ops;

/* engine.c */
bool fake_work(int64_t ns, const struct al_cancel *stop); /* stands for work; false: stopped */
bool fake_its_turn(_Atomic int *countdown); /* counts a knob down; true when it has just reached its turn */
uint64_t fake_weights_bytes(void);
uint64_t fake_mix(uint64_t x);                    /* speech.c: spreads a hash's bits */
uint64_t fake_hash(uint64_t hash, int32_t token); /* cells.c: FNV-1a, continuing */
constexpr uint64_t FAKE_HASH_START = 0xcbf29ce484222325U;

/* vocabulary.c */
enum al_code fake_tokenize(const struct al_engine_model *model, struct al_str text, unsigned flags, int32_t *tokens,
                           size_t capacity, size_t *count, struct al_err *err);
void fake_piece(const struct al_engine_model *model, int32_t token, bool special, char *bytes, size_t capacity,
                size_t *size);
bool fake_ends_generation(const struct al_engine_model *model, int32_t token);

#endif
