/* String formats as patterns, so that what is generated and what is validated cannot differ. */
#include "text/schema/pattern.h"

/* The years 0001 to 9999; the 29th of February in leap years alone. */
static const char date_pattern[] =
    "^((000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]"
    "\\d|30)|02-(0[1-9]|1\\d|2[0-8]))|(\\d\\d(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)-02-29)"
    "$";

/* RFC 3339 without leap seconds, which no library that we know of accepts everywhere. */
static const char time_pattern[] =
    "^([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$";

static const char date_time_pattern[] =
    "^((000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]"
    "\\d|30)|02-(0[1-9]|1\\d|2[0-8]))|(\\d\\d(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)-02-29)"
    "T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$";

static const char uuid_pattern[] = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/* RFC 5321's dot-string at a host name. */
static const char email_pattern[] = "^[A-Za-z0-9!#$%&'*+\\/=?^_`{|}~-]{1,32}(\\.[A-Za-z0-9!#$%&'*+\\/"
                                    "=?^_`{|}~-]{1,32}){0,3}@[A-Za-z0-9]([A-Za-z0-9-]{0,"
                                    "40}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,40}[A-Za-z0-9])?){1,4}$";

static const char hostname_pattern[] = "^[A-Za-z0-9]([A-Za-z0-9-]{0,40}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,40}["
                                       "A-Za-z0-9])?){0,4}$";

static const char ipv4_pattern[] =
    "^(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)){3}$";

/* RFC 4291 without a dotted tail: eight groups, or fewer around one "::". */
static const char ipv6_pattern[] =
    "^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$|^([0-9a-fA-F]{1,4}:){1,7}:$|^([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}$|^"
    "([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}$|^([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}$|^([0-9a-fA-F]"
    "{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}$|^([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}$|^[0-9a-fA-F]{1,4}:(:[0-"
    "9a-"
    "fA-F]{1,4}){1,6}$|^:((:[0-9a-fA-F]{1,4}){1,7}|:)$";

/* ISO 8601 with whole numbers, as RFC 3339's appendix A has it. */
static const char duration_pattern[] =
    "^P(\\d{1,6}W|(\\d{1,6}Y(\\d{1,6}M(\\d{1,6}D)?)?|\\d{1,6}M(\\d{1,6}D)?|\\d{1,6}D)(T(\\d{1,6}H(\\d{1,6}M(\\d{1,6}S)?"
    ")?|\\d{1,6}M(\\d{1,6}S)?|\\d{1,6}S))?|T(\\d{1,6}H(\\d{1,6}M(\\d{1,6}S)?)?|\\d{1,6}M(\\d{1,6}S)?|\\d{1,6}S))$";

static const struct {
  const char *name, *pattern;
} formats[] = {
  { "date", date_pattern }, { "time", time_pattern },   { "date-time", date_time_pattern },
  { "uuid", uuid_pattern }, { "email", email_pattern }, { "hostname", hostname_pattern },
  { "ipv4", ipv4_pattern }, { "ipv6", ipv6_pattern },   { "duration", duration_pattern },
};

const char *al_sch_format_pattern(struct al_str format)
{
  for (size_t i = 0; i < AL_COUNT(formats); i++)
    if (al_str_is(format, formats[i].name))
      return formats[i].pattern;
  return nullptr;
}

bool al_sch_format_is_note(struct al_str format)
{
  static const char *const notes[] = { "double", "float", "int64" };
  for (size_t i = 0; i < AL_COUNT(notes); i++)
    if (al_str_is(format, notes[i]))
      return true;
  return false;
}
