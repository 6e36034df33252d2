#include "config/options.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define STR(field) AL_OPT_STR, offsetof(struct al_config, field), 0, sizeof((struct al_config){}.field), 0, 0, false
#define INT(field, least, most) AL_OPT_INT, offsetof(struct al_config, field), 0, 0, (least), (most), false
#define I64(field, least, most) AL_OPT_INT64, offsetof(struct al_config, field), 0, 0, (least), (most), false
#define BOOL(field)             AL_OPT_BOOL, offsetof(struct al_config, field), 0, 0, 0, 1, false
#define LIST(field, count)                                                                                             \
  AL_OPT_LIST, offsetof(struct al_config, field), offsetof(struct al_config, count),                                   \
      sizeof((struct al_config){}.field[0]), 0, 0, false

const struct al_option al_options[] = {
  { "host", "HOST", "address to listen on (127.0.0.1)", STR(host) },
  { "port", "PORT", "port to listen on, 0 lets the system pick (8080)", INT(port, 0, 65535) },
  { "unix-socket", "PATH", "listen on this Unix socket too", STR(unix_socket) },
  { "models", "DIR", "models directory, repeatable (~/.llm-router/models)", LIST(models, n_models) },
  { "model", "PATH", "serve this GGUF file or model directory too, repeatable", LIST(model_paths, n_model_paths) },
  { "builtin-models", nullptr, "offer the tiny built-in models (on)", BOOL(builtin_models) },
  { "builtin-directory", "DIR", "where the built-in models are (beside the program)", STR(builtin_directory) },
  { "hf-cache", nullptr, "offer what is in the Hugging Face cache (on)", BOOL(hf_cache) },
  { "ctx", "N", "context in tokens, shared by a model's requests (what fits)", INT(n_ctx, 0, 1 << 24) },
  { "batch", "N", "most tokens in one step (512)", INT(n_batch, 0, 1 << 16) },
  { "parallel", "N", "requests a model runs at once (16)", INT(parallel, 0, 256) },
  { "threads", "N", "computing threads (the usable cores)", INT(n_threads, 0, 1024) },
  { "gpu-layers", "N", "layers on the GPU, -1: what fits (-1)", INT(n_gpu_layers, -1, 100000) },
  { "quant", "TYPE", "quantise safetensors at load: q8_0, q6_k, q4_k, q4_0", STR(quant) },
  { "kv-type", "TYPE", "type of the KV cache: f16, f32, q8_0 (f16)", STR(kv_type) },
  { "keep-alive", "S", "unload a model idle for so many seconds, 0: never (0)", I64(keep_alive_s, 0, INT32_MAX) },
  { "watchdog", "S", "replace a worker that does not answer for so long (30)", I64(watchdog_s, 1, INT32_MAX) },
  { "drain", "S", "seconds that running requests get at shutdown (30)", I64(drain_s, 0, INT32_MAX) },
  { "max-body", "BYTES", "largest request body (16777216)", I64(max_body_bytes, 1024, INT64_C(1) << 40) },
  { "max-upload", "BYTES", "largest upload, of sound for one (1073741824)",
    I64(max_upload_bytes, 1024, INT64_C(1) << 40) },
  { "data-dir", "DIR", "where stored responses are kept ($XDG_STATE_HOME/allm)", STR(data_dir) },
  { "store-responses", nullptr, "keep responses for /v1/responses/{id} (on)", BOOL(store_responses) },
  { "responses-days", "N", "drop stored responses after so many days, 0: never (30)", I64(responses_days, 0, 36500) },
  { "responses-bytes", "BYTES", "drop the oldest past so many bytes, 0: no limit (1073741824)",
    I64(responses_bytes, 0, INT64_C(1) << 50) },
  { "tls-cert", "FILE", "PEM certificate chain: serve HTTPS", STR(tls_cert) },
  { "tls-key", "FILE", "PEM private key", STR(tls_key) },
  { "api-key", "KEY", "require this key (better as ALLM_API_KEY)", AL_OPT_STR, offsetof(struct al_config, api_key), 0,
    sizeof((struct al_config){}.api_key), 0, 0, true },
  { "insecure-public", nullptr, "allow a public address without a key (off)", BOOL(insecure_public) },
  { "log-level", "LEVEL", "debug, info, warn or error (info)", STR(log_level) },
  { "log-json", nullptr, "log JSON lines (off)", BOOL(log_json) },
};
const size_t al_n_options = AL_COUNT(al_options);

void al_config_defaults(struct al_config *config)
{
  *config = (struct al_config){
    .host = "127.0.0.1",
    .port = 8080,
    .models = { "~/.llm-router/models" },
    .n_models = 1,
    .builtin_models = true,
    .hf_cache = true,
    .n_gpu_layers = -1,
    .kv_type = "f16",
    .watchdog_s = 30,
    .drain_s = 30,
    .max_body_bytes = 16 << 20,
    .max_upload_bytes = INT64_C(1) << 30,
    .store_responses = true,
    .responses_days = 30,
    .responses_bytes = INT64_C(1) << 30,
    .log_level = "info",
  };
}

