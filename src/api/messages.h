/* Conversations from requests to the form chat templates know (Hugging Face's): an array of {"role", "content"} with
 * content a string. */
#ifndef AL_API_MESSAGES_H
#define AL_API_MESSAGES_H

#include "codec/json.h"

/* A kind of content part that holds text: {"type": type, key: "..."}. */
struct al_api_part_kind {
  const char *type;
  const char *key;
};

/* Appends the text of `content`: a string, or an array of text parts, which are joined with newlines. Images, sounds
 * and files are refused with the path of their type ("messages[2].content[0].type"). */
enum al_code al_api_content_read(const struct al_json *content, const char *path, const struct al_api_part_kind *kinds,
                                 size_t n_kinds, struct al_buf *out, struct al_err *err);

/* Chat Completions' messages: writes the elements into the open array. developer becomes system. */
enum al_code al_api_messages_write(const struct al_json *messages, struct al_json_writer *w, struct al_err *err);

#endif
