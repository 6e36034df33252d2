#include "cli/connection.h"
#include "cli/print_json.h"

#include <stdio.h>

static void print_member(struct al_str key, const struct al_json *value)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_str string = al_json_str(value);
  if (string.data == nullptr)
    al_json_print(&text, value);
  else
    al_buf_add(&text, string.data, string.size);
  if (!text.failed)
    (void)printf("%-16.*s %.*s\n", (int)key.size, key.data, (int)text.size, text.data != nullptr ? text.data : "");
}

static enum al_code print_model(struct al_cli *cli, const char *model, struct al_err *err)
{
  char path[1024];
  int length = snprintf(path, sizeof path, "/v1/models/%s", model);
  if (length < 0 || (size_t)length >= sizeof path)
    return al_fail_param(err, "model", "the model's name is too long");
  struct al_connection connection = {};
  AL_TRY(al_connection_open(cli, nullptr, &connection, err));
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  enum al_code code = al_connection_get(&connection, path, &doc, err);
  al_connection_close(&connection);
  if (code != AL_OK)
    return code;
  if (cli->json) {
    al_cli_print_json(al_json_root(doc));
    return AL_OK;
  }
  struct al_json_iter it = al_json_iter(al_json_root(doc));
  while (al_json_next(&it))
    print_member(it.key, it.value);
  return AL_OK;
}

static int show(struct al_cli *cli, int argc, char **argv)
{
  if (argc != 1)
    return al_cli_usage(&al_command_show);
  struct al_err err = {};
  return print_model(cli, argv[0], &err) == AL_OK ? 0 : al_cli_fail(&err);
}

const struct al_cli_command al_command_show = {
  .name = "show",
  .arguments = "MODEL",
  .summary = "what is known of a model",
  .run = show,
};
