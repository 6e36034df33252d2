"""Speech for training tiny-whisper: eSpeak NG through its C library, and what happens to sound on its way to a microphone.

say() returns 16 kHz samples with the time of each word and phoneme. augment() adds room, noise, filter and gain.
log_mel() is Whisper's (Hann window of 400, step 160, 80 mel bands, logarithm, floor 8 below the greatest).
"""
import ctypes
import dataclasses

import numpy as np
import torch

RATE = 16000
ACCENTS = ["en-us"] * 5 + ["gmw/en"] * 3 + ["en-gb-x-rp"] * 2 + ["en-gb-scotland", "en-gb-x-gbclan", "en-029", "en-us-nyc"]
HELD_OUT_ACCENT = "en-gb-x-gbcwmd"
VARIANTS = ("m1 m2 m3 m5 m6 m7 m8 f1 f2 f4 f5 klatt klatt2 klatt4 klatt5 klatt6 Alex Alicia Andrea Andy Denis Diogo Gene "
            "Gene2 Henrique Hugo Jacky Lee Marco Mike Nguyen Reed RicishayMax RicishayMax2 Storm Tweaky adam anika antonio aunty "
            "belinda benjamin boris caleb david ed edward edward2 grandma gustave ian iven iven2 iven3 iven4 john marcelo max "
            "michel miguel mike2 norbert pablo pedro quincy rob robert sandro shelby steph steph3 travis zac croak").split()
HELD_OUT_VARIANTS = "m4 f3 klatt3 Annie Mario Michael linda paul steph2 grandpa victor RicishayMax3".split()


@dataclasses.dataclass
class Clip:
    samples: np.ndarray      # float32
    words: list              # (start, end) in seconds, one a word
    phonemes: list           # (start in seconds, name), the last is silence
    end: float               # where the speech ends


class Identity(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("id", Identity)]


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))
EVENT_WORD, EVENT_PHONEME, SYNCHRONOUS, PHONEME_EVENTS, UTF8 = 1, 7, 2, 1, 1
PARAM_RATE, PARAM_VOLUME, PARAM_PITCH, PARAM_RANGE, PARAM_GAP = 1, 2, 3, 4, 7


class Speaker:
    """One a process: the library has one state."""

    def __init__(self):
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, None, PHONEME_EVENTS)
        self.sound, self.events = [], []
        self.callback = CALLBACK(self.heard)
        self.library.espeak_SetSynthCallback(self.callback)

    def heard(self, samples, n, events):
        if samples and n:
            self.sound.append(ctypes.string_at(samples, 2 * n))
        i = 0
        while events[i].type:
            e = events[i]
            if e.type in (EVENT_WORD, EVENT_PHONEME):
                name = ctypes.string_at(ctypes.addressof(e.id), 8).split(b"\0")[0] if e.type == EVENT_PHONEME else b""
                self.events.append((e.type, e.audio_ms / 1000, e.text_position - 1, name))
            i += 1
        return 0

    def render(self, voice, text, rate=175, pitch=50, inflection=50, gap=0):
        """eSpeak NG's own samples and events."""
        self.sound.clear()
        self.events.clear()
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"no voice {voice}")
        for parameter, value in ((PARAM_RATE, rate), (PARAM_PITCH, pitch), (PARAM_RANGE, inflection), (PARAM_GAP, gap)):
            self.library.espeak_SetParameter(parameter, value, 0)
        raw = text.encode()
        self.library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, UTF8, None, None)
        self.library.espeak_Synchronize()
        return np.frombuffer(b"".join(self.sound), np.int16).astype(np.float32) / 32768, list(self.events)

    def say(self, voice, text, warp=1.0, point=False, **how):
        """A Clip of the words; warp above 1 is slower and deeper."""
        samples, events = self.render(voice, text + ("." if point else ""), **how)
        samples = resample(samples, RATE / self.rate * warp)
        phonemes = [(at * warp, plain(name)) for kind, at, _, name in events if kind == EVENT_PHONEME]
        spoken = [i for i, (_, name) in enumerate(phonemes) if not name.startswith("_")]
        if not spoken:
            raise ValueError(f"{voice} does not say: {text}")
        end = phonemes[spoken[-1] + 1][0] if spoken[-1] + 1 < len(phonemes) else len(samples) / RATE
        samples = samples[:int((end + 0.03) * RATE)]
        return Clip(samples, word_times(text, [(p, at * warp) for kind, at, p, _ in events if kind == EVENT_WORD], end),
            [p for p in phonemes if p[0] < end] + [(end, "_")], end)


def plain(name):
    return name.decode("utf-8", "replace").lstrip("',%=|") or "_"


def word_times(text, starts, end):
    """Words that eSpeak NG speaks as one ("on the") share their time by their letters."""
    positions, at = [], 0
    for word in text.split():
        positions.append((at, len(word)))
        at += len(word) + 1
    known = {p: t for p, t in starts}
    times, i = [], 0
    while i < len(positions):
        j = i + 1
        while j < len(positions) and positions[j][0] not in known:
            j += 1
        begin = known.get(positions[i][0], 0.0)
        stop = known[positions[j][0]] if j < len(positions) else end
        total, t = sum(n for _, n in positions[i:j]), begin
        for _, n in positions[i:j]:
            times.append((t, t + (stop - begin) * n / total))
            t = times[-1][1]
        i = j
    return times


