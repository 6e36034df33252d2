/* The methods of str that look for something in it: find, count, startswith, split, partition, join. */
#include "text/jinja/methods.h"

#include <stdckdint.h>

/* text[start:end] of methods that take these two, in bytes; false when start is behind the text. */
static enum al_code window(struct al_jj_render *r, const struct al_jj_call *call, struct al_str *text, size_t *from,
                           bool *valid)
{
  int64_t n = (int64_t)al_jj_char_count(text->size > 0 ? *text : al_str("")), bound[2];
  AL_TRY(al_jj_step_bytes(r, text->size));
  AL_TRY(al_jj_int_arg(r, call->slot[1], 0, &bound[0]));
  AL_TRY(al_jj_int_arg(r, call->slot[2], n, &bound[1]));
  for (size_t i = 0; i < 2; i++) {
    if (bound[i] < 0)
      bound[i] = bound[i] < -n ? 0 : bound[i] + n;
    if (i == 1 && bound[i] > n)
      bound[i] = n;
  }
  *valid = bound[0] <= bound[1];
  *from = 0;
  if (!*valid)
    return AL_OK;
  *from = al_jj_char_offset(*text, (size_t)bound[0]);
  size_t end = al_jj_char_offset(*text, (size_t)bound[1]);
  *text = al_str_n(text->data + *from, end - *from);
  return AL_OK;
}

/* Searching backwards compares at every place. */
static enum al_code step_backwards(struct al_jj_render *r, struct al_str text, struct al_str needle)
{
  size_t work;
  return al_jj_step_bytes(r, ckd_mul(&work, text.size, needle.size + 1) ? SIZE_MAX : work);
}

static enum al_code find(struct al_jj_render *r, const struct al_jj_call *call, bool from_right,
                         struct al_jj_value *out)
{
  struct al_str needle, text = call->self.str;
  size_t from;
  bool valid;
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &needle));
  AL_TRY(window(r, call, &text, &from, &valid));
  if (from_right)
    AL_TRY(step_backwards(r, text, needle));
  size_t hit = !valid ? SIZE_MAX : from_right ? al_jj_rfind_bytes(text, needle) : al_jj_find_bytes(text, needle, 0);
  *out = al_jj_int(-1);
  if (hit != SIZE_MAX)
    *out = al_jj_int((int64_t)al_jj_char_count(al_str_n(call->self.str.data, from + hit)));
  return AL_OK;
}

static enum al_code str_find(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return find(r, call, false, out);
}

static enum al_code str_rfind(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return find(r, call, true, out);
}

static enum al_code str_index(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_TRY(find(r, call, false, out));
  return out->integer >= 0 ? AL_OK : al_jj_fail(r, "substring not found");
}

static enum al_code str_rindex(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_TRY(find(r, call, true, out));
  return out->integer >= 0 ? AL_OK : al_jj_fail(r, "substring not found");
}

static enum al_code str_count(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_str needle, text = call->self.str;
  size_t from;
  bool valid;
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &needle));
  AL_TRY(window(r, call, &text, &from, &valid));
  int64_t n = 0;
  if (valid && needle.size == 0)
    n = (int64_t)al_jj_char_count(text) + 1;
  for (size_t at = 0; valid && needle.size > 0; n++) {
    at = al_jj_find_bytes(text, needle, at);
    if (at == SIZE_MAX)
      break;
    at += needle.size;
  }
  *out = al_jj_int(n);
  return al_jj_step(r, (size_t)n / 4);
}

static bool affixed(struct al_str text, struct al_str affix, bool at_end)
{
  return at_end ? al_str_ends(text, affix) : al_str_starts(text, affix);
}

static enum al_code has_affix(struct al_jj_render *r, const struct al_jj_call *call, bool at_end,
                              struct al_jj_value *out)
{
  struct al_str text = call->self.str;
  struct al_jj_value affix = call->slot[0];
  size_t from;
  bool valid, found = false;
  AL_TRY(window(r, call, &text, &from, &valid));
  if (affix.kind != AL_JJ_STR && affix.kind != AL_JJ_TUPLE)
    return al_jj_fail(r, "a string or a tuple of strings is needed, not '%s'", al_jj_kind_name(affix));
  if (affix.kind == AL_JJ_STR)
    found = affixed(text, affix.str, at_end);
  for (size_t i = 0; affix.kind == AL_JJ_TUPLE && !found && i < affix.list->n; i++) {
    if (affix.list->items[i].kind != AL_JJ_STR)
      return al_jj_fail(r, "a tuple of strings is needed");
    found = affixed(text, affix.list->items[i].str, at_end);
  }
  *out = al_jj_bool(found && valid);
  return AL_OK;
}

