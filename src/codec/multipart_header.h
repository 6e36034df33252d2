/* What stands in the headers of a multipart/form-data body and of its parts. Private to multipart.c. */
#ifndef AL_CODEC_MULTIPART_HEADER_H
#define AL_CODEC_MULTIPART_HEADER_H

#include "codec/multipart.h"

constexpr size_t AL_MULTIPART_MAX_BOUNDARY_BYTES = 70; /* RFC 2046, 5.1.1 */

/* The boundary that a Content-Type header names, into out (NUL-terminated). */
enum al_code al_multipart_boundary(struct al_str content_type, char out[AL_MULTIPART_MAX_BOUNDARY_BYTES + 1],
                                   struct al_err *err);

struct al_multipart_names { /* memory of a part's decoded names */
  char name[AL_MULTIPART_MAX_NAME_BYTES];
  char filename[AL_MULTIPART_MAX_NAME_BYTES];
};

/* A part's headers with the empty line at their end. What *part points to lies in names and headers. */
enum al_code al_multipart_part_headers(struct al_str headers, struct al_multipart_names *names,
                                       struct al_multipart_part *part, struct al_err *err);

#endif
