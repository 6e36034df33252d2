/* A stable merge sort whose comparison may fail. */
#include "text/jinja/render.h"

struct entry {
  struct al_jj_value key;
  struct al_jj_value item;
};

/* Python sorts backwards by reversing before and after, which keeps equal elements in their order. */
static enum al_code goes_first(struct al_jj_render *r, const struct entry *left, const struct entry *right,
                               bool reverse, bool *right_first)
{
  int order;
  bool unordered;
  AL_TRY(al_jj_compare(r, right->key, left->key, &order, &unordered));
  *right_first = !unordered && (reverse ? order > 0 : order < 0);
  return AL_OK;
}

static enum al_code merge(struct al_jj_render *r, const struct entry *from, struct entry *to, const size_t edge[3],
                          bool reverse)
{
  size_t left = edge[0], right = edge[1];
  for (size_t at = edge[0]; at < edge[2]; at++) {
    bool right_first = left == edge[1];
    if (left < edge[1] && right < edge[2])
      AL_TRY(goes_first(r, &from[left], &from[right], reverse, &right_first));
    to[at] = right_first ? from[right++] : from[left++];
  }
  return AL_OK;
}

enum al_code al_jj_sort(struct al_jj_render *r, struct al_jj_list *list, const struct al_jj_value *keys, bool reverse)
{
  struct entry *from, *to;
  AL_TRY(al_jj_alloc(r, list->n, sizeof *from, &from));
  AL_TRY(al_jj_alloc(r, list->n, sizeof *to, &to));
  for (size_t i = 0; i < list->n; i++)
    from[i] = (struct entry){ keys[i], list->items[i] };
  for (size_t width = 1; width < list->n; width *= 2) {
    for (size_t at = 0; at < list->n; at += 2 * width) {
      size_t edge[3] = { at, al_min_size(at + width, list->n), al_min_size(at + 2 * width, list->n) };
      AL_TRY(merge(r, from, to, edge, reverse));
    }
    struct entry *done = to;
    to = from;
    from = done;
  }
  for (size_t i = 0; i < list->n; i++)
    list->items[i] = from[i].item;
  return AL_OK;
}
