#include "cli/table.h"

#include "base/alloc.h"

#include <stdio.h>

void al_table_init(struct al_table *table, const char *const *headings, size_t n_columns)
{
  *table = (struct al_table){ .n_columns = n_columns };
  for (size_t i = 0; i < n_columns; i++)
    al_table_cell(table, al_str(headings[i]));
}

void al_table_done(struct al_table *table)
{
  al_buf_done(&table->cells);
}

void al_table_cell(struct al_table *table, struct al_str text)
{
  size_t width = 0;
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    al_buf_char(&table->cells, c < 0x20 || c == 0x7f ? '?' : text.data[i]);
    width += (c & 0xc0) != 0x80; /* not a continuation byte of UTF-8 */
  }
  al_buf_char(&table->cells, '\0');
  size_t column = table->n_cells++ % table->n_columns;
  table->widths[column] = al_max_size(table->widths[column], width);
}

void al_table_cellf(struct al_table *table, const char *format, ...)
{
  char text[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  al_table_cell(table, al_str(text));
}

static size_t width_of(const char *text)
{
  size_t width = 0;
  for (; *text != '\0'; text++)
    width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

void al_table_print(const struct al_table *table)
{
  const char *cell = table->cells.data;
  for (size_t i = 0; !table->cells.failed && i < table->n_cells; i++) {
    size_t column = i % table->n_columns;
    bool last = column + 1 == table->n_columns;
    size_t padding = last ? 0 : table->widths[column] - width_of(cell) + 2;
    (void)printf("%s%*s%s", cell, (int)padding, "", last ? "\n" : "");
    cell += strlen(cell) + 1;
  }
}

/* Divides by 1000 until what is left prints with at most three digits, or the units end; returns its unit. */
static const char *scale(double *n, const char *const *units, size_t n_units)
{
  size_t unit = 0;
  for (; *n >= 999.5 && unit + 1 < n_units; unit++)
    *n /= 1000;
  return units[unit];
}

void al_table_bytes(struct al_table *table, double n_bytes)
{
  static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
  if (n_bytes == 0) {
    al_table_cell(table, al_str("-"));
    return;
  }
  const char *unit = scale(&n_bytes, units, AL_COUNT(units));
  al_table_cellf(table, n_bytes >= 10 || unit == units[0] ? "%.0f %s" : "%.1f %s", n_bytes, unit);
}

void al_table_count(struct al_table *table, double n)
{
  static const char *const units[] = { "", "K", "M", "B", "T" };
  if (n == 0) {
    al_table_cell(table, al_str("-"));
    return;
  }
  const char *unit = scale(&n, units, AL_COUNT(units));
  al_table_cellf(table, n >= 100 || unit == units[0] ? "%.0f%s" : "%.1f%s", n, unit);
}

void al_table_number(struct al_table *table, int64_t n)
{
  if (n == 0)
    al_table_cell(table, al_str("-"));
  else
    al_table_cellf(table, "%lld", (long long)n);
}
