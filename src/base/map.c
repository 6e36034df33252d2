/* Open addressing over an index table; entries stand in insertion order in an array of their own. A removed entry
 * leaves a hole (key nullptr) that the next growth squeezes out. */
#include "base/map.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/random.h>

struct entry {
  char *key; /* owned; nullptr marks a hole */
  size_t key_size;
  uint64_t hash;
  void *value;
};

struct al_map {
  struct entry *entries;
  size_t n_entries; /* with holes */
  size_t entry_capacity;
  size_t n_live;
  size_t max_entries;
  uint32_t *slots; /* entry index + 1, 0 is free */
  size_t n_slots;  /* a power of two */
};

static uint64_t seed(void)
{
  static _Atomic uint64_t value;
  uint64_t current = atomic_load_explicit(&value, memory_order_relaxed);
  if (current != 0)
    return current;
  uint64_t fresh = 0;
  if (getrandom(&fresh, sizeof fresh, GRND_NONBLOCK) != (ssize_t)sizeof fresh)
    fresh = (uint64_t)(uintptr_t)&value;
  fresh |= 1;
  uint64_t expected = 0;
  return atomic_compare_exchange_strong(&value, &expected, fresh) ? fresh : expected;
}

static uint64_t mix(uint64_t x)
{
  x ^= x >> 32;
  x *= UINT64_C(0xd6e8feb86659fd93);
  x ^= x >> 32;
  x *= UINT64_C(0xd6e8feb86659fd93);
  return x ^ (x >> 32);
}

static uint64_t hash_of(struct al_str key)
{
  uint64_t h = seed() ^ key.size;
  size_t i = 0;
  for (; i + 8 <= key.size; i += 8) {
    uint64_t word;
    memcpy(&word, key.data + i, 8);
    h = mix(h ^ word);
  }
  uint64_t tail = 0;
  if (i < key.size)
    memcpy(&tail, key.data + i, key.size - i);
  return mix(h ^ tail);
}

struct al_map *al_map_new(size_t max_entries)
{
  struct al_map *map = al_calloc(1, sizeof *map);
  if (map != nullptr)
    map->max_entries = max_entries < UINT32_MAX - 1 ? max_entries : UINT32_MAX - 1;
  return map;
}

void al_map_free(struct al_map *map)
{
  if (map == nullptr)
    return;
  for (size_t i = 0; i < map->n_entries; i++)
    al_free(map->entries[i].key);
  al_free(map->entries);
  al_free(map->slots);
  al_free(map);
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find_slot(const struct al_map *map, struct al_str key, uint64_t hash)
{
  size_t mask = map->n_slots - 1;
  size_t at = (size_t)hash & mask;
  for (;; at = (at + 1) & mask) {
    uint32_t index = map->slots[at];
    if (index == 0)
      return at;
    const struct entry *entry = &map->entries[index - 1];
    if (entry->key != nullptr && entry->hash == hash && al_str_eq(al_str_n(entry->key, entry->key_size), key))
      return at;
  }
}

static void squeeze_holes(struct al_map *map)
{
  size_t kept = 0;
  for (size_t i = 0; i < map->n_entries; i++)
    if (map->entries[i].key != nullptr)
      map->entries[kept++] = map->entries[i];
  map->n_entries = kept;
}

static enum al_code rehash(struct al_map *map, size_t n_slots, struct al_err *err)
{
  uint32_t *slots = al_calloc(n_slots, sizeof *slots);
  if (slots == nullptr)
    return al_fail_oom(err, n_slots * sizeof *slots);
  squeeze_holes(map);
  al_free(map->slots);
  map->slots = slots;
  map->n_slots = n_slots;
  for (size_t i = 0; i < map->n_entries; i++) {
    size_t at = (size_t)map->entries[i].hash & (n_slots - 1);
    while (slots[at] != 0)
      at = (at + 1) & (n_slots - 1);
    slots[at] = (uint32_t)(i + 1);
  }
  return AL_OK;
}

static enum al_code make_room(struct al_map *map, struct al_err *err)
{
  if ((map->n_entries + 1) * 2 > map->n_slots) {
    size_t wanted = 16;
    while (wanted < (map->n_live + 1) * 4)
      wanted *= 2;
    AL_TRY(rehash(map, wanted, err));
  }
  void *entries = map->entries;
  AL_TRY(al_grow(&entries, &map->entry_capacity, map->n_entries + 1, sizeof *map->entries, err));
  map->entries = entries;
  return AL_OK;
}

enum al_code al_map_set(struct al_map *map, struct al_str key, void *value, struct al_err *err)
{
  AL_TRY(make_room(map, err));
  uint64_t hash = hash_of(key);
  size_t at = find_slot(map, key, hash);
  if (map->slots[at] != 0) {
    map->entries[map->slots[at] - 1].value = value;
    return AL_OK;
  }
  if (map->n_live >= map->max_entries)
    return al_fail(err, AL_INVALID_REQUEST, "more than %zu entries", map->max_entries);
  char *copy = al_strndup(key.data != nullptr ? key.data : "", key.size);
  if (copy == nullptr)
    return al_fail_oom(err, key.size);
  map->entries[map->n_entries++] = (struct entry){ copy, key.size, hash, value };
  map->slots[at] = (uint32_t)map->n_entries;
  map->n_live++;
  return AL_OK;
}

static struct entry *find(const struct al_map *map, struct al_str key)
{
  if (map->n_slots == 0)
    return nullptr;
  size_t at = find_slot(map, key, hash_of(key));
  return map->slots[at] != 0 ? &map->entries[map->slots[at] - 1] : nullptr;
}

void *al_map_get(const struct al_map *map, struct al_str key)
{
  const struct entry *entry = find(map, key);
  return entry != nullptr ? entry->value : nullptr;
}

bool al_map_has(const struct al_map *map, struct al_str key)
{
  return find(map, key) != nullptr;
}

void *al_map_remove(struct al_map *map, struct al_str key)
{
  struct entry *entry = find(map, key);
  if (entry == nullptr)
    return nullptr;
  al_free(entry->key);
  entry->key = nullptr;
  map->n_live--;
  return entry->value;
}

size_t al_map_count(const struct al_map *map)
{
  return map->n_live;
}

bool al_map_next(const struct al_map *map, size_t *at, struct al_str *key, void **value)
{
  while (*at < map->n_entries) {
    const struct entry *entry = &map->entries[(*at)++];
    if (entry->key == nullptr)
      continue;
    *key = al_str_n(entry->key, entry->key_size);
    *value = entry->value;
    return true;
  }
  return false;
}
