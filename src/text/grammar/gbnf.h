/* GBNF as a tree: what the parser makes and the emitter reads. Freed once the automaton stands.
 *
 * Nodes are indices into one array. The children of a sequence hang in reverse order, for the emitter works backwards.
 */
#ifndef AL_TEXT_GRAMMAR_GBNF_H
#define AL_TEXT_GRAMMAR_GBNF_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

#include <stdint.h>

constexpr uint32_t AL_GR_NONE = UINT32_MAX;
constexpr uint32_t AL_GR_NO_MAX = UINT32_MAX;
constexpr size_t AL_GR_MAX_TEXT_BYTES = (size_t)8 << 20;
constexpr size_t AL_GR_MAX_RULES = 20'000;
constexpr size_t AL_GR_MAX_NODES = 1'000'000;
constexpr uint32_t AL_GR_MAX_REPEAT = 1'000'000'000;
constexpr uint32_t AL_GR_MAX_HEIGHT = 250; /* of brackets and postfix signs */

enum al_gr_node_kind { AL_GR_EMPTY, AL_GR_LITERAL, AL_GR_CLASS, AL_GR_REF, AL_GR_SEQ, AL_GR_ALT, AL_GR_LOOP };

struct al_gr_node {
  enum al_gr_node_kind kind;
  uint32_t child, sibling; /* AL_GR_NONE ends a list */
  uint32_t height;
  uint32_t a; /* LITERAL: offset in bytes; CLASS: first range; REF: rule; LOOP: least */
  uint32_t b; /* LITERAL: size; CLASS: number of ranges; LOOP: most, or AL_GR_NO_MAX */
};

struct al_gr_range { /* of code points, both inclusive */
  uint32_t first, last;
};

struct al_gr_rule {
  struct al_str name; /* in the text */
  uint32_t body;      /* AL_GR_NONE while only referred to */
  size_t at;          /* where it is defined or first referred to */
  bool is_nullable;   /* admits the empty text */
  bool is_productive; /* admits any text at all */
};

struct al_gr_gbnf {
  struct al_str text; /* borrowed */
  struct al_gr_rule *rules;
  size_t n_rules, rules_capacity;
  struct al_gr_node *nodes;
  size_t n_nodes, nodes_capacity;
  struct al_gr_range *ranges;
  size_t n_ranges, ranges_capacity;
  struct al_buf bytes;    /* of the literals, UTF-8 */
  struct al_map *by_name; /* rule index + 1 */
};

/* Fills a zeroed *gbnf. Every rule that is named is defined, "root" among them. */
enum al_code al_gr_parse(struct al_str text, struct al_gr_gbnf *gbnf, struct al_err *err);
void al_gr_gbnf_done(struct al_gr_gbnf *gbnf);
enum al_code al_gr_gbnf_node(struct al_gr_gbnf *gbnf, struct al_gr_node node, uint32_t *index, struct al_err *err);

/* "grammar line 3, column 7: ..." */
AL_PRINTF(4, 5) enum al_code al_gr_fail_at(struct al_err *err, struct al_str text, size_t at, const char *format, ...);

/* Reads the class whose '[' stands at *at: merged ranges, complemented when negated, at the end of gbnf->ranges. */
enum al_code al_gr_parse_class(struct al_gr_gbnf *gbnf, size_t *at, uint32_t *node, struct al_err *err);
/* One character with its escapes at *at, of a literal or a class. */
enum al_code al_gr_parse_char(struct al_str text, size_t *at, uint32_t *code_point, struct al_err *err);

/* Which rules admit the empty text, and which any. A rule that admits none is refused. */
enum al_code al_gr_analyse(struct al_gr_gbnf *gbnf, struct al_err *err);
bool al_gr_is_nullable(const struct al_gr_gbnf *gbnf, uint32_t node);

#endif
