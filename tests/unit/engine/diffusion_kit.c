#include "diffusion_kit.h"

#include "os/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void list_of(const char *directory, struct al_dir_list *list)
{
  assert_int_equal(al_dir_list(directory, 100, list, nullptr), AL_OK);
}

static void copy_file(const struct kit *kit, const char *data, const char *name)
{
  char from[PATH_MAX];
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  assert_int_equal(al_path_join(from, sizeof from, data, name, nullptr), AL_OK);
  assert_int_equal(al_file_read(from, 1 << 20, &bytes, nullptr), AL_OK);
  kit_write(kit, name, al_buf_view(&bytes));
}

static void copy_folder(const struct kit *kit, const char *data, const char *folder)
{
  char from[PATH_MAX], to[PATH_MAX];
  assert_int_equal(al_path_join(from, sizeof from, data, folder, nullptr), AL_OK);
  assert_int_equal(al_path_join(to, sizeof to, kit->directory, folder, nullptr), AL_OK);
  assert_int_equal(mkdir(to, 0700), 0);
  AL_CLEANUP(al_dir_list_free) struct al_dir_list list = {};
  list_of(from, &list);
  for (size_t i = 0; i < list.count; i++) {
    char name[300];
    (void)snprintf(name, sizeof name, "%.40s/%.200s", folder, list.items[i].name);
    copy_file(kit, data, name);
  }
}

void diffusion_kit_copy(struct kit *kit, const char *data)
{
  const char *temporary = getenv("TMPDIR");
  (void)snprintf(kit->directory, sizeof kit->directory, "%s/allm-test-XXXXXX",
                 temporary != nullptr ? temporary : "/tmp");
  assert_non_null(mkdtemp(kit->directory));
  AL_CLEANUP(al_dir_list_free) struct al_dir_list list = {};
  list_of(data, &list);
  for (size_t i = 0; i < list.count; i++)
    if (list.items[i].is_directory)
      copy_folder(kit, data, list.items[i].name);
    else
      copy_file(kit, data, list.items[i].name);
}

static void remove_all(const char *directory)
{
  AL_CLEANUP(al_dir_list_free) struct al_dir_list list = {};
  list_of(directory, &list);
  for (size_t i = 0; i < list.count; i++) {
    char path[PATH_MAX];
    assert_int_equal(al_path_join(path, sizeof path, directory, list.items[i].name, nullptr), AL_OK);
    if (list.items[i].is_directory)
      remove_all(path);
    else
      assert_int_equal(unlink(path), 0);
  }
  assert_int_equal(rmdir(directory), 0);
}

void diffusion_kit_remove(struct kit *kit)
{
  remove_all(kit->directory);
}

void diffusion_kit_patch(const struct kit *kit, const char *name, const char *from, const char *to)
{
  size_t size = strlen(from);
  assert_int_equal(strlen(to), size);
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  kit_read(kit, name, &bytes);
  char *at = memmem(bytes.data, bytes.size, from, size);
  if (at == nullptr)
    fail_msg("%s: \"%s\" is not there", name, from);
  memcpy(at, to, size);
  kit_write(kit, name, al_buf_view(&bytes));
}

struct al_sd_model *diffusion_kit_open(const char *directory, const char *quant, bool load)
{
  struct al_err err = {};
  struct al_sd_model *model = nullptr;
  struct al_sd_options options = { .quant = quant, .n_threads = 1 };
  if (al_sd_model_open(directory, &options, &model, &err) != AL_OK ||
      (load && al_sd_model_load(model, nullptr, nullptr, &err) != AL_OK))
    fail_msg("%s", err.message);
  return model;
}
