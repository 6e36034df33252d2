#include "engine/llama/tokenizer.h"

#include "base/alloc.h"
#include "engine/llama/words.h"

static const struct {
  const char *pre; /* libllama's name */
  struct al_word_rule words;
  bool whole_words;
} rules_of[] = {
  { "gpt-4o", { .contractions = true, .most_digits = 3 }, false },
  { "tekken", { .contractions = false, .most_digits = 1 }, true },
};

struct al_llama_tokenizer {
  struct al_word_rule words;
  struct al_bpe *bpe;
};

/* The index into rules_of; their number when libllama's own tokenizer is right. */
static size_t find_rule(const struct llama_model *model)
{
  char pre[32];
  size_t i = AL_COUNT(rules_of);
  if (llama_model_meta_val_str(model, "tokenizer.ggml.pre", pre, sizeof pre) <= 0)
    return i;
  for (i = 0; i < AL_COUNT(rules_of) && !al_streq(rules_of[i].pre, pre); i++)
    ;
  return i;
}

bool al_llama_tokenizer_wanted(const struct llama_model *model)
{
  return find_rule(model) < AL_COUNT(rules_of);
}

enum al_code al_llama_tokenizer_new(const struct llama_model *model, const struct gguf_context *gguf,
                                    struct al_llama_tokenizer **tokenizer, struct al_err *err)
{
  size_t rule = find_rule(model);
  *tokenizer = nullptr;
  if (rule == AL_COUNT(rules_of))
    return AL_OK;
  char text[8];
  bool whole_words = rules_of[rule].whole_words;
  if (llama_model_meta_val_str(model, "allm.tokenizer.ignore_merges", text, sizeof text) > 0)
    whole_words = al_streq(text, "true");
  AL_CLEANUP(al_llama_tokenizer_free_p) struct al_llama_tokenizer *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->words = rules_of[rule].words;
  AL_TRY(al_bpe_new(gguf, whole_words, &made->bpe, err));
  if (made->bpe != nullptr)
    *tokenizer = AL_TAKE(made);
  return AL_OK;
}

void al_llama_tokenizer_free(struct al_llama_tokenizer *tokenizer)
{
  if (tokenizer == nullptr)
    return;
  al_bpe_free(tokenizer->bpe);
  al_free(tokenizer);
}

static enum al_code add_words(const struct al_llama_tokenizer *tokenizer, struct al_str text, struct al_bpe_room *room,
                              struct al_token_sink *sink, struct al_err *err)
{
  while (text.size > 0) {
    size_t size = al_word_size(&tokenizer->words, text);
    AL_TRY(al_bpe_add(tokenizer->bpe, al_str_n(text.data, size), room, sink, err));
    text = al_str_n(text.data + size, text.size - size);
  }
  return AL_OK;
}

enum al_code al_llama_tokenizer_run(const struct al_llama_tokenizer *tokenizer, const struct al_llama_text_rules *rules,
                                    struct al_str text, bool with_special, struct al_token_sink *sink,
                                    struct al_err *err)
{
  AL_CLEANUP(al_bpe_room_done) struct al_bpe_room room = {};
  size_t from = 0;
  for (size_t at = 0; at < text.size;) {
    int32_t token;
    size_t size = al_llama_text_rules_added(rules, al_str_n(text.data + at, text.size - at), with_special, &token);
    if (size == 0) {
      at++;
      continue;
    }
    AL_TRY(add_words(tokenizer, al_str_n(text.data + from, at - from), &room, sink, err));
    al_token_sink_add(sink, token);
    at += size;
    from = at;
  }
  return add_words(tokenizer, al_str_n(text.data + from, text.size - from), &room, sink, err);
}
