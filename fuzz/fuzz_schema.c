/* A hostile schema: it may be refused, but not crash, hang or eat the machine; and whatever its grammar lets through is
 * a JSON text that the validator accepts. The input is the schema, a zero byte, and choices for a walk through the
 * grammar. */
#include "text/grammar.h"
#include "text/schema.h"

/* One byte that can come, beginning to look at `from`. */
static bool walk_on(struct al_grammar_matcher *matcher, uint8_t from, struct al_buf *text)
{
  static const char closing[] = "\"}]";
  for (int i = text->size > 100 ? -3 : 0; i < 256; i++) {
    char byte = i < 0 ? closing[i + 3] : (char)(from + i);
    if (al_grammar_matcher_feed(matcher, al_str_n(&byte, 1))) {
      al_buf_char(text, byte);
      return true;
    }
  }
  return false;
}

static void check(const struct al_json *schema, struct al_str text)
{
  struct al_err err = {};
  struct al_json_doc *value = nullptr;
  if (al_json_parse(text, &value, &err) != AL_OK) {
    if (strstr(err.message, "stands twice") == nullptr && strstr(err.message, "levels deep") == nullptr)
      __builtin_trap();
  } else if (al_schema_validate(schema, al_json_root(value), &err) == AL_INVALID_REQUEST) {
    __builtin_trap();
  }
  al_json_doc_free(value);
}

static void walk(const struct al_json *schema, struct al_grammar *grammar, struct al_str choices)
{
  struct al_grammar_matcher *matcher = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr) != AL_OK)
    return;
  for (size_t i = 0; i < 400; i++) {
    uint8_t choice = choices.size > 0 ? (uint8_t)choices.data[i % choices.size] : (uint8_t)(i * 37);
    if (al_grammar_matcher_may_end(matcher) && (choice % 4 == 0 || al_grammar_matcher_must_end(matcher))) {
      check(schema, al_buf_view(&text));
      break;
    }
    if (!walk_on(matcher, choice, &text))
      break;
  }
  al_grammar_matcher_free(matcher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const uint8_t *end = size > 0 ? memchr(data, 0, size) : nullptr;
  size_t schema_size = end != nullptr ? (size_t)(end - data) : size;
  struct al_str choices = end != nullptr ? al_str_n((const char *)end + 1, size - schema_size - 1) : al_str("");
  struct al_json_doc *schema = nullptr;
  if (al_json_parse(al_str_n((const char *)data, schema_size), &schema, nullptr) != AL_OK)
    return 0;
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  struct al_grammar *grammar = nullptr;
  struct al_err err = {};
  if (al_schema_to_gbnf(al_json_root(schema), "root", nullptr, &gbnf, nullptr) == AL_OK) {
    if (al_grammar_compile(al_buf_view(&gbnf), &grammar, &err) == AL_OK)
      walk(al_json_root(schema), grammar, choices);
    else if (strstr(err.message, "never come to an end") == nullptr && strstr(err.message, "more than") == nullptr)
      __builtin_trap(); /* our own grammar does not compile */
  }
  al_grammar_unref(grammar);
  al_json_doc_free(schema);
  return 0;
}
