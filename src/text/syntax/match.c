#include "text/syntax/match.h"

#include "text/syntax/parser.h"

enum al_sx_match al_sx_match(struct al_str view, const char *marker)
{
  size_t i = 0;
  for (; i < view.size && marker[i] != '\0'; i++)
    if (view.data[i] != marker[i])
      return AL_SX_NONE;
  return marker[i] == '\0' ? AL_SX_FULL : AL_SX_PARTIAL;
}

enum al_sx_match al_sx_match_any(struct al_str view, const char *const *markers, size_t *size)
{
  enum al_sx_match best = AL_SX_NONE;
  for (; markers != nullptr && *markers != nullptr; markers++) {
    enum al_sx_match match = al_sx_match(view, *markers);
    if (match == AL_SX_FULL) {
      *size = strlen(*markers);
      return AL_SX_FULL;
    }
    if (match == AL_SX_PARTIAL)
      best = AL_SX_PARTIAL;
  }
  return best;
}

size_t al_sx_find(struct al_str view, const char *const *markers, enum al_sx_match *match, size_t *size)
{
  for (size_t i = 0; i < view.size; i++) {
    *match = al_sx_match_any(al_sx_from(view, i), markers, size);
    if (*match != AL_SX_NONE)
      return i;
  }
  *match = AL_SX_NONE;
  return view.size;
}

static bool is_space(char c)
{
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

size_t al_sx_leading_space(struct al_str view)
{
  size_t n = 0;
  while (n < view.size && is_space(view.data[n]))
    n++;
  return n;
}

size_t al_sx_trailing_space(struct al_str view)
{
  size_t n = 0;
  while (n < view.size && n < AL_SX_MAX_SPACE && is_space(view.data[view.size - 1 - n]))
    n++;
  return n;
}
