#!/bin/sh
# The main job for real: a server, its built-in models, answers streamed through the OpenAI-shaped API, speech there and
# back.
# Usage: tools/demo.sh BUILD_DIRECTORY
set -eu
cd "$(dirname "$0")/.."
allm=$1/allm
work=$(mktemp -d)
server=""
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
  rm -rf "$work"
}
trap stop EXIT INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

: >"$work/out" # there before the server opens it, since it is read at once
"$allm" serve --port 0 --models "$work" --no-hf-cache >"$work/out" 2>"$work/log" &
server=$!
n=0
until grep -q listening "$work/out"; do
  kill -0 "$server" 2>/dev/null && [ $n -lt 600 ] || { cat "$work/log" >&2; echo "demo: the server did not start" >&2; exit 1; }
  n=$((n + 1)); sleep 0.05
done
url=$(sed -n 's/^listening on //p' "$work/out")
say "allm serve                                  ($(cat "$work/out"))"
say "allm list"
"$allm" list --port "${url##*:}"

for model in tiny-assistant tiny-assistant-gguf; do
  say "POST /v1/responses, streamed, model $model"
  # Prints each piece of text as it comes, which is all of the protocol that a shell can do without.
  curl -sSN --max-time 60 "$url/v1/responses" -H 'Content-Type: application/json' -d '{
    "model": "'$model'", "stream": true, "temperature": 0, "input": "Who are you?"}' | tee "$work/events" |
    sed -un 's/^data: .*"type":"response.output_text.delta".*"delta":"\([^"]*\)".*/\1/p' | stdbuf -o0 tr -d '\n'
  grep -q '^event: response.completed' "$work/events" || { cat "$work/events" "$work/log" >&2; echo "demo: no answer" >&2; exit 1; }
  echo
done

say "allm run tiny-assistant \"What is the capital of France?\""
"$allm" run tiny-assistant "What is the capital of France?" --port "${url##*:}"
sentence="Turn on the kitchen light."
say "allm speak \"$sentence\" -o said.mp3, and allm transcribe said.mp3"
"$allm" speak "$sentence" -o "$work/said.mp3" --port "${url##*:}"
heard=$("$allm" transcribe "$work/said.mp3" --port "${url##*:}")
echo "$heard"
[ "$(echo "$heard" | tr 'A-Z' 'a-z')" = "turn on the kitchen light." ] || { echo "demo: it was heard otherwise" >&2; exit 1; }
say "GET /status (its beginning)"
curl -sS "$url/status" -o "$work/status"
printf '%.600s ...\n' "$(cat "$work/status")"
say "It works. Next: $allm run tiny-assistant (a chat), $allm serve (the server), README.md (all the rest)."
