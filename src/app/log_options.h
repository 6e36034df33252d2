/* Sets the log up as the configuration says. */
#ifndef AL_APP_LOG_OPTIONS_H
#define AL_APP_LOG_OPTIONS_H

#include "config/options.h"

enum al_code al_log_options(const struct al_config *config, struct al_err *err);

#endif
