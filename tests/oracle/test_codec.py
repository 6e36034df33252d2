#!/usr/bin/python3
"""JSON, UTF-8 repair, form C and number printing against Python's own: test_codec.py --probe PROBE [--seed N]

JSON that Python accepts must be accepted with the same value and the other way round, after Python has been told to
refuse what RFC 8259 and our reader refuse: duplicate keys, NaN, infinities, lone surrogates.
"""
import argparse
import json
import math
import random
import struct
import subprocess
import sys
import unicodedata

REFUSED = 0xFFFFFFFF

PIECES = ['{', '}', '[', ']', ',', ',', ':', '"a"', '"b"', '""', '1', '-0', '-', '0.5', '1e5', '1E-3', '1e400', '1e-400',
          '01', '.5', '5.', 'true', 'false', 'null', 'nul', 'NaN', 'Infinity', '-Infinity', ' ', '\n', '\t', '\r', '\x0b',
          '\u00a0', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\x"', '"\\/"', '"é"', '"\x01"', '"\x7f"', '\ufeff',
          '//', '9223372036854775807', '9223372036854775808', '-9223372036854775809', '18446744073709551616',
          '123456789012345678901234567890', '1.7976931348623157e308', '4.9e-324', '"\u2028"', "'a'", '"\\u0000"', '"\\"',
          '"unterminated']

RANGES = [(0x20, 0x7F), (0xC0, 0x250), (0x300, 0x370), (0x590, 0x700), (0x900, 0xDFF), (0x1100, 0x1200), (0x1E00, 0x2000),
          (0x3040, 0x3100), (0xAC00, 0xD7A4), (0xF900, 0xFB4F), (0x11000, 0x11500), (0x1D100, 0x1D200), (0x2F800, 0x2FA1E)]

HARD_BYTES = [0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xAC, 0xBF, 0xC0, 0xC2, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF]


def python_json(data):
    """(value,) or None when refused."""
    def members(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    def constant(name):
        raise ValueError(name)

    def number(text):
        value = float(text)
        if math.isinf(value):
            raise ValueError(text)
        return value

    try:
        value = json.loads(data.decode(), object_pairs_hook=members, parse_constant=constant, parse_float=number)
        json.dumps(value, ensure_ascii=False).encode()
        return (value,)
    except ValueError:
        return None


def same(a, b):
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (a, b))
    if numbers:
        return float(a) == float(b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def right_json(data, got):
    expected = python_json(data)
    if expected is None or got is None:
        return expected is None and got is None
    return same(expected[0], json.loads(got))


def right_nfc(data, got):
    text = data.decode()
    if got == unicodedata.normalize("NFC", text).encode():
        return True
    # The two may know different versions of Unicode.
    return any(unicodedata.category(c) == "Cn" for c in text + unicodedata.normalize("NFD", text))


def right_repair(data, got):
    return got == data.decode("utf-8", "replace").encode()


def digits(text):
    return len(text.lstrip("-").replace(".", "").split("e")[0].strip("0"))


def right_real(data, got):
    value = struct.unpack("<d", data)[0]
    if not math.isfinite(value):
        return got == b"null"
    return float(got) == value and digits(got.decode()) <= digits(repr(value))


def random_json(rng, depth=0):
    kind = rng.random()
    if depth > 4 or kind < 0.4:
        return rng.choice(['1', '-5', '2.5', '"x"', '"\\n\\t\\u0041"', 'true', 'null', '1e3', '"é😀"', '{}', '[]'])
    if kind < 0.7:
        return "[" + ",".join(random_json(rng, depth + 1) for _ in range(rng.randint(0, 4))) + "]"
    return "{" + ",".join(f'"k{rng.randint(0, 12)}":' + random_json(rng, depth + 1) for _ in range(rng.randint(0, 5))) + "}"


def damaged_json(rng):
    data = bytearray(random_json(rng).encode())
    for _ in range(rng.randint(0, 2)):
        at = rng.randrange(len(data)) if data else 0
        data[at:at + rng.randint(0, 1)] = bytes(rng.choices(b'{}[],:"0123456789eE+-. \\untf\xff\x80\xc3', k=rng.randint(0, 1)))
    return bytes(data)


def random_text(rng):
    ranges = rng.sample(RANGES, 2)
    return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(rng.randint(1, 30))).encode()


def random_real(rng):
    kind = rng.random()
    if kind < 0.6:
        return struct.pack("<Q", rng.getrandbits(64))
    value = rng.random() * 10 ** rng.randint(-20, 20) if kind < 0.8 else round(rng.random() * 1000, rng.randint(0, 6))
    return struct.pack("<d", value)


def questions(rng):
    for _ in range(6000):
        yield "j", "".join(rng.choices(PIECES, k=rng.randint(1, 6))).encode()
        yield "j", damaged_json(rng)
    for code_point in range(0x20, 0x30000):
        if not 0xD800 <= code_point < 0xE000:
            yield "n", chr(code_point).encode()
    for _ in range(20000):
        yield "n", random_text(rng)
        yield "s", bytes(rng.choices(HARD_BYTES, k=rng.randint(0, 10)))
        yield "r", random_real(rng)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    asked = list(questions(random.Random(options.seed)))
    stream = b"".join(kind.encode() + struct.pack("<I", len(data)) + data for kind, data in asked)
    answers = subprocess.run([options.probe], input=stream, stdout=subprocess.PIPE, check=True, timeout=300).stdout
    judges = {"j": right_json, "n": right_nfc, "s": right_repair, "r": right_real}
    counts, wrong, at = dict.fromkeys(judges, 0), 0, 0
    for kind, data in asked:
        size = struct.unpack_from("<I", answers, at)[0]
        got = None if size == REFUSED else answers[at + 4:at + 4 + size]
        at += 4 + len(got or b"")
        counts[kind] += 1
        if not judges[kind](data, got):
            wrong += 1
            print("differs:", kind, data, got)
    print(f"codec: {counts['j']} JSON texts, {counts['n']} normalised, {counts['s']} repaired, {counts['r']} numbers: "
          f"{wrong} differ (Python's Unicode is {unicodedata.unidata_version})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
