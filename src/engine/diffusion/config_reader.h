/* Reads one config file: the first failure sticks, so that code which reads many keys checks once. Integers and lists
 * are bounded where they are read; keys that nobody knows are refused by name unless they are null or false. */
#ifndef AL_ENGINE_DIFFUSION_CONFIG_READER_H
#define AL_ENGINE_DIFFUSION_CONFIG_READER_H

#include "codec/json.h"

struct al_config_reader {
  const struct al_json *root; /* borrowed */
  const char *file;           /* borrowed; for errors */
  enum al_code code;
  struct al_err *err;
};

struct al_config_key {
  const char *key;
  const char *must; /* the only value known (a word, a number, "false"); nullptr: read elsewhere, or of no account */
};

/* Every key of the file is in the table and has a value that is known. */
void al_config_reader_check(struct al_config_reader *reader, const struct al_config_key *keys, size_t n_keys);

int al_config_int(struct al_config_reader *reader, const char *key, int least, int most, int otherwise);
double al_config_real(struct al_config_reader *reader, const char *key, double least, double most, double otherwise);
bool al_config_bool(struct al_config_reader *reader, const char *key, bool otherwise);
struct al_str al_config_str(struct al_config_reader *reader, const char *key, const char *otherwise);
/* The index of the key's word in `words` (nullptr ends them). */
int al_config_word(struct al_config_reader *reader, const char *key, const char *const *words, int otherwise);

/* One number for all levels, or a list of exactly `n`. An absent key gives `otherwise`. */
void al_config_ints(struct al_config_reader *reader, const char *key, int *values, int n, int otherwise);

bool al_config_has(const struct al_config_reader *reader, const char *key); /* and is not null */
AL_PRINTF(3, 4) void al_config_fail(struct al_config_reader *reader, enum al_code code, const char *format, ...);

/* Parses a config file. AL_NOT_FOUND when it is absent. */
enum al_code al_config_parse(const char *directory, const char *file, struct al_json_doc **doc, struct al_err *err);

#endif
