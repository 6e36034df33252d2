#include "app/log_options.h"

#include "base/log.h"
#include "base/str.h"

enum al_code al_log_options(const struct al_config *config, struct al_err *err)
{
  static const char *const levels[] = { "debug", "info", "warn", "error" };
  for (size_t i = 0; i < AL_COUNT(levels); i++) {
    if (!al_streq(config->log_level, levels[i]))
      continue;
    al_log_setup((enum al_log_level)i, config->log_json);
    return AL_OK;
  }
  return al_fail_param(err, "log-level", "log-level is debug, info, warn or error, not \"%s\"", config->log_level);
}
