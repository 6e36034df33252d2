/* Force-included into every source file: functions that are never the right choice here do not compile.
 * Third-party headers that a poison would break are included first. */
#ifndef AL_BANNED_H
#define AL_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef AL_BEFORE_BAN /* a header that uses one of these words itself: -DAL_BEFORE_BAN="<openssl/ssl.h>" */
#include AL_BEFORE_BAN
#endif

#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets strncpy strncat
#pragma GCC poison gmtime localtime ctime asctime
#pragma GCC poison atoi atol atof rand srand tmpnam mktemp

#endif
