#include "cli/chat.h"

#include "base/alloc.h"

struct answer {
  al_chat_text_fn *on_text;
  void *user;
  struct al_buf text;
  struct al_chat_result *result;
  struct al_err failure; /* the server's, from an event */
  bool complete;
};

void al_chat_forget(struct al_chat *chat)
{
  for (size_t i = 0; i < chat->n_turns; i++) {
    al_free(chat->turns[i].role);
    al_free(chat->turns[i].text);
  }
  chat->n_turns = 0;
}

void al_chat_done(struct al_chat *chat)
{
  al_chat_forget(chat);
  al_free(chat->turns);
  al_free(chat->system);
}

enum al_code al_chat_add(struct al_chat *chat, const char *role, struct al_str text, struct al_err *err)
{
  void *turns = chat->turns;
  AL_TRY(al_grow(&turns, &chat->turn_capacity, chat->n_turns + 1, sizeof *chat->turns, err));
  chat->turns = turns;
  struct al_chat_turn turn = { al_strdup(role), al_strndup(text.data != nullptr ? text.data : "", text.size) };
  if (turn.role == nullptr || turn.text == nullptr) {
    al_free(turn.role);
    al_free(turn.text);
    return al_fail_oom(err, text.size);
  }
  chat->turns[chat->n_turns++] = turn;
  return AL_OK;
}

void al_chat_body(const struct al_chat *chat, bool stream, struct al_buf *body)
{
  struct al_json_writer w = al_json_writer(body);
  al_jw_object(&w);
  al_jw_kv_str(&w, "model", chat->model);
  al_jw_kv_bool(&w, "stream", stream);
  al_jw_kv_bool(&w, "store", false); /* the conversation is kept here, and nobody looks it up */
  al_jw_kv_str(&w, "truncation", "auto");
  if (chat->system != nullptr)
    al_jw_kv_str(&w, "instructions", chat->system);
  al_jw_key(&w, "input");
  al_jw_array(&w);
  for (size_t i = 0; i < chat->n_turns; i++) {
    al_jw_object(&w);
    al_jw_kv_str(&w, "role", chat->turns[i].role);
    al_jw_kv_str(&w, "content", chat->turns[i].text);
    al_jw_end(&w);
  }
  al_jw_end(&w);
  if (chat->options_json != nullptr)
    al_buf_str(body, chat->options_json);
  al_jw_end(&w);
}

static void take_usage(struct answer *answer, const struct al_json *response)
{
  const struct al_json *usage = al_json_get(response, "usage");
  answer->result->n_prompt = al_json_int(al_json_get(usage, "input_tokens"), 0);
  answer->result->n_completion = al_json_int(al_json_get(usage, "output_tokens"), 0);
}

static void take_failure(struct answer *answer, const struct al_json *error)
{
  struct al_str message = al_json_str(al_json_get(error, "message"));
  if (message.data == nullptr)
    message = al_str("the server reported an error without a message");
  (void)al_fail(&answer->failure, AL_INTERNAL, "%.*s", (int)message.size, message.data);
}

static bool on_event(void *user, struct al_str event, struct al_str data)
{
  struct answer *answer = user;
  (void)event;
  AL_CLEANUP(al_json_doc_free_p) struct al_json_doc *doc = nullptr;
  if (al_str_is(data, "[DONE]") || al_json_parse(data, &doc, &answer->failure) != AL_OK)
    return false;
  const struct al_json *root = al_json_root(doc);
  struct al_str type = al_json_str(al_json_get(root, "type"));
  if (al_str_is(type, "response.output_text.delta")) {
    struct al_str delta = al_json_str(al_json_get(root, "delta"));
    al_buf_add(&answer->text, delta.data, delta.size);
    answer->on_text(answer->user, delta);
    return true;
  }
  const struct al_json *response = al_json_get(root, "response");
  answer->complete = al_str_is(type, "response.completed") || al_str_is(type, "response.incomplete");
  answer->result->incomplete = al_str_is(type, "response.incomplete");
  if (answer->complete)
    take_usage(answer, response);
  else if (al_str_is(type, "response.failed"))
    take_failure(answer, al_json_get(response, "error"));
  else if (al_str_is(type, "error"))
    take_failure(answer, al_json_get(root, "message") != nullptr ? root : al_json_get(root, "error"));
  return !answer->complete && answer->failure.code == AL_OK;
}

enum al_code al_chat_say(struct al_chat *chat, struct al_str text, al_chat_text_fn *on_text, void *user, int cancel_fd,
                         struct al_chat_result *result, struct al_err *err)
{
  AL_TRY(al_chat_add(chat, "user", text, err));
  AL_CLEANUP(al_buf_done) struct al_buf body = {};
  al_chat_body(chat, true, &body);
  AL_TRY(al_buf_check(&body, err));
  struct answer answer = { .on_text = on_text, .user = user, .result = result };
  enum al_code code =
      al_connection_stream(chat->connection, "/v1/responses", al_buf_view(&body), on_event, &answer, cancel_fd, err);
  if (code == AL_OK && answer.failure.code != AL_OK) {
    *err = answer.failure;
    code = answer.failure.code;
  }
  if (code == AL_OK && !answer.complete)
    code = al_fail(err, AL_INTERNAL, "the connection ended in the middle of the answer");
  if (answer.text.size > 0) {
    enum al_code kept = al_chat_add(chat, "assistant", al_buf_view(&answer.text), err);
    code = code != AL_OK ? code : kept;
  }
  al_buf_done(&answer.text);
  return code;
}
