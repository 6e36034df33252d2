/* Files: bounded reads, mappings, atomic writes, directory walks. Errors name the file's last path part and the cause.
 */
#ifndef AL_OS_FILE_H
#define AL_OS_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct al_file_info {
  uint64_t size_bytes;
  int64_t modified_ns;
  uint64_t device; /* with inode: the same file or not */
  uint64_t inode;
  bool is_directory;
  bool is_regular;
};

/* Follows links. AL_NOT_FOUND when absent. */
enum al_code al_file_stat(const char *path, struct al_file_info *info, struct al_err *err);

/* Appends the whole file; AL_INVALID_REQUEST when larger than max_bytes, AL_NOT_FOUND when absent. Regular files only.
 */
enum al_code al_file_read(const char *path, size_t max_bytes, struct al_buf *out, struct al_err *err);

/* Writes to a temporary file beside it, syncs, renames over it. */
enum al_code al_file_write_atomic(const char *path, struct al_str bytes, struct al_err *err);

/* A read-only mapping of a whole file. A file that shrinks later raises SIGBUS in whoever touches the lost pages, so
 * large parts are read with al_file_read_at instead where that matters. */
struct al_mapping {
  const uint8_t *data;
  size_t size;
};
enum al_code al_mapping_open(const char *path, struct al_mapping *mapping, struct al_err *err);
void al_mapping_close(struct al_mapping *mapping); /* accepts a zeroed one */

/* An open file for positioned reads. */
enum al_code al_file_open(const char *path, int *fd, uint64_t *size_bytes, struct al_err *err);
/* Exactly `size` bytes or AL_MODEL_CORRUPT (the file is too short) / AL_LOAD_FAILED (the disk says no). Thread-safe. */
enum al_code al_file_read_at(int fd, uint64_t offset, void *bytes, size_t size, struct al_err *err);
void al_fd_close(int *fd); /* for AL_CLEANUP; ignores -1, sets -1 */

/* Entries of a directory, sorted by name, without "." and "..". Free with al_dir_list_free.
 * AL_INVALID_REQUEST when there are more than max_entries. */
struct al_dir_entry {
  char *name;
  bool is_directory; /* links followed */
};
struct al_dir_list {
  struct al_dir_entry *items;
  size_t count;
};
enum al_code al_dir_list(const char *path, size_t max_entries, struct al_dir_list *list, struct al_err *err);
void al_dir_list_free(struct al_dir_list *list);

/* mkdir -p with mode 0700. */
enum al_code al_dir_make(const char *path, struct al_err *err);
/* "dir/name" into out[size]; AL_INVALID_REQUEST when it does not fit. */
enum al_code al_path_join(char *out, size_t size, const char *directory, const char *name, struct al_err *err);
/* Expands a leading "~/" with $HOME. */
enum al_code al_path_expand(char *out, size_t size, const char *path, struct al_err *err);
/* The absolute path of something that exists, links on the way resolved; the last part itself stays as it is, so that a
 * link keeps its own name. */
enum al_code al_path_absolute(char *out, size_t size, const char *path, struct al_err *err);
/* The part after the last slash; borrowed from `path`. */
const char *al_path_last(const char *path);
/* The directory that holds the running executable. */
enum al_code al_path_of_program(char *out, size_t size, struct al_err *err);

#endif
