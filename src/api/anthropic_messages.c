/* Anthropic's conversations, brought to the form of chat templates: thinking becomes reasoning_content, tool_use a call
 * of the assistant's message, tool_result a message of its own. */
#include "api/anthropic.h"

#include <stdio.h>

/* The message being put together. Blocks of one role gather in it until the role changes. */
struct turn {
  struct al_json_writer *w;
  const char *role; /* nullptr: nothing yet */
  bool has_content;
  struct al_buf text, reasoning;
  struct al_buf calls;              /* elements of tool_calls */
  const struct al_json *tools_used; /* content of the last assistant message: names of the calls that results are of */
};

static void turn_done(struct turn *turn)
{
  al_buf_done(&turn->text);
  al_buf_done(&turn->reasoning);
  al_buf_done(&turn->calls);
}

static enum al_code flush(struct turn *turn, struct al_err *err)
{
  AL_TRY(al_buf_check(&turn->text, err));
  AL_TRY(al_buf_check(&turn->reasoning, err));
  AL_TRY(al_buf_check(&turn->calls, err));
  if (!turn->has_content)
    return AL_OK;
  struct al_json_writer *w = turn->w;
  al_jw_object(w);
  al_jw_kv_str(w, "role", turn->role);
  if (turn->reasoning.size > 0)
    al_jw_kv_str_n(w, "reasoning_content", al_buf_view(&turn->reasoning));
  al_jw_kv_str_n(w, "content", al_buf_view(&turn->text));
  if (turn->calls.size > 0) {
    al_jw_key(w, "tool_calls");
    al_jw_array(w);
    al_jw_raw(w, al_buf_view(&turn->calls));
    al_jw_end(w);
  }
  al_jw_end(w);
  al_buf_clear(&turn->text);
  al_buf_clear(&turn->reasoning);
  al_buf_clear(&turn->calls);
  turn->has_content = false;
  return AL_OK;
}

/* --- the assistant's blocks -------------------------------------------------------------------------------------- */

static enum al_code want_id(const struct al_json *block, const char *path, const char *key, struct al_str *id,
                            struct al_err *err)
{
  AL_TRY(al_json_want_str(block, path, key, id, nullptr, err));
  if (id->size > 0)
    return AL_OK;
  char id_path[64];
  al_api_path(id_path, sizeof id_path, path, al_str(key));
  return al_fail_param(err, id_path, "%s is missing", id_path);
}

static enum al_code take_tool_use(struct turn *turn, const struct al_json *block, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "type", "id", "name", "input", "cache_control", "caller", nullptr };
  AL_TRY(al_api_only_keys(block, path, keys, err));
  struct al_str id = {}, name = {};
  AL_TRY(want_id(block, path, "id", &id, err));
  AL_TRY(want_id(block, path, "name", &name, err));
  const struct al_json *input = al_json_get(block, "input");
  char input_path[64];
  al_api_path(input_path, sizeof input_path, path, al_str("input"));
  if (al_json_kind(input) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, input_path, "an object", input);
  if (turn->calls.size > 0)
    al_buf_char(&turn->calls, ',');
  struct al_json_writer w = al_json_writer(&turn->calls);
  al_jw_object(&w);
  al_jw_kv_str_n(&w, "id", id);
  al_jw_kv_str(&w, "type", "function");
  al_jw_key(&w, "function");
  al_jw_object(&w);
  al_jw_kv_str_n(&w, "name", name);
  al_jw_kv_value(&w, "arguments", input);
  al_jw_end(&w);
  al_jw_end(&w);
  return AL_OK;
}

/* The signature is ours and says nothing; a thought that was hidden cannot be given back to the model. */
static enum al_code take_thinking(struct turn *turn, const struct al_json *block, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "type", "thinking", "signature", "cache_control", nullptr };
  AL_TRY(al_api_only_keys(block, path, keys, err));
  struct al_str thinking = {}, signature = {};
  AL_TRY(al_json_want_str(block, path, "thinking", &thinking, nullptr, err));
  AL_TRY(al_json_want_str(block, path, "signature", &signature, nullptr, err));
  al_buf_add(&turn->reasoning, thinking.data, thinking.size);
  return AL_OK;
}

static enum al_code take_assistant_block(struct turn *turn, const struct al_json *block, const char *path,
                                         struct al_err *err)
{
  struct al_str type = {};
  AL_TRY(al_api_anthropic_block_type(block, path, &type, err));
  turn->has_content = true;
  if (al_str_is(type, "text"))
    return al_api_anthropic_text_block(block, path, &turn->text, err);
  if (al_str_is(type, "thinking"))
    return take_thinking(turn, block, path, err);
  if (al_str_is(type, "tool_use"))
    return take_tool_use(turn, block, path, err);
  if (al_str_is(type, "redacted_thinking"))
    return AL_OK; /* sealed by another server: nobody here can read it */
  return al_api_anthropic_refuse_block(block, path, type, err);
}

/* --- the user's blocks ------------------------------------------------------------------------------------------- */

static struct al_str name_of_call(const struct turn *turn, struct al_str id)
{
  struct al_json_iter it = al_json_iter(turn->tools_used);
  while (al_json_next(&it))
    if (al_str_eq(al_json_str(al_json_get(it.value, "id")), id))
      return al_json_str(al_json_get(it.value, "name"));
  return (struct al_str){};
}

