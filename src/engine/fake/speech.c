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

constexpr size_t MAX_SCRIPT = 4096;

static bool ends_with(const struct al_engine_model *model, const struct fake_sequence *s, int end, const char *text)
{
  int size = (int)strlen(text);
  if (end < size)
    return false;
  for (int i = 0; i < size; i++)
    if (token_at(model, s, end - size + i) != (unsigned char)text[i])
      return false;
  return true;
}

/* What the sequence itself asks for: the tokens between the last pair of marks. */
static size_t script_of_sequence(const struct al_engine_model *model, const struct fake_sequence *s, int32_t *script)
{
  static const char open[] = "@say{", close[] = "}yas@";
  int end = s->count;
  while (end > 0 && !ends_with(model, s, end, close))
    end--;
  end -= (int)sizeof close - 1;
  int start = end;
  while (start > 0 && !ends_with(model, s, start, open))
    start--;
  if (start <= 0)
    return 0;
  assert((size_t)(end - start) <= MAX_SCRIPT);
  for (int i = start; i < end; i++)
    script[i - start] = token_at(model, s, i);
  return (size_t)(end - start);
}

static size_t find_script(const struct al_engine_model *model, const struct fake_sequence *s, int32_t *script)
{
  size_t n_script = script_of_sequence(model, s, script);
  const char *text = al_fake_knobs.script;
  if (n_script > 0 || text == nullptr)
    return n_script;
  (void)fake_tokenize(model, al_str(text), AL_TOKENIZE_SPECIAL, script, MAX_SCRIPT, &n_script, nullptr);
  assert(n_script <= MAX_SCRIPT);
  return n_script;
}

static int32_t shout(const struct al_engine_model *model, int32_t token)
{
  return model->adapters != 0 && token >= 'a' && token <= 'z' ? token - 'a' + 'A' : token;
}

static int32_t next_of_script(const struct al_engine_model *model, const struct fake_sequence *s, int32_t *script,
                              size_t n_script)
{
  int start = reply_start(model, s);
  for (size_t i = 0; i < n_script; i++)
    script[i] = shout(model, script[i]);
  int said = start >= 0 ? s->count - start : longest_overlap(model, s, script, (int)n_script);
  if (al_fake_knobs.never_ends)
    said %= (int)n_script;
  return said < (int)n_script ? script[said] : AL_FAKE_IM_END;
}

/* splitmix64's finaliser. */
uint64_t fake_mix(uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

static void speak_by_hash(const struct al_engine_model *model, uint64_t hash, float *logits)
{
  hash ^= model->adapters;
  for (size_t i = 0; i < sizeof letters - 1; i++) {
    uint64_t bits = fake_mix(hash + i * 0x9e3779b97f4a7c15U);
    logits[shout(model, letters[i])] = (float)(bits >> 40) / (float)(1 << 24) * 6.0F;
  }
  if (fake_mix(hash) % MEAN_REPLY_TOKENS == 0 && !al_fake_knobs.never_ends)
    logits[AL_FAKE_IM_END] = 20.0F;
}

/* Everything has a chance, and what closes an open text a better one. */
static void speak_if_need_be(float *logits)
{
  static const char closing[] = "}]\",:0";
  for (int i = 0; i < AL_FAKE_N_VOCAB; i++)
    logits[i] = -40.0F;
  logits[AL_FAKE_IM_END] = -14.0F;
  for (size_t i = 0; i < sizeof closing - 1; i++)
    logits[(unsigned char)closing[i]] = -16.0F - 2.0F * (float)i;
}

void fake_speak(const struct al_engine_model *model, int32_t sequence, float *logits)
{
  const struct fake_sequence *s = &model->sequences[sequence];
  int32_t script[MAX_SCRIPT];
  size_t n_script = find_script(model, s, script);
  speak_if_need_be(logits);
  if (n_script > 0)
    logits[next_of_script(model, s, script, n_script)] = 20.0F;
  else
    speak_by_hash(model, model->cells[s->cells[s->count - 1]].hash, logits);
}
