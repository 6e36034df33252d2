#include "cli/hearing.h"

#include "os/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

struct hearing {
  const struct al_hearing_options *options;
  const struct al_hearing_input *input;
  struct al_output *output; /* nullptr: standard output */
  struct al_progress progress;
  bool as_lines; /* a terminal: each piece of text on a line of its own, so that the progress line can stand beneath */
  bool wrote;    /* a piece has been written to standard output */
  bool complete;
  struct al_err failure; /* the server's, from an event, or ours from writing */
};

static bool is_json(const struct hearing *hearing)
{
  return al_streq(hearing->options->format, "json") || al_streq(hearing->options->format, "verbose_json");
}

static bool is_text(const struct hearing *hearing)
{
  return al_streq(hearing->options->format, "text");
}

/* --- what is written --------------------------------------------------------------------------------------------- */

static void print(struct hearing *hearing, struct al_str text)
{
  errno = 0;
  if (fwrite(text.data, 1, text.size, stdout) == text.size && fflush(stdout) == 0)
    return;
  (void)al_fail(&hearing->failure, AL_INVALID_REQUEST, "standard output cannot be written: %s", strerror(errno));
  clearerr(stdout);
}

static struct al_str trim(struct al_str text)
{
  while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\n'))
    text = al_str_n(text.data + 1, text.size - 1);
  while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\n'))
    text.size--;
  return text;
}

static void print_piece(struct hearing *hearing, struct al_str text)
{
  if (hearing->as_lines)
    text = trim(text);
  if (text.size == 0)
    return;
  bool was_drawn = hearing->progress.is_drawn;
  al_progress_clear(&hearing->progress);
  print(hearing, text);
  if (hearing->as_lines)
    print(hearing, al_str("\n"));
  hearing->wrote = true;
  if (was_drawn)
    al_progress_redraw(&hearing->progress);
}

/* The event that ends the stream holds all members of the answer that does not stream, but for its own type and usage.
 */
static void write_json(const struct hearing *hearing, const struct al_json *done, struct al_buf *out)
{
  struct al_json_writer w = al_json_writer(out);
  al_jw_object(&w);
  if (hearing->input->names_itself)
    al_jw_kv_str(&w, "file", hearing->input->name);
  struct al_json_iter it = al_json_iter(done);
  while (al_json_next(&it)) {
    if (al_str_is(it.key, "type") || al_str_is(it.key, "usage"))
      continue;
    al_jw_key_n(&w, it.key);
    al_jw_value(&w, it.value);
  }
  double seconds = al_json_real(al_json_get(al_json_get(done, "usage"), "seconds"), -1);
  if (seconds >= 0 && seconds < 1e9) {
    al_jw_key(&w, "usage");
    al_jw_object(&w);
    al_jw_kv_str(&w, "type", "duration");
    al_jw_kv_int(&w, "seconds", (int64_t)ceil(seconds));
    al_jw_end(&w);
  }
  al_jw_end(&w);
  al_buf_char(out, '\n');
}

static void write_result(struct hearing *hearing, const struct al_json *done)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  struct al_str heard = al_json_str(al_json_get(done, "text"));
  bool live = hearing->output == nullptr && !is_json(hearing) && hearing->wrote;
  if (is_json(hearing))
    write_json(hearing, done, &text);
  else if (!live)
    al_buf_add(&text, heard.data, heard.size);
  if (is_text(hearing) && !(live && hearing->as_lines))
    al_buf_char(&text, '\n');
  if (al_buf_check(&text, &hearing->failure) != AL_OK || text.size == 0)
    return;
  if (hearing->output == nullptr)
    print(hearing, al_buf_view(&text));
  else
    (void)!al_output_write(hearing->output, al_buf_view(&text), &hearing->failure);
}

/* --- what comes -------------------------------------------------------------------------------------------------- */

static void take_failure(struct hearing *hearing, const struct al_json *error)
{
  struct al_str message = al_json_str(al_json_get(error, "message"));
  if (message.data == nullptr)
    message = al_str("the server reported an error without a message");
  (void)al_fail(&hearing->failure, AL_INTERNAL, "%.*s", (int)al_min_size(message.size, 450), message.data);
}

