/* A hash map from byte strings to pointers, with a cap on its entries. Keys are copied, values borrowed. Seeded per
 * process, so hostile keys cannot choose their buckets. Not thread-safe. */
#ifndef AL_BASE_MAP_H
#define AL_BASE_MAP_H

#include "base/err.h"
#include "base/str.h"

struct al_map;

struct al_map *al_map_new(size_t max_entries); /* nullptr when memory runs out */
void al_map_free(struct al_map *map);          /* accepts nullptr; values are the caller's */
AL_DEFINE_CLEANUP(struct al_map, al_map_free)

/* Sets or replaces. AL_INVALID_REQUEST past the cap. */
enum al_code al_map_set(struct al_map *map, struct al_str key, void *value, struct al_err *err);
/* nullptr when absent. */
void *al_map_get(const struct al_map *map, struct al_str key);
bool al_map_has(const struct al_map *map, struct al_str key);
/* Returns the value that was there, or nullptr. */
void *al_map_remove(struct al_map *map, struct al_str key);
size_t al_map_count(const struct al_map *map);

/* Walks in insertion order: `size_t at = 0; while (al_map_next(map, &at, &key, &value)) ...`. No changes meanwhile. */
bool al_map_next(const struct al_map *map, size_t *at, struct al_str *key, void **value);

#endif
