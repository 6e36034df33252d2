#include "engine/espeak/voices.h"

#include "base/alloc.h"
#include "engine/espeak/library.h"

#include <stdlib.h>
#include <strings.h>

constexpr size_t MAX_VOICES = 1000;
constexpr size_t MAX_NAME_BYTES = 100;

struct voice {
  char *id, *name, *language;
  char *file;         /* what the library calls it: "gmw/en-US"; of a variant "f3" */
  char *languages[8]; /* other languages that it speaks; nullptr after the last */
  const char *gender; /* static */
};

struct list {
  struct voice *items;
  size_t count;
};

struct al_espeak_voices {
  struct list bases, variants;
};

/* OpenAI's voices, men and women as people hear them, each one of ours. docs/speech.md has this table. */
static const struct {
  const char *name, *voice;
} openai[] = {
  { "alloy", "en-us+shelby" }, { "ash", "en-us+m3" },     { "ballad", "en-gb-x-rp+m2" }, { "coral", "en-us+f2" },
  { "echo", "en-us+michael" }, { "fable", "en-gb+f4" },   { "onyx", "en-us+m7" },        { "nova", "en-us+f3" },
  { "sage", "en-us+linda" },   { "shimmer", "en-us+f5" }, { "verse", "en-us+m1" },       { "marin", "en-us+steph" },
  { "cedar", "en-us+adam" },
};

const char *al_espeak_openai_voice(const char *name)
{
  for (size_t i = 0; i < AL_COUNT(openai); i++)
    if (strcasecmp(name, openai[i].name) == 0)
      return openai[i].voice;
  return nullptr;
}

/* --- the lists -------------------------------------------------------------------------------------------------- */

static void list_done(struct list *list)
{
  for (size_t i = 0; i < list->count; i++) {
    struct voice *voice = &list->items[i];
    al_free(voice->id);
    al_free(voice->name);
    al_free(voice->language);
    al_free(voice->file);
    for (size_t k = 0; k < AL_COUNT(voice->languages); k++)
      al_free(voice->languages[k]);
  }
  al_free(list->items);
}

void al_espeak_voices_free(struct al_espeak_voices *voices)
{
  if (voices == nullptr)
    return;
  list_done(&voices->bases);
  list_done(&voices->variants);
  al_free(voices);
}

static char *lower(const char *text)
{
  char *copy = al_strdup(text);
  for (char *c = copy; c != nullptr && *c != '\0'; c++)
    if (*c >= 'A' && *c <= 'Z')
      *c = (char)(*c | 0x20);
  return copy;
}

static const char *last_part(const char *file)
{
  const char *slash = strrchr(file, '/');
  return slash != nullptr ? slash + 1 : file;
}

static const struct voice *find_id(const struct list *list, const char *id)
{
  for (size_t i = 0; i < list->count; i++)
    if (strcasecmp(list->items[i].id, id) == 0)
      return &list->items[i];
  return nullptr;
}

static const char *gender_name(unsigned char gender)
{
  return gender == 1 ? "male" : gender == 2 ? "female" : "";
}

/* `languages`: each a byte of priority and a string, until an empty one. */
static bool copy_languages(struct voice *voice, const char *languages)
{
  const char *at = languages + 1 + strlen(languages + 1) + 1;
  for (size_t i = 0; i < AL_COUNT(voice->languages) && at[0] != '\0'; i++) {
    voice->languages[i] = lower(at + 1);
    if (voice->languages[i] == nullptr)
      return false;
    at += 1 + strlen(at + 1) + 1;
  }
  return true;
}

/* A language's first voice is named after it, another one of the same language after its file. */
static enum al_code add(struct list *list, const espeak_VOICE *from, bool is_variant, struct al_err *err)
{
  const char *language = from->languages + 1, *file = is_variant ? last_part(from->identifier) : from->identifier;
  bool by_file = is_variant || find_id(list, language) != nullptr;
  struct voice *voice = &list->items[list->count++];
  *voice = (struct voice){
    .id = lower(by_file ? last_part(file) : language),
    .name = al_strdup(from->name),
    .language = lower(language),
    .file = al_strdup(file),
    .gender = gender_name(from->gender),
  };
  if (voice->id == nullptr || voice->name == nullptr || voice->language == nullptr || voice->file == nullptr ||
      (!is_variant && !copy_languages(voice, from->languages)))
    return al_fail_oom(err, strlen(from->name));
  return AL_OK;
}

/* MBROLA's voices start another program; they are not offered. */
static bool is_usable(const espeak_VOICE *voice)
{
  return voice->name != nullptr && voice->identifier != nullptr && voice->languages != nullptr &&
         voice->languages[0] != '\0' && strncmp(voice->identifier, "mb/", 3) != 0;
}

static int by_id(const void *a, const void *b)
{
  return strcmp(((const struct voice *)a)->id, ((const struct voice *)b)->id);
}

static enum al_code read_list(struct list *list, bool is_variant, struct al_err *err)
{
  espeak_VOICE variants = { .languages = "variant" };
  const espeak_VOICE **from = al_espeak.espeak_ListVoices(is_variant ? &variants : nullptr);
  size_t n = 0;
  while (from != nullptr && n < MAX_VOICES && from[n] != nullptr)
    n++;
  list->items = al_calloc(n + 1, sizeof *list->items);
  if (list->items == nullptr)
    return al_fail_oom(err, n * sizeof *list->items);
  for (size_t i = 0; i < n; i++)
    if (is_usable(from[i]))
      AL_TRY(add(list, from[i], is_variant, err));
  qsort(list->items, list->count, sizeof *list->items, by_id);
  return AL_OK;
}

