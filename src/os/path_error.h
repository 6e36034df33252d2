/* How this folder says what went wrong with a path. Private to src/os. */
#ifndef AL_OS_PATH_ERROR_H
#define AL_OS_PATH_ERROR_H

#include "base/err.h"

/* The part after the last slash (trailing slashes aside, the whole path then); borrowed from `path`. */
const char *al_path_last(const char *path);

/* "model.gguf could not be opened: Permission denied". AL_NOT_FOUND for ENOENT and ENOTDIR, AL_INVALID_REQUEST for a
 * name that cannot exist, AL_OOM_RAM for ENOMEM, AL_LOAD_FAILED otherwise. `what` is "opened", "read", ... */
enum al_code al_path_fail(struct al_err *err, const char *path, const char *what, int error_number);

#endif
