/* Copies of the models in tests/data/safetensors that a test may damage. */
#ifndef TESTS_ENGINE_SAFETENSORS_KIT_H
#define TESTS_ENGINE_SAFETENSORS_KIT_H

#include "base/buf.h"

#include <limits.h>

struct kit {
  char directory[PATH_MAX]; /* the copy, below a temporary directory */
};

/* model: a folder below `data`. */
void kit_copy(struct kit *kit, const char *data, const char *model);
void kit_remove(struct kit *kit); /* for AL_CLEANUP */

void kit_read(const struct kit *kit, const char *name, struct al_buf *bytes);
void kit_write(const struct kit *kit, const char *name, struct al_str bytes);
void kit_delete(const struct kit *kit, const char *name);
/* Replaces the only occurrence of `from` in the file; fails the test when there is none or more. */
void kit_replace(const struct kit *kit, const char *name, const char *from, const char *to);
void kit_truncate(const struct kit *kit, const char *name, size_t size);

#endif