static void warn_of_truncation(const struct hearing *hearing, const struct al_json *done)
{
  if (!al_json_bool(al_json_get(done, "truncated"), false))
    return;
  (void)fflush(stdout);
  (void)fprintf(stderr, "allm: %s: the file breaks off; this is what came before\n", hearing->input->name);
}

static bool on_event(void *user, struct al_str event, struct al_str data)
{
  struct hearing *hearing = user;
  (void)event;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (al_str_is(data, "[DONE]") || al_json_parse(data, &doc, &hearing->failure) != AL_OK)
    return false;
  const struct al_json *root = al_json_root(doc);
  struct al_str type = al_json_str(al_json_get(root, "type"));
  if (al_str_is(type, "transcript.progress")) {
    al_progress_heard(&hearing->progress, al_json_real(al_json_get(root, "done_s"), 0),
                      al_json_real(al_json_get(root, "duration_s"), 0));
  } else if (al_str_is(type, "transcript.text.delta")) {
    if (hearing->output == nullptr && !is_json(hearing))
      print_piece(hearing, al_json_str(al_json_get(root, "delta")));
  } else if (al_str_is(type, "transcript.text.done")) {
    al_progress_clear(&hearing->progress);
    write_result(hearing, root);
    warn_of_truncation(hearing, root);
    hearing->complete = true;
  } else if (al_str_is(type, "error") || al_json_get(root, "error") != nullptr) {
    take_failure(hearing, al_json_get(root, "error") != nullptr ? al_json_get(root, "error") : root);
  }
  return !hearing->complete && hearing->failure.code == AL_OK;
}

static void on_sent(void *user, uint64_t sent_bytes)
{
  struct hearing *hearing = user;
  al_progress_sent(&hearing->progress, sent_bytes, hearing->input->size_bytes);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void fill_form(struct al_form *form, struct hearing *hearing)
{
  const struct al_hearing_options *options = hearing->options;
  const struct al_hearing_input *input = hearing->input;
  al_form_field(form, "model", options->model);
  al_form_field(form, "response_format", options->format);
  if (options->language != nullptr)
    al_form_field(form, "language", options->language);
  if (options->prompt != nullptr)
    al_form_field(form, "prompt", options->prompt);
  if (options->temperature != nullptr)
    al_form_field(form, "temperature", options->temperature);
  if (options->translate)
    al_form_field(form, "translate", "true");
  if (options->words) {
    al_form_field(form, "timestamp_granularities[]", "word");
    al_form_field(form, "timestamp_granularities[]", "segment");
  }
  al_form_field(form, "stream", "true");
  if (hearing->progress.is_shown)
    al_form_field(form, "stream_progress", "true");
  al_form_file(form, "file", al_path_last(input->name), input->fd, input->size_bytes);
  form->upload.on_sent = on_sent;
  form->upload.user = hearing;
}

enum al_code al_hearing_run(struct al_connection *connection, const struct al_hearing_options *options,
                            const struct al_hearing_input *input, struct al_output *output, int cancel_fd,
                            struct al_err *err)
{
  struct hearing hearing = { .options = options, .input = input, .output = output };
  hearing.as_lines = output == nullptr && is_text(&hearing) && isatty(STDOUT_FILENO) == 1;
  al_progress_init(&hearing.progress, al_path_last(input->name));
  struct al_form form = {};
  AL_TRY(al_form_init(&form, err));
  fill_form(&form, &hearing);
  enum al_code code =
      al_connection_upload(connection, "/v1/audio/transcriptions", &form, on_event, &hearing, cancel_fd, err);
  al_form_done(&form);
  al_progress_clear(&hearing.progress);
  if (code == AL_OK && hearing.failure.code != AL_OK) {
    *err = hearing.failure;
    code = err->code;
  } else if (code == AL_OK && !hearing.complete) {
    code = al_fail(err, AL_INTERNAL, "the answer ended in the middle");
  }
  if (code != AL_OK && hearing.wrote && !hearing.as_lines)
    (void)fputc('\n', stdout); /* the message stands on a line of its own */
  return code;
}
