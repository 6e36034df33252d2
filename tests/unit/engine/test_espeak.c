#include "engine/espeak/espeak_engine.h"

#include "base/alloc.h"
#include "base/macros.h"
#include "base/thread.h"
#include "engine/espeak/ssml.h"
#include "engine/espeak/text.h"
#include "engine/espeak/voices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct al_engine *const engine = &al_engine_espeak;
static char id[] = "espeak";
static char runtime[] = "espeak_ng";
static const struct al_model_descriptor descriptor = {
  .id = id, .runtime = runtime, .type = AL_TYPE_TTS, .format = AL_FORMAT_NONE, .builtin = true
};
static struct al_engine_model *model; /* for the tests of one that is loaded */

struct heard {
  size_t n, n_calls, most; /* most: refuse from here on */
  double energy, peak;
  struct al_cancel *fire; /* after the first samples */
};

static bool hear(void *user, const float *samples, size_t n)
{
  struct heard *heard = user;
  heard->n += n;
  heard->n_calls++;
  for (size_t i = 0; i < n; i++) {
    double value = (double)samples[i];
    heard->energy += value * value;
    heard->peak = value > heard->peak ? value : heard->peak;
  }
  al_cancel_fire(heard->fire, AL_CANCELLED);
  return heard->most == 0 || heard->n < heard->most;
}

static enum al_code say(struct heard *heard, const char *text, const char *voice, double speed, struct al_err *err)
{
  const struct al_speak_options options = { .voice = voice, .speed = speed };
  return engine->speak->speak(model, al_str(text), &options, hear, heard, nullptr, err);
}

static double seconds(const char *text, const char *voice, double speed)
{
  struct heard heard = {};
  struct al_err err = {};
  if (say(&heard, text, voice, speed, &err) != AL_OK)
    fail_msg("%s", err.message);
  return (double)heard.n / 22050;
}

static const char sentence[] = "The quick brown fox jumps over the lazy dog, and then it goes home to sleep.";

static int load_it(void **)
{
  struct al_err err = {};
  const struct al_load_options options = {};
  enum al_code code = engine->load(&descriptor, &options, nullptr, nullptr, &model, &err);
  if (code != AL_OK)
    print_error("%s\n", err.message);
  return code != AL_OK;
}

static int unload_it(void **)
{
  engine->unload(model);
  model = nullptr;
  return 0;
}

/* --- loading ---------------------------------------------------------------------------------------------------- */

static bool refuse_progress(void *, float)
{
  return false;
}

static void test_load(void **)
{
  struct al_engine_model *second = nullptr;
  struct al_err err = {};
  const struct al_load_options options = {};
  assert_int_equal(engine->load(&descriptor, &options, nullptr, nullptr, &second, &err), AL_LOAD_FAILED);
  assert_null(second);
  unload_it(nullptr);
  assert_int_equal(engine->load(&descriptor, &options, refuse_progress, nullptr, &second, &err), AL_CANCELLED);
  assert_int_equal(load_it(nullptr), 0);
  assert_true(seconds("Hello.", "", 1) > 0.2);
  engine->unload(nullptr);
}

static void test_load_faults(void **)
{
  unload_it(nullptr);
  const struct al_load_options options = {};
  size_t n = 1;
  enum al_code code = AL_OOM_RAM;
  for (; code == AL_OOM_RAM && n < 20'000; n += n < 20 ? 1 : 97) {
    struct al_err err = {};
    (void)al_alloc_fail_at(n);
    code = engine->load(&descriptor, &options, nullptr, nullptr, &model, &err);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OK || code == AL_OOM_RAM);
  }
  assert_int_equal(code, AL_OK);
  assert_true(n > 100);
}

static void test_data_missing(void **)
{
  unload_it(nullptr);
  struct al_err err = {};
  const struct al_load_options options = {};
  assert_int_equal(setenv("ESPEAK_DATA_PATH", "/nonexistent", 1), 0);
  enum al_code code = engine->load(&descriptor, &options, nullptr, nullptr, &model, &err);
  assert_int_equal(unsetenv("ESPEAK_DATA_PATH"), 0);
  if (code != AL_OK) { /* a library that looks elsewhere too finds its data */
    assert_int_equal(code, AL_NOT_FOUND);
    assert_non_null(strstr(err.message, "espeak-ng-data"));
    assert_int_equal(load_it(nullptr), 0);
  }
}

