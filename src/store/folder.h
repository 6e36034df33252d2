/* The models that lie directly in one directory: what its files together are. Private to src/store. */
#ifndef AL_STORE_FOLDER_H
#define AL_STORE_FOLDER_H

#include "store/found.h"

struct al_folder {
  const char *path; /* absolute */
  const char *id;   /* below the models directory; "" for that directory itself */
  const struct al_dir_list *entries;
  bool builtin;
  bool is_pipeline; /* result: its subdirectories are parts of the one model */
  bool is_adapter;  /* result: no model, but a LoRA adapter in PEFT's layout */
};

/* Adds each GGUF (a split one once), each file that may be whisper.cpp's, and, when the directory itself is a model,
 * that. */
enum al_code al_folder_find(struct al_folder *folder, struct al_found_list *list, struct al_err *err);

bool al_folder_is_ggml_name(const char *name);  /* "ggml-base.en.bin": as whisper.cpp names its files */
bool al_folder_is_gguf_model(const char *name); /* a .gguf file that is not a vision projector */

#endif
