/* Whole drawings with a tiny model: what is refused, what stops, what depends on what. tests/oracle says whether the
 * pictures are right. */
#include "base/alloc.h"
#include "diffusion_kit.h"
#include "engine/diffusion/draw.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SIDE = 64, BYTES = 3 * SIDE * SIDE };

static struct al_sd_model *model;

struct seen {
  int n_pictures, n_steps, n_previews, last_image, preview_width;
  int stop_at_step; /* 0: never */
  uint8_t rgb[4][BYTES];
  struct al_cancel *cancel; /* fired at the first step */
};

static bool on_progress(void *user, int image, int step, int n_steps)
{
  struct seen *seen = user;
  assert_true(step >= 1 && step <= n_steps);
  seen->n_steps++;
  seen->last_image = image;
  al_cancel_fire(seen->cancel, AL_TIMEOUT);
  return seen->n_steps != seen->stop_at_step;
}

static bool on_preview(void *user, int, int, const struct al_picture *small)
{
  struct seen *seen = user;
  seen->n_previews++;
  seen->preview_width = small->width;
  return true;
}

static bool on_picture(void *user, int image, const struct al_picture *picture)
{
  struct seen *seen = user;
  assert_int_equal(picture->width, SIDE);
  assert_int_equal(picture->height, SIDE);
  if (image < 4)
    memcpy(seen->rgb[image], picture->rgb, BYTES);
  seen->n_pictures++;
  return true;
}

static const struct al_draw_request plain = {
  .prompt = { "a cat", 5 }, .n_steps = 3, .n_images = 1, .guidance = 3, .seed = 1, .strength = 1
};

static enum al_code draw_with(const struct al_draw_request *request, struct seen *seen, struct al_err *err)
{
  struct al_draw_sink sink = { on_progress, on_preview, on_picture, seen };
  return al_sd_draw(model, request, &sink, seen->cancel, err);
}

static struct seen *draw(const struct al_draw_request *request)
{
  struct al_err err = {};
  struct seen *seen = calloc(1, sizeof *seen);
  if (draw_with(request, seen, &err) != AL_OK)
    fail_msg("%s", err.message);
  return seen;
}

static void pictures_depend_on_what_they_should(void **)
{
  struct seen *first = draw(&plain);
  struct al_draw_request request = plain;
  struct seen *again = draw(&request);
  assert_memory_equal(first->rgb[0], again->rgb[0], BYTES);
  request.seed = 2;
  struct seen *seed = draw(&request);
  assert_memory_not_equal(first->rgb[0], seed->rgb[0], BYTES);
  request = plain;
  request.prompt = al_str("a dog");
  struct seen *prompt = draw(&request);
  assert_memory_not_equal(first->rgb[0], prompt->rgb[0], BYTES);
  request = plain;
  request.prompt = al_str("a (cat:1.5)");
  struct seen *weight = draw(&request);
  assert_memory_not_equal(first->rgb[0], weight->rgb[0], BYTES);
  request = plain;
  request.negative_prompt = al_str("a dog");
  struct seen *negative = draw(&request);
  assert_memory_not_equal(first->rgb[0], negative->rgb[0], BYTES);
  request = plain;
  request.sampler = "euler";
  struct seen *sampler = draw(&request);
  assert_memory_not_equal(first->rgb[0], sampler->rgb[0], BYTES);
  free(first), free(again), free(seed), free(prompt), free(weight), free(negative), free(sampler);
}

static void several_pictures_have_the_next_seeds(void **)
{
  struct al_draw_request request = plain;
  request.n_images = 3;
  request.preview_every = 1;
  struct seen *three = draw(&request);
  assert_int_equal(three->n_pictures, 3);
  assert_int_equal(three->n_steps, 9);
  assert_int_equal(three->n_previews, 6); /* the last step of each is the picture itself */
  assert_int_equal(three->preview_width, SIDE);
  assert_int_equal(three->last_image, 2);
  request = plain;
  request.seed = plain.seed + 2;
  struct seen *last = draw(&request);
  assert_memory_equal(three->rgb[2], last->rgb[0], BYTES);
  free(three), free(last);
}

static void a_picture_can_be_changed(void **)
{
  static uint8_t rgb[BYTES], mask[SIDE * SIDE];
  for (size_t i = 0; i < BYTES; i++)
    rgb[i] = (uint8_t)(i * 7);
  for (size_t i = 0; i < SIDE * SIDE; i++)
    mask[i] = i % SIDE >= SIDE / 2 ? 255 : 0;
  struct al_picture image = { SIDE, SIDE, rgb };
  struct al_draw_request request = plain;
  request.image = &image;
  request.n_steps = 4;
  request.strength = 0.5;
  struct seen *whole = draw(&request);
  assert_int_equal(whole->n_steps, 2);
  assert_memory_not_equal(whole->rgb[0], rgb, BYTES);
  request.mask = mask;
  struct seen *part = draw(&request);
  for (size_t i = 0; i < SIDE * SIDE; i++)
    if (mask[i] == 0)
      assert_memory_equal(part->rgb[0] + 3 * i, rgb + 3 * i, 3);
  assert_memory_not_equal(part->rgb[0], rgb, BYTES);
  free(whole), free(part);
}

