/* Where the parts of the program lie: installed (bin/, libexec/allm/, share/allm/) or in a build directory. */
#ifndef AL_APP_PATHS_H
#define AL_APP_PATHS_H

#include "base/err.h"

/* The worker program: $ALLM_WORKER, ../libexec/allm/allm-worker or ./allm-worker from the running program. */
enum al_code al_path_worker(char *out, size_t size, struct al_err *err);
/* The program that converts audio: $ALLM_MEDIA, ../libexec/allm/allm-media or ./allm-media from the running program; ""
 * when there is none, for a server without it serves all the rest. */
enum al_code al_path_media(char *out, size_t size, struct al_err *err);
/* The built-in models: ./models, or share/allm/models of the prefix that the program is installed in; "" when there are
 * none. */
enum al_code al_path_builtin_models(char *out, size_t size, struct al_err *err);
/* The Hugging Face hub cache; it need not exist. */
enum al_code al_path_hf_cache(char *out, size_t size, struct al_err *err);
/* Where what outlives the server is kept: $XDG_STATE_HOME/allm or ~/.local/state/allm; it need not exist. */
enum al_code al_path_data(char *out, size_t size, struct al_err *err);

#endif
