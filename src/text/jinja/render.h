/* One rendering: what it may use up, where its output goes, and how its parts call each other. */
#ifndef AL_TEXT_JINJA_RENDER_H
#define AL_TEXT_JINJA_RENDER_H

#include "text/jinja/tree.h"

#include "base/buf.h"
#include "codec/json.h"

constexpr int AL_JJ_MAX_EVAL_DEPTH = 700;

struct al_jj_limits {
  size_t max_output_bytes;
  size_t max_steps;
  size_t max_memory_bytes;
};

struct al_jj_render {
  const struct al_jj_program *program;
  struct al_arena *arena;
  struct al_err *err;  /* never nullptr */
  struct al_buf *sink; /* out, or scratch while something is captured */
  struct al_buf *out;
  struct al_buf scratch;
  size_t out_start;
  struct al_jj_limits limits;
  size_t n_steps;
  int depth;
  int line;
  bool fatal; /* the error is a limit: nothing may swallow it */
};

/* Variables of one block, macro call or loop iteration; inner ones hide outer ones. */
struct al_jj_binding {
  const struct al_jj_symbol *symbol;
  struct al_jj_value value;
};
struct al_jj_scope {
  struct al_jj_scope *parent;
  struct al_jj_binding *bindings;
  size_t n;
  size_t capacity;
  bool captured; /* a macro remembers it: it may not be used again */
};
enum al_code al_jj_scope_new(struct al_jj_render *r, struct al_jj_scope *parent, struct al_jj_scope **scope);
enum al_code al_jj_scope_set(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_symbol *symbol,
                             struct al_jj_value value);
struct al_jj_value al_jj_scope_get(struct al_jj_render *r, const struct al_jj_scope *scope,
                                   const struct al_jj_symbol *symbol);
void al_jj_scope_capture(struct al_jj_scope *scope);

/* Arguments of a call, evaluated. */
struct al_jj_named {
  struct al_str name;
  struct al_jj_value value;
};
struct al_jj_args {
  struct al_jj_value *items;
  size_t n;
  struct al_jj_named *named;
  size_t n_named;
};

constexpr size_t AL_JJ_MAX_SLOTS = 6;

/* A built-in filter, test, method or function. `params` names its parameters, separated by blanks: "a b?" (optional),
 * "/a" (cannot be given by name); "*" takes what comes, in call->args. Absent ones are AL_JJ_MISSING. */
struct al_jj_call {
  struct al_jj_value self;
  struct al_jj_value slot[AL_JJ_MAX_SLOTS];
  const struct al_jj_args *args;
};
struct al_jj_native {
  const char *name;
  const char *params;
  enum al_code (*call)(struct al_jj_render *r, const struct al_jj_call *call, struct al_jj_value *out);
  bool (*is)(struct al_jj_value value); /* for tests that only look; without either the thing is known but not there */
};
struct al_jj_bound {
  const struct al_jj_native *native;
  struct al_jj_value self;
};
struct al_jj_macro {
  const struct al_jj_function *function;
  struct al_jj_scope *scope;
};

const struct al_jj_native *al_jj_find_filter(struct al_str name);
const struct al_jj_native *al_jj_find_test(struct al_str name);
const struct al_jj_native *al_jj_find_global(struct al_str name);
/* Methods of a value's type. *mutates: it would change the object, which the sandbox hides. */
const struct al_jj_native *al_jj_find_method(enum al_jj_kind kind, struct al_str name, bool *mutates);
const struct al_jj_native *al_jj_find_in(const struct al_jj_native *table, size_t n, struct al_str name);

/* Errors and limits. */
AL_PRINTF(2, 3) enum al_code al_jj_fail(struct al_jj_render *r, const char *format, ...);
enum al_code al_jj_unsupported(struct al_jj_render *r, const char *what, struct al_str name);
enum al_code al_jj_step(struct al_jj_render *r, size_t n);
enum al_code al_jj_step_bytes(struct al_jj_render *r, size_t n_bytes);
enum al_code al_jj_enter(struct al_jj_render *r); /* one level deeper; al_jj_leave when it returned AL_OK */
void al_jj_leave(struct al_jj_render *r);
enum al_code al_jj_alloc(struct al_jj_render *r, size_t count, size_t elem_bytes, void *out_pointer);
/* Moves a full array of *capacity elements into one of twice the size; the old one stays in the arena until the end. */
enum al_code al_jj_double(struct al_jj_render *r, void **array, size_t *capacity, size_t elem_bytes);

/* Evaluation. */
enum al_jj_flow { AL_JJ_NEXT, AL_JJ_BREAK, AL_JJ_CONTINUE };
enum al_code al_jj_eval(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                        struct al_jj_value *out);
enum al_code al_jj_exec(struct al_jj_render *r, struct al_jj_scope *scope, struct al_jj_nodes body,
                        enum al_jj_flow *flow);
/* Between the two, output is kept and becomes a string. Captures nest: one scratch buffer serves them all, each keeps
 * what is behind its mark. */
