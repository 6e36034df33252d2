/* The probes behind os/machine.h, with the root of the file system as a parameter so that tests can make up machines.
 * Private to src/os. */
#ifndef AL_OS_MACHINE_PROBE_H
#define AL_OS_MACHINE_PROBE_H

#include "os/machine.h"

struct al_cgroup_limits {
  uint64_t memory_max_bytes;       /* UINT64_MAX: none */
  uint64_t memory_available_bytes; /* the least any level still allows; page cache that can go counts as free */
  double n_cpus;                   /* quota over period, the least of all levels; 0: none */
};

/* Reads <root>/proc/self/cgroup and what it points to below <root>/sys/fs/cgroup, versions 1 and 2, from our own
 * group up to the root: a parent's limit binds too. */
void al_cgroup_read(const char *root, struct al_cgroup_limits *limits);

void al_machine_memory_under(const char *root, struct al_memory *memory);

/* The cores that n_allowed (affinity) leave under a quota; at least 1. */
int al_machine_cores_under(const char *root, int n_allowed);

#endif
