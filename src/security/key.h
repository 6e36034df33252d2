/* API keys: kept and compared as SHA-256 digests only, so that neither the memory of the server nor the time an answer
 * takes tells anything about the key. */
#ifndef AL_SECURITY_KEY_H
#define AL_SECURITY_KEY_H

#include "base/str.h"
#include "net/http.h"

#include <stdint.h>

struct al_key_digest {
  uint8_t bytes[32];
  bool present; /* false: no key is needed */
};

/* An empty key gives a digest that is not present. */
struct al_key_digest al_key_digest_of(struct al_str key);

/* Constant time in the key. A digest that is not present admits everything. */
bool al_key_matches(const struct al_key_digest *digest, struct al_str presented);

/* The key a client presents: "Authorization: Bearer KEY", or "x-api-key: KEY". Size 0 when there is none; borrowed. */
struct al_str al_key_presented(const struct al_http_exchange *exchange);

/* KEY of "Bearer KEY" (scheme in any case, spaces around it ignored); size 0 for any other scheme. */
struct al_str al_key_of_bearer(struct al_str authorization);

#endif
