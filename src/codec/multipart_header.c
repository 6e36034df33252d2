/* Content-Type, Content-Disposition and Content-Transfer-Encoding as RFC 7578, RFC 2046 and RFC 8187 define them, and
 * as browsers write them (WHATWG HTML, 4.10.21.8: a quotation mark in a name is %22). */
#include "codec/multipart_header.h"

#include "codec/utf8.h"

#include <ctype.h>
#include <strings.h>

static bool same_word(struct al_str have, const char *word)
{
  return have.size == strlen(word) && (have.size == 0 || strncasecmp(have.data, word, have.size) == 0);
}

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n'; /* CR and LF: of a folded line */
}

static struct al_str skip(struct al_str text, size_t size)
{
  return al_str_n(text.data + size, text.size - size);
}

static struct al_str trim(struct al_str text)
{
  while (text.size > 0 && is_space(text.data[0]))
    text = skip(text, 1);
  while (text.size > 0 && is_space(text.data[text.size - 1]))
    text.size--;
  return text;
}

/* Cuts what stands before the first of `stops` off the text. */
static struct al_str cut(struct al_str *text, const char *stops)
{
  size_t size = 0;
  while (size < text->size && (text->data[size] == '\0' || strchr(stops, text->data[size]) == nullptr))
    size++;
  struct al_str before = al_str_n(text->data, size);
  *text = skip(*text, size);
  return before;
}

/* --- parameters ------------------------------------------------------------------------------------------------- */

struct parameter {
  struct al_str name;  /* "filename*" */
  struct al_str value; /* between its quotation marks, with its escapes */
  bool quoted;
};

static enum al_code malformed(const char *header, struct al_err *err)
{
  return al_fail(err, AL_INVALID_REQUEST, "the form's %s header is malformed", header);
}

/* A backslash hides a quotation mark, so that this is not the end of the value. */
static bool cut_quoted(struct al_str *text, struct al_str *value)
{
  size_t size = 1;
  while (size < text->size && text->data[size] != '"') {
    bool escape = text->data[size] == '\\' && size + 1 < text->size &&
                  (text->data[size + 1] == '"' || text->data[size + 1] == '\\');
    size += escape ? 2 : 1;
  }
  if (size >= text->size)
    return false;
  *value = al_str_n(text->data + 1, size - 1);
  *text = skip(*text, size + 1);
  return true;
}

/* Takes `; name=value` off the text. *found is false at its end. */
static enum al_code next_parameter(struct al_str *text, const char *header, struct parameter *parameter, bool *found,
                                   struct al_err *err)
{
  *text = trim(*text);
  *found = text->size > 0;
  if (!*found)
    return AL_OK;
  if (text->data[0] != ';')
    return malformed(header, err);
  *text = trim(skip(*text, 1));
  if (text->size == 0) { /* "form-data; " is nothing to complain about */
    *found = false;
    return AL_OK;
  }
  parameter->name = trim(cut(text, "=;\""));
  if (parameter->name.size == 0 || text->size == 0 || text->data[0] != '=')
    return malformed(header, err);
  *text = trim(skip(*text, 1));
  parameter->quoted = text->size > 0 && text->data[0] == '"';
  if (!parameter->quoted)
    parameter->value = trim(cut(text, ";"));
  else if (!cut_quoted(text, &parameter->value))
    return malformed(header, err);
  return AL_OK;
}

/* --- the boundary ----------------------------------------------------------------------------------------------- */

static bool boundary_char(char c)
{
  return c != '\0' && (isalnum((unsigned char)c) || strchr("'()+_,-./:=? ", c) != nullptr);
}

static bool usable_boundary(struct al_str boundary)
{
  if (boundary.size == 0 || boundary.size > AL_MULTIPART_MAX_BOUNDARY_BYTES || boundary.data[boundary.size - 1] == ' ')
    return false;
  for (size_t i = 0; i < boundary.size; i++)
    if (!boundary_char(boundary.data[i]))
      return false;
  return true;
}

