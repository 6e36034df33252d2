/* ChatML without Jinja, in place of src/text/template.c: enough for chats over the fake engine. */
#include "base/alloc.h"
#include "text/template.h"

struct al_template {
  char *source;
};

enum al_code al_template_compile(struct al_str source, struct al_template **compiled, struct al_err *err)
{
  if (source.size >= 5 && memcmp(source.data, "{% oh", 5) == 0)
    return al_fail(err, AL_INVALID_REQUEST, "line 1: unknown tag 'oh'");
  struct al_template *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  *compiled = made;
  return AL_OK;
}

void al_template_free(struct al_template *compiled)
{
  al_free(compiled);
}

enum al_code al_template_render(const struct al_template *, const struct al_template_vars *vars,
                                const struct al_template_limits *, struct al_buf *out, struct al_err *err)
{
  const struct al_json *messages = nullptr;
  for (size_t i = 0; i < vars->n_objects; i++)
    if (al_json_get(vars->objects[i], "messages") != nullptr)
      messages = al_json_get(vars->objects[i], "messages");
  struct al_json_iter it = al_json_iter(messages);
  while (al_json_next(&it)) {
    struct al_str role = al_json_str(al_json_get(it.value, "role"));
    struct al_str content = al_json_str(al_json_get(it.value, "content"));
    al_buf_printf(out, "<|im_start|>%.*s\n%.*s<|im_end|>\n", (int)role.size, role.data, (int)content.size,
                  content.data);
  }
  al_buf_str(out, "<|im_start|>assistant\n");
  return al_buf_check(out, err);
}

const char *al_template_default(void)
{
  return "chatml";
}
