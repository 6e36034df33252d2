#!/usr/bin/python3
"""The whisper engine against transformers and whisper-cli: test_whisper.py --probe PROBE

Random models of Whisper's shapes (models_whisper.py) in Hugging Face's layout and as files of whisper.cpp:
- the stream made of a directory is the file that an independent converter writes, tensor by tensor;
- the mel filters are transformers' within 1e-6;
- logits, from the same samples, are transformers';
- greedy tokens are those that transformers generates;
- text, segments and times are those of whisper-cli with the same settings, on the file and on the directory.
And tiny-whisper, which is trained: the last two on what eSpeak NG says.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import wave

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import models_whisper as M
import numpy as np
import torch
import transformers as T

T.logging.set_verbosity_error()

ROOT = pathlib.Path(__file__).resolve().parents[2]
RATE = 16000
FIRST_SPECIAL = 50257
failures = []


def check(what, good, note=""):
    print(f"{'ok  ' if good else 'FAIL'} {what} {note}", flush=True)
    if not good:
        failures.append(what)


def samples(seconds, seed):
    """Tones that come and go, and noise, as 16-bit steps."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (180 + 40 * np.sin(3 * t)) * t) * (np.sin(2 * np.pi * t / 1.7) > 0)
    return np.round((0.3 * tone + 0.05 * rng.standard_normal(len(t))).clip(-1, 1) * 32767).astype("<i2")


def write_audio(path, pcm):
    with wave.open(str(path.with_suffix(".wav")), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(pcm.tobytes())
    (pcm.astype("<f4") / 32768).tofile(path.with_suffix(".f32"))


class Probe:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode(errors="replace")[-500:])
        check_quiet = done.stderr == b""
        if not check_quiet:
            check("nothing on standard error", False, done.stderr[:200])
        return done.stdout

    def transcribe(self, model, audio, **options):
        quant = options.pop("quant", "")
        return json.loads(self.run("transcribe", model, quant, audio.with_suffix(".f32"),
                                   *(f"{k}={v}" for k, v in options.items())))


