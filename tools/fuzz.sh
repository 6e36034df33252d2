#!/bin/sh
# Builds the fuzz targets with libFuzzer, ASan and UBSan, and runs each for SECONDS_EACH (60) seconds. The library
# sources are compiled once for all targets, and again only when they change. What has been learnt stays in
# FUZZ_BUILD/corpus-*, an input that a target stumbles over in FUZZ_BUILD/fuzz_*-crash-...; run the target with its name
# to see it again. Whatever is found becomes a test or a file of fuzz/seeds. Usage: tools/fuzz.sh [target]...
set -eu
cd "$(dirname "$0")/.."
build=${FUZZ_BUILD:-build-fuzz}
seconds=${SECONDS_EACH:-60}
mkdir -p "$build"
[ $# -gt 0 ] || set -- $(cd fuzz && ls fuzz_*.c | sed 's/\.c$//')

# Engines without what needs a model in memory; endpoints without net and inference, which the target stands in for.
sources="$(find src/base src/codec src/os src/config src/text src/net src/api src/store -name '*.c') $(ls src/media/*.c)
  $(find src/engine/espeak -name '*.c' ! -name absent.c)
  $(find src/engine/safetensors -name '*.c' ! -name allm_export.c) src/engine/llama/bpe.c src/engine/llama/words.c
  src/engine/llama/text_rules.c src/engine/llama/tokenizer.c src/engine/llama/wordpiece.c src/engine/llama/yarn.c src/db/db.c"
modules="yyjson libutf8proc libuv libllhttp libwslay openssl sqlite3 llama ggml"
flags="-std=c23 -O1 -gline-tables-only -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -fno-strict-aliasing -Isrc
  -DAL_VERSION=\\\"fuzz\\\" -include stdio.h -include stdlib.h -include string.h -include time.h -Wno-everything
  -fno-sanitize-recover=undefined $(pkg-config --cflags $modules)"

object_of() { echo "$build/$(echo "$1" | sed 's,/,_,g; s,\.c$,.o,')"; }

# Targets are linked with an archive, so that each takes what it needs and may stand in for the rest.
{
  echo "builddir = $build"
  echo "rule compile"
  echo "  command = clang-22 -MMD -MF \$out.d $(echo $flags) -fsanitize=fuzzer-no-link,address,undefined -c \$in -o \$out"
  echo "  depfile = \$out.d"
  echo "  deps = gcc"
  echo "rule archive"
  echo "  command = rm -f \$out && ar crT \$out @\$out.list"
  echo "  rspfile = \$out.list"
  echo "  rspfile_content = \$in"
  echo "rule link"
  echo "  command = clang-22 -fsanitize=fuzzer,address,undefined \$in $(pkg-config --libs $modules) -lm -o \$out"
  objects=""
  for source in $sources; do
    object=$(object_of "$source")
    objects="$objects $object"
    echo "build $object: compile $source"
  done
  echo "build $build/library.a: archive$objects"
  for source in fuzz/fuzz_*.c; do
    echo "build $(object_of "$source"): compile $source"
    echo "build $build/$(basename "$source" .c): link $(object_of "$source") $build/library.a"
  done
} >"$build/build.ninja.new"
cmp -s "$build/build.ninja.new" "$build/build.ninja" || cp "$build/build.ninja.new" "$build/build.ninja"

programs=""
for target in "$@"; do programs="$programs $build/$target"; done
# shellcheck disable=SC2086
ninja --quiet -f "$build/build.ninja" $programs

symbolizer=$(command -v llvm-symbolizer-22 || command -v llvm-symbolizer || true)
[ -z "$symbolizer" ] || export ASAN_SYMBOLIZER_PATH="$symbolizer" UBSAN_OPTIONS="print_stacktrace=1"

# One line a target that finds nothing; all it says otherwise.
run() { # target
  mkdir -p "$build/corpus-$1"
  seeds=""
  [ -d "fuzz/seeds/$1" ] && seeds="fuzz/seeds/$1"
  # shellcheck disable=SC2086
  "$build/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$build/$1-" "$build/corpus-$1" $seeds >"$build/$1.log" 2>&1 || {
    tail -n 60 "$build/$1.log"
    echo "fuzz: $1 FAILED"
    return 1
  }
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$1.log")
  [ "${runs:-0}" -gt 0 ] || { echo "fuzz: $1 ran nothing"; return 1; }
  echo "fuzz: $1: $runs runs in $seconds s, $(ls "$build/corpus-$1" | wc -l) inputs kept, no finding"
}
for target in "$@"; do
  run "$target"
done
