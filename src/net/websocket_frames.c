#include "net/websocket_frames.h"

#include "base/alloc.h"
#include "net/websocket.h"

#include <wslay/wslay.h>

/* Fragments cost memory beside their bytes: so many are free, then each has to bring some. */
constexpr size_t FREE_FRAGMENTS = 64;
constexpr size_t LEAST_FRAGMENT_BYTES = 64;

struct al_net_frames {
  wslay_event_context_ptr wslay;
  al_net_frames_message_fn *message;
  void *user;
  struct al_str input; /* during feed: what wslay has not read yet */
  struct al_buf *out;  /* during feed */
  size_t n_fragments;  /* of the message that is coming */
  uint64_t n_bytes;
  bool heard, had_message, broken;
};

static ssize_t on_receive(wslay_event_context_ptr wslay, uint8_t *data, size_t size, int flags, void *user)
{
  (void)flags;
  struct al_net_frames *frames = user;
  size_t n = al_min_size(size, frames->input.size);
  if (n == 0) {
    wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  memcpy(data, frames->input.data, n);
  frames->input = al_str_n(frames->input.data + n, frames->input.size - n);
  return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *data, size_t size, int flags, void *user)
{
  (void)wslay;
  (void)flags;
  struct al_net_frames *frames = user;
  al_buf_add(frames->out, data, size);
  return (ssize_t)size;
}

static void end(struct al_net_frames *frames, enum al_websocket_code code)
{
  frames->broken |= wslay_event_queue_close(frames->wslay, (uint16_t)code, nullptr, 0) != 0;
  wslay_event_shutdown_read(frames->wslay);
}

static void on_frame(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_start_arg *frame, void *user)
{
  (void)wslay;
  struct al_net_frames *frames = user;
  if (wslay_is_ctrl_frame(frame->opcode))
    return;
  if (frame->opcode != WSLAY_CONTINUATION_FRAME)
    frames->n_fragments = frames->n_bytes = 0;
  frames->n_fragments++;
  frames->n_bytes += frame->payload_length;
  if (frames->n_fragments > FREE_FRAGMENTS + frames->n_bytes / LEAST_FRAGMENT_BYTES)
    end(frames, AL_WEBSOCKET_POLICY);
}

static void on_message(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
  (void)wslay;
  struct al_net_frames *frames = user;
  if (message->opcode == WSLAY_BINARY_FRAME)
    end(frames, AL_WEBSOCKET_UNSUPPORTED);
  if (message->opcode != WSLAY_TEXT_FRAME)
    return;
  frames->had_message = true;
  frames->message(frames->user, al_str_n((const char *)message->msg, message->msg_length));
}

struct al_net_frames *al_net_frames_new(size_t max_message_bytes, al_net_frames_message_fn *message, void *user)
{
  static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_receive,
    .send_callback = on_send,
    .on_frame_recv_start_callback = on_frame,
    .on_msg_recv_callback = on_message,
  };
  struct al_net_frames *frames = al_calloc(1, sizeof *frames);
  if (frames == nullptr)
    return nullptr;
  frames->message = message;
  frames->user = user;
  if (wslay_event_context_server_init(&frames->wslay, &callbacks, frames) != 0) {
    al_free(frames);
    return nullptr;
  }
  wslay_event_config_set_max_recv_msg_length(frames->wslay, max_message_bytes);
  return frames;
}

void al_net_frames_free(struct al_net_frames *frames)
{
  if (frames == nullptr)
    return;
  wslay_event_context_free(frames->wslay);
  al_free(frames);
}

static void add_close(struct al_buf *out, enum al_websocket_code code)
{
  char bytes[AL_NET_FRAME_HEAD_BYTES + 2];
  size_t size = al_net_frame_head(bytes, AL_NET_FRAME_CLOSE, 2);
  bytes[size++] = (char)((unsigned)code >> 8 & 0xff);
  bytes[size++] = (char)((unsigned)code & 0xff);
  al_buf_add(out, bytes, size);
}

bool al_net_frames_feed(struct al_net_frames *frames, struct al_str bytes, struct al_buf *out)
{
  if (frames->broken || !wslay_event_get_read_enabled(frames->wslay))
    return false;
  frames->heard |= bytes.size > 0;
  frames->input = bytes;
  frames->out = out;
  int failed = wslay_event_recv(frames->wslay);
  /* Most mistakes make wslay queue the Close that names them and stop reading; frames without sense only fail. */
  if (failed != 0)
    add_close(out, failed == WSLAY_ERR_NOMEM ? AL_WEBSOCKET_INTERNAL : AL_WEBSOCKET_PROTOCOL);
  frames->broken |= failed != 0 || wslay_event_send(frames->wslay) != 0 || out->failed;
  frames->input = (struct al_str){};
  frames->out = nullptr;
  return !frames->broken && wslay_event_get_read_enabled(frames->wslay) != 0;
}

bool al_net_frames_peer_closed(const struct al_net_frames *frames)
{
  return wslay_event_get_close_received(frames->wslay) != 0;
}

static bool take(bool *flag)
{
  bool was = *flag;
  *flag = false;
  return was;
}

bool al_net_frames_heard(struct al_net_frames *frames)
{
  return take(&frames->heard);
}

bool al_net_frames_had_message(struct al_net_frames *frames)
{
  return take(&frames->had_message);
}

size_t al_net_frame_head(char head[AL_NET_FRAME_HEAD_BYTES], enum al_net_opcode opcode, size_t payload_bytes)
{
  size_t n_length = payload_bytes < 126 ? 0 : payload_bytes <= UINT16_MAX ? 2 : 8;
  head[0] = (char)(0x80 | (unsigned)opcode);
  head[1] = (char)(n_length == 0 ? payload_bytes : n_length == 2 ? 126 : 127);
  for (size_t i = 0; i < n_length; i++)
    head[2 + i] = (char)((uint64_t)payload_bytes >> (8 * (n_length - 1 - i)) & 0xff);
  return 2 + n_length;
}