struct al_jj_mark {
  struct al_buf *outer;
  size_t at;
};
struct al_jj_mark al_jj_capture_begin(struct al_jj_render *r);
enum al_code al_jj_capture_end(struct al_jj_render *r, struct al_jj_mark mark, enum al_code code,
                               struct al_jj_value *out);
enum al_code al_jj_eval_args(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_arguments *arguments,
                             struct al_jj_args *out);
enum al_code al_jj_eval_filter(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *filter,
                               struct al_jj_value input, struct al_jj_value *out);
enum al_code al_jj_assign(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *target,
                          struct al_jj_value value);

enum al_code al_jj_call_value(struct al_jj_render *r, struct al_jj_value callee, const struct al_jj_args *args,
                              struct al_jj_value *out);
enum al_code al_jj_call_native(struct al_jj_render *r, const struct al_jj_native *native, struct al_jj_value self,
                               const struct al_jj_args *args, struct al_jj_value *out);
enum al_code al_jj_call_macro(struct al_jj_render *r, const struct al_jj_macro *macro, const struct al_jj_args *args,
                              struct al_jj_value *out);

enum al_code al_jj_binary(struct al_jj_render *r, enum al_jj_op op, struct al_jj_value a, struct al_jj_value b,
                          struct al_jj_value *out);
enum al_code al_jj_compare_op(struct al_jj_render *r, enum al_jj_op op, struct al_jj_value a, struct al_jj_value b,
                              bool *out);
enum al_code al_jj_negate(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value *out);

/* value.name, value[key], value[start:stop:step] */
enum al_code al_jj_attr(struct al_jj_render *r, struct al_jj_value object, struct al_str name, struct al_jj_value *out);
enum al_code al_jj_item(struct al_jj_render *r, struct al_jj_value object, struct al_jj_value key,
                        struct al_jj_value *out);
enum al_code al_jj_slice(struct al_jj_render *r, struct al_jj_value object, const struct al_jj_value bounds[3],
                         struct al_jj_value *out);

/* Loops. */
struct al_jj_loop;
enum al_code al_jj_run_loop(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_node *node,
                            enum al_jj_flow *flow);
enum al_code al_jj_loop_attr(struct al_jj_render *r, struct al_jj_loop *loop, struct al_str name,
                             struct al_jj_value *out);
enum al_code al_jj_loop_recurse(struct al_jj_render *r, struct al_jj_loop *loop, const struct al_jj_args *args,
                                struct al_jj_value *out);
enum al_code al_jj_print_loop(struct al_jj_render *r, struct al_jj_loop *loop, struct al_buf *out);

/* Text of values: Python's str() and repr(), json.dumps, the % operator and str.format's stand-ins. */
enum al_code al_jj_print(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value);
enum al_code al_jj_repr(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value);
enum al_code al_jj_to_str(struct al_jj_render *r, struct al_jj_value value, struct al_str *out);
void al_jj_print_float(struct al_buf *out, double value);
enum al_code al_jj_take_text(struct al_jj_render *r, struct al_buf *text,
                             struct al_jj_value *out); /* copies, and clears */
/* Why appending n_more bytes to a buffer failed: no memory, or its cap? With 0 bytes (it is not known how many they
 * were) a buffer that was not half full is taken to lack memory. */
bool al_jj_lacks_memory(const struct al_buf *buf, size_t n_more);
enum al_code al_jj_emit(struct al_jj_render *r, struct al_jj_value value);
enum al_code al_jj_escape_html(struct al_jj_render *r, struct al_jj_value value, struct al_jj_value *out);

struct al_jj_json_style {
  bool ensure_ascii;
  bool sort_keys;
  bool has_indent;
  struct al_str indent;
  struct al_str item_separator;
  struct al_str key_separator;
};
enum al_code al_jj_json_dump(struct al_jj_render *r, struct al_buf *out, struct al_jj_value value,
                             const struct al_jj_json_style *style);
enum al_code al_jj_from_json(struct al_jj_render *r, const struct al_json *json, struct al_jj_value *out);
enum al_code al_jj_format_percent(struct al_jj_render *r, struct al_str format, struct al_jj_value args,
                                  struct al_jj_value *out);
enum al_code al_jj_format_braces(struct al_jj_render *r, struct al_str format, const struct al_jj_args *args,
                                 struct al_jj_value *out);
/* Python's str.islower() and the like: whether there are cased letters, and all of them are in that case. */
bool al_jj_all_in_case(struct al_jj_render *r, struct al_str text, bool upper);
/* A parameter that must be an integer; `otherwise` when it is missing or none. */
enum al_code al_jj_int_arg(struct al_jj_render *r, struct al_jj_value value, int64_t otherwise, int64_t *out);
enum al_code al_jj_str_arg(struct al_jj_render *r, struct al_jj_value value, const char *otherwise, struct al_str *out);
enum al_code al_jj_sort(struct al_jj_render *r, struct al_jj_list *list, const struct al_jj_value *keys, bool reverse);

#endif
