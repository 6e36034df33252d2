"""Speech: the official client, every format through FFmpeg, events, voices; clients that read slowly."""
import array
import base64
import json
import socket
import time

import openai
import pytest

from api_server import running, wait_until
from audio_kit import decode, probe

TEXT = "Hello there"  # the fake engine: a tone for each letter, 0.05 s
CODECS = {"mp3": ("mp3", "audio/mpeg"), "opus": ("opus", "audio/ogg"), "aac": ("aac", "audio/aac"), "flac": ("flac", "audio/flac"),
          "wav": ("pcm_s16le", "audio/wav")}


def speak(fake, **options):
    return fake.client.audio.speech.create(**{"model": "fake-voice", "input": TEXT, "voice": "alloy", **options})


@pytest.mark.parametrize("name", CODECS)
def test_every_format(fake, name):
    answer = speak(fake, response_format=name)
    codec, kind = CODECS[name]
    assert answer.response.headers["content-type"] == kind and answer.response.headers["transfer-encoding"] == "chunked"
    stream, = probe(answer.content, "-show_streams")["streams"]
    assert stream["codec_name"] == codec and stream["channels"] == 1, stream
    n_samples = len(decode(answer.content)) // 2
    assert abs(n_samples / 22050 - len(TEXT) * 0.05) < 0.1
    samples = array.array("h", decode(answer.content))
    assert max(samples) > 3000, "silence"


def test_pcm(fake):
    """24 kHz, 16 bits, no header."""
    answer = speak(fake, response_format="pcm")
    assert answer.response.headers["content-type"] == "audio/pcm"
    assert abs(len(answer.content) / 2 / 24000 - len(TEXT) * 0.05) < 0.01


def test_mp3_is_the_default(fake):
    assert speak(fake).content == speak(fake, response_format="mp3").content
    assert speak(fake).response.headers["content-type"] == "audio/mpeg"


def test_speed_and_voice(fake):
    def length(**options):
        return len(speak(fake, response_format="wav", **options).content)

    normal = length()
    assert abs(length(speed=2) - normal / 2) < 200 and abs(length(speed=0.25) - normal * 4) < 300 and length(speed=4) < normal / 3
    voices = {voice: speak(fake, voice=voice, response_format="wav").content for voice in ("low", "mid", "high")}
    assert len(set(voices.values())) == 3
    assert speak(fake, voice={"id": "low"}, response_format="wav").content == voices["low"]
    status, _, body = fake.post("/v1/audio/speech", {"model": "fake-voice", "input": "x", "response_format": "xml"})
    assert status == 400 and body["error"]["param"] == "response_format"


def test_streaming(fake, tmp_path):
    with fake.client.audio.speech.with_streaming_response.create(model="fake-voice", input=TEXT, voice="mid", response_format="wav") as answer:
        pieces = list(answer.iter_bytes())
    assert b"".join(pieces) == speak(fake, voice="mid", response_format="wav").content
    with fake.client.audio.speech.with_streaming_response.create(model="fake-voice", input=TEXT, voice="mid") as answer:
        answer.stream_to_file(tmp_path / "a.mp3")
    assert (tmp_path / "a.mp3").read_bytes() == speak(fake, voice="mid").content


def test_sound_comes_as_it_is_made():
    with running("fake", "--speak-us", "20000") as slow:
        began = time.monotonic()
        with slow.client.audio.speech.with_streaming_response.create(model="fake-voice", input="a" * 100, voice="mid",
                                                                     response_format="pcm") as answer:
            first = None
            for piece in answer.iter_bytes():
                first = first or time.monotonic() - began
        assert first < 1 < time.monotonic() - began


def test_events(fake):
    with fake.client.audio.speech.with_streaming_response.create(model="fake-voice", input=TEXT, voice="mid", response_format="wav",
                                                                 stream_format="sse") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line]
    assert [e["type"] for e in events] == ["speech.audio.delta"] * (len(events) - 1) + ["speech.audio.done"]
    data = b"".join(base64.b64decode(e["audio"], validate=True) for e in events[:-1])
    assert data == speak(fake, voice="mid", response_format="wav").content
    seconds = events[-1]["usage"].pop("seconds")
    assert abs(seconds - len(TEXT) * 0.05) < 0.001
    assert events[-1]["usage"] == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def test_errors(fake):
    for more, param, code in [({"voice": "nobody"}, "voice", "unknown_voice"), ({"speed": 5}, "speed", "invalid_request"),
                              ({"speed": 0.1}, "speed", "invalid_request"), ({"instructions": "slowly"}, "instructions", "unsupported_parameter"),
                              ({"input": ""}, "input", "invalid_request"), ({"input": "x" * 100_001}, "input", "invalid_request"),
                              ({"extra_body": {"pitch": 2}}, "pitch", "unknown_parameter"),
                              ({"stream_format": "tape"}, "stream_format", "invalid_request")]:
        with pytest.raises(openai.BadRequestError) as error:
            speak(fake, **more)
        assert (error.value.param, error.value.code) == (param, code), more
    with pytest.raises(openai.NotFoundError) as error:
        speak(fake, model="nobody")
    assert error.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as error:
        speak(fake, model="fake-whisper")
    assert "speaks" in error.value.message
    for missing in ("model", "input"):
        body = {"model": "fake-voice", "input": "x"}
        del body[missing]
        status, _, answer = fake.post("/v1/audio/speech", body)
        assert status == 400 and answer["error"]["param"] == missing


