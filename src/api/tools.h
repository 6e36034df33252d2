/* Tools and tool_choice of every API, checked and brought to the one form that chat templates and grammars know. */
#ifndef AL_API_TOOLS_H
#define AL_API_TOOLS_H

#include "api/text_params.h"

enum al_api_tool_form {
  AL_API_TOOLS_CHAT,      /* {"type":"function","function":{"name","description","parameters","strict"}} */
  AL_API_TOOLS_RESPONSES, /* {"type":"function","name","description","parameters","strict"} */
  AL_API_TOOLS_ANTHROPIC, /* {"name","description","input_schema"}, type "custom" or none */
};

/* Sets params->tools, tool_choice and tool_function. Tools that are no functions (built-in ones, and those that nobody
 * here knows) are accepted and never called. `choice` is the value of tool_choice, Anthropic's included; either may be
 * nullptr or null. Errors name the place: "tools[2].function.name". */
enum al_code al_api_tools_read(const struct al_json *tools, const struct al_json *choice, enum al_api_tool_form form,
                               struct al_api_text_params *params, struct al_err *err);

#endif
