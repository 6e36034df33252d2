#include "security/key.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

static_assert(sizeof((struct al_key_digest){}.bytes) == SHA256_DIGEST_LENGTH);

struct al_key_digest al_key_digest_of(struct al_str key)
{
  struct al_key_digest digest = {};
  if (key.size == 0)
    return digest;
  digest.present = true;
  (void)SHA256((const unsigned char *)key.data, key.size, digest.bytes);
  return digest;
}

bool al_key_matches(const struct al_key_digest *digest, struct al_str presented)
{
  if (!digest->present)
    return true;
  if (presented.size == 0)
    return false;
  struct al_key_digest other = al_key_digest_of(presented);
  return CRYPTO_memcmp(digest->bytes, other.bytes, sizeof other.bytes) == 0;
}

static struct al_str trim(struct al_str text)
{
  while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
    text = al_str_n(text.data + 1, text.size - 1);
  while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
    text.size--;
  return text;
}

struct al_str al_key_of_bearer(struct al_str authorization)
{
  static const char scheme[] = "bearer ";
  constexpr size_t length = sizeof scheme - 1;
  authorization = trim(authorization);
  if (authorization.size <= length || strncasecmp(authorization.data, scheme, length) != 0)
    return (struct al_str){};
  return trim(al_str_n(authorization.data + length, authorization.size - length));
}

struct al_str al_key_presented(const struct al_http_exchange *exchange)
{
  struct al_str key = al_key_of_bearer(al_http_header(exchange, "authorization"));
  return key.size > 0 ? key : trim(al_http_header(exchange, "x-api-key"));
}
