/* Limits, errors, memory and variables of a rendering. */
#include "text/jinja/render.h"

#include <stdckdint.h>
#include <stdio.h>

enum al_code al_jj_fail(struct al_jj_render *r, const char *format, ...)
{
  char message[384];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return al_fail(r->err, AL_INVALID_REQUEST, "template line %d: %s", r->line, message);
}

enum al_code al_jj_unsupported(struct al_jj_render *r, const char *what, struct al_str name)
{
  return al_fail(r->err, AL_UNSUPPORTED, "template line %d: the %s '%.*s' is not supported", r->line, what,
                 (int)al_min_size(name.size, 60), name.data);
}

static enum al_code exceed(struct al_jj_render *r, const char *what, size_t limit)
{
  r->fatal = true;
  return al_jj_fail(r, "the template takes more than %zu %s", limit, what);
}

enum al_code al_jj_step(struct al_jj_render *r, size_t n)
{
  r->n_steps += n;
  return r->n_steps <= r->limits.max_steps ? AL_OK : exceed(r, "steps", r->limits.max_steps);
}

/* Work over many bytes counts as a step for so many of them. */
constexpr size_t BYTES_A_STEP = 256;

enum al_code al_jj_step_bytes(struct al_jj_render *r, size_t n_bytes)
{
  return al_jj_step(r, n_bytes / BYTES_A_STEP);
}

enum al_code al_jj_enter(struct al_jj_render *r)
{
  if (r->depth >= AL_JJ_MAX_EVAL_DEPTH)
    return exceed(r, "levels of nesting", (size_t)AL_JJ_MAX_EVAL_DEPTH);
  r->depth++;
  return al_jj_step(r, 1) == AL_OK ? AL_OK : (r->depth--, r->err->code);
}

void al_jj_leave(struct al_jj_render *r)
{
  r->depth--;
}

enum al_code al_jj_alloc(struct al_jj_render *r, size_t count, size_t elem_bytes, void *out_pointer)
{
  size_t n_bytes, total;
  bool wraps = ckd_mul(&n_bytes, count, elem_bytes);
  if (wraps || ckd_add(&total, n_bytes, al_arena_used_bytes(r->arena)) || total > r->limits.max_memory_bytes)
    return exceed(r, "bytes of memory", r->limits.max_memory_bytes);
  void *memory = al_arena_alloc(r->arena, n_bytes);
  if (memory == nullptr) {
    r->fatal = true;
    return al_fail_oom(r->err, n_bytes);
  }
  memcpy(out_pointer, &memory, sizeof memory);
  return AL_OK;
}

enum al_code al_jj_double(struct al_jj_render *r, void **array, size_t *capacity, size_t elem_bytes)
{
  void *grown = nullptr;
  size_t doubled = *capacity < 4 ? 4 : *capacity * 2;
  AL_TRY(al_jj_alloc(r, doubled, elem_bytes, &grown));
  if (*capacity > 0)
    memcpy(grown, *array, *capacity * elem_bytes);
  *array = grown;
  *capacity = doubled;
  return AL_OK;
}

enum al_code al_jj_scope_new(struct al_jj_render *r, struct al_jj_scope *parent, struct al_jj_scope **scope)
{
  AL_TRY(al_jj_alloc(r, 1, sizeof **scope, scope));
  (*scope)->parent = parent;
  return AL_OK;
}

static struct al_jj_binding *find_binding(const struct al_jj_scope *scope, const struct al_jj_symbol *symbol)
{
  for (size_t i = 0; i < scope->n; i++)
    if (scope->bindings[i].symbol == symbol)
      return &scope->bindings[i];
  return nullptr;
}

enum al_code al_jj_scope_set(struct al_jj_render *r, struct al_jj_scope *scope, const struct al_jj_symbol *symbol,
                             struct al_jj_value value)
{
  struct al_jj_binding *known = find_binding(scope, symbol);
  if (known != nullptr) {
    known->value = value;
    return AL_OK;
  }
  if (scope->n == scope->capacity) {
    void *bindings = scope->bindings;
    AL_TRY(al_jj_double(r, &bindings, &scope->capacity, sizeof *scope->bindings));
    scope->bindings = bindings;
  }
  scope->bindings[scope->n++] = (struct al_jj_binding){ symbol, value };
  return AL_OK;
}

struct al_jj_value al_jj_scope_get(struct al_jj_render *r, const struct al_jj_scope *scope,
                                   const struct al_jj_symbol *symbol)
{
  for (; scope != nullptr; scope = scope->parent) {
    const struct al_jj_binding *known = find_binding(scope, symbol);
    r->n_steps += scope->n / 16;
    if (known != nullptr) /* MISSING: hidden, and not assigned yet */
      return known->value.kind == AL_JJ_MISSING ? al_jj_undefined() : known->value;
  }
  if (symbol->global == nullptr)
    return al_jj_undefined();
  return (struct al_jj_value){ .kind = AL_JJ_BOUND, .bound = symbol->global };
}

void al_jj_scope_capture(struct al_jj_scope *scope)
{
  for (; scope != nullptr && !scope->captured; scope = scope->parent)
    scope->captured = true;
}
