#include "text/jinja/program.h"

#include "base/alloc.h"
#include "text/jinja/parser.h"

constexpr size_t MAX_TREE_BYTES = (size_t)512 << 20;
constexpr size_t MAX_SYMBOLS = 1 << 20;

void al_jj_program_free(struct al_jj_program *program)
{
  if (program == nullptr)
    return;
  al_arena_free(program->arena);
  al_map_free(program->symbols);
  if (program->ctype != (locale_t)0)
    freelocale(program->ctype);
  al_free(program);
}

AL_DEFINE_CLEANUP(struct al_jj_program, al_jj_program_free)

enum al_code al_jj_program_new(struct al_str source, struct al_jj_program **program, struct al_err *err)
{
  AL_CLEANUP(al_jj_program_free_p) struct al_jj_program *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->arena = al_arena_new(MAX_TREE_BYTES);
  made->symbols = al_map_new(MAX_SYMBOLS);
  if (made->arena == nullptr || made->symbols == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->ctype = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (made->ctype == (locale_t)0)
    made->ctype = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
  if (made->ctype == (locale_t)0)
    return al_fail(err, AL_INTERNAL, "no locale for character classes");
  AL_TRY(al_jj_parse(made, source, err));
  AL_TRY(al_jj_find_hidden(made, err));
  *program = AL_TAKE(made);
  return AL_OK;
}

/* Only what the template names is converted. */
static enum al_code bind_vars(struct al_jj_render *r, const struct al_json *object, struct al_jj_scope *scope)
{
  struct al_json_iter it = al_json_iter(object);
  while (al_json_next(&it)) {
    const struct al_jj_symbol *symbol = al_map_get(r->program->symbols, it.key);
    struct al_jj_value value;
    if (symbol == nullptr)
      continue;
    AL_TRY(al_jj_from_json(r, it.value, &value));
    AL_TRY(al_jj_scope_set(r, scope, symbol, value));
  }
  return AL_OK;
}

static enum al_code render(struct al_jj_render *r, const struct al_json *const *objects, size_t n_objects)
{
  struct al_jj_scope *vars, *top;
  AL_TRY(al_jj_scope_new(r, nullptr, &vars));
  for (size_t i = 0; i < n_objects; i++)
    AL_TRY(bind_vars(r, objects[i], vars));
  AL_TRY(al_jj_scope_new(r, vars, &top));
  for (size_t i = 0; i < r->program->n_hidden; i++)
    AL_TRY(al_jj_scope_set(r, top, r->program->hidden[i], (struct al_jj_value){ .kind = AL_JJ_MISSING }));
  enum al_jj_flow flow;
  return al_jj_exec(r, top, r->program->body, &flow);
}

enum al_code al_jj_program_render(const struct al_jj_program *program, const struct al_json *const *objects,
                                  size_t n_objects, const struct al_jj_limits *limits, struct al_buf *out,
                                  struct al_err *err)
{
  struct al_err local;
  AL_CLEANUP(al_arena_free_p) struct al_arena *arena = al_arena_new(limits->max_memory_bytes);
  if (arena == nullptr)
    return al_fail_oom(err, limits->max_memory_bytes);
  struct al_jj_render r = {
    .program = program,
    .arena = arena,
    .err = err != nullptr ? err : &local,
    .sink = out,
    .out = out,
    .scratch = { .cap_bytes = limits->max_memory_bytes },
    .out_start = out->size,
    .limits = *limits,
    .line = 1,
  };
  enum al_code code = render(&r, objects, n_objects);
  al_buf_done(&r.scratch);
  if (code == AL_OK)
    return AL_OK;
  if (out->data != nullptr) { /* half a text is none */
    out->size = r.out_start;
    out->data[out->size] = '\0';
  }
  out->failed = false;
  return code;
}
