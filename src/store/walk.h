/* Looks through directories for models and adds what it finds to a list, undescribed. Names and file times only; no
 * file is opened but a Hugging Face cache's refs. Private to src/store.
 *
 * What cannot be listed is passed over; only memory running out is an error. */
#ifndef AL_STORE_WALK_H
#define AL_STORE_WALK_H

#include "store/found.h"

/* Every model below a models directory, at most 8 levels down. A missing directory holds none. */
enum al_code al_walk_models(const char *path, bool builtin, struct al_found_list *list, struct al_err *err);

/* hub/models--org--name/snapshots/<revision>/...: id "org/name". The revision is that of refs/main, or the newest. */
enum al_code al_walk_hf_cache(const char *path, struct al_found_list *list, struct al_err *err);

/* One model at an absolute path: a GGUF file, a part of a split one, a safetensors file or a model's directory. The id
 * is the path's last part. AL_NOT_FOUND, AL_UNSUPPORTED (names the file), or AL_INVALID_REQUEST when a directory holds
 * several models. */
enum al_code al_walk_path(const char *path, struct al_found_list *list, struct al_err *err);

#endif
