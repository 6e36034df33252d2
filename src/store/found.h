/* Models found by a walk over the disk, each with a signature of the files it is made of: what is found again with the
 * same signature is not read again. Private to src/store; not thread-safe. */
#ifndef AL_STORE_FOUND_H
#define AL_STORE_FOUND_H

#include "os/file.h"
#include "store/descriptor.h"
#include "store/model_id.h"

struct al_found {
  struct al_model_descriptor *model; /* one reference */
  uint64_t signature;                /* of names, sizes, times and inodes */
  size_t order;                      /* an earlier one wins its id */
  bool is_described;                 /* the headers have been read */
  bool is_hidden;                    /* no model of its own after all (a vision projector) */
};

struct al_found_list {
  struct al_found *items;
  size_t count;
  size_t capacity;
};

void al_found_list_done(struct al_found_list *list);

/* What al_found_add begins with; strings are copied. */
struct al_found_as {
  const char *id;
  const char *directory; /* absolute */
  enum al_model_format format;
  bool builtin;
};
/* The new item is list->items[count - 1], until the next one. */
enum al_code al_found_add(struct al_found_list *list, const struct al_found_as *as, struct al_err *err);

/* Moves an item of another list to the end of this one; *item is empty afterwards. */
enum al_code al_found_move(struct al_found_list *list, struct al_found *item, struct al_err *err);

/* Appends a weight file of the model; a missing one becomes the model's problem. */
enum al_code al_found_weight(struct al_found *found, const char *directory, const char *name, struct al_err *err);
/* All parts of a split GGUF in order, likewise. */
enum al_code al_found_parts(struct al_found *found, const char *directory, const struct al_part *part,
                            struct al_err *err);
/* A file whose change makes it another model (config.json); may be absent. */
void al_found_watch(struct al_found *found, const char *directory, const char *name);

/* Sorts by id and drops later ones of the same id. */
void al_found_list_sort(struct al_found_list *list);
/* In a sorted list; nullptr when absent. */
struct al_found *al_found_list_get(const struct al_found_list *list, const char *id);

#endif
