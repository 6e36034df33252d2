/* The catalogue is an immutable, reference-counted list that each scan replaces. A scan runs outside the lock; one
 * thread scans at a time, and lookups meanwhile use the catalogue that stands. */
#include "store/store.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "codec/utf8.h"
#include "store/describe.h"
#include "store/found.h"
#include "store/model_id.h"
#include "store/walk.h"

constexpr int64_t FRESH_NS = 1'000 * AL_NS_PER_MS;
constexpr size_t MAX_PATH = 4096;
constexpr size_t MAX_REGISTERED = 256; /* the oldest one goes */

struct catalog {
  struct al_found_list list; /* sorted by id */
  size_t n_refs;             /* under the store's lock */
};

struct al_store {
  char **directories;
  size_t n_directories;
  char *builtin_directory, *hf_cache; /* or nullptr */

  /* The scanning thread's alone. */
  char *registered[MAX_REGISTERED]; /* absolute paths, the newest first */
  size_t n_registered;

  struct al_mutex lock; /* guards what follows */
  struct al_cond scan_ended;
  struct catalog *catalog; /* nullptr before the first scan */
  int64_t scanned_ns;
  bool is_scanning;
};

static void catalog_free(struct catalog *catalog)
{
  if (catalog == nullptr)
    return;
  al_found_list_done(&catalog->list);
  al_free(catalog);
}
AL_DEFINE_CLEANUP(struct catalog, catalog_free)

static enum al_code copy_path(char **out, const char *path, struct al_err *err)
{
  char expanded[MAX_PATH];
  AL_TRY(al_path_expand(expanded, sizeof expanded, path, err));
  return al_describe_set(out, expanded, err);
}

enum al_code al_store_new(const struct al_store_options *options, struct al_store **store, struct al_err *err)
{
  AL_CLEANUP(al_store_free_p) struct al_store *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  al_mutex_init(&made->lock);
  al_cond_init(&made->scan_ended);
  made->directories = al_calloc(options->n_directories, sizeof *made->directories);
  if (made->directories == nullptr)
    return al_fail_oom(err, options->n_directories * sizeof *made->directories);
  for (; made->n_directories < options->n_directories; made->n_directories++)
    AL_TRY(copy_path(&made->directories[made->n_directories], options->directories[made->n_directories], err));
  if (options->builtin_directory != nullptr)
    AL_TRY(copy_path(&made->builtin_directory, options->builtin_directory, err));
  if (options->hf_cache != nullptr)
    AL_TRY(copy_path(&made->hf_cache, options->hf_cache, err));
  *store = AL_TAKE(made);
  return AL_OK;
}

void al_store_free(struct al_store *store)
{
  if (store == nullptr)
    return;
  for (size_t i = 0; i < store->n_directories; i++)
    al_free(store->directories[i]);
  for (size_t i = 0; i < store->n_registered; i++)
    al_free(store->registered[i]);
  al_free(store->directories);
  al_free(store->builtin_directory);
  al_free(store->hf_cache);
  catalog_free(store->catalog);
  al_cond_done(&store->scan_ended);
  al_mutex_done(&store->lock);
  al_free(store);
}

static struct catalog *ref_catalog(struct al_store *store)
{
  AL_LOCKED(&store->lock);
  if (store->catalog != nullptr)
    store->catalog->n_refs++;
  return store->catalog;
}

static void unref_catalog(struct al_store *store, struct catalog *catalog)
{
  if (catalog == nullptr)
    return;
  al_mutex_lock(&store->lock);
  bool is_last = --catalog->n_refs == 0;
  al_mutex_unlock(&store->lock);
  if (is_last)
    catalog_free(catalog);
}

static void begin_scan(struct al_store *store)
{
  AL_LOCKED(&store->lock);
  while (store->is_scanning)
    (void)al_cond_wait(&store->scan_ended, &store->lock, AL_NO_DEADLINE);
  store->is_scanning = true;
}