def test_no_voice_is_the_models_own(fake):
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", fake.port, timeout=60)
    connection.request("POST", "/v1/audio/speech", json.dumps({"model": "fake-voice", "input": TEXT, "response_format": "wav"}),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() == speak(fake, voice="mid", response_format="wav").content
    connection.close()


def test_voices(fake):
    status, _, body = fake.request("GET", "/v1/audio/voices?model=fake-voice")
    assert status == 200 and body["object"] == "list" and [v["id"] for v in body["data"]] == ["low", "mid", "high"]
    assert fake.request("GET", "/v1/audio/voices")[2] == body  # the only one that speaks
    assert all({"id", "object", "name", "language", "gender"} == set(v) for v in body["data"])
    assert fake.request("GET", "/v1/audio/voices?model=nobody")[0] == 404
    assert fake.request("GET", "/v1/audio/voices?model=fake")[0] == 400
    assert fake.request("GET", "/v1/audio/voices?model=../x")[0] == 400


def request_of(body):
    text = json.dumps(body).encode()
    return (f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text


def test_a_client_that_reads_slowly_gets_everything(fake):
    """Far more than is kept in memory for a client; the next one is served meanwhile."""
    text = "abcde fgh " * 1500  # 750 s, 33 MB
    with socket.create_connection(("127.0.0.1", fake.port), timeout=60) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        raw.sendall(request_of({"model": "fake-voice", "input": text, "response_format": "wav"}))
        wait_until(lambda: fake.status()["active_requests"] == 0, 20, "the model waits for the client")
        assert speak(fake, response_format="wav").content[:4] == b"RIFF"
        rss = fake.status()["process"]["memory_bytes"]
        got = bytearray()
        while not got.endswith(b"0\r\n\r\n"):
            piece = raw.recv(1 << 16)
            assert piece, len(got)
            got += piece
    assert len(got) > 33_000_000
    assert rss < 300 << 20, rss
    head, _, rest = bytes(got).partition(b"\r\n\r\n")
    sound = bytearray()
    at = 0
    while (size := int(rest[at:rest.index(b"\r\n", at)], 16)) > 0:
        at = rest.index(b"\r\n", at) + 2
        sound += rest[at:at + size]
        at += size + 2
    assert bytes(sound) == speak(fake, input=text, voice="mid", response_format="wav").content


def test_clients_that_leave():
    """The work ends within a second, and what waited for a client is gone with it."""
    with running("fake", "--speak-us", "5000") as slow:
        for read in (0, 2000):
            for more in ({}, {"response_format": "wav"}, {"stream_format": "sse"}):
                with socket.create_connection(("127.0.0.1", slow.port), timeout=60) as raw:
                    raw.sendall(request_of({"model": "fake-voice", "input": "a" * 50_000, **more}))
                    wait_until(lambda: slow.status()["active_requests"] == 1, 10, "it has not begun")
                    if read:
                        raw.recv(read)
                wait_until(lambda: slow.status()["active_requests"] == 0, 1, "the work goes on")
    with running("fake") as fast:
        with socket.create_connection(("127.0.0.1", fast.port), timeout=60) as raw:
            raw.sendall(request_of({"model": "fake-voice", "input": "a" * 50_000, "response_format": "wav"}))
            wait_until(lambda: fast.status()["active_requests"] == 0, 20, "the model waits for the client")
        wait_until(lambda: fast.status()["connections"]["active_requests"] == 1, 5, "the answer is still kept")


def test_sound_that_breaks_off_does_not_look_whole():
    """The server ends in the middle of it."""
    with running("fake", "--speak-us", "5000") as slow:
        with socket.create_connection(("127.0.0.1", slow.port), timeout=60) as raw:
            raw.sendall(request_of({"model": "fake-voice", "input": "a" * 50_000, "response_format": "pcm"}))
            got = raw.recv(4096)
            slow.process.terminate()
            while piece := raw.recv(1 << 16):
                got = (got + piece)[-100:]
    assert not got.endswith(b"0\r\n\r\n")
