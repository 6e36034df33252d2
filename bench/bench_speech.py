#!/usr/bin/env python3
"""Speech in and out. Transcription: seconds that whisper-cli takes over ours, same file, threads and audio, in turns, greedy
and with a beam of five, without the time of loading (1 and above: we are at least as fast). Decoding: media-probe (our
process for it, with its limits) over ffmpeg. Speech: how many times faster than it is played, by format.

bench_speech.py --build build [--rounds 3] [--seconds 30] [--shapes tiny,base] [--model ggml.bin]...

Shapes are random models: what they write is noise, but the same noise for both, and its cost is that of a trained one."""
import argparse
import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(ROOT / "tests" / "oracle")]
import servers  # noqa: E402

WIDTHS = {"tiny": (384, 6, 4), "base": (512, 8, 6), "small": (768, 12, 12)}  # width, heads, layers
TEXT = "one two three four five six seven eight nine ten. turn the light on. set the timer to five. play the next song. "
FORMATS = ("wav", "pcm", "flac", "mp3", "opus", "aac")


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True)


def make_audio(work, seconds):
    """A WAV of 16 kHz and the same as raw floats."""
    (work / "text").write_text(TEXT * (seconds // 8 + 1))
    run("espeak-ng", "-v", "en-us", "-w", work / "spoken.wav", "-f", work / "text")
    wav, raw = work / "audio.wav", work / "audio.f32"
    run("ffmpeg", "-y", "-i", work / "spoken.wav", "-t", seconds, "-ar", 16000, "-ac", 1, wav)
    run("ffmpeg", "-y", "-i", wav, "-f", "f32le", raw)
    return wav, raw


def make_model(work, shape):
    """A random model in ggml's F16. Its sentences end, so that no window runs to the most tokens there can be."""
    import models_whisper
    import torch
    import transformers
    width, heads, layers = WIDTHS[shape]
    models_whisper.SHAPES[shape] = (51865, 80, width, heads, layers, layers, torch.float32, False)
    model = models_whisper.make(work / shape, shape)
    path = work / f"ggml-{shape}.bin"
    filters = transformers.WhisperFeatureExtractor(feature_size=80).mel_filters.T
    models_whisper.write_ggml(model, filters, path)
    return path


def theirs(model, wav, threads, beams):
    """(seconds without loading, text)"""
    result = run("whisper-cli", "-m", model, "-f", wav, "-t", threads, "-bs", beams, "-bo", 1, "-nf", "-l", "en", "-ng")
    timings = {name.strip(): float(ms) for name, ms in
               re.findall(r"whisper_print_timings: *(.+? time) = *([0-9.]+) ms", result.stderr.decode(errors="replace"))}
    text = re.sub(rb"(?m)^\[[^\]]*\]", b"", result.stdout)
    return (timings["total time"] - timings["load time"]) / 1000, b"".join(text.split())


def ours(probe, model, raw, threads, beams):
    result = run(probe, "transcribe", model, "", raw, f"threads={threads}", f"beams={beams}", "language=en", "step=0")
    answer = json.loads(result.stdout.decode(errors="replace"))
    if answer["code"] != "OK":
        raise RuntimeError(answer["message"])
    text = "".join(segment["text"] for segment in answer["segments"])
    return answer["seconds"], b"".join(text.encode().split())


def transcription(args, work, models):
    wav, raw = make_audio(work, args.seconds)
    probe = args.build / "tests/oracle/whisper-probe"
    for model in models:
        for beams in (1, 5):
            figures, same = {"ours": [], "theirs": []}, True
            for _ in range(args.rounds):
                seconds, text = ours(probe, model, raw, args.threads, beams)
                figures["ours"].append(seconds)
                seconds, other = theirs(model, wav, args.threads, beams)
                figures["theirs"].append(seconds)
                same = same and text == other
            mine, other = (statistics.median(figures[name]) for name in ("ours", "theirs"))
            print(f"{model.stem:16s} {'greedy' if beams == 1 else f'beam {beams}':7s} ours {args.seconds / mine:7.1f} x real time, "
                  f"whisper-cli {args.seconds / other:7.1f}, ratio {other / mine:.2f}{'' if same else ' (texts differ)'}",
                  flush=True)


def timed(command):
    began = time.monotonic()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def decoding(args, work):
    seconds = 1200
    wav, _ = make_audio(work, seconds)
    for name, codec in (("flac", ()), ("mp3", ()), ("m4a", ()), ("ogg", ("-c:a", "libopus"))):
        path = work / f"audio.{name}"
        run("ffmpeg", "-y", "-i", wav, *codec, path)
        figures = {"ours": [], "theirs": []}
        for _ in range(args.rounds):
            figures["ours"].append(timed([args.build / "tests/unit/media/media-probe", args.build / "allm-media", "decode", 16000, path]))
            figures["theirs"].append(timed(["ffmpeg", "-v", "error", "-threads", 1, "-i", path, "-ar", 16000, "-ac", 1, "-f", "f32le", "-"]))
        mine, other = (statistics.median(figures[name]) for name in ("ours", "theirs"))
        print(f"decoding {name:5s} ours {seconds / mine:7.0f} x real time, ffmpeg {seconds / other:7.0f}, ratio {other / mine:.2f}")


def speak(url, text, format_):
    """(seconds until the first byte, until the last, bytes)"""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
    began = time.monotonic()
    body = {"model": "espeak", "input": text, "voice": "alloy", "response_format": format_}
    connection.request("POST", "/v1/audio/speech", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    n = len(answer.read1(1))
    first = time.monotonic() - began
    n += len(answer.read())
    if answer.status != 200:
        raise RuntimeError(answer.status)
    connection.close()
    return first, time.monotonic() - began, n


def speech(args):
    with servers.allm(args.build) as (url, _, _):
        _, _, n_bytes = speak(url, TEXT * 80, "pcm")
        seconds = n_bytes / 48000  # 24 kHz, 16 bits
        for format_ in FORMATS:
            figures = [speak(url, TEXT * 80, format_) for _ in range(args.rounds)]
            first, last = (statistics.median(figure[i] for figure in figures) for i in (0, 1))
            print(f"speech {format_:5s} {seconds / last:6.0f} x real time, first byte after {first * 1000:.1f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--shapes", default="tiny,base")
    parser.add_argument("--model", type=pathlib.Path, action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        transcription(args, work, args.model + [make_model(work, shape) for shape in args.shapes.split(",") if shape])
        decoding(args, work)
    speech(args)


if __name__ == "__main__":
    main()
