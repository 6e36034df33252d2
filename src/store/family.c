#include "store/family.h"

struct rule {
  const char *name;
  enum al_model_type type;
};

static const struct rule gguf_rules[] = {
  { "bert", AL_TYPE_EMBEDDING },
  { "nomic-bert", AL_TYPE_EMBEDDING },
  { "nomic-bert-moe", AL_TYPE_EMBEDDING },
  { "neo-bert", AL_TYPE_EMBEDDING },
  { "eurobert", AL_TYPE_EMBEDDING },
  { "modern-bert", AL_TYPE_EMBEDDING },
  { "jina-bert-v2", AL_TYPE_EMBEDDING },
  { "jina-bert-v3", AL_TYPE_EMBEDDING },
  { "gemma-embedding", AL_TYPE_EMBEDDING },
  { "t5encoder", AL_TYPE_EMBEDDING },
  { "wavtokenizer-dec", AL_TYPE_TTS },
  { "whisper", AL_TYPE_STT },
  { "sd1", AL_TYPE_IMAGE },
  { "sd3", AL_TYPE_IMAGE },
  { "sdxl", AL_TYPE_IMAGE },
  { "flux", AL_TYPE_IMAGE },
  { "lumina2", AL_TYPE_IMAGE },
  { "qwen_image", AL_TYPE_IMAGE },
};

enum al_model_type al_family_of_gguf(struct al_str architecture)
{
  for (size_t i = 0; i < AL_COUNT(gguf_rules); i++)
    if (al_str_is(architecture, gguf_rules[i].name))
      return gguf_rules[i].type;
  return AL_TYPE_LLM;
}

bool al_family_is_projector(struct al_str architecture)
{
  return al_str_is(architecture, "clip") || al_str_is(architecture, "mmproj");
}

/* Beginnings of architectures that their endings do not give away. */
static const struct rule begins[] = {
  { "Whisper", AL_TYPE_STT }, { "Parakeet", AL_TYPE_STT }, { "Moonshine", AL_TYPE_STT }, { "Speech2Text", AL_TYPE_STT },
  { "Voxtral", AL_TYPE_STT }, { "Vits", AL_TYPE_TTS },     { "Bark", AL_TYPE_TTS },      { "ParlerTTS", AL_TYPE_TTS },
  { "Csm", AL_TYPE_TTS },     { "Dia", AL_TYPE_TTS },      { "Kokoro", AL_TYPE_TTS },
};

static const struct rule ends[] = {
  { "ForCTC", AL_TYPE_STT },
  { "ForSpeechSeq2Seq", AL_TYPE_STT },
  { "ForTextToSpeech", AL_TYPE_TTS },
  { "ForCausalLM", AL_TYPE_LLM },
  { "LMHeadModel", AL_TYPE_LLM },
  { "ForConditionalGeneration", AL_TYPE_LLM },
  { "ForMaskedLM", AL_TYPE_EMBEDDING },
  { "ForSequenceClassification", AL_TYPE_EMBEDDING },
  { "EncoderModel", AL_TYPE_EMBEDDING },
  { "Model", AL_TYPE_EMBEDDING },
};

enum al_model_type al_family_of_config(const struct al_family_hints *hints)
{
  if (hints->is_sentence_model)
    return AL_TYPE_EMBEDDING;
  for (size_t i = 0; i < AL_COUNT(begins); i++)
    if (al_str_starts(hints->architecture, al_str(begins[i].name)))
      return begins[i].type;
  for (size_t i = 0; i < AL_COUNT(ends); i++) {
    if (!al_str_ends(hints->architecture, al_str(ends[i].name)))
      continue;
    return ends[i].type == AL_TYPE_LLM && hints->has_vision ? AL_TYPE_VISION : ends[i].type;
  }
  if (al_str_is(hints->model_type, "whisper"))
    return AL_TYPE_STT;
  return hints->has_vision ? AL_TYPE_VISION : AL_TYPE_LLM;
}

bool al_family_reranks(struct al_str architecture)
{
  return al_str_ends(architecture, al_str("ForSequenceClassification"));
}

unsigned al_family_capabilities(enum al_model_type type)
{
  switch (type) {
  case AL_TYPE_LLM: return AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED; /* by the mean of its outputs */
  case AL_TYPE_EMBEDDING: return AL_CAN_EMBED;
  case AL_TYPE_STT: return AL_CAN_TRANSCRIBE;
  case AL_TYPE_TTS: return AL_CAN_SPEAK;
  case AL_TYPE_IMAGE: return AL_CAN_DRAW;
  case AL_TYPE_VISION: return AL_CAN_CHAT | AL_CAN_COMPLETE | AL_CAN_EMBED | AL_CAN_SEE;
  case AL_TYPE_ADAPTER:
  case AL_TYPE_COUNT: break;
  }
  return 0;
}

/* Of the models that listen: libwhisper's and libparakeet's own files, and Whisper as transformers saves it. */
static const char *listening_runtime(enum al_model_format format, const char *architecture)
{
  if (format == AL_FORMAT_GGML && al_streq(architecture, "parakeet"))
    return "parakeet_cpp";
  bool is_whisper = al_streq(architecture, "whisper") || al_streq(architecture, "WhisperForConditionalGeneration");
  bool is_format = format == AL_FORMAT_GGML || format == AL_FORMAT_SAFETENSORS;
  return is_whisper && is_format ? "whisper_cpp" : "";
}

const char *al_family_runtime(enum al_model_format format, enum al_model_type type, const char *architecture)
{
  bool is_text = type == AL_TYPE_LLM || type == AL_TYPE_EMBEDDING || type == AL_TYPE_VISION;
  if (type == AL_TYPE_STT)
    return listening_runtime(format, architecture);
  if (type == AL_TYPE_TTS && format == AL_FORMAT_NONE)
    return "espeak_ng";
  if (!is_text)
    return "";
  if (format == AL_FORMAT_GGUF)
    return "llama_cpp";
  return format == AL_FORMAT_SAFETENSORS ? "safetensors_cpp" : "";
}
