/* "allm transcribe": the files one after another, each with its own success or failure. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/flags.h"
#include "cli/hearing.h"
#include "cli/interrupt.h"
#include "cli/model_choice.h"
#include "cli/temporary.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct transcribe {
  struct al_cli *cli;
  struct al_hearing_options options;
  const char *out; /* nullptr: standard output */
  bool out_is_directory;
  char **files;
  int n_files;
  struct al_connection connection;
  bool is_connected;
  char model[AL_CLI_MODEL_BYTES];
  bool has_printed; /* to standard output */
};

/* --- arguments --------------------------------------------------------------------------------------------------- */

static const struct {
  const char *format, *ending;
} formats[] = {
  { "text", ".txt" }, { "json", ".json" }, { "verbose_json", ".json" }, { "srt", ".srt" }, { "vtt", ".vtt" }
};

static const char *ending_of(const char *format)
{
  for (size_t i = 0; i < AL_COUNT(formats); i++)
    if (al_streq(formats[i].format, format))
      return formats[i].ending;
  return nullptr;
}

/* What the output's name says, if it says anything. */
static const char *format_of_name(const char *name)
{
  for (size_t i = 0; name != nullptr && i < AL_COUNT(formats); i++)
    if (al_str_ends(al_str(name), al_str(formats[i].ending)))
      return formats[i].format;
  return "text";
}

static enum al_code choose_format(struct transcribe *t, struct al_err *err)
{
  struct al_hearing_options *options = &t->options;
  bool json = options->format == nullptr && t->cli->json;
  if (options->format == nullptr)
    options->format = options->words ? "verbose_json" : json ? "json" : format_of_name(t->out);
  if (ending_of(options->format) == nullptr)
    return al_fail_param(err, "--format", "--format must be text, json, srt, vtt or verbose_json, not \"%.40s\"",
                         options->format);
  if (options->words && !al_streq(options->format, "verbose_json"))
    return al_fail_param(err, "--words", "--words needs the format verbose_json");
  if (t->cli->json && !al_streq(ending_of(options->format), ".json"))
    return al_fail_param(err, "--json", "--json and the format %s contradict each other", options->format);
  return AL_OK;
}

