#include "codec/sse.h"

void al_sse_init(struct al_sse *sse, size_t max_event_bytes)
{
  *sse = (struct al_sse){};
  al_buf_init(&sse->line, max_event_bytes);
  al_buf_init(&sse->data, max_event_bytes);
  al_buf_init(&sse->event, max_event_bytes);
}

void al_sse_done(struct al_sse *sse)
{
  al_buf_done(&sse->line);
  al_buf_done(&sse->data);
  al_buf_done(&sse->event);
}

static bool end_event(struct al_sse *sse, al_sse_handler *handler, void *context)
{
  bool go_on = true;
  if (sse->has_data) {
    struct al_str event = sse->event.size > 0 ? al_buf_view(&sse->event) : al_str("message");
    go_on = handler(context, event, al_buf_view(&sse->data));
  }
  al_buf_clear(&sse->event);
  al_buf_clear(&sse->data);
  sse->has_data = false;
  return go_on;
}

static void take_field(struct al_sse *sse, struct al_str name, struct al_str value)
{
  if (al_str_is(name, "data")) {
    if (sse->has_data)
      al_buf_char(&sse->data, '\n');
    al_buf_add(&sse->data, value.data, value.size);
    sse->has_data = true;
  } else if (al_str_is(name, "event")) {
    al_buf_clear(&sse->event);
    al_buf_add(&sse->event, value.data, value.size);
  } /* id and retry serve reconnection, which nobody here does */
}

static bool end_line(struct al_sse *sse, al_sse_handler *handler, void *context)
{
  static const char byte_order_mark[] = "\xef\xbb\xbf";
  struct al_str line = al_buf_view(&sse->line);
  if (!sse->begun && al_str_starts(line, al_str(byte_order_mark)))
    line = al_str_n(line.data + 3, line.size - 3);
  sse->begun = true;
  if (line.size == 0)
    return end_event(sse, handler, context);
  const char *colon = memchr(line.data, ':', line.size);
  size_t name_size = colon != nullptr ? (size_t)(colon - line.data) : line.size;
  size_t value_at = colon != nullptr ? name_size + 1 : line.size;
  if (value_at < line.size && line.data[value_at] == ' ')
    value_at++;
  take_field(sse, al_str_n(line.data, name_size), al_str_n(line.data + value_at, line.size - value_at));
  return true;
}

/* How many bytes stand before the next end of a line. */
static size_t line_rest(struct al_str bytes)
{
  size_t size = 0;
  while (size < bytes.size && bytes.data[size] != '\n' && bytes.data[size] != '\r')
    size++;
  return size;
}

enum al_code al_sse_feed(struct al_sse *sse, struct al_str bytes, al_sse_handler *handler, void *context,
                         struct al_err *err)
{
  while (bytes.size > 0) {
    size_t size = line_rest(bytes);
    if (size > 0) {
      al_buf_add(&sse->line, bytes.data, size);
      sse->after_cr = false;
      AL_TRY(al_buf_check(&sse->line, err));
    }
    bytes = al_str_n(bytes.data + size, bytes.size - size);
    if (bytes.size == 0)
      break;
    char end = bytes.data[0];
    bytes = al_str_n(bytes.data + 1, bytes.size - 1);
    bool second_half = sse->after_cr && end == '\n';
    sse->after_cr = end == '\r';
    if (second_half)
      continue;
    bool go_on = end_line(sse, handler, context);
    al_buf_clear(&sse->line);
    if (!go_on)
      return al_fail(err, AL_CANCELLED, "the reader of the event stream has stopped");
    AL_TRY(al_buf_check(&sse->data, err));
  }
  return AL_OK;
}
