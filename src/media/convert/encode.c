/* Encode: samples from descriptor 3 to frames to packets to bytes. All that a piece of samples gave is said before the
 * piece is told as eaten; whatever FFmpeg could hold back for a better file (page sizes, headers with totals) it is
 * told not to. */
#include "media/convert/convert.h"
#include "media/convert/output.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

constexpr int PIECE_SAMPLES = 4096;
constexpr int BUFFER_BYTES = 4096;

static const struct recipe {
  const char *encoder, *container;
  int64_t bit_rate; /* at 24 kHz and above; less below */
  int frame_samples;
  const char *options; /* of the container */
} recipes[AL_AUDIO_FORMAT_COUNT] = {
  [AL_AUDIO_MP3] = { "libmp3lame", "mp3", 96'000, 0, "write_xing=0:id3v2_version=0" },
  [AL_AUDIO_OPUS] = { "libopus", "ogg", 48'000, 0, "page_duration=60000" },
  [AL_AUDIO_AAC] = { "aac", "adts", 96'000, 0, "" },
  [AL_AUDIO_FLAC] = { "flac", "flac", 0, 2048, "" },
  [AL_AUDIO_PCM] = { "pcm_s16le", "s16le", 0, 0, "" },
};

struct encoding {
  const struct convert_encode *job;
  const struct recipe *recipe;
  AVFormatContext *container;
  AVCodecContext *encoder;
  SwrContext *resampler;
  AVAudioFifo *fifo; /* in the encoder's format, until there is a frame of its size */
  AVFrame *frame;
  AVPacket *packet;
  int64_t n_encoded; /* samples, at the encoder's rate */
};

static void require(int result)
{
  if (result < 0)
    output_fail_av(result, AL_MEDIA_BAD_ARGUMENTS);
}

static void require_made(const void *object)
{
  if (object == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
}

static int write_bytes(void *user, const uint8_t *bytes, int size)
{
  (void)user;
  output_long(AL_MEDIA_BYTES, bytes, (size_t)size);
  return size;
}

/* The rate itself where the encoder has it, else the next above, else its highest. */
static int nearest_rate(const int *rates, int n_rates, int wanted)
{
  int above = 0, highest = 0;
  for (int i = 0; i < n_rates; i++) {
    highest = rates[i] > highest ? rates[i] : highest;
    if (rates[i] >= wanted && (above == 0 || rates[i] < above))
      above = rates[i];
  }
  return above > 0 ? above : highest;
}

static int choose_rate(const AVCodec *codec, const struct convert_encode *job)
{
  const void *list = nullptr;
  int n_rates = 0;
  require(avcodec_get_supported_config(nullptr, codec, AV_CODEC_CONFIG_SAMPLE_RATE, 0, &list, &n_rates));
  int wanted = job->out_sample_rate > 0 ? job->out_sample_rate : job->sample_rate;
  int chosen = list != nullptr ? nearest_rate(list, n_rates, wanted) : wanted;
  char name[16];
  (void)snprintf(name, sizeof name, "%d", wanted);
  if (job->out_sample_rate > 0 && chosen != wanted)
    output_fail(AL_MEDIA_BAD_RATE, name);
  return chosen;
}

static enum AVSampleFormat choose_sample_format(const AVCodec *codec)
{
  const void *list = nullptr;
  int n = 0;
  require(avcodec_get_supported_config(nullptr, codec, AV_CODEC_CONFIG_SAMPLE_FORMAT, 0, &list, &n));
  return list != nullptr && n > 0 ? *(const enum AVSampleFormat *)list : AV_SAMPLE_FMT_S16;
}

static void open_encoder(struct encoding *e)
{
  const AVCodec *codec = avcodec_find_encoder_by_name(e->recipe->encoder);
  if (codec == nullptr)
    output_fail(AL_MEDIA_NO_ENCODER, e->recipe->encoder);
  e->encoder = avcodec_alloc_context3(codec);
  require_made(e->encoder);
  AVCodecContext *encoder = e->encoder;
  encoder->sample_rate = choose_rate(codec, e->job);
  encoder->sample_fmt = choose_sample_format(codec);
  encoder->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
  encoder->time_base = (AVRational){ 1, encoder->sample_rate };
  encoder->thread_count = 1;
  encoder->frame_size = e->recipe->frame_samples;
  if (e->recipe->bit_rate > 0) /* MPEG's low rates do not have the high bit rates */
    encoder->bit_rate = encoder->sample_rate >= 22'050 ? e->recipe->bit_rate : e->recipe->bit_rate / 2;
  if ((e->container->oformat->flags & AVFMT_GLOBALHEADER) != 0)
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  require(avcodec_open2(encoder, codec, nullptr));
}

static void open_container(struct encoding *e)
{
  require(avformat_alloc_output_context2(&e->container, nullptr, e->recipe->container, nullptr));
  unsigned char *buffer = av_malloc(BUFFER_BYTES);
  require_made(buffer);
  e->container->pb = avio_alloc_context(buffer, BUFFER_BYTES, 1, nullptr, nullptr, write_bytes, nullptr);
  require_made(e->container->pb);
  e->container->pb->seekable = 0;
  e->container->flags |= AVFMT_FLAG_FLUSH_PACKETS | AVFMT_FLAG_BITEXACT;
  e->container->flush_packets = 1;
  e->container->max_delay = 0;
  e->container->metadata_header_padding = 0;
}

static void write_header(struct encoding *e)
{
  AVStream *stream = avformat_new_stream(e->container, nullptr);
  require_made(stream);
  stream->time_base = e->encoder->time_base;
  require(avcodec_parameters_from_context(stream->codecpar, e->encoder));
  AVDictionary *options = nullptr;
  require(av_dict_parse_string(&options, e->recipe->options, "=", ":", 0));
  require(avformat_write_header(e->container, &options));
  av_dict_free(&options);
  avio_flush(e->container->pb);
}

static void open_resampler(struct encoding *e)
{
  const AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  require(swr_alloc_set_opts2(&e->resampler, &mono, e->encoder->sample_fmt, e->encoder->sample_rate, &mono,
                              AV_SAMPLE_FMT_FLT, e->job->sample_rate, 0, nullptr));
  require(swr_init(e->resampler));
  e->fifo = av_audio_fifo_alloc(e->encoder->sample_fmt, 1, PIECE_SAMPLES);
  require_made(e->fifo);
}

/* frame nullptr: the end. */
static void encode_frame(struct encoding *e, const AVFrame *frame)
{
  require(avcodec_send_frame(e->encoder, frame));
  for (;;) {
    int result = avcodec_receive_packet(e->encoder, e->packet);
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF)
      return;
    require(result);
    e->packet->stream_index = 0;
    av_packet_rescale_ts(e->packet, e->encoder->time_base, e->container->streams[0]->time_base);
    require(av_write_frame(e->container, e->packet));
    av_packet_unref(e->packet);
  }
}

static void encode_from_fifo(struct encoding *e, int n)
{
  AVFrame *frame = e->frame;
  frame->nb_samples = n;
  frame->format = e->encoder->sample_fmt;
  frame->sample_rate = e->encoder->sample_rate;
  frame->ch_layout = e->encoder->ch_layout;
  frame->pts = e->n_encoded;
  require(av_frame_get_buffer(frame, 0));
  require(av_audio_fifo_read(e->fifo, (void **)frame->extended_data, n));
  e->n_encoded += n;
  encode_frame(e, frame);
  av_frame_unref(frame);
}

static void encode_ready(struct encoding *e, bool all)
{
  int frame_samples = e->encoder->frame_size > 0 ? e->encoder->frame_size : PIECE_SAMPLES;
  for (;;) {
    int n = av_audio_fifo_size(e->fifo);
    bool any_size = e->encoder->frame_size == 0 || all;
    if (n == 0 || (n < frame_samples && !any_size))
      return;
    encode_from_fifo(e, n < frame_samples ? n : frame_samples);
  }
}

/* samples nullptr: the resampler's tail. */
static void take_samples(struct encoding *e, const float *samples, int n)
{
  const uint8_t *const in[] = { (const uint8_t *)samples };
  int room = swr_get_out_samples(e->resampler, n);
  require(room);
  if (room == 0)
    return;
  uint8_t *out = nullptr;
  require(av_samples_alloc(&out, nullptr, 1, room, e->encoder->sample_fmt, 0));
  int n_out = swr_convert(e->resampler, &out, room, samples != nullptr ? in : nullptr, n);
  require(n_out);
  require(av_audio_fifo_write(e->fifo, (void **)&out, n_out));
  av_freep((void *)&out);
}

/* Up to `most` whole samples; fewer when no more are there for now. 0: the end. */
static int read_samples(float *samples, int most)
{
  size_t size = 0;
  do {
    ssize_t n = read(AL_MEDIA_IN_FD, (char *)samples + size, (size_t)most * sizeof *samples - size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    size += (size_t)n;
  } while (size % sizeof *samples != 0);
  return (int)(size / sizeof *samples);
}

/* What is not a number would upset an encoder; what is too loud would wrap in none of them, but they differ. */
static void tidy(float *samples, int n)
{
  for (int i = 0; i < n; i++)
    samples[i] = isnan(samples[i]) ? 0.0F : fmaxf(-1.0F, fminf(1.0F, samples[i]));
}

static void finish(struct encoding *e)
{
  take_samples(e, nullptr, 0);
  encode_ready(e, true);
  encode_frame(e, nullptr);
  require(av_write_trailer(e->container));
  avio_flush(e->container->pb);
  const uint32_t truncated = 0;
  output_frame(AL_MEDIA_END, &truncated, sizeof truncated);
}

void convert_encode_run(const struct convert_encode *job)
{
  static float samples[PIECE_SAMPLES];
  struct encoding e = { .job = job, .recipe = &recipes[job->format] };
  if (e.recipe->encoder == nullptr)
    output_fail(AL_MEDIA_BAD_ARGUMENTS, "no such format");
  e.frame = av_frame_alloc();
  e.packet = av_packet_alloc();
  require_made(e.frame);
  require_made(e.packet);
  open_container(&e);
  open_encoder(&e);
  open_resampler(&e);
  write_header(&e);
  uint64_t n_eaten = 0;
  for (int n; (n = read_samples(samples, PIECE_SAMPLES)) > 0;) {
    tidy(samples, n);
    take_samples(&e, samples, n);
    encode_ready(&e, false);
    avio_flush(e.container->pb);
    n_eaten += (uint64_t)n;
    output_frame(AL_MEDIA_EATEN, &n_eaten, sizeof n_eaten);
  }
  finish(&e);
}
