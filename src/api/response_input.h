/* The items of a conversation in the Responses API: checked and completed as they come in, and brought to the messages
 * that chat templates know. */
#ifndef AL_API_RESPONSE_INPUT_H
#define AL_API_RESPONSE_INPUT_H

#include "codec/json.h"

/* What stands before text in an encrypted_content of ours: encoded for the next request, not secret. */
#define AL_API_OPAQUE "allm1:"

/* Checks `input` (a string or an array of items) and appends the items in full form, each with an id, as elements of a
 * JSON array without its brackets. References to stored items stay as they are, and their ids are appended to
 * `references` in the same way. Errors name the place: "input[2].content[0].type". */
enum al_code al_api_items_read(const struct al_json *input, struct al_buf *items, struct al_buf *references,
                               struct al_err *err);

/* Appends `items` with the k-th reference replaced by found[k]. */
enum al_code al_api_items_resolve(const struct al_json *items, const struct al_json *found, struct al_buf *out,
                                  struct al_err *err);

/* Appends `items` with those that a compaction holds in its place. */
enum al_code al_api_items_flatten(const struct al_json *items, struct al_buf *out, struct al_err *err);

/* Writes the messages of full-form items into the open array: reasoning, text and calls that stand together become one
 * assistant's message. */
enum al_code al_api_items_to_messages(const struct al_json *items, struct al_json_writer *w, struct al_err *err);

#endif
