"""Sound files through allm-media: what it hears is what ffmpeg hears, what it writes ffprobe reads, and what a hostile
file does to it stays in it."""
import array
import json
import math
import pathlib
import random
import shutil
import struct
import subprocess
import wave

import allm
import pytest

PROBE = allm.BUILD / "tests/unit/media/media-probe"
MEDIA = allm.BUILD / "allm-media"
DATA = allm.ROOT / "tests/data/media"
SANITIZED = "asan" in allm.BUILD.name or "tsan" in allm.BUILD.name
FILES = ["tone.mp3", "tone.flac", "tone.ogg", "tone.opus", "tone-end.m4a", "tone-front.m4a", "tone.webm", "video.mp4",
         "video.avi"]
SECONDS = 1.5

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg as the other opinion")


def probe(*arguments, given=None, timeout=120):
    """(exit status, standard output, what standard error says as JSON)"""
    done = subprocess.run([PROBE, MEDIA, *map(str, arguments)], input=given, capture_output=True, timeout=timeout)
    lines = done.stderr.decode().strip().splitlines()
    return done.returncode, done.stdout, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}


def decode(path, rate=16000, **options):
    status, samples, said = probe("decode", rate, path, **options)
    assert status == 0, (path, said)
    return array.array("f", samples), said


def refused(path, *arguments):
    status, samples, said = probe("decode", 16000, path, *arguments)
    assert status == 1, (path, status, said)
    assert said["code"] == "INVALID_REQUEST", said
    return said["reason"]


def ffmpeg(*arguments, given=None):
    return subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)], check=True,
                          capture_output=True, input=given, stdin=None if given is not None else subprocess.DEVNULL).stdout


def ffmpeg_decode(path, rate=16000):
    """With the scale of integer output, which cannot be louder than full. FFmpeg's own decoder of Opus is not the one to
    be compared with: it gives steady tones twice their loudness."""
    decoder = ["-c:a", "libopus"] if pathlib.Path(path).suffix in (".opus", ".webm") else []
    samples = array.array("f", ffmpeg(*decoder, "-i", path, "-map", "a:0", "-af", "aresample=rematrix_maxval=1", "-ar", rate,
                                      "-ac", 1, "-f", "f32le", "-"))
    return array.array("f", (max(-1.0, min(1.0, sample)) for sample in samples))


def ffprobe(path, *more):
    told = subprocess.run(["ffprobe", "-v", "error", *more, "-show_streams", "-show_format", "-of", "json", path],
                          check=True, capture_output=True).stdout
    return json.loads(told)


def agree(ours, theirs, tolerance=1e-4):
    assert abs(len(ours) - len(theirs)) <= 1, (len(ours), len(theirs))
    worst = max((abs(a - b) for a, b in zip(ours, theirs)), default=0)
    assert worst <= tolerance, worst
    return worst


def tone(rate, seconds=SECONDS):
    return array.array("f", (0.6 * math.sin(2 * math.pi * (200 * t + 500 * t * t))
                             for t in (i / rate for i in range(int(rate * seconds)))))


# --- in ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rate", [16000, 44100])
def test_hears_what_ffmpeg_hears(name, rate):
    ours, said = decode(DATA / name, rate)
    assert not said["truncated"] and said["channels"] == 1
    agree(ours, ffmpeg_decode(DATA / name, rate))
    assert max(ours) > 0.4


