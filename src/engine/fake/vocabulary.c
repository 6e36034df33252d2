/* One token a byte, and some special ones. */
#include "engine/fake/model.h"

#include "base/macros.h"

static const char *const specials[] = {
  "<|bos|>",   "<|eos|>",     "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
  "<|start|>", "<|channel|>", "<|message|>",  "<|end|>",    "<|return|>",     "<|call|>",       "<|constrain|>",
};
static_assert(AL_COUNT(specials) == AL_FAKE_N_VOCAB - AL_FAKE_BOS);

/* The special token the text begins with, or -1. */
static int special_at(struct al_str text)
{
  for (size_t i = 0; i < AL_COUNT(specials); i++) {
    if (al_str_starts(text, al_str(specials[i])))
      return (int)i;
  }
  return -1;
}

static void put(int32_t token, int32_t *tokens, size_t capacity, size_t *count)
{
  if (*count < capacity)
    tokens[*count] = token;
  (*count)++;
}

enum al_code fake_tokenize(const struct al_engine_model *model, struct al_str text, unsigned flags, int32_t *tokens,
                           size_t capacity, size_t *count, struct al_err *)
{
  size_t n = 0;
  if ((flags & AL_TOKENIZE_BOS) && model->add_bos)
    put(AL_FAKE_BOS, tokens, capacity, &n);
  for (size_t at = 0; at < text.size;) {
    int special = (flags & AL_TOKENIZE_SPECIAL) ? special_at(al_str_n(text.data + at, text.size - at)) : -1;
    put(special >= 0 ? AL_FAKE_BOS + special : (unsigned char)text.data[at], tokens, capacity, &n);
    at += special >= 0 ? strlen(specials[special]) : 1;
  }
  *count = n;
  return AL_OK;
}

void fake_piece(const struct al_engine_model *, int32_t token, bool special, char *bytes, size_t capacity, size_t *size)
{
  char byte = (char)token;
  struct al_str piece = {};
  if (token >= 0 && token < AL_FAKE_BOS)
    piece = al_str_n(&byte, 1);
  else if (special && token >= AL_FAKE_BOS && token < AL_FAKE_N_VOCAB)
    piece = al_str(specials[token - AL_FAKE_BOS]);
  *size = piece.size;
  if (piece.size > 0)
    memcpy(bytes, piece.data, al_min_size(piece.size, capacity));
}

bool fake_ends_generation(const struct al_engine_model *, int32_t token)
{
  return token == AL_FAKE_EOS || token == AL_FAKE_IM_END || token == AL_FAKE_RETURN || token == AL_FAKE_CALL;
}
