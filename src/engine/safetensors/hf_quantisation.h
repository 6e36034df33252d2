/* quantization_config of config.json: checkpoints whose weights are packed. FP8 with scales is read (fp8.h), MXFP4 by
 * the families that have it; others (GPTQ, AWQ, bitsandbytes, ...) are AL_UNSUPPORTED by name. */
#ifndef AL_ENGINE_SAFETENSORS_HF_QUANTISATION_H
#define AL_ENGINE_SAFETENSORS_HF_QUANTISATION_H

#include "base/err.h"
#include "codec/json.h"

#include <stdint.h>

struct al_hf_quantisation {
  bool fp8;
  int64_t block_rows; /* elements that share a scale; 0: the shape of the scales tells */
  int64_t block_cols;
};

enum al_code al_hf_quantisation_read(const struct al_json *root, struct al_hf_quantisation *quantisation,
                                     struct al_err *err);

/* By the name alone ("gptq", in any case): what cannot run. The advice says what to take instead. */
enum al_code al_hf_quantisation_check(struct al_str method, struct al_err *err);

#endif
