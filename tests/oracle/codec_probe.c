/* Answers questions about the codecs for test_codec.py. A question on standard input is a letter (j: parse and print
 * JSON, n: form C, s: repair UTF-8, r: print a double, m: read a form, whose Content-Type stands before a zero byte), a
 * 32-bit length and the bytes; an answer is a length and the
 * bytes, or the length UINT32_MAX when refused. Little endian. */
#include "base/alloc.h"
#include "codec/json.h"
#include "codec/multipart.h"
#include "codec/utf8.h"

#include <stdio.h>

static bool print_json(struct al_str text, struct al_buf *out)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (al_json_parse(text, &doc, nullptr) != AL_OK)
    return false;
  al_json_print(out, al_json_root(doc));
  return true;
}

static bool print_real(struct al_str bytes, struct al_buf *out)
{
  double value = 0;
  memcpy(&value, bytes.data, al_min_size(bytes.size, sizeof value));
  struct al_json_writer writer = al_json_writer(out);
  al_jw_real(&writer, value);
  return true;
}

/* --- forms: each part's name, file name and type with their lengths, and the data in pieces with theirs --- */

static void put(struct al_buf *out, struct al_str text)
{
  uint32_t size = text.data != nullptr ? (uint32_t)text.size : UINT32_MAX;
  al_buf_add(out, &size, sizeof size);
  al_buf_add(out, text.data, text.size);
}

static bool part_begin(void *user, const struct al_multipart_part *part)
{
  put(user, part->name);
  put(user, part->filename);
  put(user, part->content_type);
  return true;
}

static bool part_data(void *user, struct al_str bytes)
{
  put(user, bytes);
  return true;
}

static bool part_end(void *user)
{
  put(user, al_str_n("", 0));
  return true;
}

static bool print_form(struct al_str text, struct al_buf *out)
{
  const struct al_multipart_events events = { part_begin, part_data, part_end, out };
  AL_CLEANUP(al_multipart_free_p) struct al_multipart *multipart = nullptr;
  const char *zero = text.size > 0 ? memchr(text.data, '\0', text.size) : nullptr;
  if (zero == nullptr)
    return false;
  size_t type_size = (size_t)(zero - text.data);
  if (al_multipart_new(al_str_n(text.data, type_size), &events, &multipart, nullptr) != AL_OK)
    return false;
  struct al_str body = al_str_n(zero + 1, text.size - type_size - 1);
  for (size_t n = 1; body.size > 0; n = n % 97 + 1) { /* in pieces of all small sizes */
    size_t size = al_min_size(n, body.size);
    if (al_multipart_feed(multipart, al_str_n(body.data, size), nullptr) != AL_OK)
      return false;
    body = al_str_n(body.data + size, body.size - size);
  }
  return al_multipart_end(multipart, nullptr) == AL_OK;
}

static bool answer(int question, struct al_str text, struct al_buf *out)
{
  switch (question) {
  case 'j': return print_json(text, out);
  case 'n': return al_utf8_nfc(text, out, nullptr) == AL_OK;
  case 's': al_utf8_sanitize(text, out); return true;
  case 'r': return print_real(text, out);
  case 'm': return print_form(text, out);
  default: return false;
  }
}

int main(void)
{
  for (int question = getchar(); question != EOF; question = getchar()) {
    uint32_t size;
    if (fread(&size, sizeof size, 1, stdin) != 1)
      return 1;
    AL_CLEANUP(al_buf_done) struct al_buf text = {}, out = {};
    char *room = al_buf_room(&text, size);
    if (room == nullptr || fread(room, 1, size, stdin) != size)
      return 1;
    al_buf_grew(&text, size);
    uint32_t answered = answer(question, al_buf_view(&text), &out) ? (uint32_t)out.size : UINT32_MAX;
    (void)fwrite(&answered, sizeof answered, 1, stdout);
    (void)fwrite(al_buf_view(&out).data, 1, answered != UINT32_MAX ? out.size : 0, stdout);
    (void)fflush(stdout); /* whoever asks may wait for it */
  }
  return 0;
}