static bool is_directory(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* "talks/monday.mp3" in the directory "texts": "texts/monday.srt". */
static enum al_code output_path(const struct transcribe *t, const char *file, char *path, size_t size,
                                struct al_err *err)
{
  if (!t->out_is_directory) {
    (void)snprintf(path, size, "%s", t->out);
    return AL_OK;
  }
  char name[512];
  const char *last = al_streq(file, "-") ? "stdin" : al_path_last(file);
  const char *dot = strrchr(last, '.');
  size_t stem = dot != nullptr && dot != last ? (size_t)(dot - last) : strlen(last);
  (void)snprintf(name, sizeof name, "%.*s%s", (int)al_min_size(stem, 400), last, ending_of(t->options.format));
  return al_path_join(path, size, t->out, name, err);
}

static enum al_code check_output(struct transcribe *t, struct al_err *err)
{
  if (t->out == nullptr)
    return AL_OK;
  t->out_is_directory = is_directory(t->out);
  if (!t->out_is_directory && (t->n_files > 1 || al_str_ends(al_str(t->out), al_str("/"))))
    return al_fail_param(err, "-o", "%s is no directory that is there", t->out);
  for (int i = 0; t->out_is_directory && i < t->n_files; i++) {
    char path[4096], other[4096];
    AL_TRY(output_path(t, t->files[i], path, sizeof path, err));
    for (int k = 0; k < i; k++) {
      AL_TRY(output_path(t, t->files[k], other, sizeof other, err));
      if (al_streq(path, other))
        return al_fail_param(err, "-o", "%s and %s would both be written to %s", t->files[k], t->files[i], path);
    }
  }
  return AL_OK;
}

static enum al_code read_arguments(struct transcribe *t, int argc, char **argv, struct al_err *err)
{
  struct al_hearing_options *options = &t->options;
  const struct al_flag flags[] = {
    { "--language", &options->language, nullptr },
    { "--prompt", &options->prompt, nullptr },
    { "--format", &options->format, nullptr },
    { "--temperature", &options->temperature, nullptr },
    { "-o", &t->out, nullptr },
    { "--output", &t->out, nullptr },
    { "--translate", nullptr, &options->translate },
    { "--words", nullptr, &options->words },
  };
  AL_TRY(al_flags_read(flags, AL_COUNT(flags), &argc, argv, err));
  t->files = argv;
  t->n_files = argc;
  double temperature;
  if (options->temperature != nullptr)
    AL_TRY(al_flag_number("--temperature", options->temperature, &temperature, err));
  if (al_streq(t->out, "-"))
    t->out = nullptr;
  AL_TRY(choose_format(t, err));
  return check_output(t, err);
}

/* --- a file ------------------------------------------------------------------------------------------------------ */

struct input {
  int fd;
  uint64_t size_bytes;
};

/* What cannot be read twice (standard input, a pipe) is copied to a file first: its length must be known. */
static enum al_code copy_input(struct input *input, int from_fd, struct al_err *err)
{
  int copy = -1;
  AL_TRY(al_temporary_open(&copy, err));
  enum al_code code = al_temporary_fill(copy, from_fd, al_interrupt_fd(), &input->size_bytes, err);
  if (code == AL_OK)
    input->fd = copy;
  else
    al_fd_close(&copy);
  return code;
}

/* Of an open descriptor, which *input takes over when it is a file. */
static enum al_code take_input(const char *file, int *fd, struct input *input, struct al_err *err)
{
  struct stat info;
  if (*fd < 0 || fstat(*fd, &info) != 0)
    return al_fail(err, AL_NOT_FOUND, "%s", strerror(errno));
  if (S_ISDIR(info.st_mode))
    return al_fail(err, AL_INVALID_REQUEST, "it is a directory");
  if (!S_ISREG(info.st_mode) || al_streq(file, "-"))
    return copy_input(input, *fd, err);
  *input = (struct input){ *fd, (uint64_t)info.st_size };
  *fd = -1;
  return AL_OK;
}

static enum al_code open_input(const char *file, struct input *input, struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int fd =
      al_streq(file, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);
  AL_TRY(take_input(file, &fd, input, err));
  if (input->size_bytes > 0)
    return AL_OK;
  al_fd_close(&input->fd);
  return al_fail(err, AL_INVALID_REQUEST, "it is empty");
}

/* With the first file that is there: no server is started for nothing. */
static enum al_code connect_once(struct transcribe *t, struct al_err *err)
{
  if (t->is_connected)
    return AL_OK;
  const char *model = t->cli->model;
  bool is_path = model != nullptr && al_cli_is_model_path(model);
  AL_TRY(al_connection_open(t->cli, is_path ? model : nullptr, &t->connection, err));
  t->is_connected = true;
  t->options.model = model;
  if (is_path || model == nullptr)
    t->options.model = t->model;
  if (is_path)
    return al_cli_id_of_path(model, t->model, sizeof t->model, err);
  if (model != nullptr)
    return AL_OK;
  AL_TRY(al_cli_choose_model(&t->connection, "transcription", t->model, sizeof t->model, err));
  if (isatty(STDERR_FILENO) == 1)
    (void)fprintf(stderr, "with %s\n", t->model);
  return AL_OK;
}

static void print_heading(struct transcribe *t, const char *file)
{
  bool is_json = al_streq(ending_of(t->options.format), ".json");
  if (t->n_files < 2 || t->out != nullptr || is_json)
    return;
  (void)printf("%s==> %s <==\n", t->has_printed ? "\n" : "", file);
  (void)fflush(stdout);
  t->has_printed = true;
}

static enum al_code hear(struct transcribe *t, const struct al_hearing_input *input, struct al_err *err)
{
  if (t->out == nullptr) {
    print_heading(t, input->name);
    return al_hearing_run(&t->connection, &t->options, input, nullptr, al_interrupt_fd(), err);
  }
  char path[4096];
  AL_CLEANUP(al_output_done) struct al_output output = {};
  AL_TRY(output_path(t, input->name, path, sizeof path, err));
  AL_TRY(al_output_open(path, &output, err));
  AL_TRY(al_hearing_run(&t->connection, &t->options, input, &output, al_interrupt_fd(), err));
  return al_output_finish(&output, err);
}

/* *fatal: it would be no better with the next file. */
static enum al_code transcribe_file(struct transcribe *t, const char *file, bool *fatal, struct al_err *err)
{
  struct input opened = { .fd = -1 };
  *fatal = false;
  AL_TRY(open_input(file, &opened, err));
  enum al_code code = connect_once(t, err);
  *fatal = code != AL_OK;
  const struct al_hearing_input input = { opened.fd, opened.size_bytes, al_streq(file, "-") ? "stdin" : file,
                                          t->n_files > 1 };
  if (code == AL_OK)
    code = hear(t, &input, err);
  al_fd_close(&opened.fd);
  return code;
}

static int transcribe_all(struct transcribe *t)
{
  int exit_code = 0;
  for (int i = 0; i < t->n_files; i++) {
    struct al_err err = {};
    bool fatal = false;
    enum al_code code = transcribe_file(t, t->files[i], &fatal, &err);
    if (code == AL_CANCELLED)
      return al_interrupt_exit_code();
    if (code == AL_OK)
      continue;
    exit_code = 1;
    if (fatal)
      return al_cli_fail(&err);
    (void)fprintf(stderr, "allm: %s: %s\n", al_streq(t->files[i], "-") ? "standard input" : t->files[i], err.message);
  }
  return exit_code;
}

static int transcribe(struct al_cli *cli, int argc, char **argv)
{
  AL_CLEANUP(al_free_p) struct transcribe *t = al_calloc(1, sizeof *t);
  struct al_err err = {};
  if (t == nullptr)
    return (void)al_fail_oom(&err, sizeof *t), al_cli_fail(&err);
  t->cli = cli;
  if (read_arguments(t, argc, argv, &err) != AL_OK)
    return (void)al_cli_fail(&err), 2;
  if (t->n_files == 0)
    return al_cli_usage(&al_command_transcribe);
  if (al_interrupt_watch(true, &err) != AL_OK)
    return al_cli_fail(&err);
  int exit_code = transcribe_all(t);
  al_connection_close(&t->connection);
  return exit_code;
}

const struct al_cli_command al_command_transcribe = {
  .name = "transcribe",
  .arguments = "FILE...",
  .summary = "write down what is said in sound or video files",
  .details =
      "FILE is anything with sound in it: wav, mp3, flac, ogg, m4a, webm, mp4 and so on; \"-\" is standard input. The\n"
      "text appears as it is heard. Several files: one after another; what is wrong with one does not stop the "
      "others.\n"
      "When no server listens it starts one of its own and ends it afterwards.\n\n"
      "  --model MODEL      a model's name (\"allm list\") or file; otherwise the first of yours that can, or the "
      "built-in\n"
      "  --language CODE    what is spoken (de, en, ...); otherwise the model finds out\n"
      "  --translate        into English\n"
      "  --prompt TEXT      names and spellings that occur\n"
      "  --format FORMAT    text, srt, vtt, json or verbose_json; otherwise as the name behind -o ends\n"
      "  --words            the time of each word (verbose_json)\n"
      "  --temperature X    0: always the likeliest\n"
      "  -o, --output PATH  a file, or a directory that is there: a file for each\n"
      "  --json             as --format json; of several files, each names itself\n",
  .run = transcribe,
  .takes_model = true,
};
