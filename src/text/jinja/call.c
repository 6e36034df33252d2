/* Calls: arguments, built-in functions, macros. */
#include "text/jinja/render.h"

static const struct al_jj_value *find_named(const struct al_jj_args *args, struct al_str name)
{
  for (size_t i = 0; i < args->n_named; i++)
    if (al_str_eq(args->named[i].name, name))
      return &args->named[i].value;
  return nullptr;
}

static enum al_code spread_pairs(struct al_jj_render *r, struct al_jj_value source, struct al_jj_args *args)
{
  if (source.kind != AL_JJ_DICT)
    return al_jj_fail(r, "what follows ** must be a mapping, not %s", al_jj_kind_name(source));
  for (size_t i = 0; i < source.dict->n; i++) {
    const struct al_jj_pair *pair = &source.dict->pairs[i];
    if (pair->key.kind != AL_JJ_STR || find_named(args, pair->key.str) != nullptr)
      return al_jj_fail(r, "a keyword that is no string or is given twice");
    AL_TRY(al_jj_step(r, 1 + args->n_named / 8));
    args->named[args->n_named++] = (struct al_jj_named){ pair->key.str, pair->value };
  }
  return AL_OK;
}

static enum al_code eval_named(struct al_jj_render *r, struct al_jj_scope *scope,
                               const struct al_jj_arguments *arguments, struct al_jj_args *out)
{
  struct al_jj_value pairs = al_jj_undefined();
  size_t capacity = arguments->n_named;
  if (capacity == 0 && arguments->star_star == nullptr)
    return AL_OK;
  if (arguments->star_star != nullptr) {
    AL_TRY(al_jj_eval(r, scope, arguments->star_star, &pairs));
    capacity += pairs.kind == AL_JJ_DICT ? pairs.dict->n : 0;
  }
  AL_TRY(al_jj_alloc(r, capacity + 1, sizeof *out->named, &out->named));
  for (size_t i = 0; i < arguments->n_named; i++) {
    out->named[i].name = arguments->named[i].name;
    AL_TRY(al_jj_eval(r, scope, arguments->named[i].value, &out->named[i].value));
    out->n_named = i + 1;
  }
  return arguments->star_star != nullptr ? spread_pairs(r, pairs, out) : AL_OK;
}

enum al_code al_jj_eval_args(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_arguments *arguments,
                             struct al_jj_args *out)
{
  *out = (struct al_jj_args){};
  if (arguments->positional.n > 0 || arguments->star != nullptr) {
    struct al_jj_list *items;
    AL_TRY(al_jj_list_new(r, arguments->positional.n, &items));
    for (size_t i = 0; i < arguments->positional.n; i++) {
      AL_TRY(al_jj_eval(r, scope, arguments->positional.items[i], &items->items[i]));
      items->n = i + 1;
    }
    if (arguments->star != nullptr) {
      struct al_jj_value source;
      AL_TRY(al_jj_eval(r, scope, arguments->star, &source));
      AL_TRY(al_jj_list_extend(r, items, source));
    }
    out->items = items->items;
    out->n = items->n;
  }
  return eval_named(r, scope, arguments, out);
}

/* One parameter of a native's list: "name", "name?" or "/name". */
struct param {
  struct al_str name;
  bool optional;
};

static bool next_param(const char **at, struct param *param)
{
  *at += strspn(*at, " ");
  size_t size = strcspn(*at, " ");
  if (size == 0)
    return false;
  param->name = al_str_n(*at, size);
  *at += size;
  param->optional = param->name.data[size - 1] == '?';
  param->name.size -= param->optional;
  return true;
}

