#include "api/image_part.h"

#include "api/params.h"

static bool is_base64(struct al_str text)
{
  size_t n_padding = 0;
  while (n_padding < 2 && n_padding < text.size && text.data[text.size - 1 - n_padding] == '=')
    n_padding++;
  for (size_t i = 0; i + n_padding < text.size; i++) {
    char c = text.data[i];
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '+' && c != '/')
      return false;
  }
  return text.size > 0 && text.size % 4 == 0;
}

enum al_code al_api_refuse_image_data(struct al_str type, struct al_str base64, const char *path, struct al_err *err)
{
  if (!al_str_starts(type, al_str("image/")))
    return al_fail_param(err, path, "%s: the media type must be image/...", path);
  if (!is_base64(base64))
    return al_fail_param(err, path, "%s: the image is not valid base64", path);
  return al_api_unsupported(err, path, "%s: the model has no vision: it cannot take images in", path);
}

enum al_code al_api_refuse_image(struct al_str url, const char *path, struct al_err *err)
{
  if (al_str_starts(url, al_str("http://")) || al_str_starts(url, al_str("https://")))
    return al_api_unsupported(err, path, "%s: remote images are not fetched; send a data URL", path);
  const char *comma = url.size > 0 ? memchr(url.data, ',', url.size) : nullptr;
  if (!al_str_starts(url, al_str("data:")) || comma == nullptr)
    return al_fail_param(err, path, "%s must be a data URL: data:image/png;base64,...", path);
  struct al_str head = al_str_n(url.data + 5, (size_t)(comma - url.data) - 5);
  struct al_str data = al_str_n(comma + 1, url.size - (size_t)(comma + 1 - url.data));
  if (!al_str_ends(head, al_str(";base64")))
    return al_fail_param(err, path, "%s: the data URL must be in base64", path);
  return al_api_refuse_image_data(head, data, path, err);
}
