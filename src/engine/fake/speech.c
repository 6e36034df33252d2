/* What the fake engine says next: a function of the sequence's tokens alone (see fake.h). */
#include "engine/fake/model.h"

#include <assert.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz ";

/* One reply in so many tokens ends by itself when the hash speaks. */
constexpr uint64_t MEAN_REPLY_TOKENS = 32;

static int32_t token_at(const struct al_engine_model *model, const struct fake_sequence *s, int position)
{
  return model->cells[s->cells[position]].token;
}

/* Where the last reply begins: after the newline that ends the last <|im_start|> header; -1 without such a header. */
static int reply_start(const struct al_engine_model *model, const struct fake_sequence *s)
{
  int newline = -1;
  for (int i = s->count - 1; i >= 0; i--) {
    int32_t token = token_at(model, s, i);
    if (token == '\n')
      newline = i;
    if (token == AL_FAKE_IM_START)
      return newline >= 0 ? newline + 1 : -1;
  }
  return -1;
}

/* The longest end of the sequence that is a beginning of the script. */
static int longest_overlap(const struct al_engine_model *model, const struct fake_sequence *s, const int32_t *script,
                           int n_script)
{
  for (int n = n_script < s->count ? n_script : s->count; n > 0; n--) {
    int i = 0;
    while (i < n && token_at(model, s, s->count - n + i) == script[i])
      i++;
    if (i == n)
      return n;
  }
  return 0;
}

static int32_t next_of_script(const struct al_engine_model *model, const struct fake_sequence *s, const char *text)
{
  static constexpr size_t MAX_SCRIPT = 4096;
  int32_t script[MAX_SCRIPT];
  size_t n_script = 0;
  (void)fake_tokenize(model, al_str(text), AL_TOKENIZE_SPECIAL, script, MAX_SCRIPT, &n_script, nullptr);
  assert(n_script <= MAX_SCRIPT);
  int start = reply_start(model, s);
  int said = start >= 0 ? s->count - start : longest_overlap(model, s, script, (int)n_script);
  if (al_fake_knobs.never_ends && n_script > 0)
    said %= (int)n_script;
  return said < (int)n_script ? script[said] : AL_FAKE_IM_END;
}

/* splitmix64's finaliser: spreads a hash's bits. */
static uint64_t mix(uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

static void speak_by_hash(uint64_t hash, float *logits)
{
  for (size_t i = 0; i < sizeof letters - 1; i++) {
    uint64_t bits = mix(hash + i * 0x9e3779b97f4a7c15U);
    logits[(unsigned char)letters[i]] = (float)(bits >> 40) / (float)(1 << 24) * 6.0F;
  }
  if (mix(hash) % MEAN_REPLY_TOKENS == 0 && !al_fake_knobs.never_ends)
    logits[AL_FAKE_IM_END] = 20.0F;
}

void fake_speak(const struct al_engine_model *model, int32_t sequence, float *logits)
{
  const struct fake_sequence *s = &model->sequences[sequence];
  for (int i = 0; i < AL_FAKE_N_VOCAB; i++)
    logits[i] = -30.0F;
  const char *script = al_fake_knobs.script;
  if (script != nullptr)
    logits[next_of_script(model, s, script)] = 20.0F;
  else
    speak_by_hash(model->cells[s->cells[s->count - 1]].hash, logits);
}