static void drawings_stop(void **)
{
  struct al_err err = {};
  struct seen *seen = calloc(1, sizeof *seen);
  struct al_draw_request request = plain;
  request.n_steps = 50;
  seen->stop_at_step = 2;
  assert_int_equal(draw_with(&request, seen, &err), AL_CANCELLED);
  assert_int_equal(seen->n_steps, 2);
  assert_int_equal(seen->n_pictures, 0);

  *seen = (struct seen){ .cancel = al_cancel_new() };
  assert_int_equal(draw_with(&request, seen, &err), AL_TIMEOUT);
  assert_int_equal(seen->n_steps, 1);
  assert_int_equal(draw_with(&request, seen, &err), AL_TIMEOUT); /* fired before: not even the prompt is encoded */
  assert_int_equal(seen->n_steps, 1);
  al_cancel_unref(seen->cancel);
  free(seen);
  free(draw(&plain)); /* and goes on afterwards */
}

struct fired {
  struct al_sd_vae_job job;
  struct al_cancel *cancel;
};

static void build_and_fire(struct al_sd_graph *graph, void *user)
{
  struct fired *fired = user;
  al_sd_vae_build(graph, &fired->job);
  al_cancel_fire(fired->cancel, AL_TIMEOUT);
}

/* The token fires when the graph is about to be computed: its first nodes are the last. */
static void computations_stop_in_the_middle(void **)
{
  static float latents[4 * 8 * 8], out[BYTES];
  out[0] = 42;
  struct fired fired = { { .vae = &model->vae, .decodes = true, .width = 8, .height = 8, .in = latents, .out = out },
                         al_cancel_new() };
  struct al_sd_run run = { build_and_fire, &fired, model->vae.n_weights };
  struct al_err err = {};
  assert_int_equal(al_sd_compute_run(model->compute, &run, fired.cancel, &err), AL_TIMEOUT);
  assert_true(out[0] == 42);
  al_cancel_unref(fired.cancel);
  run = (struct al_sd_run){ al_sd_vae_build, &fired.job, model->vae.n_weights };
  assert_int_equal(al_sd_compute_run(model->compute, &run, nullptr, &err), AL_OK);
  assert_true(out[0] != 42);
}

static void refuses(struct al_draw_request request, const char *param, const char *needle)
{
  struct al_err err = {};
  assert_int_equal(al_sd_draw_check(model, &request, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, param);
  if (strstr(err.message, needle) == nullptr)
    fail_msg("%s", err.message);
}

static void bad_requests_are_named(void **)
{
  struct al_draw_request r = plain;
  static const uint8_t rgb[3] = {};
  struct al_picture image = { 1, 1, rgb };
  struct al_err err = {};
  assert_int_equal(al_sd_draw_check(model, &plain, &err), AL_OK);
  r.width = 65, refuses(r, "width", "multiples of 8");
  r.width = 8, refuses(r, "width", "from 16 to 4096");
  r.width = 8192, refuses(r, "width", "from 16 to 4096");
  r = plain, r.n_images = 65, refuses(r, "n", "from 1 to 64");
  r = plain, r.n_steps = 1001, refuses(r, "steps", "from 1 to 1000");
  r = plain, r.guidance = 101, refuses(r, "guidance", "from 0 to 100");
  r = plain, r.guidance_rescale = 1.5, refuses(r, "guidance_rescale", "from 0 to 1");
  r = plain, r.sampler = "flow_euler", refuses(r, "sampler", "flow_euler");
  r = plain, r.sampler = "heun", refuses(r, "sampler", "heun");
  r = plain, r.mask = rgb, refuses(r, "mask", "a mask comes with");
  r = plain, r.image = &image, refuses(r, "image", "1 x 1");
  r = plain, r.prompt = al_str("(a:99)"), refuses(r, "prompt", "a weight of 99");
  r = plain, r.negative_prompt = al_str("\xff\xfe"), refuses(r, "negative_prompt", "UTF-8");
}

static void the_model_says_what_it_likes(void **)
{
  struct al_draw_info info;
  al_sd_draw_info(model, &info);
  assert_int_equal(info.size_multiple, 8);
  assert_int_equal(info.width, 64);
  assert_string_equal(info.sampler, "ddim");
  assert_true(info.has_negative);
  assert_true(info.n_steps > 0 && info.guidance > 1);
}

static void memory_may_run_out(void **)
{
  struct seen *seen = calloc(1, sizeof *seen);
  size_t n = 1;
  for (;; n += 1 + n / 4) {
    struct al_err err = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = draw_with(&plain, seen, &err);
    if (al_alloc_fail_at(0) < n)
      break;
    assert_int_equal(code, AL_OOM_RAM);
  }
  assert_true(n > 20);
  free(seen);
}

int main(int argc, char **argv)
{
  char path[4096];
  assert(argc > 1);
  (void)snprintf(path, sizeof path, "%s/sd1", argv[1]);
  model = diffusion_kit_open(path, "", true);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pictures_depend_on_what_they_should),
    cmocka_unit_test(several_pictures_have_the_next_seeds),
    cmocka_unit_test(a_picture_can_be_changed),
    cmocka_unit_test(drawings_stop),
    cmocka_unit_test(computations_stop_in_the_middle),
    cmocka_unit_test(bad_requests_are_named),
    cmocka_unit_test(the_model_says_what_it_likes),
    cmocka_unit_test(memory_may_run_out),
  };
  int failed = cmocka_run_group_tests(tests, nullptr, nullptr);
  al_sd_model_free(model);
  return failed;
}
