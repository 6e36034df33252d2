#include "base/arena.h"

#include "base/alloc.h"

#include <stdckdint.h>
#include <stdint.h>

constexpr size_t BLOCK_BYTES = 16 << 10;

struct block {
  struct block *next;
  size_t used;
  size_t size;
  max_align_t bytes[];
};

struct al_arena {
  struct block *head;
  size_t used_bytes;
  size_t cap_bytes;
};

struct al_arena *al_arena_new(size_t cap_bytes)
{
  struct al_arena *arena = al_calloc(1, sizeof *arena);
  if (arena != nullptr)
    arena->cap_bytes = cap_bytes;
  return arena;
}

void al_arena_free(struct al_arena *arena)
{
  if (arena == nullptr)
    return;
  for (struct block *block = arena->head; block != nullptr;) {
    struct block *next = block->next;
    al_free(block);
    block = next;
  }
  al_free(arena);
}

static struct block *add_block(struct al_arena *arena, size_t need)
{
  size_t size = al_max_size(need, BLOCK_BYTES);
  size_t total;
  if (ckd_add(&total, size, sizeof(struct block)))
    return nullptr;
  struct block *block = al_alloc(total);
  if (block == nullptr)
    return nullptr;
  *block = (struct block){ .next = arena->head, .size = size };
  arena->head = block;
  return block;
}

void *al_arena_alloc(struct al_arena *arena, size_t n_bytes)
{
  constexpr size_t align = alignof(max_align_t);
  size_t need, used;
  if (ckd_add(&need, n_bytes, align - 1))
    return nullptr;
  need &= ~(align - 1);
  if (ckd_add(&used, arena->used_bytes, need) || used > arena->cap_bytes)
    return nullptr;
  struct block *block = arena->head;
  if (block == nullptr || block->size - block->used < need)
    block = add_block(arena, need);
  if (block == nullptr)
    return nullptr;
  char *bytes = (char *)block->bytes + block->used;
  block->used += need;
  arena->used_bytes = used;
  memset(bytes, 0, need);
  return bytes;
}

void *al_arena_array(struct al_arena *arena, size_t count, size_t elem_bytes)
{
  size_t n_bytes;
  return ckd_mul(&n_bytes, count, elem_bytes) ? nullptr : al_arena_alloc(arena, n_bytes);
}

char *al_arena_strndup(struct al_arena *arena, const char *text, size_t length)
{
  size_t n_bytes;
  char *copy = ckd_add(&n_bytes, length, 1) ? nullptr : al_arena_alloc(arena, n_bytes);
  if (copy != nullptr && length > 0)
    memcpy(copy, text, length);
  return copy;
}

size_t al_arena_used_bytes(const struct al_arena *arena)
{
  return arena->used_bytes;
}
