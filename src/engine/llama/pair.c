/* A query and a document as one sequence, for models that score how well the one answers the other. */
#include "engine/llama/model.h"

#include "base/buf.h"

/* Ids that may be more than there is room for. */
struct ids {
  int32_t *tokens;
  size_t capacity;
  size_t count;
};

static void add_id(struct ids *ids, int32_t id)
{
  if (ids->count < ids->capacity)
    ids->tokens[ids->count] = id;
  ids->count++;
}

static enum al_code add_text(const struct al_engine_model *model, struct al_str text, unsigned flags, struct ids *ids,
                             struct al_err *err)
{
  size_t room = ids->count < ids->capacity ? ids->capacity - ids->count : 0;
  size_t count = 0;
  AL_TRY(al_llama_tokenize(model, text, flags, room > 0 ? ids->tokens + ids->count : nullptr, room, &count, err));
  ids->count += count;
  return AL_OK;
}

/* The template that some rerankers (Qwen3) bring: a prompt with "{query}" and "{document}" in it. */
static enum al_code fill_template(const char *template, struct al_str query, struct al_str document, struct al_buf *out,
                                  struct al_err *err)
{
  for (const char *at = template; *at != '\0';) {
    struct al_str rest = al_str(at);
    if (al_str_starts(rest, al_str("{query}"))) {
      al_buf_add(out, query.data, query.size);
      at += strlen("{query}");
    } else if (al_str_starts(rest, al_str("{document}"))) {
      al_buf_add(out, document.data, document.size);
      at += strlen("{document}");
    } else {
      al_buf_char(out, *at++);
    }
  }
  return al_buf_check(out, err);
}

static int32_t id_or(int32_t id, int32_t otherwise)
{
  return id != LLAMA_TOKEN_NULL ? id : otherwise;
}

/* [CLS] query [SEP] document [SEP], or <s> query </s></s> document </s>. */
static enum al_code add_pair(const struct al_engine_model *model, struct al_str query, struct al_str document,
                             struct ids *ids, struct al_err *err)
{
  const struct llama_vocab *vocab = model->vocab;
  int32_t separator = llama_vocab_sep(vocab);
  int32_t end = id_or(llama_vocab_eos(vocab), separator);
  bool add_eos = llama_vocab_get_add_eos(vocab) && end != LLAMA_TOKEN_NULL;
  bool add_sep = llama_vocab_get_add_sep(vocab) && separator != LLAMA_TOKEN_NULL;
  if (llama_vocab_get_add_bos(vocab) && llama_vocab_bos(vocab) != LLAMA_TOKEN_NULL)
    add_id(ids, llama_vocab_bos(vocab));
  AL_TRY(add_text(model, query, 0, ids, err));
  if (add_eos)
    add_id(ids, end);
  if (add_sep)
    add_id(ids, separator);
  size_t second = ids->count;
  AL_TRY(add_text(model, document, 0, ids, err));
  if (add_eos || add_sep)
    add_id(ids, add_eos ? end : separator);
  for (size_t i = second; i < ids->count && i < ids->capacity; i++)
    ids->tokens[i] += model->second_segment;
  return AL_OK;
}

enum al_code al_llama_tokenize_pair(const struct al_engine_model *model, struct al_str query, struct al_str document,
                                    int32_t *tokens, size_t capacity, size_t *count, struct al_err *err)
{
  if (model->info.pooling != AL_POOLING_RANK)
    return al_fail(err, AL_UNSUPPORTED, "the model is no reranker");
  struct ids ids = { tokens, capacity, 0 };
  const char *template = llama_model_chat_template(model->llama, "rerank");
  if (template == nullptr) {
    AL_TRY(add_pair(model, query, document, &ids, err));
  } else {
    AL_CLEANUP(al_buf_done) struct al_buf prompt = {};
    AL_TRY(fill_template(template, query, document, &prompt, err));
    AL_TRY(add_text(model, al_buf_view(&prompt), AL_TOKENIZE_BOS | AL_TOKENIZE_SPECIAL, &ids, err));
  }
  *count = ids.count;
  return AL_OK;
}
