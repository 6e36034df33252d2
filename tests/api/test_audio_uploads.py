"""Forms as a file comes in: any shape, any size, many at once; nothing is left behind."""
import concurrent.futures
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess

import pytest

import api_server
from api_server import running
from audio_kit import BOUNDARY, MODEL, error_of, form, part, send, wav

SOUND = wav(1.5)
FILE = ("file", SOUND, "a.wav")


def text_of(answer):
    status, _, body = answer
    assert status == 200, body
    return json.loads(body)["text"]


def test_fields_before_and_behind_the_file(fake):
    for parts in ([FILE, MODEL, ("prompt", "x")], [MODEL, FILE, ("prompt", "x")], [("prompt", "x"), MODEL, FILE]):
        assert text_of(send(fake, form(*parts))) == "one (x) two"


def test_names_in_every_spelling(fake):
    for disposition in ("form-data; name=file; filename=a.wav", "Form-Data ; filename=\"a;b.wav\"; NAME=\"file\"",
                        "form-data; name=\"file\"; filename*=UTF-8''%e2%82%ac%20rates.wav",
                        "form-data; name=\"file\"; filename=\"x\"; filename*=utf-8'en'%C3%BC.wav",
                        "form-data; name=\"file\"; filename=\"a%22b.wav\"", r'form-data; name="file"; filename="a\"b\\c.wav"',
                        "form-data; name=\"file\"", "form-data; name=\"file\"; filename=\"../../etc/passwd\""):
        assert text_of(send(fake, form(MODEL, part("", SOUND, disposition=disposition)))) == "one two", disposition
    assert text_of(send(fake, form(MODEL, part("file", SOUND, "a", more="Content-Type: image/png\r\nX-Y: z\r\n")))) == "one two"


def test_boundaries_and_what_stands_around(fake):
    body = form(MODEL, FILE)
    assert text_of(send(fake, b"preamble\r\n" + body + b"epilogue")) == "one two"
    for boundary in ("b", "'()+_,-./:=?", "x" * 70):
        quoted = f'multipart/form-data; charset=utf-8; boundary="{boundary}"'
        assert text_of(send(fake, body.replace(BOUNDARY.encode(), boundary.encode()), content_type=quoted)) == "one two"


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data",
                                          "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "x" * 71,
                                          "multipart/mixed; boundary=" + BOUNDARY, "text/plain", ""])
@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
def test_what_is_no_form(fake, content_type, path):
    status, _, body = send(fake, form(MODEL, FILE), path, content_type)
    assert status == 400 and "multipart/form-data" in json.loads(body)["error"]["message"]


