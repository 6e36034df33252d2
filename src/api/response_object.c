#include "api/errors.h"
#include "api/response.h"

static const char *const status_names[] = {
  [AL_RESPONSE_IN_PROGRESS] = "in_progress",
  [AL_RESPONSE_COMPLETED] = "completed",
  [AL_RESPONSE_INCOMPLETE] = "incomplete",
  [AL_RESPONSE_FAILED] = "failed",
};

enum al_api_response_status al_api_response_outcome(const struct al_api_response *response)
{
  return response->base.finish == AL_FINISH_LENGTH ? AL_RESPONSE_INCOMPLETE : AL_RESPONSE_COMPLETED;
}

void al_api_response_write_part(struct al_json_writer *w, struct al_str text)
{
  al_jw_object(w);
  al_jw_kv_str(w, "type", "output_text");
  al_jw_kv_str_n(w, "text", text);
  al_jw_key(w, "annotations");
  al_jw_array(w);
  al_jw_end(w);
  al_jw_key(w, "logprobs");
  al_jw_array(w);
  al_jw_end(w);
  al_jw_end(w);
}

void al_api_response_write_item(struct al_json_writer *w, const struct al_api_response *response,
                                enum al_api_response_status status)
{
  al_jw_object(w);
  al_jw_kv_str(w, "id", response->item_id);
  al_jw_kv_str(w, "type", "message");
  al_jw_kv_str(w, "role", "assistant");
  al_jw_kv_str(w, "status", status == AL_RESPONSE_FAILED ? "incomplete" : status_names[status]);
  al_jw_key(w, "content");
  al_jw_array(w);
  if (status != AL_RESPONSE_IN_PROGRESS)
    al_api_response_write_part(w, al_buf_view(&response->base.choices[0].text));
  al_jw_end(w);
  al_jw_end(w);
}

static void kv_json(struct al_json_writer *w, const char *key, struct al_str json)
{
  if (json.size > 0)
    al_jw_kv_raw(w, key, json);
  else
    al_jw_kv_null(w, key);
}

static void kv_count(struct al_json_writer *w, const char *key, int64_t value)
{
  if (value > 0)
    al_jw_kv_int(w, key, value);
  else
    al_jw_kv_null(w, key);
}

static void write_usage(struct al_json_writer *w, const struct al_usage *usage)
{
  al_jw_object(w);
  al_jw_kv_int(w, "input_tokens", usage->n_prompt);
  al_jw_key(w, "input_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "cached_tokens", usage->n_cached);
  al_jw_kv_int(w, "cache_write_tokens", 0); /* nobody is billed for writing the cache here */
  al_jw_end(w);
  al_jw_kv_int(w, "output_tokens", usage->n_completion);
  al_jw_key(w, "output_tokens_details");
  al_jw_object(w);
  al_jw_kv_int(w, "reasoning_tokens", 0);
  al_jw_end(w);
  al_jw_kv_int(w, "total_tokens", (int64_t)usage->n_prompt + usage->n_completion);
  al_jw_end(w);
}

static void write_outcome(struct al_json_writer *w, enum al_api_response_status status, const struct al_err *err)
{
  al_jw_key(w, "error");
  if (status == AL_RESPONSE_FAILED) {
    char message[sizeof err->message];
    al_api_error_message(err, message, sizeof message);
    al_jw_object(w);
    al_jw_kv_str(w, "code", err->code == AL_INVALID_REQUEST ? "invalid_prompt" : "server_error");
    al_jw_kv_str(w, "message", message);
    al_jw_end(w);
  } else {
    al_jw_null(w);
  }
  al_jw_key(w, "incomplete_details");
  if (status == AL_RESPONSE_INCOMPLETE) {
    al_jw_object(w);
    al_jw_kv_str(w, "reason", "max_output_tokens");
    al_jw_end(w);
  } else {
    al_jw_null(w);
  }
}

static void write_output(struct al_json_writer *w, const struct al_api_response *response,
                         enum al_api_response_status status)
{
  bool shows_item = status == AL_RESPONSE_COMPLETED || status == AL_RESPONSE_INCOMPLETE ||
                    (status == AL_RESPONSE_FAILED && response->has_item);
  al_jw_key(w, "output");
  al_jw_array(w);
  if (shows_item)
    al_api_response_write_item(w, response, status);
  al_jw_end(w);
}

/* What the client asked for, or the default that was used in its place. */
static void write_settings(struct al_json_writer *w, const struct al_api_response *response)
{
  const struct al_sampling *sampling = &response->base.sampling;
  al_jw_kv_real(w, "temperature", (double)sampling->temperature);
  al_jw_kv_real(w, "top_p", (double)sampling->top_p);
  al_jw_kv_real(w, "presence_penalty", (double)sampling->presence_penalty);
  al_jw_kv_real(w, "frequency_penalty", (double)sampling->frequency_penalty);
  al_jw_kv_int(w, "top_logprobs", 0);
  kv_count(w, "max_output_tokens", response->max_output_tokens);
  kv_count(w, "max_tool_calls", response->max_tool_calls);
  al_jw_kv_str(w, "truncation", response->truncate ? "auto" : "disabled");
  al_jw_kv_str(w, "tool_choice", "auto");
  al_jw_key(w, "tools");
  al_jw_array(w);
  al_jw_end(w);
  al_jw_kv_bool(w, "parallel_tool_calls", response->parallel_tool_calls);
  al_jw_kv_raw(w, "text", al_str("{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}"));
  al_jw_kv_null(w, "reasoning");
  al_jw_kv_bool(w, "store", false); /* nothing is stored yet */
  al_jw_kv_bool(w, "background", false);
  al_jw_kv_str(w, "service_tier", "default");
  al_jw_kv_null(w, "previous_response_id");
  kv_json(w, "instructions", response->instructions);
  kv_json(w, "user", response->user);
  kv_json(w, "safety_identifier", response->safety_identifier);
  kv_json(w, "prompt_cache_key", response->prompt_cache_key);
  struct al_str metadata = response->base.params.metadata;
  al_jw_kv_raw(w, "metadata", metadata.size > 0 ? metadata : al_str("{}"));
}

void al_api_response_write(struct al_json_writer *w, const struct al_api_response *response,
                           enum al_api_response_status status, const struct al_err *err)
{
  const struct al_api_generation *generation = &response->base;
  al_jw_object(w);
  al_jw_kv_str(w, "id", generation->id);
  al_jw_kv_str(w, "object", "response");
  al_jw_kv_int(w, "created_at", generation->created_s);
  al_jw_kv_str(w, "status", status_names[status]);
  kv_count(w, "completed_at", status == AL_RESPONSE_COMPLETED ? response->completed_s : 0);
  al_jw_kv_str(w, "model", generation->params.model);
  write_outcome(w, status, err);
  write_output(w, response, status);
  al_jw_key(w, "usage");
  if (status == AL_RESPONSE_IN_PROGRESS)
    al_jw_null(w);
  else
    write_usage(w, &generation->usage);
  write_settings(w, response);
  al_jw_end(w);
}
