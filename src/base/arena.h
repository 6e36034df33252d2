/* Memory that is freed all at once: a request owns one. Not thread-safe. */
#ifndef AL_BASE_ARENA_H
#define AL_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct al_arena;

/* cap_bytes bounds everything ever taken from it. nullptr when memory runs out. */
struct al_arena *al_arena_new(size_t cap_bytes);
void al_arena_free(struct al_arena *arena); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_arena, al_arena_free)

/* Zeroed, aligned for any type, valid until al_arena_free. nullptr past the cap or out of memory. */
[[nodiscard]] void *al_arena_alloc(struct al_arena *arena, size_t n_bytes);
[[nodiscard]] void *al_arena_array(struct al_arena *arena, size_t count, size_t elem_bytes);
[[nodiscard]] char *al_arena_strndup(struct al_arena *arena, const char *text, size_t length);
size_t al_arena_used_bytes(const struct al_arena *arena);

#endif
