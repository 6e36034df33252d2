/* The filters, one table a theme. */
#ifndef AL_TEXT_JINJA_FILTERS_H
#define AL_TEXT_JINJA_FILTERS_H

#include "text/jinja/render.h"

const struct al_jj_native *al_jj_find_text_filter(struct al_str name);  /* strings and numbers */
const struct al_jj_native *al_jj_find_list_filter(struct al_str name);  /* sequences: first, join, sort ... */
const struct al_jj_native *al_jj_find_web_filter(struct al_str name);   /* urlencode, striptags ... */
const struct al_jj_native *al_jj_find_apply_filter(struct al_str name); /* map, select and their kin */

/* "a.b.0" or an index, followed from value to value with item lookup; *missing tells that the end is undefined. */
enum al_code al_jj_follow_path(struct al_jj_render *r, struct al_jj_value item, struct al_jj_value path,
                               struct al_jj_value otherwise, struct al_jj_value *out);
/* Strings in lower case, everything else as it is: how sort and its kin compare. */
enum al_code al_jj_fold_case(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value *out);
enum al_code al_jj_lower(struct al_jj_render *r, struct al_str text, struct al_jj_value *out);

#endif
