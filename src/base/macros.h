/* Small macros used everywhere. Function-like macros live in base/ alone. */
#ifndef AL_BASE_MACROS_H
#define AL_BASE_MACROS_H

#include <stddef.h>

/* Calls fn(&variable) when the variable goes out of scope. Destroyers used with it accept a zeroed object:
 *   AL_CLEANUP(al_buf_done) struct al_buf text = {}; */
#define AL_CLEANUP(fn) [[gnu::cleanup(fn)]]

/* Makes `name_p(T **p)`, for AL_CLEANUP on a pointer, from the destroyer `name(T *)`. */
#define AL_DEFINE_CLEANUP(type, name)                                                                                  \
  [[maybe_unused]] static inline void name##_p(type **object)                                                          \
  {                                                                                                                    \
    name(*object);                                                                                                     \
  }

/* Gives up ownership of a pointer held by an AL_CLEANUP variable. */
#define AL_TAKE(pointer)                                                                                               \
  __extension__({                                                                                                      \
    __typeof__(pointer) al_taken_ = (pointer);                                                                         \
    (pointer) = nullptr;                                                                                               \
    al_taken_;                                                                                                         \
  })

#define AL_COUNT(array)                    (sizeof(array) / sizeof((array)[0]))
#define AL_PRINTF(format_index, first_arg) [[gnu::format(printf, format_index, first_arg)]]

static inline size_t al_min_size(size_t a, size_t b)
{
  return a < b ? a : b;
}
static inline size_t al_max_size(size_t a, size_t b)
{
  return a > b ? a : b;
}

#endif
