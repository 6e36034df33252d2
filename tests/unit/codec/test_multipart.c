#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "codec/multipart.h"

#include <stdio.h>

struct seen {
  struct al_buf text; /* "[name|filename|type:data]"; a file name that is absent is "-" */
  int stop_after;     /* 0: never */
  int count;
};

static bool go_on(struct seen *seen)
{
  return ++seen->count != seen->stop_after;
}

static bool begin(void *user, const struct al_multipart_part *part)
{
  struct seen *seen = user;
  const struct al_str filename = part->filename.data != nullptr ? part->filename : al_str("-");
  al_buf_printf(&seen->text, "[%.*s|%.*s|%.*s:", (int)part->name.size, part->name.data, (int)filename.size,
                filename.data, (int)part->content_type.size, part->content_type.data);
  return go_on(seen);
}

static bool data(void *user, struct al_str bytes)
{
  struct seen *seen = user;
  assert_true(bytes.size > 0);
  al_buf_add(&seen->text, bytes.data, bytes.size);
  return go_on(seen);
}

static bool end(void *user)
{
  struct seen *seen = user;
  al_buf_char(&seen->text, ']');
  return go_on(seen);
}

#define TYPE "multipart/form-data; boundary=XX"

static enum al_code parse(const char *type, struct al_str first, struct al_str second, struct seen *seen,
                          struct al_err *err)
{
  const struct al_multipart_events events = { begin, data, end, seen };
  AL_CLEANUP(al_multipart_free_p) struct al_multipart *multipart = nullptr;
  AL_TRY(al_multipart_new(al_str(type), &events, &multipart, err));
  AL_TRY(al_multipart_feed(multipart, first, err));
  AL_TRY(al_multipart_feed(multipart, second, err));
  return al_multipart_end(multipart, err);
}

#define DISPOSITION(rest) "Content-Disposition: form-data; " rest "\r\n"
#define PART(rest, data)  "--XX\r\n" DISPOSITION(rest) "\r\n" data "\r\n"
#define LAST              "--XX--\r\n"

static const struct {
  const char *bytes, *events;
} good[] = {
  { LAST, "" },
  { "--XX--", "" },
  { PART("name=\"a\"", "1") LAST, "[a|-|:1]" },
  { PART("name=a", "1") LAST, "[a|-|:1]" },
  { PART("name=\"a\"", "1") PART("name=\"b\"", "2") LAST, "[a|-|:1][b|-|:2]" },
  { PART("name=\"a\"", "") LAST, "[a|-|:]" },
  { "--XX\r\n" DISPOSITION("name=\"a\"") "\r\n" LAST, "[a|-|:]" }, /* no body at all */
  { "preamble\r\n\r\n--X\r\n" PART("name=\"a\"", "1") LAST "epilogue\r\n" LAST, "[a|-|:1]" },
  { "\r\n" PART("name=\"a\"", "1") LAST, "[a|-|:1]" },
  { "--XX \t\r\n" DISPOSITION("name=\"a\"") "\r\n1\r\n--XX-- \t\r\n", "[a|-|:1]" },
  { PART("name=\"a\"", "\r\n") LAST, "[a|-|:\r\n]" },
  { PART("name=\"a\"", "\r\n-\r\n--\r\n--X\r\n--Y--XX\r\r\n--") LAST, "[a|-|:\r\n-\r\n--\r\n--X\r\n--Y--XX\r\r\n--]" },
  { PART("name=\"a\"", "\r\r\r\n\n") LAST, "[a|-|:\r\r\r\n\n]" },
  { PART("name=\"a\"", "-XX") LAST, "[a|-|:-XX]" },
  { PART("name=\"a\"; filename=\"x.wav\"", "1") LAST, "[a|x.wav|:1]" },
  { PART("name=\"a\"; filename=\"\"", "") LAST, "[a||:]" },
  { PART("name=\"a\"; filename=\"x;y=\\\"z\\\".wav\"", "1") LAST, "[a|x;y=\"z\".wav|:1]" },
  { PART("name=\"a\"; filename=\"x%22y%0a.wav\"", "1") LAST, "[a|x\"y%0a.wav|:1]" },
  { PART("name=\"a\"; filename=\"C:\\talk\\\\x.wav\"", "1") LAST, "[a|C:\\talk\\x.wav|:1]" },
  { PART("name=\"a\"; filename=\"x\"; filename*=UTF-8''na%C3%AFve%20x", "1") LAST, "[a|na\xc3\xafve x|:1]" },
  { PART("filename*=utf-8'de'x; name*=utf-8''%61", "1") LAST, "[a|x|:1]" },
  { PART("name=\"\xc3\xa4\"; filename=\"\xe6\x97\xa5.wav\"", "1") LAST, "[\xc3\xa4|\xe6\x97\xa5.wav|:1]" },
  { "--XX\r\ncontent-type:audio/wav\r\ncontent-disposition:FORM-DATA;NAME=\"a\" ; FileName=b ;\r\n"
    "Content-Transfer-Encoding: Binary\r\nX-Other: \xff\r\n\r\n1\r\n" LAST,
    "[a|b|audio/wav:1]" },
  { "--XX\r\nContent-Disposition: form-data;\r\n name=\"a\";\r\n\tfilename=\"b\"\r\n\r\n1\r\n" LAST, "[a|b|:1]" },
};

