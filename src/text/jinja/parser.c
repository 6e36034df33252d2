/* What the parsers of expressions and statements share, and bodies: text, output and statements in a row. */
#include "text/jinja/parser.h"

#include "base/alloc.h"
#include "codec/utf8.h"
#include "text/jinja/render.h"

#include <stdio.h>

enum al_code al_jj_parse_fail(struct al_jj_parser *p, const char *format, ...)
{
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return al_fail(p->err, AL_INVALID_REQUEST, "template line %d: %s", al_jj_current(p)->line, message);
}

enum al_code al_jj_parse_enter(struct al_jj_parser *p)
{
  if (p->depth >= AL_JJ_MAX_PARSE_DEPTH)
    return al_jj_parse_fail(p, "nested more than %d levels deep", AL_JJ_MAX_PARSE_DEPTH);
  p->depth++;
  return AL_OK;
}

bool al_jj_at_word(const struct al_jj_parser *p, const char *word)
{
  const struct al_jj_token *token = al_jj_current(p);
  return token->kind == AL_JJ_T_NAME && al_str_is(token->text, word);
}

bool al_jj_skip_word(struct al_jj_parser *p, const char *word)
{
  bool there = al_jj_at_word(p, word);
  p->at += there;
  return there;
}

bool al_jj_skip_token(struct al_jj_parser *p, enum al_jj_tok kind)
{
  bool there = al_jj_current(p)->kind == kind && kind != AL_JJ_T_EOF;
  p->at += there;
  return there;
}

enum al_code al_jj_expect(struct al_jj_parser *p, enum al_jj_tok kind)
{
  if (al_jj_skip_token(p, kind))
    return AL_OK;
  const struct al_jj_token *token = al_jj_current(p);
  bool shows = token->kind == AL_JJ_T_NAME;
  return al_jj_parse_fail(p, "expected %s, got %s %.*s", al_jj_token_name(kind), al_jj_token_name(token->kind),
                          shows ? (int)al_min_size(token->text.size, 60) : 0, shows ? token->text.data : "");
}

enum al_code al_jj_expect_name(struct al_jj_parser *p, struct al_str *name)
{
  *name = al_jj_current(p)->text;
  return al_jj_expect(p, AL_JJ_T_NAME);
}

enum al_code al_jj_arena_get(struct al_jj_parser *p, size_t n_bytes, void *out_pointer)
{
  void *memory = al_arena_alloc(p->program->arena, n_bytes);
  if (memory == nullptr)
    return al_fail_oom(p->err, n_bytes);
  memcpy(out_pointer, &memory, sizeof memory);
  return AL_OK;
}

enum al_code al_jj_symbol(struct al_jj_parser *p, struct al_str name, const struct al_jj_symbol **symbol)
{
  struct al_jj_symbol *known = al_map_get(p->program->symbols, name);
  if (known == nullptr) {
    known = al_arena_alloc(p->program->arena, sizeof *known);
    if (known == nullptr)
      return al_fail_oom(p->err, sizeof *known);
    *known = (struct al_jj_symbol){ .name = name };
    const struct al_jj_native *global = al_jj_find_global(name);
    if (global != nullptr) {
      AL_TRY(al_jj_arena_get(p, sizeof *known->global, &known->global));
      known->global->native = global;
    }
    AL_TRY(al_map_set(p->program->symbols, name, known, p->err));
  }
  *symbol = known;
  return AL_OK;
}

