/* How a response begins and ends, and where it goes when that is not a stream over HTTP. */
#include "api/errors.h"
#include "api/response.h"
#include "api/response_live.h"
#include "api/response_socket.h"
#include "api/response_store.h"
#include "base/clock.h"
#include "base/log.h"

static struct al_api_response *response_of(struct al_api_generation *generation)
{
  return (struct al_api_response *)generation;
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

/* Ahead of the last event: whoever has read that finds the response stored. */
static void store(struct al_api_response *response, struct al_str object, enum al_api_response_status status)
{
  struct al_response_store *responses = response->base.api->responses;
  struct al_api_live *live = response->live;
  if (!response->is_stored || responses == nullptr)
    return;
  struct al_response_record record = {
    .id = al_str(response->base.id),
    .previous_id = response->previous_id,
    .status = al_str(al_api_response_status_name(status)),
    .created_s = response->base.created_s,
    .input = response->input,
    .object = object,
    .events = live != nullptr ? al_api_live_events(live) : (struct al_str){},
  };
  struct al_err err;
  if (al_response_store_put(responses, &record, &err) != AL_OK)
    al_log_err(AL_LOG_ERROR, "response_not_stored", &err);
  /* In a renewal another process is asked for it, and does not stand in our queue. */
  if (atomic_load(&response->base.api->draining))
    al_response_store_wait(responses);
}

static const char *last_event(enum al_api_response_status status)
{
  switch (status) {
  case AL_RESPONSE_COMPLETED: return "response.completed";
  case AL_RESPONSE_FAILED: return "response.failed";
  case AL_RESPONSE_INCOMPLETE:
  case AL_RESPONSE_CANCELLED: /* there is no event of its own for it: the object's status says so */
  case AL_RESPONSE_QUEUED:
  case AL_RESPONSE_IN_PROGRESS: break;
  }
  return "response.incomplete";
}

static void reply_whole(struct al_api_response *response, const struct al_buf *object,
                        enum al_api_response_status status, const struct al_err *err)
{
  struct al_err oom;
  if (status == AL_RESPONSE_FAILED || status == AL_RESPONSE_CANCELLED)
    al_api_reply_err(response->base.exchange, err);
  else if (al_buf_check(object, &oom) != AL_OK)
    al_api_reply_err(response->base.exchange, &oom);
  else
    al_http_reply(response->base.exchange, 200, "application/json", al_buf_view(object));
}

/* In the background the events are stored with the object, the last one included. */
static void end_live(struct al_api_response *response, struct al_str object, enum al_api_response_status status)
{
  struct al_api_live *live = response->live;
  al_api_response_send_snapshot(response, last_event(status), object);
  if (!al_api_live_is_deleted(live))
    store(response, object, status);
  al_api_live_finish(live, object);
  struct al_response_store *responses = response->base.api->responses;
  if (al_api_live_is_deleted(live) && responses != nullptr)
    (void)!al_response_store_delete(responses, al_str(response->base.id), al_api_ignore_found, nullptr, nullptr);
}

void al_api_response_conclude(struct al_api_response *response, enum al_api_response_status status,
                              const struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf object = {};
  struct al_json_writer w = al_json_writer(&object);
  if (status == AL_RESPONSE_COMPLETED)
    response->completed_s = al_wall_s();
  al_api_response_write(&w, response, status, err);
  response->base.is_broken |= object.failed;
  struct al_str text = object.failed ? al_str("{}") : al_buf_view(&object);
  if (response->live != nullptr) {
    end_live(response, text, status);
    return;
  }
  bool is_whole = response->base.outlet == &al_api_outlet_whole;
  bool is_revealed = !is_whole || status == AL_RESPONSE_COMPLETED || status == AL_RESPONSE_INCOMPLETE;
  if (is_revealed && !object.failed)
    store(response, text, status);
  if (response->socket != nullptr) {
    al_api_response_socket_keep(response, text);
    al_api_response_socket_release(response->socket);
  }
  if (is_whole)
    reply_whole(response, &object, status, err);
  else
    al_api_response_send_snapshot(response, last_event(status), text);
}

void al_api_ignore_found(void *user, const struct al_response_found *found)
{
  (void)user;
  (void)found;
}

/* --- a generation's slots --------------------------------------------------------------------------------------------
 */

void al_api_response_set_live(struct al_api_response *response, enum al_api_response_status status)
{
  AL_CLEANUP(al_buf_done) struct al_buf object = {};
  AL_CLEANUP(al_buf_done) struct al_buf cancelled = {};
  struct al_json_writer w = al_json_writer(&object);
  al_api_response_write(&w, response, status, nullptr);
  w = al_json_writer(&cancelled);
  al_api_response_write(&w, response, AL_RESPONSE_CANCELLED, nullptr);
  if (object.failed || cancelled.failed)
    response->base.is_broken = true;
  else
    al_api_live_set(response->live, al_buf_view(&object), al_buf_view(&cancelled));
}

static void started(struct al_api_generation *generation)
{
  struct al_api_response *response = response_of(generation);
  if (response->live != nullptr)
    al_api_response_set_live(response, AL_RESPONSE_IN_PROGRESS);
  else
    al_api_response_send_status(response, "response.created", AL_RESPONSE_IN_PROGRESS);
  al_api_response_send_status(response, "response.in_progress", AL_RESPONSE_IN_PROGRESS);
}

static enum al_api_response_status outcome(const struct al_api_response *response)
{
  return response->base.finish == AL_FINISH_LENGTH ? AL_RESPONSE_INCOMPLETE : AL_RESPONSE_COMPLETED;
}

static void finished(struct al_api_generation *generation)
{
  struct al_api_response *response = response_of(generation);
  al_api_response_close_items(response);
  al_api_response_conclude(response, outcome(response), nullptr);
}

static void failed(struct al_api_generation *generation, const struct al_err *err)
{
  bool is_cancelled = err->code == AL_CANCELLED && !al_streq(err->reason, "shutting_down");
  al_api_response_conclude(response_of(generation), is_cancelled ? AL_RESPONSE_CANCELLED : AL_RESPONSE_FAILED, err);
}

static void print(struct al_api_generation *generation, struct al_buf *out)
{
  struct al_json_writer w = al_json_writer(out);
  al_api_response_write(&w, response_of(generation), outcome(response_of(generation)), nullptr);
}

const struct al_api_generation_ops al_api_response_ops = {
  .id_prefix = "resp_",
  .keeps_answer = true,
  .started = started,
  .event = al_api_response_event,
  .finished = finished,
  .failed = failed,
  .print = print,
};

/* --- outlets --------------------------------------------------------------------------------------------------------
 */

static void nothing(struct al_api_generation *generation)
{
  (void)generation;
}

static bool take_nothing(struct al_api_generation *generation, struct al_str bytes)
{
  (void)generation;
  (void)bytes;
  return true;
}

static void reply(struct al_api_generation *generation, struct al_str body)
{
  al_http_reply(generation->exchange, 200, "application/json", body);
}

static void fail(struct al_api_generation *generation, const struct al_err *err)
{
  al_api_reply_err(generation->exchange, err);
}

const struct al_api_outlet al_api_outlet_whole = {
  .begin = nothing, .send = take_nothing, .end = nothing, .reply = reply, .fail = fail
};

static bool append(struct al_api_generation *generation, struct al_str bytes)
{
  al_api_live_append(response_of(generation)->live, bytes);
  return true;
}

static void end_background(struct al_api_generation *generation)
{
  al_api_live_unref(AL_TAKE(response_of(generation)->live));
}

static void reply_background(struct al_api_generation *generation, struct al_str body)
{
  al_api_live_finish(response_of(generation)->live, body);
  end_background(generation);
}

static void fail_background(struct al_api_generation *generation, const struct al_err *err)
{
  failed(generation, err);
  end_background(generation);
}

const struct al_api_outlet al_api_outlet_background = {
  .begin = nothing, .send = append, .end = end_background, .reply = reply_background, .fail = fail_background
};
