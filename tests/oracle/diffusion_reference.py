"""Samplers and noise of the diffusion engine, written once more from the published formulas, in float64 and one step at
a time, with the steps' spacing as Diffusers' schedulers document it."""
import math

import numpy as np

T = 1000
SPACINGS = ["leading", "trailing", "linspace"]


def alphas(zero_snr=False):
    betas = np.linspace(0.00085 ** 0.5, 0.012 ** 0.5, T) ** 2
    bar = np.cumprod(1 - betas)
    if zero_snr:
        root = np.sqrt(bar)
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        bar = root ** 2
        bar[-1] = 2.0 ** -24
    return bar


def times(kind, n, spacing, offset):
    """kind: "euler" (fractions allowed), "ddim", or "dpm" (spaced as if there were one more)."""
    if spacing == "trailing":
        return np.round(np.arange(T, 0, -T / n))[:n] - 1
    if spacing == "linspace":
        if kind == "dpm":
            return np.linspace(0, T - 1, n + 1).round()[::-1][:-1]
        found = np.linspace(0, T - 1, n)[::-1]
        return found.round() if kind == "ddim" else found
    if kind == "dpm":
        return np.minimum((np.arange(n + 1) * (T // (n + 1))).round()[::-1][:-1] + offset, T - 1)
    return np.minimum((np.arange(n) * (T // n)).round()[::-1] + offset, T - 1).astype(float)


def karras(first, last, n):
    ramp = np.linspace(0, 1, n)
    return (first ** (1 / 7) + ramp * (last ** (1 / 7) - first ** (1 / 7))) ** 7


def time_of(sigma, bar):
    logs = np.log(np.sqrt((1 - bar) / bar))
    return float(np.interp(np.log(sigma), logs, np.arange(T)))


class Sampler:
    """begin(noise, clean, first); input(i); step(i, output, noise)."""

    def __init__(self, name, n, spacing="leading", offset=1, prediction="epsilon", final_one=False, zero_snr=False, shift=1.0):
        self.name, self.n, self.prediction, self.final_one = name, n, prediction, final_one
        self.bar = alphas(zero_snr)
        every = np.sqrt((1 - self.bar) / self.bar)
        kind = "dpm" if name.startswith("dpm") else "ddim" if name == "ddim" else "euler"
        self.sigmas = None
        self.old = None
        if name == "flow_euler":
            move = lambda s: shift * s / (1 + (shift - 1) * s)
            s = np.linspace(1.0, move(1 / T), n) if n > 1 else np.array([1.0])
            self.sigmas = np.append(move(s), 0)
            self.times = self.sigmas[:-1] * T
            self.start = 1.0
            return
        if name == "lcm":
            known = np.arange(1, 51) * (T // 50) - 1
            self.times = known[::-1][np.floor(np.linspace(0, 50, n, endpoint=False)).astype(int)].astype(float)
            self.start = 1.0
            return
        self.times = times(kind, n, spacing, offset)
        if kind == "ddim":
            self.start = 1.0
            return
        sigmas = np.interp(self.times, np.arange(T), every)
        if name == "euler_karras":
            sigmas = karras(sigmas[0], sigmas[-1], n)
            self.times = np.array([time_of(s, self.bar) for s in sigmas])
        if name == "dpmpp_2m_karras":
            sigmas = karras(every[-1], every[0], n)
            self.times = np.array([time_of(s, self.bar) for s in sigmas]).round()
        self.sigmas = np.append(sigmas, 0)
        self.start = math.sqrt(sigmas[0] ** 2 + 1) if kind == "dpm" or spacing == "leading" else sigmas[0]

    def alpha(self, t):
        return self.bar[int(t)] if t >= 0 else (1.0 if self.final_one else self.bar[0])

    def noised(self, i, clean, noise):
        if self.name == "flow_euler":
            return (1 - self.sigmas[i]) * clean + self.sigmas[i] * noise
        if self.sigmas is not None:
            return clean + self.sigmas[i] * noise
        a = self.alpha(self.times[i]) if i < self.n else 1.0
        return math.sqrt(a) * clean + math.sqrt(1 - a) * noise

    def begin(self, noise, clean=None, first=0):
        self.x = self.noised(first, clean, noise) if clean is not None else self.start * noise
        self.first = first

    def input(self, i):
        if self.sigmas is not None and self.name != "flow_euler":
            return self.x / math.sqrt(self.sigmas[i] ** 2 + 1)
        return self.x

    def clean(self, i, output):
        x = self.x
        if self.name == "flow_euler":
            return x - self.sigmas[i] * output
        if self.sigmas is not None:
            s = self.sigmas[i]
            return x - s * output if self.prediction == "epsilon" else output * (-s / math.sqrt(s * s + 1)) + x / (s * s + 1)
        a = self.alpha(self.times[i])
        return (x - math.sqrt(1 - a) * output) / math.sqrt(a) if self.prediction == "epsilon" else math.sqrt(a) * x - math.sqrt(1 - a) * output

    def step(self, i, output, noise=None):
        clean, x = self.clean(i, output), self.x
        if self.name == "ddim":
            a, b = self.alpha(self.times[i]), self.alpha(self.times[i] - T // self.n)
            eps = (x - math.sqrt(a) * clean) / math.sqrt(1 - a)
            self.x = math.sqrt(b) * clean + math.sqrt(1 - b) * eps
        elif self.name == "lcm":
            t = self.times[i] * 10
            denoised = 0.25 / (t * t + 0.25) * x + t / math.sqrt(t * t + 0.25) * clean
            if i + 1 == self.n:
                self.x = denoised
            else:
                b = self.alpha(self.times[i + 1])
                self.x = math.sqrt(b) * denoised + math.sqrt(1 - b) * noise
        else:
            s, to = self.sigmas[i], self.sigmas[i + 1]
            if self.name.startswith("dpm"):
                if to == 0:
                    self.x = clean
                else:
                    h = math.log(s) - math.log(to)
                    d = clean
                    if self.old is not None:
                        r = (math.log(self.sigmas[i - 1]) - math.log(s)) / h
                        d = (1 + 1 / (2 * r)) * clean - 1 / (2 * r) * self.old
                    self.x = to / s * x - math.expm1(-h) * d
            elif self.name == "euler_a":
                up = math.sqrt(to ** 2 * (s ** 2 - to ** 2) / s ** 2)
                self.x = x + (x - clean) / s * (math.sqrt(to ** 2 - up ** 2) - s) + noise * up
            else:
                self.x = x + (x - clean) / s * (to - s)
        self.old = clean


def philox_normal(seed, calls, n):
    """What torch.randn gives on a CUDA device (the last of `calls`), by Philox 4x32-10 and Box-Muller in float32."""
    c = np.zeros((4, n), np.uint64)
    c[0], c[2] = calls - 1, np.arange(n)
    k0, k1, mask = seed & 0xFFFFFFFF, seed >> 32, np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = np.stack([(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), b & mask, (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), a & mask])
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    word, turn = np.float32(2.3283064e-10), np.float32(2.3283064e-10) * np.float32(6.2831855)
    u = c[0].astype(np.float32) * word + word / 2
    v = c[1].astype(np.float32) * turn + turn / 2
    return np.sqrt(np.float32(-2) * np.log(u)) * np.sin(v)
