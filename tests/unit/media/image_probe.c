/* Drives the interface of pictures for tests in Python:
 *   image-probe MEDIA read FILE [MAX_PIXELS WIDTH HEIGHT] >pixels    colours, then alpha; what it is, as JSON, to
 * standard error image-probe MEDIA write FORMAT QUALITY WIDTH HEIGHT HAS_ALPHA <pixels >file Exit status 1: refused;
 * standard error then has {"code": ..., "reason": ..., "message": ...}. */
#include "media/image.h"

#include "base/alloc.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int refused(const struct al_err *err)
{
  (void)fprintf(stderr, "{\"code\": \"%s\", \"reason\": \"%s\", \"message\": \"%s\"}\n", al_code_name(err->code),
                err->reason != nullptr ? err->reason : "", err->message);
  return 1;
}

static int number(const char *text)
{
  return (int)strtol(text, nullptr, 10);
}

static int read_picture(int argc, char **argv)
{
  struct al_err err = {};
  AL_CLEANUP(al_fd_close) int fd = -1;
  struct al_media_source source = {};
  if (al_file_open(argv[3], &fd, &source.size_bytes, &err) != AL_OK)
    return refused(&err);
  source.fd = fd;
  struct al_image_want want = {};
  if (argc == 7)
    want = (struct al_image_want){ number(argv[4]), number(argv[5]), number(argv[6]) };
  AL_CLEANUP(al_image_done) struct al_image image = {};
  if (al_image_read(&source, &want, nullptr, &image, &err) != AL_OK)
    return refused(&err);
  size_t n_pixels = (size_t)image.width * (size_t)image.height;
  (void)fwrite(image.rgb, 3, n_pixels, stdout);
  if (image.alpha != nullptr)
    (void)fwrite(image.alpha, 1, n_pixels, stdout);
  struct rusage usage = {};
  (void)getrusage(RUSAGE_CHILDREN, &usage);
  (void)fprintf(stderr, "{\"width\": %d, \"height\": %d, \"alpha\": %s, \"child_kib\": %ld}\n", image.width,
                image.height, image.alpha != nullptr ? "true" : "false", usage.ru_maxrss);
  return 0;
}

static int write_picture(char **argv)
{
  struct al_image_out out = {
    .format = al_image_format_parse(al_str(argv[3])),
    .quality = number(argv[4]),
    .width = number(argv[5]),
    .height = number(argv[6]),
  };
  size_t n_pixels = (size_t)out.width * (size_t)out.height;
  bool has_alpha = number(argv[7]) != 0;
  AL_CLEANUP(al_free_p) uint8_t *pixels = al_alloc(4 * n_pixels + 1);
  if (pixels == nullptr || fread(pixels, has_alpha ? 4 : 3, n_pixels, stdin) != n_pixels)
    return 2;
  out.rgb = pixels;
  out.alpha = has_alpha ? pixels + 3 * n_pixels : nullptr;
  struct al_err err = {};
  AL_CLEANUP(al_buf_done) struct al_buf bytes = {};
  if (al_image_write(&out, nullptr, &bytes, &err) != AL_OK)
    return refused(&err);
  (void)fwrite(bytes.data, 1, bytes.size, stdout);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc > 1)
    al_media_set_program(argv[1]);
  if ((argc == 4 || argc == 7) && strcmp(argv[2], "read") == 0)
    return read_picture(argc, argv);
  if (argc == 8 && strcmp(argv[2], "write") == 0)
    return write_picture(argv);
  return 2;
}
