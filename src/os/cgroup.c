#include "os/machine_probe.h"

#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

constexpr size_t MAX_PATH = 4096;
constexpr size_t MAX_PROC_BYTES = 1 << 20;

/* File names of one version. */
struct layout {
  const char *max, *current, *cache_key;
};
static const struct layout version_1 = { "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file " };
static const struct layout version_2 = { "memory.max", "memory.current", "inactive_file " };

static bool read_text(const char *directory, const char *name, struct al_buf *out)
{
  char path[MAX_PATH];
  al_buf_clear(out);
  return al_path_join(path, sizeof path, directory, name, nullptr) == AL_OK &&
         al_file_read(path, MAX_PROC_BYTES, out, nullptr) == AL_OK && out->size > 0;
}

/* "max", and everything that is no number, is no limit. */
static bool read_number(const char *directory, const char *name, uint64_t *value)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  return read_text(directory, name, &text) && sscanf(text.data, "%" SCNu64, value) == 1;
}

static uint64_t read_cache(const char *directory, const char *key)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (!read_text(directory, "memory.stat", &text))
    return 0;
  size_t size = strlen(key);
  for (const char *line = text.data; line != nullptr; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, key, size) == 0)
      return strtoull(line + size, nullptr, 10);
  }
  return 0;
}

static void take_memory(const char *directory, const struct layout *layout, struct al_cgroup_limits *limits)
{
  uint64_t max, current = 0;
  if (!read_number(directory, layout->max, &max) || max >= (uint64_t)INT64_MAX / 2)
    return;
  (void)read_number(directory, layout->current, &current);
  uint64_t cache = read_cache(directory, layout->cache_key);
  uint64_t used = current > cache ? current - cache : 0;
  uint64_t available = max > used ? max - used : 0;
  if (max < limits->memory_max_bytes)
    limits->memory_max_bytes = max;
  if (available < limits->memory_available_bytes)
    limits->memory_available_bytes = available;
}

static void take_quota(double quota, double period, struct al_cgroup_limits *limits)
{
  if (quota <= 0 || period <= 0)
    return;
  if (limits->n_cpus == 0 || quota / period < limits->n_cpus)
    limits->n_cpus = quota / period;
}

static void take_cpu_v1(const char *directory, struct al_cgroup_limits *limits)
{
  uint64_t quota, period;
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (!read_text(directory, "cpu.cfs_quota_us", &text) || text.data[0] == '-')
    return;
  if (read_number(directory, "cpu.cfs_quota_us", &quota) && read_number(directory, "cpu.cfs_period_us", &period))
    take_quota((double)quota, (double)period, limits);
}

static void take_v1_memory(const char *directory, struct al_cgroup_limits *limits)
{
  take_memory(directory, &version_1, limits);
}

static void take_v2(const char *directory, struct al_cgroup_limits *limits)
{
  take_memory(directory, &version_2, limits);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  double quota, period;
  if (read_text(directory, "cpu.max", &text) && sscanf(text.data, "%lf %lf", &quota, &period) == 2)
    take_quota(quota, period, limits);
}

/* From the group up to the mount itself. In a container the group's own path is often not visible, the mount is. */
static void walk_up(const char *mount, struct al_str group, void (*take)(const char *, struct al_cgroup_limits *),
                    struct al_cgroup_limits *limits)
{
  char path[MAX_PATH];
  int length = snprintf(path, sizeof path, "%s%.*s", mount, (int)group.size, group.data);
  if (length < 0 || (size_t)length >= sizeof path)
    return;
  size_t least = strlen(mount);
  for (;;) {
    take(path, limits);
    if (strlen(path) <= least)
      return;
    *strrchr(path, '/') = '\0';
  }
}

static bool has_controller(struct al_str list, const char *name)
{
  while (list.size > 0) {
    const char *comma = memchr(list.data, ',', list.size);
    size_t size = comma != nullptr ? (size_t)(comma - list.data) : list.size;
    if (al_str_is(al_str_n(list.data, size), name))
      return true;
    size_t skip = al_min_size(size + 1, list.size);
    list = al_str_n(list.data + skip, list.size - skip);
  }
  return false;
}

/* One line "id:controllers:/path" of /proc/self/cgroup; version 2 has id 0 and no controllers. */
static void take_line(const char *root, struct al_str line, struct al_cgroup_limits *limits)
{
  const char *first = memchr(line.data, ':', line.size);
  if (first == nullptr)
    return;
  const char *end = line.data + line.size;
  const char *second = memchr(first + 1, ':', (size_t)(end - first - 1));
  if (second == nullptr)
    return;
  struct al_str controllers = al_str_n(first + 1, (size_t)(second - first - 1));
  struct al_str group = al_str_n(second + 1, (size_t)(end - second - 1));
  if (group.size == 0 || group.data[0] != '/')
    return;
  if (group.size == 1)
    group.size = 0;
  char mount[MAX_PATH];
  const char *name = controllers.size == 0 ? "" : has_controller(controllers, "memory") ? "/memory" : "/cpu";
  if (controllers.size > 0 && !has_controller(controllers, "memory") && !has_controller(controllers, "cpu"))
    return;
  (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root, name);
  void (*take)(const char *, struct al_cgroup_limits *) = controllers.size == 0 ? take_v2
                                                          : name[1] == 'm'      ? take_v1_memory
                                                                                : take_cpu_v1;
  walk_up(mount, group, take, limits);
}

void al_cgroup_read(const char *root, struct al_cgroup_limits *limits)
{
  *limits = (struct al_cgroup_limits){ .memory_max_bytes = UINT64_MAX, .memory_available_bytes = UINT64_MAX };
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  if (!read_text(root, "proc/self/cgroup", &text))
    return;
  for (const char *line = text.data; *line != '\0';) {
    size_t size = strcspn(line, "\n");
    take_line(root, al_str_n(line, size), limits);
    line += size + (line[size] == '\n');
  }
}
