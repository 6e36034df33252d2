#include "media/convert/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* What the environment says (keys, perhaps) is none of a stranger's business. */
static void forget_environment(void)
{
#ifndef AL_SANITIZED /* the sanitizers read theirs when it suits them */
  for (char **variable = environ; variable != nullptr && *variable != nullptr; variable++)
    memset(*variable, 0, strlen(*variable));
#endif
  environ = nullptr;
}

/* Standard input and error lead nowhere; sanitizers need to say what they found. */
static void forget_terminal(void)
{
  int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  (void)dup2(nowhere, STDIN_FILENO);
#ifndef AL_SANITIZED
  (void)dup2(nowhere, STDERR_FILENO);
#endif
  (void)close(nowhere);
}

static void limit(int resource, uint64_t value)
{
  const struct rlimit both = { value, value };
  (void)setrlimit((__rlimit_resource_t)resource, &both);
}

/* The kernel looks at the hard limit first: were both the same, it would send SIGKILL, which does not say why. */
static void limit_time(uint64_t cpu_seconds)
{
  const struct rlimit time = { cpu_seconds, cpu_seconds + 1 };
  (void)setrlimit(RLIMIT_CPU, &time);
}

#ifndef AL_SANITIZED /* whose shadow memory is many terabytes */
/* The libraries take some 200 MB of addresses by now. */
static void limit_memory(uint64_t more_bytes)
{
  unsigned long n_pages = 0;
  FILE *status = fopen("/proc/self/statm", "re");
  if (status != nullptr && fscanf(status, "%lu", &n_pages) != 1)
    n_pages = 0;
  if (status != nullptr)
    (void)fclose(status);
  uint64_t now_bytes = n_pages > 0 ? n_pages * (uint64_t)sysconf(_SC_PAGESIZE) : 512ULL << 20;
  limit(RLIMIT_AS, now_bytes + more_bytes);
}
#endif

static void limit_all(uint64_t cpu_seconds, [[maybe_unused]] uint64_t memory_bytes)
{
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_NPROC, 0);
  limit_time(cpu_seconds);
#ifndef AL_SANITIZED
  limit_memory(memory_bytes);
#endif
}

/* The kernel's interface as of the sixth version (linux/landlock.h): C libraries come with older headers than the
 * kernel they run on. Kernels that know less accept what they do not know as long as it is zero. */
struct landlock_taken {
  uint64_t file_system, network, scopes;
};
constexpr unsigned LANDLOCK_ASK_VERSION = 1;
constexpr int LANDLOCK_TCP_VERSION = 4;
constexpr uint64_t LANDLOCK_ALL_TCP = 3;    /* bind, connect */
constexpr uint64_t LANDLOCK_ALL_SCOPES = 3; /* abstract sockets and signals of others; since the sixth */

/* Its version, or a negative errno. */
static int landlock(void)
{
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_ASK_VERSION);
  if (version < 0)
    return -errno;
  static const unsigned n_rights[] = { 0, 13, 14, 15, 15, 16 }; /* to the file system, by version */
  const struct landlock_taken taken = {
    .file_system = (1ULL << n_rights[version < 5 ? version : 5]) - 1,
    .network = version >= LANDLOCK_TCP_VERSION ? LANDLOCK_ALL_TCP : 0,
    .scopes = version >= 6 ? LANDLOCK_ALL_SCOPES : 0,
  };
  int rules = (int)syscall(SYS_landlock_create_ruleset, &taken, sizeof taken, 0);
  if (rules < 0)
    return -errno;
  int result = syscall(SYS_landlock_restrict_self, rules, 0) == 0 ? (int)version : -errno;
  (void)close(rules);
  return result;
}

bool sandbox_enter(enum al_media_job job, uint64_t cpu_seconds, uint64_t memory_bytes, char *why, size_t size)
{
  forget_environment();
  forget_terminal();
  limit_all(cpu_seconds, memory_bytes);
  (void)prctl(PR_SET_DUMPABLE, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    (void)snprintf(why, size, "no_new_privs: %s", strerrordesc_np(errno));
    return false;
  }
  int landlocked = landlock();
#ifndef AL_SANITIZED
  limit(RLIMIT_NOFILE, AL_MEDIA_IN_FD + 1); /* no descriptor besides those that are open */
#endif
  int filtered = sandbox_seccomp(job);
  if (filtered == 0 || landlocked >= LANDLOCK_TCP_VERSION)
    return true;
  (void)snprintf(why, size, "seccomp: %s; Landlock: %s", strerrordesc_np(-filtered),
                 landlocked < 0 ? strerrordesc_np(-landlocked) : "too old");
  return false;
}