def cli(model, audio, out, *options):
    command = ["whisper-cli", "-m", str(model), "-f", str(audio.with_suffix(".wav")), "-ng", "-t", "2", "-bo", "5",
               "-oj", "-ojf", "-osrt", "-of", str(out), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    result = json.loads(out.with_suffix(".json").read_bytes().decode(errors="replace"))
    return result, out.with_suffix(".srt").read_bytes().decode(errors="replace")


def clock(seconds):
    ms = round(seconds * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def srt(segments):
    return "".join(f"{i + 1}\n{clock(s['start'])} --> {clock(s['end'])}\n{s['text']}\n\n" for i, s in enumerate(segments))


def plain(text):
    """Half characters are marked differently by the two."""
    return re.sub("\ufffd+", "\ufffd", text)


def check_stream(probe, work, name, model, filters):
    theirs, f32 = work / f"ggml-{name}.bin", work / f"ggml-{name}-f32.bin"
    M.write_ggml(model, filters, theirs)
    M.write_ggml(model, filters, f32, f32=True)
    for quant, twin in (("", theirs), ("f32", f32)):
        ours = work / "ours.bin"
        probe.run("stream", work / name, quant, ours)
        a, b = M.read_ggml(ours), M.read_ggml(twin)
        check(f"{name} {quant or 'f16'}: numbers, vocabulary", a[0] == b[0] and a[2] == b[2])
        check(f"{name} {quant or 'f16'}: filters", np.abs(a[1] - b[1]).max() < 1e-6, f"{np.abs(a[1] - b[1]).max():.1e}")
        differing = [k for k in b[3] if a[3].get(k) != b[3][k]]
        check(f"{name} {quant or 'f16'}: {len(b[3])} tensors", a[3].keys() == b[3].keys() and not differing, differing[:3])
    return theirs


def prompt_of(model, language=True):
    sot = 50258 if model.config.vocab_size > 51864 else 50257
    return [sot, sot + 1, sot + 101 + (model.config.vocab_size == 51866)] if language and sot == 50258 else [sot]


def check_logits(probe, work, name, model, extractor, audio):
    pcm = np.fromfile(audio.with_suffix(".f32"), "<f4")
    features = extractor(pcm, sampling_rate=RATE, return_tensors="pt").input_features
    tokens = prompt_of(model) + [72, 307, 101, 314]
    with torch.no_grad():
        expected = model(features, decoder_input_ids=torch.tensor([tokens])).logits[0].numpy()
    spread = expected.std()
    for quant, limit in (("f32", 2e-2), ("", 6e-2), ("q8_0", 6e-1)):
        if quant == "q8_0" and model.config.d_model % 32:
            continue
        got = np.frombuffer(probe.run("logits", work / name, quant, audio.with_suffix(".f32"), *tokens), "<f4")
        error = np.abs(got.reshape(len(tokens), -1) - expected).max() / spread
        check(f"{name} {quant or 'f16'}: logits", error < limit, f"greatest error {error:.1e} of their deviation")


def generate(model, features, n):
    """Greedily, without what whisper.cpp never writes."""
    v = model.config.vocab_size
    end = 50257 if v > 51864 else 50256
    tokens = prompt_of(model) + [v - 1502]
    begin, out = len(tokens), []
    with torch.no_grad():
        encoded = model.model.encoder(features)
        for i in range(n):
            logits = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([tokens])).logits[0, -1]
            logits[end + 1:] = -np.inf
            if i == 0:
                logits[[end, 32]] = -np.inf
            token = int(logits.argmax())
            if token == end:
                break
            tokens.append(token)
    return tokens[begin:]


def check_tokens(probe, work, name, model, extractor, audio):
    """Ours is led along what transformers writes: at each place it must want the same."""
    pcm = np.fromfile(audio.with_suffix(".f32"), "<f4")
    features = extractor(pcm, sampling_rate=RATE, return_tensors="pt").input_features
    expected = generate(model, features, 40)
    start = prompt_of(model) + [model.config.vocab_size - 1502]
    tokens = start + expected
    got = np.frombuffer(probe.run("logits", work / name, "f32", audio.with_suffix(".f32"), *tokens), "<f4")
    got = got.reshape(len(tokens), -1)[len(start) - 1:-1].copy()
    end = 50257 if model.config.vocab_size > 51864 else 50256
    got[:, end + 1:] = -np.inf
    got[0, [end, 32]] = -np.inf
    wanted = got.argmax(axis=1).tolist()
    check(f"{name}: greedy tokens of transformers", wanted == expected, f"{len(set(expected))} kinds in {len(expected)}")


CASES = [  # settings of ours, of whisper-cli
    ("greedy", {}, ["-bs", "1", "-nf"]),
    ("greedy, no timestamps", {"without_timestamps": 1}, ["-bs", "1", "-nf", "-nt"]),
    ("beams", {"beams": 5}, ["-bs", "5", "-nf"]),
    ("prompt", {"prompt": "one two, three  four don't 1984 naïve"}, ["-bs", "1", "-nf", "--prompt",
                                                                     "one two, three  four don't 1984 naïve"]),
    ("warm", {"temperature": 0.4}, ["-bs", "1", "-nf", "-tp", "0.4"]),
    ("words", {"words": 1}, ["-bs", "1", "-nf"]),
]


def check_cli(probe, work, name, models, audio, cases):
    for label, ours, theirs in cases:
        language = "auto" if label == "language" else "en"
        expected, expected_srt = cli(models[0], audio, work / "cli", "-l", language, *theirs)
        for model in models:
            got = probe.transcribe(model, audio, language="" if language == "auto" else language, **ours)
            segments = got["segments"]
            a = [(round(s["start"] * 1000), round(s["end"] * 1000), plain(s["text"])) for s in segments]
            # Random models end segments before they begin; ours end where they begin then.
            b = [(s["offsets"]["from"], s["offsets"]["to"] if "-nt" in theirs else max(s["offsets"]["to"], s["offsets"]["from"]), plain(s["text"]))
                 for s in expected["transcription"]]
            backwards = any(s["offsets"]["to"] < s["offsets"]["from"] for s in expected["transcription"])
            if "-nt" in theirs:  # whisper-cli's start is that of a token that was not written, as far as before the audio
                check(f"{name}, {label}: starts of windows", all(x[0] == max(x[1] - 30000, 0) for x in a))
                a, b = [x[1:] for x in a], [x[1:] for x in b]
            kind = "directory" if model.is_dir() else "file"
            check(f"{name} {kind}, {label}: whisper-cli's text, segments, times", a == b and got["code"] == "OK",
                  f"{len(a)} segments" if a == b else f"{a[:3]} {b[:3]}")
            if "\ufffd" not in expected_srt and not backwards and "-nt" not in theirs:
                check(f"{name} {kind}, {label}: its srt", srt(segments) == expected_srt)
            if language == "auto":
                check(f"{name} {kind}: its language", got["language"] == expected["result"]["language"], got["language"])
            if label == "words":
                check_words(name, segments, expected["transcription"])


def check_words(name, segments, expected):
    """All of the text is in words; a word's times are those of its tokens."""
    for segment, theirs in zip(segments, expected):
        text = "".join(segment["text"].split())
        check(f"{name}: a segment's words are its text", "".join("".join(w["text"].split()) for w in segment["words"]) == text
              or "\ufffd" in text)
        starts = {t["offsets"]["from"] for t in theirs["tokens"]} | {t["offsets"]["to"] for t in theirs["tokens"]}
        known = all(round(w["start"] * 1000) in starts and round(w["end"] * 1000) in starts for w in segment["words"])
        check(f"{name}: the words' times are its tokens'", known)


def say(sentences, work):
    """What eSpeak NG makes of each, at 16 kHz."""
    spoken = []
    for sentence in sentences:
        subprocess.run(["espeak-ng", "-v", "en-us", "-w", work / "said.wav", sentence + "."], check=True, timeout=60)
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", work / "said.wav", "-ar", "16000", "-ac", "1", "-f", "s16le", "-"],
                             check=True, capture_output=True, timeout=60).stdout
        spoken.append(np.frombuffer(raw, "<i2"))
    return spoken


