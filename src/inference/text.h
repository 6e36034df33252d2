/* Text generation: the request, and the events that answer it. Part of inference.h. */
#ifndef AL_INFERENCE_TEXT_H
#define AL_INFERENCE_TEXT_H

#include "base/cancel.h"
#include "base/err.h"
#include "codec/json.h"
#include "sched/sampling.h"
#include "text/syntax.h"

struct al_inference;

enum al_finish { AL_FINISH_STOP, AL_FINISH_LENGTH, AL_FINISH_TOOL_CALLS, AL_FINISH_CANCELLED, AL_FINISH_ERROR };

struct al_usage { /* tokens, of all choices together */
  int n_prompt;
  int n_cached; /* of the prompt, taken from a prefix computed before */
  int n_completion;
  int n_reasoning; /* of the completion */
};

enum al_text_event_kind {
  AL_TEXT_STARTED,     /* the prompt has been accepted and counted; usage.n_prompt and `sampling` are valid */
  AL_TEXT_PROMPT,      /* with prompt_logprobs: `text` and `tokens` of the prompt, once, before any DELTA */
  AL_TEXT_DELTA,       /* `text` of the answer: complete UTF-8, free of any stop string; empty only with `tokens` */
  AL_TEXT_REASONING,   /* `text` is reasoning; otherwise like DELTA */
  AL_TEXT_CALL_BEGIN,  /* a tool call: `text` is the function's name, `call` its index in the choice from 0 */
  AL_TEXT_CALL_DELTA,  /* `text` is a piece of the arguments' JSON */
  AL_TEXT_CALL_END,    /* is_complete: the arguments are a whole JSON object */
  AL_TEXT_CHOICE_DONE, /* one of the n answers has ended: `finish`, `stop`, its own n_completion and n_reasoning */
  AL_TEXT_DONE,        /* last: all have ended; `usage` of all, `finish` and `stop` of the last one */
  AL_TEXT_FAILED,      /* last: `err` says why */
};

struct al_text_logprob { /* natural logarithm, before any sampler */
  int32_t token;
  struct al_str bytes; /* of the token; control tokens give their text */
  float logprob;       /* NaN: unknown (the first token of a prompt) */
};

struct al_text_token {
  struct al_text_logprob chosen;
  const struct al_text_logprob *top; /* best first */
  size_t n_top;
};

struct al_text_event {
  enum al_text_event_kind kind;
  int choice; /* 0 .. n-1 */
  struct al_str text;
  int call;
  bool is_complete;
  const struct al_text_token *tokens; /* with logprobs: the tokens that this event's text ends with or contains and
                                         that no earlier event had; each token is reported exactly once */
  size_t n_tokens;
  enum al_finish finish;
  const char *stop;
  struct al_usage usage;
  const struct al_err *err;
  const struct al_sampling
      *sampling;                  /* with STARTED: what is in effect, the model's defaults filled in; may be nullptr */
  double prompt_ms, predicted_ms; /* with DONE: time spent on each part */
};

/* One after another for a request, from one internal thread at a time (never the submitter's stack unless submit
 * itself fails, which calls nothing). `event` is borrowed. DONE or FAILED comes exactly once, last. Must not block. */
typedef void al_text_event_fn(void *user, const struct al_text_event *event);

enum al_text_format { /* of the answer, reasoning and tool calls aside; held by a grammar, validated at the end */
                      AL_FORMAT_TEXT,
                      AL_FORMAT_JSON_OBJECT,
                      AL_FORMAT_JSON_SCHEMA, /* request->schema */
                      AL_FORMAT_GRAMMAR,     /* request->grammar, GBNF with the start symbol "root" */
};

struct al_lora_request {
  const char *model; /* id of an adapter in the store */
  float scale;
};

struct al_token_span {
  const int32_t *ids;
  size_t count;
};

struct al_text_request {
  const char *model;
  /* Chat: {"messages":[...], "tools":[...]?, ...}: the variables of the chat template besides the model's own
   * (bos_token, eos_token, add_generation_prompt). Messages are in Hugging Face's form: role, content (a string),
   * reasoning_content, tool_calls with the arguments as objects. Borrowed for the call: submit copies. */
  const struct al_json *chat;
  struct al_str prompt;        /* when chat is nullptr: text as it is, special tokens parsed, BOS as the model wants */
  struct al_token_span tokens; /* when not empty instead of `prompt`: as they are, nothing added */
  struct al_str suffix; /* with `prompt`, data not nullptr: fill in the middle; AL_UNSUPPORTED without FIM tokens */
  struct al_sampling sampling; /* choice i uses seed + i */
  int64_t max_tokens;          /* of each choice; 0: until the context is full; -1: none, the prompt is read and that is
                                  all (finish LENGTH) */
  int n;                       /* choices; 0: 1 */
  int logprobs;                /* 0: none; k > 0: of the chosen token and the k-1 most probable */
  bool prompt_logprobs;        /* the prompt's as well, and its text (echo) */
  const char *const *stop;     /* copied */
  size_t n_stop;
  bool ignore_eos;
  bool truncate_prompt; /* drop the oldest messages after the system prompt instead of context_length_exceeded */
  /* chat only; tools stand in `chat` */
  enum al_tool_choice tool_choice;
  const char *tool_function; /* with AL_TOOL_FUNCTION */
  bool parallel_tool_calls;
  bool keeps_reasoning; /* reasoning stays in the answer, as the model writes it */
  enum al_text_format format;
  const struct al_json *schema;       /* copied */
  const char *format_path;            /* how errors name the schema or grammar: "response_format.json_schema.schema" */
  struct al_str grammar;              /* copied */
  const struct al_lora_request *lora; /* copied */
  size_t n_lora;
  struct al_cancel *cancel; /* a reference is taken; may be nullptr */
  al_text_event_fn *on_event;
  void *user;
};

/* AL_OK: events will come. Otherwise nothing was started: AL_NOT_FOUND (reason "model_not_found"), AL_UNSUPPORTED
 * (not a chat model, quarantined, ...), AL_OOM_RAM with reason "overloaded" (the queue is full). Later failures
 * (LOAD_FAILED, OOM, context_length_exceeded with both counts) come as AL_TEXT_FAILED. */
enum al_code al_inference_text(struct al_inference *inference, const struct al_text_request *request,
                               struct al_err *err);

#endif
