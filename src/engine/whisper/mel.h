/* The mel filter bank of Whisper. */
#ifndef AL_ENGINE_WHISPER_MEL_H
#define AL_ENGINE_WHISPER_MEL_H

#include "codec/whisper_layout.h"

/* filters: float[n_mels][AL_WHISPER_N_BINS]. Triangles on Slaney's mel scale from 0 to 8 kHz, each of area one (librosa
 * filters.mel with its defaults, transformers' mel_filter_bank with norm and mel_scale "slaney"). */
void al_whisper_mel_filters(int n_mels, float *filters);

#endif
