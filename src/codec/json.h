/* JSON in and out. Reading parses strictly (RFC 8259, UTF-8 checked, depth capped) into a tree that the document owns;
 * writing appends to a buffer, without a tree.
 *
 * `struct al_json` is one value: borrowed, valid while its document lives. Every accessor takes nullptr and the wrong
 * kind, and then gives "absent". The al_json_want_* family is for requests: it fails with the path of the field. */
#ifndef AL_CODEC_JSON_H
#define AL_CODEC_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct al_json;
struct al_json_doc;

enum al_json_kind {
  AL_JSON_ABSENT,
  AL_JSON_NULL,
  AL_JSON_BOOL,
  AL_JSON_INT,
  AL_JSON_REAL,
  AL_JSON_STRING,
  AL_JSON_ARRAY,
  AL_JSON_OBJECT
};

constexpr int AL_JSON_MAX_DEPTH = 128;

/* The text is copied as needed. AL_INVALID_REQUEST with line and column otherwise; duplicate keys are refused.
 * Free with al_json_doc_free. */
enum al_code al_json_parse(struct al_str text, struct al_json_doc **doc, struct al_err *err);
/* For what a model wrote: of a key that an object holds twice the last value counts, as in JavaScript and Python. */
enum al_code al_json_parse_last(struct al_str text, struct al_json_doc **doc, struct al_err *err);
void al_json_doc_free(struct al_json_doc *doc); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_json_doc, al_json_doc_free)
const struct al_json *al_json_root(const struct al_json_doc *doc);

enum al_json_kind al_json_kind(const struct al_json *value);
const char *al_json_kind_name(enum al_json_kind kind); /* "string", "an object" is the caller's grammar */

const struct al_json *al_json_get(const struct al_json *object, const char *key); /* nullptr when absent */
const struct al_json *al_json_at(const struct al_json *array, size_t index);      /* O(index) */
size_t al_json_count(const struct al_json *array_or_object);
struct al_str al_json_str(const struct al_json *value); /* size 0 and data nullptr when no string */
bool al_json_bool(const struct al_json *value, bool otherwise);
int64_t al_json_int(const struct al_json *value, int64_t otherwise); /* integers that fit, and reals without fraction */
double al_json_real(const struct al_json *value, double otherwise);

/* `struct al_json_iter it = al_json_iter(value); while (al_json_next(&it)) use it.key, it.value, it.index;` */
struct al_json_iter {
  const struct al_json *value; /* the current element */
  struct al_str key;           /* of an object's member */
  size_t index;
  /* private */
  const struct al_json *container;
  size_t seen;
  const void *cursor;
};
struct al_json_iter al_json_iter(const struct al_json *array_or_object);
bool al_json_next(struct al_json_iter *it);

/* Request fields. `path` names the object itself ("" for the root, "messages[2]" otherwise) so that errors name
 * "messages[2].role". An absent or null field leaves *out alone and returns AL_OK; *present (may be nullptr) tells. */
enum al_code al_json_want_bool(const struct al_json *object, const char *path, const char *key, bool *out,
                               bool *present, struct al_err *err);
enum al_code al_json_want_int(const struct al_json *object, const char *path, const char *key, int64_t least,
                              int64_t most, int64_t *out, bool *present, struct al_err *err);
enum al_code al_json_want_real(const struct al_json *object, const char *path, const char *key, double least,
                               double most, double *out, bool *present, struct al_err *err);
enum al_code al_json_want_str(const struct al_json *object, const char *path, const char *key, struct al_str *out,
                              bool *present, struct al_err *err);

/* A number as it is printed, exact for integers beyond int64 as well; "" for what is no number. NUL-terminated. */
constexpr size_t AL_JSON_NUMBER_BYTES = 48;
size_t al_json_number_text(const struct al_json *value, char text[AL_JSON_NUMBER_BYTES]);

/* Appends a value as compact JSON. */
void al_json_print(struct al_buf *out, const struct al_json *value);

/* Writer. Commas and colons are its business; nesting is the caller's, bounded by AL_JSON_MAX_DEPTH.
 *   struct al_json_writer w = al_json_writer(&buf);
 *   al_jw_object(&w); al_jw_key(&w, "id"); al_jw_str(&w, id); al_jw_end(&w);
 * A nullptr key in the al_jw_kv_* helpers is not allowed. */
struct al_json_writer {
  struct al_buf *out; /* borrowed */
  int depth;
  bool has_element[AL_JSON_MAX_DEPTH];
  char closer[AL_JSON_MAX_DEPTH];
  bool after_key;
};
struct al_json_writer al_json_writer(struct al_buf *out);
void al_jw_object(struct al_json_writer *w);
void al_jw_array(struct al_json_writer *w);
void al_jw_end(struct al_json_writer *w); /* closes the innermost object or array */
void al_jw_key(struct al_json_writer *w, const char *key);
void al_jw_key_n(struct al_json_writer *w, struct al_str key);
void al_jw_str(struct al_json_writer *w, const char *text); /* nullptr writes null; invalid UTF-8 becomes U+FFFD */
void al_jw_str_n(struct al_json_writer *w, struct al_str text);
void al_jw_int(struct al_json_writer *w, int64_t value);
void al_jw_real(struct al_json_writer *w, double value); /* shortest that reads back; NaN and infinities write null */
void al_jw_float(struct al_json_writer *w, float value); /* likewise, read back as a float: at most 9 digits */
void al_jw_bool(struct al_json_writer *w, bool value);
void al_jw_null(struct al_json_writer *w);
void al_jw_raw(struct al_json_writer *w, struct al_str json); /* already JSON */
void al_jw_value(struct al_json_writer *w, const struct al_json *value);

void al_jw_kv_str(struct al_json_writer *w, const char *key, const char *text);
void al_jw_kv_str_n(struct al_json_writer *w, const char *key, struct al_str text);
void al_jw_kv_int(struct al_json_writer *w, const char *key, int64_t value);
void al_jw_kv_real(struct al_json_writer *w, const char *key, double value);
void al_jw_kv_bool(struct al_json_writer *w, const char *key, bool value);
void al_jw_kv_null(struct al_json_writer *w, const char *key);
void al_jw_kv_raw(struct al_json_writer *w, const char *key, struct al_str json);
void al_jw_kv_value(struct al_json_writer *w, const char *key, const struct al_json *value);

#endif