enum al_code al_jj_new_node(struct al_jj_parser *p, enum al_jj_node_kind kind, struct al_jj_node **node)
{
  struct al_jj_node *made = al_arena_alloc(p->program->arena, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(p->err, sizeof *made);
  made->kind = kind;
  made->line = al_jj_current(p)->line;
  *node = made;
  return AL_OK;
}

enum al_code al_jj_builder_add(struct al_jj_parser *p, struct al_jj_builder *builder, struct al_jj_node *node)
{
  void *items = builder->items;
  AL_TRY(al_grow(&items, &builder->capacity, builder->n + 1, sizeof(struct al_jj_node *), p->err));
  builder->items = items;
  builder->items[builder->n++] = node;
  return AL_OK;
}

enum al_code al_jj_builder_finish(struct al_jj_parser *p, const struct al_jj_builder *builder,
                                  struct al_jj_nodes *nodes)
{
  size_t n_bytes = builder->n * sizeof(struct al_jj_node *);
  struct al_jj_node **items = nullptr;
  if (n_bytes > 0) {
    AL_TRY(al_jj_arena_get(p, n_bytes, &items));
    memcpy((void *)items, (const void *)builder->items, n_bytes);
  }
  *nodes = (struct al_jj_nodes){ items, builder->n };
  return AL_OK;
}

void al_jj_builder_done(struct al_jj_builder *builder)
{
  al_free((void *)builder->items);
  *builder = (struct al_jj_builder){};
}

static enum al_code parse_data(struct al_jj_parser *p, struct al_jj_node **node)
{
  AL_TRY(al_jj_new_node(p, AL_JJ_N_DATA, node));
  (*node)->constant = al_jj_str(al_jj_current(p)->text);
  p->at++;
  return AL_OK;
}

static enum al_code parse_output(struct al_jj_parser *p, struct al_jj_node **node)
{
  p->at++;
  AL_TRY(al_jj_new_node(p, AL_JJ_N_PRINT, node));
  AL_TRY(al_jj_parse_tuple(p, true, nullptr, &(*node)->left));
  return al_jj_expect(p, AL_JJ_T_VARIABLE_END);
}

static bool take_end_word(struct al_jj_parser *p, const char *const *end_words, size_t *ended)
{
  for (size_t i = 0; end_words != nullptr && end_words[i] != nullptr; i++)
    if (al_jj_skip_word(p, end_words[i])) {
      *ended = i;
      return true;
    }
  return false;
}

static enum al_code parse_items(struct al_jj_parser *p, const char *const *end_words, size_t *ended,
                                struct al_jj_builder *builder)
{
  for (;;) {
    const struct al_jj_token *token = al_jj_current(p);
    struct al_jj_node *node = nullptr;
    if (token->kind == AL_JJ_T_EOF)
      return end_words == nullptr ? AL_OK
                                  : al_jj_parse_fail(p, "the template ends where \"%s\" is missing", end_words[0]);
    if (token->kind == AL_JJ_T_DATA) {
      AL_TRY(parse_data(p, &node));
    } else if (token->kind == AL_JJ_T_VARIABLE_BEGIN) {
      AL_TRY(parse_output(p, &node));
    } else {
      AL_TRY(al_jj_expect(p, AL_JJ_T_BLOCK_BEGIN));
      if (take_end_word(p, end_words, ended))
        return AL_OK;
      AL_TRY(al_jj_parse_statement(p, &node));
      AL_TRY(al_jj_expect(p, AL_JJ_T_BLOCK_END));
    }
    AL_TRY(al_jj_builder_add(p, builder, node));
  }
}

enum al_code al_jj_parse_body(struct al_jj_parser *p, const char *const *end_words, size_t *ended,
                              struct al_jj_nodes *body)
{
  if (end_words != nullptr) {
    (void)al_jj_skip_token(p, AL_JJ_T_COLON);
    AL_TRY(al_jj_expect(p, AL_JJ_T_BLOCK_END));
  }
  AL_CLEANUP(al_jj_builder_done) struct al_jj_builder builder = {};
  AL_TRY(al_jj_parse_enter(p));
  AL_TRY(parse_items(p, end_words, ended, &builder));
  p->depth--;
  return al_jj_builder_finish(p, &builder, body);
}

enum al_code al_jj_parse(struct al_jj_program *program, struct al_str source, struct al_err *err)
{
  struct al_jj_parser p = { .program = program, .err = err };
  if (source.size > AL_JJ_MAX_SOURCE_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "the template has %zu bytes, more than %zu", source.size,
                   AL_JJ_MAX_SOURCE_BYTES);
  if (!al_utf8_valid(source))
    return al_fail(err, AL_INVALID_REQUEST, "the template is not valid UTF-8");
  size_t n_tokens;
  AL_TRY(al_jj_tokenize(program->arena, source, &p.tokens, &n_tokens, err));
  size_t ended;
  AL_TRY(al_jj_parse_body(&p, nullptr, &ended, &program->body));
  if (p.unknown.what == nullptr)
    return AL_OK;
  return al_fail(err, AL_INVALID_REQUEST, "template line %d: no %s named '%.*s'", p.unknown.line, p.unknown.what,
                 (int)al_min_size(p.unknown.name.size, 60), p.unknown.name.data);
}