static void test_supports(void **)
{
  struct al_err err = {};
  assert_int_equal(engine->supports(&descriptor, &err), AL_OK);
  const struct al_model_descriptor other = { .id = id, .type = AL_TYPE_LLM, .format = AL_FORMAT_NONE };
  assert_int_equal(engine->supports(&other, &err), AL_UNSUPPORTED);
  struct al_memory_estimate estimate = {};
  assert_int_equal(engine->estimate(&descriptor, nullptr, &estimate, &err), AL_OK);
  assert_true(estimate.weights_ram_bytes > 0);
}

/* --- voices ----------------------------------------------------------------------------------------------------- */

static void test_voices(void **)
{
  struct al_speak_info info = {};
  engine->speak->info(model, &info);
  assert_int_equal(info.sample_rate, 22050);
  assert_true(info.n_voices > 100);
  char last[64] = "";
  struct al_voice voice = {};
  bool has_german = false;
  for (size_t i = 0; i < info.n_voices; i++) {
    assert_true(engine->speak->voice(model, i, &voice));
    assert_true(strcmp(last, voice.id) < 0); /* sorted, none twice */
    (void)snprintf(last, sizeof last, "%s", voice.id);
    assert_int_equal(engine->speak->check_voice(model, voice.id, nullptr), AL_OK);
    has_german |= al_streq(voice.id, "de") && al_streq(voice.language, "de") && al_streq(voice.name, "German");
  }
  assert_true(has_german);
  assert_false(engine->speak->voice(model, info.n_voices, &voice));
}

static void test_voice_names(void **)
{
  static const char *const good[] = { "",      "en-us",    "EN-US",    "gmw/en-US",      "en",    "en-us+f3",
                                      "de+F3", "fr+anika", "pt-br+m1", "en-gb-scotland", "alloy", "Nova" };
  for (size_t i = 0; i < AL_COUNT(good); i++)
    if (engine->speak->check_voice(model, good[i], nullptr) != AL_OK)
      fail_msg("%s", good[i]);
  static const char *const bad[] = {
    "xx",          "../voices/!v/f3",           "/etc/passwd", "!v/f3", "f3",    "+f3",     "en-us+", "mb-en1",
    "en-us+f3+f4", "en-us+../../../etc/passwd", "mb/mb-en1",   "\n",    "en us", "en-us+mb"
  };
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    struct al_err err = {};
    if (engine->speak->check_voice(model, bad[i], &err) != AL_INVALID_REQUEST)
      fail_msg("%s", bad[i]);
    assert_string_equal(err.reason, "unknown_voice");
    assert_string_equal(err.param, "voice");
  }
  char endless[5000];
  memset(endless, 'a', sizeof endless - 1);
  endless[sizeof endless - 1] = '\0';
  assert_int_equal(engine->speak->check_voice(model, endless, nullptr), AL_INVALID_REQUEST);
}

static void test_near_voices(void **)
{
  struct al_err err = {};
  assert_int_equal(engine->speak->check_voice(model, "en-uk", &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "'en-us'"));
  assert_int_equal(engine->speak->check_voice(model, "de+f9", &err), AL_INVALID_REQUEST);
  assert_non_null(strstr(err.message, "'+f3'"));
}

static void test_openai_voices(void **)
{
  static const char *const names[] = { "alloy", "ash",  "ballad",  "coral", "echo",  "fable", "onyx",
                                       "nova",  "sage", "shimmer", "verse", "marin", "cedar" };
  struct heard heard[AL_COUNT(names)] = {};
  for (size_t i = 0; i < AL_COUNT(names); i++) {
    assert_non_null(al_espeak_openai_voice(names[i]));
    assert_int_equal(say(&heard[i], sentence, names[i], 1, nullptr), AL_OK);
    for (size_t k = 0; k < i; k++) {
      assert_string_not_equal(al_espeak_openai_voice(names[i]), al_espeak_openai_voice(names[k]));
      double louder = heard[i].energy / heard[k].energy;
      assert_true(heard[i].n != heard[k].n || louder < 0.999 || louder > 1.001);
    }
  }
  assert_null(al_espeak_openai_voice("en-us"));
}

/* --- speaking --------------------------------------------------------------------------------------------------- */

