#!/usr/bin/python3
"""Makes tests/data/gguf: two tiny models with random weights, one of them in two parts. Run from anywhere; the result is
the same each time, and is committed so that building needs no Python."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))

import random_gguf  # noqa: E402


def main():
    out = HERE / "gguf"
    out.mkdir(exist_ok=True)
    for old in out.glob("*.gguf"):
        old.unlink()
    shape = random_gguf.Shape(2, 64, 64, 4, 2, 32, 416, 2048)
    sampling = {"temp": 0.6, "top_p": 0.95, "top_k": 20}
    random_gguf.write(out / "tiny-qwen3.gguf", "qwen3", shape, "Q8_0", 1, sampling)
    shape = random_gguf.Shape(2, 32, 64, 2, 1, 16, 448, 512)
    random_gguf.write(out / "tiny-llama.gguf", "llama", shape, "F16", 2, split_tensors=10)


if __name__ == "__main__":
    main()
