/* Two modes: outside the tags everything up to the next "{{", "{%" or "{#" is text; inside a tag there are tokens until
 * its end, which counts only while no bracket is open. White space control is done here: trim_blocks and lstrip_blocks
 * are always on, as transformers has them. */
#include "text/jinja/lexer.h"

#include "base/alloc.h"
#include "text/jinja/chars.h"

constexpr size_t MAX_BRACKETS = 512;

struct lexer {
  struct al_arena *arena;
  struct al_err *err;
  struct al_str source;
  size_t at;
  int line;
  bool line_starting;         /* the last match ended with a newline */
  struct al_jj_token *tokens; /* heap while growing */
  size_t n_tokens;
  size_t capacity;
  char brackets[MAX_BRACKETS];
  size_t n_brackets;
};

AL_PRINTF(2, 3) static enum al_code fail(struct lexer *lx, const char *format, ...)
{
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return al_fail(lx->err, AL_INVALID_REQUEST, "template line %d: %s", lx->line, message);
}

static enum al_code add_token(struct lexer *lx, struct al_jj_token token)
{
  void *tokens = lx->tokens;
  AL_TRY(al_grow(&tokens, &lx->capacity, lx->n_tokens + 1, sizeof *lx->tokens, lx->err));
  lx->tokens = tokens;
  lx->tokens[lx->n_tokens++] = token;
  return AL_OK;
}

static enum al_code add(struct lexer *lx, enum al_jj_tok kind, struct al_str text)
{
  return add_token(lx, (struct al_jj_token){ .kind = kind, .line = lx->line, .text = text });
}

static char peek(const struct lexer *lx, size_t ahead)
{
  return lx->at + ahead < lx->source.size ? lx->source.data[lx->at + ahead] : '\0';
}

static struct al_str rest_of(const struct lexer *lx, size_t at)
{
  return at < lx->source.size ? al_jj_from(lx->source, at) : al_str_n("", 0);
}

static bool starts_at(const struct lexer *lx, size_t at, const char *text)
{
  return al_str_starts(rest_of(lx, at), al_str(text));
}

/* Moves on to `end`, counting lines. */
static void move_to(struct lexer *lx, size_t end)
{
  for (; lx->at < end; lx->at++)
    lx->line += lx->source.data[lx->at] == '\n';
  lx->line_starting = end > 0 && lx->source.data[end - 1] == '\n';
}

static size_t skip_space(const struct lexer *lx, size_t at)
{
  return at + al_jj_leading_space(rest_of(lx, at));
}

/* The end of a tag at `at` ("%}" with its sign and what it swallows): its size, or 0. */
static size_t tag_end_size(const struct lexer *lx, size_t at, const char *close, bool trims)
{
  char c = at < lx->source.size ? lx->source.data[at] : '\0';
  if (c == '-' && starts_at(lx, at + 1, close))
    return skip_space(lx, at + 3) - at;
  if (c == '+' && trims && starts_at(lx, at + 1, close))
    return 3;
  if (!starts_at(lx, at, close))
    return 0;
  return 2 + (size_t)(trims && at + 2 < lx->source.size && lx->source.data[at + 2] == '\n');
}

/* Applies the sign of the tag that follows to the text before it, and emits the text. */
static enum al_code add_text(struct lexer *lx, size_t end, char sign, bool is_variable)
{
  struct al_str text = al_str_n(lx->source.data + lx->at, end - lx->at);
  if (sign == '-') {
    text.size -= al_jj_trailing_space(text);
  } else if (sign != '+' && !is_variable) {
    const char *newline = text.size > 0 ? memrchr(text.data, '\n', text.size) : nullptr;
    size_t line_at = newline != nullptr ? (size_t)(newline - text.data) + 1 : 0;
    if ((line_at > 0 || lx->line_starting) && al_jj_trailing_space(text) >= text.size - line_at)
      text.size = line_at;
  }
  if (text.size > 0)
    AL_TRY(add(lx, AL_JJ_T_DATA, text));
  move_to(lx, end);
  return AL_OK;
}

