/* Recursive descent over GBNF. Brackets are the only recursion, and their depth has a cap. */
#include "text/grammar/gbnf.h"

#include "base/alloc.h"
#include "codec/utf8.h"

#include <stdio.h>

struct parser {
  struct al_gr_gbnf *gbnf;
  struct al_str text;
  size_t at;
  uint32_t depth;
  struct al_err *err;
};

enum al_code al_gr_fail_at(struct al_err *err, struct al_str text, size_t at, const char *format, ...)
{
  char message[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  size_t line = 1, column = 1;
  for (size_t i = 0; i < at && i < text.size; i++) {
    column = text.data[i] == '\n' ? 1 : column + (((unsigned char)text.data[i] & 0xc0) != 0x80);
    line += text.data[i] == '\n';
  }
  return al_fail(err, AL_INVALID_REQUEST, "grammar line %zu, column %zu: %s", line, column, message);
}

static char peek(const struct parser *p)
{
  return p->at < p->text.size ? p->text.data[p->at] : '\0';
}

static bool at_end(const struct parser *p)
{
  return p->at >= p->text.size;
}

static bool is_name(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static void skip_space(struct parser *p, bool lines_too)
{
  while (!at_end(p)) {
    char c = peek(p);
    if (c == '#')
      while (!at_end(p) && peek(p) != '\n' && peek(p) != '\r')
        p->at++;
    else if (c == ' ' || c == '\t' || (lines_too && (c == '\n' || c == '\r')))
      p->at++;
    else
      return;
  }
}

static enum al_code add_node(struct parser *p, struct al_gr_node node, uint32_t *index)
{
  return al_gr_gbnf_node(p->gbnf, node, index, p->err);
}

enum al_code al_gr_gbnf_node(struct al_gr_gbnf *gbnf, struct al_gr_node node, uint32_t *index, struct al_err *err)
{
  if (gbnf->n_nodes >= AL_GR_MAX_NODES)
    return al_fail(err, AL_INVALID_REQUEST, "the grammar has more than %zu elements", AL_GR_MAX_NODES);
  void *nodes = gbnf->nodes;
  AL_TRY(al_grow(&nodes, &gbnf->nodes_capacity, gbnf->n_nodes + 1, sizeof node, err));
  gbnf->nodes = nodes;
  gbnf->nodes[gbnf->n_nodes] = node;
  *index = (uint32_t)gbnf->n_nodes++;
  return AL_OK;
}

/* Puts `child` in front of the parent's children. */
static enum al_code adopt(struct parser *p, uint32_t parent, uint32_t child)
{
  struct al_gr_node *nodes = p->gbnf->nodes;
  nodes[child].sibling = nodes[parent].child;
  nodes[parent].child = child;
  if (nodes[parent].height <= nodes[child].height)
    nodes[parent].height = nodes[child].height + 1;
  if (nodes[parent].height > AL_GR_MAX_HEIGHT)
    return al_gr_fail_at(p->err, p->text, p->at, "nested more than %u levels deep", AL_GR_MAX_HEIGHT);
  return AL_OK;
}

static enum al_code find_rule(struct parser *p, struct al_str name, size_t at, uint32_t *rule)
{
  struct al_gr_gbnf *gbnf = p->gbnf;
  uintptr_t known = (uintptr_t)al_map_get(gbnf->by_name, name);
  if (known != 0) {
    *rule = (uint32_t)(known - 1);
    return AL_OK;
  }
  if (gbnf->n_rules >= AL_GR_MAX_RULES)
    return al_gr_fail_at(p->err, p->text, at, "more than %zu rules", AL_GR_MAX_RULES);
  void *rules = gbnf->rules;
  AL_TRY(al_grow(&rules, &gbnf->rules_capacity, gbnf->n_rules + 1, sizeof *gbnf->rules, p->err));
  gbnf->rules = rules;
  AL_TRY(al_map_set(gbnf->by_name, name, (void *)(uintptr_t)(gbnf->n_rules + 1), p->err));
  gbnf->rules[gbnf->n_rules] = (struct al_gr_rule){ .name = name, .body = AL_GR_NONE, .at = at };
  *rule = (uint32_t)gbnf->n_rules++;
  return AL_OK;
}

static struct al_str read_name(struct parser *p)
{
  size_t from = p->at;
  while (is_name(peek(p)))
    p->at++;
  return al_str_n(p->text.data + from, p->at - from);
}

static enum al_code parse_literal(struct parser *p, uint32_t *node)
{
  size_t opened = p->at++, from = p->gbnf->bytes.size;
  while (!at_end(p) && peek(p) != '"') {
    uint32_t code_point;
    char bytes[4];
    AL_TRY(al_gr_parse_char(p->text, &p->at, &code_point, p->err));
    al_buf_add(&p->gbnf->bytes, bytes, al_utf8_encode(code_point, bytes));
  }
  if (at_end(p))
    return al_gr_fail_at(p->err, p->text, opened, "a literal without end");
  p->at++;
  AL_TRY(al_buf_check(&p->gbnf->bytes, p->err));
  size_t size = p->gbnf->bytes.size - from;
  struct al_gr_node made = { .kind = size > 0 ? AL_GR_LITERAL : AL_GR_EMPTY,
                             .child = AL_GR_NONE,
                             .sibling = AL_GR_NONE,
                             .a = (uint32_t)from,
                             .b = (uint32_t)size };
  return add_node(p, made, node);
}

static enum al_code parse_any(struct parser *p, uint32_t *node)
{
  struct al_gr_gbnf *gbnf = p->gbnf;
  void *ranges = gbnf->ranges;
  AL_TRY(al_grow(&ranges, &gbnf->ranges_capacity, gbnf->n_ranges + 1, sizeof *gbnf->ranges, p->err));
  gbnf->ranges = ranges;
  gbnf->ranges[gbnf->n_ranges++] = (struct al_gr_range){ 0, 0x10ffff };
  p->at++;
  struct al_gr_node made = {
    .kind = AL_GR_CLASS, .child = AL_GR_NONE, .sibling = AL_GR_NONE, .a = (uint32_t)(gbnf->n_ranges - 1), .b = 1
  };
  return add_node(p, made, node);
}

static enum al_code parse_reference(struct parser *p, uint32_t *node)
{
  size_t at = p->at;
  struct al_gr_node made = { .kind = AL_GR_REF, .child = AL_GR_NONE, .sibling = AL_GR_NONE };
  AL_TRY(find_rule(p, read_name(p), at, &made.a));
  return add_node(p, made, node);
}

static enum al_code parse_alternatives(struct parser *p, uint32_t *node);

static enum al_code parse_group(struct parser *p, uint32_t *node)
{
  size_t opened = p->at++;
  if (++p->depth > AL_GR_MAX_HEIGHT)
    return al_gr_fail_at(p->err, p->text, opened, "nested more than %u levels deep", AL_GR_MAX_HEIGHT);
  AL_TRY(parse_alternatives(p, node));
  p->depth--;
  if (peek(p) != ')')
    return al_gr_fail_at(p->err, p->text, p->at, "')' is expected here");
  p->at++;
  return AL_OK;
}

/* One thing that postfix signs can follow; *node is AL_GR_NONE where none begins. */
static enum al_code parse_item(struct parser *p, uint32_t *node)
{
  *node = AL_GR_NONE;
  switch (peek(p)) {
  case '"': return parse_literal(p, node);
  case '[': return al_gr_parse_class(p->gbnf, &p->at, node, p->err);
  case '(': return parse_group(p, node);
  case '.': return parse_any(p, node);
  case '<':
  case '!': return al_gr_fail_at(p->err, p->text, p->at, "tokens as elements are not supported");
  default: return is_name(peek(p)) ? parse_reference(p, node) : AL_OK;
  }
}

static enum al_code parse_number(struct parser *p, uint32_t *number)
{
  size_t from = p->at;
  uint64_t value = 0;
  for (; peek(p) >= '0' && peek(p) <= '9' && value <= AL_GR_MAX_REPEAT; p->at++)
    value = value * 10 + (uint64_t)(peek(p) - '0');
  if (p->at == from)
    return al_gr_fail_at(p->err, p->text, p->at, "a number is expected here");
  if (value > AL_GR_MAX_REPEAT)
    return al_gr_fail_at(p->err, p->text, from, "more than %u repetitions", AL_GR_MAX_REPEAT);
  *number = (uint32_t)value;
  return AL_OK;
}

/* "{n}", "{n,}", "{n,m}" at its '{'. */
static enum al_code parse_braces(struct parser *p, uint32_t *least, uint32_t *most)
{
  size_t opened = p->at++;
  skip_space(p, true);
  AL_TRY(parse_number(p, least));
  *most = *least;
  skip_space(p, true);
  if (peek(p) == ',') {
    p->at++;
    skip_space(p, true);
    *most = AL_GR_NO_MAX;
    if (peek(p) != '}')
      AL_TRY(parse_number(p, most));
    skip_space(p, true);
  }
  if (peek(p) != '}')
    return al_gr_fail_at(p->err, p->text, p->at, "'}' is expected here");
  p->at++;
  if (*most < *least)
    return al_gr_fail_at(p->err, p->text, opened, "at most %u is less than at least %u", *most, *least);
  return AL_OK;
}

static enum al_code parse_postfix(struct parser *p, uint32_t *least, uint32_t *most, bool *found)
{
  *found = true;
  *least = 0;
  *most = AL_GR_NO_MAX;
  switch (peek(p)) {
  case '{': return parse_braces(p, least, most);
  case '*': break;
  case '+': *least = 1; break;
  case '?': *most = 1; break;
  default: *found = false; return AL_OK;
  }
  p->at++;
  return AL_OK;
}

static enum al_code parse_repeated(struct parser *p, uint32_t *node)
{
  AL_TRY(parse_item(p, node));
  for (;;) {
    skip_space(p, p->depth > 0);
    uint32_t least = 0, most = 0, loop = AL_GR_NONE;
    bool found;
    size_t at = p->at;
    AL_TRY(parse_postfix(p, &least, &most, &found));
    if (!found)
      return AL_OK;
    if (*node == AL_GR_NONE)
      return al_gr_fail_at(p->err, p->text, at, "there is nothing here that could repeat");
    struct al_gr_node made = { .kind = AL_GR_LOOP, .child = AL_GR_NONE, .sibling = AL_GR_NONE, .a = least, .b = most };
    AL_TRY(add_node(p, made, &loop));
    AL_TRY(adopt(p, loop, *node));
    *node = loop;
  }
}

static enum al_code parse_sequence(struct parser *p, uint32_t *node)
{
  struct al_gr_node made = { .kind = AL_GR_SEQ, .child = AL_GR_NONE, .sibling = AL_GR_NONE };
  AL_TRY(add_node(p, made, node));
  for (;;) {
    uint32_t child = AL_GR_NONE;
    AL_TRY(parse_repeated(p, &child));
    if (child == AL_GR_NONE)
      return AL_OK;
    AL_TRY(adopt(p, *node, child));
  }
}

/* At the top a line break ends the alternatives, unless the next line begins with '|'. */
static bool next_alternative(struct parser *p)
{
  size_t before = p->at;
  skip_space(p, true);
  if (peek(p) == '|') {
    p->at++;
    skip_space(p, true);
    return true;
  }
  if (p->depth == 0)
    p->at = before;
  return false;
}

static enum al_code parse_alternatives(struct parser *p, uint32_t *node)
{
  struct al_gr_node made = { .kind = AL_GR_ALT, .child = AL_GR_NONE, .sibling = AL_GR_NONE };
  AL_TRY(add_node(p, made, node));
  skip_space(p, true);
  do {
    uint32_t child = AL_GR_NONE;
    AL_TRY(parse_sequence(p, &child));
    AL_TRY(adopt(p, *node, child));
  } while (next_alternative(p));
  return AL_OK;
}

static enum al_code parse_rule(struct parser *p)
{
  size_t at = p->at;
  struct al_str name = read_name(p);
  if (name.size == 0)
    return al_gr_fail_at(p->err, p->text, at, "the name of a rule is expected here");
  uint32_t rule = 0, body = AL_GR_NONE;
  AL_TRY(find_rule(p, name, at, &rule));
  skip_space(p, false);
  if (!al_str_starts(al_str_n(p->text.data + p->at, p->text.size - p->at), al_str("::=")))
    return al_gr_fail_at(p->err, p->text, p->at, "'::=' is expected here");
  p->at += 3;
  if (p->gbnf->rules[rule].body != AL_GR_NONE)
    return al_gr_fail_at(p->err, p->text, at, "the rule '%.*s' stands twice", (int)al_min_size(name.size, 80),
                         name.data);
  AL_TRY(parse_alternatives(p, &body));
  if (!at_end(p) && peek(p) != '\n' && peek(p) != '\r')
    return al_gr_fail_at(p->err, p->text, p->at, "an element or the end of the line is expected here");
  p->gbnf->rules[rule].body = body;
  p->gbnf->rules[rule].at = at;
  return AL_OK;
}

static enum al_code check_defined(const struct al_gr_gbnf *gbnf, struct al_err *err)
{
  for (size_t i = 0; i < gbnf->n_rules; i++) {
    const struct al_gr_rule *rule = &gbnf->rules[i];
    if (rule->body == AL_GR_NONE)
      return al_gr_fail_at(err, gbnf->text, rule->at, "the rule '%.*s' is not defined",
                           (int)al_min_size(rule->name.size, 80), rule->name.data);
  }
  if (!al_map_has(gbnf->by_name, al_str("root")))
    return al_gr_fail_at(err, gbnf->text, gbnf->text.size, "there is no rule 'root'");
  return AL_OK;
}

enum al_code al_gr_parse(struct al_str text, struct al_gr_gbnf *gbnf, struct al_err *err)
{
  if (text.size > AL_GR_MAX_TEXT_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "the grammar is longer than %zu bytes", AL_GR_MAX_TEXT_BYTES);
  gbnf->text = text;
  gbnf->by_name = al_map_new(AL_GR_MAX_RULES);
  if (gbnf->by_name == nullptr)
    return al_fail_oom(err, sizeof(void *));
  struct parser p = { .gbnf = gbnf, .text = text, .err = err };
  skip_space(&p, true);
  while (!at_end(&p)) {
    AL_TRY(parse_rule(&p));
    skip_space(&p, true);
  }
  return check_defined(gbnf, err);
}

void al_gr_gbnf_done(struct al_gr_gbnf *gbnf)
{
  al_free(gbnf->rules);
  al_free(gbnf->nodes);
  al_free(gbnf->ranges);
  al_buf_done(&gbnf->bytes);
  al_map_free(gbnf->by_name);
  *gbnf = (struct al_gr_gbnf){};
}
