#include "base/alloc.h"
#include "image_kit.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

enum { N_PIXELS = 16 * 8 };

static bool is_grey(const uint8_t *pixel, int level)
{
  return pixel[0] == level && pixel[1] == level && pixel[2] == level;
}

/* --- pictures --------------------------------------------------------------------------------------------------- */

static void words_become_a_picture(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s, again;
  sitter_init(&s, nullptr, nullptr);
  sitter_init(&again, nullptr, nullptr);
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_false(s.failed);
  assert_int_equal(s.n_pictures, 1);
  assert_int_equal(s.n_previews, 0);
  assert_int_equal(s.seeds[0], 7);
  assert_int_equal(s.n_steps, 3);
  const uint8_t *pixels = sitter_pixels(&s, 0, "png 16x8 90\n");
  kit_draw(inference, &again);
  sitter_wait(&again);
  assert_memory_equal(sitter_pixels(&again, 0, "png 16x8 90\n"), pixels, N_PIXELS * 3);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-paint", &status, nullptr), AL_OK);
  assert_int_equal(status.problem.code, AL_OK);
  assert_int_equal(status.state, AL_MODEL_READY);
  assert_int_equal(status.n_running, 0);
  assert_int_equal(status.n_waiting, 0);
  assert_int_equal(status.n_requests, 2);
  assert_int_equal(status.n_images, 2);
  assert_int_equal(status.memory_bytes, 1 << 20);
  al_model_status_done(&status);
  sitter_done(&s);
  sitter_done(&again);
  al_inference_free(inference);
}

/* Picture k of several is the one that the seed + k draws alone. */
static void several_pictures_have_seeds_of_their_own(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter many, one;
  sitter_init(&many, nullptr, nullptr);
  many.ask.draw.n_images = 3;
  many.ask.format = AL_IMAGE_WEBP;
  kit_draw(inference, &many);
  sitter_wait(&many);
  assert_int_equal(many.n_pictures, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(many.seeds[i], 7 + i);
    sitter_init(&one, nullptr, nullptr);
    one.ask.draw.seed = many.seeds[i];
    one.ask.format = AL_IMAGE_WEBP;
    kit_draw(inference, &one);
    sitter_wait(&one);
    assert_memory_equal(sitter_pixels(&one, 0, "webp 16x8 90\n"), sitter_pixels(&many, i, "webp 16x8 90\n"),
                        N_PIXELS * 3);
    sitter_done(&one);
  }
  assert_memory_not_equal(many.pictures[0].data, many.pictures[1].data, many.pictures[0].size);
  sitter_done(&many);
  al_inference_free(inference);
}

/* Told, so that it can be asked for again; never the same by accident. */
static void a_seed_by_lot_is_told(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s[2], again;
  for (int i = 0; i < 2; i++) {
    sitter_init(&s[i], nullptr, nullptr);
    s[i].ask.has_seed = false;
    kit_draw(inference, &s[i]);
    sitter_wait(&s[i]);
    assert_true(s[i].seeds[0] < (uint64_t)1 << 32);
  }
  assert_true(s[0].seeds[0] != s[1].seeds[0]);
  sitter_init(&again, nullptr, nullptr);
  again.ask.draw.seed = s[1].seeds[0];
  kit_draw(inference, &again);
  sitter_wait(&again);
  assert_memory_equal(again.pictures[0].data, s[1].pictures[0].data, s[1].pictures[0].size);
  sitter_done(&s[0]);
  sitter_done(&s[1]);
  sitter_done(&again);
  al_inference_free(inference);
}

static void what_is_left_open_is_the_models(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.width = s.ask.draw.height = s.ask.draw.n_steps = 0;
  s.ask.draw.sampler = nullptr;
  s.ask.cancel = nullptr;
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_int_equal(s.width, 64);
  assert_int_equal(s.height, 64);
  assert_int_equal(s.n_steps, 4);
  sitter_done(&s);
  al_inference_free(inference);
}

static void previews_come_between(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.n_steps = 7;
  s.ask.draw.n_images = 2;
  s.ask.draw.preview_every = 3;
  s.ask.format = AL_IMAGE_JPEG;
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_int_equal(s.n_previews, 4); /* after the 3rd and the 6th */
  constexpr char HEAD[] = "jpeg 2x1 90\n";
  assert_int_equal(s.previews.size, 4 * (sizeof HEAD - 1 + 6));
  assert_memory_equal(s.previews.data, HEAD, sizeof HEAD - 1);
  assert_int_equal(s.n_pictures, 2);
  sitter_done(&s);
  al_inference_free(inference);
}

