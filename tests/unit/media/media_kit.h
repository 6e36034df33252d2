/* What the tests of readers and writers share: the program, sounds made here, what a process leaves behind. */
#ifndef AL_TESTS_MEDIA_KIT_H
#define AL_TESTS_MEDIA_KIT_H

#include "base/macros.h"
#include "media/media.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *media_program, *media_data;

static inline float kit_tone(size_t i, int rate)
{
  return 0.5F * sinf(2 * 3.14159265F * 440 * (float)i / (float)rate);
}

static inline size_t kit_open_descriptors(void)
{
  size_t n = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (directory != nullptr && readdir(directory) != nullptr)
    n++;
  (void)closedir(directory);
  return n;
}

/* Neither a running child nor one that nobody has waited for. */
static inline void kit_assert_no_child(void)
{
  assert_int_equal(waitpid(-1, nullptr, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

#endif
