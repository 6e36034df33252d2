/* allm-export DIR OUT.gguf [--quant TYPE]: writes a Hugging Face directory as a GGUF file. A tool of the build. */
#include "engine/safetensors/export.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
  bool quantise = argc == 5 && al_streq(argv[3], "--quant");
  if (argc != 3 && !quantise) {
    (void)fprintf(stderr, "usage: %s DIR OUT.gguf [--quant TYPE]\n", argv[0]);
    return 2;
  }
  struct al_model_descriptor descriptor = { .directory = argv[1], .format = AL_FORMAT_SAFETENSORS };
  struct al_load_options options = {};
  (void)snprintf(options.quant, sizeof options.quant, "%s", quantise ? argv[4] : "");
  struct al_err err = {};
  if (al_safetensors_export(&descriptor, &options, argv[2], nullptr, nullptr, &err) == AL_OK)
    return 0;
  (void)fprintf(stderr, "%s: %s: %s\n", argv[0], al_code_name(err.code), err.message);
  return 1;
}
