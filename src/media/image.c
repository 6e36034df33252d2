/* Pictures and the formats that they are delivered in: one row each. */
#include "media/image.h"

#include "base/alloc.h"

static const struct {
  const char *name, *content_type;
} formats[AL_IMAGE_FORMAT_COUNT] = {
  [AL_IMAGE_PNG] = { "png", "image/png" },
  [AL_IMAGE_JPEG] = { "jpeg", "image/jpeg" },
  [AL_IMAGE_WEBP] = { "webp", "image/webp" },
};

void al_image_done(struct al_image *image)
{
  al_free(image->rgb);
  al_free(image->alpha);
  *image = (struct al_image){};
}

const char *al_image_format_name(enum al_image_format format)
{
  return formats[format].name;
}

const char *al_image_format_content_type(enum al_image_format format)
{
  return formats[format].content_type;
}

enum al_image_format al_image_format_parse(struct al_str name)
{
  for (size_t i = 0; i < AL_COUNT(formats); i++)
    if (al_str_is(name, formats[i].name))
      return (enum al_image_format)i;
  return AL_IMAGE_FORMAT_COUNT;
}
