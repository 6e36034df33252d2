#!/bin/sh
# Unit tests, then API tests with real clients against a real server, all of it built with ASan and UBSan.
# Usage: tools/test.sh BUILD_DIRECTORY
set -eu
cd "$(dirname "$0")/.."
build=$1
export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
# libedit, OpenMP and Mesa keep memory for the life of the process; see the file.
export LSAN_OPTIONS="suppressions=$(pwd)/tools/lsan.supp:print_suppressions=0:${LSAN_OPTIONS:-}"

meson compile -C "$build" >"$build/compile.log" 2>&1 || { cat "$build/compile.log"; exit 1; }
meson test -C "$build" --no-rebuild --suite unit --print-errorlogs

node_modules="$build/node_modules"
if [ ! -d "$node_modules/openai" ] || [ ! -d "$node_modules/@anthropic-ai/sdk" ]; then
  npm install --silent --no-audit --no-fund --no-save --prefix "$build" openai @anthropic-ai/sdk ||
    echo "test: the Node clients could not be installed: their tests will be skipped" >&2
fi
ALLM_BUILD=$(realpath "$build")
export ALLM_BUILD
/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/api tests/app
