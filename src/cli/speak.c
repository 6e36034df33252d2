/* "allm speak": to the loudspeaker, or into a file. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/model_choice.h"
#include "cli/output.h"
#include "cli/player.h"
#include "cli/print_json.h"
#include "cli/table.h"
#include "cli/temporary.h"
#include "os/file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

constexpr size_t MAX_TEXT_BYTES = 1 << 20; /* the server says how much of it it takes */

struct speak {
  struct al_cli *cli;
  const char *text; /* nullptr: from a file or standard input */
  const char *file, *out, *voice, *speed, *format;
  double speed_number;
  bool list_voices;
  struct al_connection connection;
  char model[AL_CLI_MODEL_BYTES];
  struct al_output output;
  struct al_player player;
  struct al_err failure; /* of writing or playing */
};

/* --- arguments --------------------------------------------------------------------------------------------------- */

static const struct {
  const char *ending, *format;
} endings[] = {
  { ".wav", "wav" }, { ".mp3", "mp3" },   { ".opus", "opus" }, { ".ogg", "opus" },
  { ".aac", "aac" }, { ".flac", "flac" }, { ".pcm", "pcm" },   { ".raw", "pcm" },
};

static enum al_code choose_format(struct speak *speak, struct al_err *err)
{
  for (size_t i = 0; speak->out != nullptr && speak->format == nullptr && i < AL_COUNT(endings); i++)
    if (al_str_ends(al_str(speak->out), al_str(endings[i].ending)))
      speak->format = endings[i].format;
  if (speak->out == nullptr && speak->format != nullptr)
    return al_fail_param(err, "--format", "--format goes with -o");
  const char *last = speak->out != nullptr ? al_path_last(speak->out) : "";
  if (speak->format == nullptr && strchr(last, '.') != nullptr)
    return al_fail_param(err, "-o",
                         "%s: the name's ending is none of wav, mp3, opus, ogg, aac, flac, pcm; say --format", last);
  if (speak->format == nullptr)
    speak->format = speak->out != nullptr ? "wav" : "pcm";
  if (al_streq(speak->out, "-") && isatty(STDOUT_FILENO) == 1)
    return al_fail_param(err, "-o", "standard output is a terminal, which is no place for sound");
  return AL_OK;
}

static enum al_code read_arguments(struct speak *speak, int argc, char **argv, struct al_err *err)
{
  const struct al_flag flags[] = {
    { "-f", &speak->file, nullptr },         { "--file", &speak->file, nullptr },
    { "-o", &speak->out, nullptr },          { "--output", &speak->out, nullptr },
    { "--voice", &speak->voice, nullptr },   { "--speed", &speak->speed, nullptr },
    { "--format", &speak->format, nullptr }, { "--list-voices", nullptr, &speak->list_voices },
  };
  AL_TRY(al_flags_read(flags, AL_COUNT(flags), &argc, argv, err));
  if (argc > 1 || (argc == 1 && (speak->file != nullptr || speak->list_voices)))
    return al_fail_param(err, "text", "more than one text: put it in quotes");
  if (argc == 1 && al_streq(argv[0], "-"))
    speak->file = "-";
  else if (argc == 1)
    speak->text = argv[0];
  if (speak->speed != nullptr)
    AL_TRY(al_flag_number("--speed", speak->speed, &speak->speed_number, err));
  return choose_format(speak, err);
}

/* --- the text ---------------------------------------------------------------------------------------------------- */

static enum al_code read_all(int fd, struct al_buf *text, struct al_err *err)
{
  AL_CLEANUP(al_fd_close) int copy = -1; /* which waits for Ctrl-C as well */
  uint64_t size = 0;
  AL_TRY(al_temporary_open(&copy, err));
  AL_TRY(al_temporary_fill(copy, fd, al_interrupt_fd(), &size, err));
  if (size > MAX_TEXT_BYTES)
    return al_fail(err, AL_INVALID_REQUEST, "the text is longer than %zu bytes", MAX_TEXT_BYTES);
  char *room = al_buf_room(text, size > 0 ? size : 1);
  if (room == nullptr)
    return al_fail_oom(err, size);
  AL_TRY(al_file_read_at(copy, 0, room, size, err));
  al_buf_grew(text, size);
  return AL_OK;
}

