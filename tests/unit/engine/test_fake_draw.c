#include "base/alloc.h"
#include "engine/fake/fake.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

enum { WIDTH = 16, HEIGHT = 8, N_BYTES = WIDTH * HEIGHT * 3 };

struct canvas {
  uint8_t rgb[2][N_BYTES];
  int n_pictures, n_previews, n_progress;
  int preview_width, preview_height;
  int stop_at; /* progress says no at this call; 0: never */
};

static bool on_progress(void *user, int, int step, int n_steps)
{
  struct canvas *canvas = user;
  assert_true(step >= 1 && step <= n_steps);
  return ++canvas->n_progress != canvas->stop_at;
}

static bool on_preview(void *user, int, int, const struct al_picture *small)
{
  struct canvas *canvas = user;
  canvas->n_previews++;
  canvas->preview_width = small->width;
  canvas->preview_height = small->height;
  return true;
}

static bool on_picture(void *user, int image, const struct al_picture *picture)
{
  struct canvas *canvas = user;
  assert_int_equal(picture->width, WIDTH);
  assert_int_equal(picture->height, HEIGHT);
  memcpy(canvas->rgb[image], picture->rgb, N_BYTES);
  canvas->n_pictures++;
  return true;
}

static struct al_draw_request request_of(uint64_t seed)
{
  return (struct al_draw_request){
    .prompt = al_str("a cat"),
    .width = WIDTH,
    .height = HEIGHT,
    .n_images = 1,
    .guidance = -1,
    .seed = seed,
    .strength = 1,
  };
}

static struct al_engine_model *load(void)
{
  struct al_model_descriptor descriptor = { .id = (char[]){ "fake" }, .runtime = (char[]){ "fake" } };
  struct al_engine_model *model = nullptr;
  descriptor.capabilities = AL_CAN_DRAW;
  al_fake_reset();
  assert_int_equal(al_engine_fake.load(&descriptor, &(struct al_load_options){}, nullptr, nullptr, &model, nullptr),
                   AL_OK);
  return model;
}

static enum al_code draw(struct al_engine_model *model, const struct al_draw_request *request, struct canvas *canvas,
                         struct al_err *err)
{
  struct al_draw_sink sink = { .progress = on_progress, .preview = on_preview, .picture = on_picture, .user = canvas };
  AL_TRY(al_engine_fake.draw->check(model, request, err));
  return al_engine_fake.draw->draw(model, request, &sink, nullptr, err);
}

static void the_same_words_and_seed_are_the_same_picture(void **)
{
  struct al_engine_model *model = load();
  struct canvas two = {}, one = {}, other = {};
  struct al_draw_request request = request_of(7);
  request.n_images = 2;
  assert_int_equal(draw(model, &request, &two, nullptr), AL_OK);
  assert_int_equal(two.n_pictures, 2);
  assert_int_equal(two.n_progress, 8);
  request = request_of(8);
  assert_int_equal(draw(model, &request, &one, nullptr), AL_OK);
  assert_memory_equal(one.rgb[0], two.rgb[1], N_BYTES);
  assert_memory_not_equal(one.rgb[0], two.rgb[0], N_BYTES);
  request.prompt = al_str("a dog");
  assert_int_equal(draw(model, &request, &other, nullptr), AL_OK);
  assert_memory_not_equal(other.rgb[0], one.rgb[0], N_BYTES);
  al_engine_fake.unload(model);
}

static void a_mask_keeps_what_it_keeps(void **)
{
  struct al_engine_model *model = load();
  struct canvas plain = {}, masked = {};
  static uint8_t before[N_BYTES], mask[WIDTH * HEIGHT];
  memset(before, 50, sizeof before);
  for (int i = 0; i < WIDTH * HEIGHT; i++)
    mask[i] = i % 2 == 0 ? 127 : 128;
  struct al_picture picture = { WIDTH, HEIGHT, before };
  struct al_draw_request request = request_of(1);
  assert_int_equal(draw(model, &request, &plain, nullptr), AL_OK);
  request.image = &picture;
  request.mask = mask;
  assert_int_equal(draw(model, &request, &masked, nullptr), AL_OK);
  for (int i = 0; i < N_BYTES; i++)
    assert_int_equal(masked.rgb[0][i], i / 3 % 2 == 0 ? 50 : plain.rgb[0][i]);
  al_engine_fake.unload(model);
}

static void it_previews_stops_and_fails_as_it_is_told(void **)
{
  struct al_engine_model *model = load();
  struct canvas canvas = {};
  struct al_draw_request request = request_of(1);
  request.n_steps = 6;
  request.preview_every = 2;
  assert_int_equal(draw(model, &request, &canvas, nullptr), AL_OK);
  assert_int_equal(canvas.n_previews, 2);
  assert_int_equal(canvas.preview_width, 2);
  assert_int_equal(canvas.preview_height, 1);
  canvas = (struct canvas){ .stop_at = 3 };
  assert_int_equal(draw(model, &request, &canvas, nullptr), AL_CANCELLED);
  assert_int_equal(canvas.n_progress, 3);
  assert_int_equal(canvas.n_pictures, 0);
  al_fake_knobs.fail_step_at = 2;
  canvas = (struct canvas){};
  assert_int_equal(draw(model, &request, &canvas, nullptr), AL_INTERNAL);
  assert_int_equal(canvas.n_progress, 1);
  (void)al_alloc_fail_at(1);
  assert_int_equal(draw(model, &request, &canvas, nullptr), AL_OOM_RAM);
  (void)al_alloc_fail_at(0);
  assert_int_equal(draw(model, &request, &canvas, nullptr), AL_OK);
  al_engine_fake.unload(model);
}

static void its_refusals_name_the_field(void **)
{
  static const struct {
    const char *param;
    int width, n_images, n_steps;
    const char *sampler;
  } wrong[] = {
    { "width", 12, 1, 1, "" },    { "width", 2048, 1, 1, "" },     { "n", 16, 65, 1, "" },
    { "steps", 16, 1, 1001, "" }, { "sampler", 16, 1, 1, "none" },
  };
  struct al_engine_model *model = load();
  for (size_t i = 0; i < AL_COUNT(wrong); i++) {
    struct al_draw_request request = request_of(1);
    struct al_err err = {};
    request.width = wrong[i].width;
    request.n_images = wrong[i].n_images;
    request.n_steps = wrong[i].n_steps;
    request.sampler = wrong[i].sampler;
    assert_int_equal(al_engine_fake.draw->check(model, &request, &err), AL_INVALID_REQUEST);
    assert_string_equal(err.param, wrong[i].param);
  }
  al_engine_fake.unload(model);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_same_words_and_seed_are_the_same_picture),
    cmocka_unit_test(a_mask_keeps_what_it_keeps),
    cmocka_unit_test(it_previews_stops_and_fails_as_it_is_told),
    cmocka_unit_test(its_refusals_name_the_field),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
