/* Embeddings, scores and tokens through the whole engine. */
#include "../sched/stand_in_store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

struct reply {
  struct al_mutex mutex;
  struct al_cond changed;
  bool done;
  struct al_err err;
  size_t n_rows, n_dims;
  float rows[32][AL_FAKE_N_EMBD];
  int n_tokens;
  int32_t ids[256];
  size_t n_ids;
  struct al_buf text, pieces;
  int n_ctx;
};

static int reset(void **)
{
  (void)al_alloc_fail_at(0);
  al_fake_reset();
  stand_in_gone = nullptr;
  return 0;
}

static void reply_init(struct reply *reply)
{
  *reply = (struct reply){};
  al_mutex_init(&reply->mutex);
  al_cond_init(&reply->changed);
}

static void reply_done(struct reply *reply)
{
  al_buf_done(&reply->text);
  al_buf_done(&reply->pieces);
  al_cond_done(&reply->changed);
  al_mutex_done(&reply->mutex);
}

static void reply_wait(struct reply *reply)
{
  AL_LOCKED(&reply->mutex);
  while (!reply->done)
    (void)al_cond_wait(&reply->changed, &reply->mutex, AL_NO_DEADLINE);
}

static void finish(struct reply *reply, const struct al_err *err)
{
  assert_false(reply->done);
  reply->done = true;
  reply->err = *err;
  al_cond_broadcast(&reply->changed);
}

static void on_rows(void *user, const struct al_embed_result *result)
{
  struct reply *reply = user;
  AL_LOCKED(&reply->mutex);
  reply->n_rows = result->n_rows;
  reply->n_dims = result->n_dims;
  reply->n_tokens = result->n_tokens;
  for (size_t i = 0; result->err.code == AL_OK && i < result->n_rows && i < 32; i++)
    memcpy(reply->rows[i], result->rows + i * result->n_dims, result->n_dims * sizeof(float));
  finish(reply, &result->err);
}

static void on_tokens(void *user, const struct al_token_result *result)
{
  struct reply *reply = user;
  AL_LOCKED(&reply->mutex);
  for (size_t i = 0; i < result->tokens.count && i < 256; i++)
    reply->ids[i] = result->tokens.ids[i];
  reply->n_ids = result->tokens.count;
  al_buf_add(&reply->text, result->text.data, result->text.size);
  for (size_t i = 0; result->pieces != nullptr && i < result->tokens.count; i++)
    al_buf_printf(&reply->pieces, "[%.*s]", (int)result->pieces[i].size, result->pieces[i].data);
  reply->n_ctx = result->n_ctx;
  finish(reply, &result->err);
}

