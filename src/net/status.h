/* HTTP status lines and dates. */
#ifndef AL_NET_STATUS_H
#define AL_NET_STATUS_H

#include <stddef.h>
#include <stdint.h>

/* "Not Found"; "Unknown" for a code that has no name here. Static. */
const char *al_net_reason_phrase(int status);

constexpr size_t AL_NET_DATE_BYTES = 32;

/* RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT". */
void al_net_format_date(char out[AL_NET_DATE_BYTES], int64_t unix_s);

#endif
