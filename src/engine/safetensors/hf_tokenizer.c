#include "engine/safetensors/hf_tokenizer.h"

#include "os/file.h"

#include <limits.h>
#include <stdio.h>

constexpr size_t MAX_TOKENIZER_BYTES = (size_t)128 << 20;
constexpr size_t MAX_CONFIG_BYTES = (size_t)16 << 20;
constexpr size_t MAX_TEMPLATE_BYTES = (size_t)1 << 20;
constexpr size_t MAX_ARENA_BYTES = (size_t)1 << 30;

int32_t al_hf_tokenizer_id(const struct al_hf_tokenizer *tokenizer, struct al_str text)
{
  const int32_t *type = al_map_get(tokenizer->id_of, text);
  return type == nullptr ? -1 : (int32_t)(type - tokenizer->types);
}

enum al_code al_hf_tokenizer_set(struct al_hf_tokenizer *t, struct al_str text, int64_t id, enum al_token_type type,
                                 struct al_err *err)
{
  int shown = (int)al_min_size(text.size, 64);
  if (id < 0 || (uint64_t)id >= t->n_tokens)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: token \"%.*s\" has the id %lld, the model has %zu rows",
                   shown, text.data, (long long)id, t->n_tokens);
  if (text.size == 0 || memchr(text.data, '\0', text.size) != nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: token %lld is empty or has a NUL byte", (long long)id);
  int32_t known = al_hf_tokenizer_id(t, text);
  if (t->tokens[id] != nullptr || known >= 0) {
    if (known != (int32_t)id)
      return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: token \"%.*s\" or its id %lld appears twice", shown,
                     text.data, (long long)id);
    t->types[id] = (int32_t)type;
    return AL_OK;
  }
  t->tokens[id] = al_arena_strndup(t->arena, text.data, text.size);
  if (t->tokens[id] == nullptr)
    return al_fail_oom(err, text.size);
  t->types[id] = (int32_t)type;
  return al_map_set(t->id_of, text, &t->types[id], err);
}

static enum al_code read_vocab(struct al_hf_tokenizer *t, const struct al_json *model, struct al_err *err)
{
  const struct al_json *vocab = al_json_get(model, "vocab");
  if (al_json_kind(vocab) != AL_JSON_OBJECT || al_json_count(vocab) == 0)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: model.vocab is missing or empty");
  struct al_json_iter it = al_json_iter(vocab);
  while (al_json_next(&it))
    AL_TRY(al_hf_tokenizer_set(t, it.key, al_json_int(it.value, -1), AL_TOKEN_NORMAL, err));
  return AL_OK;
}

static enum al_code read_added(struct al_hf_tokenizer *t, const struct al_json *root, struct al_err *err)
{
  struct al_json_iter it = al_json_iter(al_json_get(root, "added_tokens"));
  while (al_json_next(&it)) {
    struct al_str text = al_json_str(al_json_get(it.value, "content"));
    bool special = al_json_bool(al_json_get(it.value, "special"), false);
    int64_t id = al_json_int(al_json_get(it.value, "id"), -1);
    AL_TRY(al_hf_tokenizer_set(t, text, id, special ? AL_TOKEN_CONTROL : AL_TOKEN_USER_DEFINED, err));
    if (al_json_bool(al_json_get(it.value, "lstrip"), false))
      al_buf_printf(&t->eats_left, "%lld ", (long long)id);
    if (al_json_bool(al_json_get(it.value, "rstrip"), false))
      al_buf_printf(&t->eats_right, "%lld ", (long long)id);
  }
  AL_TRY(al_buf_check(&t->eats_left, err));
  AL_TRY(al_buf_check(&t->eats_right, err));
  struct al_str unknown = al_json_str(al_json_get(al_json_get(root, "model"), "unk_token"));
  t->unknown = unknown.size > 0 ? al_hf_tokenizer_id(t, unknown) : -1;
  if (t->unknown >= 0)
    t->types[t->unknown] = AL_TOKEN_UNKNOWN;
  return AL_OK;
}

/* The embedding matrix often has more rows than there are tokens. */
static enum al_code fill_holes(struct al_hf_tokenizer *t, struct al_err *err)
{
  for (size_t id = 0; id < t->n_tokens; id++) {
    char name[48];
    if (t->tokens[id] != nullptr)
      continue;
    int n = snprintf(name, sizeof name, "[PAD%zu]", id);
    while (al_hf_tokenizer_id(t, al_str(name)) >= 0 && n < (int)sizeof name - 2)
      name[n++] = '_', name[n] = '\0';
    AL_TRY(al_hf_tokenizer_set(t, al_str(name), (int64_t)id, AL_TOKEN_UNUSED, err));
  }
  return AL_OK;
}

