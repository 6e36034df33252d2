#include "base/alloc.h"
#include "codec/json_keys.h"

static bool comes_again(struct al_json_iter it)
{
  struct al_str key = it.key;
  while (al_json_next(&it))
    if (it.key.size == key.size && memcmp(it.key.data, key.data, key.size) == 0)
      return true;
  return false;
}

/* Recursion is bounded: the parser refused anything deeper than AL_JSON_MAX_DEPTH. */
static void write_last(struct al_json_writer *w, const struct al_json *value)
{
  bool is_object = al_json_kind(value) == AL_JSON_OBJECT;
  if (!is_object && al_json_kind(value) != AL_JSON_ARRAY) {
    al_jw_value(w, value);
    return;
  }
  if (is_object)
    al_jw_object(w);
  else
    al_jw_array(w);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    if (is_object && comes_again(it))
      continue;
    if (is_object)
      al_jw_key_n(w, it.key);
    write_last(w, it.value);
  }
  al_jw_end(w);
}

enum al_code al_json_parse_last(struct al_str text, struct al_json_doc **doc, struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *loose = nullptr;
  struct al_str twice = {};
  AL_TRY(al_json_parse_loose(text, &loose, err));
  AL_TRY(al_json_find_duplicate(al_json_root(loose), &twice, err));
  if (twice.data == nullptr) {
    *doc = AL_TAKE(loose);
    return AL_OK;
  }
  AL_CLEANUP(al_buf_done) struct al_buf once = {};
  struct al_json_writer w = al_json_writer(&once);
  write_last(&w, al_json_root(loose));
  AL_TRY(al_buf_check(&once, err));
  return al_json_parse(al_buf_view(&once), doc, err);
}
