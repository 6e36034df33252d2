#!/bin/sh
# Runs every oracle test with the probes of a build directory: run.sh BUILD. Goes on after a failure; the exit status
# tells whether there was one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) || exit 2
ninja -C "$build" all tests/oracle/oracle-probe tests/oracle/template-probe tests/oracle/syntax-probe tests/oracle/codec-probe tests/oracle/schema-probe tests/oracle/whisper-probe tests/oracle/diffusion-probe tests/oracle/diffusion-sampler-probe tests/oracle/espeak-probe >"$build/oracle.log" 2>&1 || {
  cat "$build/oracle.log"
  exit 2
}
probes="$build/tests/oracle"
failed=""
run() {
  echo "== $1"
  name=$1
  shift
  /usr/bin/python3 "$here/$name" "$@" || failed="$failed $name"
}
run test_codec.py --probe "$probes/codec-probe"
run test_forms.py --probe "$probes/codec-probe"
run test_templates.py "$probes/template-probe"
run test_syntax.py "$probes/syntax-probe"
run test_schema.py "$probes/schema-probe"
run test_tokens.py --probe "$probes/oracle-probe"
run test_logits.py --probe "$probes/oracle-probe"
run test_gguf.py --probe "$probes/oracle-probe"
run test_embeddings.py --probe "$probes/oracle-probe"
run test_lora.py --probe "$probes/oracle-probe"
run test_fp8.py --probe "$probes/oracle-probe"
run test_espeak.py --probe "$probes/espeak-probe"
run test_diffusion_samplers.py --probe "$probes/diffusion-sampler-probe"
run test_diffusion.py --probe "$probes/diffusion-probe"
run test_diffusion_draw.py --probe "$probes/diffusion-probe"
run test_diffusion_checkpoints.py --probe "$probes/diffusion-probe"
run test_whisper.py --probe "$probes/whisper-probe"
run test_parakeet.py --probe "$probes/whisper-probe"
run test_llama_server.py --build "$build"
run test_structured.py --build "$build" --schemas 40
[ -z "$failed" ] && echo "oracle: all agree" && exit 0
echo "oracle: failed:$failed"
exit 1
