/* Recursive descent over a regular expression; groups are the only recursion, and their depth has a cap. */
#include "text/schema/pattern.h"

#include "codec/utf8.h"
#include "text/schema/pattern_node.h"

constexpr uint32_t MAX_GROUPS_DEEP = 50;
constexpr size_t MAX_NODES = 20'000;
constexpr size_t MAX_PATTERN_BYTES = 16'384;
constexpr uint32_t MAX_REPEAT = 100'000;

struct parser {
  struct al_arena *arena;
  struct al_str text;
  size_t at;
  uint32_t depth;
  size_t n_nodes;
  struct al_err *err;
};

static enum al_code refuse(struct parser *p, const char *what)
{
  return al_fail(p->err, AL_UNSUPPORTED, "the pattern uses %s, which is not supported", what);
}

static enum al_code broken(struct parser *p, const char *what)
{
  return al_fail(p->err, AL_INVALID_REQUEST, "the pattern is wrong at byte %zu: %s", p->at, what);
}

static char peek(const struct parser *p, size_t ahead)
{
  return p->at + ahead < p->text.size ? p->text.data[p->at + ahead] : '\0';
}

static bool at_end(const struct parser *p)
{
  return p->at >= p->text.size;
}

static enum al_code new_node(struct parser *p, enum al_sch_pattern_kind kind, struct al_sch_pattern_node **node)
{
  if (++p->n_nodes > MAX_NODES)
    return al_fail(p->err, AL_UNSUPPORTED, "the pattern has more than %zu elements", MAX_NODES);
  *node = al_arena_alloc(p->arena, sizeof **node);
  if (*node == nullptr)
    return al_fail_oom(p->err, sizeof **node);
  (*node)->kind = kind;
  return AL_OK;
}

