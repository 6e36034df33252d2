/* A boundary's first byte is the only CR in it: where a match breaks off, nothing that has been matched can begin
 * another one, and of the end of a piece only what follows its last CR can be the beginning of a boundary. */
#include "codec/multipart.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "codec/multipart_header.h"

constexpr size_t LINE_END_BYTES = 2;

enum state {
  SEARCH,    /* for the next boundary: in a part, or ahead of the first one */
  BOUNDARY,  /* behind it: "--", or the end of the line */
  LAST_DASH, /* the second '-' of the last boundary */
  PADDING,   /* white space behind a boundary */
  LINE_FEED, /* of a boundary's line */
  HEADERS,
  EPILOGUE, /* whatever follows the last boundary */
  BROKEN,
};

struct al_multipart {
  struct al_multipart_events events;
  enum state state;
  bool in_part;
  int n_parts;
  size_t n_matched; /* of the delimiter, at the end of what has come */
  size_t n_no_data; /* of these, what belongs to the lines before the part in any case */
  char delimiter[AL_MULTIPART_MAX_BOUNDARY_BYTES + 5]; /* "\r\n--boundary" */
  size_t delimiter_size;
  struct al_buf headers;
  struct al_multipart_names names;
};

enum al_code al_multipart_new(struct al_str content_type, const struct al_multipart_events *events,
                              struct al_multipart **multipart, struct al_err *err)
{
  char boundary[AL_MULTIPART_MAX_BOUNDARY_BYTES + 1];
  AL_TRY(al_multipart_boundary(content_type, boundary, err));
  struct al_multipart *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->events = *events;
  made->delimiter_size = (size_t)snprintf(made->delimiter, sizeof made->delimiter, "\r\n--%s", boundary);
  made->n_matched = made->n_no_data = LINE_END_BYTES; /* the first boundary needs no line before it */
  al_buf_init(&made->headers, AL_MULTIPART_MAX_HEADERS_BYTES);
  *multipart = made;
  return AL_OK;
}

void al_multipart_free(struct al_multipart *multipart)
{
  if (multipart == nullptr)
    return;
  al_buf_done(&multipart->headers);
  al_free(multipart);
}

/* Each step takes bytes off the front. */
static void advance(struct al_str *bytes, size_t size)
{
  *bytes = al_str_n(bytes->data + size, bytes->size - size);
}

static enum al_code stopped(struct al_err *err)
{
  return al_fail(err, AL_CANCELLED, "the reader of the form has stopped");
}

static enum al_code emit(struct al_multipart *multipart, struct al_str data, struct al_err *err)
{
  if (!multipart->in_part || data.size == 0)
    return AL_OK;
  return multipart->events.part_data(multipart->events.user, data) ? AL_OK : stopped(err);
}

/* --- searching -------------------------------------------------------------------------------------------------- */

static enum al_code end_part(struct al_multipart *multipart, struct al_err *err)
{
  bool in_part = multipart->in_part;
  multipart->in_part = false;
  multipart->n_matched = multipart->n_no_data = 0;
  multipart->state = BOUNDARY;
  return !in_part || multipart->events.part_end(multipart->events.user) ? AL_OK : stopped(err);
}

/* Goes on with a boundary that began in an earlier piece. */
static enum al_code go_on_matching(struct al_multipart *multipart, struct al_str *bytes, struct al_err *err)
{
  const char *rest = multipart->delimiter + multipart->n_matched;
  size_t most = al_min_size(multipart->delimiter_size - multipart->n_matched, bytes->size);
  size_t same = 0;
  while (same < most && bytes->data[same] == rest[same])
    same++;
  advance(bytes, same);
  multipart->n_matched += same;
  if (multipart->n_matched == multipart->delimiter_size)
    return end_part(multipart, err);
  if (same == most)
    return AL_OK; /* the piece is over */
  struct al_str was_data =
      al_str_n(multipart->delimiter + multipart->n_no_data, multipart->n_matched - multipart->n_no_data);
  multipart->n_matched = multipart->n_no_data = 0;
  return emit(multipart, was_data, err);
}

/* How many bytes at the end begin a boundary. */
static size_t matched_tail(const struct al_multipart *multipart, struct al_str bytes)
{
  size_t most = al_min_size(multipart->delimiter_size - 1, bytes.size);
  const char *last = memrchr(bytes.data + bytes.size - most, '\r', most);
  if (last == nullptr)
    return 0;
  size_t size = (size_t)(bytes.data + bytes.size - last);
  return memcmp(last, multipart->delimiter, size) == 0 ? size : 0;
}

