/* What tool_choice asks for. Private to tools.c. */
#ifndef AL_API_TOOL_CHOICE_H
#define AL_API_TOOL_CHOICE_H

#include "api/tools.h"

struct al_api_tool_choice {
  enum al_tool_choice kind;
  struct al_str function;        /* with AL_TOOL_FUNCTION */
  const struct al_json *allowed; /* references to the tools that the model may see; nullptr: all of them */
  const char *allowed_path;
  bool one_call; /* Anthropic's disable_parallel_tool_use */
};

enum al_code al_api_tool_choice_read(const struct al_json *value, enum al_api_tool_form form,
                                     struct al_api_tool_choice *choice, struct al_err *err);

/* The name in a reference to a function: Chat's {"type","function":{"name"}} or Responses' {"type","name"}. data
 * nullptr: a reference to something else. */
enum al_code al_api_tool_reference(const struct al_json *reference, const char *path, enum al_api_tool_form form,
                                   struct al_str *name, struct al_err *err);

#endif
