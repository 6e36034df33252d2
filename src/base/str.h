/* A borrowed run of bytes. Never owns, not NUL-terminated. */
#ifndef AL_BASE_STR_H
#define AL_BASE_STR_H

#include <stddef.h>
#include <string.h>

struct al_str {
  const char *data; /* borrowed; may be nullptr when size is 0 */
  size_t size;
};

static inline struct al_str al_str(const char *text)
{
  return (struct al_str){ text, text != nullptr ? strlen(text) : 0 };
}

static inline struct al_str al_str_n(const char *data, size_t size)
{
  return (struct al_str){ data, size };
}

static inline bool al_str_eq(struct al_str a, struct al_str b)
{
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool al_str_is(struct al_str a, const char *text)
{
  return al_str_eq(a, al_str(text));
}

static inline bool al_str_starts(struct al_str a, struct al_str prefix)
{
  return a.size >= prefix.size && al_str_eq(al_str_n(a.data, prefix.size), prefix);
}

static inline bool al_str_ends(struct al_str a, struct al_str suffix)
{
  return a.size >= suffix.size && al_str_eq(al_str_n(a.data + a.size - suffix.size, suffix.size), suffix);
}

/* C string equality that accepts nullptr (nullptr equals only nullptr). */
static inline bool al_streq(const char *a, const char *b)
{
  return a == nullptr || b == nullptr ? a == b : strcmp(a, b) == 0;
}

#endif
