/* Hostile bytes to a WebSocket's frames. The first byte says into how large pieces the rest is cut. Messages must be
 * UTF-8 within the bound, and what goes back must be whole, unmasked control frames. */
#include "codec/utf8.h"
#include "net/websocket_frames.h"

#include <assert.h>

constexpr size_t MAX_MESSAGE = 4096;

static void on_message(void *user, struct al_str text)
{
  (void)user;
  assert(text.size <= MAX_MESSAGE && al_utf8_valid(text));
}

static void check_answers(struct al_str out)
{
  while (out.size > 0) {
    assert(out.size >= 2);
    unsigned char first = (unsigned char)out.data[0], length = (unsigned char)out.data[1];
    assert((first == 0x88 || first == 0x8a) && length <= 125 && out.size >= 2u + length);
    out = al_str_n(out.data + 2 + length, out.size - 2 - length);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  size_t piece = data[0] > 0 ? data[0] : size;
  struct al_str rest = al_str_n((const char *)data + 1, size - 1);
  struct al_net_frames *frames = al_net_frames_new(MAX_MESSAGE, on_message, nullptr);
  assert(frames != nullptr);
  struct al_buf out = {};
  bool open = true;
  while (rest.size > 0) {
    size_t n = al_min_size(piece, rest.size);
    bool now_open = al_net_frames_feed(frames, al_str_n(rest.data, n), &out);
    assert(open || !now_open);
    open = now_open;
    rest = al_str_n(rest.data + n, rest.size - n);
  }
  check_answers(al_buf_view(&out));
  al_buf_done(&out);
  al_net_frames_free(frames);
  return 0;
}
