#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_int least_level = AL_LOG_INFO;
static atomic_bool json_lines;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void al_log_setup(enum al_log_level least, bool as_json)
{
  atomic_store(&least_level, (int)least);
  atomic_store(&json_lines, as_json);
}

bool al_log_enabled(enum al_log_level level)
{
  return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* Size of the well-formed UTF-8 character at p, 0 when malformed. The decoder in codec/ stands above this folder. */
static size_t character_size(const unsigned char *p)
{
  size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) /* stops at the closing NUL too */
      return 0;
  bool is_malformed = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
                      (p[0] == 0xf4 && p[1] > 0x8f);
  return is_malformed ? 0 : n;
}

/* A JSON string; it serves as the quoted form of text lines too, so that a value never breaks its line. */
static void put_quoted(struct al_buf *line, const char *text)
{
  al_buf_char(line, '"');
  for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
    size_t n = character_size(p);
    if (*p == '"' || *p == '\\')
      al_buf_printf(line, "\\%c", *p);
    else if (*p < 0x20 || *p == 0x7f)
      al_buf_printf(line, "\\u%04x", *p);
    else if (n == 0)
      al_buf_str(line, "\xef\xbf\xbd");
    else
      al_buf_add(line, p, n);
    p += n > 0 ? n : 1;
  }
  al_buf_char(line, '"');
}

static void put_number(struct al_buf *line, double number)
{
  if (isfinite(number))
    al_buf_printf(line, "%.6g", number);
  else
    al_buf_str(line, "null"); /* JSON has no other word for it */
}

static void put_value(struct al_buf *line, const struct al_field *field)
{
  switch (field->kind) {
  case AL_FIELD_STR: put_quoted(line, field->text != nullptr ? field->text : ""); break;
  case AL_FIELD_INT: al_buf_printf(line, "%lld", (long long)field->integer); break;
  case AL_FIELD_DOUBLE: put_number(line, field->number); break;
  }
}

static void put_time(struct al_buf *line)
{
  int64_t ms = al_wall_ms();
  time_t seconds = (time_t)(ms / 1000);
  struct tm utc;
  if (gmtime_r(&seconds, &utc) == nullptr)
    return;
  char text[32];
  (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  al_buf_printf(line, "%s.%03dZ", text, (int)(ms % 1000));
}

static void write_all(const struct al_buf *line)
{
  size_t done = 0;
  while (done < line->size) {
    ssize_t n = write(STDERR_FILENO, line->data + done, line->size - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    done += (size_t)n;
  }
}

void al_log_fields(enum al_log_level level, const char *event, const struct al_field *fields, size_t n_fields)
{
  if (!al_log_enabled(level))
    return;
  bool as_json = atomic_load_explicit(&json_lines, memory_order_relaxed);
  AL_CLEANUP(al_buf_done) struct al_buf line = {};
  al_buf_str(&line, as_json ? "{\"time\":\"" : "");
  put_time(&line);
  al_buf_printf(&line, as_json ? "\",\"level\":\"%s\",\"event\":\"%s\"" : " %-5s %s", level_names[level], event);
  for (size_t i = 0; i < n_fields; i++) {
    al_buf_printf(&line, as_json ? ",\"%s\":" : " %s=", fields[i].key);
    put_value(&line, &fields[i]);
  }
  al_buf_str(&line, as_json ? "}\n" : "\n");
  if (!line.failed)
    write_all(&line);
}

void al_log_err(enum al_log_level level, const char *event, const struct al_err *err)
{
  al_log(level, event, AL_S("code", al_code_name(err->code)), AL_S("message", err->message));
}
