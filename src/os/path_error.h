/* How this folder says what went wrong with a path. Private to src/os. */
#ifndef AL_OS_PATH_ERROR_H
#define AL_OS_PATH_ERROR_H

#include "base/err.h"

/* "model.gguf could not be opened: Permission denied". AL_NOT_FOUND for ENOENT and ENOTDIR, AL_INVALID_REQUEST for a
 * name that cannot exist, AL_OOM_RAM for ENOMEM, AL_LOAD_FAILED otherwise. `what` is "opened", "read", ... */
enum al_code al_path_fail(struct al_err *err, const char *path, const char *what, int error_number);

#endif
