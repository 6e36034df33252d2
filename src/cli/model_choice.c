#include "cli/model_choice.h"

#include "os/file.h"

#include <stdio.h>
#include <string.h>

bool al_cli_is_model_path(const char *model)
{
  struct al_file_info info;
  if (model[0] == '/' || model[0] == '.' || model[0] == '~')
    return true;
  bool is_file = al_str_ends(al_str(model), al_str(".gguf")) || al_str_ends(al_str(model), al_str(".bin"));
  return (is_file || strchr(model, '/') != nullptr) && al_file_stat(model, &info, nullptr) == AL_OK;
}

enum al_code al_cli_id_of_path(const char *path, char *id, size_t size, struct al_err *err)
{
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/')
    n--;
  size_t begin = n;
  while (begin > 0 && path[begin - 1] != '/')
    begin--;
  static const char *const endings[] = { ".gguf", ".bin" };
  for (size_t i = 0; i < AL_COUNT(endings); i++) {
    struct al_str last = al_str_n(path + begin, n - begin);
    if (last.size > strlen(endings[i]) && al_str_ends(last, al_str(endings[i])))
      n -= strlen(endings[i]);
  }
  if (n - begin >= size)
    return al_fail_param(err, "model", "the path's last part is too long");
  memcpy(id, path + begin, n - begin);
  id[n - begin] = '\0';
  return AL_OK;
}

static bool can(const struct al_json *model, const char *capability)
{
  struct al_json_iter it = al_json_iter(al_json_get(model, "capabilities"));
  while (al_json_next(&it))
    if (al_str_is(al_json_str(it.value), capability))
      return true;
  return false;
}

enum al_code al_cli_choose_model(struct al_connection *connection, const char *capability, char *id, size_t size,
                                 struct al_err *err)
{
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *models = nullptr;
  AL_TRY(al_connection_get(connection, "/v1/models", &models, err));
  struct al_str best = {};
  struct al_json_iter it = al_json_iter(al_json_get(al_json_root(models), "data"));
  bool is_own = false;
  while (al_json_next(&it) && !is_own) {
    if (!can(it.value, capability))
      continue;
    is_own = !al_str_is(al_json_str(al_json_get(it.value, "owned_by")), "allm");
    if (best.data == nullptr || is_own)
      best = al_json_str(al_json_get(it.value, "id"));
  }
  if (best.data == nullptr)
    return al_fail(err, AL_NOT_FOUND, "no model here can do that (%s); \"allm list\" shows what there is", capability);
  if (best.size >= size)
    return al_fail(err, AL_INTERNAL, "a model's name is too long");
  memcpy(id, best.data, best.size);
  id[best.size] = '\0';
  return AL_OK;
}