static void progress_is_told_now_and_then(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.n_steps = 1000;
  al_fake_knobs.step_ns = 300'000;
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_false(s.failed);
  double seconds = (double)(s.ended_ns - s.first_progress_ns) / 1e9;
  assert_true(s.n_progress >= 2 && s.n_progress <= 2 + (int)(seconds * 10));
  sitter_done(&s);
  al_inference_free(inference);
}

/* --- with pictures ---------------------------------------------------------------------------------------------- */

/* Half of the grey and half of what is drawn without it. */
static void a_picture_is_changed(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter plain, s;
  sitter_init(&plain, nullptr, nullptr);
  sitter_init(&s, "GREY 100", nullptr);
  s.ask.draw.strength = 0.5;
  kit_draw(inference, &plain);
  kit_draw(inference, &s);
  (void)close(s.ask.image.fd); /* it has its own */
  s.ask.image.fd = -1;
  sitter_wait(&plain);
  sitter_wait(&s);
  assert_false(s.failed);
  const uint8_t *drawn = sitter_pixels(&plain, 0, "png 16x8 90\n"), *mixed = sitter_pixels(&s, 0, "png 16x8 90\n");
  for (int i = 0; i < N_PIXELS * 3; i++)
    assert_int_equal(mixed[i], (100 + drawn[i]) / 2);
  assert_int_equal(stand_in_media.n_looked, 1);
  assert_int_equal(stand_in_media.last_width, 16);
  assert_int_equal(stand_in_media.last_height, 8);
  sitter_done(&plain);
  sitter_done(&s);
  al_inference_free(inference);
}

/* Where the mask is transparent; in one that has nothing transparent, where it is white. */
static void a_mask_says_where(void **)
{
  static const char *const masks[] = { "HOLE", "HALVES", "WHOLE" };
  struct al_inference *inference = kit_open(nullptr);
  struct sitter plain;
  sitter_init(&plain, nullptr, nullptr);
  kit_draw(inference, &plain);
  sitter_wait(&plain);
  const uint8_t *drawn = sitter_pixels(&plain, 0, "png 16x8 90\n");
  for (size_t m = 0; m < AL_COUNT(masks); m++) {
    struct sitter s;
    sitter_init(&s, "GREY 100", masks[m]);
    kit_draw(inference, &s);
    sitter_wait(&s);
    assert_false(s.failed);
    const uint8_t *pixels = sitter_pixels(&s, 0, "png 16x8 90\n");
    for (int i = 0; i < N_PIXELS; i++) {
      bool is_left = i % 16 < 8;
      assert_true(is_left || is_grey(pixels + 3 * i, 100));
      assert_true(!is_left || memcmp(pixels + 3 * i, drawn + 3 * i, 3) == 0);
    }
    sitter_done(&s);
  }
  sitter_done(&plain);
  al_inference_free(inference);
}

/* The model's own size is not known before it is there: the picture is looked at twice. */
static void a_picture_is_scaled_to_the_models_size(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  sitter_init(&s, "GREY 9", "HOLE");
  s.ask.draw.width = 0;
  s.ask.draw.height = 24;
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_false(s.failed);
  assert_int_equal(s.width, 64);
  assert_int_equal(s.height, 24);
  assert_int_equal(stand_in_media.n_looked, 4);
  assert_true(is_grey(sitter_pixels(&s, 0, "png 64x24 90\n") + 3 * 63, 9));
  sitter_done(&s);
  al_inference_free(inference);
}

