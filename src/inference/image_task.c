/* A drawing: its pictures are read by an "al-look" thread, the model is asked for, and the model's worker draws. What
 * is drawn is encoded there and then: a process and some tens of milliseconds a picture, little beside its drawing. */
#include "base/alloc.h"
#include "base/clock.h"
#include "inference/image_manager.h"
#include "inference/worker_task.h"
#include "sched/rng.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

constexpr int64_t PROGRESS_EVERY_NS = 100 * AL_NS_PER_MS;
constexpr int MOST_SIDE = 8192; /* beyond what any model draws: the pictures are scaled before the model is asked */
constexpr int TRIAL_SIDE = 64;  /* for a file that is read before the size is known, to tell that it is a picture */
constexpr uint64_t SEEDS_BY_LOT = (uint64_t)1 << 32; /* short enough to be told, and exact in every client's numbers */

struct drawing {
  struct al_worker_task work; /* first */
  struct al_image_manager *manager;
  struct al_image_request request; /* strings in the arena; its descriptors are our own, -1: none */
  struct al_image image, mask;     /* as read; pixels of the mask: how much is drawn anew */
  struct al_picture picture;       /* `image` for the engine */
  size_t held_bytes;
  bool is_again;           /* on a prepare thread with the lease */
  struct al_buf file;      /* the picture that is being told */
  struct al_err write_err; /* why a picture could not be encoded */
  int64_t told_ns;         /* when progress was last told */
};

static void tell(struct drawing *d, const struct al_image_event *event)
{
  d->request.on_event(d->request.user, event);
}

static void tell_start(struct al_worker_task *work)
{
  tell((struct drawing *)work, &(struct al_image_event){ .kind = AL_IMAGE_STARTED });
}

static void tell_end(struct al_worker_task *work, const struct al_err *err)
{
  tell((struct drawing *)work,
       &(struct al_image_event){ .kind = err != nullptr ? AL_IMAGE_FAILED : AL_IMAGE_DONE, .err = err });
}

/* --- the files -------------------------------------------------------------------------------------------------- */

static void let_go(struct drawing *d)
{
  al_image_done(&d->image);
  al_image_done(&d->mask);
  al_image_manager_let_go(d->manager, d->held_bytes);
  d->held_bytes = 0;
}

static enum al_code read_file(const struct drawing *d, const char *param, const struct al_image_want *want,
                              struct al_image *image, struct al_err *err)
{
  const struct al_media_source *file = al_streq(param, "mask") ? &d->request.mask : &d->request.image;
  struct al_err why = {};
  enum al_code code = al_image_read(file, want, d->work.job.cancel, image, &why);
  if (code == AL_OK) {
    assert(image->width == want->width && image->height == want->height);
    return AL_OK;
  }
  if (code == AL_INVALID_REQUEST && why.param[0] == '\0')
    (void)snprintf(why.param, sizeof why.param, "%s", param);
  if (err != nullptr)
    *err = why;
  return code;
}

/* Both of the size that is wanted. */
static enum al_code read_files(struct drawing *d, int width, int height, struct al_err *err)
{
  constexpr size_t PIXEL_BYTES = 4; /* colours and transparency */
  bool has_mask = d->request.mask.size_bytes > 0;
  size_t n_bytes = (size_t)width * (size_t)height * PIXEL_BYTES * (has_mask ? 2 : 1);
  struct al_image_want want = { .width = width, .height = height };
  let_go(d);
  AL_TRY(al_image_manager_hold(d->manager, n_bytes, err));
  d->held_bytes = n_bytes;
  AL_TRY(read_file(d, "image", &want, &d->image, err));
  return has_mask ? read_file(d, "mask", &want, &d->mask, err) : AL_OK;
}

static enum al_code probe(struct al_task *task, struct al_err *err)
{
  struct drawing *d = (struct drawing *)task;
  int width = d->request.draw.width, height = d->request.draw.height;
  bool is_known = width > 0 && height > 0;
  return read_files(d, is_known ? width : TRIAL_SIDE, is_known ? height : TRIAL_SIDE, err);
}

static bool shows_through(const struct al_image *mask, size_t n_pixels)
{
  for (size_t i = 0; mask->alpha != nullptr && i < n_pixels; i++)
    if (mask->alpha[i] < UINT8_MAX)
      return true;
  return false;
}

/* In place: the mask's file becomes what the engine wants, 255 where it draws. */
static const uint8_t *make_mask(struct al_image *mask)
{
  size_t n_pixels = (size_t)mask->width * (size_t)mask->height;
  if (shows_through(mask, n_pixels)) {
    for (size_t i = 0; i < n_pixels; i++)
      mask->alpha[i] = (uint8_t)(UINT8_MAX - mask->alpha[i]);
    return mask->alpha;
  }
  for (size_t i = 0; i < n_pixels; i++) {
    const uint8_t *rgb = mask->rgb + 3 * i;
    mask->rgb[i] = (uint8_t)((rgb[0] * 77U + rgb[1] * 150U + rgb[2] * 29U) >> 8); /* Rec. 601 */
  }
  return mask->rgb;
}

