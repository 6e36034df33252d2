/* multipart/form-data (RFC 7578) as it comes: bytes in, parts out, nothing kept but a boundary's length and one part's
 * headers, each bounded. */
#ifndef AL_CODEC_MULTIPART_H
#define AL_CODEC_MULTIPART_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

constexpr size_t AL_MULTIPART_MAX_HEADERS_BYTES = 8 << 10; /* of one part */
constexpr size_t AL_MULTIPART_MAX_NAME_BYTES = 256;        /* of a field or a file */
constexpr int AL_MULTIPART_MAX_PARTS = 256;

struct al_multipart_part {    /* borrowed for the call */
  struct al_str name;         /* decoded; never empty */
  struct al_str filename;     /* data nullptr: not a file */
  struct al_str content_type; /* "" when not given */
};

/* false stops: feed then returns AL_CANCELLED. */
struct al_multipart_events {
  bool (*part_begin)(void *user, const struct al_multipart_part *part);
  bool (*part_data)(void *user, struct al_str bytes); /* any number of times */
  bool (*part_end)(void *user);
  void *user;
};

struct al_multipart;

/* From a Content-Type header: AL_INVALID_REQUEST when it is not multipart/form-data or has no usable boundary. */
enum al_code al_multipart_new(struct al_str content_type, const struct al_multipart_events *events,
                              struct al_multipart **multipart, struct al_err *err);
enum al_code al_multipart_feed(struct al_multipart *multipart, struct al_str bytes, struct al_err *err);
/* The body is over: AL_INVALID_REQUEST when its last boundary has not come. */
enum al_code al_multipart_end(struct al_multipart *multipart, struct al_err *err);
void al_multipart_free(struct al_multipart *multipart); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_multipart, al_multipart_free)

#endif
