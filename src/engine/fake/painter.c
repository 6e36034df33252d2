/* How the fake engine draws: squares of colours from a hash (see fake.h). */
#include "base/alloc.h"
#include "engine/fake/model.h"

#include <assert.h>
#include <stdlib.h>

constexpr int SQUARE = 8;
constexpr int MOST_SIDE = 1024;
constexpr int OWN_SIDE = 64;
constexpr int OWN_STEPS = 4;
constexpr int MOST_STEPS = 1000;
constexpr int MOST_IMAGES = 64;
constexpr double OWN_GUIDANCE = 7.5;
constexpr uint8_t DRAWN_ANEW = 128;

static const char *const samplers[] = { "squares", "tiles", nullptr };

static void info(const struct al_engine_model *model, struct al_draw_info *out)
{
  assert(model->draws);
  *out = (struct al_draw_info){
    .size_multiple = SQUARE,
    .least_side = SQUARE,
    .most_side = MOST_SIDE,
    .most_pixels = (int64_t)MOST_SIDE * MOST_SIDE,
    .width = OWN_SIDE,
    .height = OWN_SIDE,
    .n_steps = OWN_STEPS,
    .guidance = OWN_GUIDANCE,
    .memory_bytes = fake_weights_bytes(),
    .has_negative = true,
    .sampler = samplers[0],
    .samplers = samplers,
  };
}

static struct al_draw_request with_defaults(const struct al_draw_request *request)
{
  struct al_draw_request whole = *request;
  whole.width = whole.width > 0 ? whole.width : OWN_SIDE;
  whole.height = whole.height > 0 ? whole.height : OWN_SIDE;
  whole.n_images = whole.n_images > 0 ? whole.n_images : 1;
  whole.n_steps = whole.n_steps > 0 ? whole.n_steps : OWN_STEPS;
  whole.guidance = whole.guidance >= 0 ? whole.guidance : OWN_GUIDANCE;
  if (whole.sampler == nullptr || whole.sampler[0] == '\0')
    whole.sampler = samplers[0];
  return whole;
}

static bool has_sampler(const char *name)
{
  for (const char *const *sampler = samplers; *sampler != nullptr; sampler++)
    if (strcmp(*sampler, name) == 0)
      return true;
  return false;
}

static enum al_code check_side(const char *name, int side, struct al_err *err)
{
  if (side % SQUARE == 0 && side <= MOST_SIDE)
    return AL_OK;
  return al_fail_param(err, name, "%s is %d; this model draws multiples of %d up to %d", name, side, SQUARE, MOST_SIDE);
}

static enum al_code check(const struct al_engine_model *model, const struct al_draw_request *request,
                          struct al_err *err)
{
  struct al_draw_request whole = with_defaults(request);
  assert(model->draws);
  AL_TRY(check_side("width", whole.width, err));
  AL_TRY(check_side("height", whole.height, err));
  if (whole.n_images > MOST_IMAGES)
    return al_fail_param(err, "n", "n is %d; this model draws up to %d pictures", whole.n_images, MOST_IMAGES);
  if (whole.n_steps > MOST_STEPS)
    return al_fail_param(err, "steps", "steps is %d; this model takes up to %d", whole.n_steps, MOST_STEPS);
  if (!has_sampler(whole.sampler))
    return al_fail_param(err, "sampler", "there is no sampler \"%.40s\"; there are squares and tiles", whole.sampler);
  if (whole.image == nullptr)
    return AL_OK;
  if (!(whole.strength > 0 && whole.strength <= 1))
    return al_fail_param(err, "strength", "the strength lies between 0 and 1");
  assert(whole.image->width == whole.width && whole.image->height == whole.height);
  return AL_OK;
}

static uint64_t hash_bytes(uint64_t hash, struct al_str bytes)
{
  for (size_t i = 0; i < bytes.size; i++)
    hash = fake_hash(hash, (unsigned char)bytes.data[i]);
  return fake_hash(hash, -1);
}

static uint64_t hash_request(const struct al_draw_request *request, int image)
{
  uint64_t hash = hash_bytes(FAKE_HASH_START, request->prompt);
  hash = hash_bytes(hash, request->negative_prompt);
  hash = hash_bytes(hash, al_str(request->sampler));
  hash = fake_hash(fake_hash(hash, request->n_steps), (int32_t)(request->guidance * 1000));
  return fake_mix(hash ^ fake_mix(request->seed + (uint64_t)image));
}

/* One of the three colours of the square at x, y. */
static unsigned colour(uint64_t hash, int x, int y, int channel)
{
  return (unsigned)(fake_mix(hash + (uint64_t)(y * MOST_SIDE + x)) >> (8 * channel)) & UINT8_MAX;
}