enum al_code al_espeak_voices_new(struct al_espeak_voices **voices, struct al_err *err)
{
  AL_CLEANUP(al_espeak_voices_free_p) struct al_espeak_voices *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  AL_TRY(read_list(&made->bases, false, err));
  AL_TRY(read_list(&made->variants, true, err));
  if (find_id(&made->bases, AL_ESPEAK_DEFAULT_VOICE) == nullptr)
    return al_fail(err, AL_NOT_FOUND, "eSpeak NG's data has no voice '%s': install the package espeak-ng-data",
                   AL_ESPEAK_DEFAULT_VOICE);
  *voices = AL_TAKE(made);
  return AL_OK;
}

size_t al_espeak_voices_count(const struct al_espeak_voices *voices)
{
  return voices->bases.count;
}

bool al_espeak_voices_get(const struct al_espeak_voices *voices, size_t index, struct al_voice *voice)
{
  if (index >= voices->bases.count)
    return false;
  const struct voice *from = &voices->bases.items[index];
  *voice = (struct al_voice){ from->id, from->name, from->language, from->gender };
  return true;
}

/* --- finding one ------------------------------------------------------------------------------------------------ */

static bool speaks(const struct voice *voice, const char *language)
{
  for (size_t i = 0; i < AL_COUNT(voice->languages) && voice->languages[i] != nullptr; i++)
    if (strcasecmp(voice->languages[i], language) == 0)
      return true;
  return false;
}

static const struct voice *find_base(const struct list *list, const char *name)
{
  const struct voice *found = find_id(list, name);
  for (size_t i = 0; i < list->count && found == nullptr; i++)
    if (strcasecmp(list->items[i].file, name) == 0 || strcasecmp(last_part(list->items[i].file), name) == 0)
      found = &list->items[i];
  for (size_t i = 0; i < list->count && found == nullptr; i++)
    if (speaks(&list->items[i], name))
      found = &list->items[i];
  return found;
}

/* How many single changes make one name of the other (Levenshtein), up to 99. */
static int distance(const char *a, const char *b)
{
  size_t n = strlen(b);
  int row[MAX_NAME_BYTES + 1];
  if (n > MAX_NAME_BYTES)
    return 99;
  for (size_t k = 0; k <= n; k++)
    row[k] = (int)k;
  for (size_t i = 0; a[i] != '\0'; i++) {
    int corner = row[0]++;
    for (size_t k = 1; k <= n; k++) {
      int change = corner + ((a[i] | 0x20) != (b[k - 1] | 0x20)), shorter = row[k] + 1, longer = row[k - 1] + 1;
      corner = row[k];
      row[k] = change < shorter ? change : shorter;
      row[k] = row[k] < longer ? row[k] : longer;
    }
  }
  return row[n];
}

/* Names like it, for the message: those a change or two away, and those that begin the same. */
static void near_names(const struct list *list, const char *prefix, const char *name, struct al_buf *out)
{
  int n_named = 0;
  for (int most = 1; most <= 3; most++)
    for (size_t i = 0; i < list->count && n_named < 5; i++) {
      const char *id = list->items[i].id;
      int far = distance(name, id) <= 2 ? distance(name, id) : strncasecmp(id, name, 2) == 0 ? 3 : 99;
      if (al_max_size((size_t)far, 1) != (size_t)most)
        continue;
      al_buf_printf(out, "%s'%s%s'", n_named == 0 ? "; near it: " : ", ", prefix, id);
      n_named++;
    }
}

static enum al_code unknown(const struct list *list, const char *prefix, const char *name, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf near = { .cap_bytes = 300 };
  char shown[MAX_NAME_BYTES / 2] = "";
  for (size_t i = 0; i + 1 < sizeof shown && name[i] != '\0'; i++)
    shown[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
  near_names(list, prefix, shown, &near);
  (void)al_fail_param(err, "voice", "there is no %s '%s'%s", prefix[0] == '+' ? "variant of voices" : "voice", shown,
                      near.size > 0 ? near.data : "; docs/speech.md lists some");
  return al_fail_reason(err, AL_INVALID_REQUEST, "unknown_voice");
}

enum al_code al_espeak_voices_find(const struct al_espeak_voices *voices, const char *name, struct al_buf *out,
                                   struct al_err *err)
{
  if (name[0] == '\0')
    name = AL_ESPEAK_DEFAULT_VOICE;
  if (al_espeak_openai_voice(name) != nullptr)
    name = al_espeak_openai_voice(name);
  char base[MAX_NAME_BYTES];
  const char *plus = strchr(name, '+');
  size_t n = plus != nullptr ? (size_t)(plus - name) : strlen(name);
  if (n >= sizeof base)
    return unknown(&voices->bases, "", name, err);
  memcpy(base, name, n);
  base[n] = '\0';
  const struct voice *voice = find_base(&voices->bases, base);
  if (voice == nullptr)
    return unknown(&voices->bases, "", base, err);
  const struct voice *variant = plus != nullptr ? find_id(&voices->variants, plus + 1) : nullptr;
  if (plus != nullptr && variant == nullptr)
    return unknown(&voices->variants, "+", plus + 1, err);
  al_buf_str(out, voice->file);
  if (variant != nullptr)
    al_buf_printf(out, "+%s", variant->file);
  return al_buf_check(out, err);
}
