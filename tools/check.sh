#!/bin/sh
# What `make check` holds: format, layers, sizes, no warnings from GCC and clang, clang-tidy. No test runs here.
set -eu
cd "$(dirname "$0")/.."

sources=$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.c')
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

logged() { # log file, command...: silent unless it fails
  log=$1
  shift
  "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

# Compiles everything and links nothing. GCC finds some mistakes only when it optimises, clang needs no optimisation.
build() { # compiler, Meson's build type
  directory=build-check-${1%%-*}
  mkdir -p "$directory"
  [ -f "$directory/build.ninja" ] ||
    CC=$1 logged "$directory/setup.log" meson setup "$directory" -Dwerror=true -Dbuildtype="$2" -Ddebug=false
  echo "warnings: $1"
  objects=$(ninja -C "$directory" -t targets rule c_COMPILER)
  # shellcheck disable=SC2086
  logged "$directory/compile.log" ninja --quiet -k 0 -C "$directory" $objects
}
build gcc release
build clang-22 debug

echo "clang-tidy"
run-clang-tidy-22 -quiet -p build-check-clang -j "$(nproc)" "$(pwd)/src/.*\.c$" >build-check-clang/tidy.log 2>&1 || {
  grep -E 'warning:|error:' build-check-clang/tidy.log | sort -u | head -n 100
  exit 1
}
echo "check: all good"
