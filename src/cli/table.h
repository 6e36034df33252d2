/* Columns of text, aligned. Cells are copied; widths count characters, not bytes. */
#ifndef AL_CLI_TABLE_H
#define AL_CLI_TABLE_H

#include "base/buf.h"

#include <stdint.h>

constexpr size_t AL_TABLE_MAX_COLUMNS = 12;

struct al_table {
  struct al_buf cells; /* NUL-terminated, one after another */
  size_t n_columns;
  size_t n_cells;
  size_t widths[AL_TABLE_MAX_COLUMNS];
};

void al_table_init(struct al_table *table, const char *const *headings, size_t n_columns);
void al_table_done(struct al_table *table);
void al_table_cell(struct al_table *table, struct al_str text); /* control bytes become '?' */
AL_PRINTF(2, 3) void al_table_cellf(struct al_table *table, const char *format, ...);
void al_table_print(const struct al_table *table); /* to standard output */

/* Where there is none of it, as of the parameters of a voice (0): "-". */

/* "1.2 GB" */
void al_table_bytes(struct al_table *table, double n_bytes);
/* "4.4M" */
void al_table_count(struct al_table *table, double n);
/* "2048" */
void al_table_number(struct al_table *table, int64_t n);

#endif