static void *field_of(struct al_config *config, size_t offset)
{
  return (char *)config + offset;
}

static enum al_code set_string(const struct al_option *option, char *field, const char *value, const char *origin,
                               struct al_err *err)
{
  size_t length = strlen(value);
  if (length >= option->size)
    return al_fail_param(err, option->name, "%s: longer than %zu bytes", origin, option->size - 1);
  memcpy(field, value, length + 1);
  return AL_OK;
}

static enum al_code set_number(const struct al_option *option, void *field, const char *value, const char *origin,
                               struct al_err *err)
{
  char *end = nullptr;
  errno = 0;
  long long number = strtoll(value, &end, 10);
  if (errno != 0 || end == value || *end != '\0' || number < option->least || number > option->most)
    return al_fail_param(err, option->name, "%s: \"%.40s\" is no whole number from %lld to %lld", origin, value,
                         (long long)option->least, (long long)option->most);
  if (option->kind == AL_OPT_INT)
    *(int *)field = (int)number;
  else
    *(int64_t *)field = number;
  return AL_OK;
}

static enum al_code set_bool(const struct al_option *option, bool *field, const char *value, const char *origin,
                             struct al_err *err)
{
  static const char *const yes[] = { "1", "true", "on", "yes" };
  static const char *const no[] = { "0", "false", "off", "no" };
  for (size_t i = 0; i < AL_COUNT(yes); i++) {
    if (al_streq(value, yes[i]) || al_streq(value, no[i])) {
      *field = al_streq(value, yes[i]);
      return AL_OK;
    }
  }
  return al_fail_param(err, option->name, "%s: \"%.40s\" is neither true nor false", origin, value);
}

static enum al_code add_to_list(struct al_config *config, const struct al_option *option, const char *value,
                                const char *origin, struct al_err *err)
{
  size_t *count = field_of(config, option->count_offset);
  if (*count == AL_MAX_MODEL_DIRS)
    return al_fail_param(err, option->name, "%s: more than %zu", origin, AL_MAX_MODEL_DIRS);
  char *element = (char *)field_of(config, option->offset) + *count * option->size;
  AL_TRY(set_string(option, element, value, origin, err));
  ++*count;
  return AL_OK;
}

static enum al_code set(struct al_config *config, const struct al_option *option, const char *value, const char *origin,
                        struct al_err *err)
{
  void *field = field_of(config, option->offset);
  switch (option->kind) {
  case AL_OPT_STR: return set_string(option, field, value, origin, err);
  case AL_OPT_INT:
  case AL_OPT_INT64: return set_number(option, field, value, origin, err);
  case AL_OPT_BOOL: return set_bool(option, field, value, origin, err);
  case AL_OPT_LIST: return add_to_list(config, option, value, origin, err);
  }
  return al_fail(err, AL_INTERNAL, "option %s has no kind", option->name);
}

static void environment_name(const struct al_option *option, char *name, size_t size)
{
  (void)snprintf(name, size, "ALLM_%s", option->name);
  for (char *p = name; *p != '\0'; p++) {
    if (*p == '-')
      *p = '_';
    else if (*p >= 'a' && *p <= 'z')
      *p = (char)(*p - 'a' + 'A');
  }
}

static enum al_code set_list_from_env(struct al_config *config, const struct al_option *option, const char *value,
                                      const char *name, struct al_err *err)
{
  *(size_t *)field_of(config, option->count_offset) = 0;
  while (*value != '\0') {
    size_t length = strcspn(value, ":");
    char element[4096];
    if (length >= sizeof element)
      return al_fail_param(err, option->name, "%s: a path is longer than %zu bytes", name, sizeof element - 1);
    memcpy(element, value, length);
    element[length] = '\0';
    if (length > 0)
      AL_TRY(add_to_list(config, option, element, name, err));
    value += length + (value[length] == ':');
  }
  return AL_OK;
}

enum al_code al_config_from_env(struct al_config *config, struct al_err *err)
{
  for (size_t i = 0; i < al_n_options; i++) {
    const struct al_option *option = &al_options[i];
    char name[64];
    environment_name(option, name, sizeof name);
    const char *value = getenv(name);
    if (value == nullptr || *value == '\0')
      continue;
    if (option->kind == AL_OPT_LIST)
      AL_TRY(set_list_from_env(config, option, value, name, err));
    else
      AL_TRY(set(config, option, value, name, err));
  }
  return AL_OK;
}