def resample(samples, factor):
    """By the spectrum, band-limited; factor is the new length over the old."""
    n = len(samples)
    padded = (n + 512 + 1023) // 1024 * 1024
    m = round(padded * factor / 2) * 2
    spectrum = np.fft.rfft(samples, padded)
    spectrum = spectrum[:m // 2 + 1] if m < padded else np.pad(spectrum, (0, m // 2 + 1 - len(spectrum)))
    return np.fft.irfft(spectrum, m)[:round(n * factor)].astype(np.float32) * np.float32(m / padded)


def random_voice(rng, language, held_out=False):
    """(voice, how): held_out "variant" or "accent" draws a voice that training never hears."""
    if held_out == "accent":
        accent = HELD_OUT_ACCENT
    else:
        accent = rng.choice(ACCENTS) if language == "en" else "de"
    if held_out == "variant":
        variant = rng.choice(HELD_OUT_VARIANTS)
    else:
        variant = "" if rng.random() < 0.25 else rng.choice(VARIANTS)
    how = {"rate": rng.randint(120, 230), "pitch": rng.randint(25, 80), "inflection": rng.randint(20, 80),
        "gap": rng.choice([0, 0, 0, 0, 1, 3, 6])}
    if rng.random() < 0.2:
        how = {"rate": 175, "pitch": 50, "inflection": 50, "gap": 0}
    return (accent + "+" + variant if variant else accent), how


# ---- the way to the microphone ------------------------------------------------------------------------------------------

class Noise:
    """Half a minute of each kind, from which pieces are cut."""
    LENGTH = 32 * RATE

    def __init__(self, gen):
        n = self.LENGTH
        f = np.arange(n // 2 + 1) * (RATE / n) + 20
        self.kinds = [gen.standard_normal(n, np.float32) for _ in range(2)]
        for slope in (-0.5, -0.5, -0.5, -1.0):
            spectrum = np.fft.rfft(gen.standard_normal(n)) * f ** slope
            self.kinds.append(np.fft.irfft(spectrum, n).astype(np.float32))
        t = np.arange(n) / RATE
        for base in (50, 60, 100, 120):
            self.kinds.append(sum(gen.random() * np.sin(2 * np.pi * base * k * t + gen.random() * 7)
                for k in range(1, 8)).astype(np.float32))

    def cut(self, gen, n):
        sound = self.kinds[gen.integers(len(self.kinds))]
        at = gen.integers(0, self.LENGTH - n + 1)
        piece = sound[at:at + n]
        return piece / (np.sqrt(np.mean(piece ** 2)) + 1e-9)


def room(gen, samples):
    n = int(RATE * gen.uniform(0.05, 0.3))
    tail = gen.standard_normal(n, np.float32) * np.exp(np.arange(n, dtype=np.float32) * np.float32(-6.9 / n))
    tail *= gen.uniform(0.05, 0.5) / (np.linalg.norm(tail) + 1e-9)
    tail[0] = 1.0
    size = 1 << (len(samples) + n).bit_length()
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[:len(samples)].astype(np.float32)


def equaliser(gen, samples):
    """A gentle random curve and, now and then, a telephone's band."""
    n = len(samples)
    spectrum = np.fft.rfft(samples)
    f = np.arange(len(spectrum), dtype=np.float32) * np.float32(RATE / n)
    knots = np.array([0, 200, 500, 1000, 2000, 4000, 8000])
    curve = np.interp(f, knots, gen.normal(0, 4, len(knots))).astype(np.float32)
    if gen.random() < 0.2:
        low, high = gen.uniform(80, 350), gen.uniform(3200, 7000)
        curve -= np.clip((low - f) / low, 0, 1) * 30 + np.clip((f - high) / 600, 0, 1) * 40
    return np.fft.irfft(spectrum * 10 ** (curve / 20), n).astype(np.float32)


def augment(gen, noises, samples, snr_range=(10, 40)):
    """gen is a numpy generator. The speech's loudness is taken from its loud parts."""
    if gen.random() < 0.1:
        samples = room(gen, samples)
    if gen.random() < 0.2:
        samples = equaliser(gen, samples)
    level = np.sqrt(np.mean(samples ** 2) + 1e-10)
    if gen.random() < 0.4:
        samples = samples + noises.cut(gen, len(samples)) * np.float32(level * 10 ** (-gen.uniform(*snr_range) / 20))
    peak = np.abs(samples).max() + 1e-9
    samples = samples * np.float32(10 ** (gen.uniform(-28, 0) / 20) / peak)
    if gen.random() < 0.05:
        samples = np.clip(samples * gen.uniform(1, 4), -1, 1)
    return samples.astype(np.float32)


# ---- features ------------------------------------------------------------------------------------------------------------

class LogMel:
    def __init__(self):
        from transformers import WhisperFeatureExtractor
        self.filters = torch.from_numpy(WhisperFeatureExtractor().mel_filters.astype(np.float32)).T.contiguous()
        self.window = torch.hann_window(400)

    def __call__(self, samples, loudest=None):
        """[batch, n] samples to [batch, 80, n / 160]; loudest: added to each row's greatest value (another window's)."""
        spectrum = torch.stft(samples, 400, 160, window=self.window, return_complex=True)[..., :-1]
        mel = torch.clamp(self.filters @ (spectrum.real ** 2 + spectrum.imag ** 2), min=1e-10).log10()
        top = mel.amax(dim=(1, 2), keepdim=True)
        if loudest is not None:
            top = top + loudest
        return (torch.maximum(mel, top - 8.0) + 4.0) / 4.0