def test_forms_that_break_off(fake):
    body = form(MODEL, FILE)
    for wrong in (b"", b"\r\n", body[:-4], body[:len(body) // 2], body.replace(BOUNDARY.encode(), b"other"), body[:40]):
        status, _, text = send(fake, wrong)
        assert status == 400 and json.loads(text)["error"]["message"], wrong[:50]
    for wrong in (part("", "x", disposition="form-data"), part("", "x", disposition='form-data; name=""'),
                  part("", "x", disposition='attachment; name="model"'), part("model", "x", more="Content-Transfer-Encoding: base64\r\n"),
                  part("model", "x", more="X: " + "y" * 10_000 + "\r\n")):
        assert error_of(fake, wrong, FILE)["code"] == "invalid_request"


def test_what_is_missing(fake):
    assert error_of(fake, MODEL) == {"message": "Missing required parameter: 'file'", "type": "invalid_request_error", "param": "file",
                                     "code": "missing_required_parameter"}
    assert error_of(fake, FILE)["param"] == "model"
    assert error_of(fake)["param"] == "model"


def test_fields_are_bounded_together(fake):
    assert text_of(send(fake, form(MODEL, FILE, ("prompt", "x" * 60_000)))).startswith("one (xxx")
    error = error_of(fake, MODEL, FILE, ("prompt", "x" * 66_000))
    assert error["param"] == "prompt" and "64 KB" in error["message"]
    assert error_of(fake, MODEL, *[("timestamp_granularities[]", "word")] * 300)["code"] == "invalid_request"
    assert error_of(fake, MODEL, FILE, ("x" * 400, "y"))["code"] in ("invalid_request", "unknown_parameter")


def test_a_stranger_is_refused_before_the_file_comes(fake):
    """The server answers, and does not take a gigabyte first."""
    with socket.create_connection(("127.0.0.1", fake.port), timeout=20) as raw:
        head = part("file", "", "a.wav")[:-2]
        start = part("colour", "red") + head
        raw.sendall(f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                    f"Content-Length: 1000000000\r\n\r\n".encode() + start)
        answer = raw.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 400") and "Unknown parameter: 'colour'" in answer


def test_a_file_that_is_too_large():
    with running("fake", "--max-upload", "100000") as small:
        assert text_of(send(small, form(MODEL, FILE))) == "one two"
        status, _, body = send(small, form(MODEL, ("file", wav(4), "a.wav")))
        assert status == 413 and "100000" in body.decode() or "97" in body.decode(), body
        raw = form(MODEL, ("file", wav(4), "a.wav"))  # of unknown length
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(raw[i:i + 5000]), raw[i:i + 5000]) for i in range(0, len(raw), 5000)) + b"0\r\n\r\n"
        with socket.create_connection(("127.0.0.1", small.port), timeout=20) as connection:
            connection.sendall(f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n".encode())
            try:
                connection.sendall(chunked)
            except ConnectionError:
                pass
            assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_key_is_asked_for_before_the_file_is_taken():
    with running("fake", "--api-key", "secret") as guarded:
        status, _, body = send(guarded, form(MODEL, FILE))
        assert status == 401 and json.loads(body)["error"]["code"] == "missing_api_key"


def test_twenty_at_once(fake):
    """Each gets its own answer."""
    def one(i):
        return text_of(send(fake, form(MODEL, ("file", wav(0.5 + i % 5), "a.wav"), ("prompt", f"p{i}"))))

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))
    words = ["", " two", " two three", " two three four", " two three four five"]
    assert answers == [f"one (p{i})" + words[i % 5] for i in range(20)]


def open_files(pid):
    names = []
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(os.readlink(entry))
        except FileNotFoundError:
            pass
    return names


def begin_upload(server, size=3_000_000):
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    raw.sendall(f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                f"Content-Length: 100000000\r\n\r\n".encode() + part("model", "fake-whisper") + part("file", "", "a.wav")[:-2] + bytes(size))
    return raw


def test_nothing_is_left_behind(tmp_path):
    with running("fake", data=str(tmp_path / "data")) as server:
        def spools():
            return [name for name in open_files(server.process.pid) if name.startswith(str(tmp_path)) and name.endswith("(deleted)")]

        raw = begin_upload(server)
        api_server.wait_until(lambda: spools(), 10, "no file is open")
        before = {p for p in tmp_path.rglob("*") if "responses" not in p.name}
        assert all(p.is_dir() for p in before), before
        raw.close()
        api_server.wait_until(lambda: not spools(), 10, "the file of a client that left is still open")
        for _ in range(3):
            text_of(send(server, form(MODEL, FILE)))
            error_of(server, MODEL, FILE, ("x", "y"))
        api_server.wait_until(lambda: not spools(), 10, "a file is still open")
    assert {p for p in tmp_path.rglob("*") if "responses" not in p.name and not p.is_dir()} == set()


def test_a_killed_server_leaves_nothing(tmp_path):
    process = subprocess.Popen([*api_server.COMMANDS["fake"], "--data-dir", tmp_path / "data"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        raw = begin_upload(api_server.Server("fake", process, port))
        api_server.wait_until(lambda: any("(deleted)" in name for name in open_files(process.pid)), 10, "no file is open")
        raw.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and "responses" not in p.name] == []


def test_a_full_disk(tmp_path):
    """The largest file that the process may write stands in for it."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    process = subprocess.Popen([*api_server.COMMANDS["fake"], "--data-dir", tmp_path], stdout=subprocess.PIPE, text=True, preexec_fn=limit)
    try:
        server = api_server.Server("fake", process, int(process.stdout.readline().rsplit(":", 1)[1]))
        assert text_of(send(server, form(MODEL, FILE))) == "one two"
        error = error_of(server, MODEL, ("file", wav(60), "a.wav"), status=507)
        assert error["code"] == "disk_full"
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()
