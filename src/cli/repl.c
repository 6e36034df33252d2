#include "cli/repl.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "os/file.h"

#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

constexpr int HISTORY_LINES = 1000;

struct repl {
  struct al_chat *chat;
  EditLine *editor;
  History *history;
  char history_path[4096]; /* "": not kept */
  int cancel_fd;
};

static const char *prompt_text(EditLine *editor)
{
  (void)editor;
  return ">>> ";
}

static void find_history_path(struct repl *repl)
{
  char directory[4096];
  const char *state = getenv("XDG_STATE_HOME");
  if (state != nullptr && *state != '\0')
    (void)snprintf(directory, sizeof directory, "%s/allm", state);
  else if (al_path_expand(directory, sizeof directory, "~/.local/state/allm", nullptr) != AL_OK)
    return;
  if (al_dir_make(directory, nullptr) != AL_OK ||
      al_path_join(repl->history_path, sizeof repl->history_path, directory, "history", nullptr) != AL_OK)
    repl->history_path[0] = '\0';
}

static void open_editor(struct repl *repl)
{
  HistEvent event;
  repl->editor = el_init("allm", stdin, stdout, stderr);
  repl->history = history_init();
  if (repl->editor == nullptr || repl->history == nullptr)
    return;
  (void)history(repl->history, &event, H_SETSIZE, HISTORY_LINES);
  (void)history(repl->history, &event, H_SETUNIQUE, 1);
  find_history_path(repl);
  if (repl->history_path[0] != '\0')
    (void)history(repl->history, &event, H_LOAD, repl->history_path);
  (void)el_set(repl->editor, EL_PROMPT, prompt_text);
  (void)el_set(repl->editor, EL_EDITOR, "emacs");
  (void)el_set(repl->editor, EL_HIST, history, repl->history);
  (void)el_set(repl->editor, EL_SIGNAL, 0);
}

static void close_editor(struct repl *repl)
{
  HistEvent event;
  if (repl->history != nullptr) {
    if (repl->history_path[0] != '\0')
      (void)history(repl->history, &event, H_SAVE, repl->history_path);
    history_end(repl->history);
  }
  if (repl->editor != nullptr)
    el_end(repl->editor);
}

static void drain_cancel(int cancel_fd)
{
  char bytes[64];
  while (read(cancel_fd, bytes, sizeof bytes) > 0) {
  }
}

/* One line or, after """, all lines up to the next """. false at the end of input. */
static bool read_input(struct repl *repl, struct al_buf *input)
{
  al_buf_clear(input);
  bool in_block = false;
  for (;;) {
    int n = 0;
    /* Before the line, not after it: a Ctrl-C that comes right behind the Enter is meant for the answer. */
    drain_cancel(repl->cancel_fd);
    errno = 0;
    const char *line = el_gets(repl->editor, &n);
    if (line == nullptr || n <= 0) {
      if (errno != EINTR)
        return false;
      (void)printf("\n"); /* Ctrl-C at the prompt: a fresh line */
      al_buf_clear(input);
      in_block = false;
      continue;
    }
    struct al_str text = al_str_n(line, (size_t)n);
    while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
      text.size--;
    bool fence = al_str_starts(text, al_str("\"\"\"")) || (in_block && al_str_ends(text, al_str("\"\"\"")));
    if (fence && !in_block) {
      in_block = true;
      text = al_str_n(text.data + 3, text.size - 3);
      fence = text.size >= 3 && al_str_ends(text, al_str("\"\"\""));
    }
    al_buf_add(input, text.data, fence ? text.size - 3 : text.size);
    if (!in_block || fence)
      return true;
    al_buf_char(input, '\n');
  }
}

static void print_text(void *user, struct al_str text)
{
  (void)user;
  (void)fwrite(text.data, 1, text.size, stdout);
  (void)fflush(stdout);
}

static void answer(struct repl *repl, struct al_str text)
{
  struct al_chat_result result = {};
  struct al_err err = {};
  int64_t began_ns = al_now_ns();
  enum al_code code = al_chat_say(repl->chat, text, print_text, nullptr, repl->cancel_fd, &result, &err);
  drain_cancel(repl->cancel_fd);
  if (code == AL_CANCELLED)
    (void)printf(" (cancelled)\n\n");
  else if (code != AL_OK)
    (void)printf("\nallm: %s\n\n", err.message);
  else
    (void)printf("\n\n");
  if (code == AL_OK && isatty(STDERR_FILENO) && getenv("ALLM_STATS") != nullptr) {
    double seconds = (double)(al_now_ns() - began_ns) / 1e9;
    (void)fprintf(stderr, "(%lld tokens in, %lld out, %.1f tokens/s)\n", (long long)result.n_prompt,
                  (long long)result.n_completion, (double)result.n_completion / seconds);
  }
}

static void set_system(struct al_chat *chat, struct al_str text)
{
  al_free(chat->system);
  chat->system = text.size > 0 ? al_strndup(text.data, text.size) : nullptr;
  (void)printf(text.size > 0 ? "The system prompt is set.\n" : "There is no system prompt now.\n");
}

/* true when the input was a command; *leave when it ends the chat. */
static bool run_command(struct repl *repl, struct al_str input, bool *leave)
{
  if (input.size == 0 || input.data[0] != '/')
    return false;
  *leave = al_str_is(input, "/bye") || al_str_is(input, "/exit") || al_str_is(input, "/quit");
  if (*leave)
    return true;
  if (al_str_is(input, "/clear")) {
    al_chat_forget(repl->chat);
    (void)printf("The conversation starts anew.\n");
  } else if (al_str_starts(input, al_str("/system"))) {
    size_t skip = al_min_size(input.size, sizeof "/system " - 1);
    set_system(repl->chat, al_str_n(input.data + skip, input.size - skip));
  } else {
    (void)printf("/clear         forget the conversation\n"
                 "/system TEXT   set the system prompt (none: without TEXT)\n"
                 "/bye           leave (or Ctrl-D)\n"
                 "\"\"\"            begins and ends a text of several lines\n"
                 "Ctrl-C         cancels the answer\n");
  }
  return true;
}

int al_repl_run(struct al_chat *chat, int cancel_fd)
{
  struct repl repl = { .chat = chat, .cancel_fd = cancel_fd };
  open_editor(&repl);
  if (repl.editor == nullptr || repl.history == nullptr) {
    close_editor(&repl);
    (void)fprintf(stderr, "allm: the terminal could not be set up\n");
    return 1;
  }
  (void)printf("%s. /help lists the commands.\n", chat->model);
  AL_CLEANUP(al_buf_done) struct al_buf input = {};
  bool leave = false;
  while (!leave && read_input(&repl, &input)) {
    struct al_str text = al_buf_view(&input);
    if (text.size == 0)
      continue;
    HistEvent event;
    (void)history(repl.history, &event, H_ENTER, text.data);
    if (!run_command(&repl, text, &leave))
      answer(&repl, text);
  }
  close_editor(&repl);
  return 0;
}
