/* Images in requests: checked for their form, then refused, since no model here has eyes yet. */
#ifndef AL_API_IMAGE_PART_H
#define AL_API_IMAGE_PART_H

#include "base/err.h"
#include "base/str.h"

/* Always fails: AL_UNSUPPORTED for a data URL of an image that is well-formed ("the model has no vision") and for the
 * address of a remote one, AL_INVALID_REQUEST for anything else. `path` names the field. */
enum al_code al_api_refuse_image(struct al_str url, const char *path, struct al_err *err);

/* The same for a media type ("image/png") and base64 text apart. */
enum al_code al_api_refuse_image_data(struct al_str type, struct al_str base64, const char *path, struct al_err *err);

#endif
