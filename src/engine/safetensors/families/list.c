#include "engine/safetensors/family.h"

#include "base/str.h"

static const struct al_hf_family *const families[] = {
  &al_hf_family_roberta,
  &al_hf_family_roberta_ranking,
  &al_hf_family_modernbert,
  &al_hf_family_nomic,
  &al_hf_family_bert,
  &al_hf_family_bert_ranking,
  &al_hf_family_gemma2,
  &al_hf_family_gemma3,
  &al_hf_family_gemma3_seeing,
  &al_hf_family_mistral,
  &al_hf_family_mistral_windowed,
  &al_hf_family_phi3,
  &al_hf_family_glm4,
  &al_hf_family_glm4moe,
  &al_hf_family_gpt_oss,
  &al_hf_family_nemotron_h,
  &al_hf_family_nemotron_h_moe,
  &al_hf_family_llama,
  &al_hf_family_qwen2,
  &al_hf_family_qwen3,
  &al_hf_family_qwen3moe,
};

enum al_code al_hf_family_find(const char *class_name, const struct al_hf_family **family, struct al_err *err)
{
  for (size_t i = 0; i < AL_COUNT(families); i++)
    for (const char *const *name = families[i]->classes; *name != nullptr; name++)
      if (al_streq(*name, class_name)) {
        *family = families[i];
        return AL_OK;
      }
  return al_fail(err, AL_UNSUPPORTED, "config.json: the architecture %s is not supported", class_name);
}
