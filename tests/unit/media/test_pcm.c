#include "media/media.h"
#include "media/pcm.h"

#include "base/macros.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int16_t convert(float sample)
{
  uint8_t out[2];
  al_pcm16_from_float(&sample, 1, out);
  return (int16_t)(uint16_t)(out[0] | out[1] << 8);
}

static void samples_are_rounded_and_clipped(void **)
{
  assert_int_equal(convert(0), 0);
  assert_int_equal(convert(0.5F), 16384);
  assert_int_equal(convert(1.6F / 32768), 2);
  assert_int_equal(convert(-1.6F / 32768), -2);
  assert_int_equal(convert(1), 32767);
  assert_int_equal(convert(-1), -32768);
  assert_int_equal(convert(7), 32767);
  assert_int_equal(convert(-7), -32768);
  assert_int_equal(convert(INFINITY), 32767);
  assert_int_equal(convert(-INFINITY), -32768);
  assert_int_equal(convert(NAN), 0);
  for (int value = -32768; value < 32768; value++) /* what came from 16 bits goes back to them */
    assert_int_equal(convert((float)value / 32768), value);
}

static void a_header_says_that_the_length_is_unknown(void **)
{
  uint8_t header[AL_WAV_HEADER_BYTES];
  al_wav_header(24000, header);
  static const uint8_t want[] = { 'R', 'I', 'F', 'F', 0xff, 0xff, 0xff, 0xff, 'W', 'A', 'V',  'E',  'f',  'm', 't',
                                  ' ', 16,  0,   0,   0,    1,    0,    1,    0,   192, 93,   0,    0,    128, 187,
                                  0,   0,   2,   0,   16,   0,    'd',  'a',  't', 'a', 0xff, 0xff, 0xff, 0xff };
  static_assert(sizeof want == AL_WAV_HEADER_BYTES);
  assert_memory_equal(header, want, sizeof want);
}

static void formats_have_names_and_types(void **)
{
  for (int i = 0; i < AL_AUDIO_FORMAT_COUNT; i++) {
    enum al_audio_format format = (enum al_audio_format)i;
    assert_int_equal(al_audio_format_parse(al_str(al_audio_format_name(format))), format);
    assert_memory_equal(al_audio_format_content_type(format), "audio/", 6);
  }
  assert_int_equal(al_audio_format_parse(al_str("MP3")), AL_AUDIO_FORMAT_COUNT);
  assert_int_equal(al_audio_format_parse(al_str("")), AL_AUDIO_FORMAT_COUNT);
  assert_int_equal(al_audio_format_parse(al_str("wave")), AL_AUDIO_FORMAT_COUNT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(samples_are_rounded_and_clipped),
    cmocka_unit_test(a_header_says_that_the_length_is_unknown),
    cmocka_unit_test(formats_have_names_and_types),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
