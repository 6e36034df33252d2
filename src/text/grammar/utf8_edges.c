/* A class of code points as edges over bytes: each range is cut where the UTF-8 encodings of its ends stop having the
 * same shape, so that every piece is a sequence of byte ranges. Pieces share the states of equal tails. */
#include "text/grammar/automaton.h"

#include "codec/utf8.h"

constexpr size_t MAX_TAILS = 64;

struct tail { /* a continuation byte in [first, last], then next */
  uint8_t first, last;
  uint32_t next, state;
};

struct class_emitter {
  struct al_grammar *grammar;
  uint32_t next;
  struct tail tails[MAX_TAILS]; /* those made lately; one forgotten is only made again */
  size_t n_tails;
  struct al_gr_edge *heads;
  size_t n_heads;
  struct al_err *err;
};

static enum al_code tail_state(struct class_emitter *c, uint8_t first, uint8_t last, uint32_t next, uint32_t *state)
{
  size_t n_known = al_min_size(c->n_tails, MAX_TAILS);
  for (size_t i = 0; i < n_known; i++) {
    const struct tail *tail = &c->tails[i];
    if (tail->first == first && tail->last == last && tail->next == next) {
      *state = tail->state;
      return AL_OK;
    }
  }
  AL_TRY(al_gr_add_edge(c->grammar, (struct al_gr_edge){ first, last, next }, c->err));
  struct al_gr_state made = { AL_GR_BYTES, 1, (uint32_t)c->grammar->n_edges - 1 };
  AL_TRY(al_gr_add_state(c->grammar, made, state, c->err));
  c->tails[c->n_tails++ % MAX_TAILS] = (struct tail){ first, last, next, *state };
  return AL_OK;
}

/* Both ends have `size` bytes, and every byte between them in each place is right. Only the head's edge is counted
 * here when c->heads is nullptr. */
static enum al_code add_piece(struct class_emitter *c, uint32_t first, uint32_t last)
{
  char low[4], high[4];
  size_t size = al_utf8_encode(first, low);
  (void)al_utf8_encode(last, high);
  uint32_t next = c->next;
  for (size_t i = size; i-- > 1;)
    AL_TRY(tail_state(c, (uint8_t)low[i], (uint8_t)high[i], next, &next));
  struct al_gr_edge head = { (uint8_t)low[0], (uint8_t)high[0], next };
  struct al_gr_edge *before = c->n_heads > 0 ? &c->heads[c->n_heads - 1] : nullptr;
  if (before != nullptr && before->next == next && before->last + 1 == head.first)
    before->last = head.last;
  else
    c->heads[c->n_heads++] = head;
  return AL_OK;
}

constexpr size_t MAX_PIECES = 32; /* of one range: 4 sizes, each at most 7 */

static enum al_code flush_heads(struct class_emitter *c)
{
  for (size_t i = 0; i < c->n_heads; i++)
    AL_TRY(al_gr_add_edge(c->grammar, c->heads[i], c->err));
  c->n_heads = 0;
  return AL_OK;
}

/* The end of the largest piece that begins at `first`. */
static uint32_t piece_end(uint32_t first, uint32_t last)
{
  static const uint32_t size_ends[] = { 0x7f, 0x7ff, 0xd7ff, 0xffff, 0x10ffff };
  for (size_t i = 0; i < AL_COUNT(size_ends); i++)
    if (first <= size_ends[i]) {
      last = last < size_ends[i] ? last : size_ends[i];
      break;
    }
  if (last <= 0x7f)
    return last;
  for (uint32_t bits = 18; bits >= 6; bits -= 6) {
    uint32_t low = ((uint32_t)1 << bits) - 1;
    if ((first & ~low) == (last & ~low))
      continue; /* the same leading bytes: the next place decides */
    if ((first & low) != 0)
      last = first | low;
    else if ((last & low) != low)
      last = (last & ~low) - 1;
  }
  return last;
}

static enum al_code add_range(struct class_emitter *c, uint32_t first, uint32_t last)
{
  while (first <= last) {
    if (first >= 0xd800 && first <= 0xdfff) /* no characters */
      first = 0xe000;
    if (first > last)
      break;
    uint32_t end = piece_end(first, last);
    AL_TRY(add_piece(c, first, end));
    first = end + 1;
  }
  return AL_OK;
}

/* Tails stand before the class's own edges, which must be in a row: the heads wait until all tails are there. */
enum al_code al_gr_emit_class(struct al_grammar *grammar, const struct al_gr_range *ranges, size_t n_ranges,
                              uint32_t next, uint32_t *state, struct al_err *err)
{
  struct al_gr_edge heads[MAX_PIECES * 2];
  struct class_emitter c = { .grammar = grammar, .next = next, .heads = heads, .err = err };
  uint32_t split = AL_GR_NONE;
  for (size_t i = 0; i <= n_ranges; i++) {
    bool is_full = c.n_heads > MAX_PIECES;
    if (i == n_ranges || is_full) {
      uint32_t first_edge = (uint32_t)grammar->n_edges, n_heads = (uint32_t)c.n_heads;
      AL_TRY(flush_heads(&c));
      AL_TRY(al_gr_add_state(grammar, (struct al_gr_state){ AL_GR_BYTES, n_heads, first_edge }, state, err));
      if (split != AL_GR_NONE)
        AL_TRY(al_gr_add_state(grammar, (struct al_gr_state){ AL_GR_SPLIT, split, *state }, state, err));
      split = *state;
    }
    if (i < n_ranges)
      AL_TRY(add_range(&c, ranges[i].first, ranges[i].last));
  }
  return AL_OK;
}
