#include "base/alloc.h"
#include "cli/chat.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/model_choice.h"
#include "cli/repl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

constexpr size_t MAX_STDIN_BYTES = 16 << 20;

struct run_arguments {
  const char *model;
  const char *prompt; /* nullptr: from standard input, or a chat at the terminal */
  const char *system;
  struct al_buf options; /* ,"temperature":0.5 ... */
};

static enum al_code add_number(struct al_buf *options, const char *flag, const char *field, const char *value,
                               struct al_err *err)
{
  char *end = nullptr;
  double number = strtod(value, &end);
  if (end == value || *end != '\0')
    return al_fail_param(err, field, "%s needs a number, not \"%.40s\"", flag, value);
  al_buf_printf(options, ",\"%s\":", field);
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_json_writer w = al_json_writer(&text);
  if (number == (double)(int64_t)number)
    al_jw_int(&w, (int64_t)number);
  else
    al_jw_real(&w, number);
  al_buf_add(options, text.data, text.size);
  return AL_OK;
}

static enum al_code read_arguments(struct run_arguments *arguments, int argc, char **argv, struct al_err *err)
{
  static const struct {
    const char *flag, *field;
  } numbers[] = { { "--temperature", "temperature" },
                  { "--top-p", "top_p" },
                  { "--top-k", "top_k" },
                  { "--max-tokens", "max_output_tokens" },
                  { "--seed", "seed" } };
  for (int i = 0; i < argc; i++) {
    const char *field = nullptr;
    for (size_t k = 0; k < AL_COUNT(numbers); k++)
      if (strcmp(argv[i], numbers[k].flag) == 0)
        field = numbers[k].field;
    bool takes_value = field != nullptr || strcmp(argv[i], "--system") == 0;
    if (takes_value && i + 1 >= argc)
      return al_fail_param(err, argv[i], "%s needs a value", argv[i]);
    if (field != nullptr) {
      AL_TRY(add_number(&arguments->options, argv[i], field, argv[i + 1], err));
      i++;
    } else if (takes_value) {
      arguments->system = argv[++i];
    } else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0') {
      return al_fail_param(err, argv[i], "run does not know the option %s", argv[i]);
    } else if (strcmp(argv[i], "--") != 0) {
      const char **slot = arguments->model == nullptr ? &arguments->model : &arguments->prompt;
      if (*slot != nullptr)
        return al_fail_param(err, "prompt", "more than one prompt: put it in quotes");
      *slot = argv[i];
    }
  }
  return AL_OK;
}

static void print_text(void *user, struct al_str text)
{
  (void)user;
  (void)fwrite(text.data, 1, text.size, stdout);
  (void)fflush(stdout);
}

static enum al_code print_json(struct al_chat *chat, struct al_str prompt, struct al_err *err)
{
  AL_TRY(al_chat_add(chat, "user", prompt, err));
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  AL_CLEANUP(al_buf_done) struct al_buf answer = {};
  al_chat_body(chat, false, &body);
  AL_TRY(al_buf_check(&body, err));
  AL_TRY(al_connection_post(chat->connection, "/v1/responses", al_buf_view(&body), &answer, err));
  al_buf_char(&answer, '\n');
  print_text(nullptr, al_buf_view(&answer));
  return AL_OK;
}

static enum al_code answer_once(struct al_cli *cli, struct al_chat *chat, struct al_str prompt, struct al_err *err)
{
  if (cli->json)
    return print_json(chat, prompt, err);
  struct al_chat_result result = {};
  enum al_code code = al_chat_say(chat, prompt, print_text, nullptr, al_interrupt_fd(), &result, err);
  (void)printf("\n");
  return code;
}

static enum al_code read_stdin(struct al_buf *text, struct al_err *err)
{
  al_buf_init(text, MAX_STDIN_BYTES);
  for (;;) {
    char *room = al_buf_room(text, 1 << 16);
    if (room == nullptr)
      return al_fail(err, AL_INVALID_REQUEST, "standard input is longer than %zu bytes", MAX_STDIN_BYTES);
    ssize_t n = read(STDIN_FILENO, room, 1 << 16);
    if (n < 0)
      return al_fail(err, AL_INVALID_REQUEST, "standard input: %s", strerror(errno));
    if (n == 0)
      return AL_OK;
    al_buf_grew(text, (size_t)n);
  }
}

static int talk(struct al_cli *cli, struct al_chat *chat, const struct run_arguments *arguments)
{
  struct al_err err = {};
  AL_CLEANUP(al_buf_done) struct al_buf input = {};
  enum al_code code = AL_OK;
  if (arguments->prompt == nullptr && isatty(STDIN_FILENO) && !cli->json)
    return al_repl_run(chat, al_interrupt_fd());
  if (arguments->prompt == nullptr)
    code = read_stdin(&input, &err);
  if (code == AL_OK)
    code = answer_once(cli, chat, arguments->prompt != nullptr ? al_str(arguments->prompt) : al_buf_view(&input), &err);
  if (code == AL_CANCELLED)
    return al_interrupt_exit_code();
  return code == AL_OK ? 0 : al_cli_fail(&err);
}

static int run_model(struct al_cli *cli, const struct run_arguments *arguments)
{
  struct al_err err = {};
  char id[256];
  bool path = al_cli_is_model_path(arguments->model);
  struct al_connection connection = {};
  enum al_code code = path ? al_cli_id_of_path(arguments->model, id, sizeof id, &err) : AL_OK;
  if (code == AL_OK)
    code = al_interrupt_watch(false, &err);
  if (code == AL_OK)
    code = al_connection_open(cli, path ? arguments->model : nullptr, &connection, &err);
  if (code != AL_OK)
    return al_cli_fail(&err);
  struct al_chat chat = {
    .connection = &connection,
    .model = path ? id : arguments->model,
    .system = arguments->system != nullptr ? al_strdup(arguments->system) : nullptr,
    .options_json = arguments->options.size > 0 ? arguments->options.data : "",
  };
  int exit_code = talk(cli, &chat, arguments);
  al_chat_done(&chat);
  al_connection_close(&connection);
  return exit_code;
}

static int run(struct al_cli *cli, int argc, char **argv)
{
  struct run_arguments arguments = {};
  struct al_err err = {};
  int exit_code = 2;
  if (read_arguments(&arguments, argc, argv, &err) != AL_OK)
    (void)al_cli_fail(&err);
  else if (arguments.model == nullptr)
    exit_code = al_cli_usage(&al_command_run);
  else
    exit_code = run_model(cli, &arguments);
  al_buf_done(&arguments.options);
  return exit_code;
}

const struct al_cli_command al_command_run = {
  .name = "run",
  .arguments = "MODEL_OR_PATH [\"PROMPT\"]",
  .summary = "ask a model, or chat with it",
  .details =
      "MODEL_OR_PATH is a model's name (\"allm list\"), a .gguf file or a Hugging Face directory. Without a prompt it\n"
      "reads one from standard input, or opens a chat at the terminal. When no server listens it starts one of its\n"
      "own and ends it afterwards.\n\n"
      "  --system TEXT      the system prompt\n"
      "  --temperature X    0: always the likeliest token\n"
      "  --top-p X, --top-k N, --seed N\n"
      "  --max-tokens N     end after so many tokens\n"
      "  --json             print the whole response object\n",
  .run = run,
};
