/* The worker program: the server with its engines, or one preflight of a model. */
#include "app/engines.h"
#include "app/worker.h"
#include "engine/preflight.h"

#include <string.h>

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "--preflight") == 0) {
    struct al_engine_registry engines = al_builtin_engines();
    return al_preflight_main(&engines, argc, argv);
  }
  return al_worker_run(argc, argv);
}