static enum al_code read_text(const struct speak *speak, struct al_buf *text, struct al_err *err)
{
  if (speak->text != nullptr) {
    al_buf_str(text, speak->text);
  } else if (speak->file == nullptr || al_streq(speak->file, "-")) {
    AL_TRY(read_all(STDIN_FILENO, text, err));
  } else {
    AL_CLEANUP(al_fd_close) int fd = open(speak->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      return al_fail(err, AL_NOT_FOUND, "%s: %s", speak->file, strerror(errno));
    if (read_all(fd, text, err) != AL_OK)
      return al_wrap(err, "%s", speak->file);
  }
  return text->size > 0 ? al_buf_check(text, err) : al_fail(err, AL_INVALID_REQUEST, "there is no text to speak");
}

/* --- speaking ---------------------------------------------------------------------------------------------------- */

static enum al_code connect_to(struct speak *speak, struct al_err *err)
{
  AL_TRY(al_connection_open(speak->cli, nullptr, &speak->connection, err));
  if (speak->cli->model == nullptr)
    return al_cli_choose_model(&speak->connection, "speech", speak->model, sizeof speak->model, err);
  (void)snprintf(speak->model, sizeof speak->model, "%s", speak->cli->model);
  return AL_OK;
}

static void write_body(const struct speak *speak, struct al_str text, struct al_buf *body)
{
  struct al_json_writer w = al_json_writer(body);
  al_jw_object(&w);
  al_jw_kv_str(&w, "model", speak->model);
  al_jw_kv_str_n(&w, "input", text);
  if (speak->voice != nullptr)
    al_jw_kv_str(&w, "voice", speak->voice);
  al_jw_kv_str(&w, "response_format", speak->format);
  if (speak->speed != nullptr)
    al_jw_kv_real(&w, "speed", speak->speed_number);
  al_jw_end(&w);
}

static bool on_bytes(void *user, struct al_str bytes)
{
  struct speak *speak = user;
  enum al_code code = speak->out != nullptr ? al_output_write(&speak->output, bytes, &speak->failure)
                                            : al_player_add(&speak->player, bytes, &speak->failure);
  return code == AL_OK;
}

/* A stream's header cannot know how long it will be; of a file's every player expects it. The layout is that of our own
 * server: RIFF, its size, WAVE, "fmt " with 16 bytes, data, its size. */
static enum al_code put_wav_sizes(const struct al_output *output, struct al_err *err)
{
  unsigned char head[44];
  struct stat info;
  if (output->temporary[0] == '\0' || fstat(output->fd, &info) != 0 || info.st_size < (off_t)sizeof head)
    return AL_OK;
  AL_TRY(al_file_read_at(output->fd, 0, head, sizeof head, err));
  static const unsigned char unknown[4] = { 0xff, 0xff, 0xff, 0xff };
  bool is_ours = memcmp(head, "RIFF", 4) == 0 && memcmp(head + 36, "data", 4) == 0 &&
                 memcmp(head + 40, unknown, sizeof unknown) == 0;
  if (!is_ours || info.st_size > (off_t)UINT32_MAX)
    return AL_OK;
  static const struct {
    off_t at;
    uint32_t before; /* bytes that do not count */
  } sizes[] = { { 4, 8 }, { 40, 44 } };
  for (size_t i = 0; i < AL_COUNT(sizes); i++) {
    uint32_t size = htole32((uint32_t)info.st_size - sizes[i].before);
    if (pwrite(output->fd, &size, sizeof size, sizes[i].at) != (ssize_t)sizeof size)
      return al_fail(err, AL_INVALID_REQUEST, "%s cannot be written: %s", output->name, strerror(errno));
  }
  return AL_OK;
}

static enum al_code open_sink(struct speak *speak, struct al_err *err)
{
  return speak->out != nullptr ? al_output_open(speak->out, &speak->output, err) : al_player_open(&speak->player, err);
}

static enum al_code say(struct speak *speak, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  AL_TRY(read_text(speak, &text, err));
  AL_TRY(open_sink(speak, err));
  AL_TRY(connect_to(speak, err));
  write_body(speak, al_buf_view(&text), &body);
  AL_TRY(al_buf_check(&body, err));
  enum al_code code = al_connection_download(&speak->connection, "/v1/audio/speech", al_buf_view(&body), on_bytes,
                                             speak, al_interrupt_fd(), err);
  if (code == AL_CANCELLED && speak->failure.code != AL_OK) {
    *err = speak->failure;
    code = err->code;
  }
  AL_TRY(code);
  if (speak->out == nullptr)
    return al_player_finish(&speak->player, al_interrupt_fd(), err);
  if (al_streq(speak->format, "wav"))
    AL_TRY(put_wav_sizes(&speak->output, err));
  return al_output_finish(&speak->output, err);
}

static enum al_code list_voices(struct speak *speak, struct al_err *err)
{
  static const char *const headings[] = { "VOICE", "NAME", "LANGUAGE", "GENDER" };
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  AL_CLEANUP(al_buf_done) struct al_buf path = {};
  AL_TRY(connect_to(speak, err));
  al_buf_printf(&path, "/v1/audio/voices?model=%s", speak->model);
  AL_TRY(al_buf_check(&path, err));
  AL_TRY(al_connection_get(&speak->connection, path.data, &doc, err));
  const struct al_json *voices = al_json_get(al_json_root(doc), "data");
  if (speak->cli->json) {
    al_cli_print_json(voices);
    return AL_OK;
  }
  struct al_table table;
  al_table_init(&table, headings, AL_COUNT(headings));
  struct al_json_iter it = al_json_iter(voices);
  while (al_json_next(&it)) {
    al_table_cell(&table, al_json_str(al_json_get(it.value, "id")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "name")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "language")));
    al_table_cell(&table, al_json_str(al_json_get(it.value, "gender")));
  }
  al_table_print(&table);
  al_table_done(&table);
  return AL_OK;
}

