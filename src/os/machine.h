/* What this machine has: cores and memory, after cgroup limits. */
#ifndef AL_OS_MACHINE_H
#define AL_OS_MACHINE_H

#include <stdint.h>

int al_machine_n_cores(void); /* usable: affinity and cgroup CPU quota considered; at least 1 */

struct al_memory {
  uint64_t total_bytes;     /* the smaller of the machine and the cgroup */
  uint64_t available_bytes; /* likewise: MemAvailable, or what the cgroup still allows */
};
void al_machine_memory(struct al_memory *memory);
/* 0 when unreadable. Proportional set size: walks every page, slow with big mappings. Resident set size: a counter. */
uint64_t al_process_pss_bytes(int pid);
uint64_t al_process_rss_bytes(int pid);
const char *al_machine_cpu_name(void); /* static; "" when unknown */

#endif
