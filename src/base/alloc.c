#include "base/alloc.h"

#include <stdatomic.h>
#include <stdckdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t n_made;
static atomic_size_t fail_at;

static bool must_fail(void)
{
  size_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
  if (at == 0)
    return false;
  return atomic_fetch_add_explicit(&n_made, 1, memory_order_relaxed) + 1 == at;
}

size_t al_alloc_fail_at(size_t n)
{
  size_t made = atomic_exchange(&n_made, 0);
  atomic_store(&fail_at, n);
  return made;
}

void *al_alloc(size_t n_bytes)
{
  return must_fail() ? nullptr : malloc(n_bytes > 0 ? n_bytes : 1);
}

void *al_calloc(size_t count, size_t n_bytes)
{
  size_t total; /* checked here too: sanitizers end the program where calloc would say no */
  if (must_fail() || ckd_mul(&total, count, n_bytes))
    return nullptr;
  return calloc(1, total > 0 ? total : 1);
}

void *al_realloc(void *pointer, size_t n_bytes)
{
  return must_fail() ? nullptr : realloc(pointer, n_bytes > 0 ? n_bytes : 1);
}

char *al_strndup(const char *text, size_t length)
{
  size_t n_bytes;
  if (ckd_add(&n_bytes, length, 1))
    return nullptr;
  char *copy = al_alloc(n_bytes);
  if (copy == nullptr)
    return nullptr;
  if (length > 0)
    memcpy(copy, text, length);
  copy[length] = '\0';
  return copy;
}

char *al_strdup(const char *text)
{
  return al_strndup(text, strlen(text));
}

void al_free(void *pointer)
{
  free(pointer);
}

void al_free_p(void *pointer_address)
{
  void *pointer;
  memcpy(&pointer, pointer_address, sizeof pointer);
  free(pointer);
}

enum al_code al_grow(void **array, size_t *capacity, size_t need, size_t elem_bytes, struct al_err *err)
{
  if (need <= *capacity)
    return AL_OK;
  size_t wanted = *capacity < 8 ? 8 : *capacity;
  while (wanted < need)
    if (ckd_mul(&wanted, wanted, 2))
      return al_fail_oom(err, need);
  size_t n_bytes;
  if (ckd_mul(&n_bytes, wanted, elem_bytes))
    return al_fail_oom(err, need);
  void *grown = al_realloc(*array, n_bytes);
  if (grown == nullptr)
    return al_fail_oom(err, n_bytes);
  *array = grown;
  *capacity = wanted;
  return AL_OK;
}
