#include "cli/cli.h"

#include "base/alloc.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

constexpr size_t MAX_COMMANDS = 16;

struct commands {
  const struct al_cli_command *items[MAX_COMMANDS];
  size_t count;
};

static struct commands all_commands(const struct al_cli_command *serve)
{
  return (struct commands){
    .items = { serve, &al_command_run, &al_command_transcribe, &al_command_speak, &al_command_list, &al_command_ps,
               &al_command_show, &al_command_version },
    .count = 8,
  };
}

int al_cli_fail(const struct al_err *err)
{
  (void)fprintf(stderr, "allm: %s\n", err->message);
  return 1;
}

int al_cli_usage(const struct al_cli_command *command)
{
  (void)fprintf(stderr, "usage: allm %s%s%s\n", command->name, command->arguments[0] != '\0' ? " " : "",
                command->arguments);
  return 2;
}

static void print_options(void)
{
  (void)printf("\nOptions (each also as an environment variable: --gpu-layers is ALLM_GPU_LAYERS):\n");
  for (size_t i = 0; i < al_n_options; i++) {
    const struct al_option *option = &al_options[i];
    char flag[64];
    (void)snprintf(flag, sizeof flag, "--%s %s", option->name, option->metavar != nullptr ? option->metavar : "");
    (void)printf("  %-26s %s\n", flag, option->help);
  }
  (void)printf("  %-26s %s\n", "--json", "print JSON (run, transcribe, speak --list-voices, list, ps, show)");
}

static int print_help(const struct commands *commands, const char *topic)
{
  for (size_t i = 0; topic != nullptr && i < commands->count; i++) {
    const struct al_cli_command *command = commands->items[i];
    if (!al_streq(command->name, topic))
      continue;
    (void)printf("usage: allm %s %s\n\n%s\n", command->name, command->arguments, command->summary);
    if (command->details != nullptr)
      (void)printf("\n%s", command->details);
    if (al_streq(topic, "serve"))
      print_options();
    return 0;
  }
  (void)printf("allm: language, embedding, speech and image models on your own machine\n\nCommands:\n");
  for (size_t i = 0; i < commands->count; i++) {
    char head[48];
    (void)snprintf(head, sizeof head, "%s %s", commands->items[i]->name, commands->items[i]->arguments);
    (void)printf("  %-34s %s\n", head, commands->items[i]->summary);
  }
  print_options();
  return 0;
}

/* Takes "--json" out and learns whether an address was named. */
static void take_own_flags(struct al_cli *cli, int *argc, char **argv)
{
  int kept = 0;
  bool after_dashes = false;
  for (int i = 0; i < *argc; i++) {
    after_dashes = after_dashes || al_streq(argv[i], "--");
    if (!after_dashes && al_streq(argv[i], "--json"))
      cli->json = true;
    else
      argv[kept++] = argv[i];
    if (!after_dashes && (strncmp(argv[i], "--port", 6) == 0 || strncmp(argv[i], "--host", 6) == 0))
      cli->port_given = true;
  }
  *argc = kept;
}

static const struct al_cli_command *find(const struct commands *commands, const char *name)
{
  for (size_t i = 0; i < commands->count; i++)
    if (al_streq(commands->items[i]->name, name))
      return commands->items[i];
  return nullptr;
}

/* The first argument that is a command. */
static const struct al_cli_command *command_of(const struct commands *commands, int argc, char **argv)
{
  const struct al_cli_command *command = nullptr;
  for (int i = 0; i < argc && command == nullptr; i++)
    command = find(commands, argv[i]);
  return command;
}

/* Takes "--model NAME" out, before it is read as an option of serve. */
static void take_model(struct al_cli *cli, int *argc, char **argv)
{
  int kept = 0;
  bool after_dashes = false;
  for (int i = 0; i < *argc; i++) {
    after_dashes = after_dashes || al_streq(argv[i], "--");
    if (!after_dashes && strncmp(argv[i], "--model=", 8) == 0)
      cli->model = argv[i] + 8;
    else if (!after_dashes && al_streq(argv[i], "--model") && i + 1 < *argc)
      cli->model = argv[++i];
    else
      argv[kept++] = argv[i];
  }
  *argc = kept;
}

static bool wants_help(const char *argument)
{
  return al_streq(argument, "help") || al_streq(argument, "--help") || al_streq(argument, "-h");
}

static int dispatch(struct al_cli *cli, const struct commands *commands, int argc, char **argv)
{
  if (argc == 0)
    return print_help(commands, nullptr), 2;
  if (wants_help(argv[0]))
    return print_help(commands, argc > 1 ? argv[1] : nullptr);
  if (al_streq(argv[0], "--version"))
    return al_command_version.run(cli, 0, nullptr);
  const struct al_cli_command *command = find(commands, argv[0]);
  if (command == nullptr) {
    (void)fprintf(stderr, "allm: there is no command \"%s\"; \"allm help\" lists them\n", argv[0]);
    return 2;
  }
  if (argc > 1 && (al_streq(argv[1], "--help") || al_streq(argv[1], "-h")))
    return print_help(commands, command->name);
  return command->run(cli, argc - 1, argv + 1);
}

int al_cli_main(int argc, char **argv, const struct al_cli_command *serve)
{
  struct commands commands = all_commands(serve);
  AL_CLEANUP(al_free_p) struct al_config *config = al_alloc(sizeof *config);
  struct al_err err = {};
  if (config == nullptr) {
    (void)al_fail_oom(&err, sizeof *config);
    return al_cli_fail(&err);
  }
  struct al_cli cli = { .config = config };
  argc--, argv++;
  take_own_flags(&cli, &argc, argv);
  const struct al_cli_command *command = command_of(&commands, argc, argv);
  if (command != nullptr && command->takes_model)
    take_model(&cli, &argc, argv);
  al_config_defaults(config);
  enum al_code code = al_config_from_env(config, &err);
  if (code == AL_OK)
    code = al_config_from_args(config, &argc, argv, &err);
  if (code != AL_OK)
    return al_cli_fail(&err), 2;
  return dispatch(&cli, &commands, argc, argv);
}

static int print_version(struct al_cli *cli, int argc, char **argv)
{
  (void)argc, (void)argv;
  (void)printf(cli->json ? "{\"version\":\"%s\"}\n" : "allm %s\n", AL_VERSION);
  return 0;
}

const struct al_cli_command al_command_version = {
  .name = "version",
  .arguments = "",
  .summary = "print the version",
  .run = print_version,
};