static char sign_at(const struct lexer *lx, size_t at)
{
  char c = at < lx->source.size ? lx->source.data[at] : '\0';
  return c == '-' || c == '+' ? c : '\0';
}

static enum al_code skip_comment(struct lexer *lx)
{
  size_t start = lx->at + 2 + (sign_at(lx, lx->at + 2) != '\0');
  size_t hit = al_jj_find_bytes(lx->source, al_str("#}"), start);
  if (hit == SIZE_MAX)
    return fail(lx, "a comment without end");
  if (hit > start && sign_at(lx, hit - 1) != '\0')
    hit--;
  move_to(lx, hit + tag_end_size(lx, hit, "#}", true));
  return AL_OK;
}

/* "{% word" with its sign at `at`: where the word ends, or 0. */
static size_t tag_word_end(const struct lexer *lx, size_t at, const char *word)
{
  if (!starts_at(lx, at, "{%"))
    return 0;
  size_t word_at = skip_space(lx, at + 2 + (sign_at(lx, at + 2) != '\0'));
  return starts_at(lx, word_at, word) ? skip_space(lx, word_at + strlen(word)) : 0;
}

/* The size of a whole "{% raw %}" tag here, or 0. */
static size_t raw_begin_size(const struct lexer *lx, size_t at)
{
  size_t end = tag_word_end(lx, at, "raw");
  if (end == 0)
    return 0;
  if (starts_at(lx, end, "-%}"))
    return skip_space(lx, end + 3) - at;
  return starts_at(lx, end, "%}") ? end + 2 - at : 0;
}

static enum al_code raw_block(struct lexer *lx, size_t begin_size)
{
  move_to(lx, lx->at + begin_size);
  for (size_t at = lx->at; (at = al_jj_find_bytes(lx->source, al_str("{%"), at)) != SIZE_MAX; at++) {
    size_t word_end = tag_word_end(lx, at, "endraw");
    size_t end_size = word_end > 0 ? tag_end_size(lx, word_end, "%}", true) : 0;
    if (end_size == 0)
      continue;
    AL_TRY(add_text(lx, at, sign_at(lx, at + 2), false));
    move_to(lx, word_end + end_size);
    return AL_OK;
  }
  return fail(lx, "a raw block without end");
}

static bool closes(struct lexer *lx, char c, enum al_code *code)
{
  char open = c == ')' ? '(' : c == ']' ? '[' : c == '}' ? '{' : '\0';
  if (open == '\0')
    return false;
  bool matches = lx->n_brackets > 0 && lx->brackets[lx->n_brackets - 1] == open;
  if (matches)
    lx->n_brackets--;
  *code = matches ? AL_OK : fail(lx, "unexpected '%c'", c);
  return true;
}

static enum al_code track_bracket(struct lexer *lx, char c)
{
  enum al_code code;
  if (closes(lx, c, &code))
    return code;
  if (c != '(' && c != '[' && c != '{')
    return AL_OK;
  if (lx->n_brackets == MAX_BRACKETS)
    return fail(lx, "brackets nested too deeply");
  lx->brackets[lx->n_brackets++] = c;
  return AL_OK;
}

