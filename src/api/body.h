/* The JSON body of a request. */
#ifndef AL_API_BODY_H
#define AL_API_BODY_H

#include "codec/json.h"
#include "net/http.h"

/* Parses the body, which must be a JSON object. A missing Content-Type passes; one that is not JSON is refused. */
enum al_code al_api_body(const struct al_http_exchange *exchange, struct al_json_doc **doc, struct al_err *err);

/* AL_OK for application/json and application/<anything>+json, with parameters, in any case, and for none at all. */
enum al_code al_api_body_type(struct al_str content_type, struct al_err *err);

#endif
