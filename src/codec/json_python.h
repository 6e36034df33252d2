/* JSON as Python writes it, for files that Python programs have written: a bare Infinity is not JSON, and NaN neither.
 * Requests are held to the standard: al_json_parse. */
#ifndef AL_CODEC_JSON_PYTHON_H
#define AL_CODEC_JSON_PYTHON_H

#include "base/buf.h"
#include "codec/json.h"

/* As al_json_parse, but Infinity and -Infinity count as null; they are overwritten in `text`. NaN stays an error. */
enum al_code al_json_parse_python(struct al_buf *text, struct al_json_doc **doc, struct al_err *err);

#endif
