#include "inference/text_model.h"

#include "base/alloc.h"
#include "inference/impl.h"

AL_DEFINE_CLEANUP(struct al_text_model, al_text_model_free)

enum al_code al_text_model_new(const struct al_loaded *loaded, struct al_text_model **model, struct al_err *err)
{
  AL_CLEANUP(al_text_model_free_p) struct al_text_model *made = al_calloc(1, sizeof *made);
  if (made == nullptr)
    return al_fail_oom(err, sizeof *made);
  made->ops = loaded->engine->text;
  made->model = loaded->model;
  made->syntax = al_syntax_find(loaded->info.chat_template);
  made->grammars = al_grammars_new();
  made->adapters = al_adapters_new();
  if (made->grammars == nullptr || made->adapters == nullptr)
    return al_fail_oom(err, sizeof *made);
  AL_TRY(al_chat_model_new(loaded, &made->chat, err));
  *model = AL_TAKE(made);
  return AL_OK;
}

void al_text_model_free(struct al_text_model *model)
{
  if (model == nullptr)
    return;
  al_adapters_free(model->adapters, model->ops, model->model);
  al_grammars_free(model->grammars);
  al_chat_model_free(model->chat);
  al_free(model);
}

enum al_code al_text_model_of(const struct al_loaded *loaded, struct al_text_model **model, struct al_err *err)
{
  if (loaded->scheduler == nullptr || loaded->attachment == nullptr)
    return al_inference_wrong_kind(loaded->descriptor, "works on text", err);
  *model = loaded->attachment;
  return AL_OK;
}
