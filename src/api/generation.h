/* One text generation on behalf of a request: submits it, and turns the engine's events into an answer, streamed or
 * whole. What the answer looks like is the endpoint's, behind `struct al_api_generation_ops`.
 *
 * Owner: the handler until al_api_generation_submit returns AL_OK, then the events, the last of which frees it. Events
 * come one after another, so nothing here is locked. Everything lives in one arena plus two buffers. */
#ifndef AL_API_GENERATION_H
#define AL_API_GENERATION_H

#include "api/context.h"
#include "api/text_params.h"

struct al_api_generation;

/* The streamed slots run only for streams, once the headers have gone out. */
struct al_api_generation_ops {
  const char *id_prefix;                                 /* "chatcmpl-" */
  bool keeps_text;                                       /* a stream needs its whole text at the end, too */
  void (*started)(struct al_api_generation *generation); /* streamed: opening events */
  void (*delta)(struct al_api_generation *generation, struct al_str text);        /* streamed */
  void (*finished)(struct al_api_generation *generation);                         /* streamed: closing events */
  void (*failed)(struct al_api_generation *generation, const struct al_err *err); /* streamed: it broke in the middle */
  void (*print)(struct al_api_generation *generation, struct al_buf *out);        /* not streamed: the whole answer */
};

struct al_api_generation {
  const struct al_api_generation_ops *ops;
  struct al_api *api;                /* borrowed */
  struct al_http_exchange *exchange; /* a reference */
  struct al_arena *arena;            /* owned; holds this struct as well */
  struct al_api_text_params params;  /* what it points to in the body is gone once it has been submitted */
  char id[64];
  int64_t created_s;
  struct al_buf text;          /* of the answer so far; streams only with keeps_text */
  struct al_buf out;           /* scratch: the event or body being written */
  struct al_sampling sampling; /* in effect, from STARTED on */
  struct al_usage usage;       /* valid at the end; n_prompt from STARTED on */
  enum al_finish finish;
  double prompt_ms, predicted_ms;
  int64_t first_token_ns; /* 0: none yet */
  bool is_streaming;      /* the headers have gone out */
  bool is_gone;           /* the client does not read any more */
  bool is_broken;         /* an event could not be written (memory): the stream must not look complete */
};

/* An endpoint's own struct begins with struct al_api_generation and has `size` bytes, zeroed. */
enum al_code al_api_generation_new(struct al_http_exchange *exchange, struct al_api *api, size_t size,
                                   const struct al_api_generation_ops *ops, struct al_api_generation **generation,
                                   struct al_err *err);
void al_api_generation_free(struct al_api_generation *generation); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_api_generation, al_api_generation_free)

/* On AL_OK the generation is the events' and must not be touched any more. */
enum al_code al_api_generation_submit(struct al_api_generation *generation, const struct al_json *chat,
                                      bool truncate_prompt, struct al_err *err);

/* Sends generation->out as one write and empties it. */
void al_api_generation_send(struct al_api_generation *generation);

/* prefix plus 24 random hexadecimal digits, cut to fit. */
void al_api_make_id(char *out, size_t size, const char *prefix);

#endif
