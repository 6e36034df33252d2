/* A picture in: the whole file is one packet for the one decoder that its first bytes name. No demuxer ever sees it. */
#include "media/convert/convert.h"
#include "media/convert/output.h"
#include "media/convert/picture_header.h"
#include "media/convert/picture_planes.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <stdio.h>
#include <unistd.h>

constexpr uint64_t MOST_BYTES_A_PIXEL = 8; /* four channels of 16 bits, not compressed */
constexpr uint64_t MOST_HEADER_BYTES = 16 << 20;
constexpr int64_t ROUNDING_PIXELS = 2 << 20; /* decoders work in whole blocks */

static uint64_t most_file_bytes(const struct convert_read_picture *job)
{
  return MOST_HEADER_BYTES + (uint64_t)job->max_pixels * MOST_BYTES_A_PIXEL;
}

/* The decoder's own picture, and what it keeps of it (coefficients of a progressive JPEG, a GIF's canvas), or that
 * picture and our planes; the file, and what JPEG's decoder makes of it. */
uint64_t convert_read_picture_memory(const struct convert_read_picture *job)
{
  constexpr uint64_t BYTES_A_PIXEL = 14;
  constexpr uint64_t MORE_BYTES = 256 << 20;
  uint64_t file_bytes = job->size_bytes < most_file_bytes(job) ? job->size_bytes : most_file_bytes(job);
  uint64_t wanted = (uint64_t)job->width * (uint64_t)job->height;
  return MORE_BYTES + (uint64_t)job->max_pixels * BYTES_A_PIXEL + wanted * 5 + file_bytes * 2;
}

[[noreturn]] static void too_many_pixels(int64_t width, int64_t height, int64_t most)
{
  char detail[96];
  (void)snprintf(detail, sizeof detail, "%lld x %lld pixels, where %lld are allowed", (long long)width,
                 (long long)height, (long long)most);
  output_fail(AL_MEDIA_TOO_MANY_PIXELS, detail);
}

static void check_size(int64_t width, int64_t height, int64_t most)
{
  if (width > AL_MEDIA_MAX_SIDE || height > AL_MEDIA_MAX_SIDE || width * height > most)
    too_many_pixels(width, height, most);
}

/* nullptr: the file is shorter than its range. */
static AVPacket *read_file(const struct convert_read_picture *job)
{
  if (job->size_bytes > most_file_bytes(job))
    output_fail(AL_MEDIA_TOO_LARGE, "");
  AVPacket *packet = av_packet_alloc();
  if (packet == nullptr || av_new_packet(packet, (int)job->size_bytes) < 0)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  for (size_t at = 0; at < job->size_bytes;) {
    ssize_t n = pread(AL_MEDIA_IN_FD, packet->data + at, job->size_bytes - at, (off_t)(job->offset + at));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      output_fail(AL_MEDIA_CORRUPT, "it is shorter than it was said to be");
    at += (size_t)n;
  }
  packet->flags |= AV_PKT_FLAG_KEY;
  return packet;
}

/* Before memory for the first pixel is taken, whatever the file's header said. */
static int get_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
  const struct convert_read_picture *job = decoder->opaque;
  check_size(decoder->width, decoder->height, job->max_pixels);
  return avcodec_default_get_buffer2(decoder, frame, flags);
}

static AVCodecContext *open_decoder(const struct convert_read_picture *job, const char *name)
{
  const AVCodec *codec = avcodec_find_decoder_by_name(name);
  if (codec == nullptr)
    output_fail(AL_MEDIA_UNSUPPORTED_CODEC, name);
  AVCodecContext *decoder = avcodec_alloc_context3(codec);
  if (decoder == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  decoder->opaque = (void *)(uintptr_t)job;
  decoder->get_buffer2 = get_buffer;
  decoder->max_pixels = job->max_pixels + ROUNDING_PIXELS;
  decoder->idct_algo = FF_IDCT_INT; /* libjpeg's, to the last bit */
  decoder->thread_count = 1;
  decoder->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
  int result = avcodec_open2(decoder, codec, nullptr);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  return decoder;
}

static AVFrame *decode(AVCodecContext *decoder, const AVPacket *packet)
{
  AVFrame *frame = av_frame_alloc();
  if (frame == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  int result = avcodec_send_packet(decoder, packet);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  result = avcodec_receive_frame(decoder, frame);
  if (result == AVERROR(EAGAIN)) {
    (void)!avcodec_send_packet(decoder, nullptr);
    result = avcodec_receive_frame(decoder, frame);
  }
  if (result == AVERROR_EOF || result == AVERROR(EAGAIN))
    output_fail(AL_MEDIA_CORRUPT, "there is no picture in it");
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0)
    output_fail(AL_MEDIA_CORRUPT, "parts of it are missing");
  return frame;
}

/* JPEG's decoder makes an end where there is none, and the rest grey: after the last scan's header there has to be one.
 */
static bool is_cut_off(const char *decoder, const AVPacket *packet)
{
  if (strcmp(decoder, "mjpeg") != 0)
    return false;
  for (int i = packet->size - 1; i > 0; i--) {
    if (packet->data[i - 1] == 0xff && packet->data[i] == 0xd9)
      return false;
    if (packet->data[i - 1] == 0xff && packet->data[i] == 0xda)
      return true;
  }
  return true;
}

void convert_read_picture_run(const struct convert_read_picture *job)
{
  AVPacket *packet = read_file(job);
  const struct picture_header header = picture_header_read(packet->data, (size_t)packet->size);
  if (header.decoder == nullptr)
    output_fail(AL_MEDIA_UNKNOWN, "");
  check_size(header.width, header.height, job->max_pixels);
  if (is_cut_off(header.decoder, packet))
    output_fail(AL_MEDIA_CORRUPT, "its end is missing");
  AVCodecContext *decoder = open_decoder(job, header.decoder);
  AVFrame *frame = decode(decoder, packet);
  avcodec_free_context(&decoder);
  av_packet_free(&packet);
  check_size(frame->width, frame->height, job->max_pixels);
  struct picture_planes planes;
  const struct picture_turn turn = picture_turn_of(frame);
  picture_planes_from(&planes, frame);
  av_frame_free(&frame);
  int width = turn.swaps ? planes.height : planes.width, height = turn.swaps ? planes.width : planes.height;
  picture_planes_scale(&planes, &turn, job->width > 0 ? job->width : width, job->height > 0 ? job->height : height);
  picture_planes_tell(&planes, &turn);
  const uint32_t truncated = 0;
  output_frame(AL_MEDIA_END, &truncated, sizeof truncated);
}