/* Whole, and cut in two at every byte. */
static void test_parts_at_every_split(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(good); i++) {
    struct al_str bytes = al_str(good[i].bytes);
    for (size_t at = 0; at <= bytes.size; at++) {
      struct seen seen = {};
      struct al_err err = {};
      enum al_code code =
          parse(TYPE, al_str_n(bytes.data, at), al_str_n(bytes.data + at, bytes.size - at), &seen, &err);
      if (code != AL_OK)
        fail_msg("%s: %s", good[i].bytes, err.message);
      assert_string_equal(seen.text.data != nullptr ? seen.text.data : "", good[i].events);
      al_buf_done(&seen.text);
    }
  }
}

static void test_byte_by_byte(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(good); i++) {
    struct seen seen = {};
    const struct al_multipart_events events = { begin, data, end, &seen };
    AL_CLEANUP(al_multipart_free_p) struct al_multipart *multipart = nullptr;
    assert_int_equal(al_multipart_new(al_str(TYPE), &events, &multipart, nullptr), AL_OK);
    for (const char *at = good[i].bytes; *at != '\0'; at++)
      assert_int_equal(al_multipart_feed(multipart, al_str_n(at, 1), nullptr), AL_OK);
    assert_int_equal(al_multipart_end(multipart, nullptr), AL_OK);
    assert_string_equal(seen.text.data != nullptr ? seen.text.data : "", good[i].events);
    al_buf_done(&seen.text);
  }
}

static const struct {
  const char *bytes, *message;
} bad[] = {
  { "", "ends before its last boundary" },
  { "--XX", "ends before its last boundary" },
  { "--XX-", "ends before its last boundary" },
  { "no boundary", "ends before its last boundary" },
  { PART("name=\"a\"", "1"), "ends before its last boundary" },
  { PART("name=\"a\"", "1") "--XX\r\n", "ends before its last boundary" },
  { "--XXY\r\n", "malformed boundary line" },
  { "--XX-x", "malformed boundary line" },
  { "--XX\n", "malformed boundary line" },
  { "--XX \r\r\n", "malformed boundary line" },
  { "--XX \t-- \r\n", "malformed boundary line" },
  { "--XX\r\n\r\n1\r\n" LAST, "no Content-Disposition" },
  { "--XX\r\nContent-Type: text/plain\r\n\r\n1\r\n" LAST, "no Content-Disposition" },
  { "--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n" LAST, "no Content-Disposition: form-data" },
  { "--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n" LAST, "has no name" },
  { PART("name=\"\"", "1") LAST, "has no name" },
  { PART("name=", "1") LAST, "has no name" },
  { PART("name=\"a", "1") LAST, "Content-Disposition header is malformed" },
  { PART("name=\"a\"b", "1") LAST, "Content-Disposition header is malformed" },
  { PART("name", "1") LAST, "Content-Disposition header is malformed" },
  { PART("=a", "1") LAST, "Content-Disposition header is malformed" },
  { PART("name=a; name=b", "1") LAST, "its name twice" },
  { PART("name=a; filename*=UTF-8''a; FILENAME*=UTF-8''b", "1") LAST, "its filename* twice" },
  { PART("name=a; filename*=latin1''a", "1") LAST, "must look like UTF-8''name" },
  { PART("name=a; filename*=UTF-8'a", "1") LAST, "must look like UTF-8''name" },
  { PART("name=a; filename*=UTF-8''%4", "1") LAST, "must look like UTF-8''name" },
  { PART("name=a; filename*=UTF-8''%00", "1") LAST, "no printable UTF-8" },
  { PART("name=a; filename*=UTF-8''%0d%0a", "1") LAST, "no printable UTF-8" },
  { PART("name=\"\xff\"", "1") LAST, "no printable UTF-8" },
  { PART("name=\"a\x7f\"", "1") LAST, "no printable UTF-8" },
  { "--XX\r\n" DISPOSITION("name=a") DISPOSITION("name=a") "\r\n1\r\n" LAST, "its Content-Disposition twice" },
  { "--XX\r\nno colon\r\n" DISPOSITION("name=a") "\r\n1\r\n" LAST, "malformed header" },
  { "--XX\r\nContent-Disposition : form-data; name=a\r\n\r\n1\r\n" LAST, "malformed header" },
  { "--XX\r\nA: b\rc\r\n" DISPOSITION("name=a") "\r\n1\r\n" LAST, "malformed header" },
  { "--XX\r\nA: b\nc: d\r\n" DISPOSITION("name=a") "\r\n1\r\n" LAST, "malformed header" },
  { "--XX\r\n" DISPOSITION("name=a") "Content-Transfer-Encoding: base64\r\n\r\n1\r\n" LAST, "not in a transfer" },
  { "--XX\r\n" DISPOSITION("name=a") "Content-Type: Multipart/Mixed; boundary=q\r\n\r\n1\r\n" LAST,
    "must not be a form itself" },
};

