/* Answers questions about the codecs for test_codec.py. A question on standard input is a letter (j: parse and print
 * JSON, n: form C, s: repair UTF-8, r: print a double), a 32-bit length and the bytes; an answer is a length and the
 * bytes, or the length UINT32_MAX when refused. Little endian. */
#include "base/alloc.h"
#include "codec/json.h"
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

static bool answer(int question, struct al_str text, struct al_buf *out)
{
  switch (question) {
  case 'j': return print_json(text, out);
  case 'n': return al_utf8_nfc(text, out, nullptr) == AL_OK;
  case 's': al_utf8_sanitize(text, out); return true;
  case 'r': return print_real(text, out);
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
  }
  return 0;
}
