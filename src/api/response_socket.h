/* The Responses API on a WebSocket: response.create messages in, one at a time; events out, as JSON. A connection
 * remembers its last responses, stored or not, so that the next turn needs nothing but its new items.
 *
 * Shared by reference between the connection and the response that runs. Thread-safe; its lock is a leaf. */
#ifndef AL_API_RESPONSE_SOCKET_H
#define AL_API_RESPONSE_SOCKET_H

#include "api/response.h"

struct al_api_response_socket;

struct al_api_response_socket *al_api_response_socket_ref(struct al_api_response_socket *socket);
void al_api_response_socket_unref(struct al_api_response_socket *socket); /* accepts nullptr */

/* The conversation that ends with this response, items without brackets; false: not one of this connection's. */
bool al_api_response_socket_find(struct al_api_response_socket *socket, struct al_str id, struct al_buf *items);
/* A response has ended with this object: remembered unless it failed. */
void al_api_response_socket_keep(struct al_api_response *response, struct al_str object);
/* The turn is over, but for its last event: whoever reads that may send the next. */
void al_api_response_socket_release(struct al_api_response_socket *socket);
/* The turn is over without events of its own. */
void al_api_response_socket_fail(struct al_api_response_socket *socket, const struct al_err *err);

#endif
