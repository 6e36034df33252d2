/* Allocation with overflow checks and a fault hook: tests make the N-th allocation fail.
 * All return nullptr when memory runs out; al_free accepts nullptr. */
#ifndef AL_BASE_ALLOC_H
#define AL_BASE_ALLOC_H

#include "base/err.h"

#include <stddef.h>

[[nodiscard, gnu::malloc]] void *al_alloc(size_t n_bytes);                /* uninitialised */
[[nodiscard, gnu::malloc]] void *al_calloc(size_t count, size_t n_bytes); /* zeroed */
[[nodiscard]] void *al_realloc(void *pointer, size_t n_bytes);
[[nodiscard, gnu::malloc]] char *al_strdup(const char *text);
[[nodiscard, gnu::malloc]] char *al_strndup(const char *text, size_t length); /* text may be nullptr when length is 0 */
void al_free(void *pointer);

/* Grows *array (of *capacity elements of elem_bytes) to hold at least `need` elements, doubling. */
enum al_code al_grow(void **array, size_t *capacity, size_t need, size_t elem_bytes, struct al_err *err);

/* For AL_CLEANUP(al_free_p): takes the address of any pointer variable. */
void al_free_p(void *pointer_address);

/* Tests only: the n-th allocation from now fails, once (0 switches the hook off). Returns how many were made since. */
size_t al_alloc_fail_at(size_t n);

#endif