static enum al_code bind_one(struct al_jj_render *r, const struct al_jj_native *native, const struct param *param,
                             const struct al_jj_args *args, size_t at, struct al_jj_call *call, size_t *n_named)
{
  const struct al_jj_value *named = find_named(args, param->name);
  if (at < args->n)
    call->slot[at] = args->items[at];
  if (named != nullptr) {
    if (at < args->n)
      return al_jj_fail(r, "%s: '%.*s' is given twice", native->name, (int)param->name.size, param->name.data);
    call->slot[at] = *named;
    ++*n_named;
  }
  if (call->slot[at].kind == AL_JJ_MISSING && !param->optional)
    return al_jj_fail(r, "%s: the argument '%.*s' is missing", native->name, (int)param->name.size, param->name.data);
  return AL_OK;
}

static enum al_code bind(struct al_jj_render *r, const struct al_jj_native *native, const struct al_jj_args *args,
                         struct al_jj_call *call)
{
  const char *params = native->params;
  if (strcmp(params, "*") == 0)
    return AL_OK;
  struct param param;
  size_t at = 0, n_named = 0;
  for (; next_param(&params, &param); at++)
    AL_TRY(bind_one(r, native, &param, args, at, call, &n_named));
  if (args->n > at)
    return al_jj_fail(r, "%s takes at most %zu arguments, %zu were given", native->name, at, args->n);
  if (n_named < args->n_named)
    return al_jj_fail(r, "%s got an argument by a name that it does not have", native->name);
  return AL_OK;
}

enum al_code al_jj_call_native(struct al_jj_render *r, const struct al_jj_native *native, struct al_jj_value self,
                               const struct al_jj_args *args, struct al_jj_value *out)
{
  struct al_jj_call call = { .self = self, .args = args };
  if (native->call == nullptr && native->is == nullptr)
    return al_jj_unsupported(r, "function", al_str(native->name));
  AL_TRY(bind(r, native, args, &call));
  if (native->is != nullptr) {
    *out = al_jj_bool(native->is(self));
    return AL_OK;
  }
  struct al_jj_value result = al_jj_undefined();
  AL_TRY(native->call(r, &call, &result));
  *out = result;
  return AL_OK;
}

/* Takes a named argument out of the list. */
static bool take_named(struct al_jj_args *args, struct al_str name, struct al_jj_value *value)
{
  for (size_t i = 0; i < args->n_named; i++) {
    if (!al_str_eq(args->named[i].name, name))
      continue;
    *value = args->named[i].value;
    memmove(&args->named[i], &args->named[i + 1], (args->n_named - i - 1) * sizeof *args->named);
    args->n_named--;
    return true;
  }
  return false;
}

static enum al_code bind_params(struct al_jj_render *r, const struct al_jj_function *function, struct al_jj_args *args,
                                struct al_jj_scope *scope)
{
  for (size_t i = 0; i < function->n_params; i++) {
    struct al_jj_value value = { .kind = AL_JJ_MISSING };
    if (i < args->n)
      value = args->items[i];
    else
      (void)take_named(args, function->params[i]->name, &value);
    if (value.kind == AL_JJ_MISSING) {
      value = al_jj_undefined();
      if (function->defaults[i] != nullptr)
        AL_TRY(al_jj_eval(r, scope, function->defaults[i], &value));
    }
    AL_TRY(al_jj_scope_set(r, scope, function->params[i], value));
  }
  return AL_OK;
}

static enum al_code bind_kwargs(struct al_jj_render *r, const struct al_jj_function *function, struct al_jj_args *args,
                                struct al_jj_scope *scope)
{
  if (function->kwargs == nullptr)
    return args->n_named == 0 ? AL_OK
                              : al_jj_fail(r, "the macro does not take the argument '%.*s'",
                                           (int)al_min_size(args->named[0].name.size, 60), args->named[0].name.data);
  struct al_jj_dict *dict;
  AL_TRY(al_jj_dict_new(r, args->n_named, &dict));
  for (size_t i = 0; i < args->n_named; i++)
    AL_TRY(al_jj_dict_append(r, dict, al_jj_str(args->named[i].name), args->named[i].value));
  return al_jj_scope_set(r, scope, function->kwargs, (struct al_jj_value){ .kind = AL_JJ_DICT, .dict = dict });
}

