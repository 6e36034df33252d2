/* Forms as the server reads them (codec/multipart.h). */
#include <cmocka.h>
#include <setjmp.h> // IWYU pragma: keep
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/form.h"
#include "codec/multipart.h"

#include <string.h>

static bool begin(void *user, const struct al_multipart_part *part)
{
  al_buf_printf(user, "[%.*s|", (int)part->name.size, part->name.data);
  al_buf_printf(user, "%.*s:", (int)part->filename.size, part->filename.data != nullptr ? part->filename.data : "");
  return true;
}

static bool data(void *user, struct al_str bytes)
{
  al_buf_add(user, bytes.data, bytes.size);
  return true;
}

static bool end(void *user)
{
  al_buf_char(user, ']');
  return true;
}

static void assert_reads(const char *filename, const char *expected)
{
  struct al_form form = {};
  AL_CLEANUP(al_buf_done) struct al_buf seen = {};
  const struct al_multipart_events events = { begin, data, end, &seen };
  AL_CLEANUP(al_multipart_free_p) struct al_multipart *multipart = nullptr;
  assert_int_equal(al_form_init(&form, nullptr), AL_OK);
  al_form_field(&form, "model", "tiny");
  al_form_field(&form, "prompt", "two\r\nlines");
  al_form_file(&form, "file", filename, 7, 5);
  assert_int_equal(form.upload.fd, 7);
  assert_int_equal(form.upload.size_bytes, 5);
  assert_int_equal(al_multipart_new(al_str(form.content_type), &events, &multipart, nullptr), AL_OK);
  assert_int_equal(al_multipart_feed(multipart, al_buf_view(&form.head), nullptr), AL_OK);
  assert_int_equal(al_multipart_feed(multipart, al_str("sound"), nullptr), AL_OK);
  assert_int_equal(al_multipart_feed(multipart, form.upload.tail, nullptr), AL_OK);
  assert_int_equal(al_multipart_end(multipart, nullptr), AL_OK);
  assert_string_equal(seen.data, expected);
  al_form_done(&form);
}

static void names_of_files(void **state)
{
  (void)state;
  assert_reads("a.wav", "[model|:tiny][prompt|:two\r\nlines][file|a.wav:sound]");
  assert_reads("a\"b\r\n.wav", "[model|:tiny][prompt|:two\r\nlines][file|a\"b__.wav:sound]");
  assert_reads("zoë.wav", "[model|:tiny][prompt|:two\r\nlines][file|zoë.wav:sound]");
  assert_reads("\xff.wav", "[model|:tiny][prompt|:two\r\nlines][file|\xef\xbf\xbd.wav:sound]");
  char many[1000];
  memset(many, '"', sizeof many - 1);
  many[sizeof many - 1] = '\0';
  AL_CLEANUP(al_buf_done) struct al_buf expected = {};
  al_buf_str(&expected, "[model|:tiny][prompt|:two\r\nlines][file|");
  al_buf_add(&expected, many, 66);
  al_buf_str(&expected, ":sound]");
  assert_reads(many, expected.data);
}

int main(void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test(names_of_files) };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