/* The model is not loaded for it. */
static void what_is_no_picture_is_refused_without_a_model(void **)
{
  static const struct {
    const char *image, *mask, *reason, *param;
  } files[] = {
    { "", nullptr, "empty_file", "image" },
    { "BAD", nullptr, "unknown_media", "image" },
    { "GREY 1", "BAD", "unknown_media", "mask" },
    { "GREY 1", "", "empty_file", "mask" },
  };
  struct al_inference *inference = kit_open(nullptr);
  for (size_t i = 0; i < 2 * AL_COUNT(files); i++) {
    struct sitter s;
    sitter_init(&s, files[i / 2].image, files[i / 2].mask);
    s.ask.draw.width = i % 2 == 0 ? 16 : 0;
    kit_draw(inference, &s);
    sitter_wait(&s);
    assert_true(s.failed);
    assert_false(s.started);
    assert_int_equal(s.err.code, AL_INVALID_REQUEST);
    assert_string_equal(s.err.reason, files[i / 2].reason);
    assert_string_equal(s.err.param, files[i / 2].param);
    sitter_done(&s);
  }
  assert_int_equal(al_fake_counts.n_loads, 0);
  kit_wait_inactive(inference);
  struct al_model_status status;
  assert_int_equal(al_inference_model(inference, "fake-paint", &status, nullptr), AL_OK);
  assert_int_equal(status.n_waiting, 0);
  al_model_status_done(&status);
  al_inference_free(inference);
}

/* Half of it each, with its mask: a third has to come again. */
static void pictures_that_wait_have_a_limit(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s[3];
  for (int i = 0; i < 3; i++) {
    sitter_init(&s[i], i < 2 ? "BUSY" : "GREY 1", i < 2 ? "HOLE" : nullptr);
    if (i < 2)
      s[i].ask.draw.width = s[i].ask.draw.height = 8192;
    kit_draw(inference, &s[i]);
    while (i < 2 && stand_in_media.n_looking <= i)
      (void)usleep(200);
  }
  sitter_wait(&s[2]);
  assert_true(s[2].failed);
  assert_int_equal(s[2].err.code, AL_OOM_RAM);
  assert_string_equal(s[2].err.reason, "overloaded");
  sitter_done(&s[2]);
  al_cancel_fire(s[0].cancel, AL_CANCELLED);
  sitter_wait(&s[0]);
  sitter_done(&s[0]);
  sitter_init(&s[2], "GREY 1", nullptr);
  kit_draw(inference, &s[2]);
  sitter_wait(&s[2]);
  assert_false(s[2].failed);
  sitter_done(&s[2]);
  al_cancel_fire(s[1].cancel, AL_CANCELLED);
  sitter_wait(&s[1]);
  sitter_done(&s[1]);
  al_inference_free(inference);
}

/* --- refusals and failures -------------------------------------------------------------------------------------- */

static void assert_wrong(struct al_inference *inference, const struct sitter *s, const char *param)
{
  struct al_err err = {};
  assert_int_equal(al_inference_draw(inference, &s->ask, &err), AL_INVALID_REQUEST);
  assert_string_equal(err.param, param);
  assert_false(s->started || s->ended);
}

static void what_no_model_draws_is_refused_at_once(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  sitter_init(&s, nullptr, "HOLE");
  assert_wrong(inference, &s, "mask");
  sitter_done(&s);
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.width = 8193;
  assert_wrong(inference, &s, "width");
  s.ask.draw.width = -1;
  assert_wrong(inference, &s, "width");
  s.ask.draw.width = 8;
  s.ask.draw.height = 1 << 30;
  assert_wrong(inference, &s, "height");
  s.ask.draw.height = 8;
  s.ask.quality = 101;
  assert_wrong(inference, &s, "output_compression");
  s.ask.quality = 0;
  s.ask.format = AL_IMAGE_FORMAT_COUNT;
  assert_wrong(inference, &s, "output_format");
  sitter_done(&s);
  al_inference_free(inference);
}

static void the_models_refusals_are_told(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s[4];
  static const char *const params[] = { "width", "sampler", "n", "strength" };
  for (int i = 0; i < 4; i++) {
    sitter_init(&s[i], i == 3 ? "GREY 1" : nullptr, nullptr);
    s[i].ask.draw.width = i == 0 ? 12 : 16;
    s[i].ask.draw.sampler = i == 1 ? "none" : "";
    s[i].ask.draw.n_images = i == 2 ? 65 : 1;
    s[i].ask.draw.strength = 0;
    kit_draw(inference, &s[i]);
    sitter_wait(&s[i]);
    assert_true(s[i].failed);
    assert_false(s[i].started);
    assert_int_equal(s[i].err.code, AL_INVALID_REQUEST);
    assert_string_equal(s[i].err.param, params[i]);
    sitter_done(&s[i]);
  }
  assert_int_equal(al_fake_counts.n_drawings, 0);
  al_inference_free(inference);
}

