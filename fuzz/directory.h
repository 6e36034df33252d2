/* A model's directory made of an input: the files' contents, with zero bytes between them. For fuzz targets only; all
 * in memory where the system has /dev/shm. */
#ifndef AL_FUZZ_DIRECTORY_H
#define AL_FUZZ_DIRECTORY_H

#include "base/macros.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void require(bool condition)
{
  if (!condition)
    __builtin_trap();
}

static char directory[64];

static inline void directory_path(char path[PATH_MAX], const char *name)
{
  (void)snprintf(path, PATH_MAX, "%s/%s", directory, name);
}

static inline void directory_remove(void)
{
  static const char *const names[] = { "config.json",
                                       "generation_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "modules.json",
                                       "chat_template.jinja",
                                       "model.safetensors",
                                       "adapter_config.json",
                                       "adapter_model.safetensors",
                                       "model_index.json",
                                       "model.safetensors.index.json",
                                       "model.gguf" };
  for (size_t i = 0; i < AL_COUNT(names); i++) {
    char path[PATH_MAX];
    directory_path(path, names[i]);
    (void)unlink(path);
  }
  (void)rmdir(directory);
}

static inline void directory_make(void)
{
  const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  (void)snprintf(directory, sizeof directory, "%s/allm-fuzz-XXXXXX", where);
  require(mkdtemp(directory) != nullptr);
  (void)atexit(directory_remove);
}

/* Nothing is written, and none is there, when the bytes are empty. `size_bytes`: the file is made longer than what
 * stands in it. */
static inline void directory_write(const char *name, struct al_str bytes, uint64_t size_bytes)
{
  char path[PATH_MAX];
  directory_path(path, name);
  if (bytes.size == 0) {
    (void)unlink(path);
    return;
  }
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  require(fd >= 0 && write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
  require(size_bytes <= bytes.size || ftruncate(fd, (off_t)size_bytes) == 0);
  (void)close(fd);
}

/* The input up to the next zero byte, which is left out; *input goes on behind it. */
static inline struct al_str next_part(struct al_str *input)
{
  const char *end = input->size > 0 ? memchr(input->data, 0, input->size) : nullptr;
  size_t size = end != nullptr ? (size_t)(end - input->data) : input->size;
  struct al_str part = al_str_n(input->data, size);
  size_t skipped = end != nullptr ? size + 1 : size;
  *input = al_str_n(input->data + skipped, input->size - skipped);
  return part;
}

#endif