static void test_samples(void **)
{
  struct heard heard = {};
  assert_int_equal(say(&heard, sentence, "en-us", 1, nullptr), AL_OK);
  assert_true(heard.n > 3 * 22050 && heard.n < 7 * 22050);
  assert_true(heard.n_calls > 10);
  assert_true(heard.peak > 0.1 && heard.peak <= 1);
  assert_true(heard.energy / (double)heard.n > 1e-4);
}

static void test_speed(void **)
{
  double normal = seconds(sentence, "en-us", 1);
  static const double speeds[] = { 0.25, 0.4, 0.5, 0.75, 1.5, 2, 3, 4 };
  for (size_t i = 0; i < AL_COUNT(speeds); i++) {
    double made = normal / seconds(sentence, "en-us", speeds[i]) / speeds[i];
    if (made < 0.85 || made > 1.15)
      fail_msg("speed %g is %g times what it should be", speeds[i], made);
  }
  struct heard heard = {};
  struct al_err err = {};
  static const double refused[] = { 0, 0.2, 4.1, -1, 1e9 };
  for (size_t i = 0; i < AL_COUNT(refused); i++) {
    assert_int_equal(say(&heard, "a", "", refused[i], &err), AL_INVALID_REQUEST);
    assert_string_equal(err.param, "speed");
  }
  assert_int_equal(heard.n, 0);
}

static void test_plain_text_is_read_whole(void **)
{
  double without = seconds("a b", "en-us", 1);
  assert_true(seconds("a <b>bold</b> b", "en-us", 1) > without + 0.5);
  assert_true(seconds("a [[h@l'oU]] b", "en-us", 1) > without + 0.3);
  assert_true(seconds("a &lt; b", "en-us", 1) > without + 0.3);
  assert_true(seconds("Say <speak>a</speak>", "en-us", 1) > seconds("Say", "en-us", 1) + 1);
}

static void test_hostile_text(void **)
{
  static const char *const texts[] = {
    "",
    " ",
    "\n\n\n",
    "\x01"
    "50S fast",
    "\xff\xfe\x80 broken",
    "\xf4\x8f\xbf\xbf",
    "\x1b[31m",
    "...!!!???",
    "\xe2\x80\xae"
    "abc",
    "\x01"
    "1000000000Rx",
    "1e999999999 99999999999999999999999999999999999",
    "\xed\xa0\x80",
    "\xef\xbf\xbe",
    "%s%n%s%n",
  };
  for (size_t i = 0; i < AL_COUNT(texts); i++)
    (void)seconds(texts[i], "en-us", 4);
  /* A control character commands nothing. */
  double plain = seconds("one  80S two", "en-us", 1), commanded = seconds("one \x01"
                                                                          "80S two",
                                                                          "en-us", 1);
  assert_true(plain / commanded > 0.99 && plain / commanded < 1.01);
}

static void test_long_text(void **)
{
  size_t n = 0, size = 100'000;
  char *text = malloc(size + sizeof sentence + 1);
  assert_non_null(text);
  while (n < size) {
    memcpy(text + n, sentence, sizeof sentence - 1);
    n += sizeof sentence - 1;
    text[n++] = ' ';
  }
  const struct al_speak_options options = { .voice = "", .speed = 4 };
  struct heard heard = {};
  assert_int_equal(engine->speak->speak(model, al_str_n(text, n), &options, hear, &heard, nullptr, nullptr), AL_OK);
  double each = (double)heard.n / 22050 / ((double)n / (double)sizeof sentence);
  double alone = seconds(sentence, "", 4);
  assert_true(each / alone > 0.9 && each / alone < 1.1);
  memset(text, 'x', n); /* nowhere to cut */
  heard = (struct heard){ .most = 22050 };
  assert_int_equal(engine->speak->speak(model, al_str_n(text, n), &options, hear, &heard, nullptr, nullptr),
                   AL_CANCELLED);
  free(text);
}

