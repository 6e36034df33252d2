/* Which tokens may come: the vocabulary's tree is walked with the automaton.
 *
 * A walk from a whole set would have to be repeated for each of a schema's strings, since each returns to a different
 * place. So a walk is made from each position alone, with its callers taken away (and the counts of repetitions
 * brought down to what a short token can tell apart). Inside a string that answers for nearly every token, whatever
 * the string belongs to, and is kept; the few tokens that reach the callers, or are long, are tried one by one. */
#include "text/grammar/matcher.h"

#include "base/alloc.h"

constexpr uint16_t SHORT_BYTES = 32; /* tokens up to here cannot tell clamped counts from real ones */
constexpr uint32_t MAX_SINGLES = 8;  /* positions taken one by one */

static size_t n_words(const struct al_grammar_matcher *m)
{
  return m->vocabulary->n_tokens / 64 + 1;
}

static struct al_gr_mask *find_mask(struct al_grammar_matcher *m, uint32_t set)
{
  for (size_t i = 0; i < AL_GR_CACHED_MASKS; i++)
    if (m->masks[i].bits != nullptr && m->masks[i].set == set) {
      m->masks[i].last_used = ++m->clock;
      return &m->masks[i];
    }
  return nullptr;
}

/* A zeroed mask in the place of the one that has not been used for the longest time. */
static enum al_code new_mask(struct al_grammar_matcher *m, uint32_t set, struct al_gr_mask **mask, struct al_err *err)
{
  struct al_gr_mask *place = &m->masks[0];
  for (size_t i = 1; i < AL_GR_CACHED_MASKS; i++)
    if (m->masks[i].last_used < place->last_used)
      place = &m->masks[i];
  if (place->bits == nullptr)
    place->bits = al_alloc(n_words(m) * sizeof *place->bits);
  if (place->bits == nullptr)
    return al_fail_oom(err, n_words(m) * sizeof *place->bits);
  memset(place->bits, 0, n_words(m) * sizeof *place->bits);
  place->n_unsure = 0;
  place->is_unsuited = false;
  place->set = set;
  place->last_used = ++m->clock;
  *mask = place;
  return AL_OK;
}

static void set_bit(uint64_t *bits, int32_t token)
{
  bits[token / 64] |= UINT64_C(1) << (token % 64);
}

static void allow(const struct al_grammar_matcher *m, struct al_gr_mask *mask, int32_t token)
{
  for (; token >= 0; token = m->vocabulary->same[token])
    set_bit(mask->bits, token);
}

static enum al_code doubt(const struct al_grammar_matcher *m, struct al_gr_mask *mask, int32_t token,
                          struct al_err *err)
{
  void *unsure = mask->unsure;
  AL_TRY(al_grow(&unsure, &mask->unsure_capacity, mask->n_unsure + 1, sizeof *mask->unsure, err));
  mask->unsure = unsure;
  mask->unsure[mask->n_unsure++] = token;
  mask->is_unsuited = mask->n_unsure > m->vocabulary->n_tokens / 4 + 64;
  return AL_OK;
}

static enum al_code walk(struct al_grammar_matcher *m, struct al_gr_mask *mask, struct al_err *err)
{
  const struct al_gr_trie_node *nodes = m->vocabulary->nodes;
  uint32_t *path = m->path;
  path[0] = mask->set;
  for (uint32_t i = 0; i < m->vocabulary->n_nodes;) {
    uint32_t depth = nodes[i].depth;
    AL_TRY(al_gr_machine_step(&m->machine, path[depth - 1], nodes[i].byte, &path[depth], err));
    if (path[depth] == AL_GR_DEAD) {
      i = nodes[i].end;
      continue;
    }
    if (nodes[i].token >= 0)
      allow(m, mask, nodes[i].token);
    i++;
  }
  return AL_OK;
}

/* The same with unknown callers. Once they can have been reached, or the token is long, a dead end proves nothing. */
static enum al_code walk_single(struct al_grammar_matcher *m, struct al_gr_mask *mask, struct al_err *err)
{
  const struct al_gr_trie_node *nodes = m->vocabulary->nodes;
  m->path[0] = mask->set;
  m->escaped[0] = false;
  for (uint32_t i = 0; i < m->vocabulary->n_nodes && !mask->is_unsuited;) {
    uint32_t depth = nodes[i].depth, set = AL_GR_DEAD;
    bool is_long = depth > SHORT_BYTES;
    if (!is_long)
      AL_TRY(al_gr_machine_step(&m->machine, m->path[depth - 1], nodes[i].byte, &set, err));
    bool escaped = m->escaped[depth - 1] || m->machine.sets[set].escapes;
    if (set == AL_GR_DEAD && !escaped && !is_long) {
      i = nodes[i].end;
      continue;
    }
    m->path[depth] = set;
    m->escaped[depth] = escaped;
    if (nodes[i].token >= 0 && m->machine.sets[set].count > 0)
      allow(m, mask, nodes[i].token);
    else if (nodes[i].token >= 0)
      AL_TRY(doubt(m, mask, nodes[i].token, err));
    i++;
  }
  return AL_OK;
}

/* A count that no short token can tell from the real one. */
static uint32_t clamp_count(const struct al_gr_callee *body, uint32_t count)
{
  constexpr uint32_t FAR = SHORT_BYTES + 1;
  if (count < body->least)
    return body->least - count > FAR ? body->least - FAR : count;
  if (body->most == AL_GR_NO_MAX || body->most - count <= FAR)
    return count;
  uint32_t clamped = body->most - FAR;
  return clamped > body->least ? clamped : body->least;
}

