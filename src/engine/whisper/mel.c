#include "engine/whisper/mel.h"

#include <math.h>

constexpr double SAMPLE_RATE = 16000.0;
/* Slaney, Auditory Toolbox (1998): linear below 1 kHz, logarithmic above. */
constexpr double LINEAR_HZ_PER_MEL = 200.0 / 3.0;
constexpr double CORNER_HZ = 1000.0;
constexpr double CORNER_MEL = CORNER_HZ / LINEAR_HZ_PER_MEL;

static double log_step(void)
{
  return log(6.4) / 27.0;
}

static double hz_of(double mel)
{
  return mel < CORNER_MEL ? mel * LINEAR_HZ_PER_MEL : CORNER_HZ * exp(log_step() * (mel - CORNER_MEL));
}

static double mel_of(double hz)
{
  return hz < CORNER_HZ ? hz / LINEAR_HZ_PER_MEL : CORNER_MEL + log(hz / CORNER_HZ) / log_step();
}

void al_whisper_mel_filters(int n_mels, float *filters)
{
  double most = mel_of(SAMPLE_RATE / 2.0);
  for (int m = 0; m < n_mels; m++) {
    double low = hz_of(most * m / (n_mels + 1));
    double peak = hz_of(most * (m + 1) / (n_mels + 1));
    double high = hz_of(most * (m + 2) / (n_mels + 1));
    for (int k = 0; k < AL_WHISPER_N_BINS; k++) {
      double hz = SAMPLE_RATE / 2.0 * k / (AL_WHISPER_N_BINS - 1);
      double height = fmax(0.0, fmin((hz - low) / (peak - low), (high - hz) / (high - peak)));
      filters[m * AL_WHISPER_N_BINS + k] = (float)(height * 2.0 / (high - low));
    }
  }
}
