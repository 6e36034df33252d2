#include "text/grammar.h"

#include "base/alloc.h"
#include "text/grammar/automaton.h"

AL_DEFINE_CLEANUP(struct al_grammar, al_grammar_unref)

/* Two bytes share a class when every edge has both or neither. */
static void make_classes(struct al_grammar *grammar)
{
  bool begins[257] = { [0] = true };
  for (size_t i = 0; i < grammar->n_edges; i++) {
    begins[grammar->edges[i].first] = true;
    begins[grammar->edges[i].last + 1] = true;
  }
  for (unsigned byte = 0; byte < 256; byte++) {
    if (begins[byte])
      grammar->byte_of[grammar->n_classes++] = (uint8_t)byte;
    grammar->class_of[byte] = (uint8_t)(grammar->n_classes - 1);
  }
}

static enum al_code compile(const struct al_gr_gbnf *gbnf, struct al_grammar *grammar, struct al_err *err)
{
  AL_TRY(al_gr_emit(gbnf, grammar, err));
  AL_TRY(al_gr_rank(gbnf, grammar, err));
  grammar->root = (uint32_t)((uintptr_t)al_map_get(gbnf->by_name, al_str("root")) - 1);
  make_classes(grammar);
  return AL_OK;
}

enum al_code al_grammar_compile(struct al_str gbnf, struct al_grammar **grammar, struct al_err *err)
{
  AL_CLEANUP(al_gr_gbnf_done) struct al_gr_gbnf parsed = {};
  AL_TRY(al_gr_parse(gbnf, &parsed, err));
  AL_TRY(al_gr_analyse(&parsed, err));
  AL_CLEANUP(al_grammar_unref_p) struct al_grammar *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  atomic_init(&made->n_refs, 1);
  AL_TRY(compile(&parsed, made, err));
  *grammar = AL_TAKE(made);
  return AL_OK;
}

struct al_grammar *al_grammar_ref(struct al_grammar *grammar)
{
  if (grammar != nullptr)
    atomic_fetch_add_explicit(&grammar->n_refs, 1, memory_order_relaxed);
  return grammar;
}

void al_grammar_unref(struct al_grammar *grammar)
{
  if (grammar == nullptr || atomic_fetch_sub_explicit(&grammar->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  al_free(grammar->states);
  al_free(grammar->edges);
  al_free(grammar->callees);
  al_free(grammar->by_rank);
  al_free(grammar);
}
