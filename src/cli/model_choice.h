/* Which model a command means: a name, a file or directory on the disk, or the best that the server has. */
#ifndef AL_CLI_MODEL_CHOICE_H
#define AL_CLI_MODEL_CHOICE_H

#include "cli/connection.h"

constexpr size_t AL_CLI_MODEL_BYTES = 1100;

/* A path rather than a model's name: it says so itself, or there is such a file. */
bool al_cli_is_model_path(const char *model);
/* The id that a private server gives the model at `path`: the path's last part without ".gguf". */
enum al_code al_cli_id_of_path(const char *path, char *id, size_t size, struct al_err *err);

/* The first model that has the capability ("transcription"); one of the user's own before one of the built-in ones.
 * AL_NOT_FOUND when there is none. */
enum al_code al_cli_choose_model(struct al_connection *connection, const char *capability, char *id, size_t size,
                                 struct al_err *err);

#endif
