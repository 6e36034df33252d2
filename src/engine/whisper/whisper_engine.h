/* The engine on libwhisper: speech to text, from whisper.cpp's own files and from Hugging Face directories of
 * WhisperForConditionalGeneration, which are read as if they were such a file. */
#ifndef AL_ENGINE_WHISPER_WHISPER_ENGINE_H
#define AL_ENGINE_WHISPER_WHISPER_ENGINE_H

#include "engine/engine.h"

extern const struct al_engine al_engine_whisper;

#endif
