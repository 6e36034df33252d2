/* Rules that every schema shares, and any JSON value. */
#include "text/schema.h"
#include "text/schema/emit.h"

#include <stdlib.h>

/* Strings hold characters, short escapes and \u escapes of characters; two \u escapes may make one character. Numbers
 * and white space are bounded, so that a model cannot go on with them for ever. */
void al_sch_emit_shared(const char *p, bool free_whitespace, struct al_buf *out)
{
  const char *sp = free_whitespace ? "(\" \" | \"\\n\" [ \\t]{0,60})?" : "\" \"?";
  const char *lf = free_whitespace ? "(\"\\n\" [ \\t]{0,60})?" : "\"\"";
  al_buf_printf(out, "%s-sp ::= %s\n%s-lf ::= %s\n", p, sp, p, lf);
  al_buf_printf(
      out,
      "%s-chr ::= [^\"\\\\\\x00-\\x1F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" ([0-9a-ce-fA-CE-F] %s-hex{3} | [dD] "
      "([0-7] %s-hex{2} | [89abAB] %s-hex{2} \"\\\\u\" [dD] [c-fC-F] %s-hex{2})))\n",
      p, p, p, p, p);
  al_buf_printf(out, "%s-hex ::= [0-9a-fA-F]\n%s-str ::= \"\\\"\" %s-chr* \"\\\"\"\n", p, p, p);
  al_buf_printf(out, "%s-num ::= \"-\"? (\"0\" | [1-9] [0-9]{0,17}) (\".\" [0-9]{1,18})? ([eE] [-+]? [0-9]{1,2})?\n",
                p);
  al_buf_printf(out, "%s-any ::= %s-obj | %s-arr | %s-str | %s-num | \"true\" | \"false\" | \"null\"\n", p, p, p, p, p);
  al_buf_printf(out, "%s-obj ::= \"{\" %s-lf %s-mbs %s-lf \"}\"\n%s-mbs ::= (%s-mbr (\",\" %s-sp %s-mbr)*)?\n", p, p, p,
                p, p, p, p, p);
  al_buf_printf(out, "%s-mbr ::= %s-str \":\" \" \"? %s-any\n", p, p, p);
  al_buf_printf(out, "%s-arr ::= \"[\" %s-lf %s-els %s-lf \"]\"\n%s-els ::= (%s-any (\",\" %s-sp %s-any)*)?\n", p, p, p,
                p, p, p, p, p);
}

enum al_code al_schema_any_to_gbnf(bool object_only, const char *prefix, struct al_buf *gbnf, struct al_err *err)
{
  al_buf_printf(gbnf, "%s ::= %s-%s\n", prefix, prefix, object_only ? "obj" : "any");
  al_sch_emit_shared(prefix, true, gbnf);
  return al_buf_check(gbnf, err);
}

void al_sch_put_literal(struct al_buf *out, struct al_str text)
{
  al_buf_char(out, '"');
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c == '"' || c == '\\')
      al_buf_char(out, '\\');
    if (c < 0x20)
      al_buf_printf(out, "\\x%02X", c);
    else
      al_buf_char(out, (char)c);
  }
  al_buf_char(out, '"');
}

void al_sch_put_written(struct al_buf *out, const struct al_buf *text)
{
  out->failed |= text->failed;
  al_sch_put_literal(out, al_buf_view(text));
}

void al_sch_put_times(struct al_buf *out, uint64_t least, uint64_t most, uint64_t done)
{
  constexpr uint64_t LARGE = 900'000'000; /* what the grammar can count; nobody writes more */
  uint64_t low = least > done ? least - done : 0, high = most > done ? most - done : 0;
  al_buf_printf(out, "{%llu,", (unsigned long long)(low < LARGE ? low : LARGE));
  if (most != UINT64_MAX && high < LARGE)
    al_buf_printf(out, "%llu", (unsigned long long)high);
  al_buf_char(out, '}');
}

/* --- keys that are not among the declared ones ------------------------------------------------------------------- */

struct keys {
  const char *name;
  struct al_buf *out;
  size_t n_nodes;
};

static int by_text(const void *a, const void *b)
{
  const struct al_str *left = a, *right = b;
  int order = memcmp(left->data, right->data, al_min_size(left->size, right->size));
  return order != 0 ? order : left->size < right->size ? -1 : left->size > right->size;
}

static size_t char_size(const struct al_str *name, size_t at)
{
  size_t size = 1;
  while (at + size < name->size && ((unsigned char)name->data[at + size] & 0xc0) == 0x80)
    size++;
  return size;
}

static bool is_plain(const struct al_str *name, size_t at)
{
  unsigned char c = (unsigned char)name->data[at];
  return c >= 0x20 && c != '"' && c != '\\';
}

/* How many of the sorted names share the character at `at` with the first. */
static size_t group_size(const struct al_str *names, size_t count, size_t at)
{
  size_t size = char_size(&names[0], at), n = 1;
  while (n < count && names[n].size >= at + size && memcmp(names[n].data + at, names[0].data + at, size) == 0)
    n++;
  return n;
}

static void put_class_char(struct al_buf *out, const char *text, size_t size)
{
  if (size == 1 && strchr("^-]\\[", text[0]) != nullptr)
    al_buf_printf(out, "\\x%02X", (unsigned char)text[0]);
  else
    al_buf_add(out, text, size);
}

static void emit_node(struct keys *k, const struct al_str *names, size_t count, size_t at, size_t node);

/* Names that begin alike up to `at` (all of which have more characters). */
static void emit_children(struct keys *k, const struct al_str *names, size_t count, size_t at, size_t first_child)
{
  for (size_t i = 0; i < count;) {
    size_t n = group_size(names + i, count - i, at);
    if (is_plain(&names[i], at))
      emit_node(k, names + i, n, at + char_size(&names[i], at), first_child++);
    i += n;
  }
}

/* The rule for what can follow the first `at` bytes of these names. Recursion goes as deep as a name is long, which
 * the caller bounds. */
static void emit_node(struct keys *k, const struct al_str *names, size_t count, size_t at, size_t node)
{
  bool is_name = names[0].size == at;
  names += is_name;
  count -= is_name;
  size_t first_child = k->n_nodes;
  al_buf_printf(k->out, "%s-%zu ::= %s[^\"\\\\\\x00-\\x1F", k->name, node, is_name ? "" : "\"\\\"\" | ");
  for (size_t i = 0; i < count; i += group_size(names + i, count - i, at))
    if (is_plain(&names[i], at))
      put_class_char(k->out, names[i].data + at, char_size(&names[i], at));
  al_buf_printf(k->out, "] %s-z", k->name);
  for (size_t i = 0; i < count; i += group_size(names + i, count - i, at))
    if (is_plain(&names[i], at)) {
      al_buf_str(k->out, " | ");
      al_sch_put_literal(k->out, al_str_n(names[i].data + at, char_size(&names[i], at)));
      al_buf_printf(k->out, " %s-%zu", k->name, k->n_nodes++);
    }
  al_buf_char(k->out, '\n');
  emit_children(k, names, count, at, first_child);
}

void al_sch_emit_other_keys(const char *name, struct al_str *names, size_t count, struct al_buf *out)
{
  qsort(names, count, sizeof *names, by_text);
  struct keys k = { .name = name, .out = out, .n_nodes = 1 };
  al_buf_printf(out, "%s ::= \"\\\"\" %s-0\n%s-z ::= [^\"\\\\\\x00-\\x1F]{0,100} \"\\\"\"\n", name, name, name);
  emit_node(&k, names, count, 0, 0);
}
