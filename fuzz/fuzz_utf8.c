/* Repaired text is valid, and stays as it is when repaired again; form C is a fixed point of itself; text cut anywhere
 * before a character's end is seen as incomplete. */
#include "codec/utf8.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct al_str text = al_str_n((const char *)data, size);
  AL_CLEANUP(al_buf_done) struct al_buf repaired = {}, normal = {}, again = {};
  al_utf8_sanitize(text, &repaired);
  assert(al_utf8_valid(al_buf_view(&repaired)));
  assert(al_utf8_valid(text) == al_str_eq(text, al_buf_view(&repaired)));
  assert(al_utf8_incomplete_tail(text) <= 3);
  assert(!al_utf8_valid(text) || al_utf8_incomplete_tail(text) == 0);
  enum al_code code = al_utf8_nfc(al_buf_view(&repaired), &normal, nullptr);
  assert(code == AL_OK);
  code = al_utf8_nfc(al_buf_view(&normal), &again, nullptr);
  assert(code == AL_OK && al_str_eq(al_buf_view(&normal), al_buf_view(&again)));
  return 0;
}
