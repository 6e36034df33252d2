#!/usr/bin/python3
"""Forms as clients write them: test_forms.py --probe PROBE [--seed N]

What curl -F, httpx (the official clients'), Node's FormData and Python's email package send must come out as it went in,
and as Python's email parser reads it.
"""
import argparse
import email
import email.policy
import http.server
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart

import httpx

ABSENT = REFUSED = 0xFFFFFFFF
NAMES = ["file", "model", "timestamp_granularities[]", "zoë", "日本", "a b", "x;y=z", 'quo"te', "per%cent", "comma,"]
FILES = ["a.wav", "Zoë's talk.mp3", "日本語.flac", 'quo"te.wav', "semi;colon=x.ogg", "no ending", "50% off.wav", "a'b.wav"]
PIECES = [b"\r\n", b"\r", b"\n", b"--", b"-", b"\r\n--", b"\r\n\r\n", b"\0", b"\xff", b"x", b"abc", b"boundary",
          b"Content-Disposition: form-data; name=\"x\"\r\n\r\n"]


class Probe:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, content_type, body):
        """[(name, file name or None, type, bytes)], or None when refused."""
        question = content_type.encode("latin-1") + b"\0" + body
        self.process.stdin.write(b"m" + struct.pack("<I", len(question)) + question)
        self.process.stdin.flush()
        size, = struct.unpack("<I", self.process.stdout.read(4))
        if size == REFUSED:
            return None
        answer = self.process.stdout.read(size)
        at, parts = 0, []

        def take():
            nonlocal at
            length, = struct.unpack_from("<I", answer, at)
            at += 4
            if length == ABSENT:
                return None
            at += length
            return answer[at - length:at]

        while at < len(answer):
            name, filename, kind, data = take().decode(), take(), take().decode(), b""
            while piece := take():
                data += piece
            parts.append((name, filename.decode() if filename is not None else None, kind, data))
        return parts


def random_bytes(rng):
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(200_000))
    return b"".join(rng.choice(PIECES) for _ in range(rng.randrange(40)))


def random_text(rng):
    return rng.choice(["", "tiny", "two\r\nlines", "zoë 日本", "a" * 5000, "--", "\r\n--x"])


def random_form(rng):
    """fields [(name, text)], files [(name, file name, bytes)]"""
    return ([(rng.choice(NAMES), random_text(rng)) for _ in range(rng.randrange(4))],
            [(rng.choice(NAMES), rng.choice(FILES), random_bytes(rng)) for _ in range(rng.randrange(1, 3))])


# --- the clients: each gives (content type, body) ---------------------------------------------------------------------

def from_httpx(rng, fields, files):
    data = {}
    for name, text in fields:
        data.setdefault(name, []).append(text)
    request = httpx.Request("POST", "http://x/", data=data, files=[(name, (file, content)) for name, file, content in files])
    return request.headers["content-type"], request.read()


def from_email(rng, fields, files):
    """RFC 2231 names where they are not ASCII, as mail has them."""
    form = MIMEMultipart("form-data")
    for name, text in fields:
        part = MIMENonMultipart("text", "plain", policy=email.policy.HTTP)
        part.set_payload(text.encode().decode("latin-1"))
        part.add_header("Content-Disposition", "form-data", name=encoded(name))
        form.attach(part)
    for name, file, content in files:
        part = MIMEApplication(b"", _encoder=lambda part: None)
        part.set_payload(content.decode("latin-1"))
        part.add_header("Content-Disposition", "form-data", name=encoded(name), filename=encoded(file))
        form.attach(part)
    boundary = "=_" + rng.randbytes(12).hex()
    body = b""
    for part in form.get_payload():
        head = "".join(f"{name}: {value}\r\n" for name, value in part.items() if name != "MIME-Version")
        body += f"--{boundary}\r\n{head}\r\n".encode() + part.get_payload().encode("latin-1") + b"\r\n"
    return f'multipart/form-data; boundary="{boundary}"', body + f"--{boundary}--\r\n".encode()


def encoded(name):
    return name if name.isascii() else ("utf-8", "", name)


