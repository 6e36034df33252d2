#include "net/tls.h"

#include "base/alloc.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct al_net_tls_context {
  SSL_CTX *ssl;
};

struct al_net_tls {
  SSL *ssl; /* owns both BIOs */
  BIO *in, *out;
};

static enum al_code fail_file(struct al_err *err, const char *what, const char *path)
{
  char reason[160];
  unsigned long code = ERR_peek_last_error();
  ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  return al_fail(err, AL_INVALID_REQUEST, "the TLS %s %s cannot be used: %s", what, path, reason);
}

/* Only HTTP/1.1 is spoken here; a client that offers nothing else is refused by its own handshake. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
                           unsigned in_size, void *unused)
{
  (void)ssl;
  (void)unused;
  static const char wanted[] = "http/1.1";
  for (unsigned at = 0; at < in_size; at += 1u + in[at]) {
    if (in[at] == sizeof wanted - 1 && at + sizeof wanted <= in_size &&
        memcmp(&in[at + 1], wanted, sizeof wanted - 1) == 0) {
      *out = &in[at + 1];
      *out_size = in[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_NOACK;
}

static enum al_code load_files(SSL_CTX *ssl, const char *certificate, const char *key, struct al_err *err)
{
  if (SSL_CTX_use_certificate_chain_file(ssl, certificate) != 1)
    return fail_file(err, "certificate", certificate);
  if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1)
    return fail_file(err, "key", key);
  if (SSL_CTX_check_private_key(ssl) != 1)
    return fail_file(err, "key", key);
  return AL_OK;
}

enum al_code al_net_tls_context_new(const char *certificate, const char *key, struct al_net_tls_context **context,
                                    struct al_err *err)
{
  struct al_net_tls_context *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->ssl = SSL_CTX_new(TLS_server_method());
  enum al_code code = made->ssl == nullptr ? al_fail_oom(err, 0) : load_files(made->ssl, certificate, key, err);
  if (code != AL_OK) {
    al_net_tls_context_free(made);
    return code;
  }
  (void)SSL_CTX_set_min_proto_version(made->ssl, TLS1_2_VERSION);
  (void)SSL_CTX_set_mode(made->ssl, SSL_MODE_RELEASE_BUFFERS);
  (void)SSL_CTX_set_options(made->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_alpn_select_cb(made->ssl, choose_protocol, nullptr);
  *context = made;
  return AL_OK;
}

void al_net_tls_context_free(struct al_net_tls_context *context)
{
  if (context == nullptr)
    return;
  SSL_CTX_free(context->ssl);
  al_free(context);
}

struct al_net_tls *al_net_tls_new(struct al_net_tls_context *context)
{
  struct al_net_tls *tls = al_calloc(1, sizeof *tls);
  if (tls == nullptr)
    return nullptr;
  tls->ssl = SSL_new(context->ssl);
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  if (tls->ssl == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    al_net_tls_free(tls);
    return nullptr;
  }
  SSL_set_bio(tls->ssl, in, out);
  SSL_set_accept_state(tls->ssl);
  tls->in = in;
  tls->out = out;
  return tls;
}

void al_net_tls_free(struct al_net_tls *tls)
{
  if (tls == nullptr)
    return;
  SSL_free(tls->ssl);
  al_free(tls);
}

bool al_net_tls_feed(struct al_net_tls *tls, struct al_str wire)
{
  return wire.size <= INT_MAX && BIO_write(tls->in, wire.data, (int)wire.size) == (int)wire.size;
}

enum al_net_tls_result al_net_tls_read(struct al_net_tls *tls, char *data, size_t *size)
{
  ERR_clear_error();
  size_t got = 0;
  int result = SSL_read_ex(tls->ssl, data, *size, &got);
  *size = got;
  if (result == 1)
    return AL_NET_TLS_DATA;
  int error = SSL_get_error(tls->ssl, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
    return AL_NET_TLS_WANT;
  return error == SSL_ERROR_ZERO_RETURN ? AL_NET_TLS_CLOSED : AL_NET_TLS_BROKEN;
}

bool al_net_tls_write(struct al_net_tls *tls, struct al_str plain)
{
  ERR_clear_error();
  size_t wrote = 0;
  /* A memory BIO takes everything, so a write is whole or has failed. */
  return plain.size == 0 || (SSL_write_ex(tls->ssl, plain.data, plain.size, &wrote) == 1 && wrote == plain.size);
}

void al_net_tls_shut(struct al_net_tls *tls)
{
  if (SSL_is_init_finished(tls->ssl) == 1)
    (void)SSL_shutdown(tls->ssl);
  ERR_clear_error();
}

void al_net_tls_take(struct al_net_tls *tls, struct al_buf *wire)
{
  size_t waiting = BIO_ctrl_pending(tls->out);
  if (waiting == 0)
    return;
  char *room = al_buf_room(wire, waiting);
  if (room == nullptr)
    return;
  int got = BIO_read(tls->out, room, (int)al_min_size(waiting, INT_MAX));
  al_buf_grew(wire, got > 0 ? (size_t)got : 0);
}
