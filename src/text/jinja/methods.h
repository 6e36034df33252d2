/* What strings can do; shared by the methods of str and the filters. */
#ifndef AL_TEXT_JINJA_METHODS_H
#define AL_TEXT_JINJA_METHODS_H

#include "text/jinja/chars.h"
#include "text/jinja/render.h"

enum al_jj_strip_side { AL_JJ_STRIP_LEFT = 1, AL_JJ_STRIP_RIGHT = 2, AL_JJ_STRIP_BOTH = 3 };
enum al_jj_justify_to { AL_JJ_JUSTIFY_LEFT, AL_JJ_JUSTIFY_RIGHT, AL_JJ_JUSTIFY_CENTER };

enum al_code al_jj_in_case(struct al_jj_render *r, struct al_jj_value text, enum al_jj_case to,
                           struct al_jj_value *out);
enum al_code al_jj_capitalize(struct al_jj_render *r, struct al_jj_value text, struct al_jj_value *out);
/* chars: the characters to take off, or none / missing for white space. */
enum al_code al_jj_strip(struct al_jj_render *r, struct al_jj_value text, struct al_jj_value chars,
                         enum al_jj_strip_side side, struct al_jj_value *out);
/* part: text, old, new; count < 0 replaces all. */
enum al_code al_jj_replace(struct al_jj_render *r, const struct al_str part[3], int64_t count, struct al_jj_value *out);
enum al_code al_jj_justify(struct al_jj_render *r, struct al_jj_value text, int64_t width, struct al_str fill,
                           enum al_jj_justify_to to, struct al_jj_value *out);
/* Takes the first line off, without its end; rest->data is nullptr behind the last one. */
void al_jj_take_line(struct al_str *rest, struct al_str *line);
int64_t al_jj_count_words(struct al_str text, locale_t ctype);

/* Python's int(text, base) and float(text). */
bool al_jj_parse_int(struct al_str text, int64_t base, struct al_jj_value *out);
bool al_jj_parse_float(struct al_str text, double *out);

const struct al_jj_native *al_jj_find_str_method(struct al_str name);
const struct al_jj_native *al_jj_find_str_search(struct al_str name); /* find, count, split and the like */

#endif
