/* The store of responses, on a database of its own. */
#include "api/response_store.h"

#include "../os/tmpdir.h"
#include "api/response_table.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"

#include <cmocka.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct al_err err;

static struct al_response_store *open_store(const char *name, int64_t max_age_s, int64_t max_bytes)
{
  struct al_response_store *store = nullptr;
  struct al_response_store_options options = { .directory = tmpdir_path(name),
                                               .max_age_s = max_age_s,
                                               .max_bytes = max_bytes };
  if (al_response_store_open(&options, &store, &err) != AL_OK)
    fail_msg("%s", err.message);
  return store;
}

static void put(struct al_response_store *store, const char *id, const char *previous, const char *status,
                const char *text)
{
  char input[512], object[512];
  (void)snprintf(input, sizeof input, "[{\"id\":\"in_%s\",\"type\":\"message\",\"text\":\"%s?\"}]", id, text);
  (void)snprintf(object, sizeof object,
                 "{\"id\":\"%s\",\"status\":\"%s\",\"error\":null,\"output\":[{\"id\":\"out_%s\",\"text\":\"%s!\"}]}",
                 id, status, id, text);
  struct al_response_record record = { .id = al_str(id),
                                       .previous_id = al_str(previous),
                                       .status = al_str(status),
                                       .created_s = al_wall_s(),
                                       .input = al_str(input),
                                       .object = al_str(object) };
  assert_int_equal(al_response_store_put(store, &record, &err), AL_OK);
}

/* What the last call has found, copied. */
static struct {
  enum al_code code;
  char reason[64], message[512], object[2048], context[4096], references[1024], status[32];
} found;

static void take(char *to, size_t size, struct al_str from)
{
  (void)snprintf(to, size, "%.*s", (int)from.size, from.data != nullptr ? from.data : "");
}

static void on_found(void *user, const struct al_response_found *answer)
{
  found.code = answer->err.code;
  take(found.reason, sizeof found.reason, al_str(answer->err.reason));
  take(found.message, sizeof found.message, al_str(answer->err.message));
  take(found.object, sizeof found.object, answer->record.object);
  take(found.status, sizeof found.status, answer->record.status);
  take(found.context, sizeof found.context, answer->context);
  take(found.references, sizeof found.references, answer->references);
  assert_true(al_queue_push(user, &found));
}

