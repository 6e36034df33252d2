#include "cli/print_json.h"

#include <stdio.h>

void al_cli_print_json(const struct al_json *value)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  al_json_print(&text, value);
  if (text.size > 0)
    (void)printf("%s\n", text.data);
}
