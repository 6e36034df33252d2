#include "inference/pieces.h"

static size_t add(const struct al_loaded *loaded, int32_t token, bool special, struct al_buf *out)
{
  constexpr size_t ENOUGH = 64;
  size_t size = ENOUGH;
  for (size_t room = 0; room < size;) {
    room = size;
    char *bytes = al_buf_room(out, room);
    if (bytes == nullptr)
      return 0;
    loaded->engine->text->piece(loaded->model, token, special, bytes, room, &size);
  }
  al_buf_grew(out, size);
  return size;
}

bool al_piece_add(const struct al_loaded *loaded, int32_t token, struct al_buf *out)
{
  return add(loaded, token, false, out) == 0 && add(loaded, token, true, out) > 0;
}