/* catalog: moved; nullptr when the scan failed, then the old one stays. */
static void end_scan(struct al_store *store, struct catalog *catalog)
{
  al_mutex_lock(&store->lock);
  struct catalog *old = nullptr;
  if (catalog != nullptr) {
    old = store->catalog;
    store->catalog = catalog;
    store->scanned_ns = al_now_ns();
  }
  store->is_scanning = false;
  al_cond_broadcast(&store->scan_ended);
  al_mutex_unlock(&store->lock);
  unref_catalog(store, old);
}

/* The voice that the program brings without a file. */
static enum al_code add_voice(struct al_found_list *list, struct al_err *err)
{
  const struct al_found_as as = { "espeak", "", AL_FORMAT_NONE, true };
  return al_found_add(list, &as, err);
}

static enum al_code walk_everything(struct al_store *store, struct al_found_list *list, struct al_err *err)
{
  for (size_t i = 0; i < store->n_registered; i++)
    if (al_walk_path(store->registered[i], list, err) == AL_OOM_RAM)
      return AL_OOM_RAM;
  char path[MAX_PATH];
  for (size_t i = 0; i < store->n_directories; i++)
    if (al_path_absolute(path, sizeof path, store->directories[i], nullptr) == AL_OK)
      AL_TRY(al_walk_models(path, false, list, err));
  if (store->hf_cache != nullptr && al_path_absolute(path, sizeof path, store->hf_cache, nullptr) == AL_OK)
    AL_TRY(al_walk_hf_cache(path, list, err));
  if (store->builtin_directory != nullptr &&
      al_path_absolute(path, sizeof path, store->builtin_directory, nullptr) == AL_OK)
    AL_TRY(al_walk_models(path, true, list, err));
  return store->builtin_directory != nullptr ? add_voice(list, err) : AL_OK;
}

/* Takes over the description made earlier from the same files, or reads them. */
static enum al_code describe(struct al_found *found, const struct catalog *old, struct al_err *err)
{
  const struct al_found *known = old != nullptr ? al_found_list_get(&old->list, found->model->id) : nullptr;
  if (known == nullptr || known->signature != found->signature || !known->is_described)
    AL_TRY(al_describe(found->model, &found->is_hidden, err));
  else {
    al_descriptor_unref(found->model);
    found->model = al_descriptor_ref(known->model);
    found->is_hidden = known->is_hidden;
  }
  found->is_described = true;
  return AL_OK;
}

static enum al_code build_catalog(struct al_store *store, const struct catalog *old, struct catalog **catalog,
                                  struct al_err *err)
{
  AL_CLEANUP(catalog_free_p) struct catalog *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->n_refs = 1;
  AL_TRY(walk_everything(store, &made->list, err));
  al_found_list_sort(&made->list);
  for (size_t i = 0; i < made->list.count; i++)
    AL_TRY(describe(&made->list.items[i], old, err));
  *catalog = AL_TAKE(made);
  return AL_OK;
}

/* After begin_scan. */
static enum al_code scan(struct al_store *store, struct al_err *err)
{
  struct catalog *old = ref_catalog(store), *made = nullptr;
  enum al_code code = build_catalog(store, old, &made, err);
  end_scan(store, made);
  unref_catalog(store, old);
  return code;
}

enum al_code al_store_refresh(struct al_store *store, struct al_err *err)
{
  begin_scan(store);
  return scan(store, err);
}

/* Does this lookup have to scan first? Waits only while there is no catalogue at all. */
static bool must_scan(struct al_store *store)
{
  AL_LOCKED(&store->lock);
  while (store->is_scanning && store->catalog == nullptr)
    (void)al_cond_wait(&store->scan_ended, &store->lock, AL_NO_DEADLINE);
  if (store->is_scanning || (store->catalog != nullptr && al_now_ns() - store->scanned_ns < FRESH_NS))
    return false;
  store->is_scanning = true;
  return true;
}

/* A new reference. A scan that fails leaves the lookups with what was known before. */
static enum al_code current(struct al_store *store, struct catalog **catalog, struct al_err *err)
{
  struct al_err failure = {};
  enum al_code code = must_scan(store) ? scan(store, &failure) : AL_OK;
  *catalog = ref_catalog(store);
  if (*catalog != nullptr)
    return AL_OK;
  return al_fail(err, code != AL_OK ? code : AL_OOM_RAM, "the models could not be listed: %.400s", failure.message);
}

