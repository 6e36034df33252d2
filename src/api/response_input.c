#include "api/response_input.h"

#include "api/generation.h"
#include "api/messages.h"
#include "api/params.h"

#include <stdio.h>

constexpr size_t MAX_ID = 128;

struct reading {
  struct al_buf *items;
  struct al_buf *references;
  bool in_compaction;
};

static bool is_given(const struct al_json *object, const char *key)
{
  enum al_json_kind kind = al_json_kind(al_json_get(object, key));
  return kind != AL_JSON_ABSENT && kind != AL_JSON_NULL;
}

/* Members of items that the official client knows and that mean nothing here but null. */
static enum al_code check_empty(const struct al_json *item, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "caller", "namespace" };
  for (size_t i = 0; i < AL_COUNT(keys); i++)
    if (is_given(item, keys[i])) {
      char key_path[64];
      al_api_path(key_path, sizeof key_path, path, al_str(keys[i]));
      return al_api_unsupported(err, key_path, "%s is not supported here", key_path);
    }
  return AL_OK;
}

static enum al_code need_str(const struct al_json *item, const char *path, const char *key, struct al_str *text,
                             struct al_err *err)
{
  char key_path[64];
  bool present = false;
  al_api_path(key_path, sizeof key_path, path, al_str(key));
  AL_TRY(al_json_want_str(item, path, key, text, &present, err));
  return present ? AL_OK : al_fail_param(err, key_path, "%s is missing", key_path);
}

/* The item's own id, or a new one. */
static enum al_code write_id(const struct al_json *item, const char *path, const char *prefix, struct al_json_writer *w,
                             struct al_err *err)
{
  struct al_str id = {};
  AL_TRY(al_json_want_str(item, path, "id", &id, nullptr, err));
  char made[64];
  al_api_make_id(made, sizeof made, prefix);
  if (id.size > MAX_ID) {
    char id_path[64];
    al_api_path(id_path, sizeof id_path, path, al_str("id"));
    return al_fail_param(err, id_path, "%s may have at most %zu bytes", id_path, MAX_ID);
  }
  al_jw_kv_str_n(w, "id", id.size > 0 ? id : al_str(made));
  return AL_OK;
}

static enum al_code write_status(const struct al_json *item, const char *path, struct al_json_writer *w,
                                 struct al_err *err)
{
  struct al_str status = al_str("completed");
  char status_path[64];
  al_api_path(status_path, sizeof status_path, path, al_str("status"));
  AL_TRY(al_json_want_str(item, path, "status", &status, nullptr, err));
  if (!al_str_is(status, "completed") && !al_str_is(status, "incomplete") && !al_str_is(status, "in_progress"))
    return al_fail_param(err, status_path, "%s must be completed, incomplete or in_progress", status_path);
  al_jw_kv_str_n(w, "status", status);
  return AL_OK;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static const struct al_api_part_kind part_kinds[] = {
  { "input_text", "text" },
  { "output_text", "text" },
  { "refusal", "refusal" },
};

static void write_text_part(struct al_json_writer *w, struct al_str text, bool is_output)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", is_output ? "output_text" : "input_text");
  al_jw_kv_str_n(w, "text", text);
  if (is_output) {
    al_jw_key(w, "annotations");
    al_jw_array(w);
    al_jw_end(w);
  }
  al_jw_end(w);
}

/* Of content that has been checked. */
static void write_parts(const struct al_json *content, struct al_json_writer *w, bool is_output)
{
  if (al_json_kind(content) == AL_JSON_STRING)
    write_text_part(w, al_json_str(content), is_output);
  if (al_json_kind(content) != AL_JSON_ARRAY)
    return;
  struct al_json_iter it = al_json_iter(content);
  while (al_json_next(&it)) {
    struct al_str refusal = al_json_str(al_json_get(it.value, "refusal"));
    bool is_refusal = al_str_is(al_json_str(al_json_get(it.value, "type")), "refusal");
    if (!is_refusal || !is_output) {
      write_text_part(w, is_refusal ? refusal : al_json_str(al_json_get(it.value, "text")), is_output);
      continue;
    }
    al_jw_object(w);
    al_jw_kv_str(w, "type", "refusal");
    al_jw_kv_str_n(w, "refusal", refusal);
    al_jw_end(w);
  }
}

