#include "engine/espeak/speak.h"

#include "base/alloc.h"
#include "engine/espeak/library.h"
#include "engine/espeak/ssml.h"
#include "engine/espeak/text.h"

#include <math.h>

/* The library's rate is in words a minute. It is never slower than about 85, and near its top its languages go their
 * own ways (Russian reaches 1.7 times the normal rate where 2 is asked for, Mandarin 2.3): beyond these limits the rest
 * is done by libsonic, which changes the time of speech and leaves its pitch. */
constexpr double SLOWEST_OF_LIBRARY = 0.5;
constexpr double FASTEST_OF_LIBRARY = 1.6;
constexpr size_t MAX_CLEAN_BYTES = (size_t)64 << 20;

struct flow {
  const struct al_espeak_job *job;
  sonicStream stretcher; /* nullptr at speeds that the library has */
  bool is_refused;       /* by the sink */
  bool is_out_of_memory;
};

static bool is_stopped(const struct flow *flow)
{
  return flow->is_refused || flow->is_out_of_memory || al_cancelled(flow->job->stop);
}

static bool give(struct flow *flow, const short *samples, int n)
{
  float block[512];
  while (n > 0 && !is_stopped(flow)) {
    int size = n < (int)AL_COUNT(block) ? n : (int)AL_COUNT(block);
    for (int i = 0; i < size; i++)
      block[i] = (float)samples[i] / 32768.0F;
    flow->is_refused = !flow->job->sink(flow->job->user, block, (size_t)size);
    samples += size;
    n -= size;
  }
  return !is_stopped(flow);
}

/* What has come out of the stretcher so far. */
static bool drain(struct flow *flow)
{
  short block[512];
  int n = 0;
  while ((n = al_espeak.sonicReadShortFromStream(flow->stretcher, block, AL_COUNT(block))) > 0)
    if (!give(flow, block, n))
      return false;
  return true;
}

/* The library's callback, on the thread that speaks; 1 stops it. */
static int on_samples(short *samples, int n, espeak_EVENT *events)
{
  struct flow *flow = events->user_data;
  if (flow == nullptr || is_stopped(flow))
    return 1;
  if (samples == nullptr || n <= 0)
    return 0;
  if (flow->stretcher == nullptr)
    return !give(flow, samples, n);
  flow->is_out_of_memory = al_espeak.sonicWriteShortToStream(flow->stretcher, samples, n) == 0;
  return flow->is_out_of_memory || !drain(flow);
}

/* The sound of <audio> is never fetched; no such element gets here. */
static int on_uri(int type, const char *uri, const char *base)
{
  (void)type, (void)uri, (void)base;
  return 1;
}

void al_espeak_speak_setup(void)
{
  al_espeak.espeak_SetSynthCallback(on_samples);
  al_espeak.espeak_SetUriCallback(on_uri);
}

static enum al_code how_it_went(const struct flow *flow, struct al_err *err)
{
  enum al_code reason = al_cancel_reason(flow->job->stop);
  if (reason != AL_OK)
    return al_fail(err, reason, "the speech was stopped");
  if (flow->is_refused)
    return al_fail(err, AL_CANCELLED, "the speech was stopped");
  if (flow->is_out_of_memory)
    return al_fail(err, AL_OOM_RAM, "out of memory for speech");
  return AL_OK;
}

static enum al_code synthesise(struct flow *flow, const char *text, size_t size, unsigned flags, struct al_err *err)
{
  espeak_ERROR code = al_espeak.espeak_Synth(text, size + 1, 0, POS_CHARACTER, 0,
                                             espeakCHARS_UTF8 | espeakENDPAUSE | flags, nullptr, flow);
  AL_TRY(how_it_went(flow, err));
  return code == EE_OK ? AL_OK : al_fail(err, AL_INTERNAL, "eSpeak NG failed to speak (%d)", (int)code);
}

static enum al_code speak_pieces(struct flow *flow, struct al_str text, struct al_err *err)
{
  char piece[AL_ESPEAK_MAX_PIECE_BYTES + 1];
  while (text.size > 0) {
    size_t n = al_espeak_cut(text);
    memcpy(piece, text.data, n);
    piece[n] = '\0';
    AL_TRY(synthesise(flow, piece, n, 0, err));
    text = al_str_n(text.data + n, text.size - n);
  }
  return AL_OK;
}

static enum al_code speak_ssml(struct flow *flow, struct al_str text, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf document = { .cap_bytes = MAX_CLEAN_BYTES };
  AL_TRY(al_espeak_ssml(text, &document, err));
  return synthesise(flow, document.data, document.size, espeakSSML, err);
}

static double speed_of_library(double speed)
{
  return fmin(fmax(speed, SLOWEST_OF_LIBRARY), FASTEST_OF_LIBRARY);
}

static enum al_code set_up(const struct al_espeak_job *job, struct al_err *err)
{
  int rate = (int)lround(espeakRATE_NORMAL * speed_of_library(job->speed));
  if (al_espeak.espeak_SetVoiceByName(job->voice) != EE_OK)
    return al_fail(err, AL_INTERNAL, "eSpeak NG cannot use its voice '%s'", job->voice);
  if (al_espeak.espeak_SetParameter(espeakRATE, rate, 0) != EE_OK)
    return al_fail(err, AL_INTERNAL, "eSpeak NG cannot speak at %d words a minute", rate);
  return AL_OK;
}

static void stretcher_free(sonicStream *stream)
{
  if (*stream != nullptr)
    al_espeak.sonicDestroyStream(*stream);
}

static enum al_code flush(struct flow *flow, struct al_err *err)
{
  flow->is_out_of_memory = al_espeak.sonicFlushStream(flow->stretcher) == 0;
  if (!flow->is_out_of_memory)
    (void)drain(flow);
  return how_it_went(flow, err);
}

enum al_code al_espeak_speak(const struct al_espeak_job *job, struct al_str text, struct al_err *err)
{
  AL_CLEANUP(al_buf_done) struct al_buf clean = { .cap_bytes = MAX_CLEAN_BYTES };
  al_espeak_clean(text, &clean);
  AL_TRY(al_buf_check(&clean, err));
  AL_TRY(set_up(job, err));
  AL_CLEANUP(stretcher_free) sonicStream stretcher = nullptr;
  double stretch = job->speed / speed_of_library(job->speed);
  if (stretch < 1 || stretch > 1) {
    stretcher = al_espeak.sonicCreateStream(job->sample_rate, 1);
    if (stretcher == nullptr)
      return al_fail(err, AL_OOM_RAM, "out of memory for speech");
    al_espeak.sonicSetSpeed(stretcher, (float)stretch);
  }
  struct flow flow = { .job = job, .stretcher = stretcher };
  if (al_espeak_is_ssml(al_buf_view(&clean)))
    AL_TRY(speak_ssml(&flow, al_buf_view(&clean), err));
  else
    AL_TRY(speak_pieces(&flow, al_buf_view(&clean), err));
  return stretcher != nullptr ? flush(&flow, err) : AL_OK;
}