MADE = {
    "u8.wav": ["-c:a", "pcm_u8"],
    "s24.wav": ["-c:a", "pcm_s24le"],
    "s32.wav": ["-c:a", "pcm_s32le"],
    "float.wav": ["-c:a", "pcm_f32le"],
    "double.wav": ["-c:a", "pcm_f64le"],
    "alaw.wav": ["-c:a", "pcm_alaw"],
    "mulaw.au": ["-c:a", "pcm_mulaw"],
    "adpcm.wav": ["-c:a", "adpcm_ima_wav"],
    "adpcm-ms.wav": ["-c:a", "adpcm_ms"],
    "stereo.wav": ["-ac", 2],
    "surround.wav": ["-filter_complex", "pan=5.1|FL=0.5*c0|FR=-0.25*c0|FC=c0|LFE=0.5*c0|BL=0.125*c0|BR=0.5*c0"],
    "surround.flac": ["-filter_complex", "pan=5.1|FL=0.5*c0|FR=-0.25*c0|FC=c0|LFE=0.5*c0|BL=0.125*c0|BR=0.5*c0"],
    "low.wav": ["-ar", 8000],
    "high.wav": ["-ar", 96000],
    "high.flac": ["-ar", 192000],
    "tone.aiff": [],
    "tone.caf": [],
    "tone.w64": [],
    "lossless.m4a": ["-c:a", "alac"],
    "tone.aac": ["-c:a", "aac"],
    "tone.ac3": ["-c:a", "ac3"],
    "tone.eac3": ["-c:a", "eac3"],
    "tone.wma": ["-c:a", "wmav2"],
    "tone.wv": ["-c:a", "wavpack"],
    "tone.tta": ["-c:a", "tta"],
    "tone.mka": ["-c:a", "flac"],
    "tone.ts": ["-c:a", "aac"],
    "tone.flv": ["-c:a", "libmp3lame", "-ar", 44100],
    "tone.mov": ["-c:a", "pcm_s16be"],
    "tone.spx": ["-c:a", "libspeex", "-ar", 16000],
    "tone.mp2": ["-c:a", "mp2"],
    "fragmented.mp4": ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("media")
    source = directory / "source.wav"
    source.write_bytes(ffmpeg("-f", "f32le", "-ar", 48000, "-ac", 1, "-i", "-", "-f", "wav", "-", given=tone(48000).tobytes()))
    for name, options in MADE.items():
        ffmpeg("-i", source, *options, directory / name)
    return directory


@pytest.mark.parametrize("name", MADE)
def test_hears_every_format(made, name):
    ours, said = decode(made / name)
    agree(ours, ffmpeg_decode(made / name))
    assert not said["truncated"], said
    assert len(ours) >= 16000 * SECONDS - 1600


def test_trailing_rubbish_is_passed_over(tmp_path):
    path = tmp_path / "trailing.flac"
    path.write_bytes((DATA / "tone.flac").read_bytes() + b"\0" * 5000)
    ours, _ = decode(path)
    assert len(ours) >= 24000


def test_an_hour_in_bounded_memory(tmp_path):
    hour = tmp_path / "hour.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=3600", "-c:a", "libmp3lame", "-b:a", "16k",
           "-compression_level", 9, hour)
    status, samples, said = probe("decode", 16000, hour, timeout=600)
    assert status == 0 and abs(said["samples"] - 3600 * 16000) < 16000, said
    if not SANITIZED:
        assert said["parent_kib"] < 16 << 10 and said["child_kib"] < 96 << 10, said


# --- out --------------------------------------------------------------------------------------------------------------

OUT = {"mp3": "mp3", "opus": "opus", "aac": "aac", "flac": "flac", "wav": "pcm_s16le"}


@pytest.mark.parametrize("format", OUT)
@pytest.mark.parametrize("rate", [22050, 24000, 16000, 48000])
def test_writes_what_ffprobe_reads(tmp_path, format, rate):
    samples = tone(rate)
    status, written, said = probe("encode", format, rate, 0, given=samples.tobytes())
    assert status == 0, said
    path = tmp_path / f"out.{format}"
    path.write_bytes(written)
    stream, = ffprobe(path)["streams"]
    assert stream["codec_name"] == OUT[format] and stream["channels"] == 1
    expected = 48000 if format == "opus" else rate
    assert int(stream["sample_rate"]) == expected
    heard = ffmpeg_decode(path, rate)
    # mp3 and aac streams cannot tell the encoder's delay: three of MPEG's packets of 1152 at most
    assert 0 <= len(heard) - len(samples) <= (3 * 1152 * max(1, rate / 24000) if format in ("mp3", "aac") else rate / 50)
    if format in ("wav", "flac"):
        agree(heard, samples, 1 / 32768)
    elif format == "opus":
        assert correlation(heard, samples, 0) > 0.9
    else:
        assert max(correlation(heard, samples, delay) for delay in range(1000, 1200 if format == "mp3" else 1100)) > 0.95