/* share: of `strength`, 0 .. 256. */
static unsigned pixel(const struct al_draw_request *request, size_t at, unsigned drawn, int channel, unsigned share)
{
  if (request->image == nullptr)
    return drawn;
  unsigned before = request->image->rgb[3 * at + (size_t)channel];
  bool is_kept = request->mask != nullptr && request->mask[at] < DRAWN_ANEW;
  return is_kept ? before : (before * (256 - share) + drawn * share) / 256;
}

static void paint(const struct al_draw_request *request, uint64_t hash, uint8_t *rgb)
{
  unsigned share = (unsigned)(request->strength * 256);
  for (int y = 0; y < request->height; y++)
    for (int x = 0; x < request->width; x++) {
      size_t at = (size_t)y * (size_t)request->width + (size_t)x;
      for (int c = 0; c < 3; c++)
        rgb[3 * at + (size_t)c] = (uint8_t)pixel(request, at, colour(hash, x / SQUARE, y / SQUARE, c), c, share);
    }
}

struct easel {
  const struct al_draw_request *request;
  const struct al_draw_sink *sink;
  const struct al_cancel *stop;
  uint8_t *rgb;
};

static enum al_code stopped(struct al_err *err)
{
  return al_fail(err, AL_CANCELLED, "the drawing was stopped");
}

static enum al_code show_preview(const struct easel *easel, int image, int step, struct al_err *err)
{
  const struct al_draw_request *request = easel->request;
  struct al_picture small = { request->width / SQUARE, request->height / SQUARE, easel->rgb };
  uint64_t hash = hash_request(request, image);
  uint8_t *to = easel->rgb;
  for (int y = 0; y < small.height; y++)
    for (int x = 0; x < small.width; x++)
      for (int c = 0; c < 3; c++)
        *to++ = (uint8_t)(colour(hash, x, y, c) * (unsigned)step / (unsigned)request->n_steps);
  return easel->sink->preview(easel->sink->user, image, step, &small) ? AL_OK : stopped(err);
}

static enum al_code take_step(const struct easel *easel, int image, int step, struct al_err *err)
{
  const struct al_draw_request *request = easel->request;
  const struct al_draw_sink *sink = easel->sink;
  if (!fake_work(al_fake_knobs.step_ns, easel->stop))
    return stopped(err);
  if (fake_its_turn(&al_fake_knobs.abort_step_at))
    abort();
  if (fake_its_turn(&al_fake_knobs.fail_step_at))
    return al_fail(err, AL_INTERNAL, "the fake engine was told to fail this step");
  al_fake_counts.n_steps++;
  if (sink->progress != nullptr && !sink->progress(sink->user, image, step, request->n_steps))
    return stopped(err);
  bool shows = sink->preview != nullptr && request->preview_every > 0 && step % request->preview_every == 0 &&
               step < request->n_steps;
  return shows ? show_preview(easel, image, step, err) : AL_OK;
}

static enum al_code draw_one(const struct easel *easel, int image, struct al_err *err)
{
  const struct al_draw_request *request = easel->request;
  for (int step = 1; step <= request->n_steps; step++)
    AL_TRY(take_step(easel, image, step, err));
  paint(request, hash_request(request, image), easel->rgb);
  al_fake_counts.n_pictures++;
  struct al_picture picture = { request->width, request->height, easel->rgb };
  return easel->sink->picture(easel->sink->user, image, &picture) ? AL_OK : stopped(err);
}

static enum al_code draw_all(const struct easel *easel, struct al_err *err)
{
  for (int image = 0; image < easel->request->n_images; image++)
    AL_TRY(draw_one(easel, image, err));
  return AL_OK;
}

static enum al_code draw(struct al_engine_model *model, const struct al_draw_request *request,
                         const struct al_draw_sink *sink, const struct al_cancel *stop, struct al_err *err)
{
  bool was_busy = atomic_flag_test_and_set(&model->busy);
  assert(!was_busy && check(model, request, nullptr) == AL_OK);
  struct al_draw_request whole = with_defaults(request);
  size_t n_bytes = (size_t)whole.width * (size_t)whole.height * 3;
  AL_CLEANUP(al_free_p) uint8_t *rgb = al_alloc(n_bytes);
  al_fake_counts.n_drawings++;
  struct easel easel = { .request = &whole, .sink = sink, .stop = stop, .rgb = rgb };
  enum al_code code = rgb != nullptr ? draw_all(&easel, err) : al_fail_oom(err, n_bytes);
  atomic_flag_clear(&model->busy);
  return code;
}

const struct al_draw_ops fake_draw_ops = { .info = info, .check = check, .draw = draw };
