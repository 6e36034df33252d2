/* A picture out: pixels from descriptor 3, one frame for one of FFmpeg's encoders, one packet that is the file. */
#include "media/convert/convert.h"
#include "media/convert/output.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <unistd.h>

constexpr int FINE_QUALITY = 90; /* a JPEG from here on keeps colours in full resolution */

static const char *const encoders[AL_IMAGE_FORMAT_COUNT] = {
  [AL_IMAGE_PNG] = "png",
  [AL_IMAGE_JPEG] = "mjpeg",
  [AL_IMAGE_WEBP] = "libwebp",
};

/* The tables of ITU T.81, annex K, which everybody's quality scales. */
static const uint8_t luma_steps[64] = {
  16, 11,  10,  16, 24, 40, 51, 61, 12,  12,  14,  19,  26, 58, 60, 55,  14,  13,  16,  24, 40, 57,
  69, 56,  14,  17, 22, 29, 51, 87, 80,  62,  18,  22,  37, 56, 68, 109, 103, 77,  24,  35, 55, 64,
  81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99,
};
static const uint8_t chroma_steps[64] = {
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
  99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
};

uint64_t convert_write_picture_memory(const struct convert_write_picture *job)
{
  constexpr uint64_t MORE_BYTES = 256 << 20;
  uint64_t bytes_a_pixel = job->format == AL_IMAGE_WEBP ? 80 : 24; /* WebP without loss remembers every match */
  return MORE_BYTES + (uint64_t)job->width * (uint64_t)job->height * bytes_a_pixel;
}

static void require(int result)
{
  if (result < 0)
    output_fail_av(result, AL_MEDIA_BAD_ARGUMENTS);
}

