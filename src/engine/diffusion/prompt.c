#include "engine/diffusion/prompt.h"

#include "base/buf.h"

#include <math.h>
#include <stdlib.h>

constexpr float BRACKET = 1.1F;
constexpr int MAX_NESTING = 64;

struct opened {
  size_t run; /* the first inside */
  bool round;
};

struct parser {
  struct al_str rest;
  struct al_arena *arena;
  struct al_prompt_run *runs;
  size_t n;
  struct al_buf text; /* of the run that is being read */
  struct opened opened[MAX_NESTING];
  int n_opened;
  struct al_err *err;
};

/* Ends the run that is being read. */
static enum al_code flush(struct parser *parser)
{
  if (parser->text.size == 0)
    return AL_OK;
  char *copy = al_arena_strndup(parser->arena, parser->text.data, parser->text.size);
  if (copy == nullptr)
    return al_fail_oom(parser->err, parser->text.size);
  parser->runs[parser->n++] = (struct al_prompt_run){ .text = { copy, parser->text.size }, .weight = 1 };
  al_buf_clear(&parser->text);
  return AL_OK;
}

static enum al_code open(struct parser *parser, bool round)
{
  AL_TRY(flush(parser));
  if (parser->n_opened == MAX_NESTING)
    return al_fail(parser->err, AL_INVALID_REQUEST, "brackets more than %d deep", MAX_NESTING);
  parser->opened[parser->n_opened++] = (struct opened){ parser->n, round };
  return AL_OK;
}

static enum al_code close(struct parser *parser, float factor)
{
  AL_TRY(flush(parser));
  const struct opened *opened = &parser->opened[--parser->n_opened];
  for (size_t i = opened->run; i < parser->n; i++)
    parser->runs[i].weight *= factor;
  return AL_OK;
}

/* A bracket only ends the innermost of its own kind; others stay open around it. */
static bool is_open(const struct parser *parser, bool round)
{
  return parser->n_opened > 0 && parser->opened[parser->n_opened - 1].round == round;
}

static bool is_number_part(char c)
{
  return (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-';
}

/* ":1.3)" at the start: its size, or 0. */
static size_t weight_end(struct al_str text, float *weight)
{
  char number[32];
  size_t at = 1, n = 0;
  while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\t'))
    at++;
  for (; at < text.size && n + 1 < sizeof number && is_number_part(text.data[at]); at++)
    number[n++] = text.data[at];
  number[n] = '\0';
  while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\t'))
    at++;
  char *end;
  *weight = strtof(number, &end);
  return n > 0 && *end == '\0' && at < text.size && text.data[at] == ')' ? at + 1 : 0;
}

static bool is_break(struct al_str text, char before)
{
  static const char word[] = "BREAK";
  constexpr size_t SIZE = sizeof word - 1;
  bool starts = before == '\0' || strchr(" \t\n,()[]", before) != nullptr;
  return starts && al_str_starts(text, al_str(word)) &&
         (text.size == SIZE || strchr(" \t\n,()[]", text.data[SIZE]) != nullptr);
}

static enum al_code take_break(struct parser *parser)
{
  AL_TRY(flush(parser));
  parser->runs[parser->n++] = (struct al_prompt_run){ .breaks = true, .weight = 1 };
  return AL_OK;
}

/* Reads what stands at the start of the rest; *used says how much of it. */
static enum al_code read_one(struct parser *parser, char before, size_t *used)
{
  struct al_str rest = parser->rest;
  char c = rest.data[0];
  float weight;
  *used = 1;
  if (c == '\\' && rest.size > 1 && strchr("()[]\\", rest.data[1]) != nullptr && rest.data[1] != '\0') {
    al_buf_char(&parser->text, rest.data[1]);
    *used = 2;
    return AL_OK;
  }
  if (c == '(' || c == '[')
    return open(parser, c == '(');
  if (c == ')' && is_open(parser, true))
    return close(parser, BRACKET);
  if (c == ']' && is_open(parser, false))
    return close(parser, 1 / BRACKET);
  size_t size = c == ':' && is_open(parser, true) ? weight_end(rest, &weight) : 0;
  if (size > 0) {
    *used = size;
    return close(parser, weight);
  }
  if (is_break(rest, before)) {
    *used = strlen("BREAK");
    return take_break(parser);
  }
  al_buf_char(&parser->text, c);
  return AL_OK;
}

static enum al_code check_weights(const struct parser *parser)
{
  for (size_t i = 0; i < parser->n; i++)
    if (!(fabsf(parser->runs[i].weight) <= AL_PROMPT_MAX_WEIGHT))
      return al_fail(parser->err, AL_INVALID_REQUEST, "a weight of %g in the prompt; at most %g can be used",
                     (double)parser->runs[i].weight, (double)AL_PROMPT_MAX_WEIGHT);
  return AL_OK;
}

static enum al_code read_all(struct parser *parser)
{
  char before = '\0';
  while (parser->rest.size > 0) {
    size_t used;
    AL_TRY(read_one(parser, before, &used));
    before = parser->rest.data[used - 1];
    parser->rest = al_str_n(parser->rest.data + used, parser->rest.size - used);
  }
  AL_TRY(al_buf_check(&parser->text, parser->err));
  while (parser->n_opened > 0)
    AL_TRY(close(parser, parser->opened[parser->n_opened - 1].round ? BRACKET : 1 / BRACKET));
  AL_TRY(flush(parser));
  return check_weights(parser);
}

enum al_code al_prompt_parse(struct al_str text, struct al_arena *arena, struct al_prompt *prompt, struct al_err *err)
{
  if (text.size > AL_PROMPT_MAX_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "a prompt of %zu bytes; at most %zu can be drawn", text.size,
                   AL_PROMPT_MAX_BYTES);
  struct parser parser = { .rest = text, .arena = arena, .err = err };
  parser.runs = al_arena_array(arena, text.size + 1, sizeof *parser.runs);
  if (parser.runs == nullptr)
    return al_fail_oom(err, text.size * sizeof *parser.runs);
  enum al_code code = read_all(&parser);
  al_buf_done(&parser.text);
  if (code == AL_OK)
    *prompt = (struct al_prompt){ parser.runs, parser.n };
  return code;
}