static void wait_found(struct al_queue *queue)
{
  assert_non_null(al_queue_pop(queue, al_deadline_in_ms(10'000)));
  al_queue_free(queue);
}

static enum al_code get(struct al_response_store *store, const char *id)
{
  struct al_queue *queue = al_queue_new(1);
  assert_int_equal(al_response_store_get(store, al_str(id), on_found, queue, &err), AL_OK);
  wait_found(queue);
  return found.code;
}

static enum al_code forget(struct al_response_store *store, const char *id)
{
  struct al_queue *queue = al_queue_new(1);
  assert_int_equal(al_response_store_delete(store, al_str(id), on_found, queue, &err), AL_OK);
  wait_found(queue);
  return found.code;
}

static enum al_code context(struct al_response_store *store, const char *previous, const char *ids)
{
  struct al_queue *queue = al_queue_new(1);
  assert_int_equal(al_response_store_context(store, al_str(previous), al_str(ids), on_found, queue, &err), AL_OK);
  wait_found(queue);
  return found.code;
}

static void what_was_put_is_found_and_replaced_and_forgotten(void **state)
{
  (void)state;
  struct al_response_store *store = open_store("plain", 0, 0);
  put(store, "a", "", "queued", "x");
  put(store, "a", "", "completed", "y");
  assert_int_equal(get(store, "a"), AL_OK);
  assert_string_equal(found.status, "completed");
  assert_non_null(strstr(found.object, "\"text\":\"y!\""));
  assert_int_equal(get(store, "b"), AL_NOT_FOUND);
  assert_int_equal(forget(store, "a"), AL_OK);
  assert_int_equal(forget(store, "a"), AL_NOT_FOUND);
  assert_int_equal(get(store, "a"), AL_NOT_FOUND);
  al_response_store_free(store);
}

static void a_chain_comes_oldest_first(void **state)
{
  (void)state;
  struct al_response_store *store = open_store("chain", 0, 0);
  put(store, "a", "", "completed", "1");
  put(store, "b", "a", "incomplete", "2");
  put(store, "other", "a", "completed", "3");
  put(store, "c", "b", "completed", "4");
  assert_int_equal(context(store, "c", ""), AL_OK);
  const char *at = found.context;
  static const char *const ids[] = { "in_a", "out_a", "in_b", "out_b", "in_c", "out_c" };
  for (size_t i = 0; i < AL_COUNT(ids); i++) {
    at = strstr(at, ids[i]);
    assert_non_null(at);
  }
  assert_null(strstr(found.context, "other"));
  assert_int_equal(context(store, "", "[\"out_b\",\"in_a\"]"), AL_OK);
  assert_string_equal(found.context, "[]");
  assert_non_null(strstr(strstr(found.references, "out_b"), "in_a"));
  assert_int_equal(context(store, "", "[\"out_z\"]"), AL_NOT_FOUND);
  assert_int_equal(context(store, "z", ""), AL_NOT_FOUND);
  assert_string_equal(found.reason, "previous_response_not_found");
  assert_int_equal(forget(store, "a"), AL_OK);
  assert_int_equal(context(store, "c", ""), AL_NOT_FOUND);
  put(store, "running", "", "in_progress", "5");
  assert_int_equal(context(store, "running", ""), AL_INVALID_REQUEST);
  al_response_store_free(store);
}

/* A ring cannot be made through the API, but a damaged file may hold one. */
static void a_ring_ends(void **state)
{
  (void)state;
  struct al_response_store *store = open_store("ring", 0, 0);
  put(store, "a", "b", "completed", "1");
  put(store, "b", "a", "completed", "2");
  assert_int_equal(context(store, "a", ""), AL_INVALID_REQUEST);
  assert_non_null(strstr(found.message, "more than"));
  al_response_store_free(store);
}

static void old_ones_go_and_so_do_too_many(void **state)
{
  (void)state;
  struct al_response_store *store = open_store("old", 3600, 0);
  struct al_response_record old = { .id = al_str("old"),
                                    .status = al_str("completed"),
                                    .created_s = al_wall_s() - 4000,
                                    .input = al_str("[]"),
                                    .object = al_str("{\"output\":[]}") };
  assert_int_equal(al_response_store_put(store, &old, &err), AL_OK);
  put(store, "new", "", "completed", "x");
  al_response_store_free(store);
  store = open_store("old", 3600, 0); /* it prunes when it begins */
  assert_int_equal(get(store, "old"), AL_NOT_FOUND);
  assert_int_equal(get(store, "new"), AL_OK);
  al_response_store_free(store);

  store = open_store("many", 0, 2000);
  for (int i = 0; i < 60; i++) {
    char id[8];
    (void)snprintf(id, sizeof id, "r%d", i);
    put(store, id, "", "completed", "some text");
  }
  assert_int_equal(get(store, "r0"), AL_NOT_FOUND);
  assert_int_equal(get(store, "r59"), AL_OK);
  al_response_store_free(store);
}

static void those_of_a_process_that_has_gone_have_failed(void **state)
{
  (void)state;
  struct al_response_store *store = nullptr;
  pid_t child = fork();
  if (child == 0) {
    store = open_store("orphans", 0, 0);
    put(store, "left", "", "in_progress", "x");
    put(store, "done", "", "completed", "x");
    al_response_store_wait(store);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  store = open_store("orphans", 0, 0);
  put(store, "mine", "", "in_progress", "x");
  assert_int_equal(get(store, "left"), AL_OK);
  assert_string_equal(found.status, "failed");
  assert_non_null(strstr(found.object, "\"status\":\"failed\""));
  assert_non_null(strstr(found.object, "\"code\":\"server_error\""));
  assert_int_equal(get(store, "mine"), AL_OK);
  assert_string_equal(found.status, "in_progress");
  assert_int_equal(get(store, "done"), AL_OK);
  assert_string_equal(found.status, "completed");
  al_response_store_free(store);
}

static void a_disk_that_is_full_is_told_and_gets_over(void **state)
{
  (void)state;
  (void)signal(SIGXFSZ, SIG_IGN);
  struct al_response_store *store = open_store("full", 0, 0);
  put(store, "before", "", "completed", "x");
  al_response_store_wait(store);
  assert_int_equal(al_response_store_problem(store, &err), AL_OK);
  struct rlimit before, small = { .rlim_cur = 4096 };
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  put(store, "during", "", "completed", "x");
  al_response_store_wait(store);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_not_equal(al_response_store_problem(store, &err), AL_OK);
  assert_int_equal(get(store, "during"), AL_NOT_FOUND);
  assert_int_equal(get(store, "before"), AL_OK);
  put(store, "after", "", "completed", "x");
  assert_int_equal(get(store, "after"), AL_OK);
  assert_int_equal(al_response_store_problem(store, &err), AL_OK);
  al_response_store_free(store);
}

static void wait_for_it(void *user, const struct al_response_found *)
{
  al_response_store_wait(user);
}

static void its_own_thread_does_not_wait_for_itself(void **state)
{
  (void)state;
  struct al_response_store *store = open_store("itself", 0, 0);
  put(store, "a", "", "completed", "x");
  assert_int_equal(al_response_store_get(store, al_str("a"), wait_for_it, store, &err), AL_OK);
  al_response_store_wait(store); /* comes back */
  assert_int_equal(get(store, "a"), AL_OK);
  al_response_store_free(store);
}

static void what_is_no_json_is_not_stored(void **state)
{
  (void)state;
  struct al_response_store *store = open_store("json", 0, 0);
  struct al_response_record record = {
    .id = al_str("a"), .status = al_str("completed"), .input = al_str("["), .object = al_str("{}")
  };
  assert_int_equal(al_response_store_put(store, &record, &err), AL_OK); /* told in the log */
  assert_int_equal(get(store, "a"), AL_NOT_FOUND);
  al_response_store_free(store);
}

static void memory_that_runs_out_is_an_error(void **state)
{
  (void)state;
  for (size_t n = 1; n < 20; n++) {
    struct al_response_store *store = nullptr;
    struct al_response_store_options options = { .directory = tmpdir_path("memory") };
    (void)al_alloc_fail_at(n);
    enum al_code code = al_response_store_open(&options, &store, &err);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK ? store != nullptr : code == AL_OOM_RAM && store == nullptr);
    al_response_store_free(store);
  }
  struct al_response_store *store = open_store("memory", 0, 0);
  (void)al_alloc_fail_at(1);
  assert_int_equal(al_response_store_get(store, al_str("a"), on_found, nullptr, &err), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  al_response_store_free(store);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_put_is_found_and_replaced_and_forgotten),
    cmocka_unit_test(a_chain_comes_oldest_first),
    cmocka_unit_test(a_ring_ends),
    cmocka_unit_test(old_ones_go_and_so_do_too_many),
    cmocka_unit_test(those_of_a_process_that_has_gone_have_failed),
    cmocka_unit_test(a_disk_that_is_full_is_told_and_gets_over),
    cmocka_unit_test(its_own_thread_does_not_wait_for_itself),
    cmocka_unit_test(what_is_no_json_is_not_stored),
    cmocka_unit_test(memory_that_runs_out_is_an_error),
  };
  return cmocka_run_group_tests(tests, tmpdir_make, tmpdir_remove);
}
