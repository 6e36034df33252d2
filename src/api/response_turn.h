/* One turn of the Responses API: from a body to a generation that runs, over HTTP or on a socket. */
#ifndef AL_API_RESPONSE_TURN_H
#define AL_API_RESPONSE_TURN_H

#include "api/response.h"

/* Moves the body in. Whatever happens, the exchange (or the socket, which is nullptr over HTTP) is answered. */
void al_api_response_turn(struct al_http_exchange *exchange, struct al_api *api, struct al_json_doc *body,
                          struct al_api_response_socket *socket);

#endif
