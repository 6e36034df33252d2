#include "text/syntax/json_scan.h"

static void in_string(struct al_sx_scan *scan, char c)
{
  if (scan->is_escaped)
    scan->is_escaped = false;
  else if (c == '\\')
    scan->is_escaped = true;
  else if (c == '"')
    scan->in_string = false;
}

size_t al_sx_scan_go(struct al_sx_scan *scan, struct al_str text, bool *ended)
{
  *ended = false;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (scan->in_string) {
      in_string(scan, c);
      *ended = !scan->in_string && scan->depth == 0;
      if (*ended)
        return i + 1;
    } else if (c == '"') {
      scan->in_string = true;
    } else if (c == '{' || c == '[') {
      scan->depth++;
    } else if ((c == '}' || c == ']') && --scan->depth == 0) {
      *ended = true;
      return i + 1;
    }
  }
  return text.size;
}

static enum al_sx_part string_end(struct al_str view, size_t at, size_t *end)
{
  struct al_sx_scan scan = { .in_string = true };
  for (size_t i = at + 1; i < view.size; i++) {
    in_string(&scan, view.data[i]);
    if (!scan.in_string) {
      *end = i + 1;
      return AL_SX_PART_WHOLE;
    }
  }
  return AL_SX_PART_CUT;
}

static bool is_word(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
}

enum al_sx_part al_sx_value_end(struct al_str view, size_t at, bool is_last, size_t *end)
{
  if (at >= view.size)
    return AL_SX_PART_CUT;
  char c = view.data[at];
  if (c == '"')
    return string_end(view, at, end);
  if (c == '{' || c == '[') {
    struct al_sx_scan scan = {};
    bool ended = false;
    *end = at + al_sx_scan_go(&scan, al_str_n(view.data + at, view.size - at), &ended);
    return ended ? AL_SX_PART_WHOLE : AL_SX_PART_CUT;
  }
  size_t i = at;
  while (i < view.size && is_word(view.data[i]))
    i++;
  if (i == view.size && !is_last)
    return AL_SX_PART_CUT;
  *end = i;
  return i > at ? AL_SX_PART_WHOLE : AL_SX_PART_BAD;
}
