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

/* The streamed slots run only for streams, once the stream has begun. */
struct al_api_generation_ops {
  const char *id_prefix;   /* "chatcmpl-" */
  const char *call_prefix; /* of the ids of tool calls; nullptr: "call_" */
  const char *stream_type; /* over HTTP; nullptr: "text/event-stream" */
  /* over HTTP: answers with an error before a stream began; nullptr: al_api_reply_err */
  void (*reply_err)(struct al_http_exchange *exchange, const struct al_err *err);
  bool keeps_answer;                                     /* a stream needs its whole choices at the end, too */
  void (*started)(struct al_api_generation *generation); /* streamed: opening events */
  /* streamed: PROMPT, DELTA, REASONING, CALL_*, CHOICE_DONE, after the choices have taken it in */
  void (*event)(struct al_api_generation *generation, const struct al_text_event *event);
  void (*finished)(struct al_api_generation *generation);                         /* streamed: closing events */
  void (*failed)(struct al_api_generation *generation, const struct al_err *err); /* streamed: it broke in the middle */
  void (*print)(struct al_api_generation *generation, struct al_buf *out);        /* not streamed: the whole answer */
  /* An event's tokens, appended to choice->logprobs; nullptr: al_api_logprobs_write's form, of DELTA alone. */
  void (*take_tokens)(struct al_api_generation *generation, const struct al_text_event *event);
  void (*done)(struct al_api_generation *generation); /* frees what the endpoint's own struct has; nullptr: nothing */
};

/* Where the answer goes. HTTP is one; a WebSocket and the background (nowhere but the store) are the Responses API's.
 */
struct al_api_outlet {
  void (*begin)(struct al_api_generation *generation);                          /* a stream begins */
  bool (*send)(struct al_api_generation *generation, struct al_str bytes);      /* false: nobody reads any more */
  void (*end)(struct al_api_generation *generation);                            /* of the stream */
  void (*reply)(struct al_api_generation *generation, struct al_str body);      /* the whole answer */
  void (*fail)(struct al_api_generation *generation, const struct al_err *err); /* before a stream began */
};
extern const struct al_api_outlet al_api_outlet_http;

struct al_api_call {
  char id[40];
  const char *name;        /* in the arena */
  struct al_buf arguments; /* JSON text */
  bool is_complete;
};

/* One answer, gathered while it comes. Streams without keeps_answer have the calls' ids and names alone, and the end.
 */
struct al_api_choice {
  struct al_buf text;
  struct al_buf reasoning;
  struct al_api_call *calls; /* owned */
  size_t n_calls, calls_capacity;
  struct al_buf logprobs; /* elements of a JSON array without its brackets, in the endpoint's form; see logprobs.h */
  enum al_finish finish;
  const char *stop; /* in the arena; nullptr: none */
  bool is_done;
};

struct al_api_generation {
  const struct al_api_generation_ops *ops;
  const struct al_api_outlet *outlet; /* al_api_outlet_http unless the endpoint puts another in before submitting */
  void *outlet_state;                 /* the outlet's own */
  struct al_api *api;                 /* borrowed */
  struct al_http_exchange *exchange;  /* a reference; nullptr in the background */
  struct al_cancel *cancel;           /* a reference: the exchange's own, or one made for the background */
  struct al_arena *arena;             /* owned; holds this struct as well */
  struct al_api_text_params params;   /* what it points to in the body is gone once it has been submitted */
  char id[64];
  int64_t created_s;
  struct al_api_choice *choices; /* [n_choices] */
  size_t n_choices;
  size_t n_echoed; /* bytes of a prompt at the beginning of every choice's text */
  int64_t started_ns;
  struct al_buf out;           /* scratch: the event or body being written */
  struct al_sampling sampling; /* in effect, from STARTED on */
  struct al_usage usage;       /* valid at the end; n_prompt from STARTED on */
  enum al_finish finish;       /* of choice 0 */
  double prompt_ms, predicted_ms;
  int64_t first_token_ns; /* 0: none yet */
  bool is_streaming;      /* the stream has begun */
  bool is_gone;           /* the client does not read any more */
  bool is_broken;         /* an event could not be written (memory): the stream must not look complete */
};

/* An endpoint's own struct begins with struct al_api_generation and has `size` bytes, zeroed. `exchange` may be nullptr
 * (then the outlet must not be HTTP's). */
enum al_code al_api_generation_new(struct al_http_exchange *exchange, struct al_api *api, size_t size,
                                   const struct al_api_generation_ops *ops, struct al_api_generation **generation,
                                   struct al_err *err);
void al_api_generation_free(struct al_api_generation *generation); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_api_generation, al_api_generation_free)

/* Takes params into the request. On AL_OK the generation is the events' and must not be touched any more. `chat`
 * nullptr: params.prompt or params.tokens. */
enum al_code al_api_generation_submit(struct al_api_generation *generation, const struct al_json *chat,
                                      bool truncate_prompt, struct al_err *err);

/* Sends generation->out as one write and empties it. */
void al_api_generation_send(struct al_api_generation *generation);

/* Writes "usage": {...} as Chat Completions and Completions have it. */
void al_api_usage_write(struct al_json_writer *w, const struct al_usage *usage);

/* prefix plus 24 random hexadecimal digits, cut to fit. */
void al_api_make_id(char *out, size_t size, const char *prefix);

#endif
