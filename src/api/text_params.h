/* The parameters that every text endpoint shares: model, sampling, limits, metadata. An endpoint's own request embeds
 * this struct FIRST, so that one target pointer serves the shared table and its own. */
#ifndef AL_API_TEXT_PARAMS_H
#define AL_API_TEXT_PARAMS_H

#include "api/params.h"
#include "inference/inference.h"

constexpr int AL_API_MAX_CHOICES = 128;
constexpr int AL_API_MAX_TOP_LOGPROBS = 20;

struct al_api_text_params {
  struct al_arena *arena; /* borrowed: what is kept is copied into it */
  const char *model;      /* nullptr while absent */
  struct al_sampling sampling;
  int64_t max_tokens; /* 0: no limit asked for */
  int n;              /* choices; 0: 1 */
  int logprobs;       /* as in al_text_request */
  const char **stop;
  size_t n_stop;
  bool ignore_eos;
  bool stream;
  bool include_usage;
  struct al_str metadata; /* as JSON; size 0 when absent */

  /* Of a prompt without a conversation; borrowed. */
  struct al_str prompt, suffix;
  struct al_token_span tokens;
  bool prompt_logprobs;

  /* Of a conversation. */
  struct al_str tools; /* a JSON array in Chat Completions' form, of functions alone; size 0: none */
  enum al_tool_choice tool_choice;
  const char *tool_function;
  bool parallel_tool_calls; /* true unless the request says otherwise */
  bool keeps_reasoning;
  const char *reasoning_effort;          /* the template's variable; nullptr: not given */
  bool sets_thinking, thinks;            /* the template's enable_thinking, unless template_kwargs has it */
  const struct al_json *template_kwargs; /* an object, or nullptr; borrowed from the body */

  enum al_text_format format;
  const struct al_json *schema; /* borrowed from the body */
  const char *format_path;
  struct al_str grammar; /* borrowed from the body */
  struct al_lora_request *lora;
  size_t n_lora;
};

extern const struct al_api_param_table al_api_text_table;

void al_api_text_params_init(struct al_api_text_params *params, struct al_arena *arena);
/* What can only be said once everything has been read: the model is there, stream_options belongs to a stream. */
enum al_code al_api_text_params_check(const struct al_api_text_params *params, const struct al_json *body,
                                      struct al_err *err);

/* Copies a model's name: 1 to 512 bytes, no control bytes, no part that is empty, "." or "..". */
enum al_code al_api_model_name(struct al_arena *arena, struct al_str name, const char **copy, struct al_err *err);
/* For the tables of /load and /unload as well: reads into `const char *`; the target begins with its arena pointer. */
al_api_param_fn al_api_read_model;
/* The target begins with struct al_api_text_params. */
al_api_param_fn al_api_read_seed;
al_api_param_fn al_api_read_stop; /* a string or strings */

/* Table readers of what conversations share. */
al_api_param_fn al_api_read_lora;             /* lora.c */
al_api_param_fn al_api_read_reasoning_effort; /* a word for the template, and enable_thinking: "none" is false */

/* {"messages": [...], "tools"?, "reasoning_effort"?, "enable_thinking"?, <chat_template_kwargs>}: what the chat
 * template sees. The messages are written between the two. */
void al_api_chat_begin(struct al_json_writer *w);
enum al_code al_api_chat_end(struct al_json_writer *w, const struct al_api_text_params *params,
                             struct al_json_doc **chat, struct al_err *err);

/* The JSON text of a value, copied into the arena. */
enum al_code al_api_json_copy(struct al_arena *arena, const struct al_json *value, struct al_str *copy,
                              struct al_err *err);

#endif
