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
  struct al_buf text; /* lazy: what has been generated, until it holds */
  size_t scanned;
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
  al_free(hold);
}

bool al_hold_may_end(const struct al_hold *hold)
{
  return !hold->holds || hold->is_lost || al_grammar_matcher_may_end(hold->matcher);
}

static bool is_free(const struct al_hold *hold)
{
  return !hold->holds || hold->is_lost;
}

static bool allows(void *state, int32_t token)
{
  struct al_hold *hold = state;
  return is_free(hold) || al_grammar_matcher_allows(hold->matcher, token);
}

static enum al_code mask(void *state, const uint64_t **out, struct al_err *err)
{
  struct al_hold *hold = state;
  if (!is_free(hold))
    return al_grammar_matcher_mask(hold->matcher, out, err);
  *out = nullptr;
  return AL_OK;
}

/* From the trigger on the grammar holds; what the same token brought behind it must fit already. */
static enum al_code look_for_trigger(struct al_hold *hold, int32_t token, struct al_err *err)
{
  const struct al_hold_options *o = &hold->options;
  size_t before = hold->text.size;
  bool is_control = al_piece_add(o->loaded, token, &hold->text);
  AL_TRY(al_buf_check(&hold->text, err));
  if (is_control && !al_syntax_keeps_control(o->syntax, al_str_n(hold->text.data + before, hold->text.size - before)))
    hold->text.size = before;
  struct al_str text = al_buf_view(&hold->text);
  ptrdiff_t at = al_syntax_trigger(o->syntax, o->syntax_request, text, &hold->scanned);
  if (at < 0)
    return AL_OK;
  hold->holds = true;
  struct al_str rest = al_str_n(text.data + at, text.size - (size_t)at);
  hold->is_lost = rest.size > 0 && !al_grammar_matcher_feed(hold->matcher, rest);
  if (hold->is_lost)
    al_log(AL_LOG_DEBUG, "tool_call_not_held", AL_I("bytes", (int64_t)rest.size));
  al_buf_done(&hold->text);
  return AL_OK;
}

static enum al_code accept(void *state, int32_t token, struct al_err *err)
{
  struct al_hold *hold = state;
  if (hold->is_lost)
    return AL_OK;
  if (!hold->holds)
    return look_for_trigger(hold, token, err);
  return al_grammar_matcher_accept(hold->matcher, token, err);
}

struct al_constraint al_hold_constraint(struct al_hold *hold)
{
  static const struct al_constraint_ops ops = { .allows = allows, .mask = mask, .accept = accept };
  return hold != nullptr ? (struct al_constraint){ &ops, hold } : (struct al_constraint){};
}