static enum al_code write_content(const struct al_json *item, const char *path, const char *key, bool is_output,
                                  struct al_json_writer *w, struct al_err *err)
{
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str(key));
  const struct al_json *content = al_json_get(item, key);
  if (content == nullptr)
    return al_fail_param(err, content_path, "%s is missing", content_path);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_TRY(al_api_content_read(content, content_path, part_kinds, AL_COUNT(part_kinds), &text, err));
  al_jw_key(w, key);
  al_jw_array(w);
  write_parts(content, w, is_output);
  al_jw_end(w);
  return AL_OK;
}

static enum al_code role_of(const struct al_json *item, const char *path, struct al_str *role, struct al_err *err)
{
  static const char *const roles[] = { "user", "assistant", "system", "developer" };
  char role_path[64];
  al_api_path(role_path, sizeof role_path, path, al_str("role"));
  AL_TRY(need_str(item, path, "role", role, err));
  for (size_t i = 0; i < AL_COUNT(roles); i++)
    if (al_str_is(*role, roles[i]))
      return AL_OK;
  return al_fail_param(err, role_path, "%s must be user, assistant, system or developer", role_path);
}

static enum al_code read_message(const struct al_json *item, const char *path, struct al_json_writer *w,
                                 struct al_err *err)
{
  struct al_str role = {};
  AL_TRY(role_of(item, path, &role, err));
  AL_TRY(write_id(item, path, "msg_", w, err));
  al_jw_kv_str(w, "type", "message");
  AL_TRY(write_status(item, path, w, err));
  al_jw_kv_str_n(w, "role", role);
  return write_content(item, path, "content", al_str_is(role, "assistant"), w, err);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static enum al_code read_call(const struct al_json *item, const char *path, struct al_json_writer *w,
                              struct al_err *err)
{
  static const char *const keys[] = { "call_id", "name", "arguments" };
  AL_TRY(check_empty(item, path, err));
  AL_TRY(write_id(item, path, "fc_", w, err));
  al_jw_kv_str(w, "type", "function_call");
  AL_TRY(write_status(item, path, w, err));
  for (size_t i = 0; i < AL_COUNT(keys); i++) {
    struct al_str text = {};
    AL_TRY(need_str(item, path, keys[i], &text, err));
    al_jw_kv_str_n(w, keys[i], text);
  }
  return AL_OK;
}

static enum al_code read_call_output(const struct al_json *item, const char *path, struct al_json_writer *w,
                                     struct al_err *err)
{
  struct al_str call_id = {};
  AL_TRY(check_empty(item, path, err));
  AL_TRY(write_id(item, path, "fco_", w, err));
  al_jw_kv_str(w, "type", "function_call_output");
  AL_TRY(write_status(item, path, w, err));
  AL_TRY(need_str(item, path, "call_id", &call_id, err));
  al_jw_kv_str_n(w, "call_id", call_id);
  if (al_json_kind(al_json_get(item, "output")) != AL_JSON_STRING)
    return write_content(item, path, "output", false, w, err);
  al_jw_kv_value(w, "output", al_json_get(item, "output"));
  return AL_OK;
}

/* --- reasoning, compaction ---------------------------------------------------------------------------------------- */

static enum al_code write_texts(const struct al_json *item, const char *path, const char *key,
                                const struct al_api_part_kind *kind, struct al_json_writer *w, struct al_err *err)
{
  char list_path[64];
  al_api_path(list_path, sizeof list_path, path, al_str(key));
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (is_given(item, key)) {
    if (al_json_kind(al_json_get(item, key)) != AL_JSON_ARRAY)
      return al_api_wrong_kind(err, list_path, "an array", al_json_get(item, key));
    AL_TRY(al_api_content_read(al_json_get(item, key), list_path, kind, 1, &text, err));
  }
  al_jw_key(w, key);
  al_jw_array(w);
  if (text.size > 0) {
    al_jw_object(w);
    al_jw_kv_str(w, "type", kind->type);
    al_jw_kv_str_n(w, "text", al_buf_view(&text));
    al_jw_end(w);
  }
  al_jw_end(w);
  return AL_OK;
}

/* What stands after the mark of ours; that of another server cannot be read. */
static enum al_code read_opaque(const struct al_json *item, const char *path, struct al_str *text, struct al_err *err)
{
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str("encrypted_content"));
  AL_TRY(need_str(item, path, "encrypted_content", text, err));
  struct al_str mark = al_str(AL_API_OPAQUE);
  if (!al_str_starts(*text, mark))
    return al_fail_param(err, content_path, "%s was not made by this kind of server", content_path);
  *text = al_str_n(text->data + mark.size, text->size - mark.size);
  return AL_OK;
}

