"""Windows of speech with what Whisper says to them: the batches that tiny-whisper is trained on.

A window is n positions of 20 ms, anywhere in the 1,500 of a whole one. It holds sentences of one language with pauses, may
begin or end within a sentence, may be silent, and may follow an earlier text (<|startofprev|>).
"""
import random

import numpy as np
import torch

import speech_text
import whisper_tokens as tokens
from speech_voice import RATE, LogMel, Noise, Speaker, augment, random_voice

STEP = RATE // 50            # samples of a position
N_PHONEMES = 128
POOL = 4000                  # clips kept of each language


class Placed:
    """A sentence in the window: when it begins, and which of its words are heard."""

    def __init__(self, at, clip, sentence, total):
        self.at, self.clip, self.sentence = at, clip, sentence
        words = sentence.text.split()
        heard = [i for i, (a, b) in enumerate(clip.words) if at + (a + b) / 2 > 0 and at + b <= total + 0.02]
        self.words = [(words[i], at + clip.words[i][0], at + clip.words[i][1]) for i in heard]
        self.begin, self.end = at + clip.words[0][0], at + clip.end
        self.cut = self.end > total + 0.02


class Windows:
    def __init__(self, seed):
        self.rng, self.gen = random.Random(seed), np.random.default_rng(seed)
        self.speaker, self.noises, self.mel = Speaker(), Noise(self.gen), LogMel()
        self.tokens = tokens.Tokens()
        self.compact = {t: i for i, t in enumerate(self.tokens.used)}
        self.first_tick = len(self.tokens.used)
        self.phonemes = {"_": 0}
        self.pools = {"en": [], "de": []}

    # ---- sound ----------------------------------------------------------------------------------------------------------

    def speech(self, language, translated, voice):
        """A sentence and its clip; without a voice one that has been spoken before, since speaking costs time."""
        pool = self.pools[language]
        while voice is None and len(pool) >= 400:
            sentence, clip = self.rng.choice(pool)
            if not translated or sentence.english is not None:
                return sentence, clip
        voice = voice or random_voice(self.rng, language)
        while True:
            sentence = speech_text.draw(self.rng, language)
            if translated and sentence.english is None:
                continue
            name, how = voice
            try:
                made = sentence, self.speaker.say(name, sentence.text, warp=self.rng.uniform(0.94, 1.06),
                    point=self.rng.random() < 0.5, **how)
                if len(pool) < POOL:
                    pool.append(made)
                else:
                    pool[self.rng.randrange(POOL)] = made
                return made
            except ValueError:
                voice = random_voice(self.rng, language)

    def place(self, n, language, translated, few):
        """The samples and the sentences of a window of n positions."""
        r, total = self.rng, n / 50
        samples = np.zeros(n * STEP, np.float32)
        placed, voice = [], random_voice(r, language) if r.random() < 0.2 else None
        at = r.choice([0.0, r.uniform(0, 0.3), r.uniform(0, 0.6), r.expovariate(1.2)])
        tries = 0
        while at < total - 0.3:
            sentence, clip = self.speech(language, translated, voice)
            if not placed and not translated and r.random() < 0.08:
                at = -r.uniform(0.15, 0.8) * clip.end
            if at + clip.end > total:
                cut = placed and not translated and at < total - 0.1 and r.random() < 0.6
                tries += 1
                if not cut and tries < 6:
                    continue
                if not cut:
                    break
            gain = 10 ** (r.uniform(-5, 0) / 20) / (np.abs(clip.samples).max() + 1e-4)
            add(samples, clip.samples * np.float32(gain), round(at * RATE))
            p = Placed(at, clip, sentence, total)
            if p.words or p.cut:
                placed.append(p)
            at += clip.end + r.choice([r.uniform(0.2, 0.5), r.uniform(0.2, 0.8), r.uniform(0.3, 1.2), r.expovariate(0.7)])
            if p.cut or r.random() < (0.35 if few else 0.06):
                break
            if voice and r.random() < 0.25:
                voice = random_voice(r, language)
        return samples, placed

    def spoil(self, samples, placed):
        """Noise, room and gain; the end may be the zeros with which a window is filled up."""
        r, n = self.rng, len(samples)
        end = max((p.end for p in placed), default=0.0) * RATE
        zero_from = n
        if end < n - RATE * 0.1 and r.random() < 0.5:
            zero_from = int(r.uniform(end, min(n, end + RATE * r.choice([0.3, 1, 5]))))
        heard = samples[:max(zero_from, 400)]
        heard = augment(self.gen, self.noises, heard)
        return np.pad(heard, (0, n - len(heard)))

    def silence(self, n):
        r = self.rng
        samples = np.zeros(n * STEP, np.float32)
        kind = r.random()
        if kind < 0.3:
            return samples
        length = n * STEP if kind < 0.75 else r.randint(400, n * STEP)
        samples[:length] = self.noises.cut(self.gen, length) * np.float32(10 ** r.uniform(-4, -1))
        if kind > 0.9:                       # a click
            at = r.randint(0, n * STEP - 200)
            samples[at:at + 160] += self.gen.standard_normal(160, np.float32) * np.float32(0.1)
        return samples

    def labels(self, n, placed):
        """The phoneme of each position, 0 for silence."""
        labels = np.zeros(n, np.int64)
        for p in placed:
            for (start, name), (stop, _) in zip(p.clip.phonemes, p.clip.phonemes[1:]):
                if name not in self.phonemes and len(self.phonemes) < N_PHONEMES:
                    self.phonemes[name] = len(self.phonemes)
                a, b = (max(0, int(np.ceil((p.at + t) * 50))) for t in (start, stop))
                labels[a:b] = self.phonemes.get(name, 0)
        return labels

    # ---- words ----------------------------------------------------------------------------------------------------------

    def tick(self, seconds, at):
        return self.first_tick + min(1500, max(0, round(seconds * 50)) + at)

    def prompt(self, length):
        """Text that came before, as whisper.cpp (with timestamps) and others (without) give it."""
        r, ids, t = self.rng, [], 0.0
        times = r.random() < 0.6
        while len(ids) < length:
            said = self.tokens.encode(speech_text.draw(r, "de" if r.random() < 0.1 else "en").text)
            if times:
                t += r.uniform(0.1, 2)
                ids.append(self.tick(t, 0))
            ids += [self.compact[i] for i in said]
            if times:
                t += r.uniform(0.5, 2)
                ids.append(self.tick(t, 0))
        ids = ids[-length:] if length else []
        return [self.compact[tokens.PREV]] + ids if length else []

    def say(self, placed, language, translated, times, at, total, prompt):
        """(ids, learnt, spans): what the decoder reads; whether each id is to be predicted; what it is heard in."""
        r = self.rng
        name = self.compact
        seq = [(i, False, None) for i in self.prompt(prompt)] + [(name[tokens.SOT], False, None),
            (name[tokens.LANGUAGE_ID[language]], True, None),
            (name[tokens.TRANSLATE if translated else tokens.TRANSCRIBE], False, None)]
        if not times:
            seq.append((name[tokens.NO_TIMESTAMPS], False, None))
        head = len(seq)
        for k, p in enumerate(placed):
            if times:
                start = max(0.0, p.begin)
                near = (start - 0.06, start + 0.1)
                tick, learnt = self.tick(start, at), True
                if k == 0 and (start * 50 + at > 50) and r.random() < 0.6:     # programs allow no first one above a second
                    tick, learnt = self.first_tick + r.randint(0, 50), False
                seq.append((tick, learnt, near))
            if p.cut and times and k > 0:
                break
            if translated:
                seq += [(i, True, None) for i in (name[t] for t in self.tokens.encode(p.sentence.english))]
            else:
                seq += [(name[self.tokens.words[w]], True, (a, b)) for w, a, b in p.words]
                if not p.cut:
                    seq.append((name[self.tokens.point], True, (p.end - 0.1, p.end + 0.1)))
            if times:
                end = min(p.end, total)
                seq.append((self.tick(end, at), True, (end - 0.1, end + 0.06)))
        if not placed and times:
            seq.append((self.tick(0, at if r.random() < 0.5 else 0), True, None))
        seq.append((name[tokens.EOT], True, None))
        return seq, head

    def sound(self, n, few):
        """What is heard in a window: samples, and what there is to know about them."""
        r = self.rng
        language = "de" if r.random() < 0.2 else "en"
        translated = r.random() < (0.3 if language == "de" else 0.04)
        silent = r.random() < 0.05
        while True:
            samples, placed = (self.silence(n), []) if silent else self.place(n, language, translated, few)
            if silent or placed and placed[0].words:
                break
        if not silent:
            samples = self.spoil(samples, placed)
        louder = r.uniform(1, 4) if silent and r.random() < 0.5 else r.choice([0, r.uniform(0, 0.8)])
        return {"samples": samples, "placed": placed, "language": language, "translated": translated,
            "labels": self.labels(n, placed), "louder": louder}

    def words_of(self, sound, n, prompt):
        """What Whisper says to it, once with timestamps and once without."""
        r = self.rng
        times, at = r.random() < 0.55, r.choice([0, r.randint(0, 1500 - n)])
        placed = sound["placed"]
        seq, head = self.say(placed, sound["language"], sound["translated"], times, at, n / 50, prompt)
        ids = [i for i, _, _ in seq]
        targets = [i if learnt else -100 for i, learnt, _ in seq[1:]]
        if not placed:
            targets[ids.index(self.compact[tokens.SOT])] = self.compact[tokens.NO_SPEECH]
            if r.random() < 0.7:
                targets[head - 1] = self.compact[tokens.NO_SPEECH]
        return {"ids": ids[:-1], "targets": targets, "spans": [s for _, _, s in seq[1:]], "own": [s for _, _, s in seq[:-1]],
            "at": at}

    # ---- batches --------------------------------------------------------------------------------------------------------

    def batches(self, n, rows, few=False, long_prompt=False):
        """Two batches of the same sounds, at other positions and with other prompts: making sounds costs time."""
        sounds = [self.sound(n, few) for _ in range(rows)]
        mel = self.mel(torch.from_numpy(np.stack([s["samples"] for s in sounds])),
            torch.tensor([s["louder"] for s in sounds], dtype=torch.float32)[:, None, None])
        labels = torch.from_numpy(np.stack([s["labels"] for s in sounds]))
        for _ in range(2):
            yield {"mel": mel, "labels": labels} | self.sequences(sounds, n, few, long_prompt)

    def sequences(self, sounds, n, few, long_prompt):
        r, rows = self.rng, len(sounds)

        def prompt():
            if few or r.random() < 0.65:
                return 0
            return r.randint(1, 223) if long_prompt and r.random() < 0.6 else r.randint(1, 24)
        made = [self.words_of(s, n, prompt()) for s in sounds]
        width = max(len(m["ids"]) for m in made)
        ids, targets = np.zeros((rows, width), np.int64), np.full((rows, width), -100, np.int64)
        spans, own = np.zeros((rows, width, 2), np.int64), np.zeros((rows, width, 2), np.int64)
        for i, m in enumerate(made):
            ids[i, :len(m["ids"])], targets[i, :len(m["ids"])] = m["ids"], m["targets"]
            for to, pieces in ((spans, m["spans"]), (own, m["own"])):
                for j, s in enumerate(pieces):
                    if s:
                        to[i, j] = max(0, int(s[0] * 50)), min(n, int(s[1] * 50) + 2)
        arrays = {"ids": ids, "targets": targets, "spans": spans, "own_spans": own, "at": np.array([m["at"] for m in made])}
        return {k: torch.from_numpy(v) for k, v in arrays.items()}


def add(samples, piece, at):
    a, b = max(0, at), min(len(samples), at + len(piece))
    if b > a:
        samples[a:b] += piece[a - at:b - at]