static enum al_code set_node(struct parser *p, struct al_sch_chars *chars, struct al_sch_pattern_node **node)
{
  al_sch_chars_normalise(chars);
  if (chars->is_full)
    return refuse(p, "a class of too many characters");
  if (chars->count == 0)
    return refuse(p, "a class that admits nothing");
  AL_TRY(new_node(p, AL_SCH_SET, node));
  struct al_sch_range *ranges = al_arena_array(p->arena, chars->count, sizeof *ranges);
  if (ranges == nullptr)
    return al_fail_oom(p->err, chars->count * sizeof *ranges);
  memcpy(ranges, chars->ranges, chars->count * sizeof *ranges);
  (*node)->set = (struct al_sch_ranges){ ranges, chars->count };
  return AL_OK;
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum al_code read_hex(struct parser *p, size_t n_digits, uint32_t *value)
{
  *value = 0;
  for (size_t i = 0; i < n_digits; i++, p->at++) {
    if (hex_digit(peek(p, 0)) < 0)
      return broken(p, "hexadecimal digits are expected");
    *value = *value << 4 | (uint32_t)hex_digit(peek(p, 0));
  }
  return *value >= 0xd800 && *value <= 0xdfff ? refuse(p, "a surrogate") : AL_OK;
}

/* After the backslash, where it is one character. */
static enum al_code read_escape(struct parser *p, uint32_t *code_point)
{
  static const char names[] = "tnrvf0", values[] = "\t\n\r\v\f";
  char c = peek(p, 0);
  const char *hit = c != '\0' ? strchr(names, c) : nullptr;
  bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  if (at_end(p))
    return broken(p, "a backslash at the end");
  if (c == '0' && peek(p, 1) >= '0' && peek(p, 1) <= '9')
    return refuse(p, "an octal escape");
  if (hit != nullptr) {
    *code_point = (unsigned char)values[hit - names];
    p->at++;
    return AL_OK;
  }
  if (c == 'x' || c == 'u') {
    p->at++;
    return read_hex(p, c == 'x' ? 2 : 4, code_point);
  }
  if (is_letter)
    return refuse(p, c == 'b' || c == 'B'   ? "word boundaries"
                     : c >= '1' && c <= '9' ? "back references"
                                            : "an escape that has no agreed meaning");
  size_t size = al_utf8_decode(al_str_n(p->text.data + p->at, p->text.size - p->at), code_point);
  p->at += size;
  return *code_point == AL_UTF8_INVALID ? broken(p, "not UTF-8") : AL_OK;
}

static bool is_class_letter(char c)
{
  return c != '\0' && strchr("dDwWsS", c) != nullptr;
}

static enum al_code read_char(struct parser *p, uint32_t *code_point)
{
  if (peek(p, 0) == '\\') {
    p->at++;
    return read_escape(p, code_point);
  }
  p->at += al_utf8_decode(al_str_n(p->text.data + p->at, p->text.size - p->at), code_point);
  return *code_point == AL_UTF8_INVALID ? broken(p, "not UTF-8") : AL_OK;
}

static enum al_code read_class_item(struct parser *p, struct al_sch_chars *chars, bool is_negated)
{
  if (peek(p, 0) == '\\' && is_class_letter(peek(p, 1))) {
    al_sch_chars_add_class(chars, peek(p, 1), is_negated);
    p->at += 2;
    if (peek(p, 0) == '-' && peek(p, 1) != ']')
      return refuse(p, "a range that begins with a class");
    return AL_OK;
  }
  if (peek(p, 0) == '[' && peek(p, 1) == ':')
    return refuse(p, "a POSIX class");
  uint32_t first, last;
  AL_TRY(read_char(p, &first));
  last = first;
  if (peek(p, 0) == '-' && peek(p, 1) != ']' && p->at + 1 < p->text.size) {
    p->at++;
    if (peek(p, 0) == '\\' && is_class_letter(peek(p, 1)))
      return refuse(p, "a range that ends with a class");
    AL_TRY(read_char(p, &last));
  }
  if (last < first)
    return broken(p, "a range whose end comes before its beginning");
  al_sch_chars_add(chars, first, last);
  return AL_OK;
}

static enum al_code parse_class(struct parser *p, struct al_sch_pattern_node **node)
{
  struct al_sch_chars chars = {};
  p->at++;
  bool is_negated = peek(p, 0) == '^';
  p->at += is_negated;
  while (!at_end(p) && peek(p, 0) != ']')
    AL_TRY(read_class_item(p, &chars, is_negated));
  if (at_end(p))
    return broken(p, "a class without end");
  p->at++;
  if (is_negated)
    al_sch_chars_complement(&chars);
  return set_node(p, &chars, node);
}

static enum al_code parse_alternatives(struct parser *p, struct al_sch_pattern_node **node);

static enum al_code parse_group(struct parser *p, struct al_sch_pattern_node **node)
{
  p->at++;
  if (peek(p, 0) == '?') {
    if (peek(p, 1) == ':') {
      p->at += 2;
    } else if (peek(p, 1) == '<' && peek(p, 2) != '=' && peek(p, 2) != '!') {
      while (!at_end(p) && peek(p, 0) != '>')
        p->at++;
      p->at++;
    } else {
      return refuse(p, "look-around or flags");
    }
  }
  if (++p->depth > MAX_GROUPS_DEEP)
    return refuse(p, "groups nested that deeply");
  AL_TRY(parse_alternatives(p, node));
  p->depth--;
  if (peek(p, 0) != ')')
    return broken(p, "a group without end");
  p->at++;
  return AL_OK;
}

static enum al_code parse_plain(struct parser *p, struct al_sch_pattern_node **node)
{
  struct al_sch_chars chars = {};
  if (peek(p, 0) == '.') {
    static const uint32_t line_ends[] = { '\n', '\r', 0x2028, 0x2029 };
    for (size_t i = 0; i < AL_COUNT(line_ends); i++)
      al_sch_chars_add(&chars, line_ends[i], line_ends[i]);
    al_sch_chars_complement(&chars);
    p->at++;
  } else if (peek(p, 0) == '\\' && is_class_letter(peek(p, 1))) {
    al_sch_chars_add_class(&chars, peek(p, 1), false);
    p->at += 2;
  } else {
    uint32_t code_point;
    AL_TRY(read_char(p, &code_point));
    al_sch_chars_add(&chars, code_point, code_point);
  }
  return set_node(p, &chars, node);
}

static enum al_code parse_atom(struct parser *p, struct al_sch_pattern_node **node)
{
  switch (peek(p, 0)) {
  case '[': return parse_class(p, node);
  case '(': return parse_group(p, node);
  case '*':
  case '+':
  case '?': return broken(p, "nothing here that could repeat");
  case '{':
  case '}':
  case ']': return refuse(p, "an unescaped bracket");
  case '^':
  case '$': return refuse(p, "an anchor that is not at the pattern's beginning or end");
  default: return parse_plain(p, node);
  }
}

static enum al_code read_count(struct parser *p, uint32_t *count)
{
  size_t from = p->at;
  for (*count = 0; peek(p, 0) >= '0' && peek(p, 0) <= '9'; p->at++) {
    *count = *count * 10 + (uint32_t)(peek(p, 0) - '0');
    if (*count > MAX_REPEAT)
      return refuse(p, "a repetition that is too large");
  }
  return p->at > from ? AL_OK : broken(p, "a number is expected");
}

static enum al_code read_braces(struct parser *p, uint32_t *least, uint32_t *most)
{
  p->at++;
  AL_TRY(read_count(p, least));
  *most = *least;
  if (peek(p, 0) == ',') {
    p->at++;
    *most = UINT32_MAX;
    if (peek(p, 0) != '}')
      AL_TRY(read_count(p, most));
  }
  if (peek(p, 0) != '}' || *most < *least)
    return broken(p, "a repetition like {2,5} is expected");
  p->at++;
  return AL_OK;
}

/* "a*?" matches the same texts as "a*"; "a*+" and "a**" are not ECMA. */
static enum al_code parse_quantified(struct parser *p, struct al_sch_pattern_node **node)
{
  AL_TRY(parse_atom(p, node));
  uint32_t least = 0, most = UINT32_MAX;
  switch (peek(p, 0)) {
  case '*': p->at++; break;
  case '+':
    least = 1;
    p->at++;
    break;
  case '?':
    most = 1;
    p->at++;
    break;
  case '{': AL_TRY(read_braces(p, &least, &most)); break;
  default: return AL_OK;
  }
  p->at += peek(p, 0) == '?';
  if (peek(p, 0) == '*' || peek(p, 0) == '+' || peek(p, 0) == '?' || peek(p, 0) == '{')
    return broken(p, "a repetition of a repetition");
  struct al_sch_pattern_node *loop;
  AL_TRY(new_node(p, AL_SCH_LOOP, &loop));
  loop->child = *node;
  loop->least = least;
  loop->most = most;
  *node = loop;
  return AL_OK;
}

/* A sequence; at the top, with its anchors. */
static enum al_code parse_sequence(struct parser *p, struct al_sch_pattern_node **node)
{
  AL_TRY(new_node(p, AL_SCH_SEQ, node));
  bool is_top = p->depth == 0, is_open = is_top && peek(p, 0) != '^';
  struct al_sch_pattern_node **tail = &(*node)->child;
  p->at += is_top && !is_open;
  if (is_open) {
    AL_TRY(new_node(p, AL_SCH_ANYTHING, tail));
    tail = &(*tail)->sibling;
  }
  while (!at_end(p) && peek(p, 0) != '|' && peek(p, 0) != ')') {
    if (is_top && peek(p, 0) == '$' && (p->at + 1 == p->text.size || peek(p, 1) == '|')) {
      p->at++;
      return AL_OK;
    }
    AL_TRY(parse_quantified(p, tail));
    tail = &(*tail)->sibling;
  }
  return is_top ? new_node(p, AL_SCH_ANYTHING, tail) : AL_OK;
}

static enum al_code parse_alternatives(struct parser *p, struct al_sch_pattern_node **node)
{
  AL_TRY(new_node(p, AL_SCH_ALT, node));
  struct al_sch_pattern_node **tail = &(*node)->child;
  for (;;) {
    AL_TRY(parse_sequence(p, tail));
    tail = &(*tail)->sibling;
    if (peek(p, 0) != '|' || at_end(p))
      return AL_OK;
    p->at++;
  }
}

enum al_code al_sch_pattern_parse(struct al_arena *arena, struct al_str text, const struct al_sch_pattern **pattern,
                                  struct al_err *err)
{
  if (text.size > MAX_PATTERN_BYTES)
    return al_fail(err, AL_UNSUPPORTED, "the pattern is longer than %zu bytes", MAX_PATTERN_BYTES);
  struct parser p = { .arena = arena, .text = text, .err = err };
  struct al_sch_pattern_node *root;
  AL_TRY(parse_alternatives(&p, &root));
  if (!at_end(&p))
    return broken(&p, "a bracket that closes nothing");
  struct al_sch_pattern *made = al_arena_alloc(arena, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->root = root;
  *pattern = made;
  return AL_OK;
}
