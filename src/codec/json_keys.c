#include "codec/json_keys.h"

#include "base/alloc.h"

#include <stdlib.h>

constexpr size_t FEW_KEYS = 8; /* up to here comparing all pairs is cheaper than sorting */

struct key {
  uint64_t head; /* the first bytes: most comparisons end here */
  struct al_str text;
};

struct search {
  struct key *keys; /* room that every object uses in turn */
  size_t capacity;
  struct al_str twice;
};

static void search_done(struct search *search)
{
  al_free(search->keys);
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

static void collect(struct search *search, const struct al_json *object)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it)) {
    struct key *key = &search->keys[it.index];
    *key = (struct key){ .text = it.key };
    memcpy(&key->head, it.key.data, al_min_size(it.key.size, sizeof key->head));
  }
}

static void compare_pairs(struct search *search, size_t count)
{
  for (size_t i = 1; i < count; i++)
    for (size_t j = 0; j < i; j++)
      if (compare_keys(&search->keys[i], &search->keys[j]) == 0)
        search->twice = search->keys[i].text;
}

static void compare_sorted(struct search *search, size_t count)
{
  qsort(search->keys, count, sizeof *search->keys, compare_keys);
  for (size_t i = 1; i < count && search->twice.data == nullptr; i++)
    if (compare_keys(&search->keys[i - 1], &search->keys[i]) == 0)
      search->twice = search->keys[i].text;
}

static enum al_code check_object(struct search *search, const struct al_json *object, struct al_err *err)
{
  size_t count = al_json_count(object);
  void *keys = search->keys;
  AL_TRY(al_grow(&keys, &search->capacity, count, sizeof *search->keys, err));
  search->keys = keys;
  collect(search, object);
  if (count <= FEW_KEYS)
    compare_pairs(search, count);
  else
    compare_sorted(search, count);
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