static enum al_code bind_varargs(struct al_jj_render *r, const struct al_jj_function *function,
                                 const struct al_jj_args *args, struct al_jj_scope *scope)
{
  if (function->varargs == nullptr)
    return args->n <= function->n_params
               ? AL_OK
               : al_jj_fail(r, "the macro takes at most %zu arguments, %zu were given", function->n_params, args->n);
  struct al_jj_list *rest;
  AL_TRY(al_jj_list_new(r, 0, &rest));
  for (size_t i = function->n_params; i < args->n; i++)
    AL_TRY(al_jj_list_add(r, rest, args->items[i]));
  return al_jj_scope_set(r, scope, function->varargs, al_jj_tuple_value(rest));
}

static enum al_code bind_macro(struct al_jj_render *r, const struct al_jj_function *function, struct al_jj_args args,
                               struct al_jj_scope *scope)
{
  struct al_jj_named *named = nullptr;
  if (args.n_named > 0) {
    AL_TRY(al_jj_alloc(r, args.n_named, sizeof *named, &named));
    memcpy(named, args.named, args.n_named * sizeof *named);
  }
  args.named = named;
  AL_TRY(bind_params(r, function, &args, scope));
  if (function->caller != nullptr) {
    struct al_jj_value caller = al_jj_undefined();
    (void)take_named(&args, al_str("caller"), &caller);
    AL_TRY(al_jj_scope_set(r, scope, function->caller, caller));
  }
  AL_TRY(bind_kwargs(r, function, &args, scope));
  return bind_varargs(r, function, &args, scope);
}

enum al_code al_jj_call_macro(struct al_jj_render *r, const struct al_jj_macro *macro, const struct al_jj_args *args,
                              struct al_jj_value *out)
{
  struct al_jj_scope *scope;
  AL_TRY(al_jj_scope_new(r, macro->scope, &scope));
  AL_TRY(bind_macro(r, macro->function, *args, scope));
  struct al_jj_mark mark = al_jj_capture_begin(r);
  enum al_jj_flow flow;
  return al_jj_capture_end(r, mark, al_jj_exec(r, scope, macro->function->body, &flow), out);
}

enum al_code al_jj_call_value(struct al_jj_render *r, struct al_jj_value callee, const struct al_jj_args *args,
                              struct al_jj_value *out)
{
  if (callee.kind == AL_JJ_BOUND)
    return al_jj_call_native(r, callee.bound->native, callee.bound->self, args, out);
  if (callee.kind == AL_JJ_MACRO)
    return al_jj_call_macro(r, callee.macro, args, out);
  if (callee.kind == AL_JJ_LOOP)
    return al_jj_loop_recurse(r, callee.loop, args, out);
  return al_jj_fail(r, "'%s' cannot be called", al_jj_kind_name(callee));
}

enum al_code al_jj_int_arg(struct al_jj_render *r, struct al_jj_value value, int64_t otherwise, int64_t *out)
{
  *out = otherwise;
  if (value.kind == AL_JJ_MISSING || value.kind == AL_JJ_NONE)
    return AL_OK;
  if (!al_jj_is_integral(value))
    return al_jj_fail(r, "an integer is needed, not '%s'", al_jj_kind_name(value));
  *out = al_jj_as_int(value);
  return AL_OK;
}

enum al_code al_jj_str_arg(struct al_jj_render *r, struct al_jj_value value, const char *otherwise, struct al_str *out)
{
  *out = al_str(otherwise);
  if (value.kind == AL_JJ_MISSING)
    return AL_OK;
  if (value.kind != AL_JJ_STR)
    return al_jj_fail(r, "a string is needed, not '%s'", al_jj_kind_name(value));
  *out = value.str;
  return AL_OK;
}