static int speak_or_list(struct speak *speak)
{
  struct al_err err = {};
  (void)signal(SIGPIPE, SIG_IGN); /* a player that ends is an error to tell, not an end */
  enum al_code code = al_interrupt_watch(true, &err);
  if (code == AL_OK)
    code = speak->list_voices ? list_voices(speak, &err) : say(speak, &err);
  al_player_close(&speak->player);
  al_output_done(&speak->output);
  al_connection_close(&speak->connection);
  if (code == AL_CANCELLED)
    return al_interrupt_exit_code();
  return code == AL_OK ? 0 : al_cli_fail(&err);
}

static int run_speak(struct al_cli *cli, int argc, char **argv)
{
  AL_CLEANUP(al_free_p) struct speak *speak = al_calloc(1, sizeof *speak);
  struct al_err err = {};
  if (speak == nullptr)
    return (void)al_fail_oom(&err, sizeof *speak), al_cli_fail(&err);
  speak->cli = cli;
  if (read_arguments(speak, argc, argv, &err) != AL_OK)
    return (void)al_cli_fail(&err), 2;
  if (speak->text == nullptr && speak->file == nullptr && !speak->list_voices && isatty(STDIN_FILENO) == 1)
    return al_cli_usage(&al_command_speak);
  return speak_or_list(speak);
}

const struct al_cli_command al_command_speak = {
  .name = "speak",
  .arguments = "\"TEXT\" | -f FILE | -",
  .summary = "read a text aloud, or into a sound file",
  .details = "Without -o it plays through paplay, pw-play, aplay, ffplay or play, whichever is there first. Without a "
             "text it\n"
             "reads standard input. When no server listens it starts one of its own and ends it afterwards.\n\n"
             "  -f, --file FILE    the text\n"
             "  -o, --output FILE  the sound; the name's ending says the format; \"-\" is standard output\n"
             "  --format FORMAT    wav, mp3, opus, aac, flac or pcm (16 bits, 24 kHz, mono)\n"
             "  --model MODEL      otherwise the first of yours that speaks, or the built-in one\n"
             "  --voice VOICE      one of --list-voices\n"
             "  --speed X          0.25 to 4\n"
             "  --list-voices      the model's voices\n",
  .run = run_speak,
  .takes_model = true,
};
