/* GET /openapi.json: the document that tools/openapi.py writes. */
#include "api/context.h"

static const char document[] = {
#embed "../../docs/openapi.json"
};

void al_api_openapi(struct al_http_exchange *exchange, void *app)
{
  (void)app;
  al_http_reply(exchange, 200, "application/json", al_str_n(document, sizeof document));
}