/* The node with its callers taken away; only the repetitions at its top stay, for they decide soon. */
static enum al_code strip_node(struct al_gr_machine *machine, uint32_t node, uint32_t *stripped, struct al_err *err)
{
  struct al_gr_node_set known = machine->nodes[node];
  *stripped = AL_GR_UNKNOWN;
  if (known.count == 0 || known.count > 16)
    return AL_OK;
  struct al_gr_frame frames[16];
  for (uint32_t i = 0; i < known.count; i++) {
    frames[i] = machine->frames[known.first + i];
    const struct al_gr_state *state = &machine->grammar->states[frames[i].state];
    if (frames[i].count == AL_GR_NO_COUNT)
      return AL_OK;
    frames[i].count = clamp_count(&machine->grammar->callees[state->arg], frames[i].count);
    frames[i].parent = AL_GR_UNKNOWN;
  }
  return al_gr_intern_node(machine, frames, known.count, stripped, err);
}

static enum al_code mask_of_single(struct al_grammar_matcher *m, struct al_gr_position position,
                                   struct al_gr_mask **mask, struct al_err *err)
{
  uint32_t set;
  AL_TRY(strip_node(&m->machine, position.node, &position.node, err));
  AL_TRY(al_gr_machine_single(&m->machine, position, &set, err));
  *mask = find_mask(m, set);
  if (*mask != nullptr)
    return AL_OK;
  AL_TRY(new_mask(m, set, mask, err));
  enum al_code code = walk_single(m, *mask, err);
  if (code != AL_OK)
    (*mask)->set = AL_GR_UNMADE; /* half a mask is none */
  return code;
}

static enum al_code try_unsure(struct al_grammar_matcher *m, const struct al_gr_mask *single, struct al_gr_mask *mask,
                               struct al_err *err)
{
  for (size_t i = 0; i < single->n_unsure; i++) {
    int32_t token = single->unsure[i];
    uint32_t set;
    if ((mask->bits[token / 64] >> (token % 64) & 1) != 0)
      continue;
    AL_TRY(al_gr_matcher_follow(m, m->set, al_gr_token_bytes(m->vocabulary, token), &set, err));
    if (set != AL_GR_DEAD)
      allow(m, mask, token);
  }
  return AL_OK;
}

static bool suits_singles(const struct al_grammar_matcher *m)
{
  const struct al_gr_set *set = &m->machine.sets[m->set];
  for (uint32_t i = 0; i < set->count && i < MAX_SINGLES; i++) {
    uint32_t node = m->machine.positions[set->first + i].node;
    if (m->machine.nodes[node].depth + SHORT_BYTES > AL_GR_MAX_DEPTH) /* the limit on nesting may be near */
      return false;
  }
  return set->count <= MAX_SINGLES;
}

/* *is_done false: these positions do not suit it. */
static enum al_code combine(struct al_grammar_matcher *m, struct al_gr_mask *mask, bool *is_done, struct al_err *err)
{
  struct al_gr_mask *singles[MAX_SINGLES];
  uint32_t count = m->machine.sets[m->set].count;
  *is_done = false;
  for (uint32_t i = 0; i < count; i++) {
    AL_TRY(mask_of_single(m, m->machine.positions[m->machine.sets[m->set].first + i], &singles[i], err));
    if (singles[i]->is_unsuited)
      return AL_OK;
    for (size_t word = 0; word < n_words(m); word++)
      mask->bits[word] |= singles[i]->bits[word];
  }
  for (uint32_t i = 0; i < count; i++)
    AL_TRY(try_unsure(m, singles[i], mask, err));
  *is_done = true;
  return AL_OK;
}

static enum al_code fill(struct al_grammar_matcher *m, struct al_gr_mask *mask, struct al_err *err)
{
  bool is_done = m->has_ended;
  if (!is_done && suits_singles(m))
    AL_TRY(combine(m, mask, &is_done, err));
  if (!is_done)
    AL_TRY(walk(m, mask, err));
  bool ends = al_grammar_matcher_may_end(m), any = ends;
  for (size_t word = 0; word < n_words(m); word++) {
    mask->bits[word] |= ends ? m->vocabulary->ends[word] : 0;
    any = any || mask->bits[word] != 0;
  }
  return any ? AL_OK : al_fail(err, AL_UNSUPPORTED, "no token of this model's vocabulary can go on with the grammar");
}

enum al_code al_grammar_matcher_mask(struct al_grammar_matcher *matcher, const uint64_t **mask, struct al_err *err)
{
  if (matcher->vocabulary == nullptr)
    return al_fail(err, AL_INTERNAL, "grammar: a mask needs a vocabulary");
  if (matcher->has_ended) /* no set stands for the end */
    al_gr_matcher_drop_masks(matcher);
  AL_TRY(al_gr_matcher_tidy(matcher, nullptr, err));
  struct al_gr_mask *made = find_mask(matcher, matcher->set);
  if (made == nullptr) {
    AL_TRY(new_mask(matcher, matcher->set, &made, err));
    enum al_code code = fill(matcher, made, err);
    if (code != AL_OK) {
      made->set = AL_GR_UNMADE;
      return code;
    }
  }
  *mask = made->bits;
  return AL_OK;
}
static_assert(AL_GR_CACHED_MASKS > 4 * (size_t)MAX_SINGLES, "the mask in the making must not be the oldest");
