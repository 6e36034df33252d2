/* A template's whole tree with what belongs to it. */
#ifndef AL_TEXT_JINJA_TREE_H
#define AL_TEXT_JINJA_TREE_H

#include "text/jinja/ast.h"

#include "base/arena.h"
#include "base/map.h"

#include <locale.h>

struct al_jj_program {
  struct al_arena *arena;
  struct al_map *symbols; /* name to struct al_jj_symbol */
  locale_t ctype;         /* character classes and case of Unicode */
  struct al_jj_nodes body;
  const struct al_jj_symbol **hidden; /* [n_hidden] whose value from the caller the template does not see */
  size_t n_hidden;
};

#endif
