/* tokenizer.json, tokenizer_config.json and chat_template.jinja of a Hugging Face directory, as the vocabulary keys of
 * a GGUF. Two kinds are understood: byte-level BPE (libllama's "gpt2") and SentencePiece-style BPE with byte fallback
 * (libllama's "llama"). What would give other tokens than the tokenizers library is AL_UNSUPPORTED by name. */
#ifndef AL_ENGINE_SAFETENSORS_HF_TOKENIZER_H
#define AL_ENGINE_SAFETENSORS_HF_TOKENIZER_H

#include "base/arena.h"
#include "base/map.h"
#include "engine/safetensors/hf_config.h"

#include <gguf.h>

/* GGUF's tokenizer.ggml.token_type. */
enum al_token_type {
  AL_TOKEN_NORMAL = 1,
  AL_TOKEN_UNKNOWN = 2,
  AL_TOKEN_CONTROL = 3,
  AL_TOKEN_USER_DEFINED = 4,
  AL_TOKEN_UNUSED = 5,
  AL_TOKEN_BYTE = 6,
};

/* Where a SentencePiece-style tokenizer puts a space that the text does not have. */
enum al_space_prefix {
  AL_SPACE_PREFIX_NEVER,
  AL_SPACE_PREFIX_FIRST, /* Metaspace "first": before a text that starts with no special token and no space */
  AL_SPACE_PREFIX_EACH,  /* Metaspace "always": likewise after each special token */
  AL_SPACE_PREFIX_ADDED, /* Prepend: as EACH, but before a space too; libllama's own add_space_prefix */
};

struct al_hf_tokenizer {
  struct al_arena *arena; /* owns all that follows but the two buffers */
  struct al_map *id_of;   /* token text -> &types[id] */
  const char *model;      /* "gpt2", "llama"; static */
  const char *pre;        /* libllama's name of the splitting rule; static */
  const char **tokens;
  int32_t *types; /* enum al_token_type */
  float *scores;  /* "llama" only, else nullptr */
  size_t n_tokens;
  const char **merges; /* "left right" */
  size_t n_merges;
  int32_t bos, eos, unknown, padding; /* -1: none */
  int32_t behind_bos;                 /* added with bos, behind it (GLM: "[gMASK]", "<sop>"); -1: none */
  bool add_bos;
  bool add_eos;
  bool add_separator; /* another `eos` between the texts of a pair */
  bool ignore_merges; /* "gpt2": a word that is a token is not merged */
  bool lowercase;     /* "bert": letters lose case and accents */
  bool nfc;           /* text is to be normalised before */
  enum al_space_prefix space_prefix;
  struct al_buf eats_left; /* "3 17 ": tokens that take the white space before them with them */
  struct al_buf eats_right;
  const char *chat_template; /* nullptr: none */
};

/* Errors name the file and what it says. On failure *tokenizer is still to be passed to al_hf_tokenizer_done. */
enum al_code al_hf_tokenizer_load(const char *directory, const struct al_hf_config *config,
                                  struct al_hf_tokenizer *tokenizer, struct al_err *err);
void al_hf_tokenizer_done(struct al_hf_tokenizer *tokenizer); /* accepts a zeroed one */

/* The id of a token, -1 when there is none. */
int32_t al_hf_tokenizer_id(const struct al_hf_tokenizer *tokenizer, struct al_str text);

/* Sets the tokenizer.* keys. */
void al_hf_tokenizer_to_gguf(const struct al_hf_tokenizer *tokenizer, struct gguf_context *gguf);

/* The parts of the reader, each in a file of its own. */

/* hf_pretokenizer.c: reads normalizer and pre_tokenizer: sets model, pre, nfc, space_prefix. */
enum al_code al_hf_pretokenizer_read(const struct al_json *root, struct al_hf_tokenizer *tokenizer, struct al_err *err);
/* hf_tokenizer.c: AL_MODEL_CORRUPT when the id or the text is taken. */
enum al_code al_hf_tokenizer_set(struct al_hf_tokenizer *tokenizer, struct al_str text, int64_t id,
                                 enum al_token_type type, struct al_err *err);
/* hf_wordpiece.c: "bert": normalizer, pre_tokenizer and vocabulary; then the tokens around every text; their keys. */
enum al_code al_hf_wordpiece_read(const struct al_json *root, struct al_hf_tokenizer *tokenizer, struct al_err *err);
enum al_code al_hf_wordpiece_ends(struct al_hf_tokenizer *tokenizer, struct al_err *err);
void al_hf_wordpiece_to_gguf(const struct al_hf_tokenizer *tokenizer, struct gguf_context *gguf);
/* hf_spm.c: ranks to scores; AL_UNSUPPORTED when merging by score would not be merging by rank. */
enum al_code al_hf_spm_scores(struct al_hf_tokenizer *tokenizer, struct al_err *err);

#endif