static void test_stop(void **)
{
  double before = seconds("Hello world.", "", 3);
  static const double speeds[] = { 0.25, 1, 4 };
  for (size_t i = 0; i < AL_COUNT(speeds); i++) {
    struct al_err err = {};
    struct heard heard = { .most = 500 };
    assert_int_equal(say(&heard, sentence, "", speeds[i], &err), AL_CANCELLED);
    assert_true(heard.n < 3000);
    struct al_cancel *stop = al_cancel_new();
    heard = (struct heard){ .fire = stop };
    const struct al_speak_options options = { .voice = "", .speed = speeds[i] };
    assert_int_equal(engine->speak->speak(model, al_str(sentence), &options, hear, &heard, stop, &err), AL_CANCELLED);
    assert_int_equal(heard.n_calls, 1);
    heard = (struct heard){};
    assert_int_equal(engine->speak->speak(model, al_str(sentence), &options, hear, &heard, stop, &err), AL_CANCELLED);
    assert_int_equal(heard.n, 0);
    al_cancel_unref(stop);
    /* Nothing of what was broken off is heard later. */
    double after = seconds("Hello world.", "", 3) / before;
    assert_true(after > 0.98 && after < 1.02);
  }
}

static void test_out_of_memory(void **)
{
  for (size_t n = 1; n <= 3; n++) {
    struct heard heard = {};
    (void)al_alloc_fail_at(n);
    enum al_code code = say(&heard, sentence, "de+f3", 1, nullptr);
    (void)al_alloc_fail_at(0);
    assert_true(code == AL_OOM_RAM || (n > 2 && code == AL_OK));
  }
  assert_true(seconds(sentence, "", 1) > 3);
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void assert_clean(const char *text, const char *wanted)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  al_espeak_clean(al_str(text), &out);
  assert_string_equal(out.size > 0 ? out.data : "", wanted);
}

static void test_clean(void **)
{
  assert_clean("", "");
  assert_clean("a\x01\x02z\tb\nc\x7f", "a  z\tb\nc ");
  assert_clean("\xc2\x9b"
               "1m \xc3\xa9",
               " 1m \xc3\xa9");
  assert_clean("a\xff"
               "b\xe2\x82",
               "a\xef\xbf\xbd"
               "b\xef\xbf\xbd");
}

static void test_cut(void **)
{
  static char text[3 * AL_ESPEAK_MAX_PIECE_BYTES];
  memset(text, 'a', sizeof text);
  assert_int_equal(al_espeak_cut(al_str("")), 0);
  assert_int_equal(al_espeak_cut(al_str("One. Two.")), 9);
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)), AL_ESPEAK_MAX_PIECE_BYTES);
  text[1000] = ' ';
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)), 1001);
  text[700] = ',', text[701] = ' ';
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)), 701);
  text[500] = '.'; /* 3.5 is no sentence */
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)), 701);
  text[501] = ' ';
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)), 501);
  for (size_t i = 0; i + 3 <= sizeof text; i += 3)
    memcpy(text + i, "\xe4\xbd\xa0", 3);
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)) % 3, 0);
  memcpy(text + 300, "\xe3\x80\x82", 3);
  assert_int_equal(al_espeak_cut(al_str_n(text, sizeof text)), 303);
}

/* --- SSML ------------------------------------------------------------------------------------------------------- */

static void assert_ssml(const char *text, const char *wanted)
{
  AL_CLEANUP(al_buf_done) struct al_buf out = {};
  struct al_err err = {};
  assert_true(al_espeak_is_ssml(al_str(text)));
  if (al_espeak_ssml(al_str(text), &out, &err) != AL_OK)
    fail_msg("%s", err.message);
  assert_string_equal(out.data, wanted);
}

static void test_ssml(void **)
{
  assert_ssml("<speak>Hi</speak>", "<speak>Hi</speak>");
  assert_ssml(" <?xml version='1.0'?>\n<speak version='1.1' xml:lang=\"en-US\">a</speak> ", "<speak>a</speak>");
  assert_ssml("<speak><break time='1.5s' strength = \"weak\" />a</speak>",
              "<speak><break time=\"1500ms\" strength=\"weak\"/>a</speak>");
  assert_ssml("<speak>3 &lt; 4 &amp;&#228;&#x4F60; > <!-- <audio> -->x</speak>",
              "<speak>3 &lt; 4 &amp;\xc3\xa4\xe4\xbd\xa0 &gt; x</speak>");
  assert_ssml("<speak><p><s><prosody rate='+10%' pitch='low'>a</prosody></s></p></speak>",
              "<speak><p><s><prosody rate=\"+10%\" pitch=\"low\">a</prosody></s></p></speak>");
  assert_ssml("<speak><sub alias='World &quot;Wide&quot; &lt;Web>'>WWW</sub></speak>",
              "<speak><sub alias=\"World  Wide  &lt;Web&gt;\">WWW</sub></speak>");
  assert_ssml("<speak/>", "<speak/>");
  assert_false(al_espeak_is_ssml(al_str("")));
  assert_false(al_espeak_is_ssml(al_str("a <speak>b</speak>")));
  assert_false(al_espeak_is_ssml(al_str("<speaker>b</speaker>")));
  assert_false(al_espeak_is_ssml(al_str("<speak")));
}