/* A merge is "left right", or ["left", "right"] in newer files. */
static enum al_code read_merge(struct al_hf_tokenizer *t, const struct al_json *value, struct al_err *err)
{
  struct al_str left = al_json_str(al_json_at(value, 0));
  struct al_str right = al_json_str(al_json_at(value, 1));
  struct al_str text = al_json_str(value);
  const char *space = text.size > 1 ? memchr(text.data + 1, ' ', text.size - 1) : nullptr;
  if (space != nullptr) {
    left = al_str_n(text.data, (size_t)(space - text.data));
    right = al_str_n(space + 1, text.size - left.size - 1);
  }
  char *merge = al_arena_alloc(t->arena, left.size + right.size + 2);
  if (merge == nullptr)
    return al_fail_oom(err, left.size + right.size);
  bool whole = left.size > 0 && right.size > 0;
  if (whole) {
    memcpy(merge, left.data, left.size);
    memcpy(merge + left.size, right.data, right.size);
    whole = al_hf_tokenizer_id(t, al_str_n(merge, left.size + right.size)) >= 0 && al_hf_tokenizer_id(t, left) >= 0 &&
            al_hf_tokenizer_id(t, right) >= 0 && memchr(merge, ' ', left.size + right.size) == nullptr;
  }
  if (!whole)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: merge %zu is not made of tokens", t->n_merges);
  merge[left.size] = ' ';
  memcpy(merge + left.size + 1, right.data, right.size);
  t->merges[t->n_merges++] = merge;
  return AL_OK;
}

static enum al_code read_merges(struct al_hf_tokenizer *t, const struct al_json *model, struct al_err *err)
{
  const struct al_json *merges = al_json_get(model, "merges");
  if (al_json_kind(merges) != AL_JSON_ARRAY)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: model.merges is missing");
  t->merges = al_arena_array(t->arena, al_json_count(merges), sizeof *t->merges);
  if (t->merges == nullptr)
    return al_fail_oom(err, al_json_count(merges) * sizeof *t->merges);
  struct al_json_iter it = al_json_iter(merges);
  while (al_json_next(&it))
    AL_TRY(read_merge(t, it.value, err));
  return AL_OK;
}

/* "cls" before, "sep" behind a text: each ["</s>", 2]. RobertaProcessing has two of them between the texts of a pair.
 */
static void read_ends(struct al_hf_tokenizer *t, const struct al_json *processor, bool twice)
{
  int32_t before = al_hf_tokenizer_id(t, al_json_str(al_json_at(al_json_get(processor, "cls"), 0)));
  int32_t behind = al_hf_tokenizer_id(t, al_json_str(al_json_at(al_json_get(processor, "sep"), 0)));
  t->add_bos = before >= 0;
  t->add_eos = behind >= 0;
  t->bos = before >= 0 ? before : t->bos;
  t->eos = behind >= 0 ? behind : t->eos;
  t->add_separator = twice && behind >= 0;
}

/* Tokens of a TemplateProcessing's "single" that are no text: one or two are put before it, one behind. */
static void read_template(struct al_hf_tokenizer *t, const struct al_json *processor)
{
  struct al_str type = al_json_str(al_json_get(processor, "type"));
  if (al_str_is(type, "Sequence")) {
    struct al_json_iter it = al_json_iter(al_json_get(processor, "processors"));
    while (al_json_next(&it))
      if (!al_str_is(al_json_str(al_json_get(it.value, "type")), "Sequence"))
        read_template(t, it.value);
    return;
  }
  if (al_str_is(type, "BertProcessing") || al_str_is(type, "RobertaProcessing"))
    read_ends(t, processor, al_str_is(type, "RobertaProcessing"));
  if (!al_str_is(type, "TemplateProcessing"))
    return;
  bool text_seen = false;
  struct al_json_iter it = al_json_iter(al_json_get(processor, "single"));
  while (al_json_next(&it)) {
    struct al_str name = al_json_str(al_json_get(al_json_get(it.value, "SpecialToken"), "id"));
    int32_t id = name.size > 0 ? al_hf_tokenizer_id(t, name) : -1;
    if (name.size == 0)
      text_seen = true;
    else if (text_seen && id >= 0)
      t->add_eos = true, t->eos = id;
    else if (id >= 0 && t->add_bos)
      t->behind_bos = id;
    else if (id >= 0)
      t->add_bos = true, t->bos = id;
  }
}

/* "bos_token": "<s>" or {"content": "<s>", ...}. */
static int32_t named_token(const struct al_hf_tokenizer *t, const struct al_json *config, const char *key)
{
  const struct al_json *value = al_json_get(config, key);
  struct al_str text = al_json_str(value);
  if (text.size == 0)
    text = al_json_str(al_json_get(value, "content"));
  return text.size > 0 ? al_hf_tokenizer_id(t, text) : -1;
}

