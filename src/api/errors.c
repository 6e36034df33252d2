#include "api/errors.h"

#include <stdio.h>

#define INVALID "invalid_request_error"
#define SERVER  "server_error"

/* Rows with a reason stand first: they match whatever the code, since a reason is the finer word. */
const struct al_api_error al_api_errors[] = {
  { AL_INVALID_REQUEST, "context_length_exceeded", 400, INVALID, "context_length_exceeded", 0, true },
  { AL_INVALID_REQUEST, "unsupported_media_type", 415, INVALID, "unsupported_media_type", 0, true },
  { AL_OOM_RAM, "disk_full", 507, SERVER, "disk_full", 0, true },
  { AL_OOM_RAM, "overloaded", 503, SERVER, "overloaded", 1, false },
  { AL_CANCELLED, "shutting_down", 503, SERVER, "shutting_down", 2, false },
  { AL_UNSUPPORTED, "model_quarantined", 503, SERVER, "model_quarantined", 0, true },
  { AL_INVALID_REQUEST, nullptr, 400, INVALID, "invalid_request", 0, true },
  { AL_NOT_FOUND, nullptr, 404, INVALID, "not_found", 0, true },
  { AL_UNSUPPORTED, nullptr, 400, INVALID, "unsupported", 0, true },
  { AL_MODEL_CORRUPT, nullptr, 422, INVALID, "model_corrupt", 0, true },
  { AL_LOAD_FAILED, nullptr, 500, SERVER, "load_failed", 0, true },
  { AL_OOM_RAM, nullptr, 507, SERVER, "oom_ram", 0, true },
  { AL_OOM_VRAM, nullptr, 507, SERVER, "oom_vram", 0, true },
  { AL_TIMEOUT, nullptr, 504, SERVER, "timeout", 0, true },
  { AL_CANCELLED, nullptr, 499, SERVER, "cancelled", 0, true },
  { AL_INTERNAL, nullptr, 500, SERVER, "internal_error", 0, false },
};
const size_t al_api_n_errors = AL_COUNT(al_api_errors);

const struct al_api_error *al_api_error_of(const struct al_err *err)
{
  for (size_t i = 0; i < al_api_n_errors; i++) {
    const struct al_api_error *row = &al_api_errors[i];
    if (row->reason != nullptr ? al_streq(row->reason, err->reason) : row->code == err->code)
      return row;
  }
  return &al_api_errors[al_api_n_errors - 1];
}

const char *al_api_error_word(const struct al_err *err)
{
  return err->reason != nullptr ? err->reason : al_api_error_of(err)->word;
}

static bool ends_path(char c)
{
  return c == '\0' || strchr(" \t\n\"'`()[]{}<>,;:", c) != nullptr;
}

/* Of an absolute path that begins at the '/' `at`: its last part. Our own addresses ("/v1/models") and single parts
 * ("/status") tell nothing and stay: then it is `at` itself. */
static const char *last_part(const char *text, const char *at)
{
  if ((at != text && !ends_path(at[-1]) && at[-1] != '=') || strncmp(at, "/v1/", 4) == 0)
    return at;
  const char *last = at;
  for (const char *end = at + 1; !ends_path(*end); end++)
    if (*end == '/' && !ends_path(end[1]))
      last = end + 1;
  return last;
}

void al_api_error_message(const struct al_err *err, char *message, size_t size)
{
  size_t length = 0;
  const char *text = err->message;
  for (const char *at = text; *at != '\0' && length + 1 < size; at++) {
    if (*at == '/')
      at = last_part(text, at);
    message[length++] = *at;
  }
  message[length] = '\0';
}

/* What is found where nobody knows how the request named it. */
static const struct {
  const char *reason, *param;
} reason_params[] = {
  { "model_not_found", "model" }, { "empty_file", "file" },    { "no_audio", "file" },
  { "unknown_media", "file" },    { "corrupt_media", "file" }, { "audio_too_long", "file" },
  { "unknown_voice", "voice" },   { "invalid_ssml", "input" },
};

const char *al_api_error_param(const struct al_err *err)
{
  if (err->param[0] != '\0')
    return err->param;
  for (size_t i = 0; i < AL_COUNT(reason_params); i++)
    if (al_streq(err->reason, reason_params[i].reason))
      return reason_params[i].param;
  return nullptr;
}

void al_api_write_err(struct al_json_writer *w, const struct al_err *err)
{
  char message[sizeof err->message];
  al_api_error_message(err, message, sizeof message);
  al_jw_object(w);
  al_jw_key(w, "error");
  al_jw_object(w);
  al_jw_kv_str(w, "message", message);
  al_jw_kv_str(w, "type", al_api_error_of(err)->type);
  al_jw_kv_str(w, "param", al_api_error_param(err));
  al_jw_kv_str(w, "code", al_api_error_word(err));
  al_jw_end(w);
  al_jw_end(w);
}

void al_api_error_headers(struct al_http_exchange *exchange, const struct al_err *err)
{
  const struct al_api_error *row = al_api_error_of(err);
  if (row->retry_after_s > 0) {
    char seconds[16];
    (void)snprintf(seconds, sizeof seconds, "%d", row->retry_after_s);
    al_http_add_header(exchange, "retry-after", seconds);
  }
  if (row->status >= 500 && row->is_final)
    al_http_add_header(exchange, "x-should-retry", "false");
}

void al_api_reply_err(struct al_http_exchange *exchange, const struct al_err *err)
{
  const struct al_api_error *row = al_api_error_of(err);
  char message[sizeof err->message];
  al_api_error_message(err, message, sizeof message);
  al_api_error_headers(exchange, err);
  al_http_reply_error(exchange, row->status, row->type, al_api_error_word(err), al_api_error_param(err), message);
}
