#include "base/alloc.h"
#include "text/grammar.h"
#include "text/schema/pattern_node.h"

#include <stdckdint.h>

struct emitter {
  struct al_buf *gbnf;
  const char *any_char;
  bool as_json;
};

/* Inside a JSON string quotes, backslashes and control characters are escaped, the latter the short way if there is
 * one. */
static void emit_json_set(struct al_buf *gbnf, const struct al_sch_ranges *set)
{
  static const char shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
  struct al_sch_chars plain = {};
  for (size_t i = 0; i < set->count; i++)
    al_sch_chars_add(&plain, set->ranges[i].first, set->ranges[i].last);
  al_sch_chars_complement(&plain);
  al_sch_chars_add(&plain, 0, 0x1f);
  al_sch_chars_add(&plain, '"', '"');
  al_sch_chars_add(&plain, '\\', '\\');
  al_sch_chars_add(&plain, 0xd800, 0xdfff);
  al_sch_chars_complement(&plain);
  const char *between = "(";
  if (plain.count > 0) {
    al_buf_str(gbnf, between);
    al_sch_ranges_emit(plain.ranges, plain.count, gbnf);
    between = " | ";
  }
  for (uint32_t c = 0; c <= '\\'; c++) {
    bool is_special = c < 0x20 || c == '"' || c == '\\';
    if (!is_special || !al_sch_ranges_have(set->ranges, set->count, c))
      continue;
    const char *hit = c != 0 ? strchr(shorts, (int)c) : nullptr;
    al_buf_str(gbnf, between);
    if (hit == nullptr)
      al_buf_printf(gbnf, "\"\\\\u%04x\"", c);
    else
      al_buf_printf(gbnf, "\"\\\\%s%c\"", letters[hit - shorts] == '"' || letters[hit - shorts] == '\\' ? "\\" : "",
                    letters[hit - shorts]);
    between = " | ";
  }
  al_buf_char(gbnf, ')');
}

static void emit_set(const struct emitter *e, const struct al_sch_ranges *set)
{
  bool needs_escapes = set->ranges[0].first < 0x20 || al_sch_ranges_have(set->ranges, set->count, '"') ||
                       al_sch_ranges_have(set->ranges, set->count, '\\');
  if (e->as_json && needs_escapes)
    emit_json_set(e->gbnf, set);
  else
    al_sch_ranges_emit(set->ranges, set->count, e->gbnf);
}

static void emit_loop_sign(struct al_buf *gbnf, uint32_t least, uint32_t most)
{
  if (most != UINT32_MAX)
    al_buf_printf(gbnf, "{%u,%u}", least, most);
  else
    al_buf_printf(gbnf, "{%u,}", least);
}

/* Recursion is bounded: groups have a cap on their depth. */
static void emit(const struct emitter *e, const struct al_sch_pattern_node *node)
{
  switch (node->kind) {
  case AL_SCH_SET: emit_set(e, &node->set); return;
  case AL_SCH_ANYTHING: al_buf_printf(e->gbnf, "%s*", e->any_char); return;
  case AL_SCH_LOOP:
    al_buf_char(e->gbnf, '(');
    emit(e, node->child);
    al_buf_char(e->gbnf, ')');
    emit_loop_sign(e->gbnf, node->least, node->most);
    return;
  case AL_SCH_SEQ:
    al_buf_str(e->gbnf, "\"\"");
    for (const struct al_sch_pattern_node *child = node->child; child != nullptr; child = child->sibling) {
      al_buf_char(e->gbnf, ' ');
      emit(e, child);
    }
    return;
  case AL_SCH_ALT:
    al_buf_char(e->gbnf, '(');
    for (const struct al_sch_pattern_node *child = node->child; child != nullptr; child = child->sibling) {
      emit(e, child);
      al_buf_str(e->gbnf, child->sibling != nullptr ? " | " : ")");
    }
    return;
  }
}

void al_sch_pattern_emit(const struct al_sch_pattern *pattern, bool as_json, const char *any_char, struct al_buf *gbnf)
{
  struct emitter e = { .gbnf = gbnf, .any_char = any_char, .as_json = as_json };
  emit(&e, pattern->root);
}

static uint64_t add(uint64_t a, uint64_t b)
{
  uint64_t sum;
  return ckd_add(&sum, a, b) ? AL_SCH_NO_MAX : sum;
}

static uint64_t times(uint64_t length, uint32_t count)
{
  uint64_t product;
  if (count == UINT32_MAX)
    return length > 0 ? AL_SCH_NO_MAX : 0;
  return ckd_mul(&product, length, (uint64_t)count) ? AL_SCH_NO_MAX : product;
}

static void lengths(const struct al_sch_pattern_node *node, uint64_t *least, uint64_t *most)
{
  uint64_t child_least = 0, child_most = 0;
  *least = *most = node->kind == AL_SCH_SET ? 1 : 0;
  if (node->kind == AL_SCH_ANYTHING)
    *most = AL_SCH_NO_MAX;
  if (node->kind == AL_SCH_LOOP) {
    lengths(node->child, &child_least, &child_most);
    *least = times(child_least, node->least);
    *most = times(child_most, node->most);
    return;
  }
  for (const struct al_sch_pattern_node *child = node->child; child != nullptr; child = child->sibling) {
    lengths(child, &child_least, &child_most);
    if (node->kind == AL_SCH_SEQ) {
      *least = add(*least, child_least);
      *most = add(*most, child_most);
    } else {
      *least = child == node->child || child_least < *least ? child_least : *least;
      *most = child_most > *most ? child_most : *most;
    }
  }
}

void al_sch_pattern_lengths(const struct al_sch_pattern *pattern, uint64_t *least, uint64_t *most)
{
  lengths(pattern->root, least, most);
}

static enum al_code test(struct al_arena *arena, struct al_str text, struct al_str value, bool *matches,
                         struct al_err *err)
{
  const struct al_sch_pattern *pattern;
  AL_TRY(al_sch_pattern_parse(arena, text, &pattern, err));
  AL_CLEANUP(al_buf_done) struct al_buf gbnf = {};
  al_buf_str(&gbnf, "root ::= ");
  al_sch_pattern_emit(pattern, false, ".", &gbnf);
  AL_TRY(al_buf_check(&gbnf, err));
  struct al_grammar *grammar = nullptr;
  struct al_grammar_matcher *matcher = nullptr;
  AL_TRY(al_grammar_compile(al_buf_view(&gbnf), &grammar, err));
  enum al_code code = al_grammar_matcher_new(grammar, nullptr, &matcher, err);
  if (code == AL_OK)
    *matches = al_grammar_matcher_feed(matcher, value) && al_grammar_matcher_may_end(matcher);
  al_grammar_matcher_free(matcher);
  al_grammar_unref(grammar);
  return code;
}

enum al_code al_sch_pattern_test(struct al_str pattern, struct al_str text, bool *matches, struct al_err *err)
{
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(16 << 20);
  if (arena == nullptr)
    return al_fail_oom(err, sizeof(void *));
  return test(arena, pattern, text, matches, err);
}
