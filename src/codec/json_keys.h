/* Duplicate keys. Private to codec. */
#ifndef AL_CODEC_JSON_KEYS_H
#define AL_CODEC_JSON_KEYS_H

#include "codec/json.h"

/* Looks through the whole tree; *twice is a key that its object holds twice, or data nullptr. The work is
 * at most n log n whatever the keys are. */
enum al_code al_json_find_duplicate(const struct al_json *root, struct al_str *twice, struct al_err *err);

/* Like al_json_parse, but duplicate keys stay. */
enum al_code al_json_parse_loose(struct al_str text, struct al_json_doc **doc, struct al_err *err);

#endif
