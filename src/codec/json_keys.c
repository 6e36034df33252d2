#include "codec/json_keys.h"

#include "base/alloc.h"

#include <stdlib.h>

constexpr size_t FEW_KEYS = 8;       /* up to here comparing all pairs is cheapest */
constexpr size_t PROBES_PER_KEY = 8; /* chosen keys could make a hash table quadratic: past this, sort */

struct key {
  uint64_t head; /* the first bytes: most comparisons end here */
  uint64_t hash;
  struct al_str text;
};

struct search {
  struct key *keys; /* room that every object uses in turn */
  size_t capacity;
  uint32_t *slots; /* a hash table: index of a key + 1, or 0 */
  size_t n_slots_there;
  struct al_str twice;
};

static void search_done(struct search *search)
{
  al_free(search->keys);
  al_free(search->slots);
}

static int compare_keys(const void *left, const void *right)
{
  const struct key *a = left, *b = right;
  if (a->text.size != b->text.size)
    return a->text.size < b->text.size ? -1 : 1;
  if (a->head != b->head)
    return a->head < b->head ? -1 : 1;
  return a->text.size <= sizeof a->head ? 0 : memcmp(a->text.data, b->text.data, a->text.size);
}

static uint64_t hash_of(const struct key *key)
{
  uint64_t hash = key->text.size;
  for (size_t i = 0; i < key->text.size; i += sizeof hash) {
    uint64_t word = 0;
    memcpy(&word, key->text.data + i, al_min_size(key->text.size - i, sizeof word));
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;
  }
  return hash;
}

static void collect(struct search *search, const struct al_json *object)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it)) {
    struct key *key = &search->keys[it.index];
    *key = (struct key){ .text = it.key };
    memcpy(&key->head, it.key.data, al_min_size(it.key.size, sizeof key->head));
    key->hash = hash_of(key);
  }
}

static void compare_pairs(struct search *search, size_t count)
{
  for (size_t i = 1; i < count; i++)
    for (size_t j = 0; j < i; j++)
      if (compare_keys(&search->keys[i], &search->keys[j]) == 0)
        search->twice = search->keys[i].text;
}

/* false when the keys collide too often for this to end soon. */
static bool compare_hashed(struct search *search, size_t count, size_t n_slots)
{
  size_t probes_left = count * PROBES_PER_KEY;
  memset(search->slots, 0, n_slots * sizeof *search->slots);
  for (size_t i = 0; i < count; i++) {
    size_t at = (size_t)search->keys[i].hash & (n_slots - 1);
    for (; search->slots[at] != 0; at = (at + 1) & (n_slots - 1)) {
      const struct key *other = &search->keys[search->slots[at] - 1];
      if (other->hash == search->keys[i].hash && compare_keys(other, &search->keys[i]) == 0) {
        search->twice = search->keys[i].text;
        return true;
      }
      if (probes_left-- == 0)
        return false;
    }
    search->slots[at] = (uint32_t)(i + 1);
  }
  return true;
}

static void compare_sorted(struct search *search, size_t count)
{
  qsort(search->keys, count, sizeof *search->keys, compare_keys);
  for (size_t i = 1; i < count && search->twice.data == nullptr; i++)
    if (compare_keys(&search->keys[i - 1], &search->keys[i]) == 0)
      search->twice = search->keys[i].text;
}

static enum al_code compare_many(struct search *search, size_t count, struct al_err *err)
{
  size_t n_slots = 16;
  while (n_slots < count * 2)
    n_slots *= 2;
  void *slots = search->slots;
  AL_TRY(al_grow(&slots, &search->n_slots_there, n_slots, sizeof *search->slots, err));
  search->slots = slots;
  if (count >= UINT32_MAX || !compare_hashed(search, count, n_slots))
    compare_sorted(search, count);
  return AL_OK;
}

static enum al_code check_object(struct search *search, const struct al_json *object, struct al_err *err)
{
  size_t count = al_json_count(object);
  void *keys = search->keys;
  AL_TRY(al_grow(&keys, &search->capacity, count, sizeof *search->keys, err));
  search->keys = keys;
  collect(search, object);
  if (count > FEW_KEYS)
    return compare_many(search, count, err);
  compare_pairs(search, count);
  return AL_OK;
}

/* Recursion is bounded: the parser refused anything deeper than AL_JSON_MAX_DEPTH. */
static enum al_code walk(struct search *search, const struct al_json *value, struct al_err *err)
{
  if (al_json_kind(value) == AL_JSON_OBJECT)
    AL_TRY(check_object(search, value, err));
  struct al_json_iter it = al_json_iter(value);
  while (search->twice.data == nullptr && al_json_next(&it))
    if (al_json_count(it.value) > 0)
      AL_TRY(walk(search, it.value, err));
  return AL_OK;
}

enum al_code al_json_find_duplicate(const struct al_json *root, struct al_str *twice, struct al_err *err)
{
  AL_CLEANUP(search_done) struct search search = {};
  AL_TRY(walk(&search, root, err));
  *twice = search.twice;
  return AL_OK;
}