def correlation(heard, samples, delay):
    pairs = [(heard[i + delay], samples[i]) for i in range(0, len(samples) - delay, 7)]
    product = sum(a * b for a, b in pairs)
    return product / math.sqrt(sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs))


def test_pcm_is_24_khz(tmp_path):
    for rate in (24000, 22050, 48000):
        status, written, _ = probe("encode", "pcm", rate, 0, given=tone(rate).tobytes())
        assert status == 0 and abs(len(written) / 2 - 24000 * SECONDS) <= 2
        heard = array.array("h", written)
        assert all(abs(a / 32768 - b) < 0.01 for a, b in zip(heard[500:-500], tone(24000)[500:-500]))


def test_wav_has_a_header_that_python_reads(tmp_path):
    _, written, _ = probe("encode", "wav", 22050, 0, given=tone(22050).tobytes())
    path = tmp_path / "out.wav"
    path.write_bytes(written)
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22050, 1, 2)
    status, written, _ = probe("encode", "wav", 22050, 8000, given=tone(22050).tobytes())
    assert status == 0 and struct.unpack_from("<I", written, 24) == (8000,)
    assert abs((len(written) - 44) / 2 - 8000 * SECONDS) <= 2


def test_a_rate_that_the_format_lacks_is_refused():
    status, _, said = probe("encode", "opus", 24000, 44100, given=tone(24000).tobytes())
    assert status == 1 and said["code"] == "INVALID_REQUEST" and "44100" in said["message"]


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_no_sound_at_all_is_a_file_too(tmp_path, format):
    status, written, said = probe("encode", format, 24000, 0, given=b"")
    assert status == 0, said


# --- hostile ----------------------------------------------------------------------------------------------------------