static enum al_code not_found(const char *id, struct al_err *err)
{
  struct al_str shown = al_str_n(id, al_min_size(strlen(id), 200));
  shown.size -= al_utf8_incomplete_tail(shown);
  (void)al_fail_param(err, "model", "the model '%.*s' is not here; GET /v1/models and `allm list` show those that are",
                      (int)shown.size, shown.data);
  if (err != nullptr)
    err->code = AL_NOT_FOUND;
  return al_fail_reason(err, AL_NOT_FOUND, "model_not_found");
}

enum al_code al_store_find(struct al_store *store, const char *id, struct al_model_descriptor **descriptor,
                           struct al_err *err)
{
  AL_TRY(al_model_id_check(id, err));
  struct catalog *catalog = nullptr;
  AL_TRY(current(store, &catalog, err));
  const struct al_found *found = al_found_list_get(&catalog->list, id);
  struct al_model_descriptor *model = found != nullptr && !found->is_hidden ? al_descriptor_ref(found->model) : nullptr;
  unref_catalog(store, catalog);
  if (model == nullptr)
    return not_found(id, err);
  *descriptor = model;
  return AL_OK;
}

/* Puts the path in front; a path registered again moves there. Takes the string. */
static void remember(struct al_store *store, char *path)
{
  size_t at = 0;
  while (at < store->n_registered && strcmp(store->registered[at], path) != 0)
    at++;
  if (at == MAX_REGISTERED)
    at--;
  if (at < store->n_registered)
    al_free(store->registered[at]);
  else
    store->n_registered++;
  memmove(&store->registered[1], &store->registered[0], at * sizeof store->registered[0]);
  store->registered[0] = path;
}

/* What stands at the path, as its own list of one. */
static enum al_code examine(const char *path, struct al_found_list *list, struct al_err *err)
{
  AL_TRY(al_walk_path(path, list, err));
  AL_TRY(al_model_id_check(list->items[0].model->id, err));
  bool is_hidden = false;
  AL_TRY(al_describe(list->items[0].model, &is_hidden, err));
  if (is_hidden)
    return al_fail(err, AL_UNSUPPORTED, "%.200s is a part of another model, it cannot run alone", al_path_last(path));
  return AL_OK;
}

enum al_code al_store_register_path(struct al_store *store, const char *path, struct al_model_descriptor **descriptor,
                                    struct al_err *err)
{
  char expanded[MAX_PATH], absolute[MAX_PATH];
  AL_TRY(al_path_expand(expanded, sizeof expanded, path, err));
  AL_TRY(al_path_absolute(absolute, sizeof absolute, expanded, err));
  AL_CLEANUP(al_found_list_done) struct al_found_list list = {};
  AL_TRY(examine(absolute, &list, err));
  AL_CLEANUP(al_free_p) char *kept = al_strdup(absolute);
  if (kept == nullptr)
    return al_fail_oom(err, strlen(absolute));
  begin_scan(store);
  remember(store, AL_TAKE(kept));
  AL_TRY(scan(store, err));
  return al_store_find(store, list.items[0].model->id, descriptor, err);
}

enum al_code al_store_list(struct al_store *store, struct al_model_list *list, struct al_err *err)
{
  struct catalog *catalog = nullptr;
  AL_TRY(current(store, &catalog, err));
  struct al_model_list made = { .items = al_calloc(catalog->list.count, sizeof *made.items) };
  for (size_t i = 0; made.items != nullptr && i < catalog->list.count; i++)
    if (!catalog->list.items[i].is_hidden)
      made.items[made.count++] = al_descriptor_ref(catalog->list.items[i].model);
  size_t n_bytes = catalog->list.count * sizeof *made.items;
  unref_catalog(store, catalog);
  if (made.items == nullptr)
    return al_fail_oom(err, n_bytes);
  *list = made;
  return AL_OK;
}

void al_store_list_free(struct al_model_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    al_descriptor_unref(list->items[i]);
  al_free(list->items);
  *list = (struct al_model_list){};
}
