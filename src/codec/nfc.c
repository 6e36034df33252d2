/* Normalisation form C on utf8proc's tables. utf8proc_map would do it in one call, but sorts combining marks in
 * quadratic time: a megabyte of them would hang a request. So the ordering is done here. */
#include "codec/utf8.h"

#include "base/alloc.h"

#include <utf8proc.h>

constexpr size_t SHORT_RUN = 32;
constexpr size_t MOST_PARTS = 32; /* code points that one decomposes into; the longest canonical one has 4 */

struct points {
  utf8proc_int32_t *items;
  size_t count;
  size_t capacity;
};

static void points_done(struct points *points)
{
  al_free(points->items);
}

static enum al_code reserve(struct points *points, size_t more, struct al_err *err)
{
  void *items = points->items;
  AL_TRY(al_grow(&items, &points->capacity, points->count + more, sizeof *points->items, err));
  points->items = items;
  return AL_OK;
}

static int class_of(utf8proc_int32_t code_point)
{
  return utf8proc_get_property(code_point)->combining_class;
}

static void insertion_sort(utf8proc_int32_t *run, size_t count)
{
  for (size_t i = 1; i < count; i++) {
    utf8proc_int32_t moving = run[i];
    size_t at = i;
    for (; at > 0 && class_of(run[at - 1]) > class_of(moving); at--)
      run[at] = run[at - 1];
    run[at] = moving;
  }
}

static enum al_code counting_sort(utf8proc_int32_t *run, size_t count, struct al_err *err)
{
  AL_CLEANUP(al_free_p) utf8proc_int32_t *sorted = al_calloc(count, sizeof *sorted);
  if (sorted == nullptr)
    return al_fail_oom(err, count * sizeof *sorted);
  size_t start[257] = {};
  for (size_t i = 0; i < count; i++)
    start[class_of(run[i]) + 1]++;
  for (size_t c = 1; c < 257; c++)
    start[c] += start[c - 1];
  for (size_t i = 0; i < count; i++)
    sorted[start[class_of(run[i])]++] = run[i];
  memcpy(run, sorted, count * sizeof *sorted);
  return AL_OK;
}

/* Canonical ordering: within every run of marks, stably by combining class. */
static enum al_code order_marks(struct points *points, struct al_err *err)
{
  for (size_t at = 0; at < points->count;) {
    size_t end = at;
    while (end < points->count && class_of(points->items[end]) != 0)
      end++;
    if (end - at > SHORT_RUN)
      AL_TRY(counting_sort(points->items + at, end - at, err));
    else
      insertion_sort(points->items + at, end - at);
    at = end + 1;
  }
  return AL_OK;
}

static enum al_code decompose(struct al_str text, struct points *points, struct al_err *err)
{
  int boundary = 0;
  for (size_t at = 0; at < text.size;) {
    uint32_t code_point;
    at += al_utf8_decode(al_str_n(text.data + at, text.size - at), &code_point);
    if (code_point == AL_UTF8_INVALID)
      return al_fail(err, AL_INVALID_REQUEST, "the text is not valid UTF-8 before byte %zu", at);
    AL_TRY(reserve(points, MOST_PARTS, err));
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)code_point, points->items + points->count,
                                (utf8proc_ssize_t)MOST_PARTS, UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, &boundary);
    if (n < 0 || n > (utf8proc_ssize_t)MOST_PARTS)
      return al_fail(err, AL_INTERNAL, "U+%04X could not be decomposed", (unsigned)code_point);
    points->count += (size_t)n;
  }
  return AL_OK;
}

/* Characters below U+0300 neither combine nor decompose in form C. */
static bool is_plain(struct al_str text)
{
  for (size_t i = 0; i < text.size; i++)
    if ((unsigned char)text.data[i] >= 0xcc)
      return false;
  return true;
}

enum al_code al_utf8_nfc(struct al_str text, struct al_buf *out, struct al_err *err)
{
  if (is_plain(text) && al_utf8_valid(text)) {
    al_buf_add(out, text.data, text.size);
    return al_buf_check(out, err);
  }
  AL_CLEANUP(points_done) struct points points = {};
  AL_TRY(decompose(text, &points, err));
  AL_TRY(order_marks(&points, err));
  utf8proc_ssize_t count =
      utf8proc_normalize_utf32(points.items, (utf8proc_ssize_t)points.count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (count < 0)
    return al_fail(err, AL_INTERNAL, "the text could not be normalised: %s", utf8proc_errmsg(count));
  for (utf8proc_ssize_t i = 0; i < count; i++) {
    char bytes[4];
    al_buf_add(out, bytes, al_utf8_encode((uint32_t)points.items[i], bytes));
  }
  return al_buf_check(out, err);
}
