#include "base/clock.h"
#include "cli/connection.h"
#include "cli/print_json.h"
#include "cli/table.h"

#include <stdio.h>

static void print_since(struct al_table *table, int64_t unix_s)
{
  int64_t seconds = al_wall_s() - unix_s;
  if (unix_s <= 0)
    al_table_cell(table, al_str("never"));
  else if (seconds < 120)
    al_table_cellf(table, "%lld s ago", (long long)seconds);
  else if (seconds < 7200)
    al_table_cellf(table, "%lld min ago", (long long)seconds / 60);
  else
    al_table_cellf(table, "%lld h ago", (long long)seconds / 3600);
}

static bool is_in_memory(const struct al_json *model)
{
  return !al_str_is(al_json_str(al_json_get(model, "state")), "unloaded");
}

static void print_table(const struct al_json *models)
{
  static const char *const headings[] = { "MODEL",   "STATE",   "RUNTIME", "MEMORY",   "GPU LAYERS",
                                          "CONTEXT", "RUNNING", "WAITING", "LAST USED" };
  struct al_table table;
  al_table_init(&table, headings, AL_COUNT(headings));
  struct al_json_iter it = al_json_iter(models);
  while (al_json_next(&it)) {
    if (!is_in_memory(it.value))
      continue;
    al_table_cell(&table, al_json_str(al_json_get(it.value, "id")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "state")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "runtime")));
    al_table_bytes(&table, (double)al_json_int(al_json_get(it.value, "memory_bytes"), 0));
    al_table_cellf(&table, "%lld", (long long)al_json_int(al_json_get(it.value, "gpu_layers"), 0));
    al_table_number(&table, al_json_int(al_json_get(it.value, "context_length"), 0));
    static const char *const numbers[] = { "running", "waiting" };
    for (size_t i = 0; i < AL_COUNT(numbers); i++)
      al_table_cellf(&table, "%lld", (long long)al_json_int(al_json_get(it.value, numbers[i]), 0));
    print_since(&table, al_json_int(al_json_get(it.value, "last_used_at"), 0));
  }
  al_table_print(&table);
  al_table_done(&table);
}

static void print_json(const struct al_json *models)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  al_jw_array(&w);
  struct al_json_iter it = al_json_iter(models);
  while (al_json_next(&it))
    if (is_in_memory(it.value))
      al_jw_value(&w, it.value);
  al_jw_end(&w);
  if (text.size > 0)
    (void)printf("%s\n", text.data);
}

static enum al_code print_loaded(struct al_cli *cli, struct al_err *err)
{
  struct al_connection connection = {};
  cli->port_given = true; /* a private server would have nothing to tell */
  AL_TRY(al_connection_open(cli, nullptr, &connection, err));
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *status = nullptr;
  enum al_code code = al_connection_get(&connection, "/status", &status, err);
  al_connection_close(&connection);
  if (code != AL_OK)
    return code;
  const struct al_json *models = al_json_get(al_json_root(status), "models");
  if (cli->json)
    print_json(models);
  else
    print_table(models);
  return AL_OK;
}

static int ps(struct al_cli *cli, int argc, char **argv)
{
  (void)argv;
  if (argc > 0)
    return al_cli_usage(&al_command_ps);
  struct al_err err = {};
  return print_loaded(cli, &err) == AL_OK ? 0 : al_cli_fail(&err);
}

const struct al_cli_command al_command_ps = {
  .name = "ps",
  .arguments = "",
  .summary = "the models in memory and what they are doing",
  .run = ps,
};
