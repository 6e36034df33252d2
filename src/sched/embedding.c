/* Embeddings: texts of all jobs in turn fill a batch between two steps of the generations. A batch that fails is tried
 * text by text, so that only the job of the text that is to blame fails. */
#include "base/alloc.h"
#include "base/log.h"
#include "sched/scheduler_impl.h"

#include <stdckdint.h>

void al_embedding_list_append(struct al_embedding_list *list, struct al_embedding_list *taken)
{
  if (taken->first == nullptr)
    return;
  if (list->last != nullptr)
    list->last->next = taken->first;
  else
    list->first = taken->first;
  list->last = taken->last;
  list->count += taken->count;
  *taken = (struct al_embedding_list){};
}

static struct al_embedding *pop(struct al_embedding_list *list)
{
  struct al_embedding *first = list->first;
  if (first == nullptr)
    return nullptr;
  list->first = first->next;
  if (list->first == nullptr)
    list->last = nullptr;
  first->next = nullptr;
  list->count--;
  return first;
}

static void push(struct al_embedding_list *list, struct al_embedding *embedding)
{
  struct al_embedding_list one = { .first = embedding, .last = embedding, .count = 1 };
  al_embedding_list_append(list, &one);
}

static void free_embedding(struct al_embedding *embedding)
{
  if (embedding == nullptr)
    return;
  al_free(embedding->rows);
  al_free(embedding);
}
AL_DEFINE_CLEANUP(struct al_embedding, free_embedding)

static void end(struct al_embedding *embedding)
{
  bool failed = embedding->err.code != AL_OK;
  embedding->job.done(embedding->job.user, failed ? nullptr : embedding->rows, &embedding->err);
  free_embedding(embedding);
}

/* --- the batch -------------------------------------------------------------------------------------------------- */

static const struct al_embedding_text *text_of(const struct al_embedding_pick *pick)
{
  return &pick->embedding->job.texts[pick->text];
}

static enum al_code need_picks(struct al_scheduler *s, struct al_err *err)
{
  size_t n = (size_t)s->info.n_seq_max, n_bytes;
  if (ckd_mul(&n_bytes, n, (size_t)s->info.n_embd * sizeof *s->embed_rows))
    return al_fail_oom(err, SIZE_MAX);
  if (s->picks == nullptr)
    s->picks = al_calloc(n, sizeof *s->picks);
  if (s->embed_rows == nullptr)
    s->embed_rows = al_alloc(n_bytes);
  return s->picks != nullptr && s->embed_rows != nullptr ? AL_OK : al_fail_oom(err, n_bytes);
}

/* One text of each job in turn, until the batch is full or nothing fits. The first one always fits. */
static void pick_texts(struct al_scheduler *s)
{
  size_t room = al_chunk_limit(&s->chunk, s->n_running > 0);
  s->n_picks = 0;
  for (bool grows = true; grows;) {
    grows = false;
    for (struct al_embedding *e = s->embeddings.first; e != nullptr; e = e->next) {
      if (e->n_begun == e->job.n_texts || s->n_picks == (size_t)s->info.n_seq_max)
        continue;
      size_t n_tokens = e->job.texts[e->n_begun].n_tokens;
      if (n_tokens > room && s->n_picks > 0)
        continue;
      room -= al_min_size(n_tokens, room);
      s->picks[s->n_picks++] = (struct al_embedding_pick){ e, e->n_begun++ };
      grows = true;
    }
  }
}

static enum al_code run(struct al_scheduler *s, const struct al_embedding_pick *picks, size_t n_picks,
                        struct al_err *err)
{
  const struct al_scheduler_options *o = &s->options;
  size_t n_items = 0;
  for (size_t i = 0; i < n_picks; i++) {
    const struct al_embedding_text *text = text_of(&picks[i]);
    for (size_t j = 0; j < text->n_tokens; j++)
      s->items[n_items++] = (struct al_text_item){
        .token = text->tokens[j],
        .position = (int32_t)j,
        .sequence = (int32_t)i,
        .wants_logits = true,
      };
  }
  AL_TRY(al_scheduler_use(s, s->sets.bare, err));
  al_gate_enter(&o->gate);
  enum al_code code = o->ops->embed(o->model, s->items, n_items, s->embed_rows, s->stop, err);
  al_gate_leave(&o->gate);
  return code;
}

static void keep_rows(struct al_scheduler *s, const struct al_embedding_pick *picks, size_t n_picks)
{
  size_t n_embd = (size_t)s->info.n_embd;
  for (size_t i = 0; i < n_picks; i++) {
    struct al_embedding *embedding = picks[i].embedding;
    memcpy(embedding->rows + picks[i].text * n_embd, s->embed_rows + i * n_embd, n_embd * sizeof *s->embed_rows);
    embedding->n_done++;
  }
}

