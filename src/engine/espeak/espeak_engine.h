/* The built-in voice: eSpeak NG, some 140 languages by rules, no model files.
 *
 * libespeak-ng keeps everything in global variables: one model a process, used by one thread at a time. A second load
 * while one is there is refused. A build without the library has this engine too; it says so when it is asked to load.
 */
#ifndef AL_ENGINE_ESPEAK_ESPEAK_ENGINE_H
#define AL_ENGINE_ESPEAK_ESPEAK_ENGINE_H

#include "engine/engine.h"

extern const struct al_engine al_engine_espeak;

#endif
