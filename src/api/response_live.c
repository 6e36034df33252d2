#include "api/response_live.h"

#include "base/alloc.h"
#include "base/map.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdio.h>

constexpr size_t MAX_LIVE = 1024;
constexpr size_t MAX_READERS = 64; /* of one response */
constexpr size_t MAX_EVENT_BYTES = (size_t)64 << 20;

struct al_api_lives {
  struct al_mutex lock;
  struct al_cond emptied;
  struct al_map *map; /* id -> live, with a reference */
};

struct reader {
  struct al_http_exchange *exchange; /* a reference */
  int64_t after;                     /* the number of the last event it does not want */
};

struct al_api_live {
  atomic_int n_refs;
  struct al_api_lives *lives; /* borrowed */
  char id[64];
  struct al_cancel *cancel; /* a reference */
  struct al_mutex lock;
  struct al_buf object, cancelled_object; /* JSON */
  struct al_buf events;                   /* as they were sent */
  int64_t n_events;
  struct reader readers[MAX_READERS];
  size_t n_readers;
  bool streams, is_cancelled, is_deleted, is_done;
};

/* --- the registry --------------------------------------------------------------------------------------------------
 */

struct al_api_lives *al_api_lives_new(void)
{
  struct al_api_lives *lives = al_calloc(1, sizeof *lives);
  struct al_map *map = al_map_new(MAX_LIVE);
  if (lives == nullptr || map == nullptr) {
    al_free(lives);
    al_map_free(map);
    return nullptr;
  }
  lives->map = map;
  al_mutex_init(&lives->lock);
  al_cond_init(&lives->emptied);
  return lives;
}

void al_api_lives_free(struct al_api_lives *lives)
{
  if (lives == nullptr)
    return;
  al_map_free(lives->map);
  al_cond_done(&lives->emptied);
  al_mutex_done(&lives->lock);
  al_free(lives);
}

void al_api_lives_wait(struct al_api_lives *lives, int64_t deadline_ns)
{
  AL_LOCKED(&lives->lock);
  while (al_map_count(lives->map) > 0)
    if (!al_cond_wait(&lives->emptied, &lives->lock, deadline_ns))
      return;
}

static enum al_code enter(struct al_api_lives *lives, struct al_api_live *live, struct al_err *err)
{
  AL_LOCKED(&lives->lock);
  if (al_map_count(lives->map) == MAX_LIVE)
    return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "Too many responses run in the background"), "overloaded");
  return al_map_set(lives->map, al_str(live->id), live, err);
}

static void leave(struct al_api_live *live)
{
  struct al_api_lives *lives = live->lives;
  al_mutex_lock(&lives->lock);
  bool was_there = al_map_remove(lives->map, al_str(live->id)) != nullptr;
  al_cond_broadcast(&lives->emptied);
  al_mutex_unlock(&lives->lock);
  if (was_there)
    al_api_live_unref(live);
}

struct al_api_live *al_api_live_find(struct al_api_lives *lives, struct al_str id)
{
  AL_LOCKED(&lives->lock);
  struct al_api_live *live = al_map_get(lives->map, id);
  if (live != nullptr)
    atomic_fetch_add_explicit(&live->n_refs, 1, memory_order_relaxed);
  return live;
}

/* --- one -----------------------------------------------------------------------------------------------------------
 */

enum al_code al_api_live_new(struct al_api_lives *lives, const char *id, struct al_cancel *cancel, bool streams,
                             struct al_api_live **live, struct al_err *err)
{
  struct al_api_live *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  atomic_init(&made->n_refs, 2);
  made->lives = lives;
  made->cancel = al_cancel_ref(cancel);
  made->streams = streams;
  (void)snprintf(made->id, sizeof made->id, "%s", id);
  al_mutex_init(&made->lock);
  al_buf_init(&made->events, MAX_EVENT_BYTES);
  enum al_code code = enter(lives, made, err);
  if (code != AL_OK) {
    atomic_store(&made->n_refs, 1);
    al_api_live_unref(made);
    return code;
  }
  *live = made;
  return AL_OK;
}

struct al_api_live *al_api_live_ref(struct al_api_live *live)
{
  atomic_fetch_add_explicit(&live->n_refs, 1, memory_order_relaxed);
  return live;
}