static void read_special(struct al_hf_tokenizer *t, const struct al_json *root, const struct al_json *config,
                         const struct al_hf_config *model)
{
  t->bos = named_token(t, config, "bos_token");
  if (t->bos < 0)
    t->bos = model->bos;
  t->eos = named_token(t, config, "eos_token");
  if (t->eos < 0 && model->n_eos > 0)
    t->eos = model->eos[0];
  t->padding = named_token(t, config, "pad_token");
  t->behind_bos = -1;
  read_template(t, al_json_get(root, "post_processor"));
  const struct al_json *add = al_json_get(config, "add_bos_token");
  if (al_json_kind(add) == AL_JSON_BOOL)
    t->add_bos = al_json_bool(add, false);
  t->add_bos = t->add_bos && t->bos >= 0;
  add = al_json_get(config, "add_eos_token");
  if (al_json_kind(add) == AL_JSON_BOOL)
    t->add_eos = al_json_bool(add, false) && t->eos >= 0;
}

/* One template, or a list of named ones, of which "default" is the one. */
static struct al_str template_in(const struct al_json *config)
{
  const struct al_json *value = al_json_get(config, "chat_template");
  struct al_json_iter it = al_json_iter(al_json_kind(value) == AL_JSON_ARRAY ? value : nullptr);
  while (al_json_next(&it))
    if (al_str_is(al_json_str(al_json_get(it.value, "name")), "default"))
      return al_json_str(al_json_get(it.value, "template"));
  return al_json_str(value);
}

static enum al_code read_chat_template(const char *directory, struct al_hf_tokenizer *t, const struct al_json *config,
                                       struct al_err *err)
{
  char path[PATH_MAX];
  AL_TRY(al_path_join(path, sizeof path, directory, "chat_template.jinja", err));
  AL_CLEANUP(al_buf_done) struct al_buf file = {};
  al_buf_init(&file, MAX_TEMPLATE_BYTES + 1);
  enum al_code code = al_file_read(path, MAX_TEMPLATE_BYTES, &file, err);
  if (code != AL_OK && code != AL_NOT_FOUND)
    return code;
  struct al_str text = code == AL_OK ? al_buf_view(&file) : template_in(config);
  if (text.size == 0)
    return AL_OK;
  if (memchr(text.data, '\0', text.size) != nullptr || text.size > MAX_TEMPLATE_BYTES)
    return al_fail(err, AL_MODEL_CORRUPT, "the chat template has a NUL byte or is larger than %zu bytes",
                   MAX_TEMPLATE_BYTES);
  t->chat_template = al_arena_strndup(t->arena, text.data, text.size);
  return t->chat_template != nullptr ? AL_OK : al_fail_oom(err, text.size);
}

static enum al_code check_model(const struct al_json *model, struct al_err *err)
{
  struct al_str type = al_json_str(al_json_get(model, "type"));
  if (al_json_kind(model) != AL_JSON_OBJECT)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json: model is missing");
  if (type.size > 0 && !al_str_is(type, "BPE") && !al_str_is(type, "WordPiece"))
    return al_fail(err, AL_UNSUPPORTED, "tokenizer.json: the model \"%.*s\" is not supported, only BPE and WordPiece",
                   (int)al_min_size(type.size, 64), type.data);
  return AL_OK;
}

static enum al_code read_all(const struct al_json *root, struct al_hf_tokenizer *t, struct al_err *err)
{
  const struct al_json *model = al_json_get(root, "model");
  AL_TRY(check_model(model, err));
  if (al_str_is(al_json_str(al_json_get(model, "type")), "WordPiece")) {
    AL_TRY(al_hf_wordpiece_read(root, t, err));
    AL_TRY(read_added(t, root, err));
    return fill_holes(t, err);
  }
  AL_TRY(al_hf_pretokenizer_read(root, t, err));
  AL_TRY(read_vocab(t, model, err));
  AL_TRY(read_added(t, root, err));
  AL_TRY(read_merges(t, model, err));
  AL_TRY(fill_holes(t, err));
  return al_streq(t->model, "llama") ? al_hf_spm_scores(t, err) : AL_OK;
}

