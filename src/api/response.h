/* One answer of the Responses API: the object and its streaming events. */
#ifndef AL_API_RESPONSE_H
#define AL_API_RESPONSE_H

#include "api/generation.h"

enum al_api_response_status {
  AL_RESPONSE_IN_PROGRESS,
  AL_RESPONSE_COMPLETED,
  AL_RESPONSE_INCOMPLETE, /* max_output_tokens or the context was reached */
  AL_RESPONSE_FAILED,
};

struct al_api_response {
  struct al_api_generation base; /* first */
  /* Echoed from the request, as JSON in the arena; size 0 is null. */
  struct al_str instructions;
  struct al_str user;
  struct al_str safety_identifier;
  struct al_str prompt_cache_key;
  int64_t max_output_tokens; /* 0: none */
  int64_t max_tool_calls;    /* 0: none */
  bool truncate;             /* truncation: "auto" */
  bool parallel_tool_calls;

  char item_id[64]; /* of the one message in the output */
  bool has_item;    /* streamed: its opening events have gone out */
  int64_t n_events; /* sent; the next sequence_number */
  int64_t completed_s;
};

/* The whole object, every key always there. `err` for AL_RESPONSE_FAILED. */
void al_api_response_write(struct al_json_writer *w, const struct al_api_response *response,
                           enum al_api_response_status status, const struct al_err *err);
/* The message item; its text is what has been generated so far, or nothing while in progress. */
void al_api_response_write_item(struct al_json_writer *w, const struct al_api_response *response,
                                enum al_api_response_status status);
/* The output_text part. */
void al_api_response_write_part(struct al_json_writer *w, struct al_str text);
enum al_api_response_status al_api_response_outcome(const struct al_api_response *response);

/* The streamed slots of al_api_generation_ops. */
void al_api_response_started(struct al_api_generation *generation);
void al_api_response_event(struct al_api_generation *generation, const struct al_text_event *event);
void al_api_response_finished(struct al_api_generation *generation);
void al_api_response_failed(struct al_api_generation *generation, const struct al_err *err);

#endif
