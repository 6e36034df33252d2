/* A hostile chat template: it may fail, but not crash, hang or eat the machine. The input is the template; what it sees
 * is a fixed chat. Limits are tight so that a case takes milliseconds. */
#include "text/template.h"

static const char vars_text[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"H\xc3\xa9llo <b>\"}, {\"role\": "
                                "\"assistant\", \"content\": \"\", "
                                "\"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"x\": [1, 2.5, "
                                "null, true]}}}]}], \"tools\": [{\"name\": "
                                "\"a\"}], \"s\": \"a,b c\\n\", \"n\": 3, \"f\": 0.5, \"d\": {\"a\": 1, \"b\": [1, "
                                "\"x\"]}, \"add_generation_prompt\": true}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct al_json_doc *vars;
  if (vars == nullptr && al_json_parse(al_str(vars_text), &vars, nullptr) != AL_OK)
    return 0;
  struct al_template *compiled = nullptr;
  if (al_template_compile(al_str_n((const char *)data, size), &compiled, nullptr) != AL_OK)
    return 0;
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  const struct al_json *root = al_json_root(vars);
  struct al_template_vars given = { &root, 1 };
  struct al_template_limits limits = { .max_output_bytes = 1 << 20,
                                       .max_steps = 200'000,
                                       .max_memory_bytes = 16 << 20 };
  enum al_code code = al_template_render(compiled, &given, &limits, &out, nullptr);
  if (code != AL_OK && out.size != 0)
    __builtin_trap(); /* half a text is none */
  al_template_free(compiled);
  return 0;
}
