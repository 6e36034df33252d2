#include "text/grammar/matcher.h"

#include "base/alloc.h"

AL_DEFINE_CLEANUP(struct al_grammar_matcher, al_grammar_matcher_free)

static enum al_code init(struct al_grammar_matcher *m, struct al_err *err)
{
  size_t depth = m->vocabulary != nullptr ? m->vocabulary->max_depth : 0;
  m->path = al_calloc(depth + 1, sizeof *m->path);
  m->escaped = al_calloc(depth + 1, sizeof *m->escaped);
  if (m->path == nullptr || m->escaped == nullptr)
    return al_fail_oom(err, depth * sizeof *m->path);
  AL_TRY(al_gr_machine_init(&m->machine, m->grammar, err));
  return al_gr_machine_start(&m->machine, &m->set, err);
}

enum al_code al_grammar_matcher_new(struct al_grammar *grammar, const struct al_grammar_vocabulary *vocabulary,
                                    struct al_grammar_matcher **matcher, struct al_err *err)
{
  AL_CLEANUP(al_grammar_matcher_free_p) struct al_grammar_matcher *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->grammar = al_grammar_ref(grammar);
  made->vocabulary = vocabulary;
  AL_TRY(init(made, err));
  *matcher = AL_TAKE(made);
  return AL_OK;
}

void al_gr_matcher_drop_masks(struct al_grammar_matcher *m)
{
  for (size_t i = 0; i < AL_GR_CACHED_MASKS; i++) {
    al_free(m->masks[i].bits);
    al_free(m->masks[i].unsure);
    m->masks[i] = (struct al_gr_mask){};
  }
}

void al_grammar_matcher_free(struct al_grammar_matcher *matcher)
{
  if (matcher == nullptr)
    return;
  al_gr_matcher_drop_masks(matcher);
  al_gr_machine_done(&matcher->machine);
  al_free(matcher->path);
  al_free(matcher->escaped);
  al_grammar_unref(matcher->grammar);
  al_free(matcher);
}

enum al_code al_gr_matcher_tidy(struct al_grammar_matcher *m, uint32_t *also, struct al_err *err)
{
  al_gr_machine_begin(&m->machine);
  if (!al_gr_machine_is_large(&m->machine))
    return AL_OK;
  uint32_t kept[2] = { m->set, also != nullptr ? *also : AL_GR_DEAD };
  AL_TRY(al_gr_machine_collect(&m->machine, kept, AL_COUNT(kept), err));
  m->set = kept[0];
  if (also != nullptr)
    *also = kept[1];
  al_gr_matcher_drop_masks(m);
  return AL_OK;
}

enum al_code al_gr_matcher_follow(struct al_grammar_matcher *m, uint32_t from, struct al_str bytes, uint32_t *set,
                                  struct al_err *err)
{
  uint32_t at = from;
  for (size_t i = 0; i < bytes.size && at != AL_GR_DEAD; i++)
    AL_TRY(al_gr_machine_step(&m->machine, at, (uint8_t)bytes.data[i], &at, err));
  *set = at;
  return AL_OK;
}

/* A long text is fed in pieces, so that what one piece needed can be dropped before the next. */
bool al_grammar_matcher_feed(struct al_grammar_matcher *matcher, struct al_str bytes)
{
  constexpr size_t PIECE_BYTES = 4096;
  if (matcher->has_ended)
    return bytes.size == 0;
  uint32_t set = matcher->set;
  for (size_t at = 0; at < bytes.size && set != AL_GR_DEAD;) {
    struct al_str piece = al_str_n(bytes.data + at, al_min_size(PIECE_BYTES, bytes.size - at));
    if (al_gr_matcher_tidy(matcher, &set, nullptr) != AL_OK ||
        al_gr_matcher_follow(matcher, set, piece, &set, nullptr) != AL_OK)
      return false;
    at += piece.size;
  }
  if (set != AL_GR_DEAD)
    matcher->set = set;
  return set != AL_GR_DEAD;
}

static bool is_token(const struct al_grammar_matcher *matcher, int32_t token)
{
  return matcher->vocabulary != nullptr && token >= 0 && (size_t)token < matcher->vocabulary->n_tokens;
}

bool al_grammar_matcher_allows(struct al_grammar_matcher *matcher, int32_t token)
{
  if (!is_token(matcher, token))
    return false;
  if (al_gr_token_ends(matcher->vocabulary, token))
    return al_grammar_matcher_may_end(matcher);
  struct al_str bytes = al_gr_token_bytes(matcher->vocabulary, token);
  uint32_t set;
  al_gr_machine_begin(&matcher->machine);
  return !matcher->has_ended && bytes.size > 0 &&
         al_gr_matcher_follow(matcher, matcher->set, bytes, &set, nullptr) == AL_OK && set != AL_GR_DEAD;
}

enum al_code al_grammar_matcher_accept(struct al_grammar_matcher *matcher, int32_t token, struct al_err *err)
{
  if (!is_token(matcher, token))
    return al_fail(err, AL_INVALID_REQUEST, "grammar: there is no token %d", token);
  if (al_gr_token_ends(matcher->vocabulary, token)) {
    if (!al_grammar_matcher_may_end(matcher))
      return al_fail(err, AL_INVALID_REQUEST, "the grammar does not admit the end here");
    matcher->has_ended = true;
    return AL_OK;
  }
  struct al_str bytes = al_gr_token_bytes(matcher->vocabulary, token);
  uint32_t set = AL_GR_DEAD;
  AL_TRY(al_gr_matcher_tidy(matcher, nullptr, err));
  if (bytes.size > 0 && !matcher->has_ended)
    AL_TRY(al_gr_matcher_follow(matcher, matcher->set, bytes, &set, err));
  if (set == AL_GR_DEAD)
    return al_fail(err, AL_INVALID_REQUEST, "the grammar does not admit token %d here", token);
  matcher->set = set;
  return AL_OK;
}

bool al_grammar_matcher_may_end(const struct al_grammar_matcher *matcher)
{
  return matcher->has_ended || matcher->machine.sets[matcher->set].accepts;
}

bool al_grammar_matcher_must_end(const struct al_grammar_matcher *matcher)
{
  const struct al_gr_set *set = &matcher->machine.sets[matcher->set];
  return matcher->has_ended || (set->accepts && set->count == 0);
}