static enum al_code read_reasoning(const struct al_json *item, const char *path, struct al_json_writer *w,
                                   struct al_err *err)
{
  static const struct al_api_part_kind summary = { "summary_text", "text" }, content = { "reasoning_text", "text" };
  AL_TRY(write_id(item, path, "rs_", w, err));
  al_jw_kv_str(w, "type", "reasoning");
  AL_TRY(write_status(item, path, w, err));
  AL_TRY(write_texts(item, path, "summary", &summary, w, err));
  bool has_content = al_json_count(al_json_get(item, "content")) > 0;
  if (has_content || !is_given(item, "encrypted_content"))
    return write_texts(item, path, "content", &content, w, err);
  struct al_str text = {};
  AL_TRY(read_opaque(item, path, &text, err));
  al_jw_key(w, "content");
  al_jw_array(w);
  al_jw_object(w);
  al_jw_kv_str(w, "type", content.type);
  al_jw_kv_str_n(w, "text", text);
  al_jw_end(w);
  al_jw_end(w);
  return AL_OK;
}

static enum al_code read_items(struct reading *reading, const struct al_json *input, const char *path,
                               struct al_err *err);

/* Its items are checked now, since it comes from outside; it is kept as it is. */
static enum al_code read_compaction(struct reading *reading, const struct al_json *item, const char *path,
                                    struct al_json_writer *w, struct al_err *err)
{
  struct al_str text = {};
  AL_TRY(read_opaque(item, path, &text, err));
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf items = {};
  struct reading inner = { .items = &items, .references = reading->references, .in_compaction = true };
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str("encrypted_content"));
  enum al_code code = al_json_parse(text, &doc, err);
  if (code == AL_OOM_RAM)
    return code;
  if (code != AL_OK || al_json_kind(al_json_root(doc)) != AL_JSON_ARRAY)
    return al_fail_param(err, content_path, "%s is damaged", content_path);
  AL_TRY(read_items(&inner, al_json_root(doc), content_path, err));
  AL_TRY(write_id(item, path, "cmp_", w, err));
  al_jw_kv_str(w, "type", "compaction");
  AL_CLEANUP(al_buf_done) struct al_buf content = {};
  al_buf_printf(&content, "%s[", AL_API_OPAQUE);
  al_buf_add(&content, items.data, items.size);
  al_buf_char(&content, ']');
  al_jw_kv_str_n(w, "encrypted_content", al_buf_view(&content));
  return al_buf_check(&content, err);
}

