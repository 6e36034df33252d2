/* What the tests of output syntaxes share: parse a text, cut as wished, and see the events as one line of text. */
#ifndef AL_TEST_SYNTAX_KIT_H
#define AL_TEST_SYNTAX_KIT_H

#include "text/syntax.h"

/* The tools that the tests announce: get_weather(city: string, days: integer), f(any), and so on. */
const struct al_json *kit_tools(void);
struct al_syntax_request kit_request(void); /* tools, auto, parallel */
const struct al_syntax *kit_syntax(const char *name);

/* Events one after another, like "R(hm)T(Hello)C0:f({\"a\": 1})!" where "!" ends a whole call and "?" a broken one;
 * neighbours of a kind are joined. Cut into pieces by `seed` (0: one piece; 1: single characters). al_free it. */
char *kit_parse(const struct al_syntax *syntax, const struct al_syntax_request *request, const char *text,
                unsigned seed);
/* kit_parse gives `expected`, for the text in one piece, in single characters, and cut at random. */
void kit_expect(const char *syntax, const struct al_syntax_request *request, const char *text, const char *expected);

#endif