static void embed(struct al_inference *inference, struct reply *reply, struct al_embed_request request)
{
  struct al_err err = {};
  reply_init(reply);
  request.done = on_rows;
  request.user = reply;
  enum al_code code = al_inference_embed(inference, &request, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
  reply_wait(reply);
}

/* --- embeddings ------------------------------------------------------------------------------------------------- */

static void texts_and_tokens_give_the_same_rows(void **)
{
  static const int32_t ids[] = { 'b', 'y', 'e' };
  struct al_inference *inference = kit_open(nullptr);
  struct al_str texts[] = { al_str("hello"), al_str("bye"), al_str("hello") };
  struct al_token_span spans[] = { {}, { ids, 3 }, {} };
  struct reply a, b;
  embed(inference, &a, (struct al_embed_request){ .model = "fake-embed", .texts = texts, .n_texts = 3 });
  embed(inference, &b,
        (struct al_embed_request){ .model = "fake-embed", .texts = texts, .tokens = spans, .n_texts = 3 });
  assert_int_equal(a.err.code, AL_OK);
  assert_int_equal(a.n_rows, 3);
  assert_int_equal(a.n_dims, AL_FAKE_N_EMBD);
  assert_int_equal(a.n_tokens, 13);
  assert_memory_equal(a.rows[0], a.rows[2], sizeof a.rows[0]);
  assert_memory_not_equal(a.rows[0], a.rows[1], sizeof a.rows[0]);
  assert_memory_equal(a.rows, b.rows, 3 * sizeof a.rows[0]);
  reply_done(&a);
  reply_done(&b);
  al_inference_free(inference);
}

static void what_is_too_long_is_refused_or_cut(void **)
{
  struct al_inference_options options = { .load = { .n_batch = 20 } };
  struct al_inference *inference = kit_open(&options);
  struct al_str texts[] = { al_str("short"), al_str("a text of many more tokens than that: ä ö ü") };
  struct al_str cut[] = { al_str("short"), al_str("a text of many more ") };
  struct reply a, b;
  embed(inference, &a, (struct al_embed_request){ .model = "fake-embed", .texts = texts, .n_texts = 2 });
  assert_int_equal(a.err.code, AL_INVALID_REQUEST);
  assert_string_equal(a.err.reason, "context_length_exceeded");
  assert_non_null(strstr(a.err.message, "46 tokens"));
  assert_non_null(strstr(a.err.message, "20"));
  reply_done(&a);
  embed(inference, &a,
        (struct al_embed_request){ .model = "fake-embed", .texts = texts, .n_texts = 2, .truncate = true });
  embed(inference, &b, (struct al_embed_request){ .model = "fake-embed", .texts = cut, .n_texts = 2 });
  assert_int_equal(a.err.code, AL_OK);
  assert_int_equal(a.n_tokens, 25);
  assert_memory_equal(a.rows, b.rows, 2 * sizeof a.rows[0]);
  reply_done(&a);
  reply_done(&b);
  al_inference_free(inference);
}

static void refused(struct al_inference *inference, struct al_embed_request request, enum al_code wanted)
{
  struct reply reply;
  struct al_err err = {};
  reply_init(&reply);
  request.done = on_rows;
  request.user = &reply;
  enum al_code code = al_inference_embed(inference, &request, &err);
  if (code == AL_OK) {
    reply_wait(&reply);
    code = reply.err.code;
  }
  assert_int_equal(code, wanted);
  reply_done(&reply);
}

static void what_cannot_be_is_refused(void **)
{
  static const int32_t wrong[] = { -1 };
  struct al_inference *inference = kit_open(nullptr);
  struct al_str text = al_str("x"), none = al_str("");
  struct al_token_span span = { wrong, 1 };
  struct client client;
  struct al_err err = {};
  refused(inference, (struct al_embed_request){ .model = "fake", .texts = &text, .n_texts = 1 }, AL_UNSUPPORTED);
  client_init(&client, "load it");
  client_submit(inference, &client);
  client_wait(&client);
  client_done(&client);
  refused(inference, (struct al_embed_request){ .model = "fake", .texts = &text, .n_texts = 1 }, AL_UNSUPPORTED);
  refused(inference, (struct al_embed_request){ .model = "fake-rerank", .texts = &text, .n_texts = 1 }, AL_UNSUPPORTED);
  refused(inference, (struct al_embed_request){ .model = "fake-embed", .texts = &text, .n_texts = 1, .query = text },
          AL_UNSUPPORTED);
  refused(inference, (struct al_embed_request){ .model = "fake-embed", .texts = &none, .n_texts = 1 },
          AL_INVALID_REQUEST);
  refused(inference, (struct al_embed_request){ .model = "fake-embed", .texts = &text, .tokens = &span, .n_texts = 1 },
          AL_INVALID_REQUEST);
  refused(inference, (struct al_embed_request){ .model = "fake-embed", .texts = &text }, AL_INVALID_REQUEST);
  refused(inference, (struct al_embed_request){ .model = "fake-embed", .texts = &text, .n_texts = 2049 },
          AL_INVALID_REQUEST);
  refused(inference, (struct al_embed_request){ .model = "nowhere", .texts = &text, .n_texts = 1 }, AL_NOT_FOUND);
  client_init(&client, "an embedding model does not chat");
  client.request.model = "fake-embed";
  client_submit(inference, &client); /* it is loaded: what it can do is known by itself */
  client_wait(&client);
  assert_int_equal(client.err.code, AL_UNSUPPORTED);
  assert_int_equal(client.n_started, 0);
  client_done(&client);
  client_init(&client, "nor does one on disk");
  client.request.model = "fake-embed-2";
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_UNSUPPORTED);
  client_done(&client);
  al_inference_free(inference);
}

