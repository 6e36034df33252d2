#include "safetensors_kit.h"

#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void path_of(const struct kit *kit, const char *name, char *out)
{
  assert_int_equal(al_path_join(out, PATH_MAX, kit->directory, name, nullptr), AL_OK);
}

void kit_copy(struct kit *kit, const char *data, const char *model)
{
  const char *temporary = getenv("TMPDIR");
  (void)snprintf(kit->directory, sizeof kit->directory, "%s/allm-test-XXXXXX",
                 temporary != nullptr ? temporary : "/tmp");
  assert_non_null(mkdtemp(kit->directory));
  char source[PATH_MAX];
  assert_int_equal(al_path_join(source, sizeof source, data, model, nullptr), AL_OK);
  struct al_dir_list list = {};
  assert_int_equal(al_dir_list(source, 100, &list, nullptr), AL_OK);
  for (size_t i = 0; i < list.count; i++) {
    AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
    char from[PATH_MAX];
    assert_int_equal(al_path_join(from, sizeof from, source, list.items[i].name, nullptr), AL_OK);
    assert_int_equal(al_file_read(from, 1 << 20, &bytes, nullptr), AL_OK);
    kit_write(kit, list.items[i].name, al_buf_view(&bytes));
  }
  al_dir_list_free(&list);
}

void kit_remove(struct kit *kit)
{
  struct al_dir_list list = {};
  if (al_dir_list(kit->directory, 100, &list, nullptr) == AL_OK)
    for (size_t i = 0; i < list.count; i++)
      kit_delete(kit, list.items[i].name);
  al_dir_list_free(&list);
  (void)rmdir(kit->directory);
}

void kit_read(const struct kit *kit, const char *name, struct al_buf *bytes)
{
  char path[PATH_MAX];
  path_of(kit, name, path);
  assert_int_equal(al_file_read(path, 1 << 20, bytes, nullptr), AL_OK);
}

void kit_write(const struct kit *kit, const char *name, struct al_str bytes)
{
  char path[PATH_MAX];
  path_of(kit, name, path);
  FILE *file = fopen(path, "wbe");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
  assert_int_equal(fclose(file), 0);
}

void kit_delete(const struct kit *kit, const char *name)
{
  char path[PATH_MAX];
  path_of(kit, name, path);
  assert_int_equal(unlink(path), 0);
}

void kit_replace(const struct kit *kit, const char *name, const char *from, const char *to)
{
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  kit_read(kit, name, &bytes);
  const char *at = strstr(bytes.data, from);
  if (at == nullptr || strstr(at + 1, from) != nullptr)
    fail_msg("%s: \"%s\" is not there once", name, from);
  AL_CLEANUP(al_buf_done) struct al_buf changed = {};
  al_buf_add(&changed, bytes.data, (size_t)(at - bytes.data));
  al_buf_str(&changed, to);
  al_buf_str(&changed, at + strlen(from));
  kit_write(kit, name, al_buf_view(&changed));
}

void kit_truncate(const struct kit *kit, const char *name, size_t size)
{
  char path[PATH_MAX];
  path_of(kit, name, path);
  assert_int_equal(truncate(path, (off_t)size), 0);
}
