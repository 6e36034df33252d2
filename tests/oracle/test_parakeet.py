#!/usr/bin/python3
"""The Parakeet engine against parakeet-cli: test_parakeet.py --probe PROBE

Random models of the genuine architecture (models_parakeet.py), F32, F16 and as parakeet-quantize makes them: text, tokens
and their times are those of parakeet-cli on the same file and audio."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import models_parakeet as M
from test_whisper import Probe, check, failures, samples, write_audio

TOKEN = re.compile(r"^  \[ *\d+\] id= *(\d+) .* t0= *(-?\d+) t1= *(-?\d+) word_start=(\w+)", re.M)


def cli(model, audio):
    done = subprocess.run(["parakeet-cli", "-m", str(model), "-f", str(audio.with_suffix(".wav")), "-t", "2", "-np", "-ps"],
                          check=True, capture_output=True, timeout=300)
    tokens = [(int(i), int(a), int(b), w == "true") for i, a, b, w in TOKEN.findall(done.stderr.decode())]
    return done.stdout.decode().removesuffix("\n"), tokens


def words_of(tokens):
    """Start and end of each word, in hundredths of a second."""
    groups = []
    for _, t0, t1, starts in tokens:
        if starts or not groups:
            groups.append([t0, t1])
        groups[-1][1] = t1
    return groups


def compare(probe, model, audio, seconds):
    text, tokens = cli(model, audio)
    ours = probe.transcribe(model, audio, words=1, threads=2)
    name = f"{model.stem}, {seconds} s"
    check(f"{name}: text", "".join(s["text"] for s in ours["segments"]) == text, f"{len(text)} characters")
    mine = [t for s in ours["segments"] for t in s["tokens"]]
    check(f"{name}: tokens", mine == [t[0] for t in tokens], f"{len(mine)} tokens, {len(ours['segments'])} segments")
    theirs = [min(a / 100, seconds) for a, _ in words_of(tokens)]
    words = [w["start"] for s in ours["segments"] for w in s.get("words", [])]
    check(f"{name}: where words begin", len(words) == len(theirs) and
          all(abs(a - b) < 1e-6 for a, b in zip(words, theirs)), f"{len(words)} words")
    print(f"     estimate {ours['estimate_weights_mb'] + ours['estimate_compute_mb']:.0f} MB, grown by "
          f"{ours['rss_after_mb'] - ours['rss_before_mb']:.0f} MB, {ours['seconds']:.2f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    probe = Probe(parser.parse_args().probe)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        models = {}
        for name, shape in {"f32": M.Shape(half=False), "f16": M.Shape(),
                            "wide": M.Shape(n_vocab=1024, state=128, heads=8, layers=4, n_mels=128, channels=32,
                                            pred=64)}.items():
            models[name] = folder / f"parakeet-{name}.bin"
            M.write(models[name], shape, seed=len(name) + shape.state)
        for kind in ("q8_0", "q5_0"):
            models[kind] = folder / f"parakeet-{kind}.bin"
            subprocess.run(["parakeet-quantize", str(models["wide"]), str(models[kind]), kind], check=True,
                           capture_output=True, timeout=60)
        for seconds in (0.3, 7, 49):
            audio = folder / f"audio-{seconds}"
            write_audio(audio, samples(seconds, int(seconds * 10)))
            for model in models.values():
                compare(probe, model, audio, seconds)
    print("parakeet:", f"{len(failures)} differ" if failures else "all agree")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
