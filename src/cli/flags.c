#include "cli/flags.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>

static const struct al_flag *find(const struct al_flag *flags, size_t n_flags, const char *argument)
{
  size_t size = argument[1] == '-' ? strcspn(argument, "=") : strlen(argument);
  for (size_t i = 0; i < n_flags; i++)
    if (strlen(flags[i].name) == size && strncmp(flags[i].name, argument, size) == 0)
      return &flags[i];
  return nullptr;
}

/* Takes the flag at argv[*at], and its value behind it. */
static enum al_code take(const struct al_flag *flags, size_t n_flags, int argc, char **argv, int *at,
                         struct al_err *err)
{
  const char *argument = argv[*at];
  const struct al_flag *flag = find(flags, n_flags, argument);
  if (flag == nullptr)
    return al_fail_param(err, argument, "there is no option %s here", argument);
  const char *equals = argument[1] == '-' ? strchr(argument, '=') : nullptr;
  if (flag->is_set != nullptr) {
    *flag->is_set = true;
    return equals == nullptr ? AL_OK : al_fail_param(err, flag->name, "%s takes no value", flag->name);
  }
  if (equals == nullptr && *at + 1 >= argc)
    return al_fail_param(err, flag->name, "%s needs a value", flag->name);
  *flag->value = equals != nullptr ? equals + 1 : argv[++*at];
  return AL_OK;
}

enum al_code al_flags_read(const struct al_flag *flags, size_t n_flags, int *argc, char **argv, struct al_err *err)
{
  int kept = 0;
  bool after_dashes = false;
  for (int at = 0; at < *argc; at++) {
    if (after_dashes || argv[at][0] != '-' || al_streq(argv[at], "-"))
      argv[kept++] = argv[at];
    else if (al_streq(argv[at], "--"))
      after_dashes = true;
    else
      AL_TRY(take(flags, n_flags, *argc, argv, &at, err));
  }
  *argc = kept;
  return AL_OK;
}

enum al_code al_flag_number(const char *name, const char *value, double *number, struct al_err *err)
{
  char *end = nullptr;
  double read = strtod(value, &end);
  if (end == value || *end != '\0' || !isfinite(read))
    return al_fail_param(err, name, "%s needs a number, not \"%.40s\"", name, value);
  *number = read;
  return AL_OK;
}
