"""The diffusion engine's samplers and noise against formulas in float64.

usage: test_diffusion_samplers.py --probe PROBE"""
import argparse
import pathlib
import subprocess
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from diffusion_reference import SPACINGS, Sampler, philox_normal

N = 50
failures = []


def numbers(process):
    return np.array([float(v) for v in process.stdout.readline().split()])


def check(process, name, n, spacing, offset, prediction, final_one, zero_snr, shift, first):
    kinds = {"epsilon": 0, "v_prediction": 1, "flow": 2}
    process.stdin.write(f"{name} {n} {SPACINGS.index(spacing)} {offset} {kinds[prediction]} {int(final_one)} {int(zero_snr)} {shift} {first} {N}\n")
    process.stdin.flush()
    label = f"{name} n={n} {spacing}+{offset} {prediction} final_one={final_one} zero_snr={zero_snr} shift={shift} first={first}"
    ref = Sampler(name, n, spacing, offset, prediction, final_one, zero_snr, shift)
    at = np.arange(N, dtype=np.float64)
    noise = lambda k: np.sin(1 + 3 * k + at).astype(np.float32).astype(np.float64)
    worst = 0.0

    def compare(what, theirs):
        nonlocal worst
        ours = numbers(process)
        error = float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)))) if ours.shape == np.shape(theirs) else float("inf")
        worst = max(worst, error)
        if not error < 1e-6:
            failures.append(f"{label}: {what} {error:.2e}")

    compare("times", ref.times)
    sigmas = numbers(process)
    if ref.sigmas is not None and np.max(np.abs(sigmas - ref.sigmas) / np.maximum(1, ref.sigmas)) > 1e-6:
        failures.append(f"{label}: sigmas")
    ref.begin(noise(0), np.cos(at) if first else None, first)
    compare("start", ref.x)
    for i in range(first, n):
        x = ref.input(i).astype(np.float32).astype(np.float64)
        ref.step(i, np.sin(0.7 * x + 0.3 + ref.times[i] / 1000), noise(i + 1))
        compare(f"step {i}", ref.x)
    return worst


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--probe", required=True)
    process = subprocess.Popen([args.parse_args().probe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for name in ("ddim", "euler", "euler_karras", "euler_a", "dpmpp_2m", "dpmpp_2m_karras"):
        worst = 0.0
        for n in (1, 2, 7, 20, 50):
            for spacing in SPACINGS:
                for prediction in ("epsilon", "v_prediction"):
                    for first in sorted({0, n // 3}):
                        zero_snr = n == 20 and spacing == "trailing" and prediction == "v_prediction"
                        worst = max(worst, check(process, name, n, spacing, n % 2, prediction, n == 7, zero_snr, 1, first))
        print(f"  {name}: {worst:.1e}")
    for name, prediction, shifts in (("lcm", "epsilon", (1,)), ("flow_euler", "flow", (1, 3))):
        print(f"  {name}: {max(check(process, name, n, 'leading', 1, prediction, False, False, s, f) for n in (1, 4, 8, 25) for s in shifts for f in sorted({0, n // 2})):.1e}")
    for seed, calls, n in ((0, 1, 64), (42, 3, 16384), (2 ** 53 + 7, 1, 1000)):
        process.stdin.write(f"noise {seed} {calls} {n}\n")
        process.stdin.flush()
        ours, theirs = numbers(process), philox_normal(seed, calls, n)
        error = float(np.max(np.abs(ours - theirs)))
        print(f"  noise of seed {seed}: {error:.1e}, mean {ours.mean():+.3f}, deviation {ours.std():.3f}")
        if not error < 2e-6:
            failures.append(f"noise of seed {seed}: {error:.2e}")
    process.stdin.close()
    process.wait()
    for failure in failures[:20]:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
