/* Builds the syntax tree of a template. al_jj_parse is the entry; the rest is shared by the parser's files. */
#ifndef AL_TEXT_JINJA_PARSER_H
#define AL_TEXT_JINJA_PARSER_H

#include "text/jinja/lexer.h"
#include "text/jinja/tree.h"

constexpr size_t AL_JJ_MAX_SOURCE_BYTES = (size_t)4 << 20;
constexpr int AL_JJ_MAX_PARSE_DEPTH = 128;

/* A filter or test that does not exist. Jinja refuses the template, except where the name stands under a condition. */
struct al_jj_unknown {
  const char *what; /* "filter", "test"; nullptr: none */
  struct al_str name;
  int line;
};

struct al_jj_parser {
  struct al_jj_program *program;
  struct al_jj_token *tokens;
  size_t at;
  struct al_err *err;
  int depth;
  int loop_depth; /* loops around this place, inside the innermost function */
  bool soft;      /* under a condition: an unknown filter fails only when it is reached */
  struct al_jj_unknown unknown;
  struct al_jj_function *function; /* the innermost, or nullptr */
  const struct al_jj_node *blocks; /* the last one, which leads to those before */
};

/* Fills program->body; program has its arena and its map. `source` must be valid UTF-8. */
enum al_code al_jj_parse(struct al_jj_program *program, struct al_str source, struct al_err *err);

/* Fills program->hidden from its body. */
enum al_code al_jj_find_hidden(struct al_jj_program *program, struct al_err *err);

AL_PRINTF(2, 3) enum al_code al_jj_parse_fail(struct al_jj_parser *p, const char *format, ...);
enum al_code al_jj_parse_enter(struct al_jj_parser *p); /* one level deeper; p->depth-- on the way back */
static inline const struct al_jj_token *al_jj_current(const struct al_jj_parser *p)
{
  return &p->tokens[p->at];
}
bool al_jj_at_word(const struct al_jj_parser *p, const char *word);
bool al_jj_skip_word(struct al_jj_parser *p, const char *word);
bool al_jj_skip_token(struct al_jj_parser *p, enum al_jj_tok kind);
enum al_code al_jj_expect(struct al_jj_parser *p, enum al_jj_tok kind);
enum al_code al_jj_expect_name(struct al_jj_parser *p, struct al_str *name);
enum al_code al_jj_symbol(struct al_jj_parser *p, struct al_str name, const struct al_jj_symbol **symbol);
enum al_code al_jj_new_node(struct al_jj_parser *p, enum al_jj_node_kind kind, struct al_jj_node **node);
enum al_code al_jj_arena_get(struct al_jj_parser *p, size_t n_bytes, void *out_pointer);

/* A list of nodes while it grows. Free with al_jj_builder_done. */
struct al_jj_builder {
  struct al_jj_node **items;
  size_t n;
  size_t capacity;
};
enum al_code al_jj_builder_add(struct al_jj_parser *p, struct al_jj_builder *builder, struct al_jj_node *node);
enum al_code al_jj_builder_finish(struct al_jj_parser *p, const struct al_jj_builder *builder,
                                  struct al_jj_nodes *nodes);
void al_jj_builder_done(struct al_jj_builder *builder);

/* Expressions. */
enum al_code al_jj_parse_expression(struct al_jj_parser *p, bool with_condition, struct al_jj_node **node);
/* Several with commas between make a tuple; end_word (or nullptr) is a word that ends it too. */
enum al_code al_jj_parse_tuple(struct al_jj_parser *p, bool with_condition, const char *end_word,
                               struct al_jj_node **node);
enum al_code al_jj_parse_primary(struct al_jj_parser *p, bool with_namespace, struct al_jj_node **node);
enum al_code al_jj_parse_postfix(struct al_jj_parser *p, struct al_jj_node **node);
enum al_code al_jj_parse_call_args(struct al_jj_parser *p, struct al_jj_arguments *args);
/* Filters that follow; *node nullptr begins a chain without input. `inline_start`: the name comes without "|". */
enum al_code al_jj_parse_filters(struct al_jj_parser *p, bool inline_start, struct al_jj_node **node);
enum al_code al_jj_parse_applications(struct al_jj_parser *p, struct al_jj_node **node); /* filters, tests, calls */
enum al_code al_jj_parse_name_target(struct al_jj_parser *p, const struct al_jj_symbol **symbol);
enum al_code al_jj_parse_target(struct al_jj_parser *p, bool with_namespace, const char *end_word,
                                struct al_jj_node **node);

/* Statements up to one of the end words (nullptr-terminated list; nullptr: the end of the template). *ended is the
 * index of the word, which is taken. */
enum al_code al_jj_parse_body(struct al_jj_parser *p, const char *const *end_words, size_t *ended,
                              struct al_jj_nodes *body);
enum al_code al_jj_parse_statement(struct al_jj_parser *p, struct al_jj_node **node);

#endif