class Catcher(http.server.BaseHTTPRequestHandler):
    caught = None

    def do_POST(self):
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        Catcher.caught = self.headers["Content-Type"], body
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def from_curl(url, directory, fields, files):
    arguments = []
    for name, text in fields:
        arguments += ["--form-string", f"{name}={text}"]
    for n, (name, file, content) in enumerate(files):
        path = os.path.join(directory, str(n))
        with open(path, "wb") as out:
            out.write(content)
        quoted = file.replace("\\", "\\\\").replace('"', '\\"')
        arguments += ["-F", f'{name}=@{path};filename="{quoted}"']
    subprocess.run(["curl", "-sS", "--fail", *arguments, url], check=True)
    return Catcher.caught


NODE = """
const forms = JSON.parse(require("fs").readFileSync(0));
(async () => {
  for (const {fields, files} of forms) {
    const form = new FormData();
    for (const [name, text] of fields) form.append(name, text);
    for (const [name, file, base64] of files) form.append(name, new Blob([Buffer.from(base64, "base64")]), file);
    const request = new Request("http://x/", {method: "POST", body: form});
    const body = Buffer.from(await request.arrayBuffer()).toString("base64");
    console.log(JSON.stringify([request.headers.get("content-type"), body]));
  }
})();
"""


def from_node(forms):
    import base64
    question = [{"fields": fields, "files": [(name, file, base64.b64encode(content).decode())
                                             for name, file, content in files]} for fields, files in forms]
    answer = subprocess.run(["node", "-e", NODE], input=json.dumps(question), capture_output=True, text=True, check=True)
    for line in answer.stdout.splitlines():
        content_type, body = json.loads(line)
        yield content_type, base64.b64decode(body)


# --- what must come out -----------------------------------------------------------------------------------------------

def expected(fields, files, newlines=False):
    """As sent; browsers and Node write every line's end in a field as CRLF."""
    def ended(text):
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n") if newlines else text
    return sorted([(name, None, ended(text).encode()) for name, text in fields] + list(files), key=repr)


def read_by_email(content_type, body):
    """Python's parser, which knows nothing of %22 and cuts the last line's end off."""
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body,
                                       policy=email.policy.HTTP)
    return [part.get_payload(decode=True) for part in message.get_payload()]


def check(who, probe, form, sent, newlines=False):
    parts = probe.ask(*sent)
    assert parts is not None, (who, "refused", sent[0], sent[1][:300])
    got = sorted(((name, file, data) for name, file, _, data in parts), key=repr)
    wanted = expected(*form, newlines)
    assert got == wanted, (who, [(a, b) for a, b in zip(got, wanted) if a != b][:1])
    plain = all(b"\r" not in data.replace(b"\r\n", b"") and b"\n" not in data.replace(b"\r\n", b"") for *_, data in parts)
    if plain and b"\r\n--" not in b"".join(data for *_, data in parts):
        assert read_by_email(*sent) == [data for *_, data in parts], (who, "email")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=150)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    probe = Probe(arguments.probe)
    forms = [random_form(rng) for _ in range(arguments.count)]
    counts = {}
    for form in forms:
        for who, make in (("httpx", from_httpx), ("email", from_email)):
            check(who, probe, form, make(rng, *form))
            counts[who] = counts.get(who, 0) + 1
    if shutil.which("node"):
        for form, sent in zip(forms, from_node(forms)):
            check("node", probe, form, sent, newlines=True)
            counts["node"] = counts.get("node", 0) + 1
    if shutil.which("curl"):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catcher)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as directory:
            for form in forms[:60]:
                if any("=" in name for name, *_ in form[0] + form[1]):
                    continue  # its command line cannot say it
                sent = from_curl(f"http://127.0.0.1:{server.server_port}/", directory, *form)
                check("curl", probe, form, sent)
                counts["curl"] = counts.get("curl", 0) + 1
        server.shutdown()
    print("forms:", ", ".join(f"{count} of {who}" for who, count in counts.items()), "came out as they went in")


if __name__ == "__main__":
    sys.exit(main())