enum al_code al_multipart_boundary(struct al_str content_type, char out[AL_MULTIPART_MAX_BOUNDARY_BYTES + 1],
                                   struct al_err *err)
{
  struct al_str text = trim(content_type);
  struct al_str boundary = {};
  if (!same_word(trim(cut(&text, ";")), "multipart/form-data"))
    return al_fail(err, AL_INVALID_REQUEST, "the body must be a form: Content-Type: multipart/form-data");
  for (;;) {
    struct parameter parameter = {};
    bool found;
    AL_TRY(next_parameter(&text, "Content-Type", &parameter, &found, err));
    if (!found)
      break;
    if (!same_word(parameter.name, "boundary"))
      continue;
    if (boundary.data != nullptr)
      return al_fail(err, AL_INVALID_REQUEST, "the form's Content-Type names two boundaries");
    boundary = parameter.value;
  }
  if (boundary.data == nullptr)
    return al_fail(err, AL_INVALID_REQUEST, "the form's Content-Type names no boundary");
  if (!usable_boundary(boundary))
    return al_fail(err, AL_INVALID_REQUEST, "the form's boundary must be 1 to %zu letters, digits and '()+_,-./:=?",
                   AL_MULTIPART_MAX_BOUNDARY_BYTES);
  memcpy(out, boundary.data, boundary.size);
  out[boundary.size] = '\0';
  return AL_OK;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

struct decoded { /* into a buffer of AL_MULTIPART_MAX_NAME_BYTES */
  char *to;
  size_t size;
  bool too_long;
};

static void put(struct decoded *out, char c)
{
  out->too_long |= out->size == AL_MULTIPART_MAX_NAME_BYTES;
  if (!out->too_long)
    out->to[out->size++] = c;
}

/* "\"" and "\\" as mail and older clients write them; other backslashes stand for themselves, as in C:\talk.wav. */
static void decode_plain(const struct parameter *parameter, struct decoded *out)
{
  struct al_str text = parameter->value;
  for (size_t i = 0; i < text.size; i++) {
    bool escape = parameter->quoted && text.data[i] == '\\' && i + 1 < text.size &&
                  (text.data[i + 1] == '"' || text.data[i + 1] == '\\');
    if (escape) {
      put(out, text.data[++i]);
    } else if (text.size - i >= 3 && memcmp(text.data + i, "%22", 3) == 0) {
      put(out, '"');
      i += 2;
    } else {
      put(out, text.data[i]);
    }
  }
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 8187: UTF-8'language'percent%20encoded. */
static bool decode_extended(const struct parameter *parameter, struct decoded *out)
{
  struct al_str text = parameter->value;
  struct al_str charset = cut(&text, "'");
  if (!same_word(charset, "utf-8") || text.size == 0)
    return false;
  text = skip(text, 1);
  (void)cut(&text, "'");
  if (text.size == 0)
    return false;
  text = skip(text, 1);
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    if (c == '%') {
      int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
      int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
      if (high < 0 || low < 0)
        return false;
      c = (char)(high << 4 | low);
      i += 2;
    }
    put(out, c);
  }
  return true;
}

static bool printable(struct al_str text)
{
  for (size_t i = 0; i < text.size; i++)
    if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
      return false;
  return al_utf8_valid(text);
}

static enum al_code decode_name(const struct parameter *parameter, char *memory, struct al_str *name,
                                struct al_err *err)
{
  bool extended = parameter->name.data[parameter->name.size - 1] == '*';
  struct decoded out = { .to = memory };
  if (!extended)
    decode_plain(parameter, &out);
  else if (!decode_extended(parameter, &out))
    return al_fail(err, AL_INVALID_REQUEST, "an encoded name in the form must look like UTF-8''name");
  if (out.too_long)
    return al_fail(err, AL_INVALID_REQUEST, "a name in the form is longer than %zu bytes", AL_MULTIPART_MAX_NAME_BYTES);
  if (!printable(al_str_n(out.to, out.size)))
    return al_fail(err, AL_INVALID_REQUEST, "a name in the form is no printable UTF-8 text");
  *name = al_str_n(out.to, out.size);
  return AL_OK;
}

struct disposition { /* name.data nullptr: absent */
  struct parameter name, extended_name, filename, extended_filename;
};

static enum al_code keep_parameter(struct disposition *found, const struct parameter *parameter, struct al_err *err)
{
  const struct {
    const char *name;
    struct parameter *place;
  } places[] = { { "name", &found->name },
                 { "name*", &found->extended_name },
                 { "filename", &found->filename },
                 { "filename*", &found->extended_filename } };
  for (size_t i = 0; i < AL_COUNT(places); i++) {
    if (!same_word(parameter->name, places[i].name))
      continue;
    if (places[i].place->name.data != nullptr)
      return al_fail(err, AL_INVALID_REQUEST, "a part of the form gives its %s twice", places[i].name);
    *places[i].place = *parameter;
  }
  return AL_OK; /* others are ignored, as RFC 2183 has it */
}

static enum al_code read_disposition(struct al_str text, struct al_multipart_names *names,
                                     struct al_multipart_part *part, struct al_err *err)
{
  struct disposition found = {};
  if (!same_word(trim(cut(&text, ";")), "form-data"))
    return al_fail(err, AL_INVALID_REQUEST, "a part of the form has no Content-Disposition: form-data");
  for (;;) {
    struct parameter parameter = {};
    bool more;
    AL_TRY(next_parameter(&text, "Content-Disposition", &parameter, &more, err));
    if (!more)
      break;
    AL_TRY(keep_parameter(&found, &parameter, err));
  }
  /* RFC 6266, 4.3: of both forms the encoded one counts. */
  const struct parameter *name = found.extended_name.name.data != nullptr ? &found.extended_name : &found.name;
  const struct parameter *filename =
      found.extended_filename.name.data != nullptr ? &found.extended_filename : &found.filename;
  if (name->name.data != nullptr)
    AL_TRY(decode_name(name, names->name, &part->name, err));
  if (part->name.size == 0)
    return al_fail(err, AL_INVALID_REQUEST, "a part of the form has no name");
  return filename->name.data != nullptr ? decode_name(filename, names->filename, &part->filename, err) : AL_OK;
}

/* --- a part's headers ------------------------------------------------------------------------------------------- */

struct found_headers { /* data nullptr: absent */
  struct al_str disposition, type, encoding;
};

/* A header with the lines that continue it; the text begins with the next one afterwards. */
static struct al_str cut_header(struct al_str *text)
{
  const char *start = text->data;
  do {
    const char *end = memmem(text->data, text->size, "\r\n", 2);
    *text = end != nullptr ? skip(*text, (size_t)(end - text->data) + 2) : skip(*text, text->size);
  } while (text->size > 0 && (text->data[0] == ' ' || text->data[0] == '\t'));
  return trim(al_str_n(start, (size_t)(text->data - start)));
}

static enum al_code keep_header(struct found_headers *found, struct al_str header, struct al_err *err)
{
  struct al_str value = header;
  struct al_str name = cut(&value, ": \t\r\n\"");
  if (name.size == 0 || value.size == 0 || value.data[0] != ':')
    return al_fail(err, AL_INVALID_REQUEST, "a part of the form has a malformed header");
  value = trim(skip(value, 1));
  const struct {
    const char *name;
    struct al_str *place;
  } places[] = { { "Content-Disposition", &found->disposition },
                 { "Content-Type", &found->type },
                 { "Content-Transfer-Encoding", &found->encoding } };
  for (size_t i = 0; i < AL_COUNT(places); i++) {
    if (!same_word(name, places[i].name))
      continue;
    if (places[i].place->data != nullptr)
      return al_fail(err, AL_INVALID_REQUEST, "a part of the form has its %s twice", places[i].name);
    *places[i].place = value;
  }
  return AL_OK;
}

static enum al_code check_plain(const struct al_multipart_part *part, struct al_str encoding, struct al_err *err)
{
  static const char *const plain[] = { "", "binary", "8bit", "7bit" };
  bool known = false;
  for (size_t i = 0; i < AL_COUNT(plain); i++)
    known |= same_word(encoding, plain[i]);
  if (!known)
    return al_fail(err, AL_INVALID_REQUEST, "the form's part \"%.*s\" must come as it is, not in a transfer encoding",
                   (int)part->name.size, part->name.data);
  struct al_str nested = al_str("multipart/");
  if (part->content_type.size >= nested.size && strncasecmp(part->content_type.data, nested.data, nested.size) == 0)
    return al_fail(err, AL_INVALID_REQUEST, "the form's part \"%.*s\" must not be a form itself", (int)part->name.size,
                   part->name.data);
  return AL_OK;
}

static bool line_ends_are_whole(struct al_str text)
{
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    bool whole = c != '\0' && (c != '\n' || (i > 0 && text.data[i - 1] == '\r')) &&
                 (c != '\r' || (i + 1 < text.size && text.data[i + 1] == '\n'));
    if (!whole)
      return false;
  }
  return true;
}

enum al_code al_multipart_part_headers(struct al_str headers, struct al_multipart_names *names,
                                       struct al_multipart_part *part, struct al_err *err)
{
  struct found_headers found = {};
  struct al_multipart_part made = {};
  if (!line_ends_are_whole(headers))
    return al_fail(err, AL_INVALID_REQUEST, "a part of the form has a malformed header");
  while (headers.size > 2) /* the empty line */
    AL_TRY(keep_header(&found, cut_header(&headers), err));
  if (found.disposition.data == nullptr)
    return al_fail(err, AL_INVALID_REQUEST, "a part of the form has no Content-Disposition: form-data");
  AL_TRY(read_disposition(found.disposition, names, &made, err));
  made.content_type = found.type.data != nullptr ? found.type : al_str("");
  AL_TRY(check_plain(&made, found.encoding, err));
  *part = made;
  return AL_OK;
}
