#include "engine/llama/yarn.h"

#include "base/str.h"

#include <dlfcn.h>
#include <ggml.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* In the lowest bits of a float's 23 of fraction. */
constexpr uint32_t MARK = 0xa5;
constexpr uint32_t MARK_BITS = 0xff;

static uint32_t bits_of(float value)
{
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

float al_yarn_exact(float beta)
{
  uint32_t bits = (bits_of(beta) & ~MARK_BITS) | MARK;
  memcpy(&beta, &bits, sizeof beta);
  return beta;
}

static bool is_marked(float beta)
{
  return (bits_of(beta) & MARK_BITS) == MARK;
}

static float without_mark(float beta)
{
  uint32_t bits = bits_of(beta) & ~MARK_BITS;
  memcpy(&beta, &bits, sizeof beta);
  return beta;
}

/* Of the model's architecture. */
static float meta_float(const struct llama_model *model, const char *name, float otherwise)
{
  char architecture[64] = "";
  char key[128];
  char text[64];
  (void)llama_model_meta_val_str(model, "general.architecture", architecture, sizeof architecture);
  (void)snprintf(key, sizeof key, "%s.%s", architecture, name);
  if (llama_model_meta_val_str(model, key, text, sizeof text) <= 0)
    return otherwise;
  float value = strtof(text, nullptr);
  return value > 0.0F && isfinite(value) ? value : otherwise;
}

bool al_yarn_betas(const struct llama_model *model, float *beta_fast, float *beta_slow)
{
  char text[8];
  if (llama_model_meta_val_str(model, "allm.rope.yarn_exact", text, sizeof text) <= 0 || !al_streq(text, "true"))
    return false;
  *beta_fast = al_yarn_exact(meta_float(model, "rope.scaling.yarn_beta_fast", 32.0F));
  *beta_slow = al_yarn_exact(meta_float(model, "rope.scaling.yarn_beta_slow", 1.0F));
  return true;
}

/* The dimension that turns `n_turns` times within the original context. */
static float dimension_of(int n_dims, int n_ctx_orig, float n_turns, float base)
{
  constexpr float two_pi = 2.0F * (float)M_PI;
  return (float)n_dims * logf((float)n_ctx_orig / (n_turns * two_pi)) / (2.0F * logf(base));
}

/* As declared in ggml.h. */
[[gnu::visibility("default")]] void ggml_rope_yarn_corr_dims(int n_dims, int n_ctx_orig, float freq_base,
                                                             float beta_fast, float beta_slow, float dims[2])
{
  bool exact = is_marked(beta_fast) && is_marked(beta_slow);
  if (exact) {
    beta_fast = without_mark(beta_fast);
    beta_slow = without_mark(beta_slow);
  }
  float low = dimension_of(n_dims, n_ctx_orig, beta_fast, freq_base);
  float high = dimension_of(n_dims, n_ctx_orig, beta_slow, freq_base);
  dims[0] = fmaxf(exact ? low : floorf(low), 0.0F);
  dims[1] = fminf(exact ? high : ceilf(high), (float)(n_dims - 1));
}

bool al_yarn_is_asked(void)
{
  /* A function's address as the libraries find it. */
  void *found = dlsym(RTLD_DEFAULT, "ggml_rope_yarn_corr_dims");
  return (uintptr_t)found == (uintptr_t)ggml_rope_yarn_corr_dims;
}
