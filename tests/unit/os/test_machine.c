#include "os/machine_probe.h"

#include "os/file.h"
#include "tmpdir.h"

#include <unistd.h>

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

/* Writes a file of a made-up machine, directories and all. */
static void put(const char *name, const char *text)
{
  char directory[512];
  (void)snprintf(directory, sizeof directory, "%s", tmpdir_path(name));
  *strrchr(directory, '/') = '\0';
  assert_int_equal(al_dir_make(directory, nullptr), AL_OK);
  tmpdir_write(name, text, strlen(text));
}

static void describes_this_machine(void **state)
{
  (void)state;
  assert_true(al_machine_n_cores() >= 1);
  struct al_memory memory = {};
  al_machine_memory(&memory);
  assert_true(memory.total_bytes > (uint64_t)16 << 20);
  assert_true(memory.available_bytes > 0 && memory.available_bytes <= memory.total_bytes);
  assert_non_null(al_machine_cpu_name());
  assert_true(strchr(al_machine_cpu_name(), '\n') == nullptr);
  assert_int_equal(al_process_pss_bytes(-5), 0);
  assert_true(al_process_rss_bytes((int)getpid()) > 100'000);
  assert_int_equal(al_process_rss_bytes(-5), 0);
}

static void version_2_limits_of_every_level_bind(void **state)
{
  (void)state;
  put("v2/proc/meminfo", "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:   9000 kB\n");
  put("v2/proc/self/cgroup", "0::/outer/inner\n");
  put("v2/sys/fs/cgroup/outer/memory.max", "8192000\n");
  put("v2/sys/fs/cgroup/outer/memory.current", "5000000\n");
  put("v2/sys/fs/cgroup/outer/memory.stat", "anon 4\nactive_file 7\ninactive_file 1000000\n");
  put("v2/sys/fs/cgroup/outer/inner/memory.max", "max\n");
  put("v2/sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  put("v2/sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  struct al_memory memory;
  al_machine_memory_under(tmpdir_path("v2"), &memory);
  assert_int_equal(memory.total_bytes, 8192000);
  assert_int_equal(memory.available_bytes, 8192000 - 4000000);
  assert_int_equal(al_machine_cores_under(tmpdir_path("v2"), 8), 2);
  assert_int_equal(al_machine_cores_under(tmpdir_path("v2"), 1), 1);
}

static void version_1_limits_bind(void **state)
{
  (void)state;
  put("v1/proc/meminfo", "MemTotal: 16000 kB\nMemAvailable: 9000 kB\n");
  put("v1/proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n3:cpuset:/\n1:name=systemd:/\n");
  put("v1/sys/fs/cgroup/memory/memory.limit_in_bytes", "4096000\n");
  put("v1/sys/fs/cgroup/memory/memory.usage_in_bytes", "5000000\n");
  put("v1/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "-1\n");
  put("v1/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  put("v1/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  struct al_memory memory;
  al_machine_memory_under(tmpdir_path("v1"), &memory);
  assert_int_equal(memory.total_bytes, 4096000);
  assert_int_equal(memory.available_bytes, 0);
  assert_int_equal(al_machine_cores_under(tmpdir_path("v1"), 64), 3);
}

static void no_limits_and_nonsense_change_nothing(void **state)
{
  (void)state;
  put("no/proc/meminfo", "MemTotal: 16000 kB\nMemAvailable: 9000 kB\n");
  put("no/proc/self/cgroup", "nonsense\n::\n:\n0:\n7:memory:\n0::/\n0::no-slash");
  put("no/sys/fs/cgroup/memory.max", "9223372036854771712\n");
  put("no/sys/fs/cgroup/cpu.max", "0 0\n");
  struct al_memory memory;
  al_machine_memory_under(tmpdir_path("no"), &memory);
  assert_int_equal(memory.total_bytes, 16000 * 1024);
  assert_int_equal(memory.available_bytes, 9000 * 1024);
  assert_int_equal(al_machine_cores_under(tmpdir_path("no"), 4), 4);
  assert_int_equal(al_machine_cores_under(tmpdir_path("absent"), 0), 1);
}

int main(void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test(describes_this_machine),
    cmocka_unit_test(version_2_limits_of_every_level_bind),
    cmocka_unit_test(version_1_limits_bind),
    cmocka_unit_test(no_limits_and_nonsense_change_nothing),
  };
  return cmocka_run_group_tests_name("os/machine", tests, tmpdir_make, tmpdir_remove);
}
