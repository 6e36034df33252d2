/* What POST /v1/responses and its relatives may ask for. */
#ifndef AL_API_RESPONSE_REQUEST_H
#define AL_API_RESPONSE_REQUEST_H

#include "api/response.h"

struct al_api_response_request { /* what the tables read into; the shared parameters first */
  struct al_api_text_params text;
  const struct al_json *input;
  const struct al_json *tools, *tool_choice, *format, *reasoning;
  struct al_str instructions; /* the text */
  struct al_str instructions_json;
  struct al_str user, safety_identifier, prompt_cache_key; /* as JSON */
  struct al_str previous_id;
  int64_t max_output_tokens, max_tool_calls;
  int top_logprobs;
  bool truncate, includes_logprobs, includes_encrypted;
  bool store, background, has_store;
  bool generate; /* false, on a socket: prepare only */
};

enum al_api_response_way { AL_RESPONSE_HTTP, AL_RESPONSE_SOCKET };

/* Of a body whose values are borrowed. `request` is zeroed but for text. Fails for what this server cannot do. */
enum al_code al_api_response_request_read(const struct al_api *api, const struct al_json *body,
                                          enum al_api_response_way way, struct al_api_response_request *request,
                                          struct al_err *err);
/* Of /v1/responses/input_tokens and /compact: fewer members. */
enum al_code al_api_response_count_read(const struct al_json *body, struct al_api_response_request *request,
                                        struct al_err *err);
enum al_code al_api_response_compact_read(const struct al_json *body, struct al_api_response_request *request,
                                          struct al_err *err);

/* Takes into the response what its object echoes, and the parameters. */
enum al_code al_api_response_take(struct al_api_response *response, const struct al_api_response_request *request,
                                  struct al_err *err);

/* instructions and the messages of the items: what the template sees. */
enum al_code al_api_response_chat(const struct al_api_response_request *request, const struct al_json *items,
                                  struct al_json_doc **chat, struct al_err *err);

#endif
