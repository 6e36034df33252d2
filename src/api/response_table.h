/* The tables of stored responses. Private to response_store.c, whose thread alone touches them. */
#ifndef AL_API_RESPONSE_TABLE_H
#define AL_API_RESPONSE_TABLE_H

#include "api/response_store.h"
#include "base/buf.h"

struct al_response_table;

enum al_code al_response_table_open(const char *directory, struct al_response_table **table, struct al_err *err);
void al_response_table_close(struct al_response_table *table); /* accepts nullptr */

enum al_code al_response_table_put(struct al_response_table *table, const struct al_response_record *record,
                                   struct al_err *err);
/* Lets go of the record that get has found. */
void al_response_table_rest(struct al_response_table *table);
/* The record is borrowed until rest or the next get. AL_NOT_FOUND. */
enum al_code al_response_table_get(struct al_response_table *table, struct al_str id, struct al_response_record *record,
                                   struct al_err *err);
enum al_code al_response_table_delete(struct al_response_table *table, struct al_str id, struct al_err *err);
/* Appends the items of a conversation, without the array's brackets. */
enum al_code al_response_table_context(struct al_response_table *table, struct al_str last_id, struct al_buf *items,
                                       struct al_err *err);
/* Likewise the one item with this id, of the newest response that has it. */
enum al_code al_response_table_item(struct al_response_table *table, struct al_str id, struct al_buf *items,
                                    struct al_err *err);

/* What unfinished responses of processes that are gone become. */
enum al_code al_response_table_fail_orphans(struct al_response_table *table, struct al_err *err);
/* Either limit may be 0. *n_bytes is what is left. */
enum al_code al_response_table_prune(struct al_response_table *table, int64_t oldest_s, int64_t max_bytes,
                                     int64_t *n_bytes, struct al_err *err);

#endif
