#include "inference/chat.h"

#include "base/alloc.h"
#include "text/template.h"

#include <stdckdint.h>

struct al_chat_model {
  struct al_template *compiled; /* nullptr: `problem` says why */
  struct al_err problem;
  struct al_json_doc *vars; /* bos_token, eos_token, add_generation_prompt */
};

static enum al_code make_vars(const struct al_text_info *info, struct al_json_doc **vars, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf json = {};
  struct al_json_writer w = al_json_writer(&json);
  al_jw_object(&w);
  al_jw_kv_str(&w, "bos_token", info->bos_text != nullptr ? info->bos_text : "");
  al_jw_kv_str(&w, "eos_token", info->eos_text != nullptr ? info->eos_text : "");
  al_jw_kv_bool(&w, "add_generation_prompt", true);
  al_jw_end(&w);
  AL_TRY(al_buf_check(&json, err));
  return al_json_parse(al_buf_view(&json), vars, err);
}
AL_DEFINE_CLEANUP(struct al_chat_model, al_chat_model_free)

enum al_code al_chat_model_new(const struct al_loaded *loaded, struct al_chat_model **model, struct al_err *err)
{
  AL_CLEANUP(al_chat_model_free_p) struct al_chat_model *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  AL_TRY(make_vars(&loaded->info, &made->vars, err));
  const char *source = loaded->info.chat_template;
  enum al_code code =
      al_template_compile(al_str(source != nullptr ? source : al_template_default()), &made->compiled, &made->problem);
  if (code == AL_OOM_RAM) {
    if (err != nullptr)
      *err = made->problem;
    return code;
  }
  *model = AL_TAKE(made);
  return AL_OK;
}

void al_chat_model_free(struct al_chat_model *model)
{
  if (model == nullptr)
    return;
  al_template_free(model->compiled);
  al_json_doc_free(model->vars);
  al_free(model);
}

enum al_code al_chat_render(const struct al_chat_model *model, const struct al_json *chat, struct al_buf *text,
                            struct al_err *err)
{
  if (model->compiled == nullptr)
    return al_fail(err, AL_UNSUPPORTED, "the model's chat template cannot be used: %s", model->problem.message);
  const struct al_json *objects[] = { al_json_root(model->vars), chat };
  struct al_template_vars vars = { .objects = objects, .n_objects = AL_COUNT(objects) };
  al_buf_clear(text);
  AL_TRY(al_template_render(model->compiled, &vars, nullptr, text, err));
  return al_buf_check(text, err);
}

enum al_code al_text_tokenize(const struct al_loaded *loaded, struct al_str text, unsigned flags,
                              struct al_tokens *tokens, struct al_err *err)
{
  constexpr size_t BYTES_PER_TOKEN = 3; /* a guess; the second try knows */
  AL_CLEANUP(al_free_p) int32_t *ids = nullptr;
  size_t capacity = text.size / BYTES_PER_TOKEN + 16, count = 0;
  for (int attempt = 0; attempt < 2; attempt++) {
    size_t n_bytes;
    al_free(AL_TAKE(ids));
    if (ckd_mul(&n_bytes, capacity, sizeof *ids) || (ids = al_alloc(n_bytes)) == nullptr)
      return al_fail_oom(err, capacity);
    AL_TRY(loaded->engine->text->tokenize(loaded->model, text, flags, ids, capacity, &count, err));
    if (count <= capacity)
      break;
    capacity = count;
  }
  if (count > capacity)
    return al_fail(err, AL_INTERNAL, "the tokeniser contradicts itself: %zu tokens, then %zu", capacity, count);
  *tokens = (struct al_tokens){ AL_TAKE(ids), count };
  return AL_OK;
}

enum al_code al_chat_tokenize(const struct al_loaded *loaded, struct al_str text, struct al_tokens *tokens,
                              struct al_err *err)
{
  struct al_str bos = al_str(loaded->info.bos_text);
  bool has_bos = bos.size > 0 && al_str_starts(text, bos);
  unsigned flags = AL_TOKENIZE_SPECIAL | (has_bos ? 0U : (unsigned)AL_TOKENIZE_BOS);
  return al_text_tokenize(loaded, text, flags, tokens, err);
}

/* --- shortening ------------------------------------------------------------------------------------------------- */

static bool has_role(const struct al_json *message, const char *role)
{
  return al_str_is(al_json_str(al_json_get(message, "role")), role);
}

static bool is_preamble(const struct al_json *message)
{
  return has_role(message, "system") || has_role(message, "developer");
}

size_t al_chat_n_starts(const struct al_json *chat)
{
  size_t n_starts = 0;
  struct al_json_iter it = al_json_iter(al_json_get(chat, "messages"));
  while (al_json_next(&it))
    n_starts += has_role(it.value, "user");
  return n_starts;
}

/* The index of the n-th start. */
static size_t start_index(const struct al_json *messages, size_t n)
{
  struct al_json_iter it = al_json_iter(messages);
  for (size_t seen = 0; n > 0 && al_json_next(&it);)
    if (has_role(it.value, "user") && seen++ == n)
      return it.index;
  return 0;
}

static void write_messages(struct al_json_writer *w, const struct al_json *messages, size_t start)
{
  al_jw_array(w);
  struct al_json_iter it = al_json_iter(messages);
  while (al_json_next(&it))
    if (it.index >= start || is_preamble(it.value))
      al_jw_value(w, it.value);
  al_jw_end(w);
}

void al_chat_shorten(const struct al_json *chat, size_t n, struct al_buf *json)
{
  size_t start = start_index(al_json_get(chat, "messages"), n);
  al_buf_clear(json);
  struct al_json_writer w = al_json_writer(json);
  al_jw_object(&w);
  struct al_json_iter it = al_json_iter(chat);
  while (al_json_next(&it)) {
    al_jw_key_n(&w, it.key);
    if (al_str_is(it.key, "messages"))
      write_messages(&w, it.value, start);
    else
      al_jw_value(&w, it.value);
  }
  al_jw_end(&w);
}
