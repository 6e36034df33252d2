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
uint64_t al_process_pss_bytes(int pid); /* proportional set size; 0 when unreadable */
const char *al_machine_cpu_name(void);  /* static; "" when unknown */

#endif
