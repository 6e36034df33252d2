#include "app/quarantine.h"

#include <stdio.h>
#include <string.h>

static struct al_quarantine_entry *find_or_add(struct al_quarantine *quarantine, const char *id)
{
  for (size_t i = 0; i < quarantine->n_entries; i++)
    if (strcmp(quarantine->entries[i].id, id) == 0)
      return &quarantine->entries[i];
  if (quarantine->n_entries == AL_QUARANTINE_MAX_MODELS)
    return nullptr;
  struct al_quarantine_entry *entry = &quarantine->entries[quarantine->n_entries++];
  *entry = (struct al_quarantine_entry){};
  (void)snprintf(entry->id, sizeof entry->id, "%s", id);
  return entry;
}

bool al_quarantine_blame(struct al_quarantine *quarantine, const char *id, int64_t now_ns)
{
  struct al_quarantine_entry *entry = find_or_add(quarantine, id);
  if (entry == nullptr || entry->quarantined)
    return false;
  memmove(entry->crashed_ns, entry->crashed_ns + 1, sizeof entry->crashed_ns - sizeof entry->crashed_ns[0]);
  entry->crashed_ns[AL_QUARANTINE_CRASHES - 1] = now_ns;
  int64_t oldest = entry->crashed_ns[0];
  entry->quarantined = oldest != 0 && now_ns - oldest <= AL_QUARANTINE_WINDOW_NS;
  return entry->quarantined;
}

size_t al_quarantine_ids(const struct al_quarantine *quarantine, const char **ids, size_t capacity)
{
  size_t n = 0;
  for (size_t i = 0; i < quarantine->n_entries && n < capacity; i++)
    if (quarantine->entries[i].quarantined)
      ids[n++] = quarantine->entries[i].id;
  return n;
}