static enum al_code str_startswith(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return has_affix(r, call, false, out);
}

static enum al_code str_endswith(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return has_affix(r, call, true, out);
}

static enum al_code add_part(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value self,
                             struct al_str part)
{
  struct al_jj_value value = al_jj_str(part);
  value.markup = self.markup;
  AL_TRY(al_jj_step(r, 1));
  return al_jj_list_add(r, list, value);
}

static size_t word_end(struct al_str text)
{
  size_t at = 0;
  while (at < text.size && al_jj_leading_space(al_str_n(text.data + at, al_jj_char_size(al_jj_from(text, at)))) == 0)
    at += al_jj_char_size(al_jj_from(text, at));
  return at;
}

static enum al_code split_words(struct al_jj_render *r, struct al_jj_value self, int64_t most, struct al_jj_list *list)
{
  struct al_str rest = al_jj_from(self.str, al_jj_leading_space(self.str));
  for (; rest.size > 0 && most != 0; most--) {
    size_t end = word_end(rest);
    AL_TRY(add_part(r, list, self, al_str_n(rest.data, end)));
    rest = al_jj_from(rest, end);
    rest = al_jj_from(rest, al_jj_leading_space(rest));
  }
  if (rest.size == 0)
    return AL_OK;
  return add_part(r, list, self, rest);
}

static size_t last_word_start(struct al_str text)
{
  size_t at = text.size;
  while (at > 0) {
    size_t before = at - 1;
    while (before > 0 && ((unsigned char)text.data[before] & 0xc0) == 0x80)
      before--;
    if (al_jj_leading_space(al_str_n(text.data + before, at - before)) > 0)
      break;
    at = before;
  }
  return at;
}

static void reverse_items(struct al_jj_list *list)
{
  for (size_t i = 0; i < list->n / 2; i++) {
    struct al_jj_value other = list->items[i];
    list->items[i] = list->items[list->n - 1 - i];
    list->items[list->n - 1 - i] = other;
  }
}

static enum al_code rsplit_words(struct al_jj_render *r, struct al_jj_value self, int64_t most, struct al_jj_list *list)
{
  struct al_str rest = self.str;
  rest.size -= al_jj_trailing_space(rest);
  for (; rest.size > 0 && most != 0; most--) {
    size_t start = last_word_start(rest);
    AL_TRY(add_part(r, list, self, al_jj_from(rest, start)));
    rest.size = start;
    rest.size -= al_jj_trailing_space(rest);
  }
  if (rest.size > 0)
    AL_TRY(add_part(r, list, self, rest));
  reverse_items(list);
  return AL_OK;
}

static enum al_code split_at(struct al_jj_render *r, struct al_jj_value self, struct al_str separator, int64_t most,
                             struct al_jj_list *list)
{
  size_t at = 0;
  for (; most != 0; most--) {
    size_t hit = al_jj_find_bytes(self.str, separator, at);
    if (hit == SIZE_MAX)
      break;
    AL_TRY(add_part(r, list, self, al_str_n(self.str.data + at, hit - at)));
    at = hit + separator.size;
  }
  return add_part(r, list, self, al_jj_from(self.str, at));
}

static enum al_code rsplit_at(struct al_jj_render *r, struct al_jj_value self, struct al_str separator, int64_t most,
                              struct al_jj_list *list)
{
  struct al_str rest = self.str;
  for (; most != 0; most--) {
    size_t hit = al_jj_rfind_bytes(rest, separator);
    if (hit == SIZE_MAX)
      break;
    AL_TRY(add_part(r, list, self, al_jj_from(rest, hit + separator.size)));
    rest.size = hit;
  }
  AL_TRY(add_part(r, list, self, rest));
  reverse_items(list);
  return AL_OK;
}

static enum al_code split(struct al_jj_render *r, const struct al_jj_call *call, bool from_right,
                          struct al_jj_value *out)
{
  struct al_jj_value separator = call->slot[0];
  bool by_space = separator.kind == AL_JJ_MISSING || separator.kind == AL_JJ_NONE;
  struct al_jj_list *list;
  int64_t most;
  if (call->slot[1].kind == AL_JJ_NONE || (!by_space && separator.kind != AL_JJ_STR))
    return al_jj_fail(r, "split: an argument of the wrong kind");
  if (!by_space && separator.str.size == 0)
    return al_jj_fail(r, "split: empty separator");
  AL_TRY(al_jj_int_arg(r, call->slot[1], -1, &most));
  if (from_right && !by_space)
    AL_TRY(step_backwards(r, call->self.str, separator.str));
  AL_TRY(al_jj_step_bytes(r, call->self.str.size));
  AL_TRY(al_jj_list_new(r, 0, &list));
  *out = al_jj_list_value(list);
  if (by_space)
    return from_right ? rsplit_words(r, call->self, most, list) : split_words(r, call->self, most, list);
  return from_right ? rsplit_at(r, call->self, separator.str, most, list)
                    : split_at(r, call->self, separator.str, most, list);
}

