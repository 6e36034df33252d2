#include "inference/format.h"

#include "text/grammar.h"
#include "text/schema.h"

static const char *path_of(const struct al_format *format)
{
  return format->path != nullptr ? format->path : "response_format";
}

/* --- before ----------------------------------------------------------------------------------------------------- */

/* Compiled as it came first, so that an error's line and column are the user's. */
static enum al_code user_grammar(const struct al_format *format, struct al_buf *gbnf, struct al_err *err)
{
  struct al_grammar *grammar = nullptr;
  enum al_code code = al_grammar_compile(format->grammar, &grammar, err);
  al_grammar_unref(grammar);
  if (code != AL_OK) {
    if (err != nullptr && err->param[0] == '\0')
      (void)snprintf(err->param, sizeof err->param, "%s", path_of(format));
    return code;
  }
  al_gbnf_rename(format->grammar, "u-", gbnf);
  al_buf_str(gbnf, "\nanswer ::= u-root\n");
  return al_buf_check(gbnf, err);
}

enum al_code al_format_rules(const struct al_format *format, struct al_buf *gbnf, struct al_err *err)
{
  struct al_schema_options options = { .path = path_of(format) };
  switch (format->kind) {
  case AL_FORMAT_TEXT: return AL_OK;
  case AL_FORMAT_JSON_OBJECT: return al_schema_any_to_gbnf(true, "answer", gbnf, err);
  case AL_FORMAT_JSON_SCHEMA: return al_schema_to_gbnf(format->schema, "answer", &options, gbnf, err);
  case AL_FORMAT_GRAMMAR: return user_grammar(format, gbnf, err);
  }
  return AL_OK;
}

/* --- afterwards ------------------------------------------------------------------------------------------------- */

enum al_code al_format_check(const struct al_format *format, struct al_str answer, struct al_err *err)
{
  if (format->kind != AL_FORMAT_JSON_OBJECT && format->kind != AL_FORMAT_JSON_SCHEMA)
    return AL_OK;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  struct al_err why = {};
  enum al_code code = al_json_parse_last(answer, &doc, &why);
  if (code == AL_OK && format->kind == AL_FORMAT_JSON_SCHEMA)
    code = al_schema_validate(format->schema, al_json_root(doc), &why);
  else if (code == AL_OK && al_json_kind(al_json_root(doc)) != AL_JSON_OBJECT)
    code = al_fail(&why, AL_INVALID_REQUEST, "it is no JSON object");
  if (code == AL_OK)
    return AL_OK;
  return al_fail(err, code == AL_OOM_RAM ? code : AL_INTERNAL, "the model's answer is not what %s asks for: %s%s%s",
                 path_of(format), why.param, why.param[0] != '\0' ? ": " : "", why.message);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static bool is_name(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Where a literal or a class that begins at `at` ends. */
static size_t quoted_end(struct al_str text, size_t at)
{
  char close = text.data[at] == '[' ? ']' : '"';
  for (at++; at < text.size && text.data[at] != close; at++)
    at += text.data[at] == '\\';
  return al_min_size(at + 1, text.size);
}

static size_t span_end(struct al_str text, size_t at)
{
  char c = text.data[at];
  size_t end = at + 1;
  if (c == '"' || c == '[')
    return quoted_end(text, at);
  if (c == '#' || c == '{') /* a comment, counts */
    while (end < text.size && text.data[end] != (c == '#' ? '\n' : '}'))
      end++;
  else if (is_name(c))
    while (end < text.size && is_name(text.data[end]))
      end++;
  return end;
}

void al_gbnf_rename(struct al_str gbnf, const char *prefix, struct al_buf *out)
{
  for (size_t at = 0, end; at < gbnf.size; at = end) {
    end = span_end(gbnf, at);
    if (is_name(gbnf.data[at]))
      al_buf_str(out, prefix);
    al_buf_add(out, gbnf.data + at, end - at);
  }
}
