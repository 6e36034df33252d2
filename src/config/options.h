/* One option table drives flags, environment and documentation (the config file later): the same name everywhere
 * (--gpu-layers, ALLM_GPU_LAYERS). */
#ifndef AL_CONFIG_OPTIONS_H
#define AL_CONFIG_OPTIONS_H

#include "base/err.h"

#include <stdint.h>

constexpr size_t AL_MAX_MODEL_DIRS = 16;

struct al_config {
  char host[256];        /* 127.0.0.1 */
  int port;              /* 8080; 0: the system picks */
  char unix_socket[108]; /* "": none */
  char models[AL_MAX_MODEL_DIRS]
             [4096]; /* --models, repeatable; default ~/.llm-router/models. A flag replaces the environment's */
  size_t n_models;
  char model_paths[AL_MAX_MODEL_DIRS][4096]; /* --model, repeatable: one file or directory anywhere */
  size_t n_model_paths;
  char builtin_directory[4096]; /* "": found beside the program */
  bool builtin_models;          /* true */
  bool hf_cache;                /* true: also read the Hugging Face cache */
  int n_ctx;                    /* 0: what fits */
  int n_batch;
  int parallel; /* sequences at once per model; 0: 16 */
  int n_threads;
  int n_gpu_layers; /* -1: what fits */
  char quant[16];
  char kv_type[8];      /* "f16" */
  int64_t keep_alive_s; /* idle unload; 0: never */
  int64_t watchdog_s;   /* the worker is replaced when it does not answer for so long; 30 */
  int64_t drain_s;      /* graceful shutdown; 30 */
  int64_t max_body_bytes;
  int64_t max_upload_bytes; /* of a body that goes to disk; 1 GiB */
  char data_dir[4096];      /* what outlives the server; "": $XDG_STATE_HOME/allm or ~/.local/state/allm */
  bool store_responses;     /* true */
  int64_t responses_days;   /* older stored responses are dropped; 30, 0: never */
  int64_t responses_bytes;  /* the oldest are dropped past it; 1 GiB, 0: no limit */
  char tls_cert[4096];
  char tls_key[4096];
  char api_key[256];    /* one static key; "": none */
  bool insecure_public; /* allow a public address without a key */
  char log_level[8];    /* info */
  bool log_json;
};

struct al_option {
  const char *name;    /* "gpu-layers" */
  const char *metavar; /* "N"; nullptr for a switch */
  const char *help;    /* one line */
  enum al_option_kind { AL_OPT_STR, AL_OPT_INT, AL_OPT_INT64, AL_OPT_BOOL, AL_OPT_LIST } kind;
  size_t offset;       /* in struct al_config */
  size_t count_offset; /* of a list's count */
  size_t size;         /* of a string, or of a list's element */
  int64_t least, most;
  bool secret; /* never on a command line made by us */
};
extern const struct al_option al_options[];
extern const size_t al_n_options;

void al_config_defaults(struct al_config *config);
/* ALLM_HOST, ALLM_MODELS (colon-separated), ... AL_INVALID_REQUEST names the variable and what it takes. */
enum al_code al_config_from_env(struct al_config *config, struct al_err *err);
/* Takes options it knows out of argv ("--port 0", "--port=0", "--no-builtin-models" for a switch that is on); leaves
 * the rest and sets *argc. AL_INVALID_REQUEST for a bad value. */
enum al_code al_config_from_args(struct al_config *config, int *argc, char **argv, struct al_err *err);
/* The whole configuration but its secrets as arguments, NULL-terminated; free with al_config_args_free. */
enum al_code al_config_to_args(const struct al_config *config, char ***args, struct al_err *err);
void al_config_args_free(char **args);

#endif