static void documents_are_scored(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct al_str texts[] = { al_str("zzz"), al_str("abc"), al_str("abz") };
  struct reply reply;
  embed(inference, &reply,
        (struct al_embed_request){ .model = "fake-rerank", .texts = texts, .n_texts = 3, .query = al_str("abcd") });
  assert_int_equal(reply.err.code, AL_OK);
  assert_int_equal(reply.n_dims, 1);
  assert_true(reply.rows[1][0] > reply.rows[2][0] && reply.rows[2][0] > reply.rows[0][0]);
  assert_int_equal(reply.n_tokens, 3 * (4 + 1 + 3));
  reply_done(&reply);
  al_inference_free(inference);
}

static void embeddings_and_answers_share_a_model(void **)
{
  enum { N = 8 };
  struct al_inference *inference = kit_open(nullptr);
  struct client clients[N], alone;
  struct reply replies[N], one;
  struct al_str text = al_str("the same text");
  client_init(&alone, "hello");
  alone.request.model = "fake-both";
  client_submit(inference, &alone);
  client_wait(&alone);
  embed(inference, &one, (struct al_embed_request){ .model = "fake-both", .texts = &text, .n_texts = 1 });
  for (int i = 0; i < N; i++) {
    client_init(&clients[i], "hello");
    clients[i].request.model = "fake-both";
    client_submit(inference, &clients[i]);
    reply_init(&replies[i]);
    struct al_embed_request request = {
      .model = "fake-both", .texts = &text, .n_texts = 1, .done = on_rows, .user = &replies[i]
    };
    assert_int_equal(al_inference_embed(inference, &request, nullptr), AL_OK);
  }
  for (int i = 0; i < N; i++) {
    client_wait(&clients[i]);
    reply_wait(&replies[i]);
    assert_string_equal(client_text(&clients[i]), client_text(&alone));
    assert_memory_equal(replies[i].rows[0], one.rows[0], sizeof one.rows[0]);
    client_done(&clients[i]);
    reply_done(&replies[i]);
  }
  client_done(&alone);
  reply_done(&one);
  al_inference_free(inference);
}

static void a_cancelled_one_is_answered(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct al_str texts[32];
  struct reply reply;
  struct al_cancel *cancel = al_cancel_new();
  for (int i = 0; i < 32; i++)
    texts[i] = al_str("text");
  al_fake_knobs.decode_ns = 2'000'000;
  reply_init(&reply);
  struct al_embed_request request = {
    .model = "fake-embed", .texts = texts, .n_texts = 32, .cancel = cancel, .done = on_rows, .user = &reply
  };
  assert_int_equal(al_inference_embed(inference, &request, nullptr), AL_OK);
  al_cancel_fire(cancel, AL_CANCELLED);
  reply_wait(&reply);
  assert_int_equal(reply.err.code, AL_CANCELLED);
  reply_done(&reply);
  al_cancel_unref(cancel);
  al_inference_free(inference);
}

static void every_allocation_may_fail(void **)
{
  size_t n = 1;
  for (; n < 100; n++) {
    struct al_inference *inference = kit_open(nullptr);
    struct al_str texts[] = { al_str("one"), al_str("another") };
    struct reply reply;
    struct al_err err = {};
    embed(inference, &reply, (struct al_embed_request){ .model = "fake-embed", .texts = texts, .n_texts = 2 });
    reply_done(&reply);
    reply_init(&reply);
    struct al_embed_request request = {
      .model = "fake-embed", .texts = texts, .n_texts = 2, .done = on_rows, .user = &reply
    };
    (void)al_alloc_fail_at(n);
    enum al_code code = al_inference_embed(inference, &request, &err);
    if (code == AL_OK) {
      reply_wait(&reply);
      code = reply.err.code;
    }
    size_t made = al_alloc_fail_at(0);
    assert_int_equal(code, made >= n ? AL_OOM_RAM : AL_OK);
    reply_done(&reply);
    al_inference_free(inference);
    if (made < n)
      break;
  }
  assert_true(n > 5 && n < 100);
}

