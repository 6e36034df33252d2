#include "app/engines.h"

#include "engine/espeak/espeak_engine.h"
#include "engine/llama/llama_engine.h"
#include "engine/safetensors/safetensors_engine.h"
#include "engine/whisper/parakeet_engine.h"
#include "engine/whisper/whisper_engine.h"

struct al_engine_registry al_builtin_engines(void)
{
  static const struct al_engine *const engines[] = {
    &al_engine_llama, &al_engine_safetensors, &al_engine_whisper, &al_engine_parakeet, &al_engine_espeak,
  };
  return (struct al_engine_registry){ .engines = engines, .n_engines = AL_COUNT(engines) };
}
