/* Answers questions about schemas and grammars for test_schema.py. A question on standard input is a letter, a 32-bit
 * length and the bytes; an answer is a letter, a length and the bytes. Little endian.
 *   s a schema: becomes the current one; 'y' with its grammar, or 'n' with the error
 *   g a grammar in GBNF: becomes the current one; 'y', or 'n' with the error
 *   w a random walk through the current grammar: up to 8 bytes of seed; 'y' with the text, 'n' when it did not end
 *   m a text for the current grammar: 'y' a whole sentence, 'p' the beginning of one, 'n' neither
 *   v a JSON text against the current schema: 'y', or 'n' with the error
 *   p a pattern, a zero byte, a text: 'y', 'n', or 'e' with the error */
#include "base/alloc.h"
#include "codec/json.h"
#include "text/grammar.h"
#include "text/schema.h"
#include "text/schema/pattern.h"

#include <stdio.h>
#include <stdlib.h>

static struct al_json_doc *schema;
static struct al_grammar *grammar;

static char set_grammar(struct al_str gbnf, struct al_buf *out)
{
  struct al_err err = {};
  al_grammar_unref(grammar);
  grammar = nullptr;
  if (al_grammar_compile(gbnf, &grammar, &err) == AL_OK)
    return 'y';
  al_buf_printf(out, "%s %s", al_code_name(err.code), err.message);
  return 'n';
}

static char set_schema(struct al_str text, struct al_buf *out)
{
  struct al_err err = {};
  struct al_schema_options options = { .path = "schema" };
  al_json_doc_free(schema);
  schema = nullptr;
  if (al_json_parse(text, &schema, &err) != AL_OK ||
      al_schema_to_gbnf(al_json_root(schema), "root", &options, out, &err) != AL_OK) {
    al_buf_clear(out);
    al_buf_printf(out, "%s %s", al_code_name(err.code), err.message);
    return 'n';
  }
  AL_CLEANUP(al_buf_done) struct al_buf failure = {};
  if (set_grammar(al_buf_view(out), &failure) == 'y')
    return 'y';
  al_buf_printf(out, "\n!! %s", failure.data);
  return 'e';
}

/* One random byte among those that can come; in a long text, marks that close something come first. */
static bool walk_on(struct al_grammar_matcher *matcher, struct al_buf *text)
{
  static const char closing[] = "\"}]";
  constexpr int N_RANDOM = 200;
  bool is_long = text->size > 60, is_ascii = random() % 16 != 0;
  for (int tries = is_long ? -3 : 0; tries < N_RANDOM + 256; tries++) {
    char byte = (char)(tries - N_RANDOM);
    if (tries < 0)
      byte = closing[tries + 3];
    else if (tries < N_RANDOM)
      byte = (char)(is_ascii ? 0x20 + random() % 0x5f : random() & 0xff);
    if (al_grammar_matcher_feed(matcher, al_str_n(&byte, 1))) {
      al_buf_char(text, byte);
      return true;
    }
  }
  return false;
}

static char walk(struct al_str seed, struct al_buf *out)
{
  uint64_t number = 0;
  memcpy(&number, seed.data, al_min_size(seed.size, sizeof number));
  srandom((unsigned)number);
  struct al_grammar_matcher *matcher = nullptr;
  if (grammar == nullptr || al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr) != AL_OK)
    return 'e';
  char answer = 'n';
  while (out->size < 4000) {
    bool may_end = al_grammar_matcher_may_end(matcher);
    if (may_end && (al_grammar_matcher_must_end(matcher) || random() % 4 == 0 || out->size > 200)) {
      answer = 'y';
      break;
    }
    if (!walk_on(matcher, out)) {
      answer = may_end ? 'y' : 'd'; /* a dead end must not be */
      break;
    }
  }
  al_grammar_matcher_free(matcher);
  return answer;
}

static char match(struct al_str text)
{
  struct al_grammar_matcher *matcher = nullptr;
  if (grammar == nullptr || al_grammar_matcher_new(grammar, nullptr, &matcher, nullptr) != AL_OK)
    return 'e';
  bool came = al_grammar_matcher_feed(matcher, text);
  char answer = !came ? 'n' : al_grammar_matcher_may_end(matcher) ? 'y' : 'p';
  al_grammar_matcher_free(matcher);
  return answer;
}

static char validate(struct al_str text, struct al_buf *out)
{
  struct al_err err = {};
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *value = nullptr;
  if (al_json_parse(text, &value, &err) == AL_OK &&
      al_schema_validate(al_json_root(schema), al_json_root(value), &err) == AL_OK)
    return 'y';
  al_buf_printf(out, "%s %s", al_code_name(err.code), err.message);
  return 'n';
}

static char try_pattern(struct al_str text, struct al_buf *out)
{
  struct al_err err = {};
  size_t size = strnlen(text.data, text.size);
  bool matches = false;
  if (al_sch_pattern_test(al_str_n(text.data, size), al_str_n(text.data + size + 1, text.size - size - 1), &matches,
                          &err) == AL_OK)
    return matches ? 'y' : 'n';
  al_buf_str(out, err.message);
  return 'e';
}

static char answer(int question, struct al_str text, struct al_buf *out)
{
  switch (question) {
  case 's': return set_schema(text, out);
  case 'g': return set_grammar(text, out);
  case 'w': return walk(text, out);
  case 'm': return match(text);
  case 'v': return validate(text, out);
  case 'p': return try_pattern(text, out);
  default: return '?';
  }
}

int main(void)
{
  for (int question = getchar(); question != EOF; question = getchar()) {
    uint32_t size;
    if (fread(&size, sizeof size, 1, stdin) != 1)
      return 1;
    AL_CLEANUP(al_buf_done) struct al_buf text = {}, out = {};
    char *room = al_buf_room(&text, size + 1);
    if (room == nullptr || fread(room, 1, size, stdin) != size)
      return 1;
    al_buf_grew(&text, size);
    int letter = answer(question, al_buf_view(&text), &out);
    uint32_t answered = (uint32_t)out.size;
    (void)putchar(letter);
    (void)fwrite(&answered, sizeof answered, 1, stdout);
    (void)fwrite(out.size > 0 ? out.data : "", 1, out.size, stdout);
    (void)fflush(stdout);
  }
  return 0;
}