static void blame(struct al_embedding_pick *pick, const struct al_err *err)
{
  struct al_embedding *embedding = pick->embedding;
  if (embedding->err.code != AL_OK)
    return;
  embedding->err = *err;
  if (embedding->job.n_texts > 1)
    (void)al_wrap(&embedding->err, "text %zu", pick->text + 1);
}

static void isolate(struct al_scheduler *s, const struct al_err *whole)
{
  al_log_err(AL_LOG_WARN, "embed_failed", whole);
  for (size_t i = 0; i < s->n_picks && !al_cancelled(s->stop); i++) {
    struct al_err err = *whole;
    enum al_code code = s->n_picks > 1 ? run(s, &s->picks[i], 1, &err) : whole->code;
    if (code == AL_OK)
      keep_rows(s, &s->picks[i], 1);
    else
      blame(&s->picks[i], &err);
  }
}

/* Those that are complete or have failed leave; the head goes to the end, so that the next batch begins with another.
 */
static void end_finished(struct al_scheduler *s)
{
  struct al_embedding_list all = s->embeddings;
  s->embeddings = (struct al_embedding_list){};
  struct al_embedding *head = pop(&all);
  push(&all, head);
  for (struct al_embedding *embedding; (embedding = pop(&all)) != nullptr;) {
    if (embedding->err.code != AL_OK || embedding->n_done == embedding->job.n_texts)
      end(embedding);
    else
      push(&s->embeddings, embedding);
  }
}

void al_scheduler_embed_step(struct al_scheduler *s)
{
  if (s->embeddings.first == nullptr)
    return;
  struct al_err err = {};
  if (need_picks(s, &err) != AL_OK) {
    al_scheduler_drop_embeddings(s, &err);
    return;
  }
  pick_texts(s);
  if (run(s, s->picks, s->n_picks, &err) == AL_OK)
    keep_rows(s, s->picks, s->n_picks);
  else if (al_cancelled(s->stop))
    return;
  else
    isolate(s, &err);
  end_finished(s);
}

void al_scheduler_drop_embeddings(struct al_scheduler *s, const struct al_err *all)
{
  struct al_embedding_list list = s->embeddings;
  s->embeddings = (struct al_embedding_list){};
  for (struct al_embedding *embedding; (embedding = pop(&list)) != nullptr;) {
    enum al_code reason = all != nullptr ? all->code : al_cancel_reason(embedding->job.cancel);
    if (all != nullptr)
      embedding->err = *all;
    else if (reason != AL_OK)
      (void)al_fail(&embedding->err, reason,
                    reason == AL_TIMEOUT ? "the request took too long" : "the request was cancelled");
    if (reason != AL_OK)
      end(embedding);
    else
      push(&s->embeddings, embedding);
  }
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static enum al_code check_job(const struct al_scheduler *s, const struct al_embedding_job *job, struct al_err *err)
{
  const struct al_text_info *info = &s->info;
  if (s->options.ops->embed == nullptr || info->pooling == AL_POOLING_NONE)
    return al_fail(err, AL_UNSUPPORTED, "the model makes no embeddings");
  if (job->n_texts == 0)
    return al_fail(err, AL_INVALID_REQUEST, "there is no text to embed");
  size_t most = (size_t)(info->n_ctx < info->n_batch ? info->n_ctx : info->n_batch);
  for (size_t i = 0; i < job->n_texts; i++)
    if (job->texts[i].n_tokens == 0 || job->texts[i].n_tokens > most)
      return al_fail(err, AL_INVALID_REQUEST, "a text has 1 to %zu tokens here, text %zu has %zu", most, i + 1,
                     job->texts[i].n_tokens);
  return AL_OK;
}

enum al_code al_scheduler_embed(struct al_scheduler *s, const struct al_embedding_job *job, struct al_err *err)
{
  AL_TRY(check_job(s, job, err));
  size_t n_bytes;
  if (ckd_mul(&n_bytes, job->n_texts, (size_t)s->info.n_embd * sizeof(float)))
    return al_fail_oom(err, SIZE_MAX);
  AL_CLEANUP(free_embedding_p) struct al_embedding *embedding = al_calloc(1, sizeof *embedding);
  if (embedding == nullptr || (embedding->rows = al_alloc(n_bytes)) == nullptr)
    return al_fail_oom(err, n_bytes);
  embedding->job = *job;
  AL_TRY(al_scheduler_enqueue_embedding(s, embedding, err));
  embedding = nullptr;
  return AL_OK;
}
