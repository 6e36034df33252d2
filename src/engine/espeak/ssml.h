/* SSML (W3C, Speech Synthesis Markup Language 1.1) as far as it is safe and honoured. libespeak-ng would open files and
 * change the voice for what a document names, and takes times and numbers without limits: a document is read here, and
 * what is known in it is written anew. */
#ifndef AL_ENGINE_ESPEAK_SSML_H
#define AL_ENGINE_ESPEAK_SSML_H

#include "base/buf.h"

/* Is the text a document, by its first element (after white space and an XML declaration)? Anything else is read aloud
 * as it stands, its '<' too. */
bool al_espeak_is_ssml(struct al_str text);

/* Appends the document for the library: speak, p, s, break, emphasis, prosody, say-as, sub. text: clean (text.h).
 * AL_INVALID_REQUEST, reason "invalid_ssml", for other elements and attributes, each by its name, and for what is not
 * well-formed. */
enum al_code al_espeak_ssml(struct al_str text, struct al_buf *out, struct al_err *err);

#endif
