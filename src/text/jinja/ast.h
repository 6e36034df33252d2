/* The syntax tree of a template. Everything lives in the program's arena and is never changed after parsing, so that
 * many threads can render one program. */
#ifndef AL_TEXT_JINJA_AST_H
#define AL_TEXT_JINJA_AST_H

#include "text/jinja/value.h"

enum al_jj_node_kind {
  /* expressions */
  AL_JJ_N_CONST,
  AL_JJ_N_NAME,
  AL_JJ_N_LIST,
  AL_JJ_N_TUPLE,
  AL_JJ_N_DICT, /* items: key, value, key, value ... */
  AL_JJ_N_NEG,
  AL_JJ_N_POS,
  AL_JJ_N_NOT,
  AL_JJ_N_AND,
  AL_JJ_N_OR,
  AL_JJ_N_BINARY,
  AL_JJ_N_CONCAT,
  AL_JJ_N_COMPARE, /* items: operands; ops: one fewer */
  AL_JJ_N_COND,
  AL_JJ_N_ATTR,
  AL_JJ_N_ITEM,
  AL_JJ_N_SLICE,
  AL_JJ_N_CALL,
  AL_JJ_N_FILTER,
  AL_JJ_N_TEST,
  AL_JJ_N_NSREF, /* target only: name.attr */
  /* statements */
  AL_JJ_N_DATA,
  AL_JJ_N_PRINT,
  AL_JJ_N_SET,
  AL_JJ_N_SET_BLOCK,
  AL_JJ_N_FOR,
  AL_JJ_N_IF,
  AL_JJ_N_MACRO,
  AL_JJ_N_CALL_BLOCK,
  AL_JJ_N_FILTER_BLOCK,
  AL_JJ_N_WITH,
  AL_JJ_N_BREAK,
  AL_JJ_N_CONTINUE,
  AL_JJ_N_GENERATION,
  AL_JJ_N_BLOCK,
};

enum al_jj_op {
  AL_JJ_ADD,
  AL_JJ_SUB,
  AL_JJ_MUL,
  AL_JJ_DIV,
  AL_JJ_FLOORDIV,
  AL_JJ_MOD,
  AL_JJ_POW,
  AL_JJ_EQ,
  AL_JJ_NE,
  AL_JJ_LT,
  AL_JJ_LE,
  AL_JJ_GT,
  AL_JJ_GE,
  AL_JJ_IN,
  AL_JJ_NOT_IN,
};

/* A name of the template, one object per distinct name. */
struct al_jj_symbol {
  struct al_str name;
  struct al_jj_bound *global; /* the built-in function of that name, or nullptr */
};

struct al_jj_nodes {
  struct al_jj_node **items;
  size_t n;
};

struct al_jj_named_node {
  struct al_str name;
  struct al_jj_node *value;
};

struct al_jj_arguments {
  struct al_jj_nodes positional;
  struct al_jj_named_node *named;
  size_t n_named;
  struct al_jj_node *star;      /* *expr, or nullptr */
  struct al_jj_node *star_star; /* **expr, or nullptr */
};

struct al_jj_branch {
  struct al_jj_node *test; /* nullptr: else */
  struct al_jj_nodes body;
};

/* Parameters and body of a macro or a call block. */
struct al_jj_function {
  const struct al_jj_symbol *name; /* nullptr for the body of a call block */
  const struct al_jj_symbol **params;
  struct al_jj_node **defaults; /* [n_params], nullptr where there is none */
  size_t n_params;
  struct al_jj_nodes body;
  /* symbols of the special variables, where the body uses them */
  const struct al_jj_symbol *varargs;
  const struct al_jj_symbol *kwargs;
  const struct al_jj_symbol *caller;
};

struct al_jj_for {
  struct al_jj_node *target;
  struct al_jj_node *iterable;
  struct al_jj_node *filter; /* or nullptr */
  struct al_jj_nodes body;
  struct al_jj_nodes otherwise;
  const struct al_jj_symbol *loop; /* the name "loop" */
  bool recursive;
};

struct al_jj_node {
  enum al_jj_node_kind kind;
  enum al_jj_op op; /* BINARY */
  int line;
  union {
    struct al_jj_value constant;       /* CONST, DATA (a string) */
    const struct al_jj_symbol *symbol; /* NAME */
    struct al_jj_nodes list;           /* LIST, TUPLE, DICT, CONCAT */
    struct {
      struct al_jj_node *left, *right; /* NEG, POS, NOT and PRINT use left alone */
    };
    struct {
      struct al_jj_nodes operands;
      enum al_jj_op *ops;
    } compare;
    struct {
      struct al_jj_node *test, *yes, *no; /* no may be nullptr */
    } cond;
    struct {
      struct al_jj_node *object;
      struct al_str name;
    } attr;
    struct {
      struct al_jj_node *object;
      struct al_jj_node *start, *stop, *step; /* ITEM uses start; each may be nullptr in a SLICE */
    } item;
    struct {
      struct al_jj_node *callee;
      struct al_jj_arguments args;
    } call;
    struct {
      struct al_jj_node *input; /* nullptr: the block around it */
      const struct al_jj_native *native;
      struct al_str name; /* native == nullptr: unknown, which fails when it is reached */
      struct al_jj_arguments args;
    } apply; /* FILTER, TEST */
    struct {
      const struct al_jj_symbol *symbol;
      struct al_str attr;
    } nsref;
    struct {
      struct al_jj_node *target;
      struct al_jj_node *value; /* SET_BLOCK: the filter chain or nullptr */
      struct al_jj_nodes body;
    } set;
    struct al_jj_for *loop;
    struct {
      struct al_jj_branch *items;
      size_t n;
    } branches;
    struct al_jj_function *function; /* MACRO, GENERATION */
    struct {
      struct al_jj_node *call;
      struct al_jj_function *body;
    } call_block;
    struct {
      struct al_str name;
      struct al_jj_function *body;
      bool is_scoped;                  /* sees the variables around it, not those of the template alone */
      const struct al_jj_node *before; /* the block parsed before this one */
    } block;
    struct {
      struct al_jj_node *filter;
      struct al_jj_nodes body;
    } filter_block;
    struct {
      struct al_jj_nodes targets;
      struct al_jj_nodes values;
      struct al_jj_nodes body;
    } with;
  };
};

#endif
