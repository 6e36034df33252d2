#include "media/convert/picture_planes.h"

#include "media/convert/output.h"

#include <libavutil/display.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

/* Nothing is saved by haste here: exact rounding, chroma in full resolution. */
constexpr unsigned EXACT_FLAGS = SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
constexpr int CENTRE = 128; /* of a sample of chroma, in 256ths of luma's grid */

static uint8_t *new_plane(int width, int height)
{
  uint8_t *plane = av_malloc((size_t)width * (size_t)height + 64); /* vector code looks beyond the end */
  if (plane == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  return plane;
}

/* FFmpeg says what Exif says as a matrix of which all but four figures are nought. */
struct picture_turn picture_turn_of(const AVFrame *frame)
{
  const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
  if (side == nullptr || side->size < 9 * sizeof(int32_t))
    return (struct picture_turn){};
  int32_t matrix[9];
  memcpy(matrix, side->data, sizeof matrix);
  bool swaps = matrix[0] == 0 && matrix[4] == 0;
  return (struct picture_turn){
    .swaps = swaps,
    .flips_x = matrix[swaps ? 3 : 0] < 0,
    .flips_y = matrix[swaps ? 1 : 4] < 0,
  };
}

/* One component as bytes, whatever the layout and depth it is stored with. */
static void read_component(uint8_t *plane, const AVFrame *frame, const AVPixFmtDescriptor *desc, int component)
{
  static uint16_t line[AL_MEDIA_MAX_SIDE + 1];
  unsigned most = (1U << desc->comp[component].depth) - 1;
  for (int y = 0; y < frame->height; y++, plane += frame->width) {
    av_read_image_line2(line, (const uint8_t **)(uintptr_t)frame->data, frame->linesize, desc, 0, y, component,
                        frame->width, 0, sizeof *line);
    if (most == 255)
      for (int x = 0; x < frame->width; x++)
        plane[x] = (uint8_t)line[x];
    else
      for (int x = 0; x < frame->width; x++)
        plane[x] = (uint8_t)((line[x] * 255U + most / 2) / most);
  }
}

/* Entries of a palette are 0xAARRGGBB, in the machine's own byte order. */
static void read_palette(struct picture_planes *planes, const AVFrame *frame)
{
  static const int shifts[4] = { 16, 8, 0, 24 };
  uint32_t palette[256];
  memcpy(palette, frame->data[1], sizeof palette);
  for (int i = 0; i < 4; i++) {
    uint8_t *plane = planes->plane[i];
    for (int y = 0; y < frame->height; y++, plane += frame->width) {
      const uint8_t *in = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
      for (int x = 0; x < frame->width; x++)
        plane[x] = (uint8_t)(palette[in[x]] >> shifts[i]);
    }
  }
}

static void invert(uint8_t *plane, size_t n)
{
  for (size_t i = 0; i < n; i++)
    plane[i] = (uint8_t)~plane[i];
}

static bool is_opaque(const uint8_t *alpha, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (alpha[i] != 255)
      return false;
  return true;
}

/* Luma and chroma, as JPEG and WebP have them (BT.601, the full range or the studio's); a sample of chroma lies in the
 * middle of what it is for and fades linearly, as in libjpeg and libwebp. */
static void convert_yuv(struct picture_planes *planes, const AVFrame *frame, const AVPixFmtDescriptor *desc)
{
  SwsContext *scaler = sws_alloc_context();
  if (scaler == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  scaler->flags = SWS_BILINEAR | EXACT_FLAGS;
  scaler->src_w = scaler->dst_w = frame->width;
  scaler->src_h = scaler->dst_h = frame->height;
  scaler->src_format = frame->format;
  scaler->dst_format = AV_PIX_FMT_GBRP;
  scaler->src_range = frame->color_range == AVCOL_RANGE_JPEG;
  scaler->dst_range = 1;
  scaler->src_h_chr_pos = desc->log2_chroma_w > 0 ? CENTRE : 0;
  scaler->src_v_chr_pos = desc->log2_chroma_h > 0 ? CENTRE : 0;
  int result = sws_init_context(scaler, nullptr, nullptr);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  uint8_t *const out[] = { planes->plane[1], planes->plane[2], planes->plane[0], nullptr }; /* green, blue, red */
  const int strides[] = { frame->width, frame->width, frame->width, 0 };
  result = sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, out, strides);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  sws_free_context(&scaler);
}

static void check_format(const AVPixFmtDescriptor *desc)
{
  constexpr uint64_t STRANGE =
      AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_XYZ | AV_PIX_FMT_FLAG_BAYER;
  if (desc == nullptr || (desc->flags & STRANGE) != 0 || desc->comp[0].depth > 16)
    output_fail(AL_MEDIA_UNSUPPORTED_CODEC, desc != nullptr ? desc->name : "");
}

static void read_colors(struct picture_planes *planes, const AVFrame *frame, const AVPixFmtDescriptor *desc)
{
  bool is_grey = desc->nb_components < 3;
  if (!is_grey && (desc->flags & AV_PIX_FMT_FLAG_RGB) == 0) {
    convert_yuv(planes, frame, desc);
    return;
  }
  for (int i = 0; i < 3; i++)
    read_component(planes->plane[i], frame, desc, is_grey ? 0 : i);
  for (int i = 0; i < 3 && frame->format == AV_PIX_FMT_MONOWHITE; i++)
    invert(planes->plane[i], (size_t)frame->width * (size_t)frame->height);
}

void picture_planes_from(struct picture_planes *planes, const AVFrame *frame)
{
  const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
  check_format(desc);
  *planes = (struct picture_planes){ .width = frame->width, .height = frame->height };
  bool has_palette = (desc->flags & AV_PIX_FMT_FLAG_PAL) != 0;
  bool has_alpha = has_palette || (desc->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  for (int i = 0; i < (has_alpha ? 4 : 3); i++)
    planes->plane[i] = new_plane(frame->width, frame->height);
  if (has_palette)
    read_palette(planes, frame);
  else
    read_colors(planes, frame, desc);
  uint8_t **alpha = &planes->plane[PICTURE_ALPHA];
  if (has_alpha && !has_palette)
    read_component(*alpha, frame, desc, desc->nb_components - 1);
  if (has_alpha && is_opaque(*alpha, (size_t)frame->width * (size_t)frame->height))
    av_freep((void *)alpha);
}

struct part { /* of a plane */
  int x, y, width, height;
};

/* The largest part in the middle that has the shape of width x height. */
static struct part middle(const struct picture_planes *planes, int width, int height)
{
  int64_t w = planes->width, h = planes->height;
  struct part part = { 0, 0, planes->width, planes->height };
  if (w * height > h * width)
    part.width = (int)((h * width + height / 2) / height);
  else
    part.height = (int)((w * height + width / 2) / width);
  part.width = part.width > 0 ? part.width : 1;
  part.height = part.height > 0 ? part.height : 1;
  part.x = (planes->width - part.width) / 2;
  part.y = (planes->height - part.height) / 2;
  return part;
}

static uint8_t *scale_plane(const uint8_t *plane, int stride, const struct part *part, int width, int height)
{
  SwsContext *scaler = sws_alloc_context();
  if (scaler == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  scaler->flags = SWS_BICUBIC | EXACT_FLAGS;
  scaler->src_w = part->width;
  scaler->src_h = part->height;
  scaler->dst_w = width;
  scaler->dst_h = height;
  scaler->src_format = scaler->dst_format = AV_PIX_FMT_GRAY8;
  scaler->src_range = scaler->dst_range = 1;
  int result = sws_init_context(scaler, nullptr, nullptr);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  uint8_t *scaled = new_plane(width, height);
  const uint8_t *const in[] = { plane + (size_t)part->y * (size_t)stride + part->x, nullptr, nullptr, nullptr };
  uint8_t *const out[] = { scaled, nullptr, nullptr, nullptr };
  const int in_strides[4] = { stride }, out_strides[4] = { width };
  result = sws_scale(scaler, in, in_strides, 0, part->height, out, out_strides);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  sws_free_context(&scaler);
  return scaled;
}

void picture_planes_scale(struct picture_planes *planes, const struct picture_turn *turn, int width, int height)
{
  int w = turn->swaps ? height : width, h = turn->swaps ? width : height;
  if (w == planes->width && h == planes->height)
    return;
  const struct part part = middle(planes, w, h);
  for (int i = 0; i < 4; i++) {
    if (planes->plane[i] == nullptr)
      continue;
    uint8_t *scaled = scale_plane(planes->plane[i], planes->width, &part, w, h);
    av_free(planes->plane[i]);
    planes->plane[i] = scaled;
  }
  planes->width = w;
  planes->height = h;
}

/* Collects bytes into frames. */
struct telling {
  size_t size;
  uint8_t bytes[AL_MEDIA_MAX_PAYLOAD];
};

static void tell_planes(const struct picture_planes *planes, const struct picture_turn *turn, int first, int n)
{
  static struct telling telling;
  int width = turn->swaps ? planes->height : planes->width, height = turn->swaps ? planes->width : planes->height;
  ptrdiff_t step = turn->swaps ? planes->width : 1;
  if (turn->flips_x)
    step = -step;
  for (int row = 0; row < height; row++) {
    int y = turn->flips_y ? height - 1 - row : row, x = turn->flips_x ? width - 1 : 0;
    ptrdiff_t at = turn->swaps ? (ptrdiff_t)x * planes->width + y : (ptrdiff_t)y * planes->width + x;
    for (int i = 0; i < width; i++, at += step) {
      if (telling.size + (size_t)n > sizeof telling.bytes) {
        output_frame(AL_MEDIA_PIXELS, telling.bytes, telling.size);
        telling.size = 0;
      }
      for (int k = 0; k < n; k++)
        telling.bytes[telling.size++] = planes->plane[first + k][at];
    }
  }
  output_frame(AL_MEDIA_PIXELS, telling.bytes, telling.size);
  telling.size = 0;
}

void picture_planes_tell(const struct picture_planes *planes, const struct picture_turn *turn)
{
  bool has_alpha = planes->plane[PICTURE_ALPHA] != nullptr;
  const struct al_media_shape shape = {
    .width = (uint32_t)(turn->swaps ? planes->height : planes->width),
    .height = (uint32_t)(turn->swaps ? planes->width : planes->height),
    .has_alpha = has_alpha ? 1 : 0,
  };
  output_frame(AL_MEDIA_SHAPE, &shape, sizeof shape);
  tell_planes(planes, turn, 0, 3);
  if (has_alpha)
    tell_planes(planes, turn, PICTURE_ALPHA, 1);
}
