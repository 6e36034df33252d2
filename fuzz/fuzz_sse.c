/* Any bytes as an event stream; cut in two at the place that the first byte says, the events must be the same. */
#include "codec/sse.h"

#include <assert.h>
#include <stdint.h>

static bool collect(void *context, struct al_str event, struct al_str data)
{
  struct al_buf *out = context;
  al_buf_add(out, event.data, event.size);
  al_buf_char(out, '|');
  al_buf_add(out, data.data, data.size);
  al_buf_char(out, '\0');
  return true;
}

static enum al_code read_events(struct al_str first, struct al_str second, struct al_buf *out)
{
  struct al_sse sse;
  al_sse_init(&sse, 4096);
  enum al_code code = al_sse_feed(&sse, first, collect, out, nullptr);
  if (code == AL_OK)
    code = al_sse_feed(&sse, second, collect, out, nullptr);
  al_sse_done(&sse);
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  struct al_str bytes = al_str_n((const char *)data + 1, size - 1);
  size_t at = al_min_size(data[0], bytes.size);
  struct al_str rest = al_str_n(bytes.data + at, bytes.size - at);
  AL_CLEANUP(al_buf_done) struct al_buf whole = {};
  AL_CLEANUP(al_buf_done) struct al_buf split = {};
  enum al_code code = read_events(bytes, (struct al_str){}, &whole);
  enum al_code split_code = read_events(al_str_n(bytes.data, at), rest, &split);
  assert(code == split_code && al_str_eq(al_buf_view(&whole), al_buf_view(&split)));
  return 0;
}
