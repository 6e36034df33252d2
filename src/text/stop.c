/* Every stop string is searched for with the Knuth-Morris-Pratt automaton, one byte at a time, so that the answer does
 * not depend on how the bytes were cut into feeds. `pending` holds what may not leave yet. */
#include "text/stop.h"

#include "base/alloc.h"
#include "codec/utf8.h"

struct pattern {
  char *bytes;
  size_t size;
  size_t *border; /* border[i]: longest proper prefix of bytes[0..i] that is also its suffix */
  size_t matched; /* bytes of the pattern that end the text seen so far */
};

struct al_stop {
  struct pattern *patterns;
  size_t n_patterns;
  struct al_buf pending;
  size_t n_held;
  bool met;
};

static void fill_borders(struct pattern *pattern)
{
  size_t length = 0;
  pattern->border[0] = 0;
  for (size_t i = 1; i < pattern->size; i++) {
    while (length > 0 && pattern->bytes[i] != pattern->bytes[length])
      length = pattern->border[length - 1];
    if (pattern->bytes[i] == pattern->bytes[length])
      length++;
    pattern->border[i] = length;
  }
}

static enum al_code pattern_init(struct pattern *pattern, const char *text, struct al_err *err)
{
  size_t size = text != nullptr ? strlen(text) : 0;
  if (size == 0)
    return al_fail_param(err, "stop", "a stop string must not be empty");
  pattern->bytes = al_strndup(text, size);
  pattern->border = al_calloc(size, sizeof *pattern->border);
  if (pattern->bytes == nullptr || pattern->border == nullptr)
    return al_fail_oom(err, size * (1 + sizeof *pattern->border));
  pattern->size = size;
  fill_borders(pattern);
  return AL_OK;
}

void al_stop_free(struct al_stop *filter)
{
  if (filter == nullptr)
    return;
  for (size_t i = 0; filter->patterns != nullptr && i < filter->n_patterns; i++) {
    al_free(filter->patterns[i].bytes);
    al_free(filter->patterns[i].border);
  }
  al_free(filter->patterns);
  al_buf_done(&filter->pending);
  al_free(filter);
}

AL_DEFINE_CLEANUP(struct al_stop, al_stop_free)

enum al_code al_stop_new(const char *const *stop, size_t n_stop, struct al_stop **filter, struct al_err *err)
{
  AL_CLEANUP(al_stop_free_p) struct al_stop *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->patterns = al_calloc(n_stop, sizeof *made->patterns);
  if (made->patterns == nullptr)
    return al_fail_oom(err, n_stop * sizeof *made->patterns);
  made->n_patterns = n_stop;
  for (size_t i = 0; i < n_stop; i++)
    AL_TRY(pattern_init(&made->patterns[i], stop[i], err));
  *filter = AL_TAKE(made);
  return AL_OK;
}

static bool advance(struct pattern *pattern, char byte)
{
  size_t matched = pattern->matched;
  while (matched > 0 && pattern->bytes[matched] != byte)
    matched = pattern->border[matched - 1];
  if (pattern->bytes[matched] == byte)
    matched++;
  pattern->matched = matched;
  return matched == pattern->size;
}

/* The longest stop string that ends with this byte, or -1. A shorter one that ends here too lies inside it. */
static int advance_all(struct al_stop *filter, char byte)
{
  int met = -1;
  for (size_t i = 0; i < filter->n_patterns; i++)
    if (advance(&filter->patterns[i], byte) && (met < 0 || filter->patterns[i].size > filter->patterns[met].size))
      met = (int)i;
  return met;
}

static size_t longest_beginning(const struct al_stop *filter)
{
  size_t longest = 0;
  for (size_t i = 0; i < filter->n_patterns; i++)
    longest = al_max_size(longest, filter->patterns[i].matched);
  return longest;
}

static bool continues_character(char byte)
{
  return ((unsigned char)byte & 0xc0) == 0x80;
}

/* How many pending bytes may leave: neither the beginning of a stop string nor an unfinished character before it. */
static size_t free_size(const struct al_stop *filter)
{
  const struct al_buf *pending = &filter->pending;
  size_t cut = pending->size - al_min_size(longest_beginning(filter), pending->size);
  if (cut < pending->size && !continues_character(pending->data[cut]))
    return cut;
  return cut - al_utf8_incomplete_tail(al_str_n(pending->data, cut));
}

static void release(struct al_stop *filter, size_t size, struct al_buf *out)
{
  if (size == 0)
    return;
  filter->n_held -= al_min_size(size, filter->n_held);
  al_utf8_sanitize(al_str_n(filter->pending.data, size), out);
  al_buf_consume(&filter->pending, size);
}

int al_stop_feed(struct al_stop *filter, struct al_str bytes, struct al_buf *out)
{
  filter->n_held += bytes.size;
  if (filter->met)
    return -1;
  for (size_t i = 0; i < bytes.size; i++) {
    int met = advance_all(filter, bytes.data[i]);
    if (met < 0)
      continue;
    al_buf_add(&filter->pending, bytes.data, i + 1);
    size_t size = filter->patterns[met].size;
    release(filter, filter->pending.size - al_min_size(size, filter->pending.size), out);
    al_buf_clear(&filter->pending);
    filter->met = true;
    return met;
  }
  al_buf_add(&filter->pending, bytes.data, bytes.size);
  if (filter->pending.failed)
    out->failed = true;
  else
    release(filter, free_size(filter), out);
  return -1;
}

size_t al_stop_n_held(const struct al_stop *filter)
{
  return filter->n_held;
}

void al_stop_flush(struct al_stop *filter, struct al_buf *out)
{
  release(filter, filter->pending.size, out);
}
