/* The command's way to a server: one that is listening, or a private one that is started and ended with the command. */
#ifndef AL_CLI_CONNECTION_H
#define AL_CLI_CONNECTION_H

#include "cli/cli.h"
#include "cli/form.h"
#include "cli/private_server.h"
#include "codec/json.h"
#include "net/client.h"

struct al_connection {
  struct al_config *config; /* borrowed: where the server is, and the key */
  struct al_private_server own;
  char host[256];
  int port;
};

/* The listening server at the configured address; when none listens there and the address was not named on the command
 * line, or when model_path is given: a private one (which serves model_path too). */
enum al_code al_connection_open(struct al_cli *cli, const char *model_path, struct al_connection *connection,
                                struct al_err *err);
void al_connection_close(struct al_connection *connection);

/* GET; the body parsed. An error answer becomes an error with the server's own message. */
enum al_code al_connection_get(struct al_connection *connection, const char *path, struct al_json_doc **doc,
                               struct al_err *err);

/* POST with a JSON body; the whole answer appended to `answer`. */
enum al_code al_connection_post(struct al_connection *connection, const char *path, struct al_str body,
                                struct al_buf *answer, struct al_err *err);

/* POST with a JSON body; each server-sent event as it comes. on_event returns false to stop. cancel_fd: readable when
 * the user wants it to end (AL_CANCELLED), or -1. */
typedef bool al_connection_event_fn(void *user, struct al_str event, struct al_str data);
enum al_code al_connection_stream(struct al_connection *connection, const char *path, struct al_str body,
                                  al_connection_event_fn *on_event, void *user, int cancel_fd, struct al_err *err);

/* The same with a form and its file for a body. */
enum al_code al_connection_upload(struct al_connection *connection, const char *path, const struct al_form *form,
                                  al_connection_event_fn *on_event, void *user, int cancel_fd, struct al_err *err);

/* POST with a JSON body; the answer's bytes as they come. A sink that stops makes it AL_CANCELLED. */
enum al_code al_connection_download(struct al_connection *connection, const char *path, struct al_str body,
                                    al_http_client_sink *sink, void *user, int cancel_fd, struct al_err *err);

#endif
