"""Sounds, and forms by hand."""
import http.client
import json
import math
import shutil
import struct
import subprocess
import wave
import io

import pytest

BOUNDARY = "xYzZY"
MODEL = ("model", "fake-whisper")


def wav(seconds, rate=16000):
    """A tone. The fake engine hears a number for every second that has begun."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(i / 10))) for i in range(int(seconds * rate))))
    return out.getvalue()


def part(name, value, filename=None, more="", disposition=None):
    if disposition is None:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    value = value if isinstance(value, bytes) else value.encode()
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{more}\r\n".encode() + value + b"\r\n"


def form(*parts):
    """Parts are bytes that `part` has made, or (name, value), or (name, value, filename)."""
    return b"".join(p if isinstance(p, bytes) else part(*p) for p in parts) + f"--{BOUNDARY}--\r\n".encode()


def send(server, body, path="/v1/audio/transcriptions", content_type=f"multipart/form-data; boundary={BOUNDARY}"):
    """(status, headers, bytes)"""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def error_of(server, *parts, status=400, **options):
    got, _, text = send(server, form(*parts), **options)
    assert got == status, (got, text)
    return json.loads(text)["error"]


def probe(data, *options):
    """What ffprobe says of bytes."""
    if not shutil.which("ffprobe"):
        pytest.skip("ffprobe is not installed")
    done = subprocess.run(["ffprobe", "-v", "error", *options, "-of", "json", "-"], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def decode(data, rate=22050):
    """Samples, by ffmpeg."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-f", "s16le", "-ac", "1", "-ar", str(rate), "-"], input=data,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
