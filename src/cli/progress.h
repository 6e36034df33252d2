/* One line at the bottom of the terminal (standard error) that tells how far a file has been heard. Nothing at all when
 * standard error is no terminal. */
#ifndef AL_CLI_PROGRESS_H
#define AL_CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct al_progress {
  bool is_shown;    /* there is a terminal */
  bool is_drawn;    /* the line stands there now */
  const char *name; /* of the file; borrowed */
  int64_t started_ns, drawn_ns;
  double done, total; /* as drawn last */
  bool is_sending;
};

void al_progress_init(struct al_progress *progress, const char *name);
/* Bytes of the file that have been sent. */
void al_progress_sent(struct al_progress *progress, uint64_t sent_bytes, uint64_t total_bytes);
/* Seconds of the sound that have been heard; total_s 0: unknown. Its clock begins when all was sent. */
void al_progress_heard(struct al_progress *progress, double done_s, double total_s);
void al_progress_clear(struct al_progress *progress); /* so that something else can be written; the next call redraws */
void al_progress_redraw(struct al_progress *progress);

/* The line itself, at most `width` columns: name, bar, percentage, time heard, speed, what is left. Without elapsed
 * time there is no speed. */
struct al_progress_state {
  const char *name;
  double done_s, total_s; /* total_s 0: unknown */
  double elapsed_s;
};
void al_progress_format(char *out, size_t size, size_t width, const struct al_progress_state *state);

#endif
