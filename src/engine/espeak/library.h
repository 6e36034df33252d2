/* libespeak-ng and libsonic, opened when the voice is first loaded: they bring some twenty-five libraries with them
 * (sound servers, X11, codecs), which a server that does not speak need not have in memory, nor on its disk. */
#ifndef AL_ENGINE_ESPEAK_LIBRARY_H
#define AL_ENGINE_ESPEAK_LIBRARY_H

#include "base/err.h"

#include <espeak-ng/speak_lib.h>
#include <sonic.h>

/* Each by its own name: al_espeak.espeak_Synth(...). */
struct al_espeak_library {
  typeof(&espeak_Initialize) espeak_Initialize;
  typeof(&espeak_Info) espeak_Info;
  typeof(&espeak_Terminate) espeak_Terminate;
  typeof(&espeak_SetSynthCallback) espeak_SetSynthCallback;
  typeof(&espeak_SetUriCallback) espeak_SetUriCallback;
  typeof(&espeak_ListVoices) espeak_ListVoices;
  typeof(&espeak_SetVoiceByName) espeak_SetVoiceByName;
  typeof(&espeak_SetParameter) espeak_SetParameter;
  typeof(&espeak_Synth) espeak_Synth;
  typeof(&sonicCreateStream) sonicCreateStream;
  typeof(&sonicDestroyStream) sonicDestroyStream;
  typeof(&sonicSetSpeed) sonicSetSpeed;
  typeof(&sonicWriteShortToStream) sonicWriteShortToStream;
  typeof(&sonicReadShortFromStream) sonicReadShortFromStream;
  typeof(&sonicFlushStream) sonicFlushStream;
};
extern struct al_espeak_library al_espeak; /* filled by al_espeak_library_open */

/* Opens both; they stay for good. One thread at a time. AL_NOT_FOUND names the package that is missing. */
enum al_code al_espeak_library_open(struct al_err *err);

#endif