static enum al_code take_tool_result(struct turn *turn, const struct al_json *block, const char *path,
                                     struct al_err *err)
{
  static const char *const keys[] = { "type", "tool_use_id", "content", "is_error", "cache_control", nullptr };
  AL_TRY(al_api_only_keys(block, path, keys, err));
  struct al_str id = {};
  bool is_error = false;
  AL_TRY(want_id(block, path, "tool_use_id", &id, err));
  AL_TRY(al_json_want_bool(block, path, "is_error", &is_error, nullptr, err));
  AL_TRY(flush(turn, err));
  AL_CLEANUP(al_buf_done) struct al_buf text = {};
  const struct al_json *content = al_json_get(block, "content");
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str("content"));
  if (content != nullptr && al_json_kind(content) != AL_JSON_NULL)
    AL_TRY(al_api_anthropic_text(content, content_path, &text, err));
  AL_CLEANUP(al_buf_done) struct al_buf whole = {};
  al_buf_str(&whole, is_error ? "Error: " : ""); /* templates know no other way to say it */
  al_buf_add(&whole, text.data, text.size);
  AL_TRY(al_buf_check(&whole, err));
  struct al_str name = name_of_call(turn, id);
  al_jw_object(turn->w);
  al_jw_kv_str(turn->w, "role", "tool");
  al_jw_kv_str_n(turn->w, "content", al_buf_view(&whole));
  if (name.size > 0)
    al_jw_kv_str_n(turn->w, "name", name);
  al_jw_kv_str_n(turn->w, "tool_call_id", id);
  al_jw_end(turn->w);
  return AL_OK;
}

static enum al_code take_user_block(struct turn *turn, const struct al_json *block, const char *path,
                                    struct al_err *err)
{
  struct al_str type = {};
  AL_TRY(al_api_anthropic_block_type(block, path, &type, err));
  if (al_str_is(type, "tool_result"))
    return take_tool_result(turn, block, path, err);
  turn->has_content = true;
  if (al_str_is(type, "text"))
    return al_api_anthropic_text_block(block, path, &turn->text, err);
  return al_api_anthropic_refuse_block(block, path, type, err);
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static enum al_code role_of(const struct al_json *message, const char *path, const char **role, struct al_err *err)
{
  static const char *const roles[] = { "user", "assistant", "system" };
  char role_path[64];
  al_api_path(role_path, sizeof role_path, path, al_str("role"));
  struct al_str name = {};
  AL_TRY(al_json_want_str(message, path, "role", &name, nullptr, err));
  for (size_t i = 0; i < AL_COUNT(roles); i++)
    if (al_str_is(name, roles[i])) {
      *role = roles[i];
      return AL_OK;
    }
  return al_fail_param(err, role_path, "%s must be user, assistant or system", role_path);
}

static enum al_code take_blocks(struct turn *turn, const struct al_json *content, const char *path, struct al_err *err)
{
  bool is_assistant = al_streq(turn->role, "assistant");
  bool is_string = al_json_kind(content) == AL_JSON_STRING;
  if (is_string || al_streq(turn->role, "system")) {
    turn->has_content = true;
    if (is_string && turn->text.size > 0)
      al_buf_char(&turn->text, '\n');
    return al_api_anthropic_text(content, path, &turn->text, err);
  }
  if (al_json_kind(content) != AL_JSON_ARRAY)
    return al_api_wrong_kind(err, path, "a string or an array of blocks", content);
  struct al_json_iter it = al_json_iter(content);
  while (al_json_next(&it)) {
    char block_path[96];
    (void)snprintf(block_path, sizeof block_path, "%s[%zu]", path, it.index);
    AL_TRY(is_assistant ? take_assistant_block(turn, it.value, block_path, err)
                        : take_user_block(turn, it.value, block_path, err));
  }
  if (is_assistant)
    turn->tools_used = content;
  return AL_OK;
}

static enum al_code take_message(struct turn *turn, const struct al_json *message, const char *path, struct al_err *err)
{
  static const char *const keys[] = { "role", "content", nullptr };
  if (al_json_kind(message) != AL_JSON_OBJECT)
    return al_api_wrong_kind(err, path, "an object", message);
  AL_TRY(al_api_only_keys(message, path, keys, err));
  const char *role = nullptr;
  AL_TRY(role_of(message, path, &role, err));
  char content_path[64];
  al_api_path(content_path, sizeof content_path, path, al_str("content"));
  const struct al_json *content = al_json_get(message, "content");
  if (content == nullptr)
    return al_fail_param(err, content_path, "%s is missing", content_path);
  if (!al_streq(turn->role, role))
    AL_TRY(flush(turn, err));
  turn->role = role;
  return take_blocks(turn, content, content_path, err);
}

/* An answer that the client has begun would have to be gone on with in the middle, which templates cannot say. */
static enum al_code check_last(const struct turn *turn, size_t n_messages, struct al_err *err)
{
  if (!al_streq(turn->role, "assistant"))
    return AL_OK;
  char path[48];
  (void)snprintf(path, sizeof path, "messages[%zu].role", n_messages - 1);
  return al_api_unsupported(err, path, "%s: the last message must be the user's: an answer cannot be begun here", path);
}

enum al_code al_api_anthropic_messages_write(const struct al_json *system, const struct al_json *messages,
                                             struct al_json_writer *w, struct al_err *err)
{
  AL_CLEANUP(turn_done) struct turn turn = { .w = w, .role = "system" };
  enum al_json_kind kind = al_json_kind(system);
  if (kind != AL_JSON_ABSENT && kind != AL_JSON_NULL) {
    AL_TRY(al_api_anthropic_text(system, "system", &turn.text, err));
    turn.has_content = turn.text.size > 0;
  }
  struct al_json_iter it = al_json_iter(messages);
  while (al_json_next(&it)) {
    char path[32];
    (void)snprintf(path, sizeof path, "messages[%zu]", it.index);
    AL_TRY(take_message(&turn, it.value, path, err));
  }
  AL_TRY(check_last(&turn, al_json_count(messages), err));
  return flush(&turn, err);
}
