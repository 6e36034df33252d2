#include "os/machine.h"

#include "os/file.h"
#include "os/machine_probe.h"

#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <threads.h>
#include <unistd.h>

constexpr size_t MAX_PROC_BYTES = 8 << 20;
constexpr size_t MAX_CPUS = 8192;

/* The number behind "key:" in a file of "key: value kB" lines, in bytes; 0 when absent. */
static uint64_t read_kb(const char *path, const char *key)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (al_file_read(path, MAX_PROC_BYTES, &text, nullptr) != AL_OK || text.size == 0)
    return 0;
  size_t size = strlen(key);
  for (const char *line = text.data; line != nullptr; line = strchr(line, '\n')) {
    line += *line == '\n';
    uint64_t kb;
    if (strncmp(line, key, size) == 0 && sscanf(line + size, " %" SCNu64, &kb) == 1)
      return kb * 1024;
  }
  return 0;
}

void al_machine_memory_under(const char *root, struct al_memory *memory)
{
  char path[4096];
  (void)snprintf(path, sizeof path, "%s/proc/meminfo", root);
  memory->total_bytes = read_kb(path, "MemTotal:");
  memory->available_bytes = read_kb(path, "MemAvailable:");
  struct al_cgroup_limits limits;
  al_cgroup_read(root, &limits);
  if (limits.memory_max_bytes < memory->total_bytes)
    memory->total_bytes = limits.memory_max_bytes;
  if (limits.memory_available_bytes < memory->available_bytes)
    memory->available_bytes = limits.memory_available_bytes;
}

void al_machine_memory(struct al_memory *memory)
{
  al_machine_memory_under("", memory);
}

int al_machine_cores_under(const char *root, int n_allowed)
{
  struct al_cgroup_limits limits;
  al_cgroup_read(root, &limits);
  if (limits.n_cpus > 0 && limits.n_cpus < (double)n_allowed)
    n_allowed = (int)ceil(limits.n_cpus);
  return n_allowed > 0 ? n_allowed : 1;
}

int al_machine_n_cores(void)
{
  union {
    cpu_set_t set;
    unsigned char bytes[MAX_CPUS / 8];
  } allowed = {};
  int n_allowed = sched_getaffinity(0, sizeof allowed, &allowed.set) == 0 ? CPU_COUNT_S(sizeof allowed, &allowed.set)
                                                                          : (int)sysconf(_SC_NPROCESSORS_ONLN);
  return al_machine_cores_under("", n_allowed);
}

uint64_t al_process_pss_bytes(int pid)
{
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  return read_kb(path, "Pss:");
}

uint64_t al_process_rss_bytes(int pid)
{
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
  return read_kb(path, "VmRSS:");
}

static char cpu_name[128];
static once_flag cpu_name_once = ONCE_FLAG_INIT;

static void read_cpu_name(void)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (al_file_read("/proc/cpuinfo", MAX_PROC_BYTES, &text, nullptr) != AL_OK || text.size == 0)
    return;
  const char *line = strstr(text.data, "model name");
  const char *colon = line != nullptr ? strstr(line, ": ") : nullptr;
  if (colon != nullptr)
    (void)snprintf(cpu_name, sizeof cpu_name, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
}

const char *al_machine_cpu_name(void)
{
  call_once(&cpu_name_once, read_cpu_name);
  return cpu_name;
}
