#include "engine/espeak/library.h"

#include "base/alloc.h"

#include <dlfcn.h>

struct al_espeak_library al_espeak;

static const struct {
  const char *file, *package;
} libraries[] = { { "libespeak-ng.so.1", "libespeak-ng1" }, { "libsonic.so.0", "libsonic0" } };

/* By the library that it is in, and where it goes. */
#define CALL(library, name) { library, #name, offsetof(struct al_espeak_library, name) }
static const struct {
  size_t library;
  const char *name;
  size_t offset;
} calls[] = {
  CALL(0, espeak_Initialize),
  CALL(0, espeak_Info),
  CALL(0, espeak_Terminate),
  CALL(0, espeak_SetSynthCallback),
  CALL(0, espeak_SetUriCallback),
  CALL(0, espeak_ListVoices),
  CALL(0, espeak_SetVoiceByName),
  CALL(0, espeak_SetParameter),
  CALL(0, espeak_Synth),
  CALL(1, sonicCreateStream),
  CALL(1, sonicDestroyStream),
  CALL(1, sonicSetSpeed),
  CALL(1, sonicWriteShortToStream),
  CALL(1, sonicReadShortFromStream),
  CALL(1, sonicFlushStream),
};

enum al_code al_espeak_library_open(struct al_err *err)
{
  if (al_espeak.sonicFlushStream != nullptr)
    return AL_OK;
  void *handles[AL_COUNT(libraries)];
  for (size_t i = 0; i < AL_COUNT(libraries); i++) {
    handles[i] = dlopen(libraries[i].file, RTLD_NOW | RTLD_LOCAL);
    if (handles[i] == nullptr)
      return al_fail(err, AL_NOT_FOUND, "the built-in voice needs %s: install the package %s (%.200s)",
                     libraries[i].file, libraries[i].package, dlerror());
  }
  struct al_espeak_library found = {};
  for (size_t i = 0; i < AL_COUNT(calls); i++) {
    void *call = dlsym(handles[calls[i].library], calls[i].name);
    if (call == nullptr)
      return al_fail(err, AL_UNSUPPORTED, "%s has no %s: another version is needed", libraries[calls[i].library].file,
                     calls[i].name);
    memcpy((char *)&found + calls[i].offset, &call, sizeof call);
  }
  al_espeak = found;
  return AL_OK;
}
