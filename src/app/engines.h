/* The static list of built-in engines: adding one is one folder and one line in engines.c (docs/adding-an-engine.md).
 */
#ifndef AL_APP_ENGINES_H
#define AL_APP_ENGINES_H

#include "engine/registry.h"

/* Static; in order of preference where no benchmark decides. */
struct al_engine_registry al_builtin_engines(void);

#endif
