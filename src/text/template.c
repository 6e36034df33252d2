#include "text/template.h"

#include "base/alloc.h"
#include "text/jinja/program.h"

struct al_template {
  struct al_jj_program *program;
};

enum al_code al_template_compile(struct al_str source, struct al_template **compiled, struct al_err *err)
{
  struct al_template *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  enum al_code code = al_jj_program_new(source, &made->program, err);
  if (code != AL_OK) {
    al_free(made);
    return code;
  }
  *compiled = made;
  return AL_OK;
}

void al_template_free(struct al_template *compiled)
{
  if (compiled == nullptr)
    return;
  al_jj_program_free(compiled->program);
  al_free(compiled);
}

static size_t limit_or(size_t limit, size_t otherwise)
{
  return limit > 0 ? limit : otherwise;
}

enum al_code al_template_render(const struct al_template *compiled, const struct al_template_vars *vars,
                                const struct al_template_limits *limits, struct al_buf *out, struct al_err *err)
{
  struct al_template_limits given = limits != nullptr ? *limits : (struct al_template_limits){};
  struct al_jj_limits applied = {
    .max_output_bytes = limit_or(given.max_output_bytes, (size_t)64 << 20),
    .max_steps = limit_or(given.max_steps, 50'000'000),
    .max_memory_bytes = limit_or(given.max_memory_bytes, (size_t)512 << 20),
  };
  return al_jj_program_render(compiled->program, vars->objects, vars->n_objects, &applied, out, err);
}

const char *al_template_default(void)
{
  /* Without tools and calls it writes every message as it is. */
  return "{%- if tools -%}"
         "{%- if messages and messages[0]['role'] == 'system' -%}"
         "{{- '<|im_start|>system\\n' + messages[0]['content'] + '\\n\\n' -}}"
         "{%- set messages = messages[1:] -%}"
         "{%- else -%}{{- '<|im_start|>system\\n' -}}{%- endif -%}"
         "{{- '# Tools\\n\\nThe functions that you may call:\\n<tools>' -}}"
         "{%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}"
         "{{- '\\n</tools>\\n\\nA call is JSON between tags:\\n<tool_call>\\n"
         "{\"name\": name, \"arguments\": object}\\n</tool_call><|im_end|>\\n' -}}"
         "{%- endif -%}"
         "{%- for message in messages -%}"
         "{%- if message['role'] == 'tool' -%}"
         "{{- '<|im_start|>user\\n<tool_response>\\n' + message['content'] + '\\n</tool_response><|im_end|>\\n' -}}"
         "{%- else -%}"
         "{{- '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') -}}"
         "{%- for call in message['tool_calls'] or [] -%}"
         "{%- set arguments = call.function.arguments -%}"
         "{{- ('\\n' if message['content'] or not loop.first else '') + '<tool_call>\\n{\"name\": ' + "
         "(call.function.name | tojson) "
         "+ ', \"arguments\": ' + (arguments if arguments is string else arguments | tojson) + '}\\n</tool_call>' -}}"
         "{%- endfor -%}"
         "{{- '<|im_end|>\\n' -}}"
         "{%- endif -%}"
         "{%- endfor -%}"
         "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";
}
