#!/bin/sh
# Builds every fuzz target with libFuzzer, ASan and UBSan, and runs each for SECONDS_EACH (60). A crash leaves its input
# in build-fuzz/. Usage: tools/fuzz.sh [target]...
set -eu
cd "$(dirname "$0")/.."
mkdir -p build-fuzz
flags="-std=c23 -O1 -g -D_GNU_SOURCE -Isrc -DAL_BEFORE_BAN=<openssl/ssl.h> -include tools/banned.h -Wno-everything"
flags="$flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined"
libraries="$(pkg-config --libs yyjson libutf8proc libuv libllhttp libwslay openssl) -lm"
sources="$(find src/base src/codec src/os src/text src/net src/config -name '*.c')"
# The endpoints' requests meet stand-ins for net and inference.
requests="$(find src/base src/codec src/os -name '*.c') $(cd src/api && for file in anthropic anthropic_answer \
  anthropic_blocks anthropic_errors anthropic_messages anthropic_params body chat chat_answer choices completion \
  completion_join completions content errors format generation image_part job logprobs lora messages outlet_http params \
  text_params tool_choice tools; do echo "src/api/$file.c"; done)"
[ $# -gt 0 ] || set -- $(cd fuzz && ls fuzz_*.c | sed 's/\.c$//')
for target in "$@"; do
  files=$sources
  [ "$target" = fuzz_requests ] && files=$requests
  # shellcheck disable=SC2086
  clang-22 $flags -o "build-fuzz/$target" "fuzz/$target.c" $files $libraries
  mkdir -p "build-fuzz/corpus-$target"
  seeds=""
  [ -d "fuzz/seeds/$target" ] && seeds="fuzz/seeds/$target"
  echo "fuzz: $target for ${SECONDS_EACH:-60} s"
  # shellcheck disable=SC2086
  "build-fuzz/$target" -max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="build-fuzz/$target-" "build-fuzz/corpus-$target" $seeds
done