/* --- the work --------------------------------------------------------------------------------------------------- */

static bool on_progress(void *user, int image, int step, int n_steps)
{
  struct drawing *d = user;
  int64_t now_ns = al_now_ns();
  if (!al_worker_task_goes_on(&d->work))
    return false;
  if (now_ns - d->told_ns < PROGRESS_EVERY_NS)
    return true;
  d->told_ns = now_ns;
  tell(d, &(struct al_image_event){ .kind = AL_IMAGE_PROGRESS, .image = image, .step = step, .n_steps = n_steps });
  return true;
}

/* Encodes the picture into the event's file and tells it. */
static bool tell_picture(struct drawing *d, const struct al_picture *picture, struct al_image_event *event)
{
  struct al_image_out out = {
    .format = d->request.format,
    .quality = d->request.quality,
    .width = picture->width,
    .height = picture->height,
    .rgb = picture->rgb,
  };
  al_buf_clear(&d->file);
  if (!al_worker_task_goes_on(&d->work) || al_image_write(&out, d->work.job.cancel, &d->file, &d->write_err) != AL_OK ||
      !al_worker_task_goes_on(&d->work))
    return false;
  event->file = al_buf_view(&d->file);
  event->width = picture->width;
  event->height = picture->height;
  event->n_steps = d->request.draw.n_steps;
  tell(d, event);
  return true;
}

static bool on_preview(void *user, int image, int step, const struct al_picture *small)
{
  return tell_picture(user, small, &(struct al_image_event){ .kind = AL_IMAGE_PREVIEW, .image = image, .step = step });
}

static bool on_picture(void *user, int image, const struct al_picture *picture)
{
  struct drawing *d = user;
  struct al_image_event event = { .kind = AL_IMAGE_PICTURE, .image = image };
  event.seed = d->request.draw.seed + (uint64_t)image;
  bool is_told = tell_picture(d, picture, &event);
  d->work.use.n_images += is_told;
  return is_told;
}

static enum al_code run(struct al_worker_job *job, struct al_engine_model *model, struct al_err *err)
{
  struct drawing *d = job->user;
  const struct al_draw_ops *ops = al_pool_loaded(d->work.task.lease)->engine->draw;
  struct al_draw_sink sink = { .progress = on_progress, .preview = on_preview, .picture = on_picture, .user = d };
  al_task_started(&d->work.task);
  enum al_code code = ops->draw(model, &d->request.draw, &sink, job->cancel, err);
  let_go(d);
  if (code == AL_OK || d->write_err.code == AL_OK)
    return code;
  *err = d->write_err; /* the engine was stopped for it */
  return err->code;
}

/* --- the model is there ----------------------------------------------------------------------------------------- */

/* What the request leaves to the model. */
static void fill_in(struct al_draw_request *draw, const struct al_draw_info *info)
{
  if (draw->width == 0)
    draw->width = info->width;
  if (draw->height == 0)
    draw->height = info->height;
  if (draw->n_steps == 0)
    draw->n_steps = info->n_steps;
}

static bool has_its_pictures(const struct drawing *d)
{
  const struct al_draw_request *draw = &d->request.draw;
  return d->request.image.size_bytes == 0 || (d->image.width == draw->width && d->image.height == draw->height);
}

static enum al_code check(struct drawing *d, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(d->work.task.lease);
  struct al_draw_request *draw = &d->request.draw;
  if (d->image.rgb != nullptr) {
    d->picture = (struct al_picture){ d->image.width, d->image.height, d->image.rgb };
    draw->image = &d->picture;
  }
  if (d->mask.rgb != nullptr)
    draw->mask = make_mask(&d->mask);
  return loaded->engine->draw->check(loaded->model, draw, err);
}

static enum al_code meet_model(struct drawing *d, struct al_err *err)
{
  const struct al_loaded *loaded = al_pool_loaded(d->work.task.lease);
  const struct al_draw_ops *ops = loaded->engine->draw;
  struct al_draw_info info;
  AL_TRY(al_task_still_wanted(&d->work.task, err));
  AL_TRY(al_worker_task_check(&d->work, AL_CAN_DRAW, ops, "draws", err));
  ops->info(loaded->model, &info);
  fill_in(&d->request.draw, &info);
  if (has_its_pictures(d))
    return AL_OK;
  return d->is_again ? read_files(d, d->request.draw.width, d->request.draw.height, err) : AL_OK;
}

/* Pictures that were to be scaled to the model's own size are read once more, which is no work for the thread that
 * brings the lease. */
