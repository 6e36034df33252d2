/* The engine interface: the code that runs models of one runtime, behind structs of const function pointers.
 *
 * An engine is stateless (`static const struct al_engine`); a loaded model is its private object behind
 * `struct al_engine_model`. A model is touched by ONE thread at a time: the one that loads it, then the scheduler that
 * owns it. The exceptions, safe from any thread while the model is loaded: text->info, text->tokenize, text->piece.
 *
 * Mandatory slots stand first; for an optional slot the comment says what nullptr means. */
#ifndef AL_ENGINE_ENGINE_H
#define AL_ENGINE_ENGINE_H

#include "base/cancel.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/draw.h"
#include "engine/speech.h"
#include "store/descriptor.h"

#include <stdint.h>

struct al_engine_model; /* opaque: each engine has its own */

enum al_kv_type { AL_KV_F16, AL_KV_F32, AL_KV_Q8_0 };

/* 0 (or "" or AL_AUTO) lets the engine choose what fits. */
constexpr int AL_AUTO = -1;
struct al_load_options {
  int n_ctx;        /* tokens of KV cache in all; 0: the model's context, bounded by what fits */
  int n_batch;      /* most tokens in one decode; 0: 512 */
  int n_seq_max;    /* most sequences at once; 0: 16 */
  int n_threads;    /* 0: the usable cores */
  int n_gpu_layers; /* AL_AUTO: as many as fit; 0: CPU only */
  enum al_kv_type kv_type;
  char quant[16]; /* "": weights as they are; "q8_0", "q4_0", ... requantises at load where the engine can */
};

struct al_memory_estimate {
  uint64_t weights_ram_bytes; /* of this, mapped_bytes are a file mapping that the kernel can drop */
  uint64_t mapped_bytes;
  uint64_t kv_ram_bytes;
  uint64_t compute_ram_bytes;
  uint64_t vram_bytes; /* weights + KV + compute on devices */
  int n_ctx;           /* what the load would use */
  int n_gpu_layers;
};

enum al_pooling { /* how the outputs of a text's tokens become one vector; AL_POOLING_RANK: one relevance score */
                  AL_POOLING_NONE,
                  AL_POOLING_MEAN,
                  AL_POOLING_CLS,
                  AL_POOLING_LAST,
                  AL_POOLING_RANK,
};

struct al_text_info {
  int n_vocab;
  int n_cells;     /* KV cache in tokens, shared by all sequences */
  int n_ctx;       /* the most one request may use: n_cells, or n_ctx_train where that is less */
  int n_ctx_train; /* the model's own limit */
  int n_seq_max;
  int n_batch;
  bool add_bos;
  bool generates;          /* false: an encoder or another embedding model; `decode` must not be called */
  enum al_pooling pooling; /* NONE: `embed` must not be called */
  int n_embd;              /* floats of one embedding; 1 with AL_POOLING_RANK */
  int32_t fim_prefix, fim_suffix, fim_middle; /* control tokens of fill-in-the-middle; -1: the model has none */
  const char *chat_template;                  /* borrowed; nullptr when the model has none */
  const char *bos_text;                       /* borrowed; "" when none */
  const char *eos_text;
  /* generation_config defaults; NaN or 0 when the model states none */
  float temperature;
  float top_p;
  int top_k;
  uint64_t memory_bytes; /* what the loaded model holds, all kinds together */
};

struct al_text_item { /* one token of a batch */
  int32_t token;
  int32_t position; /* 0-based within its sequence */
  int32_t sequence; /* 0 .. n_seq_max-1 */
  bool wants_logits;
};

enum al_tokenize_flags {
  AL_TOKENIZE_SPECIAL = 1 << 0, /* parse special tokens in the text ("<|im_start|>") */
  AL_TOKENIZE_BOS = 1 << 1,     /* add what the model adds at the start (and end) by itself */
};

struct al_engine_adapter; /* a LoRA adapter attached to a loaded model; opaque: each engine has its own */

struct al_adapter_use {
  struct al_engine_adapter *adapter; /* borrowed */
  float scale;                       /* 1: as trained */
};

struct al_text_ops {
  void (*info)(const struct al_engine_model *model, struct al_text_info *info);

  /* Writes at most `capacity` ids and sets *count to how many the text has (more than capacity: call again). */
  enum al_code (*tokenize)(const struct al_engine_model *model, struct al_str text, unsigned flags, int32_t *tokens,
                           size_t capacity, size_t *count, struct al_err *err);
  /* The bytes of one token, possibly part of a UTF-8 character; control tokens give 0 bytes unless `special`.
   * Writes at most `capacity` (64 is always enough unless stated by *size) and sets *size. */
  void (*piece)(const struct al_engine_model *model, int32_t token, bool special, char *bytes, size_t capacity,
                size_t *size);
  bool (*ends_generation)(const struct al_engine_model *model, int32_t token);

