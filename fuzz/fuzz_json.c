/* What the JSON reader accepts is printed to text that reads back as the same text. */
#include "codec/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const struct al_json *value)
{
  int64_t whole = 0;
  double real = 0;
  struct al_str text = {};
  (void)(al_json_want_int(value, "path", "key", -5, 5, &whole, nullptr, nullptr) != AL_OK);
  (void)(al_json_want_real(value, "path", "key", -5, 5, &real, nullptr, nullptr) != AL_OK);
  (void)(al_json_want_str(value, "path", "key", &text, nullptr, nullptr) != AL_OK);
  struct al_json_iter it = al_json_iter(value);
  while (al_json_next(&it)) {
    (void)al_json_int(it.value, 0);
    (void)al_json_str(it.value);
    visit(it.value);
  }
  assert(it.seen == al_json_count(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *again = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf first = {}, second = {};
  struct al_err err = {};
  if (al_json_parse(al_str_n((const char *)data, size), &doc, &err) != AL_OK) {
    assert(err.code != AL_OK && err.message[0] != '\0');
    return 0;
  }
  visit(al_json_root(doc));
  al_json_print(&first, al_json_root(doc));
  enum al_code code = al_json_parse(al_buf_view(&first), &again, &err);
  assert(code == AL_OK);
  al_json_print(&second, al_json_root(again));
  assert(al_str_eq(al_buf_view(&first), al_buf_view(&second)));
  return 0;
}