enum al_code al_hf_tokenizer_load(const char *directory, const struct al_hf_config *config,
                                  struct al_hf_tokenizer *tokenizer, struct al_err *err)
{
  struct al_hf_tokenizer *t = tokenizer;
  t->n_tokens = (size_t)config->n_vocab * (config->encoder.both_types ? 2 : 1);
  t->arena = al_arena_new(MAX_ARENA_BYTES);
  t->id_of = al_map_new(t->n_tokens);
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *settings = nullptr;
  AL_TRY(al_hf_read_json(directory, "tokenizer.json", MAX_TOKENIZER_BYTES, &doc, err));
  AL_TRY(al_hf_read_json(directory, "tokenizer_config.json", MAX_CONFIG_BYTES, &settings, err));
  if (doc == nullptr)
    return al_fail(err, AL_MODEL_CORRUPT, "tokenizer.json is missing");
  if (t->arena == nullptr || t->id_of == nullptr)
    return al_fail_oom(err, 0);
  t->tokens = al_arena_array(t->arena, t->n_tokens, sizeof *t->tokens);
  t->types = al_arena_array(t->arena, t->n_tokens, sizeof *t->types);
  if (t->tokens == nullptr || t->types == nullptr)
    return al_fail_oom(err, t->n_tokens * sizeof *t->tokens);
  AL_TRY(read_all(al_json_root(doc), t, err));
  const struct al_json *config_root = settings != nullptr ? al_json_root(settings) : nullptr;
  read_special(t, al_json_root(doc), config_root, config);
  if (al_streq(t->model, "bert"))
    AL_TRY(al_hf_wordpiece_ends(t, err));
  return read_chat_template(directory, t, config_root, err);
}

void al_hf_tokenizer_done(struct al_hf_tokenizer *tokenizer)
{
  al_buf_done(&tokenizer->eats_left);
  al_buf_done(&tokenizer->eats_right);
  al_map_free(tokenizer->id_of);
  al_arena_free(tokenizer->arena);
  *tokenizer = (struct al_hf_tokenizer){};
}

static void set_id(struct gguf_context *gguf, const char *key, int32_t id)
{
  if (id >= 0)
    gguf_set_val_u32(gguf, key, (uint32_t)id);
}

static void set_ids(struct gguf_context *gguf, const char *key, const struct al_buf *ids)
{
  if (ids->size > 0)
    gguf_set_val_str(gguf, key, ids->data);
}

void al_hf_tokenizer_to_gguf(const struct al_hf_tokenizer *t, struct gguf_context *gguf)
{
  gguf_set_val_str(gguf, "tokenizer.ggml.model", t->model);
  gguf_set_val_str(gguf, "tokenizer.ggml.pre", t->pre);
  gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", t->tokens, t->n_tokens);
  gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, t->types, t->n_tokens);
  if (t->scores != nullptr) {
    gguf_set_arr_data(gguf, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, t->scores, t->n_tokens);
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_space_prefix", t->space_prefix == AL_SPACE_PREFIX_ADDED);
  } else if (al_streq(t->model, "bert")) {
    al_hf_wordpiece_to_gguf(t, gguf);
  } else {
    gguf_set_arr_str(gguf, "tokenizer.ggml.merges", t->merges, t->n_merges);
    gguf_set_val_bool(gguf, "allm.tokenizer.ignore_merges", t->ignore_merges);
  }
  if (t->add_separator) {
    gguf_set_val_u32(gguf, "tokenizer.ggml.seperator_token_id", (uint32_t)t->eos); /* spelt so */
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_sep_token", true);
  }
  set_id(gguf, "tokenizer.ggml.bos_token_id", t->bos);
  set_id(gguf, "tokenizer.ggml.eos_token_id", t->eos);
  set_id(gguf, "tokenizer.ggml.unknown_token_id", t->unknown);
  set_id(gguf, "tokenizer.ggml.padding_token_id", t->padding);
  gguf_set_val_bool(gguf, "tokenizer.ggml.add_bos_token", t->add_bos);
  gguf_set_val_bool(gguf, "tokenizer.ggml.add_eos_token", t->add_eos && !al_streq(t->model, "bert"));
  if (t->space_prefix == AL_SPACE_PREFIX_FIRST || t->space_prefix == AL_SPACE_PREFIX_EACH)
    gguf_set_val_str(gguf, "allm.tokenizer.space_prefix", t->space_prefix == AL_SPACE_PREFIX_FIRST ? "first" : "each");
  set_ids(gguf, "allm.tokenizer.lstrip_ids", &t->eats_left);
  set_ids(gguf, "allm.tokenizer.rstrip_ids", &t->eats_right);
  if (t->add_bos)
    set_id(gguf, "allm.tokenizer.behind_bos_id", t->behind_bos);
  if (t->nfc)
    gguf_set_val_bool(gguf, "tokenizer.ggml.normalizer.nfc", true);
  if (t->chat_template != nullptr)
    gguf_set_val_str(gguf, "tokenizer.chat_template", t->chat_template);
}