/* --- tokens ----------------------------------------------------------------------------------------------------- */

static void ask(struct al_inference *inference, struct reply *reply, struct al_token_request request)
{
  struct al_err err = {};
  reply_init(reply);
  request.model = "fake";
  request.done = on_tokens;
  request.user = reply;
  enum al_code code = al_inference_tokens(inference, &request, &err);
  assert_string_equal(err.message, "");
  assert_int_equal(code, AL_OK);
  reply_wait(reply);
}

static void text_and_tokens_there_and_back(void **)
{
  static const int32_t ids[] = { 'a', AL_FAKE_EOS, 0xc3, 0xa4, 0xff }, wrong[] = { 999 };
  struct al_inference *inference = kit_open(nullptr);
  struct reply reply;
  al_fake_knobs.add_bos = true;
  ask(inference, &reply,
      (struct al_token_request){
          .task = AL_TASK_TOKENIZE, .text = al_str("a<|eos|>"), .add_special = true, .parse_special = true });
  assert_string_equal(kit_text(&reply.pieces), "[<|bos|>][a][<|eos|>]");
  assert_int_equal(reply.ids[2], AL_FAKE_EOS);
  assert_int_equal(reply.n_ctx, 4096);
  reply_done(&reply);
  ask(inference, &reply, (struct al_token_request){ .task = AL_TASK_TOKENIZE, .text = al_str("a<|eos|>") });
  assert_int_equal(reply.n_ids, 8);
  reply_done(&reply);
  ask(inference, &reply, (struct al_token_request){ .task = AL_TASK_TOKENIZE });
  assert_int_equal(reply.err.code, AL_OK);
  assert_int_equal(reply.n_ids, 0);
  reply_done(&reply);
  ask(inference, &reply, (struct al_token_request){ .task = AL_TASK_DETOKENIZE, .tokens = { ids, 5 } });
  assert_string_equal(kit_text(&reply.text), "a<|eos|>ä\xef\xbf\xbd");
  reply_done(&reply);
  ask(inference, &reply, (struct al_token_request){ .task = AL_TASK_DETOKENIZE, .tokens = { wrong, 1 } });
  assert_int_equal(reply.err.code, AL_INVALID_REQUEST);
  reply_done(&reply);
  al_inference_free(inference);
}

static void a_chat_is_rendered_and_counted_as_it_would_run(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct client client;
  struct reply rendered, counted;
  client_init(&client, "hello");
  ask(inference, &rendered, (struct al_token_request){ .task = AL_TASK_RENDER, .chat = client.request.chat });
  ask(inference, &counted, (struct al_token_request){ .task = AL_TASK_COUNT, .chat = client.request.chat });
  client_submit(inference, &client);
  client_wait(&client);
  assert_string_equal(kit_text(&rendered.text), "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  assert_int_equal(counted.n_ids, client.n_prompt);
  assert_int_equal(counted.text.size, 0);
  client_done(&client);
  reply_done(&rendered);
  reply_done(&counted);
  struct al_err err = {};
  struct al_token_request nothing = { .model = "fake", .task = AL_TASK_RENDER };
  assert_int_equal(al_inference_tokens(inference, &nothing, &err), AL_INVALID_REQUEST);
  nothing.model = "fake-paint";
  nothing.task = AL_TASK_TOKENIZE;
  assert_int_equal(al_inference_tokens(inference, &nothing, &err), AL_UNSUPPORTED);
  al_inference_free(inference);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(texts_and_tokens_give_the_same_rows, reset),
    cmocka_unit_test_setup(what_is_too_long_is_refused_or_cut, reset),
    cmocka_unit_test_setup(what_cannot_be_is_refused, reset),
    cmocka_unit_test_setup(documents_are_scored, reset),
    cmocka_unit_test_setup(embeddings_and_answers_share_a_model, reset),
    cmocka_unit_test_setup(a_cancelled_one_is_answered, reset),
    cmocka_unit_test_setup(every_allocation_may_fail, reset),
    cmocka_unit_test_setup(text_and_tokens_there_and_back, reset),
    cmocka_unit_test_setup(a_chat_is_rendered_and_counted_as_it_would_run, reset),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
