#!/bin/sh
# Speed against peers, as ratios of one run. Usage: bench/run.sh BUILD_DIRECTORY
set -eu
cd "$(dirname "$0")/.."
build=$(realpath "$1")
/usr/bin/python3 bench/bench_idle.py --build "$build"
/usr/bin/python3 bench/bench_restart.py --build "$build"
"$build/bench/latency"
/usr/bin/python3 bench/bench_text.py --build "$build" --preset 0.6b --quant Q4_K
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tools/random_gguf.py --preset 0.6b --quant Q4_K "$work/random.gguf"
/usr/bin/python3 bench/bench_grammar.py --build "$build" --model "$work/random.gguf"
ninja -C "$build" tests/oracle/whisper-probe >"$build/bench.log" || { cat "$build/bench.log"; exit 1; }
/usr/bin/python3 bench/bench_speech.py --build "$build"
