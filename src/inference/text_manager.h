/* TextManager: chats, prompts, embeddings, scores and tokens. Gets the model from the pool, prepares the work on its
 * own threads (task.h), hands it to the model's scheduler and turns what comes back into answers. */
#ifndef AL_INFERENCE_TEXT_MANAGER_H
#define AL_INFERENCE_TEXT_MANAGER_H

#include "inference/inference.h"
#include "sched/pool.h"

struct al_text_manager;

enum al_code al_text_manager_new(struct al_text_manager **manager, struct al_err *err);
/* Once, before anything is submitted. The pool is borrowed: made with al_text_hooks, it outlives the manager's threads.
 * So is the store, where adapters are found. */
void al_text_manager_use(struct al_text_manager *manager, struct al_pool *pool, struct al_store *store);
/* After al_pool_stop: fails what is still being prepared and joins the threads. Accepts nullptr. */
void al_text_manager_stop(struct al_text_manager *manager);
void al_text_manager_free(struct al_text_manager *manager); /* after al_pool_free */

/* Keeps beside each loaded model what text_model.h says. */
struct al_pool_hooks al_text_hooks(void);

enum al_code al_text_manager_submit(struct al_text_manager *manager, const struct al_text_request *request,
                                    struct al_err *err);
enum al_code al_text_manager_embed(struct al_text_manager *manager, const struct al_embed_request *request,
                                   struct al_err *err);
enum al_code al_text_manager_tokens(struct al_text_manager *manager, const struct al_token_request *request,
                                    struct al_err *err);
size_t al_text_manager_n_active(struct al_text_manager *manager); /* not yet answered */

#endif