void al_api_live_unref(struct al_api_live *live)
{
  if (live == nullptr || atomic_fetch_sub_explicit(&live->n_refs, 1, memory_order_acq_rel) != 1)
    return;
  for (size_t i = 0; i < live->n_readers; i++)
    al_http_unref(live->readers[i].exchange);
  al_buf_done(&live->object);
  al_buf_done(&live->cancelled_object);
  al_buf_done(&live->events);
  al_cancel_unref(live->cancel);
  al_mutex_done(&live->lock);
  al_free(live);
}

static void set(struct al_buf *buf, struct al_str text)
{
  al_buf_clear(buf);
  al_buf_add(buf, text.data, text.size);
}

void al_api_live_set(struct al_api_live *live, struct al_str object, struct al_str cancelled_object)
{
  AL_LOCKED(&live->lock);
  set(&live->object, object);
  set(&live->cancelled_object, cancelled_object);
}

/* A reader that does not keep up, or has left, is let go; the response goes on. Lock held. */
static void send_all(struct al_api_live *live, struct al_str event)
{
  size_t kept = 0;
  for (size_t i = 0; i < live->n_readers; i++) {
    struct reader reader = live->readers[i];
    bool wants = live->n_events > reader.after;
    if (!wants || al_http_send(reader.exchange, event))
      live->readers[kept++] = reader;
    else
      al_http_unref(reader.exchange);
  }
  live->n_readers = kept;
}

void al_api_live_append(struct al_api_live *live, struct al_str event)
{
  AL_LOCKED(&live->lock);
  if (!live->streams)
    return;
  al_buf_add(&live->events, event.data, event.size);
  send_all(live, event);
  live->n_events++;
}

void al_api_live_finish(struct al_api_live *live, struct al_str object)
{
  al_mutex_lock(&live->lock);
  live->is_done = true;
  live->is_cancelled = false; /* the object says it itself */
  set(&live->object, object);
  for (size_t i = 0; i < live->n_readers; i++) {
    al_http_end(live->readers[i].exchange);
    al_http_unref(live->readers[i].exchange);
  }
  live->n_readers = 0;
  al_mutex_unlock(&live->lock);
  leave(live);
}

struct al_str al_api_live_events(const struct al_api_live *live)
{
  return live->events.failed ? (struct al_str){} : al_buf_view(&live->events);
}

static void cancel(struct al_api_live *live, bool deletes)
{
  al_mutex_lock(&live->lock);
  live->is_cancelled |= !live->is_done;
  live->is_deleted |= deletes;
  al_mutex_unlock(&live->lock);
  al_cancel_fire(live->cancel, AL_CANCELLED);
}

void al_api_live_cancel(struct al_api_live *live)
{
  cancel(live, false);
}

void al_api_live_delete(struct al_api_live *live)
{
  cancel(live, true);
}

bool al_api_live_is_cancelled(struct al_api_live *live)
{
  AL_LOCKED(&live->lock);
  return live->is_cancelled;
}

bool al_api_live_is_deleted(struct al_api_live *live)
{
  AL_LOCKED(&live->lock);
  return live->is_deleted;
}

/* --- readers -------------------------------------------------------------------------------------------------------
 */

void al_api_live_reply(struct al_api_live *live, struct al_http_exchange *exchange)
{
  AL_LOCKED(&live->lock);
  const struct al_buf *object = live->is_cancelled ? &live->cancelled_object : &live->object;
  al_http_reply(exchange, 200, "application/json", al_buf_view(object));
}

struct al_str al_api_events_after(struct al_str events, int64_t after)
{
  while (after >= 0 && events.size > 0) {
    const char *end = memmem(events.data, events.size, "\n\n", 2);
    size_t used = end != nullptr ? (size_t)(end - events.data) + 2 : events.size;
    events = al_str_n(events.data + used, events.size - used);
    after--;
  }
  return events;
}

enum al_code al_api_live_stream(struct al_api_live *live, struct al_http_exchange *exchange, int64_t after,
                                struct al_err *err)
{
  AL_LOCKED(&live->lock);
  if (!live->streams)
    return al_fail_param(err, "stream", "Only a response that was created with stream: true can be streamed");
  if (live->n_readers == MAX_READERS)
    return al_fail_reason(err, al_fail(err, AL_OOM_RAM, "Too many clients read this response"), "overloaded");
  al_http_add_header(exchange, "cache-control", "no-cache");
  al_http_begin(exchange, 200, "text/event-stream");
  (void)al_http_send(exchange, al_api_events_after(al_buf_view(&live->events), after));
  if (live->is_done)
    al_http_end(exchange);
  else
    live->readers[live->n_readers++] = (struct reader){ al_http_ref(exchange), after };
  return AL_OK;
}