static void test_bad_ssml(void **)
{
  static const char *const bad[] = {
    "<speak><audio src='/etc/passwd'>a</audio></speak>",
    "<speak><voice name='../x'>a</voice></speak>",
    "<speak>a",
    "<speak>a</p></speak>",
    "<speak></speak>b",
    "<speak><speak>a</speak></speak>",
    "<speak><break time='99999999s'/></speak>",
    "<speak><break time='11s'/></speak>",
    "<speak><break time='1h'/></speak>",
    "<speak><prosody rate='999999999%'>a</prosody></speak>",
    "<speak><prosody rate='0%'>a</prosody></speak>",
    "<speak><prosody rate='-100%'>a</prosody></speak>",
    "<speak><prosody contour='(0%,+20Hz)'>a</prosody></speak>",
    "<speak>&nbsp;</speak>",
    "<speak>& b</speak>",
    "<speak>&#0;</speak>",
    "<speak>&#x1b;</speak>",
    "<speak>&#x110000000;</speak>",
    "<speak <p>>a</speak>",
    "<speak><!-- a</speak>",
    "<speak><p xml:lang='de'>a</p></speak>",
    "<speak><break time=1s/></speak>",
    "<speak><break time='1s/></speak>",
    "<speak onload='x'>a</speak>",
    "<speak><![CDATA[a]]></speak>",
    "<speak><",
    "<speak></",
    "<speak><p><p><p><p><p><p><p><p><p><p><p><p><p><p><p><p><p><p><p>a",
  };
  for (size_t i = 0; i < AL_COUNT(bad); i++) {
    AL_CLEANUP(al_buf_done) struct al_buf out = {};
    struct al_err err = {};
    if (al_espeak_ssml(al_str(bad[i]), &out, &err) != AL_INVALID_REQUEST)
      fail_msg("%s", bad[i]);
    assert_string_equal(err.reason, "invalid_ssml");
    assert_string_equal(err.param, "input");
  }
}

static void test_ssml_is_heard(void **)
{
  double plain = seconds("Hello world.", "", 1);
  double paused = seconds("<speak>Hello <break time='2s'/> world.</speak>", "", 1) - plain;
  assert_true(paused > 1.8 && paused < 2.5);
  double slow = seconds("<speak><prosody rate='50%'>Hello world.</prosody></speak>", "", 1) / plain;
  assert_true(slow > 1.5 && slow < 2.2);
  double same = seconds("<speak>Hello world.</speak>", "", 1) / plain;
  assert_true(same > 0.95 && same < 1.05);
  assert_true(seconds("<speak><say-as interpret-as='characters'>hello</say-as></speak>", "", 1) > plain);
  double alias = seconds("<speak><sub alias='World Wide Web Consortium'>W</sub></speak>", "", 1);
  assert_true(alias > plain);
  struct heard heard = {};
  assert_int_equal(say(&heard, "<speak><mark name='x'/></speak>", "", 1, nullptr), AL_INVALID_REQUEST);
  assert_int_equal(heard.n, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_load),
    cmocka_unit_test(test_load_faults),
    cmocka_unit_test(test_data_missing),
    cmocka_unit_test(test_supports),
    cmocka_unit_test(test_voices),
    cmocka_unit_test(test_voice_names),
    cmocka_unit_test(test_near_voices),
    cmocka_unit_test(test_openai_voices),
    cmocka_unit_test(test_samples),
    cmocka_unit_test(test_speed),
    cmocka_unit_test(test_plain_text_is_read_whole),
    cmocka_unit_test(test_hostile_text),
    cmocka_unit_test(test_long_text),
    cmocka_unit_test(test_stop),
    cmocka_unit_test(test_out_of_memory),
    cmocka_unit_test(test_clean),
    cmocka_unit_test(test_cut),
    cmocka_unit_test(test_ssml),
    cmocka_unit_test(test_bad_ssml),
    cmocka_unit_test(test_ssml_is_heard),
  };
  return cmocka_run_group_tests(tests, load_it, unload_it);
}