def wav_header(rate=16000, channels=1, bits=16, data_bytes=32000, claim=None):
    claim = data_bytes if claim is None else claim
    return (b"RIFF" + struct.pack("<I", min(claim + 36, 0xffffffff)) + b"WAVEfmt " +
            struct.pack("<IHHIIHH", 16, 1, channels & 0xffff, rate, (rate * channels * bits // 8) & 0xffffffff,
                        (channels * bits // 8) & 0xffff, bits) + b"data" + struct.pack("<I", claim))


def absurd_box(kind, size):
    return struct.pack(">I", size) + kind


REFUSED = {
    "empty": (b"", "empty_file"),
    "one byte": (b"\0", "unknown_media"),
    "text": (b"The quick brown fox jumps over the lazy dog.\n" * 200, "unknown_media"),
    "json": (json.dumps({"a": list(range(500))}).encode(), "unknown_media"),
    "playlist": (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "unknown_media"),
    "concat": (b"ffconcat version 1.0\nfile '/etc/passwd'\nduration 3\n", "unknown_media"),
    "sdp": (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n", "unknown_media"),
    "no channels": (wav_header(channels=0) + b"\1\2" * 16000, None),
    "no rate": (wav_header(rate=0) + b"\1\2" * 16000, "corrupt_media"),
    "no samples": (wav_header(data_bytes=0), "empty_file"),
    "header alone of 2 GB": (wav_header(data_bytes=0x7fffffff), "empty_file"),
    "absurd boxes": (absurd_box(b"ftyp", 24) + b"isomiso2mp41" + b"\0" * 4 + absurd_box(b"moov", 0xffffffff) +
                     absurd_box(b"trak", 0x7fffffff) + absurd_box(b"mdia", 0) * 200, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(tmp_path, name):
    data, reason = REFUSED[name]
    path = tmp_path / "file"
    path.write_bytes(data)
    got = refused(path)
    assert got == reason if reason is not None else got in ("corrupt_media", "unknown_media", "no_audio"), got


def test_refuses_a_picture_and_a_silent_film(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=1:duration=1", "-frames:v", 1, tmp_path / "picture.png")
    assert refused(tmp_path / "picture.png") == "unknown_media"
    assert refused(DATA / "silent.mp4") == "no_audio"


def test_many_channels_and_large_claims(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(wav_header(channels=65535) + b"\1\2" * 16000)
    status, _, said = probe("decode", 16000, path)
    assert status == 0 or said["code"] == "INVALID_REQUEST"
    path.write_bytes(wav_header(claim=0x7fffffff) + b"\1\2" * 16000)  # 2 GB claimed, a second there
    samples, said = decode(path)
    assert len(samples) == 16000 and said["parent_kib"] < (16 << 10 if not SANITIZED else 1 << 30)


def test_longer_than_wanted_is_refused(tmp_path):
    assert refused(DATA / "tone.mp3", 1.0) == "audio_too_long"
    bomb = tmp_path / "bomb.flac"  # an hour of silence in a few kilobytes
    ffmpeg("-f", "lavfi", "-i", "anullsrc=sample_rate=8000:channel_layout=mono:duration=3600", "-c:a", "flac", "-frame_size",
           32768, bomb)
    assert bomb.stat().st_size < 400_000
    assert refused(bomb, 60) == "audio_too_long"


@pytest.mark.parametrize("name", FILES)
def test_cut_off_anywhere(tmp_path, name):
    """An answer or an error at every sixteenth, and never more sound than there is."""
    data = (DATA / name).read_bytes()
    path = tmp_path / "cut"
    whole, _ = decode(DATA / name)
    n_heard = 0
    for i in range(1, 16):
        path.write_bytes(data[:len(data) * i // 16])
        status, samples, said = probe("decode", 16000, path)
        assert status == 0 or said["code"] == "INVALID_REQUEST", said
        assert len(samples) <= 4 * (len(whole) + 4000)
        n_heard += status == 0
    least = {"tone-end.m4a": 0, "video.mp4": 0, "tone.ogg": 1, "tone.opus": 4}  # an index that is lost, pages of a second
    assert n_heard >= least.get(name, 8)


def mutations(seed, n):
    chance = random.Random(seed)
    files = [(name, (DATA / name).read_bytes()) for name in FILES + ["silent.mp4"]]
    for _ in range(n):
        name, data = chance.choice(files)
        data = bytearray(data)
        for _ in range(chance.choice((1, 3, 10, 100))):
            where = chance.randrange(len(data) if chance.random() < 0.5 else min(len(data), 600))
            data[where] = chance.choice((0, 0xff, 0x7f, 0x80, data[where] ^ 1 << chance.randrange(8)))
        yield name, bytes(data)
    for size in (1, 7, 64, 1000, 60_000):
        yield "noise", chance.randbytes(size)


def test_mutated_files_are_errors_at_most(tmp_path):
    path = tmp_path / "mutated"
    for name, data in mutations(4, 40 if SANITIZED else 120):
        path.write_bytes(data)
        status, samples, said = probe("decode", 16000, path, 30, timeout=90)
        assert status == 0 or (status == 1 and said["code"] == "INVALID_REQUEST"), (name, status, said)
        numbers = array.array("f", samples)
        assert all(-1 <= x <= 1 for x in numbers[::37])


def test_the_media_program_is_not_for_hands():
    done = subprocess.run([MEDIA], capture_output=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and b"not by hand" in done.stdout
