/* The system calls of a conversion. What is not listed fails with EPERM, as a library that asks for something new in
 * its next version can live with; what only an intruder would try ends the process. */
#include "media/convert/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

static const int allowed[] = {
  SCMP_SYS(brk),         SCMP_SYS(munmap),        SCMP_SYS(mremap),          SCMP_SYS(madvise),
  SCMP_SYS(futex),       SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),    SCMP_SYS(getrandom),
  SCMP_SYS(sched_yield), SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigprocmask),  SCMP_SYS(sched_getaffinity),
  SCMP_SYS(exit),        SCMP_SYS(exit_group),    SCMP_SYS(restart_syscall), SCMP_SYS(close),
  SCMP_SYS(getpid),      SCMP_SYS(gettid),        SCMP_SYS(rt_sigaction),
#ifdef AL_SANITIZED
  SCMP_SYS(mmap),        SCMP_SYS(mprotect),      SCMP_SYS(sigaltstack),     SCMP_SYS(write),
  SCMP_SYS(openat),      SCMP_SYS(read),          SCMP_SYS(readlink),        SCMP_SYS(tgkill),
  SCMP_SYS(fstat),       SCMP_SYS(newfstatat),    SCMP_SYS(lseek),           SCMP_SYS(prctl),
  SCMP_SYS(uname),       SCMP_SYS(ioctl),
#endif
};

static const int deadly[] = {
  SCMP_SYS(execve),       SCMP_SYS(execveat),          SCMP_SYS(fork),   SCMP_SYS(vfork),
  SCMP_SYS(socket),       SCMP_SYS(connect),           SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
  SCMP_SYS(kill),         SCMP_SYS(process_vm_writev), SCMP_SYS(bpf),    SCMP_SYS(io_uring_setup),
  SCMP_SYS(memfd_create), SCMP_SYS(userfaultfd),       SCMP_SYS(keyctl), SCMP_SYS(perf_event_open),
};

static int add_simple(scmp_filter_ctx filter)
{
  int result = 0;
  for (size_t i = 0; i < AL_COUNT(allowed) && result == 0; i++)
    result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
  for (size_t i = 0; i < AL_COUNT(deadly) && result == 0; i++)
    result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
  return result;
}

/* Its own two descriptors, each one way; abort() on itself; memory that never becomes code. */
static int add_with_arguments(scmp_filter_ctx filter, enum al_media_job job)
{
  int read_call = al_media_job_decodes(job) ? SCMP_SYS(pread64) : SCMP_SYS(read);
  int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, read_call, 1, SCMP_A0(SCMP_CMP_EQ, AL_MEDIA_IN_FD, 0));
#ifndef AL_SANITIZED
  if (result == 0)
    result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, AL_MEDIA_OUT_FD, 0));
  if (result == 0)
    result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (result == 0)
    result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  if (result == 0)
    result =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
#endif
  return result;
}

int sandbox_seccomp(enum al_media_job job)
{
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr)
    return -ENOMEM;
  int result = add_simple(filter);
  if (result == 0)
    result = add_with_arguments(filter, job);
  if (result == 0)
    result = seccomp_load(filter);
  seccomp_release(filter);
  return result;
}
