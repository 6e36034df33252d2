/* The values a template works with: Python's, as far as Jinja shows them. A value is small and copied freely; what it
 * points to lives in the arena of the rendering (or in the program, or in the caller's JSON) and is never changed,
 * except namespaces, loops and iterators. Strings are valid UTF-8; positions in them count code points. */
#ifndef AL_TEXT_JINJA_VALUE_H
#define AL_TEXT_JINJA_VALUE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum al_jj_kind {
  AL_JJ_MISSING, /* an argument that was not given; never seen by a template */
  AL_JJ_UNDEFINED,
  AL_JJ_NONE,
  AL_JJ_BOOL,
  AL_JJ_INT,
  AL_JJ_FLOAT,
  AL_JJ_STR,
  AL_JJ_LIST,
  AL_JJ_TUPLE,
  AL_JJ_DICT,
  AL_JJ_VIEW,  /* dict.keys(), .values(), .items() */
  AL_JJ_RANGE, /* range() */
  AL_JJ_ITER,  /* what gives its elements once: map, select, reverse ... */
  AL_JJ_NAMESPACE,
  AL_JJ_MACRO,
  AL_JJ_BOUND, /* a built-in function, or a method with its object */
  AL_JJ_LOOP,
};

struct al_jj_render;
struct al_jj_value;

struct al_jj_value {
  enum al_jj_kind kind;
  bool markup; /* a string marked safe: joining it with others escapes those */
  union {
    bool boolean;
    int64_t integer;
    double real;
    struct al_str str;
    struct al_jj_list *list; /* LIST, TUPLE */
    struct al_jj_dict *dict; /* DICT, NAMESPACE */
    struct al_jj_view *view;
    struct al_jj_range *range;
    struct al_jj_iter *iter;
    struct al_jj_macro *macro;
    struct al_jj_bound *bound;
    struct al_jj_loop *loop;
  };
};

struct al_jj_list {
  struct al_jj_value *items;
  size_t n;
  size_t capacity;
};

struct al_jj_pair {
  struct al_jj_value key;
  struct al_jj_value value;
};

/* In insertion order. Found by walking: the dicts of chats are small, and every walk counts as work. */
struct al_jj_dict {
  struct al_jj_pair *pairs;
  size_t n;
  size_t capacity;
};

enum al_jj_view_of { AL_JJ_KEYS, AL_JJ_VALUES, AL_JJ_ITEMS };

struct al_jj_view {
  const struct al_jj_dict *dict;
  enum al_jj_view_of of;
};

struct al_jj_range {
  int64_t start, stop, step;
  int64_t n;
};

struct al_jj_iter {
  struct al_jj_list *list;
  size_t at;
  struct al_err *failure; /* what taking the element after the last one raises; nullptr: it just ends */
};

static inline struct al_jj_value al_jj_undefined(void)
{
  return (struct al_jj_value){ .kind = AL_JJ_UNDEFINED };
}
static inline struct al_jj_value al_jj_none(void)
{
  return (struct al_jj_value){ .kind = AL_JJ_NONE };
}
static inline struct al_jj_value al_jj_bool(bool b)
{
  return (struct al_jj_value){ .kind = AL_JJ_BOOL, .boolean = b };
}
static inline struct al_jj_value al_jj_int(int64_t i)
{
  return (struct al_jj_value){ .kind = AL_JJ_INT, .integer = i };
}
static inline struct al_jj_value al_jj_float(double d)
{
  return (struct al_jj_value){ .kind = AL_JJ_FLOAT, .real = d };
}
static inline struct al_jj_value al_jj_str(struct al_str s)
{
  return (struct al_jj_value){ .kind = AL_JJ_STR, .str = s };
}
static inline struct al_jj_value al_jj_text(const char *s)
{
  return al_jj_str(al_str(s));
}

static inline bool al_jj_is_number(struct al_jj_value v)
{
  return v.kind == AL_JJ_INT || v.kind == AL_JJ_FLOAT || v.kind == AL_JJ_BOOL;
}
static inline bool al_jj_is_integral(struct al_jj_value v)
{
  return v.kind == AL_JJ_INT || v.kind == AL_JJ_BOOL;
}
static inline int64_t al_jj_as_int(struct al_jj_value v)
{
  return v.kind == AL_JJ_BOOL ? v.boolean : v.integer;
}
static inline double al_jj_as_real(struct al_jj_value v)
{
  return v.kind == AL_JJ_FLOAT ? v.real : (double)al_jj_as_int(v);
}

/* Makers, charged to the rendering's memory. */
enum al_code al_jj_list_new(struct al_jj_render *r, size_t capacity, struct al_jj_list **list);
enum al_code al_jj_list_add(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value value);
struct al_jj_value al_jj_list_value(struct al_jj_list *list);
struct al_jj_value al_jj_tuple_value(struct al_jj_list *list);
enum al_code al_jj_pair_tuple(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b,
                              struct al_jj_value *out);
enum al_code al_jj_dict_new(struct al_jj_render *r, size_t capacity, struct al_jj_dict **dict);
enum al_code al_jj_dict_append(struct al_jj_render *r, struct al_jj_dict *dict, struct al_jj_value key,
                               struct al_jj_value value);
/* Fails for keys that Python cannot hash. */
enum al_code al_jj_dict_set(struct al_jj_render *r, struct al_jj_dict *dict, struct al_jj_value key,
                            struct al_jj_value value);
/* *found is nullptr when absent. */
enum al_code al_jj_dict_find(struct al_jj_render *r, const struct al_jj_dict *dict, struct al_jj_value key,
                             const struct al_jj_value **found);
const struct al_jj_value *al_jj_dict_find_str(const struct al_jj_dict *dict, struct al_str key);
enum al_code al_jj_iter_new(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value *out);
enum al_code al_jj_str_copy(struct al_jj_render *r, struct al_str text, struct al_jj_value *out);

/* Python's bool(), len(), ==, < and hash()ability. */
bool al_jj_truth(struct al_jj_value value);
bool al_jj_has_len(struct al_jj_value value);
size_t al_jj_len(struct al_jj_value value); /* of what has one */
bool al_jj_hashable(struct al_jj_value value);
enum al_code al_jj_equal(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b, bool *equal);
bool al_jj_same(struct al_jj_value a, struct al_jj_value b); /* `is` */
/* *order < 0, 0, > 0; fails for kinds that have no order. NaN gives *unordered. */
enum al_code al_jj_compare(struct al_jj_render *r, struct al_jj_value a, struct al_jj_value b, int *order,
                           bool *unordered);
enum al_code al_jj_contains(struct al_jj_render *r, struct al_jj_value container, struct al_jj_value item, bool *found);
const char *al_jj_kind_name(struct al_jj_value value); /* as Python calls the type */

/* Walks whatever can be iterated. */
struct al_jj_cursor {
  struct al_jj_value source;
  size_t at;
};
bool al_jj_iterable(struct al_jj_value value);
enum al_code al_jj_cursor_open(struct al_jj_render *r, struct al_jj_value source, struct al_jj_cursor *cursor);
enum al_code al_jj_cursor_next(struct al_jj_render *r, struct al_jj_cursor *cursor, struct al_jj_value *out,
                               bool *more);
/* Adds all that iterating `source` gives. */
enum al_code al_jj_list_extend(struct al_jj_render *r, struct al_jj_list *list, struct al_jj_value source);
enum al_code al_jj_to_list(struct al_jj_render *r, struct al_jj_value source, struct al_jj_list **list);
struct al_jj_value al_jj_range_at(const struct al_jj_range *range, int64_t index);

#endif