def check_trained_tokens(probe, work, model, spoken):
    """Greedy, with timestamps: transformers' and ours."""
    theirs = T.WhisperForConditionalGeneration.from_pretrained(model, dtype=torch.float32).eval()
    extractor = T.WhisperFeatureExtractor.from_pretrained(model)
    same = []
    for pcm in spoken:
        write_audio(work / "one", pcm)
        got = probe.transcribe(model, work / "one", language="en", step=0)
        ours = [t for segment in got["segments"] for t in segment["tokens"] if t < FIRST_SPECIAL]
        features = extractor(pcm / 32768, sampling_rate=16000, return_tensors="pt").input_features
        with torch.no_grad():
            ids = theirs.generate(features, language="en", task="transcribe", return_timestamps=True, num_beams=1, do_sample=False)
        same.append(ours == [t for t in ids[0].tolist() if t < FIRST_SPECIAL])
    check("trained: transformers' tokens", all(same), f"{sum(same)} of {len(same)} sentences")


def check_trained(probe, work, model):
    """With its fallback and beams: what it writes is text."""
    converter = ROOT / "tools/train/whisper_to_ggml.py"
    file = work / "ggml-trained.bin"
    subprocess.run(["/usr/bin/python3", converter, model, file], check=True, capture_output=True, timeout=120)
    (work / "ours.bin").unlink(missing_ok=True)
    probe.run("stream", model, "", work / "ours.bin")
    a, b = M.read_ggml(work / "ours.bin"), M.read_ggml(file)
    check("trained: the other converter's tensors", a[3] == b[3] and a[0] == b[0])
    spoken = say(json.loads((ROOT / "tests/data/speech/sentences.json").read_text())["sentences"][:20], work)
    check_trained_tokens(probe, work, model, spoken)
    pause = np.zeros(8000, "<i2")
    write_audio(work / "speech", np.concatenate([part for pcm in spoken for part in (pcm, pause)]))
    cases = [("greedy with fallback", {"step": 0.2, "words": 1}, ["-bs", "1"]), ("beams", {"beams": 5, "step": 0.2}, ["-bs", "5"]),
             ("language", {"step": 0.2}, ["-bs", "1"])]
    check_cli(probe, work, "trained", [file, model], work / "speech", cases)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    arguments = parser.parse_args()
    probe = Probe(arguments.probe)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        audio = work / "audio"
        write_audio(audio, samples(3, 1))
        for name in M.SHAPES:
            model = M.make(work / name, name)
            extractor = T.WhisperFeatureExtractor.from_pretrained(work / name)
            file = check_stream(probe, work, name, model, np.asarray(extractor.mel_filters).T)
            check_logits(probe, work, name, model, extractor, audio)
            check_tokens(probe, work, name, model, extractor, audio)
            cases = CASES + [("language", {}, ["-bs", "1", "-nf"]), ("translation", {"translate": 1}, ["-bs", "1", "-nf", "-tr"])]
            check_cli(probe, work, name, [file, work / name], audio, cases if name == "multilingual" else CASES[:1])
        check_trained(probe, work, ROOT / "models/tiny-whisper")
    print(f"whisper: {len(failures)} failures" if failures else "whisper: all agree")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
