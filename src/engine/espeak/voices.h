/* The voices: about 140 languages, each with about 100 variants ("en-us+f3"), as the installed data has them. Names
 * are looked up in the lists, never given to the library as they come: it opens voice names as files. */
#ifndef AL_ENGINE_ESPEAK_VOICES_H
#define AL_ENGINE_ESPEAK_VOICES_H

#include "base/buf.h"
#include "engine/speech.h"

constexpr const char AL_ESPEAK_DEFAULT_VOICE[] = "en-us";

struct al_espeak_voices;

/* Asks the library, which must be initialised. */
enum al_code al_espeak_voices_new(struct al_espeak_voices **voices, struct al_err *err);
void al_espeak_voices_free(struct al_espeak_voices *voices); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_espeak_voices, al_espeak_voices_free)

/* Safe from any thread. The base voices, sorted by id; the strings are the voices'. */
size_t al_espeak_voices_count(const struct al_espeak_voices *voices);
bool al_espeak_voices_get(const struct al_espeak_voices *voices, size_t index, struct al_voice *voice);

/* Appends what the library calls the voice ("gmw/en-US+f3"). name: an id, a file's name or a language of a voice, with
 * or without a variant, in any case; a name of OpenAI's; "": the default. AL_INVALID_REQUEST, reason "unknown_voice".
 */
enum al_code al_espeak_voices_find(const struct al_espeak_voices *voices, const char *name, struct al_buf *out,
                                   struct al_err *err);

/* The voice that one of OpenAI's names stands for; nullptr for other names. */
const char *al_espeak_openai_voice(const char *name);

#endif
