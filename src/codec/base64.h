/* Base64 (RFC 4648 section 4, with padding). */
#ifndef AL_CODEC_BASE64_H
#define AL_CODEC_BASE64_H

#include "base/buf.h"

void al_base64_encode(struct al_buf *out, struct al_str bytes);

#endif
