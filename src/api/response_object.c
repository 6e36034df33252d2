#include "api/errors.h"
#include "api/response.h"

const char *al_api_response_status_name(enum al_api_response_status status)
{
  static const char *const names[] = {
    [AL_RESPONSE_QUEUED] = "queued",       [AL_RESPONSE_IN_PROGRESS] = "in_progress",
    [AL_RESPONSE_COMPLETED] = "completed", [AL_RESPONSE_INCOMPLETE] = "incomplete",
    [AL_RESPONSE_FAILED] = "failed",       [AL_RESPONSE_CANCELLED] = "cancelled",
  };
  return names[status];
}

/* The request's own JSON, or what its absence means. */
static void kv_or(struct al_json_writer *w, const char *key, struct al_str json, const char *otherwise)
{
  al_jw_kv_raw(w, key, json.size > 0 ? json : al_str(otherwise));
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
  al_jw_kv_int(w, "reasoning_tokens", usage->n_reasoning);
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

static bool is_begun(enum al_api_response_status status)
{
  return status != AL_RESPONSE_QUEUED && status != AL_RESPONSE_IN_PROGRESS;
}

/* Items that are still open when it ends (it failed) are as far as they have come. */
static void write_output(struct al_json_writer *w, const struct al_api_response *response,
                         enum al_api_response_status status)
{
  al_jw_key(w, "output");
  al_jw_array(w);
  for (size_t i = 0; i < response->n_items && is_begun(status); i++) {
    struct al_api_response_item item = response->items[i];
    item.is_incomplete |= item.is_open;
    item.is_open = false;
    al_api_response_write_item(w, response, &item);
  }
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
  al_jw_kv_int(w, "top_logprobs", response->top_logprobs);
  kv_count(w, "max_output_tokens", response->max_output_tokens);
  kv_count(w, "max_tool_calls", response->max_tool_calls);
  al_jw_kv_str(w, "truncation", response->truncate ? "auto" : "disabled");
  kv_or(w, "tool_choice", response->tool_choice, "\"auto\"");
  kv_or(w, "tools", response->tools, "[]");
  al_jw_kv_bool(w, "parallel_tool_calls", response->base.params.parallel_tool_calls);
  al_jw_key(w, "text");
  al_jw_object(w);
  kv_or(w, "format", response->format, "{\"type\":\"text\"}");
  al_jw_kv_str(w, "verbosity", "medium");
  al_jw_end(w);
  kv_or(w, "reasoning", response->reasoning, "null");
  al_jw_kv_bool(w, "store", response->is_stored);
  al_jw_kv_bool(w, "background", response->is_background);
  al_jw_kv_str(w, "service_tier", "default");
  if (response->previous_id.size > 0)
    al_jw_kv_str_n(w, "previous_response_id", response->previous_id);
  else
    al_jw_kv_null(w, "previous_response_id");
  kv_or(w, "instructions", response->instructions, "null");
  kv_or(w, "user", response->user, "null");
  kv_or(w, "safety_identifier", response->safety_identifier, "null");
  kv_or(w, "prompt_cache_key", response->prompt_cache_key, "null");
  kv_or(w, "metadata", response->base.params.metadata, "{}");
}

void al_api_response_write(struct al_json_writer *w, const struct al_api_response *response,
                           enum al_api_response_status status, const struct al_err *err)
{
  const struct al_api_generation *generation = &response->base;
  al_jw_object(w);
  al_jw_kv_str(w, "id", generation->id);
  al_jw_kv_str(w, "object", "response");
  al_jw_kv_int(w, "created_at", generation->created_s);
  al_jw_kv_str(w, "status", al_api_response_status_name(status));
  kv_count(w, "completed_at", status == AL_RESPONSE_COMPLETED ? response->completed_s : 0);
  al_jw_kv_str(w, "model", generation->params.model);
  write_outcome(w, status, err);
  write_output(w, response, status);
  al_jw_key(w, "usage");
  if (is_begun(status))
    write_usage(w, &generation->usage);
  else
    al_jw_null(w);
  write_settings(w, response);
  al_jw_end(w);
}