static void failures_are_told(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s;
  al_fake_knobs.fail_step_at = 5;
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.n_images = 3;
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_int_equal(s.err.code, AL_INTERNAL);
  assert_int_equal(s.n_pictures, 1);
  sitter_done(&s);
  stand_in_media.fail_write_at = 2;
  sitter_init(&s, nullptr, nullptr);
  s.ask.draw.n_images = 3;
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_string_equal(s.err.message, "the encoder crashed (SIGSEGV)");
  assert_int_equal(s.n_pictures, 1);
  assert_int_equal(al_fake_counts.n_pictures, 3); /* one of the first three requested, two of the second */
  sitter_done(&s);
  stand_in_media.no_writers = true;
  sitter_init(&s, nullptr, nullptr);
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_int_equal(s.err.code, AL_UNSUPPORTED);
  sitter_done(&s);
  al_inference_free(inference);
}

static void a_load_that_fails_is_told_to_all(void **)
{
  struct al_inference *inference = kit_open(nullptr);
  struct sitter s[3];
  al_fake_knobs.load_code = AL_LOAD_FAILED;
  al_fake_knobs.load_ns = 5'000'000;
  for (int i = 0; i < 3; i++) {
    sitter_init(&s[i], i == 2 ? "GREY 1" : nullptr, nullptr);
    kit_draw(inference, &s[i]);
  }
  for (int i = 0; i < 3; i++) {
    sitter_wait(&s[i]);
    assert_int_equal(s[i].err.code, AL_LOAD_FAILED);
    sitter_done(&s[i]);
  }
  al_inference_free(inference);
}

static void assert_says(const struct al_err *err, const char *words)
{
  assert_int_equal(err->code, AL_UNSUPPORTED);
  if (strstr(err->message, words) == nullptr)
    fail_msg("'%s' does not say '%s'", err->message, words);
}

/* Whether it is in memory or not. */
static void models_of_another_kind_are_refused(void **)
{
  static const char *const quarantined[] = { "fake-paint-bad" };
  struct al_inference *inference =
      kit_open(&(struct al_inference_options){ .quarantined = quarantined, .n_quarantined = 1 });
  struct sitter s;
  struct client client;
  struct al_err err = {};
  sitter_init(&s, nullptr, nullptr);
  s.ask.model = "fake";
  assert_int_equal(al_inference_draw(inference, &s.ask, &err), AL_UNSUPPORTED);
  assert_says(&err, "'fake' is a language model, not one that draws");
  s.ask.model = "fake-paint-bad";
  assert_int_equal(al_inference_draw(inference, &s.ask, &err), AL_UNSUPPORTED);
  assert_string_equal(err.reason, "model_quarantined");
  s.ask.model = "nothing";
  assert_int_equal(al_inference_draw(inference, &s.ask, &err), AL_NOT_FOUND);
  client_init(&client, "hi");
  client.request.model = "fake-paint";
  assert_int_equal(al_inference_text(inference, &client.request, &err), AL_UNSUPPORTED);
  assert_says(&err, "a model that draws, not one that chats");

  kit_load_now(inference, "fake");
  kit_load_now(inference, "fake-paint");
  s.ask.model = "fake";
  kit_draw(inference, &s);
  sitter_wait(&s);
  assert_says(&s.err, "'fake' is a language model, not one that draws");
  client_submit(inference, &client);
  client_wait(&client);
  assert_says(&client.err, "a model that draws, not one that works on text");
  client_done(&client);
  sitter_done(&s);
  al_inference_free(inference);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    TEST(words_become_a_picture),
    TEST(several_pictures_have_seeds_of_their_own),
    TEST(a_seed_by_lot_is_told),
    TEST(what_is_left_open_is_the_models),
    TEST(previews_come_between),
    TEST(progress_is_told_now_and_then),
    TEST(a_picture_is_changed),
    TEST(a_mask_says_where),
    TEST(a_picture_is_scaled_to_the_models_size),
    TEST(what_is_no_picture_is_refused_without_a_model),
    TEST(pictures_that_wait_have_a_limit),
    TEST(what_no_model_draws_is_refused_at_once),
    TEST(the_models_refusals_are_told),
    TEST(failures_are_told),
    TEST(a_load_that_fails_is_told_to_all),
    TEST(models_of_another_kind_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