static void test_refusals_at_every_split(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    struct al_str bytes = al_str(bad[i].bytes);
    for (size_t at = 0; at <= bytes.size; at++) {
      struct seen seen = {};
      struct al_err err = {};
      enum al_code code =
          parse(TYPE, al_str_n(bytes.data, at), al_str_n(bytes.data + at, bytes.size - at), &seen, &err);
      assert_int_equal(code, AL_INVALID_REQUEST);
      if (strstr(err.message, bad[i].message) == nullptr)
        fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].bytes, err.message, bad[i].message);
      al_buf_done(&seen.text);
    }
  }
}

static const struct {
  const char *type;
  const char *boundary; /* nullptr: refused */
} types[] = {
  { "multipart/form-data; boundary=abc", "abc" },
  { "Multipart/Form-Data;BOUNDARY=abc; charset=utf-8", "abc" },
  { "multipart/form-data; charset=utf-8; boundary=\"a b:c\"", "a b:c" },
  { "multipart/form-data; boundary=a=/b", "a=/b" },
  { "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", "----WebKitFormBoundary7MA4YWxkTrZu0gW" },
  { "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789" },
  { "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", nullptr },
  { "multipart/form-data", nullptr },
  { "multipart/form-data; boundary=", nullptr },
  { "multipart/form-data; boundary=\"\"", nullptr },
  { "multipart/form-data; boundary=\"a ", nullptr },
  { "multipart/form-data; boundary=\"a \"", nullptr },
  { "multipart/form-data; boundary=a\tb", nullptr },
  { "multipart/form-data; boundary=\"a\xc3\xa4\"", nullptr },
  { "multipart/form-data; boundary=a; boundary=b", nullptr },
  { "multipart/form-data boundary=a", nullptr },
  { "multipart/mixed; boundary=a", nullptr },
  { "application/json", nullptr },
  { "", nullptr },
};

static void test_content_types(void **state)
{
  (void)state;
  for (size_t i = 0; i < AL_COUNT(types); i++) {
    struct seen seen = {};
    char body[256];
    (void)snprintf(body, sizeof body, "--%s\r\n" DISPOSITION("name=a") "\r\n1\r\n--%s--",
                   types[i].boundary != nullptr ? types[i].boundary : "", types[i].boundary);
    enum al_code code = parse(types[i].type, al_str(body), (struct al_str){}, &seen, nullptr);
    assert_int_equal(code, types[i].boundary != nullptr ? AL_OK : AL_INVALID_REQUEST);
    if (code == AL_OK)
      assert_string_equal(seen.text.data, "[a|-|:1]");
    al_buf_done(&seen.text);
  }
  struct al_multipart *multipart = nullptr;
  const struct al_multipart_events events = { begin, data, end, nullptr };
  assert_int_equal(al_multipart_new((struct al_str){}, &events, &multipart, nullptr), AL_INVALID_REQUEST);
  assert_null(multipart);
}

