#include "engine/whisper/text_measures.h"

#include "base/alloc.h"

#include <zlib.h>

struct al_str al_whisper_trimmed(struct al_str text)
{
  while (text.size > 0 && text.data[0] == ' ')
    text = al_str_n(text.data + 1, text.size - 1);
  while (text.size > 0 && text.data[text.size - 1] == ' ')
    text.size--;
  return text;
}

enum al_code al_whisper_compression_ratio(struct al_str text, float *ratio, struct al_err *err)
{
  text = al_whisper_trimmed(text);
  *ratio = 0;
  if (text.size == 0)
    return AL_OK;
  uLongf size = compressBound(text.size);
  AL_CLEANUP(al_free_p) Bytef *bytes = al_alloc(size);
  if (bytes == nullptr || compress(bytes, &size, (const Bytef *)text.data, text.size) != Z_OK)
    return al_fail_oom(err, size);
  *ratio = (float)text.size / (float)size;
  return AL_OK;
}