static const struct {
  const char *text;
  enum al_jj_tok kind;
} operators[] = {
  { "//", AL_JJ_T_FLOORDIV }, { "**", AL_JJ_T_POW },      { "==", AL_JJ_T_EQ },    { "!=", AL_JJ_T_NE },
  { ">=", AL_JJ_T_GE },       { "<=", AL_JJ_T_LE },       { "+", AL_JJ_T_ADD },    { "-", AL_JJ_T_SUB },
  { "/", AL_JJ_T_DIV },       { "*", AL_JJ_T_MUL },       { "%", AL_JJ_T_MOD },    { "~", AL_JJ_T_TILDE },
  { "[", AL_JJ_T_LBRACKET },  { "]", AL_JJ_T_RBRACKET },  { "(", AL_JJ_T_LPAREN }, { ")", AL_JJ_T_RPAREN },
  { "{", AL_JJ_T_LBRACE },    { "}", AL_JJ_T_RBRACE },    { ">", AL_JJ_T_GT },     { "<", AL_JJ_T_LT },
  { "=", AL_JJ_T_ASSIGN },    { ".", AL_JJ_T_DOT },       { ":", AL_JJ_T_COLON },  { "|", AL_JJ_T_PIPE },
  { ",", AL_JJ_T_COMMA },     { ";", AL_JJ_T_SEMICOLON },
};

static enum al_code lex_operator(struct lexer *lx)
{
  for (size_t i = 0; i < AL_COUNT(operators); i++) {
    if (!starts_at(lx, lx->at, operators[i].text))
      continue;
    AL_TRY(track_bracket(lx, lx->source.data[lx->at]));
    AL_TRY(add(lx, operators[i].kind, al_str(operators[i].text)));
    lx->at += strlen(operators[i].text);
    return AL_OK;
  }
  return fail(lx, "unexpected character '%c' at a place where an expression is expected", peek(lx, 0));
}

static enum al_code lex_string(struct lexer *lx)
{
  char quote = peek(lx, 0);
  size_t end = lx->at + 1;
  while (end < lx->source.size && lx->source.data[end] != quote)
    end += lx->source.data[end] == '\\' ? 2 : 1;
  if (end >= lx->source.size)
    return fail(lx, "a string without end");
  struct al_str raw = al_str_n(lx->source.data + lx->at + 1, end - lx->at - 1);
  struct al_str text;
  AL_TRY(al_jj_unescape(lx->arena, raw, &text, lx->line, lx->err));
  AL_TRY(add(lx, AL_JJ_T_STRING, text));
  move_to(lx, end + 1);
  return AL_OK;
}

static bool is_name_byte(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (unsigned char)c >= 0x80;
}

static enum al_code lex_name(struct lexer *lx)
{
  size_t end = lx->at;
  while (end < lx->source.size && is_name_byte(lx->source.data[end]))
    end++;
  AL_TRY(add(lx, AL_JJ_T_NAME, al_str_n(lx->source.data + lx->at, end - lx->at)));
  lx->at = end;
  return AL_OK;
}

static enum al_code lex_token(struct lexer *lx)
{
  struct al_jj_token number = { .line = lx->line };
  size_t size;
  bool after_dot = lx->at > 0 && lx->source.data[lx->at - 1] == '.';
  AL_TRY(al_jj_scan_number(lx->arena, rest_of(lx, lx->at), after_dot, &number, &size, lx->err));
  if (size > 0) {
    lx->at += size;
    return add_token(lx, number);
  }
  char c = peek(lx, 0);
  if (is_name_byte(c))
    return lex_name(lx);
  return c == '"' || c == '\'' ? lex_string(lx) : lex_operator(lx);
}

/* From behind the opening braces to behind the closing ones. */
static enum al_code lex_tag(struct lexer *lx, bool is_block)
{
  lx->n_brackets = 0;
  for (;;) {
    move_to(lx, skip_space(lx, lx->at));
    if (lx->at >= lx->source.size)
      return AL_OK; /* the parser complains */
    size_t end = lx->n_brackets > 0 ? 0 : tag_end_size(lx, lx->at, is_block ? "%}" : "}}", is_block);
    if (end > 0) {
      AL_TRY(add(lx, is_block ? AL_JJ_T_BLOCK_END : AL_JJ_T_VARIABLE_END, al_str("")));
      move_to(lx, lx->at + end);
      return AL_OK;
    }
    AL_TRY(lex_token(lx));
  }
}

