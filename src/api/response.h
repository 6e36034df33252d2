/* One answer of the Responses API: what was asked, the items of its output as they come, the object and its events.
 *
 * It always runs as a stream inside: that way the items have the order in which the model makes them, whoever reads. */
#ifndef AL_API_RESPONSE_H
#define AL_API_RESPONSE_H

#include "api/generation.h"

struct al_api_live;
struct al_api_response_socket;

enum al_api_response_status {
  AL_RESPONSE_QUEUED,
  AL_RESPONSE_IN_PROGRESS,
  AL_RESPONSE_COMPLETED,
  AL_RESPONSE_INCOMPLETE, /* max_output_tokens or the context was reached */
  AL_RESPONSE_FAILED,
  AL_RESPONSE_CANCELLED,
};

struct al_api_response_item {
  enum al_api_item_kind { AL_ITEM_REASONING, AL_ITEM_MESSAGE, AL_ITEM_CALL } kind;
  char id[48];
  size_t begin, end;                   /* of the choice's text or reasoning */
  size_t logprobs_begin, logprobs_end; /* of the choice's */
  size_t call;                         /* of the choice's */
  bool is_open, is_incomplete;
};

struct al_api_response {
  struct al_api_generation base; /* first */
  /* Echoed from the request, as JSON in the arena; size 0 is the default. */
  struct al_str instructions, user, safety_identifier, prompt_cache_key;
  struct al_str tools, tool_choice, format, reasoning;
  struct al_str previous_id; /* plain text in the arena */
  int64_t max_output_tokens; /* 0: none */
  int64_t max_tool_calls;    /* 0: none */
  int top_logprobs;
  bool truncate; /* truncation: "auto" */
  bool is_stored, is_background;
  bool sends_events;                     /* somebody reads them */
  bool shows_encrypted;                  /* include: reasoning.encrypted_content */
  struct al_str input;                   /* its own items: a JSON array in the arena */
  struct al_str context;                 /* on a socket: the items before them, without brackets, in the arena */
  struct al_api_live *live;              /* in the background: a reference */
  struct al_api_response_socket *socket; /* on a WebSocket: a reference */

  struct al_api_response_item *items; /* in the arena */
  size_t n_items, items_capacity;
  size_t logprobs_seen; /* of the choice's, given to items */
  int64_t n_events;     /* sent; the next sequence_number */
  int64_t completed_s;
};

extern const struct al_api_generation_ops al_api_response_ops;

/* --- response_object.c: `err` for AL_RESPONSE_FAILED ----------------------------------------------------------------
 */

/* The whole object, every key always there. */
void al_api_response_write(struct al_json_writer *w, const struct al_api_response *response,
                           enum al_api_response_status status, const struct al_err *err);
const char *al_api_response_status_name(enum al_api_response_status status);

/* --- response_items.c -----------------------------------------------------------------------------------------------
 */

/* An item as it is now: while open without what is still to come. */
void al_api_response_write_item(struct al_json_writer *w, const struct al_api_response *response,
                                const struct al_api_response_item *item);
/* Its only content part; `text` empty for one that has just begun. */
void al_api_response_write_part(struct al_json_writer *w, const struct al_api_response_item *item, struct al_str text,
                                struct al_str logprobs);
struct al_str al_api_response_item_text(const struct al_api_response *response,
                                        const struct al_api_response_item *item);
struct al_str al_api_response_item_logprobs(const struct al_api_response *response,
                                            const struct al_api_response_item *item);
/* nullptr when memory runs out; the generation is then broken. */
struct al_api_response_item *al_api_response_add_item(struct al_api_response *response, enum al_api_item_kind kind);
/* The one that is open, of this kind, or nullptr. */
struct al_api_response_item *al_api_response_open_item(struct al_api_response *response, enum al_api_item_kind kind);

/* --- response_events.c ----------------------------------------------------------------------------------------------
 */

/* An event that carries the whole object. */
void al_api_response_send_snapshot(struct al_api_response *response, const char *type, struct al_str object);
void al_api_response_send_status(struct al_api_response *response, const char *type,
                                 enum al_api_response_status status);
/* Takes the model's output in, and tells of it. */
void al_api_response_event(struct al_api_generation *generation, const struct al_text_event *event);
void al_api_response_close_items(struct al_api_response *response);

/* --- response_end.c -------------------------------------------------------------------------------------------------
 */

/* The end, whatever it is: the object is stored, the last event sent, whoever waits answered. Once. */
void al_api_response_conclude(struct al_api_response *response, enum al_api_response_status status,
                              const struct al_err *err);

/* In the background: what it reads as in this state, and once it has been cancelled. */
void al_api_response_set_live(struct al_api_response *response, enum al_api_response_status status);

/* Answers with the whole object, without events. */
extern const struct al_api_outlet al_api_outlet_whole;
/* Into response->live alone. */
extern const struct al_api_outlet al_api_outlet_background;
/* As messages of response->socket. */
extern const struct al_api_outlet al_api_outlet_socket;

#endif
