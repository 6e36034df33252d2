#!/bin/sh
# Makes the sound files of this directory again: 1.5 s of a rising tone, 200 Hz to 1.7 kHz, in what people record in.
set -eu
cd "$(dirname "$0")"
tone="aevalsrc=0.6*sin(2*PI*(200*t+500*t*t)):d=1.5:s"
picture="testsrc=size=64x48:rate=5:duration=1.5"
quietly() { ffmpeg -nostdin -loglevel error -y "$@"; }
quietly -f lavfi -i "$tone=24000" -c:a libmp3lame -b:a 32k tone.mp3
quietly -f lavfi -i "$tone=16000" -c:a flac tone.flac
quietly -f lavfi -i "$tone=22050" -c:a libvorbis -q:a 0 tone.ogg
quietly -f lavfi -i "$tone=48000" -c:a libopus -b:a 24k tone.opus
quietly -f lavfi -i "$tone=44100" -c:a aac -b:a 48k tone-end.m4a # its index comes last, so reading it seeks
quietly -f lavfi -i "$tone=44100" -c:a aac -b:a 48k -movflags +faststart tone-front.m4a
quietly -f lavfi -i "$tone=48000" -c:a libopus -b:a 24k tone.webm
quietly -f lavfi -i "$tone=48000" -f lavfi -i "$picture" -c:a aac -b:a 48k -c:v mpeg4 -b:v 20k video.mp4
quietly -f lavfi -i "$tone=32000" -f lavfi -i "$picture" -c:a libmp3lame -b:a 32k -c:v mpeg4 -b:v 20k video.avi
quietly -f lavfi -i "$picture" -c:v mpeg4 -b:v 20k silent.mp4
