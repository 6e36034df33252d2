/* Values against values: numbers exactly, whatever way they are written. */
#include "text/schema/place.h"

#include <math.h>
#include <stdlib.h>

unsigned al_sch_type_of(const struct al_json *value)
{
  switch (al_json_kind(value)) {
  case AL_JSON_NULL: return AL_SCH_NULL;
  case AL_JSON_BOOL: return AL_SCH_BOOL;
  case AL_JSON_INT: return AL_SCH_INT;
  case AL_JSON_REAL: {
    double number = al_json_real(value, 0);
    return trunc(number) == number ? AL_SCH_INT : AL_SCH_FRACTION;
  }
  case AL_JSON_STRING: return AL_SCH_STRING;
  case AL_JSON_ARRAY: return AL_SCH_ARRAY;
  case AL_JSON_OBJECT: return AL_SCH_OBJECT;
  case AL_JSON_ABSENT: break;
  }
  return 0;
}

static int compare_mixed(int64_t whole, double real)
{
  if (real >= 0x1p63)
    return -1;
  if (real < -0x1p63)
    return 1;
  double below = floor(real);
  int64_t floored = (int64_t)below;
  if (whole != floored)
    return whole < floored ? -1 : 1;
  return real > below ? -1 : 0;
}

/* A number from 2^63 on as an integer: what was written as one has all its digits only as text. false: 2^64 or more. */
static bool read_wide(const struct al_json *value, uint64_t *number)
{
  char digits[AL_JSON_NUMBER_BYTES];
  size_t size = al_json_number_text(value, digits);
  double real = al_json_real(value, 0);
  bool is_whole = strspn(digits, "0123456789") == size && size <= 20;
  if (is_whole)
    *number = strtoull(digits, nullptr, 10);
  else if (real < 0x1p64)
    *number = (uint64_t)real;
  return is_whole || real < 0x1p64;
}

static int compare_reals(const struct al_json *a, const struct al_json *b)
{
  double left = al_json_real(a, 0), right = al_json_real(b, 0);
  if (left != right)
    return left < right ? -1 : 1;
  if (left < 0x1p63 || left > 0x1p64)
    return 0;
  uint64_t left_whole, right_whole;
  bool left_fits = read_wide(a, &left_whole), right_fits = read_wide(b, &right_whole);
  if (!left_fits || !right_fits)
    return left_fits ? -1 : right_fits;
  return left_whole < right_whole ? -1 : left_whole > right_whole;
}

int al_sch_compare(const struct al_json *a, const struct al_json *b)
{
  bool a_whole = al_json_kind(a) == AL_JSON_INT, b_whole = al_json_kind(b) == AL_JSON_INT;
  if (a_whole && b_whole) {
    int64_t left = al_json_int(a, 0), right = al_json_int(b, 0);
    return left < right ? -1 : left > right;
  }
  if (a_whole)
    return compare_mixed(al_json_int(a, 0), al_json_real(b, 0));
  if (b_whole)
    return -compare_mixed(al_json_int(b, 0), al_json_real(a, 0));
  return compare_reals(a, b);
}

static const struct al_json *member(const struct al_json *object, struct al_str key)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it))
    if (al_str_eq(it.key, key))
      return it.value;
  return nullptr;
}

static bool equal_containers(const struct al_json *a, const struct al_json *b, bool are_objects)
{
  if (al_json_count(a) != al_json_count(b))
    return false;
  struct al_json_iter left = al_json_iter(a), right = al_json_iter(b);
  while (al_json_next(&left)) {
    if (!are_objects && !al_json_next(&right))
      return false;
    if (!al_sch_equal(left.value, are_objects ? member(b, left.key) : right.value))
      return false;
  }
  return true;
}

/* Recursion is bounded by AL_JSON_MAX_DEPTH. */
bool al_sch_equal(const struct al_json *a, const struct al_json *b)
{
  unsigned type = al_sch_type_of(a);
  if (type != al_sch_type_of(b))
    return false;
  switch (type) {
  case AL_SCH_BOOL: return al_json_bool(a, false) == al_json_bool(b, false);
  case AL_SCH_INT:
  case AL_SCH_FRACTION: return al_sch_compare(a, b) == 0;
  case AL_SCH_STRING: return al_str_eq(al_json_str(a), al_json_str(b));
  case AL_SCH_ARRAY: return equal_containers(a, b, false);
  case AL_SCH_OBJECT: return equal_containers(a, b, true);
  default: return type == AL_SCH_NULL;
  }
}

size_t al_sch_length(struct al_str text)
{
  size_t length = 0;
  for (size_t i = 0; i < text.size; i++)
    length += ((unsigned char)text.data[i] & 0xc0) != 0x80;
  return length;
}
