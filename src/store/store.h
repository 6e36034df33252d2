/* The models on disk: looks through the models directories, describes what it finds, notices changes.
 * Thread-safe. Nothing is loaded; only headers and config files are read, each bounded. */
#ifndef AL_STORE_STORE_H
#define AL_STORE_STORE_H

#include "store/descriptor.h"

struct al_store;

struct al_store_options {
  const char *const *directories; /* searched in order; an id found twice belongs to the first */
  size_t n_directories;
  const char *builtin_directory; /* the tiny models shipped with the program; the voice "espeak" comes with them.
                                    nullptr: none */
  const char *hf_cache;          /* Hugging Face hub cache ("~/.cache/huggingface/hub"), or nullptr */
};

/* Copies the options. A missing directory is no error (it may appear later). */
enum al_code al_store_new(const struct al_store_options *options, struct al_store **store, struct al_err *err);
void al_store_free(struct al_store *store); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_store, al_store_free)

/* Scans again what changed since the last time (cheap when nothing did). Called by the lookups themselves when the
 * last scan is older than a second. */
enum al_code al_store_refresh(struct al_store *store, struct al_err *err);

/* AL_INVALID_REQUEST for an id that could leave the models directory ("..", absolute, empty parts, control bytes),
 * AL_NOT_FOUND with reason "model_not_found" otherwise. A model with a problem IS found: look at descriptor->problem.
 * *descriptor is a new reference. */
enum al_code al_store_find(struct al_store *store, const char *id, struct al_model_descriptor **descriptor,
                           struct al_err *err);

/* Describes one file or directory outside the models directories (allm run ./model.gguf); its id is the path's
 * last part. Registers it, so that al_store_find finds it by that id afterwards. */
enum al_code al_store_register_path(struct al_store *store, const char *path, struct al_model_descriptor **descriptor,
                                    struct al_err *err);

/* All models, sorted by id, those with problems too. Free with al_store_list_free. */
struct al_model_list {
  struct al_model_descriptor **items;
  size_t count;
};
enum al_code al_store_list(struct al_store *store, struct al_model_list *list, struct al_err *err);
void al_store_list_free(struct al_model_list *list);

#endif