static enum al_code read_reference(struct reading *reading, const struct al_json *item, const char *path,
                                   struct al_json_writer *w, struct al_err *err)
{
  struct al_str id = {};
  AL_TRY(need_str(item, path, "id", &id, err));
  if (id.size == 0 || id.size > MAX_ID || reading->in_compaction)
    return al_fail_param(err, path, "%s is no reference to an item", path);
  al_jw_kv_str(w, "type", "item_reference");
  al_jw_kv_str_n(w, "id", id);
  if (reading->references->size > 0)
    al_buf_char(reading->references, ',');
  struct al_json_writer ids = al_json_writer(reading->references);
  al_jw_str_n(&ids, id);
  return AL_OK;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static const char *const message_keys[] = { "type", "role", "content", "id", "status", "phase", nullptr };
static const char *const call_keys[] = { "type",   "id",     "call_id",   "name",       "arguments",
                                         "status", "caller", "namespace", "created_by", nullptr };
static const char *const output_keys[] = { "type",   "id",     "call_id",   "output",     "name",
                                           "status", "caller", "namespace", "created_by", nullptr };
static const char *const reasoning_keys[] = {
  "type", "id", "summary", "content", "encrypted_content", "status", nullptr
};
static const char *const compaction_keys[] = { "type", "id", "encrypted_content", "created_by", nullptr };
static const char *const reference_keys[] = { "type", "id", nullptr };

static const struct kind {
  const char *type;
  const char *const *keys;
  enum al_code (*read)(const struct al_json *, const char *, struct al_json_writer *, struct al_err *);
  enum al_code (*read_in)(struct reading *, const struct al_json *, const char *, struct al_json_writer *,
                          struct al_err *);
} kinds[] = {
  { "message", message_keys, read_message, nullptr },
  { "function_call", call_keys, read_call, nullptr },
  { "function_call_output", output_keys, read_call_output, nullptr },
  { "reasoning", reasoning_keys, read_reasoning, nullptr },
  { "compaction", compaction_keys, nullptr, read_compaction },
  { "item_reference", reference_keys, nullptr, read_reference },
};

static enum al_code kind_of(const struct al_json *item, const char *path, const struct kind **kind, struct al_err *err)
{
  char type_path[64];
  al_api_path(type_path, sizeof type_path, path, al_str("type"));
  /* The short forms leave the type out: a message has a role, a reference nothing but its id. */
  struct al_str type = al_str(is_given(item, "role") || !is_given(item, "id") ? "message" : "item_reference");
  AL_TRY(al_json_want_str(item, path, "type", &type, nullptr, err));
  for (size_t i = 0; i < AL_COUNT(kinds); i++)
    if (al_str_is(type, kinds[i].type)) {
      *kind = &kinds[i];
      return AL_OK;
    }
  return al_api_unsupported(err, type_path, "%s: items of type '%.*s' are not supported here", type_path,
                            (int)al_min_size(type.size, 64), type.data);
}

static enum al_code read_item(struct reading *reading, const struct al_json *item, const char *path, struct al_err *err)
{
  const struct kind *kind = &kinds[0];
  if (al_json_kind(item) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", item);
  AL_TRY(kind_of(item, path, &kind, err));
  AL_TRY(al_api_only_keys(item, path, kind->keys, err));
  if (reading->in_compaction && kind->read == nullptr)
    return al_fail_param(err, path, "%s is damaged", path);
  if (reading->items->size > 0)
    al_buf_char(reading->items, ',');
  struct al_json_writer w = al_json_writer(reading->items);
  al_jw_object(&w);
  AL_TRY(kind->read != nullptr ? kind->read(item, path, &w, err) : kind->read_in(reading, item, path, &w, err));
  al_jw_end(&w);
  return al_buf_check(reading->items, err);
}

static enum al_code read_items(struct reading *reading, const struct al_json *input, const char *path,
                               struct al_err *err)
{
  struct al_json_iter it = al_json_iter(input);
  while (al_json_next(&it)) {
    char item_path[96];
    (void)snprintf(item_path, sizeof item_path, "%s[%zu]", path, it.index);
    AL_TRY(read_item(reading, it.value, item_path, err));
  }
  return AL_OK;
}

static void read_string(struct al_buf *items, struct al_str text)
{
  char id[64];
  al_api_make_id(id, sizeof id, "msg_");
  struct al_json_writer w = al_json_writer(items);
  al_jw_object(&w);
  al_jw_kv_str(&w, "id", id);
  al_jw_kv_str(&w, "type", "message");
  al_jw_kv_str(&w, "status", "completed");
  al_jw_kv_str(&w, "role", "user");
  al_jw_key(&w, "content");
  al_jw_array(&w);
  write_text_part(&w, text, false);
  al_jw_end(&w);
  al_jw_end(&w);
}

enum al_code al_api_items_read(const struct al_json *input, struct al_buf *items, struct al_buf *references,
                               struct al_err *err)
{
  if (al_json_kind(input) == AL_JSON_STRING) {
    read_string(items, al_json_str(input));
    return al_buf_check(items, err);
  }
  if (al_json_kind(input) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, "input", "a string or an array of items", input);
  struct reading reading = { .items = items, .references = references };
  AL_TRY(read_items(&reading, input, "input", err));
  return al_buf_check(references, err);
}

enum al_code al_api_items_resolve(const struct al_json *items, const struct al_json *found, struct al_buf *out,
                                  struct al_err *err)
{
  size_t n_references = 0;
  struct al_json_iter it = al_json_iter(items);
  while (al_json_next(&it)) {
    bool is_reference = al_str_is(al_json_str(al_json_get(it.value, "type")), "item_reference");
    const struct al_json *item = is_reference ? al_json_at(found, n_references++) : it.value;
    if (item == nullptr)
      return al_fail(err, AL_INTERNAL, "a reference to an item was not resolved");
    if (out->size > 0)
      al_buf_char(out, ',');
    al_json_print(out, item);
  }
  return al_buf_check(out, err);
}