  /* Runs up to n_batch items through the model and appends them to their sequences. All or nothing: on error no
   * sequence has changed. AL_OOM_RAM with reason "kv_full" when the KV cache has no room: the caller evicts and tries
   * again. AL_CANCELLED when `stop` fired in the middle. */
  enum al_code (*decode)(struct al_engine_model *model, const struct al_text_item *items, size_t n_items,
                         const struct al_cancel *stop, struct al_err *err);
  /* float[n_vocab] of the item (its index in the last decode's array, which had wants_logits); borrowed until the next
   * decode; the caller may change it in place. */
  float *(*logits)(struct al_engine_model *model, size_t item);

  /* Forgets positions [from, to) of a sequence (to < 0: to the end). false when the model cannot forget a part
   * (recurrent state): then only a whole sequence (0, -1) can go. */
  bool (*sequence_remove)(struct al_engine_model *model, int32_t sequence, int32_t from, int32_t to);
  /* Whether the sequence still has all that a token at `end` (1 .. its length) would look at: with attention to a
   * window, older positions go. If not, it can neither be cut back to `end` nor shared up to there. nullptr: always. */
  bool (*sequence_holds)(const struct al_engine_model *model, int32_t sequence, int32_t end);
  /* Makes `to` share positions [from, end) of `source` by reference. nullptr: no sharing. */
  void (*sequence_copy)(struct al_engine_model *model, int32_t source, int32_t to, int32_t from, int32_t end);

  /* Runs whole texts, each a sequence with positions from 0, at most n_batch items and n_seq_max sequences; leaves
   * nothing in the KV cache. Writes info.n_embd floats a sequence, in the order in which the sequences first appear;
   * not normalised. A text longer than n_batch cannot be embedded: info.n_ctx is at most n_batch then. nullptr: none.
   */
  enum al_code (*embed)(struct al_engine_model *model, const struct al_text_item *items, size_t n_items, float *rows,
                        const struct al_cancel *stop, struct al_err *err);
  /* The separate parts that a reranker wants between query and document, around them, ... as its tokenizer makes them:
   * writes the ids of the pair like tokenize. nullptr: no reranking. */
  enum al_code (*tokenize_pair)(const struct al_engine_model *model, struct al_str query, struct al_str document,
                                int32_t *tokens, size_t capacity, size_t *count, struct al_err *err);

  /* LoRA adapters: a PEFT directory or a GGUF file, checked against the model before anything is allocated. nullptr:
   * none. Thread: the one that owns the model. */
  enum al_code (*adapter_load)(struct al_engine_model *model, const struct al_model_descriptor *descriptor,
                               struct al_engine_adapter **adapter, struct al_err *err);
  void (*adapter_free)(struct al_engine_model *model, struct al_engine_adapter *adapter);
  /* Those in effect for the following decodes; n_uses 0: the bare model. */
  enum al_code (*adapter_use)(struct al_engine_model *model, const struct al_adapter_use *uses, size_t n_uses,
                              struct al_err *err);
};

/* Called on the loading thread with 0..1; false asks to stop (the load then fails with AL_CANCELLED). */
typedef bool al_load_progress_fn(void *user, float fraction);

struct al_engine {
  const char *runtime;   /* "llama_cpp"; what a descriptor's runtime names */
  unsigned formats;      /* bits 1 << enum al_model_format */
  unsigned capabilities; /* of enum al_capability */

  /* Can it run this model at all? Cheap: looks at the descriptor. AL_UNSUPPORTED says why not. */
  enum al_code (*supports)(const struct al_model_descriptor *descriptor, struct al_err *err);
  /* Memory needed, found without allocating it; slow (tens of ms) and safe against hostile files: a child process does
   * the dangerous part. Also the validation of the files. */
  enum al_code (*estimate)(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                           struct al_memory_estimate *estimate, struct al_err *err);
  enum al_code (*load)(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                       al_load_progress_fn *progress, void *user, struct al_engine_model **model, struct al_err *err);
  void (*unload)(struct al_engine_model *model); /* accepts nullptr; all memory is back afterwards */

  const struct al_text_ops *text;             /* nullptr: not a text engine */
  const struct al_transcribe_ops *transcribe; /* nullptr: does not listen */
  const struct al_speak_ops *speak;           /* nullptr: does not speak */
  const struct al_draw_ops *draw;             /* nullptr: does not draw */

  /* Opens the files without allocating the weights and measures; runs in the preflight child, where it may crash (see
   * engine/preflight.h). nullptr: this engine needs no preflight. */
  enum al_code (*preflight)(const struct al_model_descriptor *descriptor, const struct al_load_options *options,
                            struct al_memory_estimate *estimate, struct al_err *err);
};

#endif
