#!/bin/sh
# What `make check` holds: format, layers, sizes, no warnings from GCC and clang, clang-tidy. No test runs here.
set -eu
cd "$(dirname "$0")/.."

sources=$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.c' 'bench/*.c')
echo "format"
# shellcheck disable=SC2086
clang-format-22 --dry-run -Werror $sources
echo "layers"
/usr/bin/python3 tools/check_layers.py
echo "sizes"
/usr/bin/python3 tools/check_sizes.py
echo "scripts"
for script in $(git ls-files '*.sh') .ci/run; do sh -n "$script"; done
/usr/bin/python3 -m compileall -q $(git ls-files '*.py') && find . -name __pycache__ -not -path './build*' -prune -exec rm -rf {} +

build() { # name compiler
  directory=build-check-$1
  [ -f "$directory/build.ninja" ] ||
    CC=$2 meson setup "$directory" -Dwerror=true >/dev/null
  echo "warnings: $1"
  ninja -C "$directory" >"$directory/compile.log" 2>&1 || { cat "$directory/compile.log"; exit 1; }
}
build gcc gcc
build clang clang-22

echo "clang-tidy"
run-clang-tidy-22 -quiet -p build-check-clang -j "$(nproc)" "$(pwd)/src/.*\.c$" >build-check-clang/tidy.log 2>&1 || {
  grep -E 'warning:|error:' build-check-clang/tidy.log | sort -u | head -n 100
  exit 1
}
echo "check: all good"