static void prepare(struct al_task *task)
{
  struct drawing *d = (struct drawing *)task;
  struct al_err err = {};
  enum al_code code = meet_model(d, &err);
  if (code == AL_OK && !has_its_pictures(d)) {
    d->is_again = true;
    al_task_again(task);
    return;
  }
  if (code == AL_OK)
    code = check(d, &err);
  if (code == AL_OK)
    al_worker_task_submit(&d->work);
  else
    al_worker_task_fail(task, &err);
}

/* --- submitting ------------------------------------------------------------------------------------------------- */

static void close_file(const struct al_media_source *file)
{
  if (file->fd >= 0)
    (void)close(file->fd);
}

static void free_task(struct al_worker_task *work)
{
  struct drawing *d = (struct drawing *)work;
  let_go(d);
  close_file(&d->request.image);
  close_file(&d->request.mask);
  al_buf_done(&d->file);
  al_task_fini(&work->task);
  al_free(d);
}

static void free_drawing(struct drawing *d)
{
  if (d != nullptr)
    free_task(&d->work);
}
AL_DEFINE_CLEANUP(struct drawing, free_drawing)

static enum al_code check_bounds(const struct al_image_request *request, struct al_err *err)
{
  const struct al_draw_request *draw = &request->draw;
  if (draw->width < 0 || draw->width > MOST_SIDE)
    return al_fail_param(err, "width", "the width lies between 1 and %d", MOST_SIDE);
  if (draw->height < 0 || draw->height > MOST_SIDE)
    return al_fail_param(err, "height", "the height lies between 1 and %d", MOST_SIDE);
  if ((unsigned)request->format >= AL_IMAGE_FORMAT_COUNT)
    return al_fail_param(err, "output_format", "there is no such format");
  if (request->quality < 0 || request->quality > 100)
    return al_fail_param(err, "output_compression", "the quality lies between 0 and 100");
  if (request->mask.size_bytes > 0 && request->image.size_bytes == 0)
    return al_fail_param(err, "mask", "a mask comes with the picture that it belongs to");
  return AL_OK;
}

static enum al_code copy_file(struct al_media_source *copy, const struct al_media_source *file, struct al_err *err)
{
  if (file->size_bytes == 0)
    return AL_OK;
  int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    return al_fail(err, AL_OOM_RAM, "the server has too many files open");
  *copy = *file;
  copy->fd = fd;
  return AL_OK;
}

static enum al_code copy_all(struct drawing *d, const struct al_image_request *request, struct al_err *err)
{
  constexpr struct al_media_source NONE = { .fd = -1 };
  struct al_task *task = &d->work.task;
  struct al_draw_request *draw = &d->request.draw;
  d->request = *request;
  d->request.image = d->request.mask = NONE;
  draw->image = nullptr;
  draw->mask = nullptr;
  if (!request->has_seed)
    draw->seed = al_rng_fresh_seed() % SEEDS_BY_LOT;
  AL_TRY(al_task_copy_name(task, &d->request.model, err));
  AL_TRY(al_task_copy_name(task, &draw->sampler, err));
  AL_TRY(al_task_copy_str(task, &draw->prompt, err));
  AL_TRY(al_task_copy_str(task, &draw->negative_prompt, err));
  AL_TRY(copy_file(&d->request.image, &request->image, err));
  return copy_file(&d->request.mask, &request->mask, err);
}

enum al_code al_draw_submit(struct al_image_manager *manager, const struct al_image_request *request,
                            struct al_err *err)
{
  static const struct al_worker_task_ops from_words = {
    .task = { .prepare = prepare, .fail = al_worker_task_fail },
    .run = run,
    .tell_start = tell_start,
    .tell_end = tell_end,
    .free = free_task,
  };
  static const struct al_worker_task_ops from_pictures = {
    .task = { .probe = probe, .prepare = prepare, .fail = al_worker_task_fail },
    .run = run,
    .tell_start = tell_start,
    .tell_end = tell_end,
    .free = free_task,
  };
  bool has_image = request->image.size_bytes > 0;
  AL_TRY(check_bounds(request, err));
  AL_CLEANUP(free_drawing_p) struct drawing *d = al_calloc(1, sizeof *d);
  if (d == nullptr)
    return al_fail_oom(err, sizeof *d);
  d->manager = manager;
  d->request.image.fd = d->request.mask.fd = -1;
  AL_TRY(al_worker_task_init(&d->work, has_image ? &from_pictures : &from_words, request->cancel, err));
  AL_TRY(copy_all(d, request, err));
  struct al_task_runner *runner = has_image ? al_image_manager_looking(manager) : al_image_manager_plain(manager);
  AL_TRY(al_task_start(runner, &d->work.task, d->request.model, err));
  d = nullptr;
  return AL_OK;
}