static size_t next_tag(const struct lexer *lx)
{
  for (size_t at = lx->at; (at = al_jj_find_bytes(lx->source, al_str("{"), at)) != SIZE_MAX; at++) {
    char next = at + 1 < lx->source.size ? lx->source.data[at + 1] : '\0';
    if (next == '{' || next == '%' || next == '#')
      return at;
  }
  return SIZE_MAX;
}

static enum al_code lex_all(struct lexer *lx)
{
  while (lx->at < lx->source.size) {
    size_t tag = next_tag(lx);
    if (tag == SIZE_MAX) {
      AL_TRY(add(lx, AL_JJ_T_DATA, rest_of(lx, lx->at)));
      break;
    }
    char type = lx->source.data[tag + 1], sign = sign_at(lx, tag + 2);
    AL_TRY(add_text(lx, tag, sign, type == '{'));
    size_t raw_size = type == '%' ? raw_begin_size(lx, tag) : 0;
    if (raw_size > 0) {
      AL_TRY(raw_block(lx, raw_size));
    } else if (type == '#') {
      AL_TRY(skip_comment(lx));
    } else {
      AL_TRY(add(lx, type == '%' ? AL_JJ_T_BLOCK_BEGIN : AL_JJ_T_VARIABLE_BEGIN, al_str("")));
      lx->at += 2 + (size_t)(sign != '\0');
      AL_TRY(lex_tag(lx, type == '%'));
    }
  }
  return add(lx, AL_JJ_T_EOF, al_str(""));
}

/* Newlines become "\n", and one at the very end is dropped. */
static enum al_code normalise(struct al_arena *arena, struct al_str source, struct al_str *out, struct al_err *err)
{
  char *text = al_arena_alloc(arena, source.size + 1);
  if (text == nullptr)
    return al_fail_oom(err, source.size);
  size_t n = 0;
  for (size_t i = 0; i < source.size; i++) {
    bool is_return = source.data[i] == '\r';
    if (is_return && i + 1 < source.size && source.data[i + 1] == '\n')
      continue;
    text[n++] = is_return ? '\n' : source.data[i];
  }
  if (n > 0 && text[n - 1] == '\n')
    n--;
  *out = al_str_n(text, n);
  return AL_OK;
}

enum al_code al_jj_tokenize(struct al_arena *arena, struct al_str source, struct al_jj_token **tokens, size_t *n_tokens,
                            struct al_err *err)
{
  struct lexer lx = { .arena = arena, .err = err, .line = 1, .line_starting = true };
  AL_TRY(normalise(arena, source, &lx.source, err));
  enum al_code code = lex_all(&lx);
  struct al_jj_token *kept = code == AL_OK ? al_arena_array(arena, lx.n_tokens, sizeof *kept) : nullptr;
  if (kept != nullptr) {
    memcpy(kept, lx.tokens, lx.n_tokens * sizeof *kept);
    *tokens = kept;
    *n_tokens = lx.n_tokens;
  } else if (code == AL_OK) {
    code = al_fail_oom(err, lx.n_tokens * sizeof *kept);
  }
  al_free(lx.tokens);
  return code;
}

const char *al_jj_token_name(enum al_jj_tok kind)
{
  for (size_t i = 0; i < AL_COUNT(operators); i++)
    if (operators[i].kind == kind)
      return operators[i].text;
  static const char *const names[] = {
    [AL_JJ_T_EOF] = "the end of the template",
    [AL_JJ_T_DATA] = "text",
    [AL_JJ_T_VARIABLE_BEGIN] = "{{",
    [AL_JJ_T_VARIABLE_END] = "}}",
    [AL_JJ_T_BLOCK_BEGIN] = "{%",
    [AL_JJ_T_BLOCK_END] = "%}",
    [AL_JJ_T_NAME] = "a name",
    [AL_JJ_T_STRING] = "a string",
    [AL_JJ_T_INT] = "a number",
    [AL_JJ_T_FLOAT] = "a number",
  };
  return names[kind];
}
