/* Walking over whatever can be iterated. */
#include "text/jinja/render.h"

#include "text/jinja/chars.h"

bool al_jj_iterable(struct al_jj_value value)
{
  return value.kind == AL_JJ_UNDEFINED || value.kind == AL_JJ_STR || value.kind == AL_JJ_LIST ||
         value.kind == AL_JJ_TUPLE || value.kind == AL_JJ_DICT || value.kind == AL_JJ_VIEW ||
         value.kind == AL_JJ_RANGE || value.kind == AL_JJ_ITER;
}

enum al_code al_jj_cursor_open(struct al_jj_render *r, struct al_jj_value source, struct al_jj_cursor *cursor)
{
  if (!al_jj_iterable(source))
    return al_jj_fail(r, "'%s' is not iterable", al_jj_kind_name(source));
  *cursor = (struct al_jj_cursor){ source, 0 };
  return AL_OK;
}

struct al_jj_value al_jj_range_at(const struct al_jj_range *range, int64_t index)
{
  return al_jj_int(range->start + index * range->step);
}

static enum al_code view_at(struct al_jj_render *r, const struct al_jj_view *view, size_t at, struct al_jj_value *out)
{
  const struct al_jj_pair *pair = &view->dict->pairs[at];
  if (view->of == AL_JJ_ITEMS)
    return al_jj_pair_tuple(r, pair->key, pair->value, out);
  *out = view->of == AL_JJ_KEYS ? pair->key : pair->value;
  return AL_OK;
}

static enum al_code iter_next(struct al_jj_render *r, struct al_jj_iter *iter, struct al_jj_value *out, bool *more)
{
  if (iter->at < iter->list->n) {
    *out = iter->list->items[iter->at++];
    return AL_OK;
  }
  *more = false;
  if (iter->failure == nullptr)
    return AL_OK;
  *r->err = *iter->failure;
  iter->failure = nullptr; /* a generator that failed is at its end */
  return r->err->code;
}

enum al_code al_jj_cursor_next(struct al_jj_render *r, struct al_jj_cursor *cursor, struct al_jj_value *out, bool *more)
{
  struct al_jj_value source = cursor->source;
  AL_TRY(al_jj_step(r, 1));
  *more = true;
  if (source.kind == AL_JJ_ITER)
    return iter_next(r, source.iter, out, more);
  if (source.kind == AL_JJ_STR) {
    size_t size = al_jj_char_size(al_jj_from(source.str, cursor->at));
    *more = size > 0;
    *out = al_jj_str(al_str_n(source.str.data + cursor->at, size));
    cursor->at += size;
    return AL_OK;
  }
  *more = cursor->at < al_jj_len(source);
  if (!*more)
    return AL_OK;
  size_t at = cursor->at++;
  if (source.kind == AL_JJ_VIEW)
    return view_at(r, source.view, at, out);
  if (source.kind == AL_JJ_DICT)
    *out = source.dict->pairs[at].key;
  else if (source.kind == AL_JJ_RANGE)
    *out = al_jj_range_at(source.range, (int64_t)at);
  else
    *out = source.list->items[at];
  return AL_OK;
}

enum al_code al_jj_list_extend(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value source)
{
  struct al_jj_cursor cursor;
  AL_TRY(al_jj_cursor_open(r, source, &cursor));
  for (;;) {
    struct al_jj_value item;
    bool more;
    AL_TRY(al_jj_cursor_next(r, &cursor, &item, &more));
    if (!more)
      return AL_OK;
    AL_TRY(al_jj_list_add(r, list, item));
  }
}

enum al_code al_jj_to_list(struct al_jj_render *r, struct al_jj_value source, struct al_jj_list **list)
{
  struct al_jj_list *made;
  AL_TRY(al_jj_list_new(r, al_jj_has_len(source) && source.kind != AL_JJ_STR ? al_jj_len(source) : 0, &made));
  AL_TRY(al_jj_list_extend(r, made, source));
  *list = made;
  return AL_OK;
}
