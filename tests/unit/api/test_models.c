/* /v1/models, /status, /health, /load and /unload. */
#include "stand_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
  struct al_api *api;
  struct al_http_exchange exchange;
};

static struct al_json_doc *ask(struct fixture *f, al_http_handler *handler, const char *id, const char *body)
{
  f->api = make_api(nullptr);
  exchange_init(&f->exchange, body);
  f->exchange.id_param = id;
  handler(&f->exchange, f->api);
  return sent_json(&f->exchange);
}

static void done(struct fixture *f, struct al_json_doc *doc)
{
  al_json_doc_free(doc);
  exchange_done(&f->exchange);
  al_api_free(f->api);
  submitted_clear();
}

static void set_problem(void)
{
  (void)!al_fail(&model_problem, AL_MODEL_CORRUPT, "'/srv/m/a.gguf' is short");
}

static void the_list_has_what_can_run(void **state)
{
  (void)state;
  struct fixture f;
  struct al_json_doc *doc = ask(&f, al_api_models_list, nullptr, "");
  assert_int_equal(f.exchange.status, 200);
  assert_string_equal(json_text(doc, "object"), "list");
  assert_string_equal(json_text(doc, "data.0.id"), "org/tiny");
  assert_string_equal(json_text(doc, "data.0.owned_by"), "org");
  assert_string_equal(json_text(doc, "data.0.context_length"), "4096");
  assert_string_equal(json_text(doc, "data.0.capabilities"), "[\"chat\",\"completion\"]");
  done(&f, doc);
  set_problem();
  doc = ask(&f, al_api_models_list, nullptr, "");
  assert_string_equal(json_text(doc, "data"), "[]");
  done(&f, doc);
}

static void one_model(void **state)
{
  (void)state;
  struct fixture f;
  struct al_json_doc *doc = ask(&f, al_api_models_get, "org/tiny", "");
  assert_string_equal(json_text(doc, "object"), "model");
  assert_string_equal(json_text(doc, "created"), "1700000000");
  done(&f, doc);
  doc = ask(&f, al_api_models_get, "org/none", "");
  assert_int_equal(f.exchange.status, 404);
  assert_string_equal(json_text(doc, "error.code"), "model_not_found");
  done(&f, doc);
  doc = ask(&f, al_api_models_get, "../../etc/passwd", "");
  assert_int_equal(f.exchange.status, 400);
  done(&f, doc);
  set_problem();
  doc = ask(&f, al_api_models_get, "org/tiny", "");
  assert_int_equal(f.exchange.status, 422);
  assert_string_equal(json_text(doc, "error.message"), "'a.gguf' is short");
  done(&f, doc);
}

static void fill_stats(void *user, struct al_http_stats *stats)
{
  (void)user;
  stats->n_connections = 12;
}

static void the_status_says_why_not(void **state)
{
  (void)state;
  struct fixture f;
  set_problem();
  struct al_json_doc *doc = ask(&f, al_api_status, nullptr, "");
  assert_string_equal(json_text(doc, "version"), "9.9");
  assert_string_equal(json_text(doc, "active_requests"), "7");
  assert_string_equal(json_text(doc, "connections"), "null");
  assert_string_equal(json_text(doc, "models.0.running"), "3");
  assert_string_equal(json_text(doc, "models.0.problem.code"), "MODEL_CORRUPT");
  assert_string_equal(json_text(doc, "models.0.problem.message"), "'a.gguf' is short");
  assert_true(strtoul(json_text(doc, "machine.cores"), nullptr, 10) >= 1);
  done(&f, doc);
}

static void the_status_counts_connections(void **state)
{
  (void)state;
  struct fixture f;
  assert_int_equal(al_api_new(&(struct al_api_options){ .stats = fill_stats }, &f.api, nullptr), AL_OK);
  exchange_init(&f.exchange, "");
  al_api_status(&f.exchange, f.api);
  struct al_json_doc *doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "connections.open"), "12");
  done(&f, doc);
}

static void readiness_ends_with_draining(void **state)
{
  (void)state;
  struct fixture f;
  struct al_json_doc *doc = ask(&f, al_api_health_ready, nullptr, "");
  assert_int_equal(f.exchange.status, 200);
  done(&f, doc);
  f.api = make_api(nullptr);
  al_api_set_draining(f.api);
  exchange_init(&f.exchange, "");
  al_api_health_ready(&f.exchange, f.api);
  assert_int_equal(f.exchange.status, 503);
  al_buf_clear(&f.exchange.sent);
  f.exchange.status = 0;
  al_api_health_live(&f.exchange, f.api);
  assert_int_equal(f.exchange.status, 200); /* alive until the end */
  doc = sent_json(&f.exchange);
  assert_string_equal(json_text(doc, "status"), "ok");
  done(&f, doc);
}

static void loading_answers_when_done(void **state)
{
  (void)state;
  struct fixture f;
  struct al_json_doc *doc = ask(&f, al_api_load, nullptr, "{\"model\":\"org/tiny\"}");
  assert_int_equal(f.exchange.status, 200);
  assert_string_equal(json_text(doc, "state"), "ready");
  done(&f, doc);
  doc = ask(&f, al_api_unload, nullptr, "{\"model\":\"org/tiny\"}");
  assert_string_equal(json_text(doc, "state"), "unloaded");
  done(&f, doc);
  doc = ask(&f, al_api_load, nullptr, "{\"model\":\"none\"}");
  assert_int_equal(f.exchange.status, 404);
  done(&f, doc);
  set_problem();
  doc = ask(&f, al_api_load, nullptr, "{\"model\":\"org/tiny\"}");
  assert_int_equal(f.exchange.status, 422);
  done(&f, doc);
}

static void loading_checks_its_body(void **state)
{
  (void)state;
  static const struct {
    const char *body, *param;
  } cases[] = { { "{}", "model" },
                { "{\"model\":1}", "model" },
                { "{\"model\":\"..\"}", "model" },
                { "{\"model\":\"org/tiny\",\"force\":true}", "force" } };
  for (size_t i = 0; i < AL_COUNT(cases); i++) {
    struct fixture f;
    struct al_json_doc *doc = ask(&f, al_api_load, nullptr, cases[i].body);
    assert_int_equal(f.exchange.status, 400);
    assert_string_equal(json_text(doc, "error.param"), cases[i].param);
    done(&f, doc);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_list_has_what_can_run),    cmocka_unit_test(one_model),
    cmocka_unit_test(the_status_says_why_not),      cmocka_unit_test(the_status_counts_connections),
    cmocka_unit_test(readiness_ends_with_draining), cmocka_unit_test(loading_answers_when_done),
    cmocka_unit_test(loading_checks_its_body),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
