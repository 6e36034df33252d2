/* What is told about a text that was heard. */
#ifndef AL_ENGINE_WHISPER_TEXT_MEASURES_H
#define AL_ENGINE_WHISPER_TEXT_MEASURES_H

#include "base/err.h"
#include "base/str.h"

struct al_str al_whisper_trimmed(struct al_str text); /* of spaces at both ends */

/* As OpenAI's: many times the same gives a high ratio. 0 for an empty text. */
enum al_code al_whisper_compression_ratio(struct al_str text, float *ratio, struct al_err *err);

#endif