/* Finds the option that "--name", "--name=value" or "--no-name" stands for; nullptr when it is none of ours. */
static const struct al_option *find(const char *argument, const char **value, bool *negated)
{
  if (strncmp(argument, "--", 2) != 0)
    return nullptr;
  const char *name = argument + 2;
  size_t length = strcspn(name, "=");
  *value = name[length] == '=' ? name + length + 1 : nullptr;
  for (size_t i = 0; i < al_n_options; i++) {
    const struct al_option *option = &al_options[i];
    size_t own = strlen(option->name);
    *negated = option->kind == AL_OPT_BOOL && length == own + 3 && strncmp(name, "no-", 3) == 0 &&
               strncmp(name + 3, option->name, own) == 0;
    if (*negated || (length == own && strncmp(name, option->name, own) == 0))
      return option;
  }
  return nullptr;
}

/* Takes one option at argv[at]; *taken is how many arguments it used, 0 when it is not ours. */
static enum al_code take_argument(struct al_config *config, int argc, char **argv, int at, bool *replaced, int *taken,
                                  struct al_err *err)
{
  const char *value = nullptr;
  bool negated = false;
  const struct al_option *option = find(argv[at], &value, &negated);
  *taken = option != nullptr;
  if (option == nullptr)
    return AL_OK;
  char origin[80];
  (void)snprintf(origin, sizeof origin, "--%s", option->name);
  if (option->kind == AL_OPT_BOOL && value == nullptr)
    return set(config, option, negated ? "false" : "true", origin, err);
  if (negated)
    return al_fail_param(err, option->name, "--no-%s takes no value", option->name);
  if (value == nullptr) {
    if (at + 1 >= argc)
      return al_fail_param(err, option->name, "%s needs a value (%s)", origin, option->metavar);
    value = argv[at + 1];
    *taken = 2;
  }
  size_t index = (size_t)(option - al_options);
  if (option->kind == AL_OPT_LIST && !replaced[index]) {
    *(size_t *)field_of(config, option->count_offset) = 0;
    replaced[index] = true;
  }
  return set(config, option, value, origin, err);
}

enum al_code al_config_from_args(struct al_config *config, int *argc, char **argv, struct al_err *err)
{
  bool replaced[AL_COUNT(al_options)] = {};
  int kept = 0;
  for (int at = 0; at < *argc;) {
    if (strcmp(argv[at], "--") == 0) {
      while (at < *argc)
        argv[kept++] = argv[at++];
      break;
    }
    int taken = 0;
    AL_TRY(take_argument(config, *argc, argv, at, replaced, &taken, err));
    if (taken == 0)
      argv[kept++] = argv[at++];
    else
      at += taken;
  }
  *argc = kept;
  return AL_OK;
}

struct arguments {
  char **items;
  size_t count;
  size_t capacity;
};

static enum al_code push(struct arguments *arguments, struct al_buf *text, struct al_err *err)
{
  void *items = arguments->items;
  AL_TRY(al_grow(&items, &arguments->capacity, arguments->count + 2, sizeof *arguments->items, err));
  arguments->items = items;
  char *argument = al_buf_take(text, nullptr);
  if (argument == nullptr)
    return al_fail_oom(err, text->size);
  arguments->items[arguments->count++] = argument;
  arguments->items[arguments->count] = nullptr;
  return AL_OK;
}

static enum al_code push_option(struct arguments *arguments, struct al_config *config, const struct al_option *option,
                                struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  const void *field = field_of(config, option->offset);
  size_t n_values = option->kind == AL_OPT_LIST ? *(size_t *)field_of(config, option->count_offset) : 1;
  for (size_t i = 0; i < n_values; i++) {
    al_buf_printf(&text, "--%s=", option->name);
    switch (option->kind) {
    case AL_OPT_STR: al_buf_str(&text, field); break;
    case AL_OPT_INT: al_buf_printf(&text, "%d", *(const int *)field); break;
    case AL_OPT_INT64: al_buf_printf(&text, "%lld", (long long)*(const int64_t *)field); break;
    case AL_OPT_BOOL: al_buf_str(&text, *(const bool *)field ? "true" : "false"); break;
    case AL_OPT_LIST: al_buf_str(&text, (const char *)field + i * option->size); break;
    }
    AL_TRY(push(arguments, &text, err));
  }
  return AL_OK;
}

enum al_code al_config_to_args(const struct al_config *config, char ***args, struct al_err *err)
{
  struct arguments arguments = {};
  AL_CLEANUP(al_free_p) struct al_config *copy = al_alloc(sizeof *copy);
  if (copy == nullptr)
    return al_fail_oom(err, sizeof *copy);
  *copy = *config;
  for (size_t i = 0; i < al_n_options; i++) {
    if (al_options[i].secret)
      continue;
    enum al_code code = push_option(&arguments, copy, &al_options[i], err);
    if (code != AL_OK) {
      al_config_args_free(arguments.items);
      return code;
    }
  }
  *args = arguments.items;
  return AL_OK;
}

void al_config_args_free(char **args)
{
  for (size_t i = 0; args != nullptr && args[i] != nullptr; i++)
    al_free(args[i]);
  al_free(args);
}
