#include "inference/hold.h"

#include "base/alloc.h"
#include "base/log.h"
#include "inference/pieces.h"

constexpr size_t TEXT_CAP = (size_t)64 << 20;

struct al_hold {
  struct al_hold_options options;
  struct al_grammar_matcher *matcher;
  bool holds;         /* false: lazy, and no call has begun */
  bool is_lost;       /* what stood behind a trigger did not fit: nothing is held any more */
  uint64_t *others;   /* lazy: a mask of all tokens but the one refused last, made when first needed */
  int32_t refused;    /* -1: none */
  struct al_buf text; /* lazy: what has been generated, until it holds */
  size_t scanned;
  bool fits; /* the token asked about last begins a call, and the matcher is past it */
};

AL_DEFINE_CLEANUP(struct al_hold, al_hold_free)

enum al_code al_hold_new(const struct al_hold_options *options, struct al_hold **hold, struct al_err *err)
{
  AL_CLEANUP(al_hold_free_p) struct al_hold *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->options = *options;
  made->options.grammar = al_grammar_ref(options->grammar);
  made->holds = !options->is_lazy;
  made->refused = -1;
  al_buf_init(&made->text, TEXT_CAP);
  AL_TRY(al_grammar_matcher_new(options->grammar, options->vocabulary, &made->matcher, err));
  *hold = AL_TAKE(made);
  return AL_OK;
}

void al_hold_free(struct al_hold *hold)
{
  if (hold == nullptr)
    return;
  al_grammar_matcher_free(hold->matcher);
  al_grammar_unref(hold->options.grammar);
  al_buf_done(&hold->text);
  al_free(hold->others);
  al_free(hold);
}

bool al_hold_may_end(const struct al_hold *hold)
{
  return !hold->holds || hold->is_lost || al_grammar_matcher_may_end(hold->matcher);
}

/* --- lazy: until a call begins ---------------------------------------------------------------------------------- */

enum look { NOT_YET, FITS, FITS_NOT };

static void add_text(struct al_hold *hold, int32_t token)
{
  const struct al_hold_options *o = &hold->options;
  size_t before = hold->text.size;
  bool is_control = al_piece_add(o->loaded, token, &hold->text);
  if (is_control && !al_syntax_keeps_control(o->syntax, al_str_n(hold->text.data + before, hold->text.size - before)))
    hold->text.size = before;
}

/* Does a call begin with what has come? From the trigger on the grammar holds; what the last token brought behind it
 * must fit already. The matcher moves when it fits. */
static enum look look_for_trigger(struct al_hold *hold, size_t *scanned)
{
  const struct al_hold_options *o = &hold->options;
  struct al_str text = al_buf_view(&hold->text);
  ptrdiff_t at = al_syntax_trigger(o->syntax, o->syntax_request, text, scanned);
  if (at < 0)
    return NOT_YET;
  struct al_str rest = al_str_n(text.data + at, text.size - (size_t)at);
  return rest.size == 0 || al_grammar_matcher_feed(hold->matcher, rest) ? FITS : FITS_NOT;
}

static bool lazy_allows(struct al_hold *hold, int32_t token)
{
  size_t before = hold->text.size, scanned = hold->scanned;
  add_text(hold, token);
  enum look look = look_for_trigger(hold, &scanned);
  hold->fits = look == FITS;
  hold->text.size = before;
  hold->refused = look == FITS_NOT ? token : -1;
  return look != FITS_NOT;
}

/* All but the token that does not fit behind the trigger. */
static enum al_code lazy_mask(struct al_hold *hold, const uint64_t **out, struct al_err *err)
{
  size_t n_words = ((size_t)hold->options.loaded->info.n_vocab + 63) / 64, n_bytes = n_words * sizeof *hold->others;
  if (hold->others == nullptr && (hold->others = al_alloc(n_bytes)) == nullptr)
    return al_fail_oom(err, n_bytes);
  memset(hold->others, 0xff, n_bytes);
  if (hold->refused >= 0)
    hold->others[hold->refused / 64] &= ~(UINT64_C(1) << (hold->refused % 64));
  *out = hold->others;
  return AL_OK;
}

static enum al_code lazy_accept(struct al_hold *hold, int32_t token, struct al_err *err)
{
  add_text(hold, token);
  AL_TRY(al_buf_check(&hold->text, err));
  enum look look = hold->fits ? FITS : look_for_trigger(hold, &hold->scanned);
  hold->holds = look != NOT_YET;
  hold->is_lost = look == FITS_NOT; /* chosen from the mask */
  if (hold->is_lost)
    al_log(AL_LOG_DEBUG, "tool_call_not_held", AL_I("bytes", (int64_t)hold->text.size));
  if (hold->holds)
    al_buf_done(&hold->text);
  return AL_OK;
}

/* --- the constraint --------------------------------------------------------------------------------------------- */

static bool allows(void *state, int32_t token)
{
  struct al_hold *hold = state;
  if (hold->is_lost)
    return true;
  return hold->holds ? al_grammar_matcher_allows(hold->matcher, token) : lazy_allows(hold, token);
}

static enum al_code mask(void *state, const uint64_t **out, struct al_err *err)
{
  struct al_hold *hold = state;
  return hold->holds ? al_grammar_matcher_mask(hold->matcher, out, err) : lazy_mask(hold, out, err);
}

static enum al_code accept(void *state, int32_t token, struct al_err *err)
{
  struct al_hold *hold = state;
  if (hold->is_lost)
    return AL_OK;
  return hold->holds ? al_grammar_matcher_accept(hold->matcher, token, err) : lazy_accept(hold, token, err);
}

struct al_constraint al_hold_constraint(struct al_hold *hold)
{
  static const struct al_constraint_ops ops = { .allows = allows, .mask = mask, .accept = accept };
  return hold != nullptr ? (struct al_constraint){ &ops, hold } : (struct al_constraint){};
}