static void require_made(const void *made)
{
  if (made == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
}

static void read_pixels(uint8_t *bytes, size_t size)
{
  for (size_t at = 0; at < size;) {
    ssize_t n = read(AL_MEDIA_IN_FD, bytes + at, size - at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      output_fail(AL_MEDIA_BAD_ARGUMENTS, "the picture ended too soon");
    at += (size_t)n;
  }
}

static AVFrame *new_frame(const struct convert_write_picture *job, enum AVPixelFormat format)
{
  AVFrame *frame = av_frame_alloc();
  require_made(frame);
  frame->format = format;
  frame->width = job->width;
  frame->height = job->height;
  require(av_frame_get_buffer(frame, 0));
  return frame;
}

static void read_colors(const struct convert_write_picture *job, AVFrame *frame)
{
  for (int y = 0; y < job->height; y++)
    read_pixels(frame->data[0] + (ptrdiff_t)y * frame->linesize[0], 3 * (size_t)job->width);
}

/* The four channels side by side, in the order of the format: red lies at `red`, blue at 2 - `red`. */
static void read_channels(const struct convert_write_picture *job, AVFrame *frame, int red)
{
  static uint8_t line[3 * AL_MEDIA_MAX_SIDE];
  for (int y = 0; y < job->height; y++) {
    uint8_t *out = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
    read_pixels(line, 3 * (size_t)job->width);
    const uint8_t *in = line;
    for (int x = 0; x < job->width; x++, in += 3, out += 4) {
      out[red] = in[0];
      out[1] = in[1];
      out[2 - red] = in[2];
      out[3] = 255;
    }
  }
  for (int y = 0; y < job->height && job->has_alpha; y++) {
    uint8_t *out = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
    read_pixels(line, (size_t)job->width);
    for (int x = 0; x < job->width; x++)
      out[4 * x + 3] = line[x];
  }
}

static AVFrame *to_yuv(const struct convert_write_picture *job, AVFrame *rgb)
{
  AVFrame *frame = new_frame(job, job->quality >= FINE_QUALITY ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P);
  frame->color_range = AVCOL_RANGE_JPEG;
  SwsContext *scaler = sws_alloc_context();
  require_made(scaler);
  scaler->flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
  scaler->src_w = scaler->dst_w = job->width;
  scaler->src_h = scaler->dst_h = job->height;
  scaler->src_format = rgb->format;
  scaler->dst_format = frame->format;
  scaler->src_range = scaler->dst_range = 1;
  if (frame->format == AV_PIX_FMT_YUV420P)
    scaler->dst_h_chr_pos = scaler->dst_v_chr_pos = 128; /* in the middle of four, as JPEG has it */
  require(sws_init_context(scaler, nullptr, nullptr));
  require(sws_scale(scaler, (const uint8_t *const *)rgb->data, rgb->linesize, 0, job->height, frame->data,
                    frame->linesize));
  sws_free_context(&scaler);
  av_frame_free(&rgb);
  return frame;
}

static AVFrame *read_frame(const struct convert_write_picture *job)
{
  if (job->format == AL_IMAGE_WEBP || job->has_alpha) {
    bool is_webp = job->format == AL_IMAGE_WEBP;
    AVFrame *frame = new_frame(job, is_webp ? AV_PIX_FMT_RGB32 : AV_PIX_FMT_RGBA);
    read_channels(job, frame, is_webp ? 2 : 0);
    return frame;
  }
  AVFrame *frame = new_frame(job, AV_PIX_FMT_RGB24);
  read_colors(job, frame);
  return job->format == AL_IMAGE_JPEG ? to_yuv(job, frame) : frame;
}

/* As libjpeg scales them; the encoder takes them as they are at a scale of 8. */
static uint16_t *scaled_steps(const uint8_t steps[64], int quality)
{
  int percent = quality < 1 ? 5000 : quality < 50 ? 5000 / quality : 200 - 2 * quality;
  uint16_t *scaled = av_malloc(64 * sizeof *scaled);
  require_made(scaled);
  for (int i = 0; i < 64; i++) {
    int step = (steps[i] * percent + 50) / 100;
    scaled[i] = (uint16_t)(step < 1 ? 1 : step > 255 ? 255 : step);
  }
  return scaled;
}

static void set_quality(AVCodecContext *encoder, const struct convert_write_picture *job)
{
  bool lossless = job->quality == 100;
  switch (job->format) {
  case AL_IMAGE_PNG: require(av_opt_set(encoder->priv_data, "pred", "mixed", 0)); return;
  case AL_IMAGE_JPEG:
    encoder->flags |= AV_CODEC_FLAG_QSCALE;
    encoder->global_quality = 8 * FF_QP2LAMBDA;
    encoder->intra_matrix = scaled_steps(luma_steps, job->quality);
    encoder->chroma_intra_matrix = scaled_steps(chroma_steps, job->quality);
    encoder->color_range = AVCOL_RANGE_JPEG;
    return;
  case AL_IMAGE_WEBP:
    require(av_opt_set_int(encoder->priv_data, "lossless", lossless, 0));
    require(av_opt_set_double(encoder->priv_data, "quality", lossless ? 70 : job->quality, 0)); /* then: effort */
    return;
  case AL_IMAGE_FORMAT_COUNT: break;
  }
}

static AVCodecContext *open_encoder(const struct convert_write_picture *job, const AVFrame *frame)
{
  const AVCodec *codec = avcodec_find_encoder_by_name(encoders[job->format]);
  if (codec == nullptr)
    output_fail(AL_MEDIA_NO_ENCODER, encoders[job->format]);
  AVCodecContext *encoder = avcodec_alloc_context3(codec);
  require_made(encoder);
  encoder->width = job->width;
  encoder->height = job->height;
  encoder->pix_fmt = (enum AVPixelFormat)frame->format;
  encoder->time_base = (AVRational){ 1, 1 };
  encoder->flags |= AV_CODEC_FLAG_BITEXACT; /* and no word about who wrote it */
  encoder->thread_count = 1;
  set_quality(encoder, job);
  require(avcodec_open2(encoder, codec, nullptr));
  return encoder;
}

void convert_write_picture_run(const struct convert_write_picture *job)
{
  AVFrame *frame = read_frame(job);
  AVCodecContext *encoder = open_encoder(job, frame);
  AVPacket *packet = av_packet_alloc();
  require_made(packet);
  frame->pts = 0;
  frame->quality = encoder->global_quality;
  require(avcodec_send_frame(encoder, frame));
  int result = avcodec_receive_packet(encoder, packet);
  if (result == AVERROR(EAGAIN)) {
    require(avcodec_send_frame(encoder, nullptr));
    result = avcodec_receive_packet(encoder, packet);
  }
  require(result);
  output_long(AL_MEDIA_BYTES, packet->data, (size_t)packet->size);
  const uint32_t truncated = 0;
  output_frame(AL_MEDIA_END, &truncated, sizeof truncated);
}
