/* Bytes of a WebSocket's client to text messages, by wslay: masks, fragments, UTF-8, control frames, the closing
 * handshake. And frames of the server. No I/O: what has to be answered is appended to a buffer. */
#ifndef AL_NET_WEBSOCKET_FRAMES_H
#define AL_NET_WEBSOCKET_FRAMES_H

#include "base/buf.h"
#include "base/str.h"

#include <stdint.h>

struct al_net_frames;

/* A whole text message, borrowed for the call. */
typedef void al_net_frames_message_fn(void *user, struct al_str text);

/* nullptr when memory runs out. */
struct al_net_frames *al_net_frames_new(size_t max_message_bytes, al_net_frames_message_fn *message, void *user);
void al_net_frames_free(struct al_net_frames *frames); /* accepts nullptr; not inside `message` */

/* false: reading has ended, with a Close in `out` if one could be made; later bytes are ignored. */
bool al_net_frames_feed(struct al_net_frames *frames, struct al_str bytes, struct al_buf *out);
/* The client has said Close: nothing more will come from it. */
bool al_net_frames_peer_closed(const struct al_net_frames *frames);
/* Something has come since the last call. */
bool al_net_frames_heard(struct al_net_frames *frames);
bool al_net_frames_had_message(struct al_net_frames *frames); /* likewise, a whole text message */

constexpr size_t AL_NET_FRAME_HEAD_BYTES = 10;
enum al_net_opcode { AL_NET_FRAME_TEXT = 0x1, AL_NET_FRAME_CLOSE = 0x8, AL_NET_FRAME_PING = 0x9 };
/* The head of an unfragmented, unmasked frame; returns its size. */
size_t al_net_frame_head(char head[AL_NET_FRAME_HEAD_BYTES], enum al_net_opcode opcode, size_t payload_bytes);

#endif