static enum al_code str_split(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return split(r, call, false, out);
}

static enum al_code str_rsplit(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return split(r, call, true, out);
}

static enum al_code str_splitlines(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  struct al_jj_list *list;
  struct al_str rest = call->self.str, line;
  bool keep = call->slot[0].kind != AL_JJ_MISSING && al_jj_truth(call->slot[0]);
  AL_TRY(al_jj_step_bytes(r, rest.size));
  AL_TRY(al_jj_list_new(r, 0, &list));
  while (rest.size > 0) {
    size_t size_before = rest.size;
    al_jj_take_line(&rest, &line);
    if (keep)
      line.size = size_before - rest.size;
    AL_TRY(add_part(r, list, call->self, line));
  }
  *out = al_jj_list_value(list);
  return AL_OK;
}

static enum al_code partition(struct al_jj_render *r, const struct al_jj_call *call, bool from_right,
                              struct al_jj_value *out)
{
  struct al_str separator, self = call->self.str, empty = al_str_n(self.data, 0);
  AL_TRY(al_jj_str_arg(r, call->slot[0], "", &separator));
  if (separator.size == 0)
    return al_jj_fail(r, "partition: empty separator");
  AL_TRY(step_backwards(r, self, from_right ? separator : al_str("")));
  size_t hit = from_right ? al_jj_rfind_bytes(self, separator) : al_jj_find_bytes(self, separator, 0);
  struct al_str part[3] = { from_right ? empty : self, empty, from_right ? self : empty };
  if (hit != SIZE_MAX) {
    part[0] = al_str_n(self.data, hit);
    part[1] = separator;
    part[2] = al_jj_from(self, hit + separator.size);
  }
  struct al_jj_list *list;
  AL_TRY(al_jj_list_new(r, 3, &list));
  for (size_t i = 0; i < 3; i++)
    AL_TRY(add_part(r, list, call->self, part[i]));
  *out = al_jj_tuple_value(list);
  return AL_OK;
}

static enum al_code str_partition(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return partition(r, call, false, out);
}

static enum al_code str_rpartition(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  return partition(r, call, true, out);
}

static enum al_code str_join(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = { .cap_bytes = r->limits.max_memory_bytes };
  struct al_jj_list *list;
  AL_TRY(al_jj_to_list(r, call->slot[0], &list));
  for (size_t i = 0; i < list->n; i++) {
    if (list->items[i].kind != AL_JJ_STR)
      return al_jj_fail(r, "join: a string is needed, not '%s'", al_jj_kind_name(list->items[i]));
    if (i > 0)
      al_buf_add(&text, call->self.str.data, call->self.str.size);
    AL_TRY(al_jj_print(r, &text, list->items[i]));
    AL_TRY(al_jj_step_bytes(r, call->self.str.size));
  }
  return al_jj_take_text(r, &text, out);
}

static const struct al_jj_native methods[] = {
  { "find", "/sub /start? /end?", str_find, nullptr },
  { "rfind", "/sub /start? /end?", str_rfind, nullptr },
  { "index", "/sub /start? /end?", str_index, nullptr },
  { "rindex", "/sub /start? /end?", str_rindex, nullptr },
  { "count", "/sub /start? /end?", str_count, nullptr },
  { "startswith", "/prefix /start? /end?", str_startswith, nullptr },
  { "endswith", "/suffix /start? /end?", str_endswith, nullptr },
  { "split", "sep? maxsplit?", str_split, nullptr },
  { "rsplit", "sep? maxsplit?", str_rsplit, nullptr },
  { "splitlines", "keepends?", str_splitlines, nullptr },
  { "partition", "/sep", str_partition, nullptr },
  { "rpartition", "/sep", str_rpartition, nullptr },
  { "join", "/iterable", str_join, nullptr },
};

const struct al_jj_native *al_jj_find_str_search(struct al_str name)
{
  return al_jj_find_in(methods, AL_COUNT(methods), name);
}
