/* Decode: packets to frames to mono samples at the wanted rate. Gaps and jumps of the timestamps are passed over: what
 * is heard is what is decoded, one after the other. */
#include "media/convert/convert.h"
#include "media/convert/input.h"
#include "media/convert/output.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <string.h>

constexpr int OUT_SAMPLES = (int)(AL_MEDIA_MAX_PAYLOAD / sizeof(float));

struct decoding {
  struct input input;
  const struct convert_decode *job;
  SwrContext *resampler; /* nullptr until the first frame, and where the frames change */
  AVFrame *frame;
  struct {
    int format, sample_rate;
    AVChannelLayout layout;
  } in; /* what the resampler is made for */
  uint64_t n_samples;
  uint64_t n_packets;
  bool broken; /* the last thing that was read or decoded was an error */
  int n_pending;
  float pending[OUT_SAMPLES];
};

static void tell_info(const struct decoding *d)
{
  const AVFormatContext *container = d->input.container;
  struct al_audio_info info = {
    .sample_rate = d->in.sample_rate,
    .n_channels = d->in.layout.nb_channels,
    .duration_s = container->duration > 0 ? (double)container->duration / AV_TIME_BASE : 0,
  };
  (void)snprintf(info.container, sizeof info.container, "%s", container->iformat->name);
  (void)snprintf(info.codec, sizeof info.codec, "%s", avcodec_get_name(d->input.decoder->codec_id));
  output_frame(AL_MEDIA_INFO, &info, sizeof info);
}

static void flush_samples(struct decoding *d)
{
  if (d->n_pending > 0)
    output_frame(AL_MEDIA_SAMPLES, d->pending, (size_t)d->n_pending * sizeof(float));
  d->n_pending = 0;
}

static void count_samples(struct decoding *d, int n)
{
  if (n <= 0)
    return;
  if (d->n_samples == 0)
    tell_info(d);
  d->n_samples += (uint64_t)n;
  d->n_pending += n;
  if (d->n_samples > d->job->max_samples) {
    flush_samples(d);
    output_fail(AL_MEDIA_TOO_LONG, "");
  }
}

/* Feeds n samples (nullptr: what is left inside comes out) and takes all there is. */
static void resample(struct decoding *d, const uint8_t *const *in, int n)
{
  for (;;) {
    if (d->n_pending == OUT_SAMPLES)
      flush_samples(d);
    uint8_t *out = (uint8_t *)(d->pending + d->n_pending);
    int room = OUT_SAMPLES - d->n_pending;
    int n_out = swr_convert(d->resampler, &out, room, in, n);
    if (n_out < 0)
      output_fail_av(n_out, AL_MEDIA_CORRUPT);
    count_samples(d, n_out);
    if (n_out < room)
      return;
    n = 0; /* full: what remains lies in the resampler's own buffer by now */
  }
}

static void drain_resampler(struct decoding *d)
{
  if (d->resampler != nullptr)
    resample(d, nullptr, 0);
  swr_free(&d->resampler);
}

/* Down-mixing by the standard's coefficients, scaled so that full scale in stays within full scale out. */
static void make_resampler(struct decoding *d)
{
  const AVFrame *frame = d->frame;
  drain_resampler(d);
  int result = av_channel_layout_copy(&d->in.layout, &frame->ch_layout);
  d->in.format = frame->format;
  d->in.sample_rate = frame->sample_rate;
  AVChannelLayout known = d->in.layout;
  if (known.order == AV_CHANNEL_ORDER_UNSPEC) /* four channels without names are quadraphonic, and so on */
    av_channel_layout_default(&known, known.nb_channels);
  const AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
  if (result == 0)
    result = swr_alloc_set_opts2(&d->resampler, &mono, AV_SAMPLE_FMT_FLT, d->job->sample_rate, &known,
                                 (enum AVSampleFormat)frame->format, frame->sample_rate, 0, nullptr);
  if (result == 0)
    result = av_opt_set_double(d->resampler, "rematrix_maxval", 1.0, 0);
  if (result == 0)
    result = swr_init(d->resampler);
  if (result < 0)
    output_fail_av(result, AL_MEDIA_CORRUPT);
}

static bool is_same_kind(const struct decoding *d)
{
  const AVFrame *frame = d->frame;
  return d->resampler != nullptr && frame->format == d->in.format && frame->sample_rate == d->in.sample_rate &&
         av_channel_layout_compare(&frame->ch_layout, &d->in.layout) == 0;
}

static void take_frame(struct decoding *d)
{
  if (d->frame->nb_samples <= 0 || d->frame->sample_rate <= 0 || d->frame->ch_layout.nb_channels <= 0)
    return;
  if (!is_same_kind(d))
    make_resampler(d);
  resample(d, (const uint8_t *const *)d->frame->extended_data, d->frame->nb_samples);
  d->broken = false;
}

/* packet nullptr: the end. A packet that cannot be decoded is left out. */
static void decode_packet(struct decoding *d, const AVPacket *packet)
{
  int result = avcodec_send_packet(d->input.decoder, packet);
  if (result == AVERROR(ENOMEM))
    output_fail_av(result, AL_MEDIA_CORRUPT);
  if (result < 0 && result != AVERROR_EOF)
    d->broken = true;
  for (;;) {
    result = avcodec_receive_frame(d->input.decoder, d->frame);
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF)
      return;
    if (result < 0) {
      d->broken = true;
      return;
    }
    take_frame(d);
    av_frame_unref(d->frame);
  }
}

static void decode_all(struct decoding *d)
{
  AVPacket *packet = av_packet_alloc();
  if (packet == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  int result;
  bool cut_off = false;
  /* PCM of a length that was not known when it was written ends in half a packet, and nothing is wrong. */
  bool is_pcm = av_get_bits_per_sample(d->input.decoder->codec_id) > 0;
  while ((result = av_read_frame(d->input.container, packet)) >= 0) {
    if (packet->stream_index == d->input.stream) {
      d->n_packets++;
      cut_off = !is_pcm && (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
      decode_packet(d, packet);
    }
    av_packet_unref(packet);
  }
  bool broken = d->broken;
  decode_packet(d, nullptr);
  d->broken = broken || cut_off || d->input.failed || result != AVERROR_EOF;
  drain_resampler(d);
  flush_samples(d);
}

void convert_decode_run(const struct convert_decode *job)
{
  static struct decoding decoding;
  struct decoding *d = &decoding;
  d->job = job;
  d->frame = av_frame_alloc();
  if (d->frame == nullptr)
    output_fail(AL_MEDIA_TOO_LARGE, "");
  input_open(&d->input, job);
  decode_all(d);
  if (d->n_samples == 0)
    output_fail(d->n_packets == 0 && !d->broken ? AL_MEDIA_NO_SAMPLES : AL_MEDIA_CORRUPT, "");
  const uint32_t truncated = d->broken ? 1 : 0;
  output_frame(AL_MEDIA_END, &truncated, sizeof truncated);
}
