/* FFmpeg is given bytes by input_read and opens nothing itself. */
#include "media/convert/input.h"

#include "media/convert/names.h"
#include "media/convert/output.h"

#include <errno.h>
#include <libavutil/avstring.h>
#include <libavutil/mem.h>
#include <stdckdint.h>
#include <stdio.h>
#include <unistd.h>

constexpr int BUFFER_BYTES = 64 << 10;
constexpr unsigned PROBE_BYTES = 1 << 20;
constexpr int MAX_STREAMS = 64;

static int input_read(void *user, uint8_t *bytes, int size)
{
  struct input *input = user;
  size_t n_wanted = al_min_size((size_t)size, (size_t)(input->size_bytes - input->at));
  if (n_wanted == 0)
    return AVERROR_EOF;
  ssize_t n;
  do
    n = pread(AL_MEDIA_IN_FD, bytes, n_wanted, (off_t)(input->offset + input->at));
  while (n < 0 && errno == EINTR);
  if (n <= 0) {
    input->failed = true;
    return n == 0 ? AVERROR_EOF : AVERROR(EIO);
  }
  input->at += (uint64_t)n;
  return (int)n;
}

static int64_t input_seek(void *user, int64_t offset, int whence)
{
  struct input *input = user;
  int64_t size = (int64_t)input->size_bytes, to;
  whence &= ~AVSEEK_FORCE;
  if (whence == AVSEEK_SIZE)
    return size;
  int64_t from = whence == SEEK_CUR ? (int64_t)input->at : whence == SEEK_END ? size : 0;
  if (ckd_add(&to, from, offset) || to < 0)
    return AVERROR(EINVAL);
  input->at = (uint64_t)(to < size ? to : size); /* beyond the end there is nothing to read either */
  return to;
}

/* A container that names another file: not here. */
static int open_nothing(struct AVFormatContext *container, AVIOContext **io, const char *url, int flags,
                        AVDictionary **options)
{
  (void)container, (void)io, (void)url, (void)flags, (void)options;
  return AVERROR(EPERM);
}

/* What the file is, among all that FFmpeg knows; then whether that is wanted. */
static const AVInputFormat *find_format(AVIOContext *io)
{
  const AVInputFormat *format = nullptr;
  int result = av_probe_input_buffer2(io, &format, "", nullptr, 0, PROBE_BYTES);
  if (result < 0 || format == nullptr)
    output_fail_av(result, AL_MEDIA_UNKNOWN);
  if (av_match_list(format->name, names_of_containers, ',') <= 0)
    output_fail(AL_MEDIA_UNWANTED, format->name);
  return format;
}

static void set_limits(AVFormatContext *container)
{
  container->format_whitelist = av_strdup(names_of_containers);
  container->codec_whitelist = av_strdup(names_of_decoders);
  container->protocol_whitelist = av_strdup("none");
  if (container->format_whitelist == nullptr || container->codec_whitelist == nullptr ||
      container->protocol_whitelist == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  container->io_open = open_nothing;
  container->max_streams = MAX_STREAMS;
}

static void open_container(struct input *input)
{
  unsigned char *buffer = av_malloc(BUFFER_BYTES);
  AVIOContext *io =
      buffer != nullptr ? avio_alloc_context(buffer, BUFFER_BYTES, 0, input, input_read, nullptr, input_seek) : nullptr;
  input->container = avformat_alloc_context();
  if (io == nullptr || input->container == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  const AVInputFormat *format = find_format(io);
  input->container->pb = io;
  set_limits(input->container);
  int result = avformat_open_input(&input->container, "", format, nullptr);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
}

/* Pictures are never looked at, neither to show nor to learn what they are. */
static void find_streams(struct input *input)
{
  AVFormatContext *container = input->container;
  for (unsigned i = 0; i < container->nb_streams; i++)
    if (container->streams[i]->codecpar->codec_type != AVMEDIA_TYPE_AUDIO)
      container->streams[i]->discard = AVDISCARD_ALL;
  int result = avformat_find_stream_info(container, nullptr);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  input->stream = av_find_best_stream(container, AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  if (input->stream < 0)
    output_fail(AL_MEDIA_NO_AUDIO, "");
  for (int i = 0; i < (int)container->nb_streams; i++)
    container->streams[i]->discard = i == input->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

/* Opus by the reference decoder where FFmpeg has it: the one of its own distorts some steady tones audibly. */
static const AVCodec *find_decoder(enum AVCodecID id)
{
  const AVCodec *reference = id == AV_CODEC_ID_OPUS ? avcodec_find_decoder_by_name("libopus") : nullptr;
  return reference != nullptr ? reference : avcodec_find_decoder(id);
}

static void open_decoder(struct input *input)
{
  const AVStream *stream = input->container->streams[input->stream];
  const AVCodec *codec = find_decoder(stream->codecpar->codec_id);
  if (codec == nullptr || av_match_list(codec->name, names_of_decoders, ',') <= 0)
    output_fail(AL_MEDIA_UNSUPPORTED_CODEC, avcodec_get_name(stream->codecpar->codec_id));
  input->decoder = avcodec_alloc_context3(codec);
  if (input->decoder == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  int result = avcodec_parameters_to_context(input->decoder, stream->codecpar);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
  input->decoder->pkt_timebase = stream->time_base; /* or the encoder's delay would not be skipped */
  input->decoder->thread_count = 1;
  result = avcodec_open2(input->decoder, codec, nullptr);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
}

void input_open(struct input *input, const struct convert_decode *job)
{
  *input = (struct input){ .offset = job->offset, .size_bytes = job->size_bytes };
  open_container(input);
  find_streams(input);
  open_decoder(input);
}
