#include "api/form.h"

#include "base/alloc.h"
#include "codec/utf8.h"

struct al_api_form_field { /* places in form->text */
  size_t name_at, name_size, value_at, value_size;
};

struct field { /* a field as it is written */
  struct al_str name, base, value;
  struct al_str key; /* of "base[key]"; data nullptr: plain; empty: "base[]" */
};

void al_api_form_done(struct al_api_form *form)
{
  al_buf_done(&form->text);
  al_free(form->fields);
  *form = (struct al_api_form){};
}

static enum al_code check_size(const struct al_api_form *form, struct al_str name, struct al_str more,
                               struct al_err *err)
{
  if (form->text.size + more.size <= AL_API_FORM_MAX_BYTES)
    return AL_OK;
  char path[sizeof err->param];
  al_api_path(path, sizeof path, "", name);
  return al_fail_param(err, path, "The fields of the form are longer than %zu KB in all: '%s' does not fit",
                       AL_API_FORM_MAX_BYTES >> 10, path);
}

enum al_code al_api_form_begin(struct al_api_form *form, struct al_str name, struct al_err *err)
{
  AL_TRY(check_size(form, name, name, err));
  AL_TRY(al_grow((void **)&form->fields, &form->capacity, form->n_fields + 1, sizeof *form->fields, err));
  size_t at = form->text.size;
  al_buf_add(&form->text, name.data, name.size);
  form->fields[form->n_fields++] = (struct al_api_form_field){ at, name.size, at + name.size, 0 };
  return al_buf_check(&form->text, err);
}

enum al_code al_api_form_add(struct al_api_form *form, struct al_str bytes, struct al_err *err)
{
  struct al_api_form_field *field = &form->fields[form->n_fields - 1];
  AL_TRY(check_size(form, al_str_n(form->text.data + field->name_at, field->name_size), bytes, err));
  al_buf_add(&form->text, bytes.data, bytes.size);
  field->value_size += bytes.size;
  return al_buf_check(&form->text, err);
}

/* --- names ------------------------------------------------------------------------------------------------------- */

/* The bracket of "base[key]"; nullptr: the whole name is the base. */
static const char *bracket_of(struct al_str name)
{
  const char *open = name.size > 0 ? memchr(name.data, '[', name.size) : nullptr;
  const char *close = name.size > 0 ? memchr(name.data, ']', name.size) : nullptr;
  bool is_good = open != nullptr && open > name.data && close == name.data + name.size - 1;
  return is_good && memchr(open + 1, '[', (size_t)(close - open - 1)) == nullptr ? open : nullptr;
}

struct al_str al_api_form_base(struct al_str name)
{
  const char *open = bracket_of(name);
  return open != nullptr ? al_str_n(name.data, (size_t)(open - name.data)) : name;
}

static struct field field_at(const struct al_api_form *form, size_t index)
{
  const struct al_api_form_field *at = &form->fields[index];
  struct field field = { .name = al_str_n(form->text.data + at->name_at, at->name_size),
                         .value = al_str_n(form->text.data + at->value_at, at->value_size) };
  const char *open = bracket_of(field.name);
  field.base = al_api_form_base(field.name);
  if (open != nullptr)
    field.key = al_str_n(open + 1, field.name.size - field.base.size - 2);
  return field;
}

static enum al_code refuse(struct al_str name, const char *what, struct al_err *err)
{
  char path[sizeof err->param];
  al_api_path(path, sizeof path, "", name);
  return al_fail_param(err, path, "'%s' %s", path, what);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

enum wanted { WANTS_TEXT, WANTS_BOOL, WANTS_NUMBER };

static enum wanted wanted_of(const struct al_api_param_table *tables, size_t n_tables, struct al_str name)
{
  for (size_t t = 0; t < n_tables; t++)
    for (size_t i = 0; i < tables[t].count; i++) {
      const struct al_api_param *param = &tables[t].params[i];
      if (!al_str_is(name, param->name))
        continue;
      if (param->read == al_api_read_bool || param->read == al_api_check_false)
        return WANTS_BOOL;
      bool is_number =
          param->read == al_api_read_int || param->read == al_api_read_int64 || param->read == al_api_read_float;
      return is_number ? WANTS_NUMBER : WANTS_TEXT;
    }
  return WANTS_TEXT;
}

static bool is_number(struct al_str text)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (text.size > 64 || al_json_parse(text, &doc, nullptr) != AL_OK)
    return false;
  enum al_json_kind kind = al_json_kind(al_json_root(doc));
  return kind == AL_JSON_INT || kind == AL_JSON_REAL;
}

/* What does not read as the table wants it stays text, and the table's reader says so. */
static void write_value(struct al_json_writer *w, struct al_str value, enum wanted wanted)
{
  if (wanted == WANTS_BOOL && (al_str_is(value, "true") || al_str_is(value, "True") || al_str_is(value, "1")))
    al_jw_bool(w, true);
  else if (wanted == WANTS_BOOL && (al_str_is(value, "false") || al_str_is(value, "False") || al_str_is(value, "0")))
    al_jw_bool(w, false);
  else if (wanted == WANTS_NUMBER && is_number(value))
    al_jw_raw(w, value);
  else
    al_jw_str_n(w, value);
}

/* --- the object -------------------------------------------------------------------------------------------------- */

static bool is_same_kind(const struct field *a, const struct field *b)
{
  return a->key.data != nullptr && b->key.data != nullptr && (a->key.size == 0) == (b->key.size == 0);
}

/* Whether an earlier field has the same base; two that cannot stand together are an error. */
static enum al_code find_earlier(const struct al_api_form *form, size_t index, bool *found, struct al_err *err)
{
  struct field field = field_at(form, index);
  for (size_t i = 0; i < index; i++) {
    struct field earlier = field_at(form, i);
    if (!al_str_eq(earlier.base, field.base))
      continue;
    *found = true;
    if (!is_same_kind(&earlier, &field) || (field.key.size > 0 && al_str_eq(earlier.key, field.key)))
      return refuse(field.name, "is given twice", err);
  }
  return AL_OK;
}

static void write_group(struct al_json_writer *w, const struct al_api_form *form, size_t first)
{
  struct field head = field_at(form, first);
  if (head.key.size > 0)
    al_jw_object(w);
  else
    al_jw_array(w);
  for (size_t i = first; i < form->n_fields; i++) {
    struct field field = field_at(form, i);
    if (!al_str_eq(field.base, head.base))
      continue;
    if (head.key.size > 0)
      al_jw_key_n(w, field.key);
    al_jw_str_n(w, field.value);
  }
  al_jw_end(w);
}

enum al_code al_api_form_json(const struct al_api_form *form, const struct al_api_param_table *tables, size_t n_tables,
                              struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_object(&w);
  for (size_t i = 0; i < form->n_fields; i++) {
    struct field field = field_at(form, i);
    bool is_written = false;
    if (!al_utf8_valid(field.name) || !al_utf8_valid(field.value))
      return refuse(field.name, "must be UTF-8", err);
    AL_TRY(find_earlier(form, i, &is_written, err));
    if (is_written)
      continue;
    al_jw_key_n(&w, field.base);
    if (field.key.data != nullptr)
      write_group(&w, form, i);
    else
      write_value(&w, field.value, wanted_of(tables, n_tables, field.base));
  }
  al_jw_end(&w);
  AL_TRY(al_buf_check(&text, err));
  return al_json_parse(al_buf_view(&text), doc, err);
}