static enum al_code search(struct al_multipart *multipart, struct al_str *bytes, struct al_err *err)
{
  if (multipart->n_matched > 0)
    return go_on_matching(multipart, bytes, err);
  const char *found = memmem(bytes->data, bytes->size, multipart->delimiter, multipart->delimiter_size);
  size_t n_tail = found != nullptr ? 0 : matched_tail(multipart, *bytes);
  size_t n_data = found != nullptr ? (size_t)(found - bytes->data) : bytes->size - n_tail;
  struct al_str data = al_str_n(bytes->data, n_data);
  advance(bytes, found != nullptr ? n_data + multipart->delimiter_size : bytes->size);
  AL_TRY(emit(multipart, data, err));
  multipart->n_matched = n_tail;
  return found != nullptr ? end_part(multipart, err) : AL_OK;
}

/* --- a boundary's line and the headers ---------------------------------------------------------------------------- */

static enum state after_boundary(enum state state, char c)
{
  bool is_space = c == ' ' || c == '\t';
  if (state == BOUNDARY && c == '-')
    return LAST_DASH;
  if (state == LAST_DASH)
    return c == '-' ? EPILOGUE : BROKEN;
  if (state == LINE_FEED)
    return c == '\n' ? HEADERS : BROKEN;
  if (c == '\r')
    return LINE_FEED;
  return is_space ? PADDING : BROKEN;
}

static enum al_code read_boundary_line(struct al_multipart *multipart, struct al_str *bytes, struct al_err *err)
{
  multipart->state = after_boundary(multipart->state, bytes->data[0]);
  advance(bytes, 1);
  if (multipart->state == BROKEN)
    return al_fail(err, AL_INVALID_REQUEST, "the form has a malformed boundary line");
  if (multipart->state == HEADERS && ++multipart->n_parts > AL_MULTIPART_MAX_PARTS)
    return al_fail(err, AL_INVALID_REQUEST, "the form has more than %d parts", AL_MULTIPART_MAX_PARTS);
  return AL_OK;
}

static enum al_code begin_part(struct al_multipart *multipart, struct al_err *err)
{
  struct al_multipart_part part;
  AL_TRY(al_multipart_part_headers(al_buf_view(&multipart->headers), &multipart->names, &part, err));
  bool go_on = multipart->events.part_begin(multipart->events.user, &part);
  al_buf_clear(&multipart->headers);
  multipart->in_part = true;
  multipart->state = SEARCH;
  return go_on ? AL_OK : stopped(err);
}

/* A line at a time, until one is empty. That line's end may begin a boundary: then the part has no body (RFC 2046). */
static enum al_code read_headers(struct al_multipart *multipart, struct al_str *bytes, struct al_err *err)
{
  const char *end = memchr(bytes->data, '\n', bytes->size);
  size_t size = end != nullptr ? (size_t)(end - bytes->data) + 1 : bytes->size;
  if (size > AL_MULTIPART_MAX_HEADERS_BYTES - multipart->headers.size)
    return al_fail(err, AL_INVALID_REQUEST, "the headers of a part of the form are longer than %zu bytes",
                   AL_MULTIPART_MAX_HEADERS_BYTES);
  al_buf_add(&multipart->headers, bytes->data, size);
  AL_TRY(al_buf_check(&multipart->headers, err));
  advance(bytes, size);
  struct al_str all = al_buf_view(&multipart->headers);
  bool over = al_str_is(all, "\r\n") || al_str_ends(all, al_str("\r\n\r\n"));
  if (!over)
    return AL_OK;
  AL_TRY(begin_part(multipart, err));
  multipart->n_matched = multipart->n_no_data = LINE_END_BYTES;
  return AL_OK;
}

static enum al_code step(struct al_multipart *multipart, struct al_str *bytes, struct al_err *err)
{
  switch (multipart->state) {
  case SEARCH: return search(multipart, bytes, err);
  case BOUNDARY:
  case LAST_DASH:
  case PADDING:
  case LINE_FEED: return read_boundary_line(multipart, bytes, err);
  case HEADERS: return read_headers(multipart, bytes, err);
  case EPILOGUE: advance(bytes, bytes->size); return AL_OK;
  case BROKEN: break;
  }
  return al_fail(err, AL_INVALID_REQUEST, "the form was refused before");
}

enum al_code al_multipart_feed(struct al_multipart *multipart, struct al_str bytes, struct al_err *err)
{
  enum al_code code = AL_OK;
  while (bytes.size > 0 && code == AL_OK)
    code = step(multipart, &bytes, err);
  if (code != AL_OK)
    multipart->state = BROKEN;
  return code;
}

enum al_code al_multipart_end(struct al_multipart *multipart, struct al_err *err)
{
  if (multipart->state == EPILOGUE)
    return AL_OK;
  return al_fail(err, AL_INVALID_REQUEST, "the form ends before its last boundary");
}
