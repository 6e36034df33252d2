#include "cli/progress.h"

#include "base/buf.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

constexpr int64_t REDRAW_MS = 100;
constexpr int64_t SPEED_AFTER_MS = 500; /* before that it says nothing */
constexpr size_t NAME_COLUMNS = 24;
constexpr size_t LEAST_BAR = 6;
constexpr size_t MOST_BAR = 30;
constexpr size_t LINE_BYTES = 1024;

/* "1:02:03", "2:03" */
static void put_time(struct al_buf *out, double seconds)
{
  int64_t s = seconds > 0 && seconds < 1e9 ? (int64_t)llround(seconds) : 0;
  if (s >= 3600)
    al_buf_printf(out, "%lld:%02lld:%02lld", (long long)s / 3600, (long long)s / 60 % 60, (long long)s % 60);
  else
    al_buf_printf(out, "%lld:%02lld", (long long)s / 60, (long long)s % 60);
}

/* At most NAME_COLUMNS characters; controls do not reach the terminal. Returns how many. */
static size_t put_name(struct al_buf *out, const char *name)
{
  size_t columns = 0;
  for (; *name != '\0'; name++) {
    unsigned char c = (unsigned char)*name;
    bool begins = (c & 0xc0) != 0x80;
    if (begins && columns == NAME_COLUMNS)
      break;
    columns += begins;
    al_buf_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
  }
  return columns;
}

static void put_bar(struct al_buf *out, size_t columns, double share)
{
  size_t full = (size_t)(share * (double)columns);
  al_buf_str(out, " [");
  for (size_t i = 0; i < columns; i++)
    al_buf_char(out, i < full ? '#' : '.');
  al_buf_char(out, ']');
}

static void put_figures(struct al_buf *out, const struct al_progress_state *state, double share)
{
  if (state->total_s > 0)
    al_buf_printf(out, " %3.0f%%", floor(100 * share));
  al_buf_char(out, ' ');
  put_time(out, state->done_s);
  if (state->total_s > 0) {
    al_buf_str(out, " of ");
    put_time(out, state->total_s);
  }
  double speed = state->elapsed_s > 0 ? state->done_s / state->elapsed_s : 0;
  if (speed <= 0)
    return;
  al_buf_printf(out, speed < 10 ? "  %.1fx" : "  %.0fx", speed);
  if (state->total_s > state->done_s) {
    al_buf_str(out, "  ");
    put_time(out, (state->total_s - state->done_s) / speed);
    al_buf_str(out, " left");
  }
}

void al_progress_format(char *out, size_t size, size_t width, const struct al_progress_state *state)
{
  AL_CLEANUP(al_buf_done) struct al_buf name = {};
  AL_CLEANUP(al_buf_done) struct al_buf bar = {};
  AL_CLEANUP(al_buf_done) struct al_buf figures = {};
  double share = state->total_s > 0 ? fmin(fmax(state->done_s / state->total_s, 0), 1) : 0;
  size_t name_columns = put_name(&name, state->name);
  put_figures(&figures, state, share);
  size_t used = name_columns + figures.size + 3; /* and the bar's brackets */
  if (state->total_s > 0 && used + LEAST_BAR <= width)
    put_bar(&bar, al_min_size(width - used, MOST_BAR), share);
  bool name_fits = name_columns + bar.size + figures.size <= width;
  if (name_fits)
    (void)snprintf(out, size, "%s%s%s", name.size > 0 ? name.data : "", bar.size > 0 ? bar.data : "",
                   figures.size > 0 ? figures.data : "");
  else
    (void)snprintf(out, size, "%.*s", (int)width, figures.size > 0 ? figures.data + strspn(figures.data, " ") : "");
}

/* --- the terminal ------------------------------------------------------------------------------------------------ */

void al_progress_init(struct al_progress *progress, const char *name)
{
  *progress = (struct al_progress){ .is_shown = isatty(STDERR_FILENO) == 1, .name = name };
}

void al_progress_clear(struct al_progress *progress)
{
  if (progress->is_drawn)
    (void)fputs("\r\033[K", stderr);
  progress->is_drawn = false;
}

static size_t columns(void)
{
  struct winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 79;
}

void al_progress_redraw(struct al_progress *progress)
{
  if (!progress->is_shown)
    return;
  char line[LINE_BYTES];
  int64_t now_ns = al_now_ns();
  progress->drawn_ns = now_ns;
  progress->is_drawn = true;
  const struct al_progress_state state = {
    .name = progress->name,
    .done_s = progress->done,
    .total_s = progress->total,
    .elapsed_s = now_ns - progress->started_ns > SPEED_AFTER_MS * AL_NS_PER_MS
                     ? (double)(now_ns - progress->started_ns) / 1e9
                     : 0,
  };
  if (progress->is_sending)
    (void)snprintf(line, sizeof line, "sending %3.0f%%",
                   progress->total > 0 ? 100 * progress->done / progress->total : 0);
  else
    al_progress_format(line, sizeof line, columns(), &state);
  (void)fprintf(stderr, "\r%s\033[K", line);
}

static void show(struct al_progress *progress, double done, double total)
{
  progress->done = done;
  progress->total = total;
  if (al_now_ns() - progress->drawn_ns >= REDRAW_MS * AL_NS_PER_MS)
    al_progress_redraw(progress);
}

void al_progress_sent(struct al_progress *progress, uint64_t sent_bytes, uint64_t total_bytes)
{
  progress->is_sending = true;
  if (progress->drawn_ns == 0)
    progress->drawn_ns = al_now_ns(); /* a file that is sent in no time is not worth a word */
  if (sent_bytes == total_bytes)
    progress->started_ns = al_now_ns();
  show(progress, (double)sent_bytes, (double)total_bytes);
}

void al_progress_heard(struct al_progress *progress, double done_s, double total_s)
{
  if (progress->started_ns == 0)
    progress->started_ns = al_now_ns();
  progress->is_sending = false;
  show(progress, done_s, total_s);
}
