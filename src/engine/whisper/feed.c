#include "engine/whisper/feed.h"

#include "base/alloc.h"
#include "engine/llama/backend.h"

#include <stdlib.h>

static bool wants_to_go_on(struct al_feed *feed)
{
  float done = (float)((double)feed->position / (double)feed->size_bytes);
  if (feed->failure.code == AL_OK && feed->progress != nullptr && !feed->progress(feed->user, done))
    (void)al_fail(&feed->failure, AL_CANCELLED, "the load was cancelled");
  return feed->failure.code == AL_OK;
}

static void begin_tensor(struct al_feed *feed)
{
  feed->has_ended = feed->n_read == feed->n_tensors;
  feed->is_filling = !feed->has_ended && !wants_to_go_on(feed);
}

/* Data begin with zeros. */
static void fill(struct al_feed *feed, void *bytes, size_t size)
{
  size_t n = strlen(feed->filler);
  const int32_t numbers[] = { 1, (int32_t)n, 0, feed->filler_extent };
  memset(bytes, 0, size);
  if (feed->call < (int)AL_COUNT(numbers) && size == sizeof numbers[0])
    memcpy(bytes, &numbers[feed->call], size);
  else if (feed->call == (int)AL_COUNT(numbers) && size == n)
    memcpy(bytes, feed->filler, size);
}

static void next_call(struct al_feed *feed, const void *bytes, size_t size)
{
  if (feed->call == 0 && size == sizeof feed->n_dims)
    memcpy(&feed->n_dims, bytes, size);
  bool is_last = feed->call > 0 && feed->call == 4 + feed->n_dims;
  feed->n_read += is_last;
  feed->call = is_last ? 0 : feed->call + 1;
}

static void read_on(struct al_feed *feed, void *bytes, size_t size)
{
  if (!feed->has_ended && feed->read(feed->source, bytes, size, &feed->failure) == AL_OK)
    feed->position += size;
  else
    memset(bytes, 0, size);
}

size_t al_feed_read(void *context, void *bytes, size_t size)
{
  struct al_feed *feed = context;
  bool in_tensors = feed->position >= feed->head_bytes;
  if (in_tensors && feed->call == 0 && !feed->has_ended)
    begin_tensor(feed);
  if (feed->is_filling && size > 0)
    fill(feed, bytes, size);
  else if (size > 0) /* else there may be no place for it either */
    read_on(feed, bytes, size);
  if (in_tensors && !feed->has_ended)
    next_call(feed, bytes, size);
  return size;
}

bool al_feed_eof(void *context)
{
  return ((const struct al_feed *)context)->has_ended;
}

void al_feed_close(void *) {}

enum al_code al_feed_end(struct al_feed *feed, bool is_loaded, const char *library, struct al_err *err)
{
  if (feed->failure.code != AL_OK) {
    if (err != nullptr)
      *err = feed->failure;
    return feed->failure.code;
  }
  if (is_loaded) {
    if (feed->progress != nullptr)
      (void)feed->progress(feed->user, 1.0F);
    return AL_OK;
  }
  const char *why = al_llama_log_last_error();
  enum al_code code = strstr(why, "alloc") != nullptr ? AL_OOM_RAM : AL_LOAD_FAILED;
  return why[0] != '\0' ? al_fail(err, code, "%s", why) : al_fail(err, code, "%s cannot load it", library);
}

/* --- zeros ------------------------------------------------------------------------------------------------------ */

size_t al_hollow_read(void *context, void *bytes, size_t size)
{
  struct al_hollow *hollow = context;
  if (size == 0)
    return 0;
  size_t n = al_min_size(size, hollow->left);
  memset(bytes, 0, size);
  memcpy(bytes, hollow->bytes, n);
  hollow->bytes += n;
  hollow->left -= n;
  return n;
}

bool al_hollow_eof(void *context)
{
  return ((const struct al_hollow *)context)->left == 0;
}

void al_hollow_log_line(void *user, const char *line)
{
  uint64_t *sum = user;
  const char *equals = strchr(line, '=');
  if (strstr(line, "compute buffer (") == nullptr || equals == nullptr)
    return;
  double mb = strtod(equals + 1, nullptr);
  if (mb > 0 && mb < 1e9)
    *sum += (uint64_t)(mb * 1e6);
}