static void repeat(struct al_buf *out, const char *text, size_t times)
{
  for (size_t i = 0; i < times; i++)
    al_buf_str(out, text);
}

static enum al_code parse_buf(const struct al_buf *body, struct al_err *err)
{
  struct seen seen = {};
  assert_false(body->failed);
  enum al_code code = parse(TYPE, al_buf_view(body), (struct al_str){}, &seen, err);
  al_buf_done(&seen.text);
  return code;
}

static void test_limits(void **state)
{
  (void)state;
  for (size_t over = 0; over < 2; over++) {
    enum al_code wanted = over == 0 ? AL_OK : AL_INVALID_REQUEST;
    AL_CLEANUP(al_buf_done) struct al_buf body = {};
    repeat(&body, PART("name=a", "1"), (size_t)AL_MULTIPART_MAX_PARTS + over);
    al_buf_str(&body, LAST);
    assert_int_equal(parse_buf(&body, nullptr), wanted);
    al_buf_clear(&body);
    al_buf_str(&body, "--XX\r\n" DISPOSITION("name=a") "Long: ");
    const size_t n_other = strlen(DISPOSITION("name=a") "Long: \r\n\r\n");
    repeat(&body, "x", AL_MULTIPART_MAX_HEADERS_BYTES - n_other + over);
    al_buf_str(&body, "\r\n\r\n1\r\n" LAST);
    assert_int_equal(parse_buf(&body, nullptr), wanted);
    al_buf_clear(&body);
    al_buf_str(&body, "--XX\r\nContent-Disposition: form-data; name=\"");
    repeat(&body, "n", AL_MULTIPART_MAX_NAME_BYTES + over);
    al_buf_str(&body, "\"\r\n\r\n1\r\n" LAST);
    assert_int_equal(parse_buf(&body, nullptr), wanted);
  }
  AL_CLEANUP(al_buf_done) struct al_buf endless = {}; /* refused before its line ends */
  al_buf_str(&endless, "--XX\r\n");
  repeat(&endless, "x", AL_MULTIPART_MAX_HEADERS_BYTES + 1);
  struct al_err err = {};
  assert_int_equal(parse_buf(&endless, &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "longer than 8192 bytes"));
}

/* Each event may stop; afterwards nothing is told any more. */
static void test_stopping(void **state)
{
  (void)state;
  struct al_str body = al_str(PART("name=a", "1") PART("name=b", "2") LAST);
  for (int stop_after = 1; stop_after <= 6; stop_after++) {
    struct seen seen = { .stop_after = stop_after };
    const struct al_multipart_events events = { begin, data, end, &seen };
    AL_CLEANUP(al_multipart_free_p) struct al_multipart *multipart = nullptr;
    assert_int_equal(al_multipart_new(al_str(TYPE), &events, &multipart, nullptr), AL_OK);
    assert_int_equal(al_multipart_feed(multipart, body, nullptr), AL_CANCELLED);
    assert_int_equal(seen.count, stop_after);
    assert_int_equal(al_multipart_feed(multipart, body, nullptr), AL_INVALID_REQUEST);
    assert_int_equal(al_multipart_end(multipart, nullptr), AL_INVALID_REQUEST);
    assert_int_equal(seen.count, stop_after);
    al_buf_done(&seen.text);
  }
}

static void test_memory_runs_out(void **state)
{
  (void)state;
  struct al_str body = al_str(PART("name=a", "1") LAST);
  bool failed = true;
  size_t n = 0;
  while (failed) {
    struct seen seen = {};
    al_buf_str(&seen.text, "                                    "); /* memory of the test's own */
    al_alloc_fail_at(++n);
    enum al_code code = parse(TYPE, body, (struct al_str){}, &seen, nullptr);
    (void)al_alloc_fail_at(0);
    failed = code != AL_OK;
    if (failed)
      assert_int_equal(code, AL_OOM_RAM);
    al_buf_done(&seen.text);
  }
  assert_true(n >= 3 && n <= 10);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_parts_at_every_split),
    cmocka_unit_test(test_byte_by_byte),
    cmocka_unit_test(test_refusals_at_every_split),
    cmocka_unit_test(test_content_types),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_stopping),
    cmocka_unit_test(test_memory_runs_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
