#include "cli/connection.h"
#include "cli/print_json.h"
#include "cli/table.h"

#include <stdio.h>

static void print_models(const struct al_json *models)
{
  static const char *const headings[] = { "MODEL",      "TYPE",  "FORMAT", "ARCHITECTURE",
                                          "PARAMETERS", "QUANT", "SIZE",   "CONTEXT" };
  struct al_table table;
  al_table_init(&table, headings, AL_COUNT(headings));
  struct al_json_iter it = al_json_iter(models);
  while (al_json_next(&it)) {
    al_table_cell(&table, al_json_str(al_json_get(it.value, "id")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "type")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "format")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "architecture")));
    al_table_count(&table, (double)al_json_int(al_json_get(it.value, "parameters"), 0));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "quantization")));
    al_table_bytes(&table, (double)al_json_int(al_json_get(it.value, "size_bytes"), 0));
    al_table_number(&table, al_json_int(al_json_get(it.value, "context_length"), 0));
  }
  al_table_print(&table);
  al_table_done(&table);
}

/* What is there and cannot run, each with its reason. */
static void print_problems(const struct al_json *models)
{
  struct al_json_iter it = al_json_iter(models);
  while (al_json_next(&it)) {
    const struct al_json *problem = al_json_get(it.value, "problem");
    struct al_str id = al_json_str(al_json_get(it.value, "id"));
    struct al_str message = al_json_str(al_json_get(problem, "message"));
    if (message.data != nullptr)
      (void)printf("%.*s cannot run here: %.*s\n", (int)id.size, id.data, (int)message.size, message.data);
  }
}

static enum al_code print_list(struct al_cli *cli, bool all, struct al_err *err)
{
  struct al_connection connection = {};
  AL_TRY(al_connection_open(cli, nullptr, &connection, err));
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *models = nullptr;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *status = nullptr;
  enum al_code code = al_connection_get(&connection, "/v1/models", &models, err);
  if (code == AL_OK && all)
    code = al_connection_get(&connection, "/status", &status, err);
  al_connection_close(&connection);
  if (code != AL_OK)
    return code;
  const struct al_json *can_run = al_json_get(al_json_root(models), "data");
  const struct al_json *known = al_json_get(al_json_root(status), "models");
  if (cli->json) {
    al_cli_print_json(all ? known : can_run);
    return AL_OK;
  }
  print_models(can_run);
  print_problems(known);
  return AL_OK;
}

static int list(struct al_cli *cli, int argc, char **argv)
{
  bool all = argc == 1 && al_streq(argv[0], "--all");
  if (argc > 0 && !all)
    return al_cli_usage(&al_command_list);
  struct al_err err = {};
  return print_list(cli, all, &err) == AL_OK ? 0 : al_cli_fail(&err);
}

const struct al_cli_command al_command_list = {
  .name = "list",
  .arguments = "[--all]",
  .summary = "the models that can run here; --all: the others too, and why not",
  .run = list,
};
