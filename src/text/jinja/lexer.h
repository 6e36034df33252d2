/* Cuts a template into tokens: text outside the tags (white space control already done) and what stands inside them. */
#ifndef AL_TEXT_JINJA_LEXER_H
#define AL_TEXT_JINJA_LEXER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum al_jj_tok {
  AL_JJ_T_EOF,
  AL_JJ_T_DATA,
  AL_JJ_T_VARIABLE_BEGIN,
  AL_JJ_T_VARIABLE_END,
  AL_JJ_T_BLOCK_BEGIN,
  AL_JJ_T_BLOCK_END,
  AL_JJ_T_NAME,
  AL_JJ_T_STRING,
  AL_JJ_T_INT,
  AL_JJ_T_FLOAT,
  AL_JJ_T_ADD,
  AL_JJ_T_SUB,
  AL_JJ_T_MUL,
  AL_JJ_T_DIV,
  AL_JJ_T_FLOORDIV,
  AL_JJ_T_MOD,
  AL_JJ_T_POW,
  AL_JJ_T_TILDE,
  AL_JJ_T_LBRACKET,
  AL_JJ_T_RBRACKET,
  AL_JJ_T_LPAREN,
  AL_JJ_T_RPAREN,
  AL_JJ_T_LBRACE,
  AL_JJ_T_RBRACE,
  AL_JJ_T_EQ,
  AL_JJ_T_NE,
  AL_JJ_T_GT,
  AL_JJ_T_GE,
  AL_JJ_T_LT,
  AL_JJ_T_LE,
  AL_JJ_T_ASSIGN,
  AL_JJ_T_DOT,
  AL_JJ_T_COLON,
  AL_JJ_T_PIPE,
  AL_JJ_T_COMMA,
  AL_JJ_T_SEMICOLON,
};

struct al_jj_token {
  enum al_jj_tok kind;
  int line;
  struct al_str text; /* DATA, NAME, and STRING without quotes and escapes: in the arena */
  union {
    int64_t integer;
    double real;
  };
};

/* The last token is EOF. `source` is valid UTF-8; tokens live in the arena. */
enum al_code al_jj_tokenize(struct al_arena *arena, struct al_str source, struct al_jj_token **tokens, size_t *n_tokens,
                            struct al_err *err);
const char *al_jj_token_name(enum al_jj_tok kind);

/* Decodes a string literal's escapes (Python's), for the lexer. */
enum al_code al_jj_unescape(struct al_arena *arena, struct al_str raw, struct al_str *out, int line,
                            struct al_err *err);
/* Reads a number at the beginning of `text`: its size in bytes, or 0. `after_dot` forbids a fraction. */
enum al_code al_jj_scan_number(struct al_arena *arena, struct al_str text, bool after_dot, struct al_jj_token *token,
                               size_t *size, struct al_err *err);

#endif
