/* Finding markers in text of which only the beginning may be there. */
#ifndef AL_TEXT_SYNTAX_MATCH_H
#define AL_TEXT_SYNTAX_MATCH_H

#include "base/str.h"

enum al_sx_match { AL_SX_NONE, AL_SX_PARTIAL, AL_SX_FULL };

/* Is the marker at the view's beginning? PARTIAL: the view is a beginning of the marker (an empty one, too). */
enum al_sx_match al_sx_match(struct al_str view, const char *marker);
/* The same for a list that ends with nullptr (and may be nullptr); FULL sets *size. */
enum al_sx_match al_sx_match_any(struct al_str view, const char *const *markers, size_t *size);
/* The first place where a marker is (FULL, *size) or may begin (PARTIAL); NONE: view.size. */
size_t al_sx_find(struct al_str view, const char *const *markers, enum al_sx_match *match, size_t *size);

size_t al_sx_leading_space(struct al_str view);
size_t al_sx_trailing_space(struct al_str view); /* at most AL_SX_MAX_SPACE */
static inline struct al_str al_sx_from(struct al_str view, size_t at)
{
  return al_str_n(view.data + at, view.size - at);
}

#endif
